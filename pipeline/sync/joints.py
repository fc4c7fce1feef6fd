"""The moment at which one piece ends and the next begins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avpipe.sync.pieces import Span
from avpipe.sync.windows import (
    FINE_RATE,
    Map,
    Read,
    Samples,
    cross_spectra,
    placed,
    read_pairs,
)

Doubles = NDArray[np.float64]

_NEAR_S = 4.0
_PROBE_S = 1.0
_LEAST_S = 0.1
_STEPS = 24
_DECISIVE = 12.0
_BESIDE_S = (0.0, 1.3, -1.3, 2.6, -2.6, 5.2, -5.2, 10.4, -10.4)
_LONGEST_S = 120.0
_LIKENESS_S = 0.1
_CHANCE = 2.0
"""Deviations of chance that a likeness has to be above before it counts."""
_CLOSEST = 0.9
_INDEPENDENT = 0.6
"""Of the samples: the whitened sound has six tenths of the band."""
_AS_LIKELY = 2.0
"""How much less the logarithm of the likelihood may be than at the likeliest place."""
_HUSH_S = 0.02
_BACK_S = 6.0
"""What begins so much earlier in the recorder than the piece before ends goes back in it."""


def find_joint(
    camera: Read,
    recorder: Read,
    before: Span,
    after: Span,
    seen: tuple[float, float],
    margin_s: float,
    inverted: bool,
) -> tuple[float, float]:
    """Give the end of `before` and the begin of `after` on the camera's time line.

    Where the recorder lost sound there is a gap in the camera's time between the two; where the
    camera was paused, or was put together in another order, they are the same moment. `seen` are
    the last moment at which the one was seen to hold and the first at which the other was: what
    lies between was perhaps never looked at. Up to `margin_s` beyond them may be the other's.
    """
    heard = before.map.recorder_time(before.end_s)
    lost = max(after.map.camera_time(heard) - before.end_s, 0.0)
    if goes_back(before, after):
        lost = 0.0
    (last, first) = (min(before.end_s, seen[0]), max(after.begin_s, seen[1]) - lost)
    low = max(min(last, first) - margin_s, before.begin_s)
    high = min(max(before.end_s, first) + margin_s, after.end_s - lost)
    if high - low < _LEAST_S:
        return before.end_s, before.end_s + lost
    for _ in range(_STEPS):
        if high - low < _NEAR_S:
            break
        cut = _decided(camera, recorder, (before.map, after.map), (low, high), lost, inverted)
        if cut is None:
            break
        at, first_holds = cut
        # The change may lie within the probe itself, behind the louder part of it.
        half = _PROBE_S / 2
        low, high = (max(at - half, low), high) if first_holds else (low, min(at + half, high))
    if high - low > _LONGEST_S:
        low, high = (low + high - _LONGEST_S) / 2, (low + high + _LONGEST_S) / 2
    at = _change(camera, recorder, (before.map, after.map), (low, high), lost, inverted)
    return at, at + lost


def goes_back(before: Span, after: Span) -> bool:
    """Whether the recorder's sound of the later part is the earlier one."""
    begin = after.map.recorder_time(after.begin_s)
    return begin < before.map.recorder_time(before.end_s) - _BACK_S


def _decided(
    camera: Read,
    recorder: Read,
    lines: tuple[Map, Map],
    span: tuple[float, float],
    lost: float,
    inverted: bool,
) -> tuple[float, bool] | None:
    """A moment near the middle at which one line clearly holds, and whether it is the first."""
    middle = (span[0] + span[1]) / 2
    reach = 0.3 * (span[1] - span[0])
    for beside in _BESIDE_S:
        if abs(beside) > reach:
            continue
        at = middle + beside
        first = _likeness(camera, recorder, lines[0], at, inverted)
        second = _likeness(camera, recorder, lines[1], at + lost, inverted)
        if abs(max(first, 0.0) ** 2 - max(second, 0.0) ** 2) / 2 > _DECISIVE:
            return at, first > second
    return None


def _likeness(camera: Read, recorder: Read, line: Map, at: float, inverted: bool) -> float:
    """Height of the phase correlation on the line around a moment, in deviations."""
    pairs = read_pairs(camera, recorder, line, [at], _PROBE_S, 0.01)
    cross = cross_spectra(pairs, line, 0.01)
    total = cross.spectra[0].real.sum() * (-1 if inverted else 1)
    return float(total / (np.sqrt((np.abs(cross.spectra[0]) ** 2).sum() / 2) + 1e-9))


def _change(
    camera: Read,
    recorder: Read,
    lines: tuple[Map, Map],
    span: tuple[float, float],
    lost: float,
    inverted: bool,
) -> float:
    """Where the change is likeliest; of places about as likely the one where least is heard.

    In a talker's pause both lines explain the sound alike, and wherever they do a cut is best
    made where it is quiet.
    """
    length = span[1] - span[0]
    products, sounds = [], []
    for line, later in zip(lines, (0.0, lost), strict=True):
        at = (span[0] + span[1]) / 2 + later
        pair = read_pairs(camera, recorder, line, [at], length, 0.01)[0]
        size = pair.camera.size
        heard = placed(pair, line, size)
        ours, theirs = _whitened(pair.camera), _whitened(heard)
        products.append(ours.astype(np.float64) * theirs * (-1 if inverted else 1))
        sounds.append(heard.astype(np.float64) ** 2)
    size = min(product.size for product in products)
    first, second = (product[:size] for product in products)
    likelihood = _likelihood(first, second)
    loud = _smooth(sounds[0][:size] + sounds[1][:size], _HUSH_S)
    alike = likelihood > likelihood.max() - _AS_LIKELY
    return span[0] + float(np.argmin(np.where(alike, loud, np.inf))) / FINE_RATE


def _likelihood(first: Doubles, second: Doubles) -> Doubles:
    """(samples,) logarithm of the likelihood that the change is right before each sample.

    `first` and `second` are (samples,) products of both whitened sounds on the two lines. How much
    a sample tells is what the sounds around it have in common on whichever of the lines holds:
    nothing where there is noise alone.
    """
    chance = _CHANCE * np.sqrt(2 / (_INDEPENDENT * _LIKENESS_S * FINE_RATE))
    common = _smooth(first, _LIKENESS_S) + _smooth(second, _LIKENESS_S)
    common = np.clip(common - chance, 0.0, _CLOSEST)
    gain = common / (1 - common**2) * (first - second) * _INDEPENDENT
    return np.asarray(np.cumsum(gain) - gain)


def _smooth(values: Doubles, seconds: float) -> Doubles:
    """Means over some time around each sample."""
    width = min(max(round(seconds * FINE_RATE), 1), values.size)
    return np.convolve(values, np.full(width, 1 / width), "same")


def _whitened(samples: Samples) -> Samples:
    """Flat spectrum from 150 Hz to 5 kHz, level evened out over 50 ms."""
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(samples.size, 1 / FINE_RATE)
    strength = np.abs(spectrum)
    width = max(round(100 * samples.size / FINE_RATE), 1)
    smooth = np.convolve(strength, np.full(width, 1 / width), "same") + 1e-9
    flat = np.fft.irfft(spectrum / smooth * ((hertz > 150) & (hertz < 5000)), samples.size)
    level = np.sqrt(np.convolve(flat**2, np.full(800, 1 / 800), "same")) + 1e-6
    return np.asarray(flat / level, np.float32)
