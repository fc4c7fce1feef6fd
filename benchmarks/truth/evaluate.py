"""Lets the engine align recorded pairs, and sets what it says against the truth."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from avpipe.benchmarks.scene import Samples
from avpipe.benchmarks.truth import stages
from avpipe.benchmarks.truth.pairs import Device, Expected, Pair
from avpipe.benchmarks.truth.record import Recording, Take
from avpipe.benchmarks.truth.stages import Stage
from avpipe.media import Piece, Verdict
from avpipe.sync.engine import Found, Source, align
from avpipe.sync.features import PCM_RATE, Features, FeatureStream
from avpipe.sync.windows import FINE_RATE

RIGHT_MS = 1.0
"""A place that is no farther from the truth is right."""
_EDGE_S = 0.5
"""How near to a joint of two pieces the map is not looked at."""
_IN_MEMORY_S = 2400


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """One pair, what the engine said, and how far that is from the truth; None where it is not."""

    set_name: str
    pair: Pair
    verdict: Verdict
    reason: str | None
    confidence: float
    offset_s: float | None
    drift_ppm: float | None
    offset_error_s: float | None
    drift_error_ppm: float | None
    head_ms: float | None
    """Error of the map where the overlap begins."""
    tail_ms: float | None
    """Error of the map where it ends."""
    worst_ms: float | None
    """The greatest error at the head or tail of any true piece."""
    drift_off_ppm: float | None
    offset_off_s: float | None
    """Error of `offset_s`; None where there is more than one piece."""
    covered: float
    """Share of the true overlap that lies in a found piece and is right."""
    pieces: tuple[Piece, ...]
    candidates: int
    inverted: bool
    engine_s: float
    """CPU time, without that of the features."""
    features_s: float
    evidence: dict[str, Any]

    @property
    def right(self) -> bool:
        """Whether the place is right."""
        return self.worst_ms is not None and self.worst_ms < RIGHT_MS

    @property
    def wrong(self) -> bool:
        """Whether a place was vouched for that is not right."""
        return self.verdict is Verdict.MATCHED and not self.right


def evaluate(set_name: str, recording: Recording) -> Outcome:
    """Run the engine on a pair."""
    begin = time.process_time()
    camera, recorder = source_of(recording.camera), source_of(recording.recorder)
    middle = time.process_time()
    found = align(camera, recorder)
    return outcome_of(
        set_name,
        recording.pair,
        found,
        features_s=middle - begin,
        engine_s=time.process_time() - middle,
    )


def outcome_of(
    set_name: str, pair: Pair, found: Found, *, features_s: float = 0.0, engine_s: float = 0.0
) -> Outcome:
    """Set what was found against what is true."""
    truth = pair.pieces
    lines = _lines(found)
    errors = [_ends_off_ms(piece, lines, sharp=len(truth) == 1) for piece in truth] if lines else []
    single = truth[0] if len(truth) == 1 and found.offset_s is not None else None
    drift = found.drift_ppm
    return Outcome(
        set_name=set_name,
        pair=pair,
        verdict=found.verdict,
        reason=None if found.reason is None else str(found.reason),
        confidence=found.confidence,
        offset_s=found.offset_s,
        drift_ppm=drift,
        offset_error_s=found.offset_error_s,
        drift_error_ppm=found.drift_error_ppm,
        head_ms=errors[0][0] if errors else None,
        tail_ms=errors[-1][1] if errors else None,
        worst_ms=max((max(map(abs, ends)) for ends in errors), default=None),
        drift_off_ppm=None if not truth or drift is None else drift - truth[0].drift_ppm,
        offset_off_s=None if single is None else (found.offset_s or 0.0) - single.offset_s,
        covered=_covered(truth, found.pieces),
        pieces=found.pieces,
        candidates=len(found.candidates),
        inverted=found.inverted,
        engine_s=engine_s,
        features_s=features_s,
        evidence={} if found.evidence is None else dataclasses.asdict(found.evidence),
    )


def _lines(found: Found) -> tuple[Piece, ...]:
    """The found pieces; one that lasts for ever where there is a place alone."""
    if found.offset_s is None or found.drift_ppm is None:
        return ()
    if len(found.pieces) > 1:
        return found.pieces
    return (
        Piece(
            audio_start_s=0.0,
            audio_end_s=float("inf"),
            offset_s=found.offset_s,
            drift_ppm=found.drift_ppm,
        ),
    )


def _ends_off_ms(truth: Piece, lines: Sequence[Piece], *, sharp: bool) -> tuple[float, float]:
    """Errors of the map at the begin and the end of a true piece, in ms."""
    length = truth.audio_end_s - truth.audio_start_s
    edge = 0.0 if sharp else min(_EDGE_S, length / 3)
    head, tail = (
        1e3 * (_place(_nearest(lines, moment), moment) - _place(truth, moment))
        for moment in (truth.audio_start_s + edge, truth.audio_end_s - edge)
    )
    return head, tail


def _nearest(lines: Sequence[Piece], moment: float) -> Piece:
    """The piece that holds a moment of the audio, or is nearest to it."""
    return min(
        lines, key=lambda line: max(line.audio_start_s - moment, moment - line.audio_end_s, 0.0)
    )


def _place(line: Piece, moment: float) -> float:
    """Where a moment of the audio belongs on the camera's time line."""
    return line.offset_s + moment / (1 + line.drift_ppm / 1e6)


def _covered(truth: Sequence[Piece], found: Sequence[Piece]) -> float:
    """Share of the true overlap that is in a found piece whose line is right there."""
    right = total = 0.0
    for piece in truth:
        total += piece.audio_end_s - piece.audio_start_s
        for line in found:
            begin = max(piece.audio_start_s, line.audio_start_s)
            end = min(piece.audio_end_s, line.audio_end_s)
            middle = (begin + end) / 2
            near = abs(_place(line, middle) - _place(piece, middle)) * 1e3 < RIGHT_MS
            right += max(end - begin, 0.0) if near else 0.0
    return right / total if total else 0.0


def source_of(take: Take) -> Source:
    """What the engine reads of a take: features of each channel, and samples at 16 kHz."""
    fine = [_fine(channel) for channel in take.channels]

    def read(channel: int, start_s: float, duration_s: float) -> Samples:
        return fine[channel].read(round(start_s * FINE_RATE), round(duration_s * FINE_RATE))

    return Source(channels=tuple(_features(channel) for channel in fine), read=read)


def _fine(sound: Stage) -> Stage:
    """A channel at 16 kHz; in memory where it is short."""
    size = sound.size * FINE_RATE // sound.rate
    step = Fraction(sound.rate, FINE_RATE)
    fine = sound
    if step != 1:
        fine = stages.fitted(sound, first=Fraction(0), step=step, size=size, rate=FINE_RATE)
    if size > _IN_MEMORY_S * FINE_RATE:
        return fine
    samples = np.concatenate([np.zeros(0, np.float32), *stages.blocks(fine)])
    return stages.Held(samples=samples, rate=FINE_RATE)


def _features(fine: Stage) -> Features:
    """Features of a channel, fed in blocks at 8 kHz."""
    step = Fraction(FINE_RATE, PCM_RATE)
    coarse = stages.fitted(fine, first=Fraction(0), step=step, size=fine.size // 2, rate=PCM_RATE)
    stream = FeatureStream()
    for block in stages.blocks(coarse):
        stream.push(block)
    return stream.finish()


def as_json(outcome: Outcome) -> dict[str, Any]:
    """The outcome as it is written to a file, with what the pair is."""
    pair = outcome.pair
    own = {
        name: getattr(outcome, name)
        for name in Outcome.__dataclass_fields__
        if name not in ("pair", "pieces")
    }
    return {
        "set": own.pop("set_name"),
        "name": pair.name,
        "sound": str(pair.sound),
        "recorder_sound": None if pair.recorder_sound is None else str(pair.recorder_sound),
        "expected": pair.expected,
        "seed": pair.seed,
        "camera_s": float(pair.camera_s),
        "recorder_s": float(pair.recorder_s),
        "overlap_s": float(pair.overlap_s) if pair.related else 0.0,
        "true_offset_s": float(pair.offset_s) if pair.related else None,
        "true_drift_ppm": float(pair.drift_ppm) if pair.related else None,
        "camera": _device(pair.camera),
        "recorder": _device(pair.recorder),
        "true_pieces": [dataclasses.asdict(piece) for piece in pair.pieces],
        "pieces": [dataclasses.asdict(piece) for piece in outcome.pieces],
        "right": outcome.right,
        "wrong": outcome.wrong,
        **own,
    }


def _device(device: Device) -> dict[str, Any]:
    return {key: value for key, value in dataclasses.asdict(device).items() if value is not None}


def is_as_expected(outcome: Outcome) -> bool:
    """Whether the verdict is what it should be, and the place right where one is vouched for."""
    match outcome.pair.expected:
        case Expected.MATCHED:
            return outcome.verdict is Verdict.MATCHED and outcome.right
        case Expected.AMBIGUOUS:
            return outcome.verdict is Verdict.UNCERTAIN or (
                outcome.verdict is Verdict.MATCHED and outcome.right
            )
        case Expected.UNRELATED:
            return outcome.verdict is not Verdict.MATCHED
