"""Which frames of an edit are copied and which are encoded, where it changes only parts. Pure."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from avpipe.media import VideoStream
from avpipe.montage.values import Crop
from avpipe.recipe import AAC_FRAME, AUDIO_RATE
from avpipe.scene import PictureLayer, Scene, SoundLayer

PROFILES = ("Constrained Baseline", "Baseline", "Main", "High", "Progressive High")
CONTAINERS = ("mov", "matroska")
LEAST_SHARE = Fraction(1, 4)
"""Of the frames: where fewer are copied, the whole is encoded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class FrameRun:
    """Neighbouring frames of the output that are all copied, or all encoded."""

    first: int
    count: int
    source_first: int | None
    """The frame of the source that is copied there; None where they are encoded."""

    @property
    def end(self) -> int:
        """The first frame after them."""
        return self.first + self.count


def splice_source(scene: Scene) -> int | None:
    """The input that parts of the output can be copied of; None where there is none."""
    base = _base(scene)
    if not base or base[-1].span.end < scene.frames or scene.encoder != "libx264":
        return None
    source = base[0].source
    info = scene.inputs[source]
    if any(layer.source != source for layer in base) or info.picture is not None:
        return None
    usable = info.container in CONTAINERS and _is_usual(info.video[0], scene)
    return source if usable else None


def copied_sound(scene: Scene) -> SoundLayer | None:
    """The one sound of an edit, where its packets can be copied; None where it is encoded."""
    if len(scene.sounds) != 1 or scene.loudness_lufs is not None:
        return None
    (layer,) = scene.sounds
    plain = SoundLayer(
        source=layer.source,
        stream=layer.stream,
        first=0,
        count=layer.count,
        source_in=Fraction(0),
        speed=Fraction(1),
        clock=Fraction(1),
        volume=1.0,
        fade_in=0,
        fade_out=0,
    )
    return layer if layer == plain and _is_heard_whole(layer, scene) else None


def _is_heard_whole(layer: SoundLayer, scene: Scene) -> bool:
    """Whether it is AAC that begins with its picture and is heard to the end of the output."""
    info = scene.inputs[layer.source]
    audio = next(stream for stream in info.audio if stream.index == layer.stream)
    if info.container != "mov" or (audio.codec, audio.profile) != ("aac", "LC") or audio.gaps:
        return False
    if audio.channels > 2 or not 32_000 <= audio.sample_rate <= AUDIO_RATE:
        return False
    (start, duration) = (audio.start, audio.duration)
    shown = info.video[0].start if info.video else start
    if start is None or duration is None or shown is None:
        return False
    begins = abs(start - shown) <= Fraction(1, AUDIO_RATE)
    ends = min(duration, Fraction(layer.count, AUDIO_RATE))
    return begins and scene.duration - ends <= Fraction(AAC_FRAME, AUDIO_RATE)


def frame_runs(scene: Scene, key_frames: Sequence[int]) -> tuple[FrameRun, ...]:
    """The output in runs; all of it encoded where too little could be copied.

    `key_frames` are the frames of the source that nothing before them is needed for, and its end.
    """
    touched = _touched(scene)
    copied = sorted(
        (
            run
            for layer in _joined(_base(scene), scene)
            for run in _copied(layer, key_frames, touched, scene)
        ),
        key=lambda run: run.first,
    )
    if sum(run.count for run in copied) < LEAST_SHARE * scene.frames:
        copied = []
    return tuple(_merged(_with_encoded(copied, scene.frames)))


def _base(scene: Scene) -> list[PictureLayer]:
    """The lowest layers that fill the canvas, unchanged, one after the other from the start."""
    found: list[PictureLayer] = []
    for layer in scene.pictures:
        plain = (
            layer.speed == 1
            and layer.crop == Crop()
            and (layer.width, layer.height) == (scene.width, scene.height)
            and (layer.x, layer.y) == (0, 0)
            and not (layer.span.appear or layer.span.vanish)
        )
        if not plain or layer.span.first != (found[-1].span.end if found else 0):
            break
        found.append(layer)
        if layer.span.end >= scene.frames:
            break
    return found


def _joined(layers: Sequence[PictureLayer], scene: Scene) -> Iterator[PictureLayer]:
    """The layers, with those as one that go on in the source: only their sound is another."""
    held: PictureLayer | None = None
    for layer in layers:
        if held is not None:
            if _shift(layer, scene) == _shift(held, scene):
                count = held.span.count + layer.span.count
                held = replace(held, span=replace(held.span, count=count))
                continue
            yield held
        held = layer
    if held is not None:
        yield held


def _shift(layer: PictureLayer, scene: Scene) -> int:
    """How many frames later in the source a frame of the output is."""
    return round(layer.source_in * scene.frame_rate) - layer.span.first


def _is_usual(video: VideoStream, scene: Scene) -> bool:
    """Whether its packets can stand beside those of the encoder, frame by frame."""
    matrix = video.color_matrix or ("bt709" if min(video.width, video.height) > 576 else None)
    return (
        video.codec == "h264"
        and video.profile in PROFILES
        and video.pixel_format == "yuv420p"
        and (video.width, video.height) == (scene.width, scene.height)
        and video.rotation_deg == 0
        and (video.sample_aspect_ratio or 1) == 1
        and video.variable_frame_rate is False
        and video.frame_rate == scene.frame_rate
        and video.interlaced is not True
        and video.hdr is None
        and matrix == "bt709"
        and video.color_range != "pc"
        and video.dts_rises is not False
    )


def _touched(scene: Scene) -> list[tuple[int, int]]:
    """What is drawn over the base: from which frame to which."""
    over = scene.pictures[len(_base(scene)) :]
    spans = [layer.span for layer in over] + [layer.span for layer in scene.texts]
    return [(span.first, span.end) for span in spans]


def _copied(
    layer: PictureLayer,
    key_frames: Sequence[int],
    touched: Sequence[tuple[int, int]],
    scene: Scene,
) -> Iterator[FrameRun]:
    """The groups of pictures that lie within a layer and that nothing is drawn over."""
    begin = layer.span.first + _shift(layer, scene)
    end = begin + min(layer.span.end, scene.frames) - layer.span.first
    for number in range(bisect_left(key_frames, begin), len(key_frames) - 1):
        (first, after) = (key_frames[number], key_frames[number + 1])
        if after > end:
            break
        at = layer.span.first + first - begin
        if not any(at < stop and start < at + after - first for start, stop in touched):
            yield FrameRun(first=at, count=after - first, source_first=first)


def _with_encoded(copied: Sequence[FrameRun], frames: int) -> Iterator[FrameRun]:
    done = 0
    for run in copied:
        if run.first > done:
            yield FrameRun(first=done, count=run.first - done, source_first=None)
        yield run
        done = run.end
    if done < frames:
        yield FrameRun(first=done, count=frames - done, source_first=None)


def _merged(runs: Iterator[FrameRun]) -> Iterator[FrameRun]:
    """Runs that go on in the same source as one."""
    before: FrameRun | None = None
    for run in runs:
        if before is None:
            before = run
            continue
        source = before.source_first
        goes_on = source is not None and run.source_first == source + before.count
        if goes_on:
            before = FrameRun(
                first=before.first, count=before.count + run.count, source_first=source
            )
        else:
            yield before
            before = run
    if before is not None:
        yield before
