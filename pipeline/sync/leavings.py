"""What a part leaves of its stretch, explained by other lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from avpipe.sync.fine import Fine
from avpipe.sync.pieces import region_lines
from avpipe.sync.stretch import (
    LEAST_HEIGHT,
    LEAST_S,
    LOOSE_S,
    MOST_PARTS,
    better,
    highest,
    measured,
    narrowed,
    same,
    slope_reach,
    unheard,
)
from avpipe.sync.take import Part, Take
from avpipe.sync.windows import Map


def leavings(
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
        if gap[1] - gap[0] >= LEAST_S:
            gap = narrowed(take, part.fine, gap, side)
            reached = (gap[1], part.end_s) if side == 0 else (part.begin_s, gap[0])
            part = parts[index] = replace(part, begin_s=reached[0], end_s=reached[1])
        if gap[1] - gap[0] >= LEAST_S and len(parts) < MOST_PARTS:
            open_gap = gap
            if outer[side]:
                open_gap = (0.0, gap[1]) if side == 0 else (gap[0], take.ours.duration_s)
            found = _another(take, parts, part.fine, open_gap, head=side == 0)
            if found is not None:
                parts.append(found[0])
                beyond = (outer[0], False) if side == 0 else (False, outer[1])
                lost += leavings(take, parts, *found, beyond)
                continue
            lost += unheard(take, part, gap) if outer[side] else 0.0
        if outer[side]:
            begin, end = (ends[0], part.end_s) if side == 0 else (part.begin_s, ends[1])
            parts[index] = replace(part, begin_s=begin, end_s=end)
    return lost


def _another(
    take: Take, parts: Sequence[Part], fine: Fine, gap: tuple[float, float], *, head: bool
) -> tuple[Part, tuple[float, float]] | None:
    """Find the line of a stretch that none of the parts holds in, and where it holds."""
    slope_error = slope_reach(fine)
    lines = [fine.line]
    lines += region_lines(take.ours, take.theirs, *gap, take.rate, fine.line.slope)
    possible = []
    for line in lines:
        begin, end = take.overlap(line)
        ends = max(begin, gap[0]), min(end, gap[1])
        if ends[1] - ends[0] >= LEAST_S and _feasible(line, fine.line, ends, head=head):
            possible.append((line, ends))
    best = highest(take, possible, fine, slope_error)
    if best is None or best[0].height < LEAST_HEIGHT:
        return None
    stack, line, ends = best
    new = measured(take, line, ends, stack, slope_error)
    if new is None or any(same(new, part) for part in parts) or not better(take, new, fine):
        return None
    return new, ends


def _feasible(line: Map, main: Map, ends: tuple[float, float], *, head: bool) -> bool:
    """Whether the recorder's time goes on from the one line to the other, give or take."""
    if head:
        return line.recorder_time(ends[0]) < main.recorder_time(ends[1]) + LOOSE_S
    return line.recorder_time(ends[1]) > main.recorder_time(ends[0]) - LOOSE_S


def filled(take: Take, parts: Sequence[Part]) -> tuple[list[Part], float]:
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
        if both >= 2 * LEAST_S:
            found = _between(take, before, part, gap, heard)
            if found is None:
                missing += min(both, unheard(take, before, gap))
            else:
                out.append(found)
        out.append(part)
    return out, missing


def _between(
    take: Take, before: Part, after: Part, gap: tuple[float, float], heard: tuple[float, float]
) -> Part | None:
    """The part on the line that stands highest within a gap of both recordings."""
    fine = before.fine
    slope_error = slope_reach(fine)
    inside = []
    for line in region_lines(take.ours, take.theirs, *gap, take.rate, fine.line.slope):
        begin = max(gap[0], line.camera_time(heard[0]))
        end = min(gap[1], line.camera_time(heard[1]))
        if end - begin >= LEAST_S:
            inside.append((line, (begin, end)))
    best = highest(take, inside, fine, slope_error)
    if best is None or best[0].height < LEAST_HEIGHT:
        return None
    (stack, line, ends) = best
    new = measured(take, line, ends, stack, slope_error)
    if new is None or same(new, before) or same(new, after) or not better(take, new, fine):
        return None
    return new
