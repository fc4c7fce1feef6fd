"""Tracks and clips of a timeline as edits see them: what is meant, and how it is replaced. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction

from avpipe.edits.values import ClipRef, Part
from avpipe.errors import EditRefusedError
from avpipe.montage.summary import in_order
from avpipe.montage.values import Clip, Montage, Role, Track, TrackKind

Change = Callable[[Clip], Clip]


def main_track(montage: Montage) -> Track | None:
    """The lowest video track that has a clip: what the others are laid over."""
    return next((track for track in montage.of(TrackKind.VIDEO) if track.clips), None)


def main_clips(montage: Montage) -> tuple[Clip, ...]:
    """The clips of the main track in the order of time. Raises where there are none."""
    track = main_track(montage)
    if track is None:
        raise EditRefusedError("there is no video in the timeline yet", hint="give a video file")
    return in_order(track)


def length_of(montage: Montage) -> Fraction:
    """How long the picture lasts, or the sound where there is no picture. Raises where empty."""
    track = main_track(montage)
    length = max((clip.end for clip in track.clips), default=Fraction(0)) if track else Fraction(0)
    length = length or montage.duration
    if not length:
        raise EditRefusedError("the timeline is empty", hint="give a video file")
    return length


def is_music(track: Track) -> bool:
    """Whether a track is under the others: one that nobody called speech is."""
    return track.kind is TrackKind.AUDIO and track.role is not Role.SPEECH


def is_speech(track: Track) -> bool:
    """Whether a track is recorded sound that belongs to the picture."""
    return track.kind is TrackKind.AUDIO and track.role is Role.SPEECH


def belongs_to(track: Track, part: Part, montage: Montage) -> bool:
    """Whether a track is what a part means."""
    match part:
        case Part.VIDEO_SOUND | Part.PICTURE:
            return track.kind is TrackKind.VIDEO
        case Part.AUDIO:
            return is_speech(track)
        case Part.SPEECH:
            recorded = any(map(is_speech, montage.tracks))
            return is_speech(track) if recorded else track.kind is TrackKind.VIDEO
        case Part.MUSIC:
            return is_music(track)
        case Part.TITLE:
            return track.kind is TrackKind.TEXT
        case Part.ALL:
            return track.kind in (TrackKind.VIDEO, TrackKind.AUDIO)


def tracks_of(montage: Montage, part: Part) -> tuple[Track, ...]:
    """The tracks of a part that have clips. Raises EditRefusedError where there are none."""
    found = tuple(
        track for track in montage.tracks if track.clips and belongs_to(track, part, montage)
    )
    if not found:
        raise EditRefusedError(_MISSING[part])
    return found


_MISSING = {
    Part.ALL: "there is nothing to hear in the timeline yet",
    Part.PICTURE: "there is no video in the timeline yet",
    Part.VIDEO_SOUND: "there is no video in the timeline yet",
    Part.AUDIO: "there is no separate audio in the timeline",
    Part.SPEECH: "there is nothing to hear in the timeline yet",
    Part.MUSIC: "there is no music in the timeline",
    Part.TITLE: "there is no title in the timeline",
}


def change_clips(montage: Montage, part: Part, change: Change) -> Montage:
    """The timeline with every clip of a part changed. Raises where there is none."""
    meant = tracks_of(montage, part)
    return with_tracks(
        montage,
        (
            replace(track, clips=tuple(map(change, track.clips))) if track in meant else track
            for track in montage.tracks
        ),
    )


def with_tracks(montage: Montage, tracks: Iterator[Track] | tuple[Track, ...]) -> Montage:
    """The timeline with other tracks; those that have become empty are left out."""
    kept = tuple(track for track in tracks if track.clips or track.kind is TrackKind.OTHER)
    return replace(montage, tracks=kept)


def with_clips(montage: Montage, track: Track, clips: tuple[Clip, ...]) -> Montage:
    """The timeline with other clips on one of its tracks."""
    return with_tracks(
        montage,
        tuple(replace(t, clips=clips) if t is track else t for t in montage.tracks),
    )


def clip_number(ref: ClipRef, clips: tuple[Clip, ...]) -> int:
    """The index of the clip that is meant. Raises EditRefusedError where there is none."""
    if ref.number is not None:
        index = ref.number - 1 if ref.number > 0 else len(clips) + ref.number
        if 0 <= index < len(clips):
            return index
        count = f"{len(clips)} clip{'' if len(clips) == 1 else 's'}"
        raise EditRefusedError(f"there is no clip {ref.number}: the video has {count}")
    wanted = (ref.name or "").rpartition("/")[2].casefold()
    for index, clip in enumerate(clips):
        names = (clip.name.casefold(), (clip.source or "").casefold())
        if wanted in names or wanted.rpartition(".")[0] in names:
            return index
    raise EditRefusedError(f"{ref.name} is not shown in the timeline")
