"""Parts put together: one clock, neighbours on one line joined, the others with a joint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from avpipe.sync.joints import find_joint
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
    for part in _without_returns(sorted(parts, key=lambda part: part.begin_s)):
        if not out:
            out.append(part)
            continue
        last = out[-1]
        if _jump(last, part) < SAME_S:
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
        out[-1] = replace(last, end_s=end)
        out.append(replace(part, begin_s=begin))
    return out


def _seen(part: Part, moment: float, end: int) -> float:
    """The first (0) or last (1) moment inside a part at which a window supports it."""
    fine = part.fine
    inside = (fine.time_s > part.begin_s) & (fine.time_s < part.end_s)
    time = fine.time_s[inside & (fine.support > _SEEN * median(fine.support))]
    return float(time[-1 if end else 0]) if time.size else moment


def _spacing(part: Part) -> float:
    """How far the windows of a part are apart."""
    return (part.end_s - part.begin_s) / max(part.fine.time_s.size, 1)


def _jump(first: Part, second: Part) -> float:
    """By how much two parts' lines differ half way between them."""
    middle = (first.end_s + second.begin_s) / 2
    return abs(first.fine.line.recorder_time(middle) - second.fine.line.recorder_time(middle))


def _without_returns(parts: list[Part]) -> list[Part]:
    """Take out what stands between two parts of one line: talkers who take turns, not jumps."""
    for number, part in enumerate(parts):
        for other in range(len(parts) - 1, number + 1, -1):
            if _jump(part, parts[other]) < 2 * SAME_S:
                surer = max(part, parts[other], key=lambda part: part.end_s - part.begin_s)
                whole = replace(surer, begin_s=part.begin_s, end_s=parts[other].end_s)
                return _without_returns([*parts[:number], whole, *parts[other + 1 :]])
    return parts
