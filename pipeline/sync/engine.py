"""Where the recorder's sound belongs on the camera's time line: search, fine fit, verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from avpipe.media import Candidate, Doubt, Piece, Verdict
from avpipe.sync.consensus import MAX_SLOPE, Line, find_lines
from avpipe.sync.features import Features
from avpipe.sync.fine import Fine, Stack, scan
from avpipe.sync.pieces import region_lines
from avpipe.sync.rivals import (
    WALKOVER,
    Contest,
    close_contest,
    contest,
    explained,
    steady_lag,
)
from avpipe.sync.search import Searched, block_seconds, pool_for, spread
from avpipe.sync.survey import Part, Survey, Take, survey
from avpipe.sync.sweep import LONGEST_S, swept_lines
from avpipe.sync.verdict import CLEAR_MARGIN, FAR_SHARE, Evidence, confidence, judge
from avpipe.sync.windows import Map, Memo, Samples

ReadChannel = Callable[[int, float, float], Samples]
"""(channel, start_s, duration_s) -> mono at FINE_RATE, zeros outside."""

_NTSC = 1.001
_RATES = (
    *(1.0, _NTSC, 1 / _NTSC, 24 / 25, 25 / 24, 44.1 / 48, 48 / 44.1),
    *(24 / 25 / _NTSC, 25 / 24 * _NTSC),
)
"""Seconds of the recorder to one of the camera: as they are, and as files are mislabelled."""
_RATE_SCORE = 4.0
_WILD_SLOPE, _WILD_S, _WILD_BLOCK_S, _WILD_SCORE = 0.012, 120.0, 5.0, 12.0
_RATE_CLOCK = 150e-6
_LINES = 12
_OTHER_LINES = 4
_WORTH_A_LOOK = 0.3
_LEAST_ACTIVE_S = 0.5
_STRONG = 12.0
_OWN_S = 0.1
_RIVAL_HEIGHT = 6.5
_MOST_RIVALS, _MORE_RIVALS = 5, 3
"""The highest, and of the others those that explain the most of each second."""
_MOST_ROUNDS, _BEHIND = 3, -2.0
"""How often the best place is changed for a rival, and how far behind one it has to be."""
_ALIKE = 0.6
_MOST_PERIODS, _FEW_PERIODS = 40, 10
"""To either side, of short recordings and of those that are not."""
_SURVEYED = 4
_CLOSE = 0.5
_BROKEN_SCORE = 10.0
_PART_SLOPE_ERROR = 170e-6
_LEAST_PART_S = 5.0
_BROKEN_REACH_S = 3.0
_FEW_BLOCKS, _MOST_BLOCKS = 16, 400
_OTHER_BLOCKS = 32
"""At a rate that is no clock's: of hours all blocks at all rates would take minutes."""
_DAY_S = 4 * 3600.0
"""From here on the channels but the first are searched quickly."""
_CLEAR_SCORE, _CLEAR_LEAD = 60.0, 0.3
_RESIDUALS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A recording: the features of the channels to try, the best guess first, and its samples."""

    channels: tuple[Features, ...]
    read: ReadChannel
    others: Callable[[], tuple[Features, ...]] = tuple
    """Works out the channels after those; asked only where the first ones are not enough."""

    def whole(self) -> Source:
        """With the others beside the first ones."""
        return replace(self, channels=(*self.channels, *self.others()), others=tuple)

    @property
    def duration_s(self) -> float:
        """Of the longest channel."""
        return max((channel.duration_s for channel in self.channels), default=0.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Residual:
    """What one fine window, or some together, say."""

    time_s: float
    """On the camera's time line."""
    residual_s: float
    """Where it has its maximum, from its piece's line."""
    weight: float
    """Height of that maximum in deviations of noise."""
    inlier: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """The result, with the fields of the contract's `sync` object."""

    verdict: Verdict
    confidence: float
    reason: Doubt | None = None
    offset_s: float | None = None
    drift_ppm: float | None = None
    offset_error_s: float | None = None
    drift_error_ppm: float | None = None
    overlap_s: float = 0.0
    pieces: tuple[Piece, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    inverted: bool = False
    """Whether the recorder's polarity is the opposite of the camera's."""
    channels: tuple[int, int] = (0, 0)
    """The camera's and the recorder's channel that were compared."""
    evidence: Evidence | None = field(default=None)
    residuals: tuple[Residual, ...] = ()
    """At most 200, in the order of time."""


@dataclass(frozen=True, kw_only=True, slots=True)
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


def offset_of(line: Map) -> float:
    """Where the recorder's first sample belongs on the camera's time line."""
    return -line.lag_s / (1 + line.slope)


def align(camera: Source, recorder: Source) -> Found:
    """Find the place; the camera's time line is that of its features and its `read`."""
    first: Take | None = None
    best: tuple[Take, tuple[int, int], list[Place]] | None = None
    for take, pair in _takes(camera, recorder):
        quick = first is not None and max(camera.duration_s, recorder.duration_s) > _DAY_S
        first = first or take
        places = find_places(take, quick=quick)
        if places and (best is None or places[0].height > best[2][0].height):
            best = take, pair, places
        if best is not None and best[2][0].height >= _STRONG:
            break
    if first is None:
        short = min(camera.duration_s, recorder.duration_s) < 2 * _LEAST_ACTIVE_S
        return _nothing(Doubt.TOO_SHORT if short else Doubt.SILENT)
    found = _nothing(Doubt.UNRELATED) if best is None else conclude(*best)
    if found.verdict is not Verdict.UNRELATED:
        return found
    lag = steady_lag(first)
    if lag is None:
        return found
    return replace(
        found, verdict=Verdict.UNCERTAIN, reason=Doubt.AMBIGUOUS, offset_s=-lag, drift_ppm=0.0
    )


def _nothing(reason: Doubt, evidence: Evidence | None = None) -> Found:
    sure = 0.0 if evidence is None else confidence(evidence)
    return Found(verdict=Verdict.UNRELATED, confidence=sure, reason=reason, evidence=evidence)


def _takes(camera: Source, recorder: Source) -> Iterator[tuple[Take, tuple[int, int]]]:
    """Both recordings by each pair of channels, those that have to be worked out last."""
    known = _channel_pairs(camera, recorder)
    for pair in known:
        yield _take(camera, recorder, pair), pair
    (camera, recorder) = (camera.whole(), recorder.whole())
    for pair in _channel_pairs(camera, recorder):
        if pair not in known:
            yield _take(camera, recorder, pair), pair


def _channel_pairs(camera: Source, recorder: Source) -> list[tuple[int, int]]:
    """All pairs of channels that have sound, the first ones first."""
    ours = [k for k, c in enumerate(camera.channels) if c.active_s >= _LEAST_ACTIVE_S]
    theirs = [k for k, c in enumerate(recorder.channels) if c.active_s >= _LEAST_ACTIVE_S]
    return sorted(((a, b) for a in ours for b in theirs), key=lambda pair: (sum(pair), pair))[:8]


def _take(camera: Source, recorder: Source, pair: tuple[int, int]) -> Take:
    """Both recordings as two channels of them show them."""
    return Take(
        camera=Memo(lambda start, duration: camera.read(pair[0], start, duration)),
        recorder=Memo(lambda start, duration: recorder.read(pair[1], start, duration)),
        ours=camera.channels[pair[0]],
        theirs=recorder.channels[pair[1]],
    )


def find_places(take: Take, *, quick: bool = False) -> list[Place]:
    """Search coarsely, then look at the best lines with the fine windows; the best first.

    `quick` is for another channel of what lasts a day: less of it, and at the rate that it tells.
    """
    places: list[Place] = []
    for rate in _RATES[:1] if quick else _RATES:
        lines = _coarse_lines(take, rate, _OTHER_BLOCKS if quick else _MOST_BLOCKS)
        if rate != 1.0:
            lines = [line for line in lines[:_OTHER_LINES] if line.score > _RATE_SCORE]
        places += _looked_at(take, lines, rate)
        if rate == 1.0 and max((place.height for place in places), default=0.0) < _STRONG:
            places += _swept(take)
        places.sort(key=lambda place: -place.height)
        if places and places[0].height >= _STRONG:
            break
    else:
        places += [] if quick else _wild(take)
        places.sort(key=lambda place: -place.height)
    return sorted([*places, *_repeats(take, places)], key=lambda place: -place.height)


def _swept(take: Take) -> list[Place]:
    """Look where the samples of a short pair fit, whatever the features say."""
    places = []
    for line in swept_lines(take):
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
            places.append(Place(coarse=coarse, read=line, stack=stack, rate=1.0))
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
    if len(alike) < 3 or alike[0].height < _RIVAL_HEIGHT:
        return []
    best = alike[0].stack.line
    begin, end = take.overlap(best)
    middle = (begin + end) / 2
    lags = [place.stack.line.recorder_time(middle) - best.recorder_time(middle) for place in alike]
    steps = np.diff(np.sort(lags))
    steps = steps[steps > _OWN_S]
    if steps.size == 0 or steps.min() < 2 * _OWN_S:
        return []
    found = []
    longest = max(take.ours.duration_s, take.theirs.duration_s)
    most = _MOST_PERIODS if longest <= LONGEST_S else _FEW_PERIODS
    for number in range(-most, most + 1):
        shift = number * float(steps.min())
        if number == 0 or min(abs(shift - lag) for lag in lags) < _OWN_S:
            continue
        line = replace(best, lag_s=best.lag_s + shift)
        ends = take.overlap(line)
        if ends[1] - ends[0] < _LEAST_PART_S:
            continue
        stack = _scanned(take, line, alike[0].coarse.slope_error, ends)
        if stack is not None and stack.height > _RIVAL_HEIGHT:
            coarse = replace(alike[0].coarse, score=0.0)
            found.append(Place(coarse=coarse, read=line, stack=stack, rate=alike[0].rate))
    return found


def _coarse_lines(take: Take, rate: float, most: int) -> Sequence[Line]:
    """Give the best coarse lines at a rate: from a few blocks where these are clear, else all."""
    pool = pool_for(take.ours, take.theirs)
    block_s = block_seconds(take.ours, take.theirs)
    searched = Searched(take.theirs, block_s=block_s, pool=pool, rate=rate)
    blocks = searched.blocks_of(take.ours)
    if blocks.size > 1.5 * _FEW_BLOCKS:
        lines = find_lines(searched.find(take.ours, spread(blocks, _FEW_BLOCKS)), _LINES)
        next_best = lines[1].score if len(lines) > 1 else 0.0
        if lines and lines[0].score > max(_CLEAR_SCORE, next_best / _CLEAR_LEAD):
            return lines
    if blocks.size == 0:
        return ()
    most = most if rate == 1.0 else min(most, _OTHER_BLOCKS)
    return find_lines(searched.find(take.ours, spread(blocks, most)), _LINES)


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
            and (stack is None or stack.height < _STRONG)
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
        if best is not None and best[1].height >= _STRONG:
            break
    return best


def conclude(take: Take, pair: tuple[int, int], places: Sequence[Place]) -> Found:
    """Fit the best place exactly, in pieces where it must be, and say what it is worth."""
    strength = _Strength(take)
    best, found = _surveyed(strength, places)
    if not found.parts:
        return _nothing(Doubt.UNRELATED)
    main = _longest(found)
    contests = _contests(strength, places, main, found.parts)
    for _ in range(_MOST_ROUNDS):
        rival = _winner(take, contests)
        if rival is None:
            break
        best, found = rival
        main = _longest(found)
        contests = _contests(strength, places, main, found.parts)
    near, near_share = close_contest(take, main.fine, (main.begin_s, main.end_s))
    evidence = _evidence(best, main, found, [c for _, c in contests], (near, near_share))
    verdict, reason = judge(evidence)
    if found.doubtful and verdict is Verdict.MATCHED:
        verdict, reason = Verdict.UNCERTAIN, Doubt.AMBIGUOUS
    if verdict is Verdict.UNRELATED:
        return _nothing(Doubt.UNRELATED, evidence)
    weights = [float(np.exp(-(max(c.margin, 0.0) ** 2) / 2)) for _, c in contests]
    weights.append(float(np.exp(-(max(near.margin, 0.0) ** 2) / 2)))
    sure = confidence(evidence) / (1 + sum(weights))
    return replace(
        _found(main.fine),
        verdict=verdict,
        reason=reason,
        confidence=sure,
        evidence=evidence,
        pieces=tuple(_piece(part, take.theirs.duration_s) for part in found.parts),
        overlap_s=sum(part.end_s - part.begin_s for part in found.parts),
        channels=pair,
        candidates=_candidates(contests, weights, sure),
        residuals=_residuals(found.parts),
    )


class _Strength:
    """How much places explain of what they let both have; each is measured once, if at all."""

    def __init__(self, take: Take) -> None:
        self.take = take
        self._known: dict[Place, tuple[float, float]] = {}

    def of_each_second(self, place: Place) -> float:
        """The mean support of the place's windows."""
        return self._measured(place)[0]

    def of_all(self, place: Place) -> float:
        """The same times the seconds."""
        (mean, length_s) = self._measured(place)
        return mean * length_s

    def _measured(self, place: Place) -> tuple[float, float]:
        if place not in self._known:
            (begin, end) = place.ends or self.take.overlap(place.stack.line)
            mean = explained(self.take, place.stack, (begin, end)) if end > begin else 0.0
            self._known[place] = mean, max(end - begin, 0.0)
        return self._known[place]


def _surveyed(strength: _Strength, places: Sequence[Place]) -> tuple[Place, Survey]:
    """Survey the best place, and those near it in height; give the one that explains the most."""
    best: tuple[Place, Survey] | None = None
    least = max(_CLOSE * places[0].height, _RIVAL_HEIGHT)
    near = [place for place in places if place is places[0] or place.height >= least]
    if len(near) > _SURVEYED:
        near.sort(key=lambda place: -strength.of_all(place))
    for place in near[:_SURVEYED]:
        found = _survey(strength.take, place)
        if best is None or found.weight > best[1].weight:
            best = place, found
    assert best is not None
    return best


def _survey(take: Take, place: Place) -> Survey:
    """All that was found along a place's line."""
    own = replace(take, rate=place.rate)
    return survey(own, place.read, place.stack, place.coarse.slope_error, place.ends)


def _longest(found: Survey) -> Part:
    return max(found.parts, key=lambda part: part.end_s - part.begin_s)


def _winner(take: Take, contests: Sequence[tuple[Place, Contest]]) -> tuple[Place, Survey] | None:
    """The rival that is ahead of the best place at the same moments, if there is one.

    Of a song that repeats itself a wrong place may explain more in all, where more of both
    recordings overlaps there.
    """
    place, rival = min(contests, key=lambda one: one[1].margin, default=(None, WALKOVER))
    if place is None or rival.margin > _BEHIND:
        return None
    found = _survey(take, place)
    return (place, found) if found.parts else None


def _contests(
    strength: _Strength, places: Sequence[Place], main: Part, parts: Sequence[Part]
) -> list[tuple[Place, Contest]]:
    """Compare the best place with the others that show anything; a piece is no rival."""
    rivals = [
        place
        for place in places
        if place.height > _RIVAL_HEIGHT
        and not any(_is_on(part, place.stack.line) for part in parts)
    ]
    beyond = sorted(rivals[_MOST_RIVALS:], key=lambda place: -strength.of_each_second(place))
    return [
        (place, contest(strength.take, main, place.read, place.stack))
        for place in (*rivals[:_MOST_RIVALS], *beyond[:_MORE_RIVALS])
    ]


def _is_on(part: Part, line: Map) -> bool:
    """Whether the line is the part's own."""
    middle = part.fine.middle_s
    return abs(line.recorder_time(middle) - part.fine.line.recorder_time(middle)) < _OWN_S


def _evidence(
    best: Place,
    main: Part,
    found: Survey,
    contests: Sequence[Contest],
    near: tuple[Contest, float],
) -> Evidence:
    """Gather what decides."""
    fine = main.fine
    overlap = sum(part.end_s - part.begin_s for part in found.parts)
    return Evidence(
        score=best.coarse.score,
        height=fine.height,
        support=float(fine.support.sum() / fine.support.size**0.5),
        inliers=fine.inliers,
        scatter_s=fine.scatter_s,
        near_share=near[1],
        near_margin=near[0].margin,
        far_share=max((c.share for c in contests), default=0.0),
        far_margin=min(
            (c.margin for c in contests if c.share > FAR_SHARE), default=WALKOVER.margin
        ),
        overlap_s=overlap,
        lost_share=found.lost_s / max(overlap, 1e-6),
        known_clock=_known_clock(fine.line.slope),
    )


def _known_clock(slope: float) -> bool:
    """Whether a drift is a clock's, or that of a file that is labelled with another rate."""
    return abs(slope) <= MAX_SLOPE or any(
        abs((1 + slope) / rate - 1) <= _RATE_CLOCK for rate in _RATES
    )


def _piece(part: Part, recorder_s: float) -> Piece:
    line = part.fine.line
    return Piece(
        audio_start_s=max(line.recorder_time(part.begin_s), 0.0),
        audio_end_s=min(line.recorder_time(part.end_s), recorder_s),
        offset_s=offset_of(line),
        drift_ppm=line.slope * 1e6,
    )


def _found(fine: Fine) -> Found:
    """Put the longest piece's line in the contract's terms."""
    offset = offset_of(fine.line)
    far = (offset - fine.middle_s) * fine.slope_error
    return Found(
        verdict=Verdict.UNCERTAIN,
        confidence=0.0,
        offset_s=offset,
        drift_ppm=fine.line.slope * 1e6,
        offset_error_s=float((fine.lag_error_s**2 + far**2) ** 0.5),
        drift_error_ppm=fine.slope_error * 1e6,
        inverted=fine.inverted,
    )


def _candidates(
    contests: Sequence[tuple[Place, Contest]], weights: Sequence[float], sure: float
) -> tuple[Candidate, ...]:
    """Other places that fit nearly as well."""
    return tuple(
        Candidate(
            offset_s=offset_of(place.stack.line),
            drift_ppm=place.stack.line.slope * 1e6,
            confidence=sure * weight,
        )
        for (place, rival), weight in zip(contests, weights, strict=False)
        if rival.margin < CLEAR_MARGIN
    )


def _residuals(parts: Sequence[Part]) -> tuple[Residual, ...]:
    """What the windows of all parts say."""
    out = [residual for part in parts for residual in part.fine.residuals()]
    step = max(-(-len(out) // _RESIDUALS), 1)
    return tuple(Residual(time_s=t, residual_s=r, weight=w, inlier=k) for t, r, w, k in out[::step])
