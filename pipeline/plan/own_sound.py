"""A video's own sound beside its recording in an edit: as loud, and cross-faded. Pure.

What `plan/fill.py` does in a merge is done here to the clips of a timeline, whatever else is in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from avpipe.montage.faults import MOST_VOLUME
from avpipe.montage.summary import in_order
from avpipe.montage.values import Clip, Montage, Role, Track, TrackKind
from avpipe.plan.fill import BRIEF_S, FILL_FADE_S
from avpipe.plan.levels import spread_moments
from avpipe.plan.lines import JOINT_FADE_S

_NEAR = Fraction(1, 1000)
"""How far apart ends may be that meet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shared:
    """A video whose own sound fills the gaps of a recording, and moments that both heard."""

    camera: str
    recorder: str
    moments: tuple[tuple[float, float], ...]
    """Where each begins in the one and in the other, in seconds of the files."""


def shared_sounds(montage: Montage) -> tuple[Shared, ...]:
    """The videos that are heard in gaps of a recording; none where they have nothing in common."""
    shown = _main_clips(montage)
    (own, recorded) = _spoken(montage, shown)
    found = (_shared(camera, shown, recorded) for camera in dict.fromkeys(c.source for c in own))
    return tuple(shared for shared in found if shared is not None)


def with_own_sound(montage: Montage, camera: str, gain_db: float) -> Montage:
    """The edit with a video's sound so much louder where it fills gaps, and cross-faded there."""
    (own, recorded) = _spoken(montage, _main_clips(montage))
    mine = [clip for clip in own if clip.source == camera]
    return replace(
        montage,
        tracks=tuple(
            replace(track, clips=tuple(_met(clip, mine, recorded, gain_db) for clip in track.clips))
            if _is_speech(track)
            else track
            for track in montage.tracks
        ),
    )


def _met(clip: Clip, own: Sequence[Clip], recorded: Sequence[Clip], gain_db: float) -> Clip:
    """A clip as it is heard beside those that it meets; the fades lie within the recordings."""
    if clip in own:
        (rise, fall) = (_fade(clip, _before(clip, recorded)), _fade(clip, _after(clip, recorded)))
        rate = clip.speed * clip.clock
        rise = min(rise, max(clip.source_in, Fraction(0)) / rate)
        return replace(
            clip,
            start=clip.start - rise,
            source_in=clip.source_in - rise * rate,
            source_out=clip.source_out + fall * rate,
            fade_in=max(clip.fade_in, rise),
            fade_out=max(clip.fade_out, fall),
            volume=min(clip.volume * 10 ** (gain_db / 20), MOST_VOLUME),
        )
    if clip in recorded:
        (before, after) = (_before(clip, own), _after(clip, own))
        return replace(
            clip,
            fade_in=max(clip.fade_in, _fade(before, clip)),
            fade_out=max(clip.fade_out, _fade(after, clip)),
        )
    return clip


def _fade(gap: Clip | None, recording: Clip | None) -> Fraction:
    """How long the two fade where they meet; nothing where they do not."""
    if gap is None or recording is None:
        return Fraction(0)
    longest = FILL_FADE_S if gap.duration > BRIEF_S else JOINT_FADE_S
    return min(longest, recording.duration / 2)


def _before(clip: Clip, others: Sequence[Clip]) -> Clip | None:
    return next((other for other in others if abs(other.end - clip.start) < _NEAR), None)


def _after(clip: Clip, others: Sequence[Clip]) -> Clip | None:
    return next((other for other in others if abs(other.start - clip.end) < _NEAR), None)


def _main_clips(montage: Montage) -> tuple[Clip, ...]:
    tracks = [track for track in montage.of(TrackKind.VIDEO) if track.clips]
    return in_order(tracks[0]) if tracks else ()


def _is_speech(track: Track) -> bool:
    return track.kind is TrackKind.AUDIO and track.role is Role.SPEECH


def _spoken(montage: Montage, shown: Sequence[Clip]) -> tuple[list[Clip], list[Clip]]:
    """What is heard beside silenced pictures: of the videos themselves, and recorded."""
    silenced = {clip.source for clip in shown if not clip.volume}
    spoken = [clip for track in montage.tracks if _is_speech(track) for clip in track.clips]
    own = [clip for clip in spoken if clip.source in silenced]
    pictures = {clip.source for clip in shown}
    return own, [clip for clip in spoken if clip.source not in pictures]


def _shared(camera: str | None, shown: Sequence[Clip], recorded: Sequence[Clip]) -> Shared | None:
    """The longest stretch of a recording beside the picture of a video, in moments."""
    beside = [
        (min(picture.end, sound.end) - max(picture.start, sound.start), picture, sound)
        for picture in shown
        for sound in recorded
        if picture.source == camera and picture.source_in >= 0
    ]
    (length, picture, sound) = max(
        beside, key=lambda one: one[0], default=(Fraction(0), None, None)
    )
    if picture is None or sound is None:
        return None
    first = max(picture.start, sound.start)
    times = spread_moments(first, first + length)
    return Shared(
        camera=str(camera),
        recorder=str(sound.source),
        moments=tuple((_moment(picture, time), _moment(sound, time)) for time in times),
    )


def _moment(clip: Clip, time: Fraction) -> float:
    """Which moment of its file a clip gives at a time."""
    return float(clip.source_in + (time - clip.start) * clip.speed * clip.clock)
