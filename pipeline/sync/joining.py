"""Parts put together: one clock, neighbours on one line joined, the others with a joint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from avpipe.sync.joints import find_joint, goes_back
from avpipe.sync.middle import median
from avpipe.sync.pieces import Span
from avpipe.sync.take import Part, Take
from avpipe.sync.windows import Map

SAME_S = 0.4e-3
"""Lines that are no farther apart are one."""
_SURE_SLOPE = 1.0e-6
_MARGIN_WINDOWS = 3.5
_SEEN = 0.5
"""Of the windows' median support: what shows that a line holds."""


def one_clock(parts: list[Part]) -> list[Part]:
    """Give parts too short to tell their drift the drift of the surest one."""
    surest = min(parts, key=lambda part: part.fine.slope_error).fine
    out = []
    for part in parts:
        fine = part.fine
        if fine.slope_error > max(_SURE_SLOPE, 2 * surest.slope_error):
            lag = fine.line.lag_s + fine.line.slope * fine.middle_s
            line = Map(lag_s=lag - surest.line.slope * fine.middle_s, slope=surest.line.slope)
            fine = replace(fine, line=line, slope_error=surest.slope_error)
        out.append(replace(part, fine=fine))
    return out


def joined(take: Take, parts: Sequence[Part]) -> list[Part]:
    """Join neighbours that are on one line; find where the others meet."""
    out: list[Part] = []
    for part in sorted(parts, key=lambda part: part.begin_s):
        if not out:
            out.append(part)
            continue
        last = out[-1]
        if jump(last, part) < SAME_S:
            surer = min(last.fine, part.fine, key=lambda fine: fine.slope_error)
            out[-1] = Part(begin_s=last.begin_s, end_s=part.end_s, fine=surer)
            continue
        before = Span(begin_s=last.begin_s, end_s=last.end_s, map=last.fine.line)
        after = Span(begin_s=part.begin_s, end_s=part.end_s, map=part.fine.line)
        margin = max(_spacing(last), _spacing(part)) * _MARGIN_WINDOWS
        seen = _seen(last, last.end_s, 1), _seen(part, part.begin_s, 0)
        end, begin = find_joint(
            take.camera, take.recorder, before, after, seen, margin, last.fine.inverted
        )
        if goes_back(before, after):
            end, begin = _within(take, before, after, (end, seen, margin))
        out[-1] = replace(last, end_s=end)
        out.append(replace(part, begin_s=begin))
    return out


def _within(
    take: Take, before: Span, after: Span, joint: tuple[float, tuple[float, float], float]
) -> tuple[float, float]:
    """The end of `before` and the begin of `after`, with no sound from outside of the recorder.

    Where the sound goes back the recorder may not have begun yet, or have ended already: then
    neither holds for a while. `joint` is where the two meet else, the last moment at which the one
    was seen to hold and the first at which the other was, and how far they may be from their ends.
    """
    (at, seen, margin_s) = joint
    start = after.map.camera_time(0.0)
    stop = before.map.camera_time(take.theirs.duration_s)
    if start - seen[0] > margin_s:
        return min(before.end_s, seen[0] + margin_s / _MARGIN_WINDOWS, start), start
    if seen[1] - stop > margin_s:
        return stop, max(after.begin_s, seen[1] - margin_s / _MARGIN_WINDOWS, stop)
    end = min(max(at, start), stop)
    return end, max(end, start)


def _seen(part: Part, moment: float, end: int) -> float:
    """The first (0) or last (1) moment inside a part at which a window supports it."""
    fine = part.fine
    inside = (fine.time_s > part.begin_s) & (fine.time_s < part.end_s)
    time = fine.time_s[inside & (fine.support > _SEEN * median(fine.support))]
    return float(time[-1 if end else 0]) if time.size else moment


def _spacing(part: Part) -> float:
    """How far the windows of a part are apart."""
    return (part.end_s - part.begin_s) / max(part.fine.time_s.size, 1)


def jump(first: Part, second: Part) -> float:
    """By how much two parts' lines differ half way between them."""
    middle = (first.end_s + second.begin_s) / 2
    return abs(first.fine.line.recorder_time(middle) - second.fine.line.recorder_time(middle))
