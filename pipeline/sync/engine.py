"""Where the recorder's sound belongs on the camera's time line: search, fine fit, verdict."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from avpipe.media import Candidate, Doubt, Piece, Verdict
from avpipe.sync.consensus import Line, find_lines
from avpipe.sync.features import Features
from avpipe.sync.fine import Fine, Stack, scan
from avpipe.sync.pieces import BLOCK_S, Span, coarse_spans
from avpipe.sync.search import block_seconds, find_peaks
from avpipe.sync.survey import Part, survey
from avpipe.sync.verdict import Evidence, confidence, judge
from avpipe.sync.windows import Map, Read, Samples

ReadChannel = Callable[[int, float, float], Samples]
"""(channel, start_s, duration_s) -> mono at FINE_RATE, zeros outside."""

_RATES = (1.0, 1.001, 1 / 1.001, 24 / 25, 25 / 24, 44.1 / 48, 48 / 44.1)
_CANDIDATES = 12
_WORTH_A_LOOK = 0.3
_LEAST_ACTIVE_S = 0.5
_STRONG = 12.0
_OWN_S = 0.1
_BROKEN_SCORE = 10.0
_PART_SLOPE_ERROR = 170e-6
_LEAST_HEIGHT = 8.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """A recording: the features of the channels to try, the best guess first, and its samples."""

    channels: tuple[Features, ...]
    read: ReadChannel

    @property
    def duration_s(self) -> float:
        """Of the longest channel."""
        return max((channel.duration_s for channel in self.channels), default=0.0)


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """One coarse line and what the fine windows say of it."""

    coarse: Line
    map: Map
    rate: float
    height: float
    rival: float


def offset_of(line: Map) -> float:
    """Where the recorder's first sample belongs on the camera's time line."""
    return -line.lag_s / (1 + line.slope)


def overlap_of(line: Map, camera_s: float, recorder_s: float) -> tuple[float, float]:
    """Begin and end of what both have, on the camera's time line."""
    return max(0.0, line.camera_time(0.0)), min(camera_s, line.camera_time(recorder_s))


def align(camera: Source, recorder: Source) -> Found:
    """Find the place; the camera's time line is that of its features and its `read`."""
    if min(_most_active(camera), _most_active(recorder)) < _LEAST_ACTIVE_S:
        short = min(camera.duration_s, recorder.duration_s) < 2 * _LEAST_ACTIVE_S
        return Found(
            verdict=Verdict.UNRELATED,
            confidence=0.0,
            reason=Doubt.TOO_SHORT if short else Doubt.SILENT,
        )
    best: tuple[float, tuple[int, int], list[Place]] | None = None
    for pair in _channel_pairs(camera, recorder):
        places = find_places(camera, recorder, pair)
        if places and (best is None or places[0].height > best[0]):
            best = (places[0].height, pair, places)
        if best is not None and best[0] >= _STRONG:
            break
    if best is None:
        return Found(verdict=Verdict.UNRELATED, confidence=0.0, reason=Doubt.UNRELATED)
    return conclude(camera, recorder, best[1], best[2])


def _most_active(source: Source) -> float:
    return max((channel.active_s for channel in source.channels), default=0.0)


def _channel_pairs(camera: Source, recorder: Source) -> list[tuple[int, int]]:
    """All pairs of channels that have sound, the first ones first."""
    ours = [k for k, c in enumerate(camera.channels) if c.active_s >= _LEAST_ACTIVE_S]
    theirs = [k for k, c in enumerate(recorder.channels) if c.active_s >= _LEAST_ACTIVE_S]
    return sorted(((a, b) for a in ours for b in theirs), key=lambda pair: (sum(pair), pair))[:8]


def channel_reads(camera: Source, recorder: Source, pair: tuple[int, int]) -> tuple[Read, Read]:
    """Give the two channels' own `read`."""
    return (
        lambda start, duration: camera.read(pair[0], start, duration),
        lambda start, duration: recorder.read(pair[1], start, duration),
    )


def find_places(camera: Source, recorder: Source, pair: tuple[int, int]) -> list[Place]:
    """Search coarsely, then look at the best lines with the fine windows; the best first."""
    places: list[Place] = []
    for rate in _RATES:
        lines = _coarse_lines(camera.channels[pair[0]], recorder.channels[pair[1]], rate)
        places += _looked_at(camera, recorder, pair, lines, rate)
        places.sort(key=lambda place: -place.height)
        if places and places[0].height >= _STRONG:
            break
    return places


def _coarse_lines(camera: Features, recorder: Features, rate: float) -> Sequence[Line]:
    """Give the best coarse lines at a rate."""
    longest = max(camera.duration_s, recorder.duration_s)
    block_s = block_seconds(camera, recorder)
    pool = 2 if longest > 1200 else 1
    peaks = find_peaks(camera, recorder, block_s=block_s, pool=pool, rate=rate)
    return list(find_lines(peaks, _CANDIDATES))


def _looked_at(
    camera: Source, recorder: Source, pair: tuple[int, int], lines: Sequence[Line], rate: float
) -> list[Place]:
    """Stack fine windows on each line that is not far behind the best."""
    ours, theirs = channel_reads(camera, recorder, pair)
    places = []
    for line in lines:
        if line.score < _WORTH_A_LOOK * lines[0].score:
            continue
        coarse = Map(lag_s=line.lag_s * rate, slope=(1 + line.slope) * rate - 1)
        begin, end = overlap_of(coarse, camera.duration_s, recorder.duration_s)
        if end - begin < 0.5:
            continue
        stack = scan(ours, theirs, coarse, slope_error=line.slope_error, begin_s=begin, end_s=end)
        if line.score > _BROKEN_SCORE and (stack is None or stack.height < _STRONG):
            features = camera.channels[pair[0]], recorder.channels[pair[1]]
            stack = (
                _best_part(camera, recorder, pair, coarse_spans(*features, [coarse], rate)) or stack
            )
        if stack is not None:
            places.append(
                Place(
                    coarse=line, map=stack.line, rate=rate, height=stack.height, rival=stack.rival
                )
            )
    return places


def _best_part(
    camera: Source, recorder: Source, pair: tuple[int, int], spans: Sequence[Span]
) -> Stack | None:
    """Stack the windows of the longest piece."""
    if not spans:
        return None
    span = max(spans, key=lambda span: span.end_s - span.begin_s)
    begin, end = overlap_of(span.map, camera.duration_s, recorder.duration_s)
    begin, end = max(begin, span.begin_s), min(end, span.end_s)
    if end - begin < BLOCK_S:
        return None
    return scan(
        *channel_reads(camera, recorder, pair),
        span.map,
        slope_error=_PART_SLOPE_ERROR,
        begin_s=begin,
        end_s=end,
    )


def conclude(
    camera: Source, recorder: Source, pair: tuple[int, int], places: Sequence[Place]
) -> Found:
    """Fit the best place exactly, in pieces where it must be, and say what it is worth."""
    best = places[0]
    ours, theirs = channel_reads(camera, recorder, pair)
    spans = _spans(camera, recorder, pair, places)
    parts = survey(ours, theirs, spans, best.coarse.slope_error)
    main = max(parts, key=lambda part: part.end_s - part.begin_s, default=None)
    if main is None:
        return Found(verdict=Verdict.UNRELATED, confidence=0.0, reason=Doubt.UNRELATED)
    if main.fine.height < best.height and not any(_is_on(part, best.map) for part in parts):
        parts = survey(ours, theirs, _whole(best, camera, recorder), best.coarse.slope_error)
        main = max(parts, key=lambda part: part.end_s - part.begin_s, default=main)
    evidence = _evidence(best, places, main, parts)
    verdict, reason = judge(evidence)
    if verdict is Verdict.UNRELATED:
        return Found(
            verdict=verdict, reason=reason, confidence=confidence(evidence), evidence=evidence
        )
    found = _found(main.fine, evidence, verdict, reason)
    pieces = tuple(_piece(part, recorder.duration_s) for part in parts)
    overlap = sum(part.end_s - part.begin_s for part in parts)
    return replace(
        found,
        pieces=pieces,
        overlap_s=overlap,
        channels=pair,
        candidates=_candidates(best, places, evidence),
    )


def _whole(best: Place, camera: Source, recorder: Source) -> tuple[Span, ...]:
    """One span: all that both have on the best line."""
    begin, end = overlap_of(best.map, camera.duration_s, recorder.duration_s)
    return (Span(begin_s=begin, end_s=end, map=best.map),)


def _spans(
    camera: Source, recorder: Source, pair: tuple[int, int], places: Sequence[Place]
) -> tuple[Span, ...]:
    """Give the coarse pieces, each within what both have."""
    best = places[0]
    maps = [
        best.map,
        *(p.map for p in places[1:] if p.height > _LEAST_HEIGHT and p.rate == best.rate),
    ]
    ours, theirs = camera.channels[pair[0]], recorder.channels[pair[1]]
    found: tuple[Span, ...] = ()
    if best.height > _LEAST_HEIGHT and ours.duration_s > 2 * BLOCK_S:
        found = coarse_spans(ours, theirs, maps, best.rate)
    if len(found) > 1:
        # The line may have been drawn through two pieces: look again along the longest one's.
        stack = _best_part(camera, recorder, pair, found)
        if stack is not None and stack.height > best.height:
            found = coarse_spans(ours, theirs, [stack.line, *maps[1:]], best.rate)
    if len(found) < 2:
        found = (Span(begin_s=0.0, end_s=camera.duration_s, map=best.map),)
    spans = []
    for span in found:
        begin, end = overlap_of(span.map, camera.duration_s, recorder.duration_s)
        spans.append(replace(span, begin_s=max(begin, span.begin_s), end_s=min(end, span.end_s)))
    return tuple(span for span in spans if span.end_s - span.begin_s > 0.3)


def _evidence(best: Place, places: Sequence[Place], main: Part, parts: Sequence[Part]) -> Evidence:
    """Gather what decides; a place that became a piece is no rival."""
    fine = main.fine
    others = [p for p in places[1:] if not any(_is_on(part, p.map) for part in parts)]
    return Evidence(
        score=best.coarse.score,
        height=fine.height,
        rival=fine.rival,
        runner_up=max((p.coarse.contest for p in others), default=0.0),
        fine_runner_up=max((p.height for p in others), default=0.0) / max(best.height, 1e-6),
        inliers=fine.inliers,
        scatter_s=fine.scatter_s,
        overlap_s=main.end_s - main.begin_s,
        shared=1.0,
    )


def _is_on(part: Part, line: Map) -> bool:
    """Whether the line is the part's own."""
    middle = part.fine.middle_s
    return abs(line.recorder_time(middle) - part.fine.line.recorder_time(middle)) < _OWN_S


def _piece(part: Part, recorder_s: float) -> Piece:
    line = part.fine.line
    return Piece(
        audio_start_s=max(line.recorder_time(part.begin_s), 0.0),
        audio_end_s=min(line.recorder_time(part.end_s), recorder_s),
        offset_s=offset_of(line),
        drift_ppm=line.slope * 1e6,
    )


def _found(fine: Fine, evidence: Evidence, verdict: Verdict, reason: Doubt | None) -> Found:
    """Put the longest piece's line in the contract's terms."""
    offset = offset_of(fine.line)
    far = (offset - fine.middle_s) * fine.slope_error
    return Found(
        verdict=verdict,
        confidence=confidence(evidence),
        reason=reason,
        offset_s=offset,
        drift_ppm=fine.line.slope * 1e6,
        offset_error_s=float((fine.lag_error_s**2 + far**2) ** 0.5),
        drift_error_ppm=fine.slope_error * 1e6,
        inverted=fine.inverted,
        evidence=evidence,
    )


def _candidates(best: Place, places: Sequence[Place], evidence: Evidence) -> tuple[Candidate, ...]:
    """Other places, by how near they come to the best one."""
    return tuple(
        Candidate(
            offset_s=offset_of(place.map),
            drift_ppm=place.map.slope * 1e6,
            confidence=confidence(evidence) * place.height / (place.height + best.height),
        )
        for place in places[1:]
        if place.height > 0.5 * best.height
    )
