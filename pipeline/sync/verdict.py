"""What the figures of a fit mean: matched, uncertain or unrelated, why, and how sure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class Verdict(StrEnum):
    """Whether the two belong together."""

    MATCHED = "matched"
    UNCERTAIN = "uncertain"
    UNRELATED = "unrelated"


class Reason(StrEnum):
    """Why not `matched`."""

    UNRELATED = "unrelated"
    """Nothing in the one is found in the other."""
    AMBIGUOUS = "ambiguous"
    """More than one place fits."""
    TOO_SHORT = "too_short"
    """They share, or have, less than it takes to tell."""
    SILENT = "silent"
    """One of them has no sound."""
    NO_AUDIO = "no_audio"
    """The video has no sound stream."""
    OUT_OF_RANGE = "out_of_range"
    """The drift is beyond any clock's."""
    BROKEN = "broken"
    """Parts fit, but no few pieces explain the whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """The figures that decide."""

    score: float
    """Sum over the blocks of their coarse peaks above 4 deviations."""
    height: float
    """Of the stacked phase correlation, in deviations of noise."""
    rival: float
    """The stack's second place within reach, over its first."""
    runner_up: float
    """Coarse score of the best line elsewhere, over the best."""
    fine_runner_up: float
    """Stack height of the best line elsewhere, over the best."""
    inliers: float
    """Share of the fine windows within 0.3 ms of the line."""
    scatter_s: float
    overlap_s: float
    shared: float
    """Share of the blocks in the overlap that have their peak on the line."""


def confidence(evidence: Evidence) -> float:
    """Give a figure that rises with the evidence: weights set by hand, NOT yet calibrated."""
    terms = _terms(evidence)
    return float(1 / (1 + np.exp(-np.clip(float(terms @ _WEIGHTS), -30, 30))))


def _terms(evidence: Evidence) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(6,) what the logistic weighs."""
    return np.array(
        [
            1.0,
            np.log1p(max(evidence.score, 0.0)),
            np.log1p(max(evidence.height - 5.0, 0.0)),
            max(evidence.runner_up, 0.3),
            max(evidence.fine_runner_up, 0.3),
            evidence.inliers,
        ]
    )


_WEIGHTS = np.array([-6.0, 1.5, 2.0, -2.0, -2.0, 2.0])


def judge(evidence: Evidence) -> tuple[Verdict, Reason | None]:
    """Give the verdict; thresholds chosen on truth-set seed 3, not yet on held-out sounds."""
    sure = evidence.height >= 9.0 and evidence.score >= 3.0 and evidence.inliers >= 0.5
    sure = sure or (evidence.height >= 14.0 and evidence.inliers >= 0.5)
    if not sure and evidence.height < 7.0:
        return Verdict.UNRELATED, Reason.UNRELATED
    if evidence.runner_up > 0.55 and evidence.fine_runner_up > 0.75:
        return Verdict.UNCERTAIN, Reason.AMBIGUOUS
    if min(evidence.runner_up, evidence.fine_runner_up) > 0.35 and evidence.rival > 0.3:
        return Verdict.UNCERTAIN, Reason.AMBIGUOUS  # also hits some right places (0.30 to 0.39)
    if sure and evidence.rival < 0.8:
        return Verdict.MATCHED, None
    return Verdict.UNCERTAIN, Reason.TOO_SHORT if evidence.overlap_s < 10 else Reason.AMBIGUOUS
