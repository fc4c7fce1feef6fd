"""How far a fitted line may be off: what its windows say, and what its frequencies say.

Noise moves every window by itself, so the windows' scatter tells it. The room moves all of them
alike: its reverb turns the phase of each frequency in another way, and in all windows in the same.
That shows in the phases that the stack of all windows has left on the line, and nowhere else.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avpipe.sync.windows import FINE_RATE, Cross, Samples

Doubles = NDArray[np.float64]

_BAND_HZ, _STEP_HZ = 500.0, 25.0
"""Phases half a band apart are taken to be independent: reverb within some ms of the sound moves
its maximum, later reverb has maxima of its own."""
_LEAST_SIGMA_S = 0.3e-6
_LEAST_FIRM = 0.3


def stack_error(cross: Cross, weight: Samples, inverted: bool) -> float:
    """One sigma in seconds of the lag where the windows' sum is highest, noise and room together.

    `cross` is read along the fitted line, `weight` is (bins,). The maximum is where the phases,
    each times its frequency and strength, add up to nothing; what they add up to within single
    bands is how far that sum is left to chance (Newey and West 1987). The bands have soft ends,
    since hard ones let later reverb in. 0 where nothing adds up.
    """
    sums = cross.spectra[cross.loudness > 0].sum(axis=0).astype(np.complex128) * weight
    sums *= -1 if inverted else 1
    radians = 2 * np.pi * FINE_RATE / cross.size * (cross.low + np.arange(sums.size))
    pull, bend = radians * sums.imag, radians**2 * sums.real
    firm = float(bend.sum())
    if firm <= 0:
        return 0.0
    left = pull - bend * float(pull.sum()) / firm
    steps = np.arange(0, left.size, max(round(_STEP_HZ * cross.size / FINE_RATE), 1))
    band = np.hanning(round(_BAND_HZ / _STEP_HZ) + 1)
    bands = np.convolve(np.add.reduceat(left, steps), band)
    return float(np.sqrt((bands**2).sum() / (band**2).sum())) / firm


def window_errors(
    time: Doubles, left: Doubles, power: Doubles, scale: float
) -> tuple[float, float]:
    """One-sigma errors at the middle of a bisquare fit, from its own residuals (Huber 1981).

    `time`, `left` and `power` are (picks,): seconds from the middle, seconds from the line, and
    weights. Gives seconds and seconds per second.
    """
    share = np.clip(1 - (left / (4 * scale)) ** 2, 0, None)
    gain = power * share**2
    count = max(int(np.count_nonzero(gain)), 1)
    total, spread = float(gain.sum()), float((gain * time**2).sum())
    # What the fit gives way by when a pick moves: less than its weight, for far ones the opposite.
    bend = power * share * (5 * share - 4)
    firm = max(float(bend.sum()), _LEAST_FIRM * total)
    firm_slope = max(float((bend * time**2).sum()), _LEAST_FIRM * spread, 1e-12)
    lag = np.sqrt(float((gain**2 * left**2).sum())) / firm
    slope = np.sqrt(float((gain**2 * time**2 * left**2).sum())) / firm_slope
    floor = _LEAST_SIGMA_S / np.sqrt(count)
    return float(np.hypot(lag, floor)), float(
        np.hypot(slope, floor / np.sqrt(spread / total + 1e-9))
    )
