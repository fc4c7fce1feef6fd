"""Which of the lines that fit a part's stretch is its own, in music that repeats itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from avpipe.sync.leavings import leavings
from avpipe.sync.pieces import held, region_lines
from avpipe.sync.rivals import margin_of
from avpipe.sync.stack import Stack
from avpipe.sync.stretch import (
    LEAST_HEIGHT,
    LEAST_S,
    LOOSE_S,
    along,
    measured,
    same,
    slope_reach,
    stacks,
)
from avpipe.sync.take import Part, Take
from avpipe.sync.windows import Map

Doubles = NDArray[np.float64]

SNAP_S = 0.2
"""How far an exact line's end may be from that of the coarse line."""
_ALIKE = 0.8
"""Of the height of the best line of a stretch: what fits nearly as well."""
_CLEAR_MARGIN = 4.0
"""Deviations from which one of two lines is the better one."""
_Laid = tuple[Stack, Map, tuple[float, float]]
_CLEAR_LEAP = 2.0
"""How many times farther from the other parts a rival has to be that fits as well."""


def on_one_line(take: Take, parts: Sequence[Part]) -> Part | None:
    """All on the line of a shorter part, where the longest fits no worse on that; else None.

    The longest was found first, along all: a place at which a song repeats itself may stand as
    high there as the true one, whose line then was found in the rest.
    """
    main = max(parts, key=lambda part: part.end_s - part.begin_s)
    ends = (main.begin_s, main.end_s)
    ours = along(take, ends, main.fine.line, main.fine.inverted)
    for part in parts:
        fine = part.fine
        whole = take.overlap(fine.line)
        if part is main or whole[0] > ends[0] + SNAP_S or whole[1] < ends[1] - SNAP_S:
            continue
        theirs = along(take, ends, fine.line, fine.inverted)
        alike = float(theirs.mean()) > _ALIKE * float(ours.mean())
        if alike and margin_of(ours - theirs) < _CLEAR_MARGIN:
            return measured(take, fine.line, whole, fine.stack, slope_reach(fine))
    return None


def settled(take: Take, parts: Sequence[Part]) -> tuple[list[Part], bool]:
    """Parts on the lines that fit their own stretches best, and whether one is in doubt.

    A line was chosen for all that was left at the time: in music that repeats itself another may
    have stood higher there than any of the true ones. Of lines that fit as well that one is taken
    that is nearest to those before and after: recorders lose less rather than more.
    """
    main = max(parts, key=lambda part: part.end_s - part.begin_s)
    out, doubtful = [main], False
    for part in sorted(parts, key=lambda part: part.begin_s - part.end_s)[1:]:
        (own, doubt) = _settled_one(take, part, [*out, *parts])
        out += own
        doubtful |= doubt
    return out, doubtful


def _settled_one(take: Take, part: Part, parts: Sequence[Part]) -> tuple[list[Part], bool]:
    ends = (part.begin_s, part.end_s)
    if ends[1] - ends[0] < LEAST_S:
        return [part], False
    slope_error = slope_reach(part.fine)
    lines = region_lines(take.ours, take.theirs, *ends, take.rate, part.fine.line.slope)
    inside = []
    for line in (part.fine.line, *lines):
        (begin, end) = take.overlap(line)
        if begin <= ends[0] + SNAP_S and end >= ends[1] - SNAP_S:
            inside.append((line, ends))
    found = stacks(take, inside, part.fine, slope_error)
    top = max((stack.height for stack, _, _ in found), default=0.0)
    alike = [one for one in found if one[0].height > max(_ALIKE * top, LEAST_HEIGHT)]
    if not alike:
        return [part], False
    around = _around(part, parts)
    good = sorted(_as_good(take, alike), key=lambda one: _leap(one[0].line, part, around))
    own = _leap(good[0][0].line, part, around)
    # What fits nearly as well is a doubt even where it is behind: the part itself may be wrong.
    leaps = [_leap(stack.line, part, around) for stack, _, _ in alike]
    doubtful = any(own + 1 < leap < _CLEAR_LEAP * own for leap in leaps)
    (stack, line, _) = good[0]
    new = measured(take, line, ends, stack, slope_error)
    if new is None or same(new, part):
        return [part], doubtful
    out = [new]
    leavings(take, out, new, ends, (False, False))
    return out, doubtful


def _as_good(take: Take, alike: Sequence[_Laid]) -> list[_Laid]:
    """Those that no other is clearly ahead of, window by window, where that other one holds.

    The height of a stack is limited: in a song that repeats itself many lines reach the limit, and
    what differs then is how much each of them explains.
    """
    if len(alike) < 2:
        return list(alike)
    supports = [along(take, ends, stack.line, stack.inverted) for stack, _, ends in alike]
    runs = [_run(support) for support in supports]
    best = max(range(len(alike)), key=lambda one: float(supports[one][runs[one]].mean()))
    (run, most) = (runs[best], supports[best])
    return [
        one
        for one, support in zip(alike, supports, strict=True)
        if support is most or margin_of(most[run] - support[run]) < _CLEAR_MARGIN
    ]


def _run(support: Doubles) -> slice:
    """The windows in which a line holds, where that is at least half of them; else all."""
    run = held(support, np.ones(support.size))
    if run is None or run[1] + 1 - run[0] < max(support.size / 2, 2):
        return slice(None)
    return slice(run[0], run[1] + 1)


def _around(part: Part, parts: Sequence[Part]) -> list[Part]:
    """The parts before and after one."""
    before = [one for one in parts if one.end_s <= part.begin_s + LOOSE_S and one is not part]
    after = [one for one in parts if one.begin_s >= part.end_s - LOOSE_S and one is not part]
    last = max(before, key=lambda one: one.end_s, default=None)
    first = min(after, key=lambda one: one.begin_s, default=None)
    return [one for one in (last, first) if one is not None]


def _leap(line: Map, part: Part, around: Sequence[Part]) -> float:
    """How many seconds are lost between a part on a line and the nearer of those around it."""
    middle = (part.begin_s + part.end_s) / 2
    heard = line.recorder_time(middle)
    return min((abs(heard - one.fine.line.recorder_time(middle)) for one in around), default=0.0)
