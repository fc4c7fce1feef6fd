"""What a line says of a stretch of the camera's time: the part it holds in, how well, what else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from avpipe.sync.fine import Fine, refine, supports
from avpipe.sync.joining import SAME_S
from avpipe.sync.middle import median
from avpipe.sync.pieces import held
from avpipe.sync.stack import REACH_S, Stack, scan, stack_lines
from avpipe.sync.take import Part, Take
from avpipe.sync.windows import Map, Pair, cross_spectra, read_pairs

Doubles = NDArray[np.float64]
Stretch = tuple[Map, tuple[float, float]]
"""A line, and the ends of what it is laid along."""

LEAST_S = 2.5
"""A shorter stretch is left to the joint."""
LEAST_HEIGHT = 8.0
CLEAR_HEIGHT = 15.0
LOOSE_S = 6.0
"""How far two parts may be on top of each other: a window of the longest."""
MOST_PARTS = 24
_LEAST_GAIN = 20.0
_SLOPE_MARGIN = 2e-6
_LOOKED_AT = 12
_LOUD, _BESIDE, _LEAST_SUPPORT = 0.5, 0.15, 3.0
"""Of the level, and of the support, that there is in the part."""
_SHOWN, _MISSED = 0.25, 2
"""The support of a window that shows a line, of the part's; and how many that do not end it."""


def slope_reach(fine: Fine) -> float:
    """How far the drift beside a measured line may be from its own."""
    return max(3 * fine.slope_error, _SLOPE_MARGIN)


def measured(
    take: Take, line: Map, ends: tuple[float, float], stack: Stack, slope_error: float
) -> Part | None:
    """Fit the line in the part of a stretch that it holds in."""
    if ends[1] - ends[0] < 0.3:
        return None
    times, length = take.windows(*ends)
    pairs = read_pairs(take.camera, take.recorder, line, times, length, REACH_S)
    if stack.height < CLEAR_HEIGHT:
        full = stack_lines(cross_spectra(pairs, line, REACH_S), line, slope_error, REACH_S)
        stack = full if full is not None and full.height > stack.height else stack
    fine = refine(pairs, stack)
    line = stack.line if fine is None else fine.line
    run = _held(pairs, stack) if fine is None else _without_empty_ends(pairs, fine)
    if fine is not None and (run is None or run == (0, len(pairs) - 1)):
        return Part(begin_s=ends[0], end_s=ends[1], fine=fine)
    if run is None:
        return None
    first, last = run
    own = refine(pairs[first : last + 1], replace(stack, line=line)) or fine
    if own is None:
        return None
    begin = ends[0] if first == 0 else times[first] - length / 2
    end = ends[1] if last == len(pairs) - 1 else times[last] + length / 2
    return Part(begin_s=begin, end_s=end, fine=own)


def _held(pairs: Sequence[Pair], stack: Stack) -> tuple[int, int] | None:
    """The first and the last window that the stack's line holds in, where no fit of all was."""
    cross = cross_spectra(pairs, stack.line, REACH_S)
    loudness = np.array([float(pair.recorder.std()) for pair in pairs])
    return held(supports(cross, stack.inverted), loudness)


def _without_empty_ends(pairs: Sequence[Pair], fine: Fine) -> tuple[int, int] | None:
    """The run that a line holds in, up to its last window that shows it.

    Of an hour each window stands for a minute and more. One alone is no reason to say that a line
    ends, but one to look closer.
    """
    run = held(fine.support, fine.loudness)
    if run is None:
        return None
    usual = median(fine.support[run[0] : run[1] + 1])
    if usual < CLEAR_HEIGHT:
        return run
    ours = np.array([float(pair.camera.std()) for pair in pairs])
    loud = (ours > _LOUD * median(ours)) & (fine.loudness > _LOUD * median(fine.loudness))
    (shown,) = np.nonzero(~(loud & (fine.support < _BESIDE * usual)))
    inside = shown[(shown >= run[0]) & (shown <= run[1])]
    return (int(inside[0]), int(inside[-1])) if inside.size else run


def highest(
    take: Take, lines: Sequence[Stretch], fine: Fine, slope_error: float
) -> tuple[Stack, Map, tuple[float, float]] | None:
    """The line that stands highest, each between its ends; of the polarity of `fine`."""
    found = stacks(take, lines, fine, slope_error)
    return max(found, key=lambda one: one[0].height, default=None)


def stacks(
    take: Take, lines: Sequence[Stretch], fine: Fine, slope_error: float
) -> list[tuple[Stack, Map, tuple[float, float]]]:
    """Each line's stack between its ends, where it has the polarity of `fine`."""
    found = []
    for line, ends in lines:
        windows = take.windows(*ends)
        stack = scan(take.camera, take.recorder, line, windows, slope_error=slope_error)
        if stack is not None and stack.inverted == fine.inverted:
            found.append((stack, line, ends))
    return found


def same(new: Part, old: Part) -> bool:
    """Whether both are on one line."""
    middle = new.fine.middle_s
    apart = new.fine.line.recorder_time(middle) - old.fine.line.recorder_time(middle)
    return abs(apart) < SAME_S


def better(take: Take, new: Part, old: Fine) -> bool:
    """Whether the new line explains its part far better than the old one."""
    theirs = along(take, (new.begin_s, new.end_s), old.line, old.inverted)
    gain = _evidence(new.fine.support) - _evidence(theirs)
    return gain > _LEAST_GAIN


def along(take: Take, ends: tuple[float, float], line: Map, inverted: bool) -> Doubles:
    """(windows,) support that a line has in a stretch."""
    times, length = take.windows(*ends)
    pairs = read_pairs(take.camera, take.recorder, line, times, length, 0.01)
    return supports(cross_spectra(pairs, line, 0.01), inverted)


def _evidence(support: Doubles) -> float:
    """Half the squared height of the sum of the windows."""
    total = float(np.clip(support - 0.7, -2, 40).sum() / max(support.size, 1) ** 0.5)
    return max(total, 0.0) ** 2 / 2


def narrowed(take: Take, fine: Fine, gap: tuple[float, float], side: int) -> tuple[float, float]:
    """A stretch at the end (side 1) or the begin of a part, without what its line goes on in.

    In finer windows than those of the part; two that are loud and do not show it end it.
    """
    times, length = take.windows(*gap)
    pairs = read_pairs(take.camera, take.recorder, fine.line, times, length, 0.01)
    support = supports(cross_spectra(pairs, fine.line, 0.01), fine.inverted)
    theirs = np.array([float(pair.recorder.std()) for pair in pairs])
    shown = support >= max(_SHOWN * fine.explains * length**0.5, _LEAST_SUPPORT)
    loud = theirs > _LOUD * median(fine.loudness)
    reached, missed = gap[1 - side], 0
    for number in range(len(times)) if side else reversed(range(len(times))):
        if shown[number]:
            reached, missed = times[number] + (length if side else -length) / 2, 0
        elif loud[number]:
            missed += 1
            if missed == _MISSED:
                break
    return (reached, gap[1]) if side else (gap[0], reached)


def unheard(take: Take, part: Part, gap: tuple[float, float]) -> float:
    """How long both hear something in a stretch in which the part's line does not hold.

    Something is half of the level that each has where the line holds: at the end of a song, or in
    the pauses of a talker, what is left may be under the camera's noise. A line that only stands
    lower there holds.
    """
    (ours, theirs, support) = _heard(take, part.fine, (part.begin_s, part.end_s))
    (here, there, left) = _heard(take, part.fine, gap)
    loud = (here > _LOUD * median(ours)) & (there > _LOUD * median(theirs))
    lost = loud & (left < max(_BESIDE * median(support), _LEAST_SUPPORT))
    return float(lost.mean()) * (gap[1] - gap[0])


def _heard(take: Take, fine: Fine, ends: tuple[float, float]) -> tuple[Doubles, Doubles, Doubles]:
    """(windows,) level of the camera and of the recorder along a line, and the line's support."""
    times, length = take.windows(*ends)
    times = times[:: -(-len(times) // _LOOKED_AT)]
    pairs = read_pairs(take.camera, take.recorder, fine.line, times, length, 0.01)
    support = supports(cross_spectra(pairs, fine.line, 0.01), fine.inverted)
    ours = np.array([float(pair.camera.std()) for pair in pairs])
    return ours, np.array([float(pair.recorder.std()) for pair in pairs]), support
