"""The camera's own sound where no recording is heard."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from fractions import Fraction

from avpipe.plan.lines import JOINT_FADE_S, LEAST_GAP_S
from avpipe.timeline import Segment

FILL_FADE_S = Fraction(40, 1000)
"""The cross-fade between a recording and the camera's sound."""
BRIEF_S = Fraction(1, 2)
"""In a shorter gap the cross-fade is that of a joint."""

Span = tuple[Fraction, Fraction]


def filled(
    recordings: Sequence[Sequence[Segment]], shown: Segment, stream: int, gain_db: float
) -> tuple[tuple[Segment, ...], tuple[tuple[Segment, ...], ...]]:
    """The camera's segments that fill the gaps, and the recordings, faded towards them.

    `recordings` holds the segments of each; `stream` is the camera's sound and `gain_db` what
    brings it to their level. Fades lie within the recordings, so that nothing of a gap is lost.
    """
    faded = [list(segments) for segments in recordings]
    fills = []
    for gap in gaps(recordings, (shown.start, shown.end)):
        (rise, fall) = (_fade_out_before(faded, gap), _fade_in_after(faded, gap))
        (start, end) = (gap[0] - rise, gap[1] + fall)
        own = shown.source_in - shown.start
        fills.append(
            Segment(
                source=shown.source,
                stream=stream,
                start=start,
                source_in=own + start,
                source_out=own + end,
                gain_db=gain_db,
                fade_in=rise,
                fade_out=fall,
            )
        )
    return tuple(fills), tuple(tuple(segments) for segments in faded)


def gaps(recordings: Sequence[Sequence[Segment]], shown: Span) -> Iterator[Span]:
    """The stretches of the output, while a picture is shown, in which no recording is heard."""
    covered = sorted((part.start, part.end) for segments in recordings for part in segments)
    at = shown[0]
    for start, end in (*covered, (shown[1], shown[1])):
        if min(start, shown[1]) - at > LEAST_GAP_S:
            yield at, min(start, shown[1])
        at = max(at, end)


def _fade_out_before(recordings: list[list[Segment]], gap: Span) -> Fraction:
    """Fade out the recording that ends where the gap begins; gives for how long."""
    for segments in recordings:
        for index, part in enumerate(segments):
            if part.end == gap[0]:
                fade = _fade(gap, part)
                segments[index] = dataclasses.replace(part, fade_out=fade)
                return fade
    return Fraction(0)


def _fade_in_after(recordings: list[list[Segment]], gap: Span) -> Fraction:
    for segments in recordings:
        for index, part in enumerate(segments):
            if part.start == gap[1]:
                fade = _fade(gap, part)
                segments[index] = dataclasses.replace(part, fade_in=fade)
                return fade
    return Fraction(0)


def _fade(gap: Span, part: Segment) -> Fraction:
    longest = FILL_FADE_S if gap[1] - gap[0] > BRIEF_S else JOINT_FADE_S
    return min(longest, part.duration / 2)
