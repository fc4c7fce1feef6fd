"""How much the picture changes from frame to frame."""

from __future__ import annotations

from fractions import Fraction

import ffmpeg
import numpy as np
from numpy.typing import NDArray

from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.graph import arguments_of, source_url
from avpipe.codecs.process import machine_memory_bytes, run
from avpipe.media import MediaInfo

SIZE = (64, 36)
"""Of the small pictures that are compared, in pixels."""
VARIABLE_RATE = Fraction(60)
"""At which a picture of a variable frame rate is looked at."""


def frame_rate(info: MediaInfo) -> Fraction:
    """At how many frames a second a video is looked at."""
    stream = info.video[0]
    known = stream.frame_rate if not stream.variable_frame_rate else None
    return min(known or VARIABLE_RATE, VARIABLE_RATE)


def read_changes(binary: Ffmpeg, info: MediaInfo, length_s: float) -> NDArray[np.float32]:
    """(frames,) the mean difference of each frame from the one before, 0 to 255; 0 of the first.

    Of the first `length_s` seconds, at `frame_rate`, from the first frame shown on. Raises
    ChildFailedError or StalledError.
    """
    (width, height) = SIZE
    source = ffmpeg.input(source_url(info.path), f=info.container, protocol_whitelist="file")
    small = (
        source[str(info.video[0].index)]
        .filter("setpts", "PTS-STARTPTS")
        .filter("fps", fps=str(frame_rate(info)))
        .filter("scale", width, height, flags="area")
    )
    node = ffmpeg.output(small, "pipe:1", f="rawvideo", pix_fmt="gray", t=f"{length_s:.6f}")
    argv = [binary.path, "-hide_banner", "-nostdin", "-v", "error", *arguments_of(node)]
    raw = run(argv, f"looking at {info.path}", memory_bytes=machine_memory_bytes())
    frames = np.frombuffer(raw, np.uint8).reshape(-1, width * height).astype(np.int16)
    changes = np.zeros(len(frames), np.float32)
    changes[1:] = np.abs(np.diff(frames, axis=0)).mean(axis=1)
    return changes
