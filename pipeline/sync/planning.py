"""Where the fine windows lie: all over an overlap, or spread over a long one."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

Spans = Sequence[tuple[float, float]]
"""Begin and end of stretches, in seconds, in the order of time."""

_MOST_WINDOWS = 64
_LONG_WINDOWS = 40
_LONG_S = 256.0
_ENOUGH_WINDOWS = 12
_WIDEST_HOLE = 0.25


def plan_windows(
    begin_s: float, end_s: float, known: Spans | None = None
) -> tuple[list[float], float]:
    """Give the middles and the length of windows that cover an overlap, or sample a long one.

    With `known` they lie within these stretches, in the order of time, if there is room; only
    holes of over a quarter of the overlap are looked into as well.
    """
    span = end_s - begin_s
    length = float(np.clip(span / 20, 0.5, 1.0)) if span < 96 else (2.0 if span < _LONG_S else 4.0)
    most = _MOST_WINDOWS if span < _LONG_S else _LONG_WINDOWS
    count = int(np.clip(span / length, 1, most))
    middles = begin_s + length / 2 + np.linspace(0, 1, count) * max(span - length, 0.0)
    if count == 1:
        middles = np.array([begin_s + span / 2])
    inside = [] if known is None else _within(known, (begin_s, end_s), length, count)
    if len(inside) < min(count, _ENOUGH_WINDOWS):
        return [float(middle) for middle in middles], length
    return sorted([*inside, *_in_holes(inside, (begin_s, end_s), length)]), length


def _within(known: Spans, ends: tuple[float, float], length: float, count: int) -> list[float]:
    """Middles of at most about `count` windows in what is known between the ends."""
    spans = [(max(a, ends[0]), min(b, ends[1])) for a, b in known]
    spans = [(a, b) for a, b in spans if b - a >= length]
    share = count / max(sum(b - a for a, b in spans), 1e-9)
    middles: list[float] = []
    for a, b in spans:
        number = int(np.clip(round(share * (b - a)), 1, (b - a) // length))
        places = np.array([0.5]) if number == 1 else np.linspace(0, 1, number)
        middles += [float(middle) for middle in a + length / 2 + places * (b - a - length)]
    return middles


def _in_holes(middles: Sequence[float], ends: tuple[float, float], length: float) -> list[float]:
    """Middles of windows in the holes of over a quarter of the whole, so that none is left."""
    widest = _WIDEST_HOLE * (ends[1] - ends[0])
    edges = [ends[0] + length / 2, *middles, ends[1] - length / 2]
    out: list[float] = []
    for a, b in pairwise(edges):
        if b - a > widest:
            out += [float(place) for place in np.linspace(a, b, int((b - a) // widest) + 2)]
    return [place for place in out if place not in middles]
