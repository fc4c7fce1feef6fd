"""Short stretches of a file's sound, decoded for a look at their level."""

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
from avpipe.media import AudioStream, MediaInfo

Samples = NDArray[np.float32]

EXCERPT_RATE = 16_000
"""Samples a second of an excerpt."""
INPUTS_AT_ONCE = 12
"""How often one ffmpeg opens a file."""
MOST_CHANNELS = 8
"""The mean is that of so many channels at most."""


def read_excerpts(
    binary: Ffmpeg,
    info: MediaInfo,
    stream: AudioStream,
    starts: Sequence[float],
    length_s: float,
    *,
    origin: Fraction | None = None,
) -> Samples:
    """(excerpts, samples) in mono of what begins at each time; silence where the sound has ended.

    Times are seconds from `origin` on the file's own time line, or from its first sample; there is
    silence before that. Raises ChildFailedError or StalledError.
    """
    size = round(length_s * EXCERPT_RATE)
    lead = (stream.start or Fraction(0)) if origin is None else origin
    seeks = [max(0.0, start + float(lead - (info.start or 0))) for start in starts]
    parts = [
        _decoded(binary, info, stream, seeks[first : first + INPUTS_AT_ONCE], size)
        for first in range(0, len(seeks), INPUTS_AT_ONCE)
    ]
    return np.concatenate([np.zeros((0, size), np.float32), *parts])


def _decoded(
    binary: Ffmpeg, info: MediaInfo, stream: AudioStream, seeks: Sequence[float], size: int
) -> Samples:
    sounds = [_excerpt(info, stream, seek, size) for seek in seeks]
    joined = ffmpeg.filter(sounds, "concat", n=len(sounds), v=0, a=1)
    node = ffmpeg.output(joined, "pipe:1", f="f32le", **{"c:a": "pcm_f32le"})
    argv = [binary.path, "-hide_banner", "-nostdin", "-v", "error", *arguments_of(node)]
    raw = run(argv, f"listening to {info.path}", memory_bytes=machine_memory_bytes())
    samples = np.frombuffer(raw, np.float32)
    found = np.zeros(len(seeks) * size, np.float32)
    found[: samples.size] = samples[: found.size]
    return found.reshape(len(seeks), size)


def _excerpt(info: MediaInfo, stream: AudioStream, seek: float, size: int) -> Any:
    """One stretch of a file, which is opened for it."""
    length_s = size / EXCERPT_RATE
    source = ffmpeg.input(
        source_url(info.path),
        f=info.container,
        protocol_whitelist="file",
        ss=f"{seek:.6f}",
        t=f"{length_s + 1:.6f}",
    )
    count = min(stream.channels, MOST_CHANNELS)
    mean = "+".join(f"{1 / count:.6f}*c{number}" for number in range(count))
    mono = source[str(stream.index)].filter("pan", args=f"mono|c0={mean}")
    # A seek in an M4A may come down a packet late: its place is told by the time stamps alone.
    placed = {"sample_rate": EXCERPT_RATE, "async": 1, "first_pts": 0}
    mono = mono.filter("aresample", **placed).filter("asetpts", expr="N/SR/TB")
    exact = mono.filter("apad", whole_len=size).filter("atrim", end_sample=size)
    return exact.filter("aformat", sample_fmts="flt", channel_layouts="mono")
