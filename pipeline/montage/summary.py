"""An edit in one line for people: `Timeline (2 tracks): 1. Video: … 2. BGM: … (0-10s, 35%)`."""

from __future__ import annotations

from fractions import Fraction

from avpipe.montage.values import Clip, Montage, Role, Track, TrackKind

_LABELS = {
    TrackKind.VIDEO: "Video",
    TrackKind.AUDIO: "BGM",
    TrackKind.TEXT: "Title",
    TrackKind.OTHER: "Other",
}
_LONGEST_NAME = 120


def summarise(montage: Montage) -> str:
    """The tracks and what is on them, in one line."""
    if not montage.tracks:
        return "Timeline: empty"
    count = f"{len(montage.tracks)} track{'' if len(montage.tracks) == 1 else 's'}"
    lines = (f"{number}. {_track_line(track)}" for number, track in enumerate(montage.tracks, 1))
    return f"Timeline ({count}): {' '.join(lines)}"


def label_of(track: Track) -> str:
    """What a track is called: `Video`, `BGM`, `Audio`, `Title` or `Other`."""
    return "Audio" if track.role is Role.SPEECH else _LABELS[track.kind]


def describe(clip: Clip, kind: TrackKind) -> str:
    """A clip with its time and, where it is not 100 %, its volume: `Lo-fi (0-10s, 35%)`."""
    name = one_line(clip.name) or "untitled"
    named = f'"{name}"' if kind is TrackKind.TEXT else name
    loud = kind in (TrackKind.VIDEO, TrackKind.AUDIO) and clip.volume != 1
    volume = f", {percent(clip.volume)}" if loud else ""
    return f"{named} ({span(clip)}s{volume})"


def size(max_bytes: int) -> str:
    """A bound on the size of a file: `under 25 MB`."""
    return f"under {max_bytes / 1e6:.10g} MB"


def in_order(track: Track) -> tuple[Clip, ...]:
    """The clips of a track in the order of time."""
    return tuple(sorted(track.clips, key=lambda clip: (clip.start, clip.end)))


def span(clip: Clip) -> str:
    """From when to when, in seconds: `0-10`."""
    return f"{seconds(clip.start)}-{seconds(clip.end)}"


def seconds(value: Fraction) -> str:
    """Seconds as people read them: at most two decimals."""
    return f"{float(value):.2f}".rstrip("0").rstrip(".")


def percent(volume: float) -> str:
    """A linear volume in percent."""
    return f"{volume:.0%}"


def one_line(text: str) -> str:
    """A text without line breaks, shortened."""
    return " ".join(text.split())[:_LONGEST_NAME]


def _track_line(track: Track) -> str:
    clips = (describe(clip, track.kind) for clip in in_order(track))
    return f"{label_of(track)}: {', '.join(clips) or 'empty'}"
