"""The moment at which one piece ends and the next begins."""

from __future__ import annotations

import numpy as np

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

_NEAR_S = 4.0
_PROBE_S = 1.0
_LEAST_S = 0.1
_STEPS = 24
_DECISIVE = 12.0
_BESIDE_S = (0.0, 1.3, -1.3, 2.6, -2.6, 5.2, -5.2, 10.4, -10.4)
_LONGEST_S = 30.0


def find_joint(
    camera: Read, recorder: Read, before: Span, after: Span, margin_s: float, inverted: bool
) -> tuple[float, float]:
    """Give the end of `before` and the begin of `after` on the camera's time line.

    Where the recorder lost sound there is a gap in the camera's time between the two; where the
    camera was paused they are the same moment. Up to `margin_s` of each may be the other's.
    """
    heard = before.map.recorder_time(before.end_s)
    lost = max(after.map.camera_time(heard) - before.end_s, 0.0)
    low = max(min(before.end_s, after.begin_s - lost) - margin_s, before.begin_s)
    high = min(max(before.end_s, after.begin_s - lost) + margin_s, after.end_s - lost)
    if high - low < _LEAST_S:
        return before.end_s, before.end_s + lost
    for _ in range(_STEPS):
        if high - low < _NEAR_S:
            break
        cut = _decided(camera, recorder, (before.map, after.map), (low, high), lost, inverted)
        if cut is None:
            break
        at, first_holds = cut
        low, high = (at, high) if first_holds else (low, at)
    if high - low > _LONGEST_S:
        low, high = (low + high - _LONGEST_S) / 2, (low + high + _LONGEST_S) / 2
    at = _change(camera, recorder, (before.map, after.map), (low, high), lost, inverted)
    return at, at + lost


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
    """Where changing from the first line to the second explains the most of the whitened sound."""
    length = span[1] - span[0]
    products = []
    for line, later in zip(lines, (0.0, lost), strict=True):
        at = (span[0] + span[1]) / 2 + later
        pair = read_pairs(camera, recorder, line, [at], length, 0.01)[0]
        size = pair.camera.size
        ours, theirs = _whitened(pair.camera), _whitened(placed(pair, line, size))
        products.append(ours.astype(np.float64) * theirs * (-1 if inverted else 1))
    size = min(product.size for product in products)
    gain = np.cumsum(np.append(0.0, products[0][:size] - products[1][:size]))
    return span[0] + float(np.argmax(gain)) / FINE_RATE


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
