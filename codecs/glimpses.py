"""Short stretches of a video as few grey pixels at a steady rate: when it shows what."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.graph import arguments_of, source_url
from avpipe.codecs.process import machine_memory_bytes, run
from avpipe.codecs.scene_graph import SceneFiles, glimpse_arguments
from avpipe.media import MediaInfo, VideoStream
from avpipe.recipe import Frame
from avpipe.scene import Scene

Pixels = NDArray[np.float32]

GLIMPSE_RATE = 100
"""Frames a second of a glimpse: each is the one that is shown then."""
WIDTH, HEIGHT = 32, 18
MARGIN_S = 1.0
"""What is read beyond a glimpse, since a frame may be shown for long."""


def read_glimpses(
    binary: Ffmpeg,
    info: MediaInfo,
    stream: VideoStream,
    starts: Sequence[float],
    length_s: float,
    *,
    origin: Fraction = Fraction(0),
    aspect: Fraction | None = None,
    frame: Frame | None = None,
) -> Pixels:
    """(glimpses, frames, pixels) of what is shown from each time on; the last frame is held.

    Times are seconds from `origin` on the file's own time line. With `aspect` and `frame` the
    picture is first put into such a frame. Raises ChildFailedError or StalledError.
    """
    begin = float(origin - (info.start or 0))
    seeks = [max(0.0, start + begin) for start in starts]
    count = round(length_s * GLIMPSE_RATE)
    return np.stack([_shown(binary, info, stream, seek, count, aspect, frame) for seek in seeks])


def draw_glimpse(binary: Ffmpeg, scene: Scene, files: SceneFiles, length_s: float) -> Pixels:
    """(frames, pixels) of what an edit shows from its start on. Raises as `read_glimpses`."""
    made = glimpse_arguments(scene, files, (WIDTH, HEIGHT), GLIMPSE_RATE, "pipe:1")
    return _read(binary, made, "drawing a stretch", round(length_s * GLIMPSE_RATE))


def _shown(
    binary: Ffmpeg,
    info: MediaInfo,
    stream: VideoStream,
    seek_s: float,
    count: int,
    aspect: Fraction | None,
    frame: Frame | None,
) -> Pixels:
    source = ffmpeg.input(
        source_url(info.path),
        f=info.container,
        protocol_whitelist="file",
        ss=f"{seek_s:.6f}",
        t=f"{count / GLIMPSE_RATE + MARGIN_S:.6f}",
    )
    node = _framed(source[str(stream.index)].filter("scale", w="iw*sar", h="ih"), aspect, frame)
    node = node.filter("scale", w=WIDTH, h=HEIGHT, flags="area").filter("format", pix_fmts="gray")
    steady = node.filter("fps", fps=GLIMPSE_RATE, start_time=0)
    output = ffmpeg.output(steady, "pipe:1", f="rawvideo", vframes=count)
    return _read(binary, arguments_of(output), f"looking at {info.path}", count)


def _read(binary: Ffmpeg, arguments: Sequence[str], doing: str, count: int) -> Pixels:
    """Frames out of a pipe; where they end too early, the last one is held."""
    argv = [binary.path, "-hide_banner", "-nostdin", "-v", "error", *arguments]
    raw = run(argv, doing, memory_bytes=machine_memory_bytes())
    pixels = WIDTH * HEIGHT
    frames = np.frombuffer(raw, np.uint8)[: count * pixels].reshape(-1, pixels)
    found = np.zeros((count, pixels), np.float32)
    found[: len(frames)] = frames
    if len(frames):
        found[len(frames) :] = frames[-1]
    return found


def _framed(node: Any, aspect: Fraction | None, frame: Frame | None) -> Any:
    if aspect is None or frame is None:
        return node
    wide = f"{aspect.numerator}/{aspect.denominator}"
    if frame is Frame.FILL:
        return node.filter("crop", out_w=f"min(iw,ih*{wide})", out_h=f"min(ih,iw/({wide}))")
    return node.filter(
        "pad", w=f"max(iw,ih*{wide})", h=f"max(ih,iw/({wide}))", x="(ow-iw)/2", y="(oh-ih)/2"
    )
