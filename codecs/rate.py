"""How many bits an encoded picture gets, as options of libx264."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from avpipe.codecs.encoders import X264
from avpipe.recipe import Quality

KEY_FRAMES_S = 10
"""The longest way between two key frames: each takes what dozens of others do."""
PEAK_S = 4
"""How many seconds of the peak rate a decoder holds: what a burst may take at once."""

SECOND, ANOTHER = 2, 3
"""The pass that spends the bytes; and the one that tells another one what they went to as well."""
FREEDOM = 0.01
TIGHTEST = 0.1
"""How freely the second of two passes may stray from its average, for each second that it lasts,
and at the least. x264's own 1 is 2 s of its rate, which a long video takes for nothing and a short
one misses its size by; 0.1 cost a talking head of 30 s 0.3 of VMAF."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureRate:
    """A quality that is kept (`crf`, with or without a peak), or an average (`bit_rate`)."""

    crf: float | None = None
    peak_rate: int | None = None
    """Bits a second that a constant quality may take at the most."""
    bit_rate: int | None = None
    """Bits a second on average."""
    number: int | None = None
    """Which of two passes this is, or `ANOTHER`."""
    log: str | None = None
    """Where the first pass leaves what the second one needs: the start of two file names."""
    whole_s: float | None = None
    """How long what the second pass makes lasts."""
    threads: int | None = None
    """Of the encoder; None lets it take what the machine has."""

    def options(self, quality: Quality, frame_rate: float) -> dict[str, Any]:
        """The options of an output at that many frames a second."""
        found: dict[str, Any] = {
            "preset": X264.options[quality]["preset"],
            "g": max(2, round(frame_rate * KEY_FRAMES_S)),
        }
        if self.crf is not None:
            found["crf"] = f"{self.crf:.2f}"
        if self.peak_rate is not None:
            found |= {"maxrate": self.peak_rate, "bufsize": self.peak_rate * PEAK_S}
        if self.bit_rate is not None:
            found["b:v"] = self.bit_rate
        if self.number is not None:
            found |= {"pass": self.number, "passlogfile": self.log}
        if self.threads is not None:
            found["threads"] = self.threads
        if self.number in (SECOND, ANOTHER) and self.whole_s is not None:
            freedom = min(1.0, max(TIGHTEST, FREEDOM * self.whole_s))
            found["x264-params"] = f"ratetol={freedom:.2f}"
        return found
