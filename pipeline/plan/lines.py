"""Which stretch of a recording lies where on the video's time line, and how fast it runs there."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

from avpipe.media import Alignment, AlignmentMethod, Piece
from avpipe.plan.layout import SAMPLE_S
from avpipe.plan.request import Request, known_drift_ppm

SOUND_M_S = 343
"""The speed of sound, in meters a second."""
LEAST_SLIDE_S = 0.0005
"""A drift that moves the sound by less from end to end is left in: the samples stay untouched."""
SURE_SIGMAS = 2
"""A drift that is smaller than so many of its own errors may be none."""
NEAR_START_S = Fraction(50, 10**6)
"""A recording found so near to the start of the video begins with it, and may be copied whole."""
JOINT_FADE_S = Fraction(8, 1000)
"""The cross-fade where one piece follows another."""
EDGE_FADE_S = Fraction(4, 1000)
"""The fade of a piece towards silence."""
LEAST_GAP_S = Fraction(30, 1000)
"""A shorter gap between two pieces is closed by their cross-fade."""
_TICK = 10**9
"""Places are kept to the nanosecond, which is far below a sample."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """A stretch of one recording that lies on one line of the video's time."""

    source_in: Fraction
    """Where it begins in the recording, in seconds."""
    source_out: Fraction
    offset: Fraction
    """Where the recording's first sample would lie, in seconds of the video's time."""
    speed: Fraction = Fraction(1)
    """Seconds of the recording in a second of the video."""
    fade_in: Fraction = Fraction(0)
    fade_out: Fraction = Fraction(0)

    @property
    def start(self) -> Fraction:
        """Where it begins on the video's time line."""
        return self.place(self.source_in)

    @property
    def end(self) -> Fraction:
        """Where it ends on the video's time line."""
        return self.place(self.source_out)

    def place(self, source: Fraction) -> Fraction:
        """Where a moment of the recording lies on the video's time line."""
        return self.offset + source / self.speed

    def source(self, place: Fraction) -> Fraction:
        """Which moment of the recording lies there."""
        return (place - self.offset) * self.speed


def lines_of(
    alignment: Alignment, duration: Fraction, request: Request, shown: Fraction | None
) -> tuple[Line, ...]:
    """The lines of a recording of that duration, in the order of time.

    `shown` is the video's duration, None for a picture. Raises RequestError.
    """
    early = _exact(request.camera_distance_m / SOUND_M_S - request.later_s)
    found = alignment.method is AlignmentMethod.CONTENT
    if found and len(alignment.pieces) > 1:
        lines = _pieces(alignment, duration, request)
    else:
        lines = (_whole(alignment, duration, request, shown),)
    return tuple(dataclasses.replace(line, offset=line.offset - early) for line in lines)


def moved_s(request: Request) -> float | None:
    """How much later than its content says a recording is placed; None where its drift is given."""
    if known_drift_ppm(request.drift) is not None:
        return None
    return request.later_s - request.camera_distance_m / SOUND_M_S


def _whole(
    alignment: Alignment, duration: Fraction, request: Request, shown: Fraction | None
) -> Line:
    """One line for all of the recording."""
    if alignment.method is AlignmentMethod.START:
        speed = _speed(known_drift_ppm(request.drift) or 0.0)
        return Line(source_in=Fraction(0), source_out=duration, offset=Fraction(0), speed=speed)
    offset = _exact(alignment.offset_s or 0.0)
    first = min(max(-offset, Fraction(0)), duration)
    last = duration if shown is None else max(min(duration, shown - offset), first)
    drift_ppm = alignment.drift_ppm or 0.0
    corrected_ppm = _corrected(drift_ppm, alignment, request, last - first)
    if alignment.method is AlignmentMethod.CONTENT:
        # Where the drift is left in, or another one taken out, it is right in the middle.
        offset = _turned(offset, drift_ppm, corrected_ppm, (first + last) / 2)
        if abs(offset) < NEAR_START_S and not corrected_ppm:
            offset = Fraction(0)
    return Line(
        source_in=Fraction(0),
        source_out=duration,
        offset=offset,
        speed=_speed(corrected_ppm),
    )


def _pieces(alignment: Alignment, duration: Fraction, request: Request) -> tuple[Line, ...]:
    """The lines of several pieces, in the order of the video.

    The first and the last one reach the ends of the recording, or what another one is made of.
    """
    pieces = sorted(alignment.pieces, key=_middle)
    lines = [_piece(piece, alignment, request) for piece in pieces]
    (first, last) = (lines[0], lines[-1])
    earlier = [line.source_out for line in lines[1:] if line.source_in < first.source_in]
    later = [line.source_in for line in lines[:-1] if line.source_out > last.source_out]
    begin = min(max(earlier, default=Fraction(0)), first.source_in)
    end = max(min(later, default=duration), last.source_out)
    lines[0] = dataclasses.replace(first, source_in=begin)
    lines[-1] = dataclasses.replace(lines[-1], source_out=end)
    for index, (before, after) in enumerate(pairwise(lines)):
        (lines[index], lines[index + 1]) = _joined(before, after, duration)
    return tuple(lines)


def _middle(piece: Piece) -> float:
    """Where the middle of a piece lies on the video's time line, nearly."""
    return (piece.audio_start_s + piece.audio_end_s) / 2 + piece.offset_s


def _piece(piece: Piece, alignment: Alignment, request: Request) -> Line:
    (first, last) = (_exact(piece.audio_start_s), _exact(piece.audio_end_s))
    corrected_ppm = _corrected(piece.drift_ppm, alignment, request, last - first)
    offset = _turned(_exact(piece.offset_s), piece.drift_ppm, corrected_ppm, (first + last) / 2)
    return Line(source_in=first, source_out=last, offset=offset, speed=_speed(corrected_ppm))


def _joined(before: Line, after: Line, duration: Fraction) -> tuple[Line, Line]:
    """Two neighbours with their cross-fade, or with a gap between them that is faded to."""
    if after.start - before.end > LEAST_GAP_S:
        return (
            dataclasses.replace(before, fade_out=EDGE_FADE_S),
            dataclasses.replace(after, fade_in=EDGE_FADE_S),
        )
    cut = (before.end + after.start) / 2
    (begin, end) = (cut - JOINT_FADE_S / 2, cut + JOINT_FADE_S / 2)
    return (
        dataclasses.replace(
            before, source_out=min(before.source(end), duration), fade_out=JOINT_FADE_S
        ),
        dataclasses.replace(
            after, source_in=max(after.source(begin), Fraction(0)), fade_in=JOINT_FADE_S
        ),
    )


def _corrected(drift_ppm: float, alignment: Alignment, request: Request, length: Fraction) -> float:
    """The drift that is taken out, in ppm."""
    known = known_drift_ppm(request.drift)
    if known is not None:
        return known
    error_ppm = alignment.drift_error_ppm or 0.0
    slide_s = abs(drift_ppm) * 1e-6 * float(length)
    if abs(drift_ppm) < SURE_SIGMAS * error_ppm or slide_s < LEAST_SLIDE_S:
        return 0.0
    return drift_ppm


def _turned(offset: Fraction, found_ppm: float, used_ppm: float, middle: Fraction) -> Fraction:
    """The offset with which another drift puts the middle where the found one puts it."""
    if used_ppm == found_ppm:
        return offset
    return _rounded(offset + middle / _speed(found_ppm) - middle / _speed(used_ppm))


def _speed(drift_ppm: float) -> Fraction:
    return 1 + Fraction(round(drift_ppm * 1e6), 10**12)


def _exact(seconds: float) -> Fraction:
    return Fraction(round(seconds * _TICK), _TICK)


def _rounded(seconds: Fraction) -> Fraction:
    return Fraction(round(seconds * _TICK), _TICK)


def cut_line(line: Line, origin: Fraction, duration: Fraction) -> tuple[Fraction, Line] | None:
    """Where a line begins in an output, and the part of it that is heard there; None for nothing.

    The output begins at `origin` of the video's time line. Times of a line with a drift are
    rounded, or their fractions would grow with every step.
    """
    (begin, end) = (line.start, line.end)
    first = max(begin, origin)
    last = min(end, origin + duration)
    if last - first < SAMPLE_S:
        return None
    start = first - origin
    source_in = line.source(first)
    if line.speed == 1:
        source_out = line.source(last)
    else:
        (start, source_in) = (_rounded(start), _rounded(source_in))
        heard = (last - origin - start) * line.speed
        source_out = source_in + Fraction(int(heard * _TICK), _TICK)
    length = (source_out - source_in) / line.speed
    fade_in = min(line.fade_in, length) if first == begin else Fraction(0)
    fade_out = min(line.fade_out, length - fade_in) if last == end else Fraction(0)
    part = dataclasses.replace(
        line, source_in=source_in, source_out=source_out, fade_in=fade_in, fade_out=fade_out
    )
    return start, part
