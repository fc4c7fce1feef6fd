"""The whole take: one line where one will do, else its pieces, each with its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from avpipe.sync.fine import Fine, Stack, plan_windows, refine, stack_lines
from avpipe.sync.joints import find_joint
from avpipe.sync.pieces import Span, fine_spans
from avpipe.sync.windows import Cross, Map, Pair, Read, cross_spectra, read_pairs

_REACH_S = 0.08
_LEAST_HEIGHT = 8.0
_SAME_S = 0.4e-3
_SURE_SLOPE = 1.0e-6
_LOOSE_S = 8.0
_CLEAR = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A part of the camera's time line with its exact line."""

    begin_s: float
    end_s: float
    fine: Fine


def survey(
    camera: Read, recorder: Read, spans: Sequence[Span], slope_error: float
) -> tuple[Part, ...]:
    """Measure every span, split it where its windows jump, and find the joints."""
    parts: list[Part] = []
    for span in spans:
        parts += _measured(camera, recorder, span, slope_error, alone=len(spans) == 1)
    parts = _one_clock(_in_order(_clear(parts)))
    return _joined(camera, recorder, parts)


def _measured(
    camera: Read, recorder: Read, span: Span, slope_error: float, *, alone: bool
) -> list[Part]:
    """One span's parts; none where nothing is found in it."""
    read = _windows(camera, recorder, span)
    if read is None:
        return []
    pairs, stack = read[0], stack_lines(read[1], span.map, slope_error, _REACH_S)
    if stack is None or (stack.height < _LEAST_HEIGHT and not alone):
        return []
    aligned = cross_spectra(pairs, stack.line, _REACH_S)
    subs = fine_spans(aligned, stack.line, _REACH_S, span, stack.inverted)
    if len(subs) == 1:
        fine = refine(pairs, stack, _REACH_S)
        return [] if fine is None else [Part(begin_s=span.begin_s, end_s=span.end_s, fine=fine)]
    parts = []
    for sub in subs:
        part = _part(camera, recorder, sub, stack)
        if part is not None:
            parts.append(part)
    return parts


def _windows(camera: Read, recorder: Read, span: Span) -> tuple[tuple[Pair, ...], Cross] | None:
    """Read a span's windows and their cross spectra; None where it is too short."""
    if span.end_s - span.begin_s < 0.3:
        return None
    times, length = plan_windows(span.begin_s, span.end_s)
    pairs = read_pairs(camera, recorder, span.map, times, length, _REACH_S)
    return pairs, cross_spectra(pairs, span.map, _REACH_S)


def _part(camera: Read, recorder: Read, span: Span, stack: Stack) -> Part | None:
    """Measure a part of a span anew, with windows of its own."""
    read = _windows(camera, recorder, span)
    if read is None:
        return None
    own = stack_lines(read[1], span.map, 2e-6, 2e-3)
    if own is None or own.height < _LEAST_HEIGHT:
        return None
    fine = refine(read[0], replace(own, inverted=stack.inverted), _REACH_S)
    return None if fine is None else Part(begin_s=span.begin_s, end_s=span.end_s, fine=fine)


def _clear(parts: Sequence[Part]) -> list[Part]:
    """Drop parts whose windows agree far less than the best one's: music that repeats itself."""
    clearness = [
        part.fine.height / max(part.fine.picks.time_s.size * part.fine.picks.group, 1) ** 0.5
        for part in parts
    ]
    return [
        part
        for part, clear in zip(parts, clearness, strict=True)
        if clear > _CLEAR * max(clearness)
    ]


def _in_order(parts: Sequence[Part]) -> list[Part]:
    """Keep the longest parts that follow each other in both recordings."""
    kept: list[Part] = []
    for part in sorted(parts, key=lambda part: part.begin_s - part.end_s):
        if all(_follows(part, other) or _follows(other, part) for other in kept):
            kept.append(part)
    return sorted(kept, key=lambda part: part.begin_s)


def _follows(first: Part, second: Part) -> bool:
    """Whether `second` begins where `first` ends or later, in both, give or take a block."""
    gap = second.begin_s - first.end_s
    ours, theirs = first.fine.line, second.fine.line
    heard = theirs.recorder_time(second.begin_s) - ours.recorder_time(first.end_s)
    return gap > -_LOOSE_S and heard > -_LOOSE_S


def _one_clock(parts: list[Part]) -> list[Part]:
    """Give parts too short to tell their drift the drift of the surest one."""
    if len(parts) < 2:
        return parts
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


def _joined(camera: Read, recorder: Read, parts: Sequence[Part]) -> tuple[Part, ...]:
    """Join neighbours that are on one line; find where the others meet."""
    out: list[Part] = []
    for part in sorted(parts, key=lambda part: part.begin_s):
        if not out:
            out.append(part)
            continue
        last = out[-1]
        middle = (last.end_s + part.begin_s) / 2
        jump = last.fine.line.recorder_time(middle) - part.fine.line.recorder_time(middle)
        if abs(jump) < _SAME_S:
            surer = min(last.fine, part.fine, key=lambda fine: fine.slope_error)
            out[-1] = Part(begin_s=last.begin_s, end_s=part.end_s, fine=surer)
            continue
        before = Span(begin_s=last.begin_s, end_s=last.end_s, map=last.fine.line)
        after = Span(begin_s=part.begin_s, end_s=part.end_s, map=part.fine.line)
        end, begin = find_joint(camera, recorder, before, after, last.fine.inverted)
        out[-1] = replace(last, end_s=end)
        out.append(replace(part, begin_s=begin))
    return tuple(out)
