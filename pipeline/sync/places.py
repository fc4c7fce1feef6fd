"""Where a recorder could belong: lines from the features, looked at with the fine windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from avpipe.sync.consensus import MAX_SLOPE, Line, find_lines
from avpipe.sync.pieces import region_lines
from avpipe.sync.search import Searched, block_seconds, pool_for, spread
from avpipe.sync.stack import Stack, scan
from avpipe.sync.sweep import LONGEST_S, swept_lines
from avpipe.sync.take import Take
from avpipe.sync.windows import Map

_NTSC = 1.001
RATES = (
    *(1.0, _NTSC, 1 / _NTSC, 24 / 25, 25 / 24, 44.1 / 48, 48 / 44.1),
    *(24 / 25 / _NTSC, 25 / 24 * _NTSC),
)
"""Seconds of the recorder to one of the camera: as they are, and as files are mislabelled."""
STRONG = 12.0
"""A height that needs no other channel, rate or sweep beside it."""
RIVAL_HEIGHT = 6.5
OWN_S = 0.1
"""Places that are no farther apart are one."""
_RATE_SCORE = 4.0
_WILD_SLOPE, _WILD_S, _WILD_BLOCK_S, _WILD_SCORE = 0.012, 120.0, 5.0, 12.0
_LINES = 12
_OTHER_LINES = 4
_WORTH_A_LOOK = 0.3
_ALIKE = 0.6
_MOST_PERIODS, _FEW_PERIODS = 40, 10
"""To either side, of short recordings and of those that are not."""
_BROKEN_SCORE = 10.0
_RATE_CLOCK = 150e-6
_PART_SLOPE_ERROR = 170e-6
_LEAST_PART_S = 5.0
_BROKEN_REACH_S = 3.0
_FEW_BLOCKS, _MOST_BLOCKS = 16, 400
_OTHER_BLOCKS = 32
"""At a rate that is no clock's: of hours all blocks at all rates would take minutes."""
_CLIP_S = 120.0
_CLEAR_SCORE, _CLEAR_LEAD = 60.0, 0.3


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Place:
    """One coarse line and what the fine windows say of it."""

    coarse: Line
    read: Map
    """The line that the windows were read by."""
    stack: Stack
    rate: float
    ends: tuple[float, float] | None = None
    """The stretch of the camera's time that was looked at; None for all that both have."""

    @property
    def height(self) -> float:
        """Of the stack."""
        return self.stack.height


def find_places(take: Take, *, quick: bool = False) -> list[Place]:
    """Search coarsely, then look at the best lines with the fine windows; the best first.

    `quick` is for another channel of what lasts a day: less of it, and at the rate that it tells.
    """
    places: list[Place] = []
    for rate in RATES[:1] if quick else RATES:
        lines = _coarse_lines(take, rate, _OTHER_BLOCKS if quick else _MOST_BLOCKS)
        if rate != 1.0:
            lines = [line for line in lines[:_OTHER_LINES] if line.score > _RATE_SCORE]
        places += _looked_at(take, lines, rate)
        if rate == 1.0 and max((place.height for place in places), default=0.0) < STRONG:
            places += _swept(take)
        places.sort(key=lambda place: -place.height)
        if places and places[0].height >= STRONG:
            break
    else:
        places += [] if quick else _wild(take)
        places.sort(key=lambda place: -place.height)
    return sorted([*places, *_repeats(take, places)], key=lambda place: -place.height)


def places_at(take: Take, rate: float) -> list[Place]:
    """Look at one rate, whatever its lines score: what fits there has its rivals there."""
    places = [*_looked_at(take, _coarse_lines(take, rate, _MOST_BLOCKS), rate), *_swept(take, rate)]
    places.sort(key=lambda place: -place.height)
    return [*places, *_repeats(take, places)]


def rate_of(slope: float) -> float | None:
    """The rate at which clocks have such a drift; None where they have it at none."""
    if abs(slope) <= MAX_SLOPE:
        return 1.0
    near = (rate for rate in RATES if abs((1 + slope) / rate - 1) <= _RATE_CLOCK)
    return next(near, None)


def _swept(take: Take, rate: float = 1.0) -> list[Place]:
    """Look where the samples of a short pair fit, whatever the features say."""
    places = []
    for line in swept_lines(take, rate):
        ends = take.overlap(line)
        if ends[1] - ends[0] < _LEAST_PART_S:
            continue
        stack = _scanned(take, line, MAX_SLOPE / 3, ends)
        if stack is not None:
            coarse = Line(
                lag_s=line.lag_s,
                slope=line.slope,
                score=0.0,
                blocks=0,
                slope_error=MAX_SLOPE / 3,
            )
            places.append(Place(coarse=coarse, read=line, stack=stack, rate=rate))
    return places


def _wild(take: Take) -> list[Place]:
    """Look for a drift that no clock has, in two minutes from the middle of the camera's sound."""
    middle = take.ours.duration_s / 2
    pool = pool_for(take.ours, take.theirs)
    searched = Searched(take.theirs, block_s=_WILD_BLOCK_S, pool=pool)
    blocks = searched.blocks_of(take.ours)
    blocks = blocks[np.abs((blocks + 0.5) * _WILD_BLOCK_S - middle) < _WILD_S / 2]
    if blocks.size < 2:
        return []
    lines = find_lines(searched.find(take.ours, blocks), 1, _WILD_SLOPE)
    if not lines or lines[0].score < _WILD_SCORE or abs(lines[0].slope) < MAX_SLOPE / 2:
        return []
    line = Map(lag_s=lines[0].lag_s, slope=lines[0].slope)
    begin, end = take.overlap(line)
    ends = max(begin, middle - _WILD_S / 2), min(end, middle + _WILD_S / 2)
    if ends[1] - ends[0] < _LEAST_PART_S:
        return []
    stack = _scanned(take, line, lines[0].slope_error, ends)
    if stack is None:
        return []
    return [Place(coarse=lines[0], read=line, stack=stack, rate=1.0, ends=ends)]


def _repeats(take: Take, places: Sequence[Place]) -> list[Place]:
    """Look where a sound that repeats itself would fit as well: whole periods from the best."""
    alike = [place for place in places if place.height > _ALIKE * places[0].height]
    if len(alike) < 3 or alike[0].height < RIVAL_HEIGHT:
        return []
    best = alike[0].stack.line
    begin, end = take.overlap(best)
    middle = (begin + end) / 2
    lags = [place.stack.line.recorder_time(middle) - best.recorder_time(middle) for place in alike]
    steps = np.diff(np.sort(lags))
    steps = steps[steps > OWN_S]
    if steps.size == 0 or steps.min() < 2 * OWN_S:
        return []
    found = []
    longest = max(take.ours.duration_s, take.theirs.duration_s)
    most = _MOST_PERIODS if longest <= LONGEST_S else _FEW_PERIODS
    for number in range(-most, most + 1):
        shift = number * float(steps.min())
        if number == 0 or min(abs(shift - lag) for lag in lags) < OWN_S:
            continue
        line = replace(best, lag_s=best.lag_s + shift)
        ends = take.overlap(line)
        if ends[1] - ends[0] < _LEAST_PART_S:
            continue
        stack = _scanned(take, line, alike[0].coarse.slope_error, ends)
        if stack is not None and stack.height > RIVAL_HEIGHT:
            coarse = replace(alike[0].coarse, score=0.0)
            found.append(Place(coarse=coarse, read=line, stack=stack, rate=alike[0].rate))
    return found


def _coarse_lines(take: Take, rate: float, most: int) -> Sequence[Line]:
    """Give the best coarse lines at a rate: from a few blocks where these are clear, else all."""
    (ours, theirs) = (take.ours, take.theirs)
    pool = _pool(take, rate)
    block_s = block_seconds(ours, theirs)
    searched = Searched(theirs, block_s=block_s, pool=pool, rate=rate)
    (blocks, others) = (searched.blocks_of(ours), searched.blocks_of(theirs))
    most = most if rate == 1.0 else min(most, _OTHER_BLOCKS)
    if blocks.size > most and blocks.size > 2 * others.size:  # a clip lies between most of them
        searched = Searched(ours, block_s=block_s, pool=pool, rate=1 / rate)
        lines = find_lines(searched.find(theirs, spread(others, most)), _LINES)
        return [line.turned(rate) for line in lines]
    if blocks.size > 1.5 * _FEW_BLOCKS:
        lines = find_lines(searched.find(ours, spread(blocks, _FEW_BLOCKS)), _LINES)
        next_best = lines[1].score if len(lines) > 1 else 0.0
        if lines and lines[0].score > max(_CLEAR_SCORE, next_best / _CLEAR_LEAD):
            return lines
    if blocks.size == 0:
        return ()
    return find_lines(searched.find(ours, spread(blocks, most)), _LINES)


def _pool(take: Take, rate: float) -> int:
    """Frames to average: none where one is a clip, which is little work along any length."""
    if rate == 1.0 and min(take.ours.duration_s, take.theirs.duration_s) < _CLIP_S:
        return 1
    return pool_for(take.ours, take.theirs)


def _looked_at(take: Take, lines: Sequence[Line], rate: float) -> list[Place]:
    """Stack fine windows on each line that is not far behind the best."""
    places = []
    for line in lines:
        if line.score < _WORTH_A_LOOK * lines[0].score:
            continue
        coarse = Map(lag_s=line.lag_s * rate, slope=(1 + line.slope) * rate - 1)
        begin, end = take.overlap(coarse)
        if end - begin < 0.5:
            continue
        stack = _scanned(take, coarse, line.slope_error, (begin, end))
        if (
            line in lines[:2]
            and line.score > _BROKEN_SCORE
            and (stack is None or stack.height < STRONG)
        ):
            coarse, stack = _broken(take, coarse, (begin, end), rate) or (coarse, stack)
        if stack is not None:
            places.append(Place(coarse=line, read=coarse, stack=stack, rate=rate))
    return places


def _scanned(take: Take, line: Map, slope_error: float, ends: tuple[float, float]) -> Stack | None:
    windows = take.windows(*ends)
    return scan(take.camera, take.recorder, line, windows, slope_error=slope_error)


def _broken(
    take: Take, line: Map, ends: tuple[float, float], rate: float
) -> tuple[Map, Stack] | None:
    """Look for a line in the quarters of a stretch that one line went through but does not fit."""
    quarter = (ends[1] - ends[0]) / 4
    best: tuple[Map, Stack] | None = None
    if quarter < _LEAST_PART_S:
        return None
    for number in range(4):
        begin = ends[0] + number * quarter
        for own in region_lines(take.ours, take.theirs, begin, begin + quarter, rate, line.slope):
            middle = begin + quarter / 2
            if abs(own.recorder_time(middle) - line.recorder_time(middle)) > _BROKEN_REACH_S:
                continue
            stack = _scanned(take, own, _PART_SLOPE_ERROR, (begin, begin + quarter))
            if stack is not None and (best is None or stack.height > best[1].height):
                best = own, stack
        if best is not None and best[1].height >= STRONG:
            break
    return best
