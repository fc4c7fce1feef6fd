"""The whole take: one line where one will do, else its pieces, each with its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from avpipe.sync.joining import joined, one_clock
from avpipe.sync.leavings import filled, leavings
from avpipe.sync.returns import with_returns, without_turns
from avpipe.sync.settling import SNAP_S, on_one_line, settled
from avpipe.sync.stack import Stack
from avpipe.sync.stretch import LEAST_S, LOOSE_S, measured, same, slope_reach
from avpipe.sync.take import Part, Survey, Take
from avpipe.sync.windows import Map


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
    main = measured(take, coarse, (begin, end), stack, slope_error)
    if main is None:
        return Survey(parts=(), lost_s=0.0)
    if ends is not None:
        return Survey(parts=(main,), lost_s=0.0)
    parts = [main]
    lost = leavings(take, parts, main, (begin, end), (True, True))
    doubtful = False
    whole = on_one_line(take, parts) if len(parts) > 1 else None
    if whole is not None:
        parts = [whole]
        lost = leavings(take, parts, whole, take.overlap(whole.fine.line), (True, True))
    if len(parts) > 1:
        parts, doubtful = settled(take, parts)
        parts, missing = filled(take, _in_order(parts))
        lost += missing
        parts = without_turns(take, one_clock(parts))
    parts, returned = with_returns(take, parts)
    lost = max(lost - returned, 0.0)
    if len(parts) > 1:
        parts = joined(take, one_clock(parts))
        parts[0] = replace(parts[0], begin_s=_reached(take, parts[0], 0))
        parts[-1] = replace(parts[-1], end_s=_reached(take, parts[-1], 1))
    parts[0] = replace(parts[0], begin_s=_snapped(parts[0].begin_s, take, parts[0], 0))
    parts[-1] = replace(parts[-1], end_s=_snapped(parts[-1].end_s, take, parts[-1], 1))
    return Survey(parts=tuple(parts), lost_s=lost, doubtful=doubtful)


def _snapped(time_s: float, take: Take, part: Part, end: int) -> float:
    """An end of the whole, put on the exact line's end where it is the coarse line's."""
    exact = take.overlap(part.fine.line)[end]
    return exact if abs(exact - time_s) < SNAP_S else time_s


def _reached(take: Take, part: Part, end: int) -> float:
    """How far the first or the last part goes on outwards on its line."""
    here = (part.begin_s, part.end_s)[end]
    exact = take.overlap(part.fine.line)[end]
    if abs(exact - here) < LEAST_S:
        return here
    fine = part.fine
    ends = (exact, part.end_s) if end == 0 else (part.begin_s, exact)
    whole = measured(take, fine.line, ends, fine.stack, slope_reach(fine))
    if whole is None or not same(whole, part):
        return here
    return min(here, whole.begin_s) if end == 0 else max(here, whole.end_s)


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
    return gap > -LOOSE_S and heard > -LOOSE_S
