"""A recording laid anew beside its pictures, so much later than before. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise

from avpipe.edits.beside import Lie, laid
from avpipe.edits.reshape import part_of, rejoined
from avpipe.montage.values import ZERO, Clip, TrackKind

_RATE = 48_000
"""A recording is moved by whole samples."""
_NEAR = Fraction(1, 1000)
"""Places in time that are so near are the same."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Video:
    """A video, and what is known of a recording beside it."""

    source: str
    lies: tuple[Lie, ...]
    certain: bool
    """Whether that is known by what both heard."""


def relaid(
    sounds: Sequence[Clip], pictures: Sequence[Clip], videos: Sequence[Video], shift: Fraction
) -> list[Clip] | None:
    """All that belongs to the pictures of a recording, so much later than it is heard now.

    How far it was moved from where it is known to belong, its sounds tell. What was moved out of it
    before, comes back so. Each is as loud as the nearest of before. None where the sounds are not
    those of a recording that was made with the pictures.
    """
    shown = {video.source: _within(pictures, video, sounds) for video in videos}
    moved = {video.source: _moved_by(sounds, shown[video.source], video) for video in videos}
    certain = (moved[video.source] for video in videos if video.certain)
    common = next((by for by in certain if by is not None), None)
    later = shift * _pace(sounds, [one for many in shown.values() for one in many])
    there: list[Clip] = []
    made: list[Clip] = []
    for video in videos:
        by = moved[video.source]
        if by is None and video.certain:
            by = common
        if by is None:
            continue
        for picture in shown[video.source]:
            there += laid([picture], [lie.later(by) for lie in video.lies], sounds[0])
            anew = laid([picture], [lie.later(by + later) for lie in video.lies], sounds[0])
            made += _as_before(anew, picture, sounds)
    return list(rejoined(made)) if all(_is_among(sound, there) for sound in sounds) else None


def _pace(sounds: Sequence[Clip], pictures: Sequence[Clip]) -> Fraction:
    """Seconds of the video in one of the timeline, where the first of the sounds is heard."""
    for sound in sorted(sounds, key=_start):
        for picture in pictures:
            if picture.start < sound.end and sound.start < picture.end:
                return picture.speed
    return Fraction(1)


def _within(pictures: Sequence[Clip], video: Video, sounds: Sequence[Clip]) -> tuple[Clip, ...]:
    """The pictures of a video; without a frame held before it, where nothing is heard then."""
    shown = []
    for picture in pictures:
        if picture.source == video.source:
            begin = picture.start + max(-picture.source_in, ZERO) / picture.speed
            early = any(sound.start < begin and sound.end > picture.start for sound in sounds)
            held = not early and begin < picture.end
            shown.append(part_of(picture, begin, picture.end, TrackKind.VIDEO) if held else picture)
    return tuple(shown)


def _moved_by(sounds: Sequence[Clip], pictures: Sequence[Clip], video: Video) -> Fraction | None:
    """How much later a recording is heard than is known of it; None where it is not heard."""
    shifts = [
        (shift, sound.duration)
        for sound in sounds
        for picture in pictures
        if picture.start <= sound.start < picture.end and sound.speed == picture.speed
        for lie in video.lies
        if (shift := _shift(sound, picture, lie)) is not None
    ]
    if not shifts:
        return None
    (best, _) = max(
        shifts, key=lambda one: sum(long for shift, long in shifts if abs(shift - one[0]) < _NEAR)
    )
    return Fraction(round(best * _RATE), _RATE)


def _shift(sound: Clip, picture: Clip, lie: Lie) -> Fraction | None:
    """How much later a sound is heard than a lie says; None where it is of another stretch."""
    middle = (sound.source_in + sound.source_out) / 2
    if not lie.source_in <= middle <= lie.source_out or abs(sound.clock / lie.clock - 1) > 1e-6:
        return None
    return (sound.start - lie.shown(picture, sound.source_in)) * picture.speed


def _is_among(sound: Clip, there: Sequence[Clip]) -> bool:
    """Whether all of a sound is heard just so among others."""
    covered = sum(
        min(sound.end, other.end) - max(sound.start, other.start)
        for other in there
        if other.start < sound.end
        and other.end > sound.start
        and abs(_origin(other) - _origin(sound)) < _NEAR
    )
    return covered >= sound.duration - 10 * _NEAR


def _origin(clip: Clip) -> Fraction:
    """When the first sample of its file would be heard."""
    return clip.start - clip.source_in / (clip.speed * clip.clock)


def _as_before(made: Sequence[Clip], picture: Clip, sounds: Sequence[Clip]) -> list[Clip]:
    """Sounds beside a picture, as loud and with the fades of those that were there."""
    before = [clip for clip in sounds if clip.start < picture.end and clip.end > picture.start]
    parts = [part for clip in made for part in _as_loud(clip, before or sounds)]
    if parts and before:
        (first, last) = (min(before, key=_start), max(before, key=_start))
        parts[0] = replace(parts[0], fade_in=min(first.fade_in, parts[0].duration / 2))
        parts[-1] = replace(parts[-1], fade_out=min(last.fade_out, parts[-1].duration / 2))
    return parts


def _start(clip: Clip) -> Fraction:
    return clip.start


def _as_loud(clip: Clip, before: Sequence[Clip]) -> list[Clip]:
    """A sound cut where its volume changed before."""
    plain = replace(clip, fade_in=ZERO, fade_out=ZERO)
    rate = clip.speed * clip.clock
    edges = {edge for one in before for edge in (one.source_in, one.source_out)}
    inner = sorted(edge for edge in edges if clip.source_in < edge < clip.source_out)
    times = [clip.start, *(clip.start + (edge - clip.source_in) / rate for edge in inner), clip.end]
    parts = []
    for begin, end in pairwise(times):
        part = part_of(plain, begin, end, TrackKind.AUDIO)
        middle = (part.source_in + part.source_out) / 2
        nearest = min(before, key=lambda one: max(one.source_in - middle, middle - one.source_out))
        parts.append(replace(part, volume=nearest.volume))
    return list(rejoined(parts))
