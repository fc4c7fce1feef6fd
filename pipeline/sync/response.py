"""What the camera should have heard of what the recorder did: the way between them, learned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from avpipe.sync.windows import FINE_RATE, Samples

Doubles = NDArray[np.float64]
Complex = NDArray[np.complex128]

_SIZE = 8192
"""Of a block that is learned from: half a second."""
_EARLY, _LATE = round(0.002 * FINE_RATE), round(0.012 * FINE_RATE)
"""How much of the response is kept before and after the direct sound: the reverb of what was lost
goes on after a joint."""
_SMOOTH = 100
"""Bins, 200 Hz: whitening that is finer would smear a joint."""
_LOW_HZ, _HIGH_HZ = 120.0, 7000.0
_FLOOR = 1e-3


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Response:
    """How the camera hears what the recorder does, and how loud everything else in it is."""

    taps: Doubles
    """(taps,) from `_EARLY` samples before the direct sound on."""
    whitening: Doubles
    """(bins,) of `_SIZE`: what makes everything else white, of variance 1."""

    def heard(self, recorder: Samples) -> Doubles:
        """(samples,) what the camera hears of it, whitened."""
        size = recorder.size + self.taps.size
        spectrum = np.fft.rfft(recorder, size) * np.fft.rfft(self.taps, size)
        wet = np.fft.irfft(spectrum, size)[_EARLY : _EARLY + recorder.size]
        return self.whitened(wet)

    def whitened(self, samples: NDArray[np.floating]) -> Doubles:
        """(samples,) with everything else white."""
        spectrum = np.fft.rfft(samples)
        at = np.linspace(0, self.whitening.size - 1, spectrum.size)
        gain = np.interp(at, np.arange(self.whitening.size), self.whitening)
        return np.fft.irfft(spectrum * gain, samples.size)


def learned(pairs: Sequence[tuple[Samples, Samples]]) -> Response | None:
    """Learn from what camera and recorder heard of the same; None of too little."""
    ours, theirs = (_blocks([pair[side] for pair in pairs]) for side in (0, 1))
    if not ours.shape[0]:
        return None
    cross = (ours * theirs.conj()).sum(axis=0)
    power = (np.abs(theirs) ** 2).sum(axis=0)
    power += _FLOOR * float(power.mean()) + 1e-12
    camera = (np.abs(ours) ** 2).sum(axis=0)
    # Of few blocks chance makes a response as well: 1 of as many as there are.
    shared = np.clip(np.abs(cross) ** 2 / (power * camera + 1e-20), 0.0, 1.0)
    shared = _smooth(shared)
    chance = 1 / ours.shape[0]
    sure = np.clip((shared - chance) / (1 - chance + 1e-9), 0.0, 1.0) / (shared + 1e-9)
    taps = np.fft.irfft(cross / power * np.clip(sure, 0.0, 1.0), _SIZE)
    kept = taps.copy()
    kept[_LATE:-_EARLY] = 0.0
    taps = np.concatenate([taps[-_EARLY:], taps[:_LATE]])
    rest = (np.abs(ours - np.fft.rfft(kept) * theirs) ** 2).sum(axis=0)
    other = _smooth(rest) / ours.shape[0]
    hertz = np.fft.rfftfreq(_SIZE, 1 / FINE_RATE)
    inside = (hertz > _LOW_HZ) & (hertz < _HIGH_HZ)
    scale = float((np.hanning(_SIZE) ** 2).sum())
    floor = 1e-4 * float(other[inside].mean()) + 1e-14
    return Response(taps=taps, whitening=inside * np.sqrt(scale / (other + floor)))


def _blocks(sounds: Sequence[Samples]) -> Complex:
    """(blocks, bins) spectra of half-overlapping blocks."""
    rows = [
        sound[first : first + _SIZE]
        for sound in sounds
        for first in range(0, sound.size - _SIZE + 1, _SIZE // 2)
    ]
    if not rows:
        return np.zeros((0, _SIZE // 2 + 1), np.complex128)
    return np.fft.rfft(np.asarray(rows, np.float64) * np.hanning(_SIZE), axis=1)


def _smooth(values: Doubles) -> Doubles:
    kernel = np.full(_SMOOTH + 1, 1 / (_SMOOTH + 1))
    padded = np.pad(values, _SMOOTH // 2, mode="edge")
    return np.convolve(padded, kernel, "valid")
