"""Whether a sound is speech and nothing else, by how its loudness moves.

Speech comes in syllables, about four a second (Houtgast and Steeneken 1985), with pauses between
them (Saunders 1996). Music has few silences, and a beat: its loudness repeats itself.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]

FRAME_S, HOP_S = 0.032, 0.016
SYLLABLES_HZ = (2.5, 8.0)
"""The rates at which loudness moves in speech."""
MOVES_HZ = (0.5, 20.0)
LEAST_SYLLABLES = 0.3
"""The share of all movement of loudness that those rates have in speech."""
QUIET_DB = 12.0
"""How far under the mean a frame is quiet."""
LEAST_QUIET = 0.2
"""The share of quiet frames in speech."""
BEATS_S = (0.2, 2.0)
"""How far apart the beats of music may be."""
MOST_BEAT, MOST_BEAT_ANYWHERE = 0.5, 0.75
"""How like itself the loudness of speech is a beat later, at the most: in half of the excerpts, and
in each of them."""
LEAST_LEVEL = 1e-4
"""Of the root mean square: what is below is silence, which tells nothing."""


def is_speech(excerpts: Samples, rate: int) -> bool:
    """Whether all excerpts that are heard are speech; (excerpts, samples), each of 2 s or more.

    Where it is not sure, it says no; so it does of silence.
    """
    heard = [one for one in excerpts if np.sqrt(np.mean(np.square(one))) > LEAST_LEVEL]
    if not heard:
        return False
    measured = np.array([features(one, rate) for one in heard])
    (syllables, quiet, beat) = np.median(measured, axis=0)
    sure = syllables >= LEAST_SYLLABLES and quiet >= LEAST_QUIET and beat <= MOST_BEAT
    # A song between two talks is heard in few excerpts.
    return bool(sure and measured[:, 2].max() <= MOST_BEAT_ANYWHERE)


def features(samples: Samples, rate: int) -> tuple[float, float, float]:
    """Of a sound: the share of syllables, of quiet frames, and the beat."""
    power = _spectra(samples, rate)
    level = power.sum(axis=1)
    mean = level.mean()
    return (
        _syllables(np.sqrt(level)),
        float(np.mean(level < mean * 10 ** (-QUIET_DB / 10))),
        _beat(np.sqrt(level)),
    )


def _spectra(samples: Samples, rate: int) -> NDArray[np.float64]:
    """(frames, bins) of power."""
    (size, hop) = (round(FRAME_S * rate), round(HOP_S * rate))
    frames = np.lib.stride_tricks.sliding_window_view(samples.astype(np.float64), size)[::hop]
    return np.abs(np.fft.rfft(frames * np.hanning(size), axis=1)) ** 2


def _syllables(envelope: NDArray[np.float64]) -> float:
    moves = np.abs(np.fft.rfft((envelope - envelope.mean()) * np.hanning(envelope.size))) ** 2
    rates = np.fft.rfftfreq(envelope.size, HOP_S)
    of_all = moves[(rates >= MOVES_HZ[0]) & (rates <= MOVES_HZ[1])].sum()
    of_speech = moves[(rates >= SYLLABLES_HZ[0]) & (rates <= SYLLABLES_HZ[1])].sum()
    return float(of_speech / max(of_all, 1e-30))


def _beat(envelope: NDArray[np.float64]) -> float:
    """The highest correlation of loudness with itself, some time later."""
    moved = envelope - envelope.mean()
    (first, last) = (round(lag / HOP_S) for lag in BEATS_S)
    found = [
        float(np.corrcoef(moved[:-lag], moved[lag:])[0, 1])
        for lag in range(first, min(last, moved.size // 2) + 1)
    ]
    return max(found, default=0.0)
