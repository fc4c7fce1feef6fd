"""The size of the picture in the output: bounds, aspect, letterbox and crop."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from avpipe.media import VideoStream
from avpipe.plan.request import ASPECTS, Request, resolution_bound
from avpipe.recipe import Frame


@dataclass(frozen=True, kw_only=True, slots=True)
class Framing:
    """The output's size and that of the picture in it, in even pixels, upright."""

    width: int
    height: int
    scaled_width: int
    scaled_height: int
    frame: Frame | None


def frame_picture(video: VideoStream, request: Request) -> Framing:
    """How a picture is scaled and framed; it is never scaled up."""
    (width, height) = video.upright_size
    aspect = ASPECTS[request.aspect] if request.aspect else None
    canvas = (Fraction(width), Fraction(height))
    if aspect is not None:
        grow = request.frame is Frame.FIT
        wide = (height * aspect, Fraction(height))
        high = (Fraction(width), width / aspect)
        canvas = wide if (wide[0] >= width) is grow else high
    scale = bounded_scale(canvas, resolution_bound(request.resolution))
    (out_width, out_height) = (_even(side * scale, scale) for side in canvas)
    if aspect is None:
        return Framing(
            width=out_width,
            height=out_height,
            scaled_width=out_width,
            scaled_height=out_height,
            frame=None,
        )
    (inner_width, inner_height) = (
        _even(side * scale, scale) for side in (Fraction(width), Fraction(height))
    )
    if request.frame is Frame.FIT:
        inner = (min(inner_width, out_width), min(inner_height, out_height))
    else:
        inner = (max(inner_width, out_width), max(inner_height, out_height))
    return Framing(
        width=out_width,
        height=out_height,
        scaled_width=inner[0],
        scaled_height=inner[1],
        frame=None if inner == (out_width, out_height) else request.frame,
    )


def bounded_scale(size: tuple[Fraction, Fraction], bound: tuple[int, int] | None) -> Fraction:
    """How far a size has to be scaled down to keep a bound; 1 where it need not."""
    if bound is None:
        return Fraction(1)
    (longer, shorter) = (side - side % 2 for side in bound)
    (width, height) = size
    (most_width, most_height) = (longer, shorter) if width >= height else (shorter, longer)
    return min(Fraction(1), most_width / width, most_height / height)


def _even(pixels: Fraction, scale: Fraction) -> int:
    # An unscaled odd side loses a pixel; a scaled one goes to the nearest even size.
    return max(2, (int(pixels) // 2 if scale == 1 else round(pixels / 2)) * 2)
