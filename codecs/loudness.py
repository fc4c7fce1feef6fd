"""How loud a sound is (EBU R128), and filters that bring it to a level."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import ffmpeg

from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.process import Child, machine_memory_bytes
from avpipe.recipe import AUDIO_RATE

SILENCE_LUFS = -70.0
"""What is not louder is not counted by R128, and has no loudness."""
OVERSAMPLED_RATE = 4 * AUDIO_RATE
"""At which the limiter works, so that it holds what lies between the samples too."""
_LOUDNESS = re.compile(r"lavfi\.r128\.I=(\S+)")
_PEAK = re.compile(r"lavfi\.r128\.true_peaks_ch\d+=(\S+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Loudness:
    """What was measured of a sound."""

    integrated_lufs: float | None
    """None where nothing is loud enough to be counted."""
    true_peak_db: float | None
    """None of digital silence."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """What brings a sound to a loudness: one gain, and a limit only where it is needed."""

    gain_db: float = 0.0
    ceiling_db: float | None = None
    """Of the true peak; None where the gain alone keeps it."""


UNCHANGED = Level()


def levelled(node: Any, level: Level) -> Any:
    """A sound at a level."""
    if level.gain_db:
        node = node.filter("volume", volume=f"{level.gain_db:.3f}dB")
    if level.ceiling_db is None:
        return node
    node = node.filter("aresample", sample_rate=OVERSAMPLED_RATE)
    limit = 10 ** (level.ceiling_db / 20)
    node = node.filter("alimiter", limit=f"{limit:.6f}", attack=2, release=60, level=0, latency=1)
    return node.filter("aresample", sample_rate=AUDIO_RATE)


def meter(node: Any) -> Any:
    """The output node that tells a sound's loudness on standard output, for `measure_loudness`."""
    metered = node.filter("ebur128", metadata=1, peak="true")
    return ffmpeg.output(metered.filter("ametadata", mode="print", file="-"), "-", f="null")


def file_meter(path: str) -> list[str]:
    """The arguments that meter the first sound of a file that was made here."""
    arguments: list[str] = meter(ffmpeg.input(f"file:{path}", f="mov")["a:0"]).get_args()
    return arguments


def measure_loudness(ffmpeg_: Ffmpeg, arguments: Sequence[str]) -> Loudness:
    """What a meter's command tells. Raises ChildFailedError or StalledError."""
    argv = [ffmpeg_.path, "-hide_banner", "-nostdin", "-nostats", "-v", "error", *arguments]
    integrated = "nan"
    peaks: dict[str, str] = {}
    with Child(argv, memory_bytes=machine_memory_bytes()) as child:
        for line in child.lines():
            child.sign_of_life()
            if (found := _LOUDNESS.match(line)) is not None:
                integrated = found[1]
            elif (found := _PEAK.match(line)) is not None:
                peaks[line.partition("=")[0]] = found[1]
        child.finish("measuring the loudness")
    loudness = float(integrated)
    peak = max((float(value) for value in peaks.values()), default=0.0)
    return Loudness(
        integrated_lufs=loudness if loudness > SILENCE_LUFS else None,
        true_peak_db=20 * math.log10(peak) if peak > 0 else None,
    )
