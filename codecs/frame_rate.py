"""Whether frames come at a constant rate, and at which one, told from their time stamps.

Stamps are rounded to ticks (a millisecond in Matroska, 1/600 s in QuickTime), so a constant rate
is one whose ideal grid the stamps keep to within the rounding, not one whose steps are equal.
"""

from __future__ import annotations

import heapq
import itertools
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

_STANDARD = tuple(
    Fraction(*rate)
    for rate in (
        *((whole, 1) for whole in (1, 2, 5, 8, 10, 12, 15, 16, 18, 20, 24, 25, 30, 48, 50, 60)),
        *((whole, 1) for whole in (72, 75, 90, 100, 120, 144, 200, 240, 480, 960)),
        *((whole * 1000, 1001) for whole in (12, 15, 24, 30, 48, 60, 120, 240)),
    )
)
_JITTER = Fraction(17, 10000)
"""Seconds that one step may be off: Matroska's milliseconds, rounded twice."""
_GRID = Fraction(2, 1000)
"""Seconds that all stamps together may be off the grid of a nominal rate."""
_EXACT_TICKS = 500
"""A step of that many ticks tells its rate to 0.2 %, which is less than any two rates differ."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rhythm:
    """The pace of a picture stream."""

    rate: Fraction | None
    """Frames a second: the nominal one of a constant rate, else the average."""
    variable: bool | None


def measure(
    windows: Sequence[Sequence[int]], tick: Fraction, hints: Iterable[Fraction | None] = ()
) -> Rhythm:
    """The rhythm of frames stamped with these ticks, each window in order of time.

    A window is a part of the file that was seen without a hole. `hints` are rates that the
    container claims; they decide only between rates that the stamps allow.
    """
    claimed = tuple(hint for hint in hints if hint)
    seen = [window for window in windows if len(window) > 1 and window[-1] > window[0]]
    if not seen:
        return Rhythm(rate=claimed[0] if claimed else None, variable=None)
    longest = max(seen, key=len)
    average = Fraction(len(longest) - 1) / ((longest[-1] - longest[0]) * tick)
    if any(_varies(window, 1 / (average * tick), tick) for window in seen):
        frames = sum(len(window) - 1 for window in seen)
        return Rhythm(
            rate=Fraction(frames) / (sum(window[-1] - window[0] for window in seen) * tick),
            variable=True,
        )
    return Rhythm(rate=_nominal(longest, average, tick, claimed), variable=False)


def in_order(*times: array[int]) -> array[int]:
    """All of them in order. No lists are made, which take four times as much memory."""
    ordered = [
        one if all(a <= b for a, b in itertools.pairwise(one)) else array("q", sorted(one))
        for one in times
        if one
    ]
    return ordered[0] if len(ordered) == 1 else array("q", heapq.merge(*ordered))


def _varies(times: Sequence[int], period: Fraction, tick: Fraction) -> bool:
    """Whether a step is not the period, or the steps drift half a frame off its grid."""
    allowed = max(Fraction(101, 100), min(_JITTER / tick, period / 3))
    least, most = _extremes(after - before for before, after in itertools.pairwise(times))
    if least < period - allowed or most > period + allowed:
        return True
    return _spread(times, period) > max(period / 2, 2 * allowed)


def _spread(times: Sequence[int], period: Fraction) -> Fraction:
    """How far the stamps lie apart on the grid of that period, in ticks."""
    p, q, first = period.numerator, period.denominator, times[0]
    least, most = _extremes((time - first) * q - count * p for count, time in enumerate(times))
    return Fraction(most - least, q)


def _extremes(numbers: Iterable[int]) -> tuple[int, int]:
    """The least and the greatest of many, which are not held."""
    left = iter(numbers)
    least = most = next(left)
    for number in left:
        if number < least:
            least = number
        elif number > most:
            most = number
    return least, most


def _nominal(
    times: Sequence[int], average: Fraction, tick: Fraction, claimed: tuple[Fraction, ...]
) -> Fraction:
    """The rate that was meant by stamps that keep a constant one."""
    step, rest = divmod(times[-1] - times[0], len(times) - 1)
    equal = not rest and _spread(times, Fraction(step)) == 0
    if equal and (step == 1 or step >= _EXACT_TICKS):
        return average
    allowed = max(Fraction(2), _GRID / tick)
    near = {rate for rate in (*_STANDARD, *claimed) if abs(rate / average - 1) < Fraction(1, 30)}
    fitting = [rate for rate in near if _spread(times, 1 / (rate * tick)) <= allowed]
    standard = [rate for rate in fitting if rate in _STANDARD]
    for rate in claimed:
        if rate in standard:
            return rate
    choice = standard or ([] if equal else fitting)
    return min(choice, key=lambda rate: abs(rate - average)) if choice else average
