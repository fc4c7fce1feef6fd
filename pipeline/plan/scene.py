"""An edit and the facts of its files become a scene: sizes, frames and samples. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import pairwise
from math import ceil

from avpipe.errors import InputMissingError, RequestError, WrongMediaError
from avpipe.media import MediaInfo, PictureKind, VideoStream
from avpipe.montage.faults import MOST_SIDE, find_faults
from avpipe.montage.summary import in_order, one_line
from avpipe.montage.values import Canvas, Clip, Fitting, Montage, Place, Track, TrackKind
from avpipe.plan.framing import bounded_scale
from avpipe.plan.request import resolution_bound
from avpipe.recipe import AUDIO_RATE, Quality
from avpipe.scene import PictureLayer, Scene, SoundLayer, Span, TextLayer

EMPTY_SIZE = (1280, 720)
"""Of a canvas without a picture."""
STILL_RATE = Fraction(25)
"""Frames a second where no video has any."""
MOST_FRAME_RATE = Fraction(60)
USUAL_RATES = tuple(
    Fraction(rate)
    for rate in ("24000/1001", "24", "25", "30000/1001", "30", "50", "60000/1001", "60")
)
"""What a variable frame rate is brought to."""


def make_scene(
    montage: Montage,
    files: Mapping[str, MediaInfo],
    *,
    quality: Quality = Quality.STANDARD,
    resolution: str = "1080p",
) -> Scene:
    """What is to be rendered. `files` has the facts of every source of the edit.

    Raises RequestError with everything that is wrong with the edit, InputMissingError where a
    source is not among the files, WrongMediaError where one has nothing of what it is used for.
    """
    _require_sound(montage)
    inputs = {source: _file(files, source) for source in montage.sources}
    first = _first_picture(montage, inputs)
    (width, height) = _size(montage.canvas, first, resolution)
    frame_rate = _frame_rate(montage, inputs)
    maker = _Maker(
        numbers={source: number for number, source in enumerate(inputs)},
        files=inputs,
        canvas=replace(montage.canvas, width=width, height=height),
        frame_rate=frame_rate,
    )
    return Scene(
        inputs=tuple(inputs.values()),
        width=width,
        height=height,
        background=montage.canvas.background[:7],
        frame_rate=frame_rate,
        duration=Fraction(round(montage.duration * AUDIO_RATE), AUDIO_RATE),
        pictures=tuple(maker.pictures(montage)),
        texts=tuple(maker.texts(montage)),
        sounds=tuple(maker.sounds(montage)),
        title=montage.title,
        loudness_lufs=montage.loudness_lufs,
        quality=quality,
    )


def _from_its_beginning(clip: Clip) -> Clip:
    """A clip's sound: there is none while its first frame is held before the file begins."""
    if clip.source_in >= 0:
        return clip
    held = -clip.source_in / (clip.speed * clip.clock)
    return replace(clip, start=clip.start + held, source_in=Fraction(0))


def _has_sound(clip: Clip, info: MediaInfo) -> bool:
    """Whether a clip begins before the sound of its file has ended."""
    audio = info.audio[0]
    if audio.duration is None or audio.start is None:
        return True
    timed = bool(info.video) and info.picture is None
    origin = info.video[0].start if timed else audio.start
    return clip.source_in < audio.start + audio.duration - (origin or 0)


def _require_sound(montage: Montage) -> None:
    faults = find_faults(montage)
    if faults:
        told = "; ".join(fault.message for fault in faults[:5])
        more = f"; and {len(faults) - 5} more" if len(faults) > 5 else ""
        raise RequestError(f"the timeline cannot be rendered: {told}{more}")


def _file(files: Mapping[str, MediaInfo], source: str) -> MediaInfo:
    if source not in files:
        raise InputMissingError(f"the timeline uses {source}, which is not among the files")
    return files[source]


def _first_picture(montage: Montage, files: Mapping[str, MediaInfo]) -> VideoStream | None:
    clips = (clip for track in montage.of(TrackKind.VIDEO) for clip in in_order(track))
    streams = (files[str(clip.source)].video for clip in clips)
    return next((stream[0] for stream in streams if stream), None)


def _size(canvas: Canvas, first: VideoStream | None, resolution: str) -> tuple[int, int]:
    """The size of the canvas in even pixels."""
    (width, height) = first.upright_size if first is not None else EMPTY_SIZE
    if canvas.width is not None and canvas.height is not None:
        (width, height) = (canvas.width, canvas.height)
    full = (Fraction(width), Fraction(height))
    if canvas.aspect is not None and canvas.aspect != Fraction(width, height):
        wide = (height * canvas.aspect, Fraction(height))
        high = (Fraction(width), width / canvas.aspect)
        full = wide if (wide[0] >= width) is (canvas.fitting is not Fitting.CROP) else high
    bound = None if canvas.width is not None else resolution_bound(resolution)
    scale = min(bounded_scale(full, bound), *(MOST_SIDE / side for side in full))
    return tuple(_even(side * scale) for side in full)  # type: ignore[return-value]


def _even(pixels: Fraction) -> int:
    return max(2, round(pixels / 2) * 2)


def _frame_rate(montage: Montage, files: Mapping[str, MediaInfo]) -> Fraction:
    if montage.canvas.frame_rate is not None:
        return montage.canvas.frame_rate
    for track in montage.of(TrackKind.VIDEO):
        for clip in in_order(track):
            info = files[str(clip.source)]
            if info.video and info.picture is None and info.video[0].frame_rate:
                return _usual_rate(info.video[0])
    return STILL_RATE


def _usual_rate(video: VideoStream) -> Fraction:
    rate = video.frame_rate or STILL_RATE
    usual = min(USUAL_RATES, key=lambda known: abs(known - rate))
    constant = video.variable_frame_rate is False and Fraction(1) <= rate <= MOST_FRAME_RATE
    return rate if constant and rate.numerator < 10**6 else usual


@dataclass(frozen=True, kw_only=True, slots=True)
class _Maker:
    """What the layers of one scene are made with."""

    numbers: Mapping[str, int]
    files: Mapping[str, MediaInfo]
    canvas: Canvas
    frame_rate: Fraction

    def pictures(self, montage: Montage) -> Iterator[PictureLayer]:
        """The pictures, the lowest first."""
        for level, track in enumerate(montage.of(TrackKind.VIDEO)):
            for clip, crossed in _with_overlaps(track):
                yield self._picture(clip, crossed, lowest=level == 0)

    def texts(self, montage: Montage) -> Iterator[TextLayer]:
        """The texts, the lowest first."""
        for track in montage.of(TrackKind.TEXT):
            for clip in in_order(track):
                span = self._span(clip, clip.appear)
                yield TextLayer(text=clip.name, style=clip.style, span=span)

    def sounds(self, montage: Montage) -> Iterator[SoundLayer]:
        """Everything that is heard."""
        for track in montage.of(TrackKind.AUDIO):
            yield from self._sounds(track)
        for track in montage.of(TrackKind.VIDEO):
            yield from self._sounds(track)

    def _sounds(self, track: Track) -> Iterator[SoundLayer]:
        clips = in_order(track)
        overlaps = [max(Fraction(0), before.end - after.start) for before, after in pairwise(clips)]
        around = [Fraction(0), *overlaps, Fraction(0)]
        for clip, (before, after) in zip(clips, pairwise(around), strict=False):
            info = self.files[str(clip.source)]
            if not info.audio and track.kind is TrackKind.AUDIO:
                raise WrongMediaError(f"{info.path} has no sound")
            heard = _from_its_beginning(clip)
            if info.audio and heard.volume > 0 and heard.duration > 0 and _has_sound(heard, info):
                yield self._sound(heard, track, before, after)

    def _sound(self, clip: Clip, track: Track, before: Fraction, after: Fraction) -> SoundLayer:
        (first, end) = (_samples(clip.start), _samples(clip.end))
        source = str(clip.source)
        return SoundLayer(
            source=self.numbers[source],
            stream=self.files[source].audio[0].index,
            first=first,
            count=max(1, end - first),
            source_in=clip.source_in,
            speed=clip.speed,
            clock=clip.clock,
            volume=clip.volume,
            fade_in=_samples(clip.fade_in),
            fade_out=_samples(clip.fade_out),
            crossed_in=_samples(before),
            crossed_out=_samples(after),
            ducked=track.ducked,
        )

    def _span(self, clip: Clip, appear: Fraction) -> Span:
        (first, end) = (round(time * self.frame_rate) for time in (clip.start, clip.end))
        return Span(
            first=first,
            count=max(1, end - first),
            appear=round(appear * self.frame_rate),
            vanish=round(clip.vanish * self.frame_rate),
        )

    def _picture(self, clip: Clip, crossed: Fraction, *, lowest: bool) -> PictureLayer:
        info = self.files[str(clip.source)]
        if not info.video:
            raise WrongMediaError(f"{info.path} has no picture ({one_line(clip.name)})")
        video = info.video[0]
        fitting = clip.fitting or self.canvas.fitting
        (width, height, x, y) = self._box(video, clip.place, fitting)
        beside = lowest and clip.place == replace(Place(), crop=clip.place.crop)
        covered = x <= 0 and y <= 0 and x + width >= self._width and y + height >= self._height
        span = self._span(clip, max(clip.appear, crossed))
        still = info.picture is PictureKind.STILL
        return PictureLayer(
            source=self.numbers[str(clip.source)],
            stream=video.index,
            span=span,
            source_in=Fraction(0) if still else self._source_in(clip, video, span),
            speed=clip.speed * clip.clock,
            crop=clip.place.crop,
            width=width,
            height=height,
            x=x,
            y=y,
            filled=beside and not covered,
            blurred=beside and not covered and fitting is Fitting.BLUR,
            deinterlace=video.interlaced is True,
            tone_map=video.hdr,
        )

    def _source_in(self, clip: Clip, video: VideoStream, span: Span) -> Fraction:
        """What of the source is seen in a clip's first frame, which may be half a frame off it.

        It is a whole frame where those of the output are those of the source: between two of them
        a copy and an encode could begin with different ones.
        """
        rate = self.frame_rate
        speed = clip.speed * clip.clock
        begin = clip.source_in + (span.first / rate - clip.start) * speed
        if speed == 1 and video.frame_rate == rate and video.variable_frame_rate is False:
            begin = ceil(begin * rate - Fraction(1, 2)) / rate
        if self.files[str(clip.source)].picture is None and video.duration is not None:
            begin = min(begin, video.duration - 1 / (video.frame_rate or rate))  # which is held
        return begin if clip.source_in < 0 else max(Fraction(0), begin)

    @property
    def _width(self) -> int:
        return self.canvas.width or 0

    @property
    def _height(self) -> int:
        return self.canvas.height or 0

    def _box(self, video: VideoStream, place: Place, fitting: Fitting) -> tuple[int, int, int, int]:
        """Width and height of a picture on the canvas, and where its corner is."""
        (width, height) = video.upright_size
        inner = (
            width * Fraction(1 - place.crop.left - place.crop.right),
            height * Fraction(1 - place.crop.top - place.crop.bottom),
        )
        ratios = (self._width / inner[0], self._height / inner[1])
        scale = max(ratios) if fitting is Fitting.CROP else min(ratios)
        scale *= Fraction(place.scale)
        (wide, high) = (_near(inner[0] * scale, self._width), _near(inner[1] * scale, self._height))
        x = round((Fraction(place.x) * self._width - Fraction(wide, 2)) / 2) * 2
        y = round((Fraction(place.y) * self._height - Fraction(high, 2)) / 2) * 2
        return wide, high, x, y


def _near(side: Fraction, full: int) -> int:
    """A side in even pixels; one that lacks less than two of the canvas's takes it whole."""
    return full if abs(side - full) < 2 else _even(side)


def _with_overlaps(track: Track) -> Iterator[tuple[Clip, Fraction]]:
    """Each clip, and how long it takes over from the one before it."""
    end = Fraction(0)
    for clip in in_order(track):
        yield clip, max(Fraction(0), end - clip.start)
        end = clip.end


def _samples(time: Fraction) -> int:
    return round(time * AUDIO_RATE)
