"""The whole take: one line where one will do, else its pieces, each with its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from avpipe.sync.fine import REACH_S, Fine, Stack, refine, scan, stack_lines, supports
from avpipe.sync.joining import SAME_S, joined, one_clock
from avpipe.sync.middle import median
from avpipe.sync.pieces import held, region_lines
from avpipe.sync.take import Part, Survey, Take
from avpipe.sync.windows import Map, Pair, cross_spectra, read_pairs

_CLEAR_HEIGHT = 15.0
_LEAST_HEIGHT = 8.0
_LEAST_GAIN = 20.0
_LEAST_S = 2.5
_LOOSE_S = 6.0
_MOST_PARTS = 24
_SLOPE_MARGIN = 2e-6
_QUIET = 0.25
_SNAP_S = 0.2
_ALIKE = 0.8
"""Of the height of the best line of a stretch: what fits nearly as well."""
_CLEAR_LEAP = 2.0
"""How many times farther from the other parts a rival has to be that fits as well."""
_Stretch = tuple[Map, tuple[float, float]]


def survey(
    take: Take,
    coarse: Map,
    stack: Stack,
    slope_error: float,
    ends: tuple[float, float] | None = None,
) -> Survey:
    """Measure along a line; `coarse` is what the windows were read by, `stack` what they said.

    With `ends` that stretch of the camera's time is measured and nothing else.
    """
    begin, end = take.overlap(coarse) if ends is None else ends
    main = _measured(take, coarse, (begin, end), stack, slope_error)
    if main is None:
        return Survey(parts=(), lost_s=0.0)
    if ends is not None:
        return Survey(parts=(main,), lost_s=0.0)
    parts = [main]
    lost = _leavings(take, parts, main, (begin, end), (True, True))
    doubtful = False
    if len(parts) > 1:
        parts, doubtful = _settled(take, parts)
        parts, missing = _filled(take, _in_order(parts))
        lost += missing
        parts = one_clock(parts)
        parts = joined(take, parts)
        parts[0] = replace(parts[0], begin_s=_reached(take, parts[0], 0))
        parts[-1] = replace(parts[-1], end_s=_reached(take, parts[-1], 1))
    parts[0] = replace(parts[0], begin_s=_snapped(parts[0].begin_s, take, parts[0], 0))
    parts[-1] = replace(parts[-1], end_s=_snapped(parts[-1].end_s, take, parts[-1], 1))
    return Survey(parts=tuple(parts), lost_s=lost, doubtful=doubtful)


def _snapped(time_s: float, take: Take, part: Part, end: int) -> float:
    """An end of the whole, put on the exact line's end where it is the coarse line's."""
    exact = take.overlap(part.fine.line)[end]
    return exact if abs(exact - time_s) < _SNAP_S else time_s


def _slope_error(fine: Fine) -> float:
    """How far the drift beside a measured line may be from its own."""
    return max(3 * fine.slope_error, _SLOPE_MARGIN)


def _reached(take: Take, part: Part, end: int) -> float:
    """How far the first or the last part goes on outwards on its line."""
    here = (part.begin_s, part.end_s)[end]
    exact = take.overlap(part.fine.line)[end]
    if abs(exact - here) < _LEAST_S:
        return here
    fine = part.fine
    stack = Stack(line=fine.line, height=fine.height, rival=fine.rival, inverted=fine.inverted)
    ends = (exact, part.end_s) if end == 0 else (part.begin_s, exact)
    whole = _measured(take, fine.line, ends, stack, _slope_error(fine))
    if whole is None or not _same(whole, part):
        return here
    return min(here, whole.begin_s) if end == 0 else max(here, whole.end_s)


def _measured(
    take: Take, line: Map, ends: tuple[float, float], stack: Stack, slope_error: float
) -> Part | None:
    """Fit the line in the part of a stretch that it holds in."""
    if ends[1] - ends[0] < 0.3:
        return None
    times, length = take.windows(*ends)
    pairs = read_pairs(take.camera, take.recorder, line, times, length, REACH_S)
    if stack.height < _CLEAR_HEIGHT:
        full = stack_lines(cross_spectra(pairs, line, REACH_S), line, slope_error, REACH_S)
        stack = full if full is not None and full.height > stack.height else stack
    fine = refine(pairs, stack)
    line = stack.line if fine is None else fine.line
    run = _held(pairs, stack) if fine is None else held(fine.support, fine.loudness)
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
    loudness = np.array([float(np.sqrt(np.mean(pair.recorder**2))) for pair in pairs])
    return held(supports(cross, stack.inverted), loudness)


def _leavings(
    take: Take,
    parts: list[Part],
    part: Part,
    ends: tuple[float, float],
    outer: tuple[bool, bool],
) -> float:
    """Explain what a part leaves of its stretch, before and after it; add what is found.

    `outer` tells which ends of the stretch are those of the whole. Gives the seconds there that
    stay without a line. Where nothing is found and little was to be heard, or little is left, the
    part lasts to the end of its stretch; what lies between two parts is the joint's.
    """
    lost = 0.0
    index = len(parts) - 1
    for side in (0, 1):
        part = parts[index]
        gap = (ends[0], part.begin_s) if side == 0 else (part.end_s, ends[1])
        if gap[1] - gap[0] >= _LEAST_S and len(parts) < _MOST_PARTS:
            open_gap = gap
            if outer[side]:
                open_gap = (0.0, gap[1]) if side == 0 else (gap[0], take.ours.duration_s)
            found = _another(take, parts, part.fine, open_gap, head=side == 0)
            if found is not None:
                parts.append(found[0])
                beyond = (outer[0], False) if side == 0 else (False, outer[1])
                lost += _leavings(take, parts, *found, beyond)
                continue
            lost += _unheard(take, part, gap) if outer[side] else 0.0
        if outer[side]:
            begin, end = (ends[0], part.end_s) if side == 0 else (part.begin_s, ends[1])
            parts[index] = replace(part, begin_s=begin, end_s=end)
    return lost


def _another(
    take: Take, parts: Sequence[Part], fine: Fine, gap: tuple[float, float], *, head: bool
) -> tuple[Part, tuple[float, float]] | None:
    """Find the line of a stretch that none of the parts holds in, and where it holds."""
    slope_error = _slope_error(fine)
    lines = [fine.line]
    lines += region_lines(take.ours, take.theirs, *gap, take.rate, fine.line.slope)
    possible = []
    for line in lines:
        begin, end = take.overlap(line)
        ends = max(begin, gap[0]), min(end, gap[1])
        if ends[1] - ends[0] >= _LEAST_S and _feasible(line, fine.line, ends, head=head):
            possible.append((line, ends))
    best = _highest(take, possible, fine, slope_error)
    if best is None or best[0].height < _LEAST_HEIGHT:
        return None
    stack, line, ends = best
    new = _measured(take, line, ends, stack, slope_error)
    if new is None or any(_same(new, part) for part in parts) or not _better(take, new, fine):
        return None
    return new, ends


def _highest(
    take: Take, lines: Sequence[_Stretch], fine: Fine, slope_error: float
) -> tuple[Stack, Map, tuple[float, float]] | None:
    """The line that stands highest, each between its ends; of the polarity of `fine`."""
    stacks = _stacks(take, lines, fine, slope_error)
    return max(stacks, key=lambda one: one[0].height, default=None)


def _stacks(
    take: Take, lines: Sequence[_Stretch], fine: Fine, slope_error: float
) -> list[tuple[Stack, Map, tuple[float, float]]]:
    """Each line's stack between its ends, where it has the polarity of `fine`."""
    found = []
    for line, ends in lines:
        windows = take.windows(*ends)
        stack = scan(take.camera, take.recorder, line, windows, slope_error=slope_error)
        if stack is not None and stack.inverted == fine.inverted:
            found.append((stack, line, ends))
    return found


def _settled(take: Take, parts: Sequence[Part]) -> tuple[list[Part], bool]:
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
    if ends[1] - ends[0] < _LEAST_S:
        return [part], False
    slope_error = _slope_error(part.fine)
    lines = region_lines(take.ours, take.theirs, *ends, take.rate, part.fine.line.slope)
    inside = []
    for line in (part.fine.line, *lines):
        (begin, end) = take.overlap(line)
        if begin <= ends[0] + _SNAP_S and end >= ends[1] - _SNAP_S:
            inside.append((line, ends))
    stacks = _stacks(take, inside, part.fine, slope_error)
    top = max((stack.height for stack, _, _ in stacks), default=0.0)
    alike = [one for one in stacks if one[0].height > max(_ALIKE * top, _LEAST_HEIGHT)]
    if not alike:
        return [part], False
    around = _around(part, parts)
    alike.sort(key=lambda one: _leap(one[0].line, part, around))
    (own, *others) = (_leap(stack.line, part, around) for stack, _, _ in alike)
    doubtful = any(own + 1 < leap < _CLEAR_LEAP * own for leap in others)
    (stack, line, _) = alike[0]
    new = _measured(take, line, ends, stack, slope_error)
    if new is None or _same(new, part):
        return [part], doubtful
    found = [new]
    _leavings(take, found, new, ends, (False, False))
    return found, doubtful


def _around(part: Part, parts: Sequence[Part]) -> list[Part]:
    """The parts before and after one."""
    before = [one for one in parts if one.end_s <= part.begin_s + _LOOSE_S and one is not part]
    after = [one for one in parts if one.begin_s >= part.end_s - _LOOSE_S and one is not part]
    last = max(before, key=lambda one: one.end_s, default=None)
    first = min(after, key=lambda one: one.begin_s, default=None)
    return [one for one in (last, first) if one is not None]


def _leap(line: Map, part: Part, around: Sequence[Part]) -> float:
    """How many seconds are lost between a part on a line and the nearer of those around it."""
    middle = (part.begin_s + part.end_s) / 2
    heard = line.recorder_time(middle)
    return min((abs(heard - one.fine.line.recorder_time(middle)) for one in around), default=0.0)


def _feasible(line: Map, main: Map, ends: tuple[float, float], *, head: bool) -> bool:
    """Whether the recorder's time goes on from the one line to the other, give or take."""
    if head:
        return line.recorder_time(ends[0]) < main.recorder_time(ends[1]) + _LOOSE_S
    return line.recorder_time(ends[1]) > main.recorder_time(ends[0]) - _LOOSE_S


def _same(new: Part, old: Part) -> bool:
    """Whether both are on one line."""
    middle = new.fine.middle_s
    apart = new.fine.line.recorder_time(middle) - old.fine.line.recorder_time(middle)
    return abs(apart) < SAME_S


def _better(take: Take, new: Part, old: Fine) -> bool:
    """Whether the new line explains its part far better than the old one."""
    times, length = take.windows(new.begin_s, new.end_s)
    pairs = read_pairs(take.camera, take.recorder, old.line, times, length, 0.01)
    theirs = supports(cross_spectra(pairs, old.line, 0.01), old.inverted)
    gain = _evidence(new.fine.support) - _evidence(theirs)
    return gain > _LEAST_GAIN


def _evidence(support: np.ndarray[tuple[int], np.dtype[np.float64]]) -> float:
    """Half the squared height of the sum of the windows."""
    total = float(np.clip(support - 0.7, -2, 40).sum() / max(support.size, 1) ** 0.5)
    return max(total, 0.0) ** 2 / 2


def _unheard(take: Take, part: Part, gap: tuple[float, float]) -> float:
    """How long both hear something in a stretch in which the part's line does not hold."""
    times, length = take.windows(*gap)
    step = -(-len(times) // 12)
    pairs = read_pairs(take.camera, take.recorder, part.fine.line, times[::step], length, 0.01)
    level = median(part.fine.loudness)
    loud = [float(np.sqrt(np.mean(pair.recorder**2))) > _QUIET * level for pair in pairs]
    heard = [bool(np.abs(pair.camera).max(initial=0.0) > 1e-4) for pair in pairs]
    share = float(np.mean(np.logical_and(loud, heard)))
    return share * (gap[1] - gap[0])


def _in_order(parts: Sequence[Part]) -> list[Part]:
    """Keep the longest parts that follow each other in both recordings."""
    kept: list[Part] = []
    for part in sorted(parts, key=lambda part: part.begin_s - part.end_s):
        if all(_follows(part, other) or _follows(other, part) for other in kept):
            kept.append(part)
    return sorted(kept, key=lambda part: part.begin_s)


def _follows(first: Part, second: Part) -> bool:
    """Whether `second` begins where `first` ends or later, in both, give or take a window."""
    gap = second.begin_s - first.end_s
    ours, theirs = first.fine.line, second.fine.line
    heard = theirs.recorder_time(second.begin_s) - ours.recorder_time(first.end_s)
    return gap > -_LOOSE_S and heard > -_LOOSE_S


def _filled(take: Take, parts: Sequence[Part]) -> tuple[list[Part], float]:
    """Look again for what lies between parts where both have more than a joint's length of it.

    What was found there first may have been out of order. Gives the parts with what is found, and
    the seconds that stay without a line.
    """
    out, missing = [parts[0]], 0.0
    for part in parts[1:]:
        before = out[-1]
        gap = (before.end_s, part.begin_s)
        heard = (
            before.fine.line.recorder_time(gap[0]),
            part.fine.line.recorder_time(gap[1]),
        )
        both = min(gap[1] - gap[0], heard[1] - heard[0])
        if both >= 2 * _LEAST_S:
            found = _between(take, before, part, gap, heard)
            if found is None:
                missing += min(both, _unheard(take, before, gap))
            else:
                out.append(found)
        out.append(part)
    return out, missing


def _between(
    take: Take, before: Part, after: Part, gap: tuple[float, float], heard: tuple[float, float]
) -> Part | None:
    """The part on the line that stands highest within a gap of both recordings."""
    fine = before.fine
    slope_error = _slope_error(fine)
    inside = []
    for line in region_lines(take.ours, take.theirs, *gap, take.rate, fine.line.slope):
        begin = max(gap[0], line.camera_time(heard[0]))
        end = min(gap[1], line.camera_time(heard[1]))
        if end - begin >= _LEAST_S:
            inside.append((line, (begin, end)))
    best = _highest(take, inside, fine, slope_error)
    if best is None or best[0].height < _LEAST_HEIGHT:
        return None
    (stack, line, ends) = best
    new = _measured(take, line, ends, stack, slope_error)
    if new is None or _same(new, before) or _same(new, after) or not _better(take, new, fine):
        return None
    return new
