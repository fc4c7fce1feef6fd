"""The moment at which one piece ends and the next begins."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from avpipe.sync.pieces import Span
from avpipe.sync.windows import (
    FINE_RATE,
    Map,
    Pair,
    Read,
    Samples,
    cross_spectra,
    placed,
    read_pairs,
)

_NEAR_S = 4.0
_PROBE_S = 1.0
_MARGIN_S = 2.5
_STEPS = 16
_LONG_S = 12.0


def find_joint(
    camera: Read, recorder: Read, before: Span, after: Span, inverted: bool
) -> tuple[float, float]:
    """Give the end of `before` and the begin of `after` on the camera's time line.

    Where the recorder lost sound there is a gap in the camera's time between the two; where the
    camera was paused they are the same moment.
    """
    middle = (before.end_s + after.begin_s) / 2
    lost = max(before.map.recorder_time(middle) - after.map.recorder_time(middle), 0.0)
    low, high = before.end_s - _MARGIN_S, after.begin_s + _MARGIN_S + lost
    if lost > _LONG_S:
        return (
            _edge(camera, recorder, before.map, (low, low + _LONG_S), inverted),
            _edge(camera, recorder, after.map, (high, high - _LONG_S), inverted),
        )
    for _ in range(_STEPS):
        if high - low < _NEAR_S + 2 * lost:
            break
        at = (low + high) / 2
        first = _likeness(camera, recorder, before.map, at, inverted)
        second = _likeness(camera, recorder, after.map, at, inverted)
        if max(first, second) < 4.0:
            break
        low, high = (at, high) if first > second else (low, at)
    at = _change(camera, recorder, (before.map, after.map), (low, high), lost, inverted)
    return at, at + lost


def _edge(
    camera: Read, recorder: Read, line: Map, way: tuple[float, float], inverted: bool
) -> float:
    """Last moment on the way from the first to the second at which the line holds."""
    here, there = way
    while abs(there - here) > _PROBE_S / 4:
        at = (here + there) / 2
        if _likeness(camera, recorder, line, at, inverted) > 4.0:
            here = at
        else:
            there = at
    return here


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
    """Where changing from the first line to the second explains the most of the whitened sound."""
    length = span[1] - span[0]
    at = (span[0] + span[1]) / 2
    products = []
    for line in lines:
        pair = read_pairs(camera, recorder, line, [at], length, 0.01)[0]
        products.append(_agreement(pair, line) * (-1 if inverted else 1))
    first, second = (np.cumsum(np.append(0.0, product)) for product in products)
    skip = round(lost * FINE_RATE)
    usable = first.size - skip
    if usable < 1:
        return span[0]
    score = first[:usable] + second[-1] - second[skip:]
    return span[0] + float(np.argmax(score)) / FINE_RATE


def _agreement(pair: Pair, line: Map) -> NDArray[np.float64]:
    """(samples,) product of the whitened camera and the whitened recorder on its line."""
    size = pair.camera.size
    ours, theirs = _whitened(pair.camera), _whitened(placed(pair, line, size))
    return np.asarray(ours.astype(np.float64) * theirs)


def _whitened(samples: Samples) -> Samples:
    """Flat spectrum from 150 Hz to 5 kHz, level evened out over 50 ms."""
    spectrum = np.fft.rfft(samples)
    hertz = np.fft.rfftfreq(samples.size, 1 / FINE_RATE)
    strength = np.abs(spectrum)
    width = max(round(100 * samples.size / FINE_RATE), 1)
    smooth = np.convolve(strength, np.full(width, 1 / width), "same") + 1e-9
    flat = np.fft.irfft(spectrum / smooth * ((hertz > 150) & (hertz < 5000)), samples.size)
    level = np.sqrt(np.convolve(flat**2, np.full(800, 1 / 800), "same")) + 1e-6
    return (flat / level).astype(np.float32)
