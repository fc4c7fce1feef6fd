"""Pieces that go back: a camera that was put together in another order, or played a scene twice.

That time runs forward in both recordings is what else rules out the places where music is the same
again. Without it a piece counts only where no other place is anything like it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from avpipe.sync.fine import Fine
from avpipe.sync.joining import SAME_S, jump
from avpipe.sync.middle import median
from avpipe.sync.pieces import blank, region_lines, scored_lines
from avpipe.sync.stretch import (
    LEAST_HEIGHT,
    LEAST_S,
    MOST_PARTS,
    along,
    better,
    measured,
    slope_reach,
    stacks,
)
from avpipe.sync.take import Part, Take
from avpipe.sync.windows import Map, correlations_at, cross_spectra, read_pairs

Span = tuple[float, float]

_SURE_HEIGHT = 12.0
_LEAST_SCORE = 3.0
_SHORTEST_S = 3.0
_OWN_S = 0.1
"""A line that is no farther from that of a part is no piece of its own: talkers who take turns."""
_ALIKE = 0.6
"""Of the support that a piece has: a place that has more may be the right one as well."""
_FAINT = 0.4
"""Of the support of the longest part: a piece with less is another take of the same."""
_SHARED = 0.25
"""Of a piece: sound that another one has as well."""
_COPY_LAGS_S = np.linspace(-240e-6, 240e-6, 121)
_COPY = 0.9
"""How alike the camera's sound has to be to itself to be a copy; a song played again is not."""


def with_returns(take: Take, parts: Sequence[Part]) -> tuple[list[Part], float]:
    """Add the pieces that lie where no part holds, whatever the recorder's order.

    Gives all of them in the order of the camera's time, and how many seconds were added.
    """
    main = max(parts, key=_length)
    out, tried, added = _without_blanks(parts), set[tuple[int, int]](), 0.0
    if main.fine.height < _SURE_HEIGHT:
        return list(parts), 0.0
    while len(out) < MOST_PARTS:
        hole = next((hole for hole in _holes(take, out) if _key(hole) not in tried), None)
        if hole is None:
            break
        tried.add(_key(hole))
        new = _found(take, out, main, hole)
        if new is not None:
            out = _inserted(out, new)
            added += new.end_s - new.begin_s
    return out, added


def without_turns(take: Take, parts: Sequence[Part]) -> list[Part]:
    """Take out what stands between two parts of one line: talkers who take turns, not jumps.

    What could be nowhere else stays: a camera that was put together may come back to a line.
    """
    out = sorted(parts, key=lambda part: part.begin_s)
    for number, part in enumerate(out):
        for last in range(len(out) - 1, number + 1, -1):
            if jump(part, out[last]) > 2 * SAME_S:
                continue
            around, between = [part, out[last]], out[number + 1 : last]
            if all(_counts(take, around, part, one) for one in between):
                continue
            surer = max(part, out[last], key=_length)
            whole = replace(surer, begin_s=part.begin_s, end_s=out[last].end_s)
            return without_turns(take, [*out[:number], whole, *out[last + 1 :]])
    return out


def _key(hole: Span) -> tuple[int, int]:
    return round(hole[0] * 10), round(hole[1] * 10)


def _seen(part: Part) -> Span:
    """The stretch of a part in which its windows lie."""
    time = part.fine.time_s
    inside = time[(time >= part.begin_s) & (time <= part.end_s)]
    if inside.size < 2:
        return part.begin_s, part.end_s
    half = float(np.diff(inside).min()) / 2
    return max(part.begin_s, float(inside[0]) - half), min(part.end_s, float(inside[-1]) + half)


def _holes(take: Take, parts: Sequence[Part]) -> Iterator[Span]:
    """The stretches of the camera's time in which no part was seen to hold."""
    at = 0.0
    for part in parts:
        (begin, end) = _seen(part)
        if begin - at >= LEAST_S:
            yield at, begin
        at = max(at, end)
    if take.ours.duration_s - at >= LEAST_S:
        yield at, take.ours.duration_s


def _without_blanks(parts: Sequence[Part]) -> list[Part]:
    """The parts in the order of time, in two where a line does not hold for a while within."""
    left, out = list(parts), list[Part]()
    while left:
        part = left.pop()
        fine = part.fine
        inside = (fine.time_s >= part.begin_s) & (fine.time_s <= part.end_s)
        run = blank(fine.support[inside], fine.loudness[inside])
        if run is None:
            out.append(part)
            continue
        time = fine.time_s[inside]
        (last, first) = (float(time[run[0] - 1]), float(time[run[1] + 1]))
        left += [replace(part, end_s=last), replace(part, begin_s=first)]
    return sorted(out, key=lambda part: part.begin_s)


def _found(take: Take, parts: Sequence[Part], main: Part, hole: Span) -> Part | None:
    """The piece that lies in a stretch, if one is there that could be nowhere else."""
    fine = main.fine
    lines = scored_lines(take.ours, take.theirs, hole, take.rate, fine.line.slope)
    possible = []
    for line, score in lines:
        (begin, end) = take.overlap(line)
        ends = max(begin, hole[0]), min(end, hole[1])
        if score > _LEAST_SCORE and ends[1] - ends[0] >= _SHORTEST_S:
            possible.append((line, ends))
    found = stacks(take, possible, fine, slope_reach(fine))
    for stack, line, ends in sorted(found, key=lambda one: -one[0].height):
        if stack.height < LEAST_HEIGHT:
            break
        new = measured(take, line, ends, stack, slope_reach(fine))
        if new is not None and _counts(take, parts, main, new):
            return new
    return None


def _counts(take: Take, parts: Sequence[Part], main: Part, new: Part) -> bool:
    """Whether a line in a stretch is a piece: strong, of its own, and like nothing else."""
    around = _around(new, parts)
    if _length(new) < _SHORTEST_S or any(_near(new, part) for part in around):
        return False
    if _height(take, new) < _SURE_HEIGHT or _level(new.fine) < _FAINT * _level(main.fine):
        return False
    if not all(better(take, new, part.fine) for part in around):
        return False
    shared = [part for part in parts if _shared_s(new, part) > _SHARED * _length(new)]
    if not all(_is_copied(take, new, part) for part in shared):
        return False
    return not any(
        float(np.clip(support, 0.0, None).mean()) > _ALIKE * _level(new.fine)
        for support in _elsewhere(take, new, shared)
    )


def _around(new: Part, parts: Sequence[Part]) -> list[Part]:
    """The parts before and after one."""
    middle = (new.begin_s + new.end_s) / 2
    before = [part for part in parts if (part.begin_s + part.end_s) / 2 < middle]
    after = [part for part in parts if (part.begin_s + part.end_s) / 2 > middle]
    return [*before[-1:], *after[:1]]


def _height(take: Take, part: Part) -> float:
    """How high the line stands in the part alone; it was perhaps found in much more than that."""
    ends = part.begin_s, part.end_s
    found = stacks(take, [(part.fine.line, ends)], part.fine, slope_reach(part.fine))
    return max((stack.height for stack, _, _ in found), default=0.0)


def _near(new: Part, part: Part) -> bool:
    middle = new.fine.middle_s
    apart = new.fine.line.recorder_time(middle) - part.fine.line.recorder_time(middle)
    return abs(apart) < _OWN_S


def _level(fine: Fine) -> float:
    """The mean support of a line's windows."""
    return float(np.clip(fine.support, 0.0, None).mean())


def _length(part: Part) -> float:
    return part.end_s - part.begin_s


def _heard(part: Part) -> Span:
    """Which stretch of the recorder a part was seen to be."""
    (begin, end) = _seen(part)
    return part.fine.line.recorder_time(begin), part.fine.line.recorder_time(end)


def _shared_s(one: Part, other: Part) -> float:
    """How much of the recorder's sound two parts have both."""
    (a, b), (c, d) = _heard(one), _heard(other)
    return min(b, d) - max(a, c)


def _is_copied(take: Take, new: Part, old: Part) -> bool:
    """Whether what both have of the recorder is the same sound in the camera, noise and all."""
    (a, b), (c, d) = _heard(new), _heard(old)
    heard = max(a, c), min(b, d)
    (begin, end) = (new.fine.line.camera_time(moment) for moment in heard)
    lag = old.fine.line.camera_time(heard[0]) - begin
    times, length = take.windows(begin, end)
    line = Map(lag_s=lag, slope=0.0)
    pairs = read_pairs(take.camera, take.camera, line, times, length, 0.01)
    cross = cross_spectra(pairs, line, 0.01)
    used = cross.loudness > 0
    if not used.any():
        return False
    most = np.abs(cross.spectra[used]).sum(axis=1)
    alike = correlations_at(cross, _COPY_LAGS_S, None)[used].max(axis=1) / most
    return median(alike) > _COPY


def _elsewhere(
    take: Take, new: Part, shared: Sequence[Part]
) -> Iterator[np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """(windows,) supports of the lines that put the piece, or its sound, somewhere else.

    Those of `shared`, whose sound is a copy of the piece's, are not.
    """
    fine = new.fine
    ends = new.begin_s, new.end_s
    for line in region_lines(take.ours, take.theirs, *ends, take.rate, fine.line.slope):
        yield from _apart(take, new, line, ends, ())
    heard = tuple(fine.line.recorder_time(end) for end in ends)
    back = region_lines(
        take.theirs, take.ours, heard[0], heard[1], 1 / take.rate, 1 / (1 + fine.line.slope) - 1
    )
    for other in back:
        line = Map(lag_s=-other.lag_s / (1 + other.slope), slope=1 / (1 + other.slope) - 1)
        there = line.camera_time(heard[0]), line.camera_time(heard[1])
        yield from _apart(take, new, line, there, shared)


def _apart(
    take: Take, new: Part, line: Map, ends: Span, shared: Sequence[Part]
) -> Iterator[np.ndarray[tuple[int], np.dtype[np.float64]]]:
    """The support of another line in a stretch, after the stack has told where it is exactly."""
    (begin, end) = take.overlap(line)
    ends = max(begin, ends[0]), min(end, ends[1])
    middle = (ends[0] + ends[1]) / 2
    if ends[1] - ends[0] < _SHORTEST_S or any(
        abs(line.recorder_time(middle) - part.fine.line.recorder_time(middle)) < _OWN_S
        for part in (new, *shared)
    ):
        return
    for stack, _, _ in stacks(take, [(line, ends)], new.fine, slope_reach(new.fine)):
        yield along(take, ends, stack.line, stack.inverted)


def _inserted(parts: Sequence[Part], new: Part) -> list[Part]:
    """The parts with a new one among them; what it lies in becomes two."""
    out = [new]
    for part in parts:
        if part.end_s <= new.begin_s or part.begin_s >= new.end_s:
            out.append(part)
            continue
        time = part.fine.time_s
        for begin, end in ((part.begin_s, new.begin_s), (new.end_s, part.end_s)):
            if ((time > begin) & (time < end)).any():
                out.append(replace(part, begin_s=begin, end_s=end))
    return sorted(out, key=lambda part: part.begin_s)
