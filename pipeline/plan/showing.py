"""Which stretches of an output show one source as it is, or let it be heard: these can be compared.

Pure. Times are seconds; those of a source are from its first frame shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from avpipe.media import MediaInfo
from avpipe.plan.values import Plan
from avpipe.recipe import AUDIO_RATE, Frame
from avpipe.scene import PictureLayer, Scene

Interval = tuple[Fraction, Fraction]
"""Where a stretch of the output begins and ends."""
_NEAR_PIXELS = 4
"""How far a picture may be from the middle, or its sides from the canvas's: they are even."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Showing:
    """A stretch of the output in which one video is seen alone, at its speed."""

    source: MediaInfo
    interval: Interval
    source_in: Fraction
    """Where the stretch begins in the source."""
    aspect: Fraction | None = None
    """Of the output, where the picture is put into one of another aspect."""
    frame: Frame | None = None
    """How it is put there."""


def shown_in_plan(plan: Plan) -> tuple[Showing, ...]:
    """The camera's stretch in a merge; none of a still picture."""
    (camera, shown) = (plan.inputs.video, plan.timeline.video)
    if camera.picture is not None:
        return ()
    frame = None if plan.encode is None else plan.encode.frame
    return (
        Showing(
            source=camera,
            interval=(Fraction(shown.start), Fraction(shown.start) + Fraction(shown.duration)),
            source_in=Fraction(shown.source_in),
            aspect=None if frame is None else Fraction(plan.timeline.width, plan.timeline.height),
            frame=frame,
        ),
    )


def shown_in_scene(scene: Scene) -> tuple[Showing, ...]:
    """Of each picture of an edit the longest stretch in which it is seen alone."""
    found = (
        _shown(scene, layer, scene.pictures[number + 1 :])
        for number, layer in enumerate(scene.pictures)
    )
    return tuple(showing for showing in found if showing is not None)


def composed_in_scene(scene: Scene, shown: Iterable[Showing]) -> tuple[Interval, ...]:
    """Where an edit shows pictures otherwise: over, beside or into each other, at another speed."""
    rate = scene.frame_rate
    spans = [(layer.span.first / rate, layer.span.end / rate) for layer in scene.pictures]
    whole = (Fraction(0), scene.duration)
    empty = tuple(_without(whole, spans))
    return tuple(_without(whole, (*empty, *(one.interval for one in shown))))


def heard_in_scene(scene: Scene) -> tuple[Interval, ...]:
    """Where an edit's sound has its own speed: each program stretches it in its own way."""
    stretched = [
        (Fraction(layer.first, AUDIO_RATE), Fraction(layer.end, AUDIO_RATE))
        for layer in scene.sounds
        if layer.speed != 1
    ]
    return tuple(_without((Fraction(0), scene.duration), stretched))


def _shown(scene: Scene, layer: PictureLayer, above: Sequence[PictureLayer]) -> Showing | None:
    info = scene.inputs[layer.source]
    frame = _frame(scene, layer)
    if info.picture is not None or frame is None or layer.speed != 1 or layer.blurred:
        return None
    (rate, span) = (scene.frame_rate, layer.span)
    begin = span.first / rate - min(layer.source_in, Fraction(0))
    """Before it the first frame is held."""
    solid = (
        max((span.first + span.appear) / rate, begin),
        min((span.end - span.vanish) / rate, scene.duration),
    )
    covered = [(other.span.first / rate, other.span.end / rate) for other in above]
    alone = max(_without(solid, covered), key=_length, default=None)
    if alone is None:
        return None
    return Showing(
        source=info,
        interval=alone,
        source_in=layer.source_in + alone[0] - span.first / rate,
        aspect=Fraction(scene.width, scene.height),
        frame=frame,
    )


def _frame(scene: Scene, layer: PictureLayer) -> Frame | None:
    """How a picture that has the canvas for itself is put into it; None where it has not."""
    (wide, high) = (layer.width - scene.width, layer.height - scene.height)
    middle = max(abs(2 * layer.x + wide), abs(2 * layer.y + high))
    cropped = any((layer.crop.left, layer.crop.top, layer.crop.right, layer.crop.bottom))
    if cropped or middle > _NEAR_PIXELS or min(abs(wide), abs(high)) > _NEAR_PIXELS:
        return None
    if wide >= 0 and high >= 0:
        return Frame.FILL
    return Frame.FIT if layer.filled else None


def _without(whole: Interval, parts: Iterable[Interval]) -> Iterator[Interval]:
    """What is left of an interval."""
    (begin, end) = whole
    for first, last in sorted(parts):
        if first > begin:
            yield from _kept(begin, min(first, end))
        begin = max(begin, last)
    yield from _kept(begin, end)


def _kept(begin: Fraction, end: Fraction) -> Iterator[Interval]:
    if begin < end:
        yield begin, end


def _length(interval: Interval) -> Fraction:
    return interval[1] - interval[0]
