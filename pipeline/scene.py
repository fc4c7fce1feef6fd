"""An edit that is ready to be rendered: layers with sizes in pixels, frames and samples.

It stands between `avpipe.montage`, which leaves to the files what they decide, and the graph.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from avpipe.media import Hdr, MediaInfo
from avpipe.montage.values import Crop, TextStyle
from avpipe.recipe import AUDIO_RATE, Quality


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """Some frames of the output, and how many of them a layer takes to come and to go."""

    first: int
    count: int
    appear: int = 0
    vanish: int = 0
    skipped: int = 0
    """How many of its frames are not wanted: they come before the output's first one."""

    @property
    def end(self) -> int:
        """The first frame after it."""
        return self.first + self.count


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureLayer:
    """A stretch of a picture on the canvas."""

    source: int
    """Which of the inputs."""
    stream: int
    """The stream's number in that file."""
    span: Span
    source_in: Fraction
    """In seconds from the first frame shown."""
    speed: Fraction
    crop: Crop
    width: int
    """Of the picture after the crop, as it is drawn, even."""
    height: int
    x: int
    """Of its left side, even; what lies outside the canvas is not seen."""
    y: int
    filled: bool
    """Whether the background is drawn beside it, over what is below."""
    blurred: bool
    """Whether that is a blurred copy of itself."""
    deinterlace: bool = False
    tone_map: Hdr | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TextLayer:
    """A text on the canvas."""

    text: str
    style: TextStyle
    span: Span


@dataclass(frozen=True, kw_only=True, slots=True)
class SoundLayer:
    """A stretch of sound; places are samples of the output."""

    source: int
    stream: int
    first: int
    count: int
    source_in: Fraction
    """In seconds from the first frame shown, or of a file without picture from the first sample."""
    speed: Fraction
    """The pitch stays."""
    clock: Fraction
    """The pitch follows."""
    volume: float
    fade_in: int
    fade_out: int
    crossed_in: int = 0
    """How long it takes over from the one before it, at equal power."""
    crossed_out: int = 0
    ducked: bool = False

    @property
    def end(self) -> int:
        """The first sample after it."""
        return self.first + self.count


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """Everything that is needed to make an edit's output, but its name."""

    inputs: tuple[MediaInfo, ...]
    width: int
    height: int
    background: str
    """#rrggbb"""
    frame_rate: Fraction
    duration: Fraction
    """In seconds, of whole samples."""
    pictures: tuple[PictureLayer, ...]
    """The lowest first."""
    texts: tuple[TextLayer, ...]
    sounds: tuple[SoundLayer, ...]
    title: str = ""
    loudness_lufs: float | None = None
    encoder: str = "libx264"
    quality: Quality = Quality.STANDARD

    @property
    def samples(self) -> int:
        """How many samples its sound has."""
        return round(self.duration * AUDIO_RATE)

    @property
    def frames(self) -> int:
        """How many frames its picture has; the last one may be cut."""
        exact = self.duration * self.frame_rate
        return max(1, -int(-(exact - Fraction(1, 1000)) // 1))

    @property
    def frame_ticks(self) -> int:
        """How long a frame lasts in the output's time base."""
        return self.frame_rate.denominator * self._ticks_a_unit

    @property
    def time_base(self) -> Fraction:
        """Of the encoder and the track: one over a whole number."""
        return Fraction(1, self.frame_rate.numerator * self._ticks_a_unit)

    @property
    def _ticks_a_unit(self) -> int:
        return -(-10_000 // self.frame_rate.numerator)


def window(scene: Scene, first: int, count: int) -> Scene:
    """Some frames of a scene as a scene of its own, without sound.

    Its texts are those of the whole, seen or not: they are drawn once.
    """
    seen = [layer for layer in scene.pictures if _overlaps(layer.span, first, count)]
    return replace(
        scene,
        duration=count / scene.frame_rate,
        pictures=tuple(_later(layer, first, scene.frame_rate) for layer in seen),
        texts=tuple(replace(layer, span=_moved(layer.span, first)) for layer in scene.texts),
        sounds=(),
        loudness_lufs=None,
    )


def _overlaps(span: Span, first: int, count: int) -> bool:
    return span.first < first + count and span.end > first


def _moved(span: Span, first: int) -> Span:
    return replace(span, first=span.first - first, skipped=max(0, first - span.first))


def _later(layer: PictureLayer, first: int, rate: Fraction) -> PictureLayer:
    """A picture that begins before; one without fades is opened where it is wanted."""
    span = layer.span
    if span.appear or span.vanish or span.first >= first:
        return replace(layer, span=_moved(span, first))
    late = first - span.first
    return replace(
        layer,
        span=replace(span, first=0, count=span.count - late),
        source_in=layer.source_in + late / rate * layer.speed,
    )
