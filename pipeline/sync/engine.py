"""Where the recorder's sound belongs on the camera's time line: search, fine fit, verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from avpipe.media import Candidate, Doubt, Piece, Verdict
from avpipe.sync.features import Features
from avpipe.sync.fine import Fine
from avpipe.sync.places import STRONG, Place, find_places, places_at, rate_of
from avpipe.sync.rivals import WALKOVER, Contest, close_contest, steady_lag
from avpipe.sync.take import Part, Take
from avpipe.sync.tournament import Best, play_off
from avpipe.sync.verdict import CLEAR_MARGIN, FAR_SHARE, Evidence, confidence, judge
from avpipe.sync.windows import Map, Memo, Samples

ReadChannel = Callable[[int, float, float], Samples]
"""(channel, start_s, duration_s) -> mono at FINE_RATE, zeros outside."""

_LEAST_ACTIVE_S = 0.5
_DAY_S = 4 * 3600.0
"""From here on the channels but the first are searched quickly."""
_RESIDUALS = 200


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
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


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Residual:
    """What one fine window, or some together, say."""

    time_s: float
    """On the camera's time line."""
    residual_s: float
    """Where it has its maximum, from its piece's line."""
    weight: float
    """Height of that maximum in deviations of noise."""
    inlier: bool


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
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
        if best is not None and best[2][0].height >= STRONG:
            break
        if best is None or take is not best[0]:
            take.forget()
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


def conclude(take: Take, pair: tuple[int, int], places: Sequence[Place]) -> Found:
    """Fit the best place exactly, in pieces where it must be, and say what it is worth."""
    best = _played_off(take, places)
    if best is None:
        return _nothing(Doubt.UNRELATED)
    (main, found, contests) = (best.main, best.found, best.contests)
    near, near_share = close_contest(take, main.fine, (main.begin_s, main.end_s))
    evidence = _evidence(best, (near, near_share))
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


def _played_off(take: Take, places: Sequence[Place]) -> Best | None:
    """The best place, held against the others at its own rate too.

    A fit may end at a drift that the search did not go to. What rivals it has, such as the other
    bars of a song of nearly that tempo, were then looked at along lines that cannot fit.
    """
    best = play_off(take, places)
    if best is None:
        return None
    slope = best.main.fine.line.slope
    rate = rate_of(slope) or 1 + slope
    if rate in (1.0, best.place.rate):
        return best
    more = [*places, *places_at(take, rate)]
    return play_off(take, sorted(more, key=lambda place: -place.height))


def _evidence(best: Best, near: tuple[Contest, float]) -> Evidence:
    """Gather what decides."""
    (fine, found) = (best.main.fine, best.found)
    contests = [rival for _, rival in best.contests]
    overlap = sum(part.end_s - part.begin_s for part in found.parts)
    return Evidence(
        score=best.place.coarse.score,
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
        known_clock=rate_of(fine.line.slope) is not None,
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
