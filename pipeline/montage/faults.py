"""What is wrong with an edit, with reasons: what has none can be rendered."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from avpipe.montage.summary import in_order, label_of, one_line, span
from avpipe.montage.values import Canvas, Clip, Montage, TextStyle, Track, TrackKind

SLOWEST, FASTEST = Fraction(1, 10), Fraction(100)
MOST_VOLUME = 10.0
LONGEST_S = 24 * 3600
LEAST_SIDE, MOST_SIDE = 16, 4096
_SIDES = f"it takes even numbers from {LEAST_SIDE} to {MOST_SIDE}"
LEAST_RATE, MOST_RATE = Fraction(1), Fraction(240)
MOST_CLIPS = 1000
MOST_TEXT = 2000
MOST_DRIFT = Fraction(1, 10)
COLOUR = re.compile(r"#[0-9a-fA-F]{6}([0-9a-fA-F]{2})?")


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """One thing that is wrong."""

    code: str
    message: str


def find_faults(montage: Montage) -> tuple[Fault, ...]:
    """Everything that keeps an edit from being rendered."""
    return tuple(
        Fault(code=code, message=message)
        for code, message in (*_whole(montage), *_canvas(montage.canvas), *_tracks(montage))
    )


Told = Iterator[tuple[str, str]]


def _whole(montage: Montage) -> Told:
    count = sum(len(track.clips) for track in montage.tracks)
    if count > MOST_CLIPS:
        yield "too_many_clips", f"{count} clips are more than {MOST_CLIPS}"
    seen = [*montage.of(TrackKind.VIDEO), *montage.of(TrackKind.AUDIO)]
    if not any(track.clips for track in seen):
        yield "empty", "the timeline has no video and no audio"
    elif montage.duration > LONGEST_S:
        yield "too_long", f"it lasts {float(montage.duration):g} s, longer than a day"
    loudness = montage.loudness_lufs
    if loudness is not None and not -70 <= loudness <= 0:
        yield "loudness", f"a loudness of {loudness:g} LUFS cannot be reached"
    if montage.max_bytes is not None and montage.max_bytes < 1:
        yield "max_bytes", "a file has some bytes"


def _canvas(canvas: Canvas) -> Told:
    if (canvas.width is None) is not (canvas.height is None):
        yield "canvas_size", "the canvas has a width or a height, and needs both or none"
    for name, side in (("width", canvas.width), ("height", canvas.height)):
        if side is not None and (side % 2 or not LEAST_SIDE <= side <= MOST_SIDE):
            yield "canvas_size", f"a canvas {name} of {side}: {_SIDES}"
    if canvas.aspect is not None and not Fraction(1, 10) <= canvas.aspect <= 10:
        yield "canvas_aspect", f"an aspect of {canvas.aspect} is too narrow or too wide"
    if canvas.frame_rate is not None and not LEAST_RATE <= canvas.frame_rate <= MOST_RATE:
        yield "frame_rate", f"{float(canvas.frame_rate):g} frames a second cannot be made"
    yield from _colour("background", canvas.background)


def _tracks(montage: Montage) -> Told:
    for number, track in enumerate(montage.tracks, 1):
        if track.kind is TrackKind.OTHER:
            continue
        where = f"track {number} ({label_of(track)})"
        for clip in track.clips:
            named = f"{where}, '{one_line(clip.name) or 'untitled'}'"
            for code, message in _clip(clip, track.kind):
                yield code, f"{named}: {message}"
        for code, message in _overlaps(track):
            yield code, f"{where}: {message}"


def _clip(clip: Clip, kind: TrackKind) -> Told:
    if clip.start < 0:
        yield "start", f"it begins at {float(clip.start):g} s, before the timeline"
    if clip.source_in < 0 and kind is not TrackKind.VIDEO:
        yield "source_in", f"it takes its file from {float(clip.source_in):g} s"
    if clip.source_out <= clip.source_in:
        yield "length", "it has no length"
    if not SLOWEST <= clip.speed <= FASTEST:
        yield "speed", f"a speed of {float(clip.speed):g} is not between 0.1 and 100"
    if abs(clip.clock - 1) > MOST_DRIFT:
        yield "clock", f"a clock of {float(clip.clock):g} is no recorder's"
    if not (math.isfinite(clip.volume) and 0 <= clip.volume <= MOST_VOLUME):
        yield "volume", f"a volume of {clip.volume:g} is not between 0 and {MOST_VOLUME:g}"
    yield from _fades(clip)
    if kind is TrackKind.TEXT:
        yield from _text(clip.name, clip.style)
    elif clip.source is None:
        yield "source", "it does not say which file it is taken from"
    yield from _place(clip)


def _fades(clip: Clip) -> Told:
    for name, (rise, fall) in (
        ("the sound's fades", (clip.fade_in, clip.fade_out)),
        ("the fades", (clip.appear, clip.vanish)),
    ):
        if rise < 0 or fall < 0:
            yield "fade", f"{name} are shorter than nothing"
        elif rise + fall > max(clip.duration, Fraction(0)):
            yield "fade", f"{name} are longer than it is"


def _text(text: str, style: TextStyle) -> Told:
    if not text.strip():
        yield "text", "it has no text"
    if len(text) > MOST_TEXT:
        yield "text", f"{len(text)} characters are more than {MOST_TEXT}"
    if not 0.005 <= style.size <= 1:
        yield "text_size", f"a size of {style.size:g} is not between 0.005 and 1 of the height"
    if not (-1 <= style.x <= 2 and -1 <= style.y <= 2):
        yield "place", "it lies outside the picture"
    yield from _colour("colour", style.colour)
    for name, colour in (("outline", style.outline), ("box", style.box)):
        if colour is not None:
            yield from _colour(name, colour)


def _colour(name: str, text: str) -> Told:
    if COLOUR.fullmatch(text) is None:
        yield "colour", f"the {name} {text[:40]!r} is not a colour such as #ff8000"


def _place(clip: Clip) -> Told:
    (place, crop) = (clip.place, clip.place.crop)
    if not 0.01 <= place.scale <= 20:
        yield "scale", f"a scale of {place.scale:g} is not between 0.01 and 20"
    if not (-2 <= place.x <= 3 and -2 <= place.y <= 3):
        yield "place", "it lies outside the picture"
    sides = (crop.left, crop.top, crop.right, crop.bottom)
    if not all(0 <= side < 1 for side in sides) or not (
        crop.left + crop.right < 0.99 and crop.top + crop.bottom < 0.99
    ):
        yield "crop", "the crop leaves nothing of it"


def _overlaps(track: Track) -> Told:
    """Neighbours may overlap, for a cross-fade; no third clip may be under way then."""
    if track.kind is TrackKind.TEXT:
        return
    clips = in_order(track)
    for before, after in pairwise(clips):
        if after.start < before.end and after.end <= before.end:
            yield "overlap", f"{span(after)} s lies within {span(before)} s"
    for first, _, third in zip(clips, clips[1:], clips[2:], strict=False):
        if third.start < first.end:
            yield "overlap", f"three clips are under way at {float(third.start):g} s"
