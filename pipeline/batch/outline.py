"""Two wave forms on one time line, as SVG: the camera's above, the recordings' below."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avpipe.listen.fingerprint import PEAK_STEP_S, Fingerprint

WIDTH, HALF = 360, 26
_BINS = 180
_LOUD_SHARE = 0.995
"""What is drawn at full height: nearly the loudest, so that a click does not hide the rest."""

Peaks = NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """A sound, and where its first sample is on the video's time line."""

    fingerprint: Fingerprint
    offset_s: float = 0.0
    drift_ppm: float = 0.0


def draw_outline(camera: Placed | None, recordings: Sequence[Placed], length_s: float) -> str:
    """The SVG of a video's span: what both heard stands above each other."""
    parts = [
        f'<svg class="wave" viewBox="0 0 {WIDTH} {2 * HALF}" preserveAspectRatio="none" '
        'role="img" aria-label="both wave forms on the time line of the video">'
    ]
    if camera is not None:
        parts.append(f'<path class="camera" d="{_path(_bins([camera], length_s), up=True)}"/>')
    if recordings:
        parts.append(f'<path class="sound" d="{_path(_bins(recordings, length_s), up=False)}"/>')
    return "".join([*parts, f'<path class="middle" d="M0 {HALF}H{WIDTH}"/>', "</svg>"])


def _bins(sounds: Sequence[Placed], length_s: float) -> NDArray[np.float64]:
    """(_BINS,) how loud it is, from 0 to 1."""
    edges = np.linspace(0.0, max(length_s, PEAK_STEP_S), _BINS + 1)
    level = np.zeros(_BINS)
    for sound in sounds:
        level = np.maximum(level, _levels(sound, edges))
    return np.asarray(np.minimum(level / max(float(np.quantile(level, _LOUD_SHARE)), 1.0), 1.0))


def _levels(sound: Placed, edges: NDArray[np.float64]) -> NDArray[np.float64]:
    """(_BINS,) the loudest step of each bin of the video's time."""
    begin_s = sound.offset_s + sound.fingerprint.lead_s
    steps = (edges - begin_s) * (1 + sound.drift_ppm * 1e-6) / PEAK_STEP_S
    first = np.floor(steps[:-1]).astype(int)
    last = np.maximum(np.ceil(steps[1:]).astype(int), first + 1)
    peaks = sound.fingerprint.peaks
    return np.array(
        [
            float(peaks[max(a, 0) : max(b, 0)].max(initial=0))
            for a, b in zip(first, last, strict=True)
        ]
    )


def _path(level: NDArray[np.float64], *, up: bool) -> str:
    """A closed shape that stands on the middle line, or hangs from it."""
    heights = np.rint(level * (HALF - 1)).astype(int)
    width = WIDTH // _BINS
    steps = "".join(f"V{HALF - h if up else HALF + h}h{width}" for h in heights)
    return f"M0 {HALF}{steps}V{HALF}Z"
