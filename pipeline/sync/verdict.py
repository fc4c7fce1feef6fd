"""What the figures of a fit mean: matched, uncertain or unrelated, why, and how sure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from avpipe.media import Doubt, Verdict


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Evidence:
    """The figures that decide."""

    score: float
    """Sum over the blocks of their coarse peaks above 4 deviations."""
    height: float
    """Of the stacked phase correlation, in deviations of noise."""
    support: float
    """Sum of the windows on the fitted line, in deviations of noise."""
    inliers: float
    """Share of the fine windows within 0.3 ms of the line."""
    scatter_s: float
    near_share: float
    """Height of the best line 1 to 80 ms away over that of the best."""
    near_margin: float
    """How many deviations the best is ahead of that line, window by window."""
    far_share: float
    """Support of the strongest rival elsewhere, over the best place's, at the same moments."""
    far_margin: float
    """How many deviations the best place is ahead of the rival with over `FAR_SHARE` that comes
    closest."""
    overlap_s: float
    lost_share: float
    """Share of the overlap in which both hear something and no line holds."""
    known_clock: bool = True
    """Whether the drift is one that clocks, or files with a wrong rate, have."""


def confidence(evidence: Evidence) -> float:
    """Give the probability that the best place, its rivals left aside, is right."""
    terms = _terms(evidence)
    return float(1 / (1 + np.exp(-np.clip(float(terms @ _WEIGHTS), -30, 30))))


def _terms(evidence: Evidence) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(4,) what the logistic weighs."""
    return np.array(
        [
            1.0,
            np.log1p(max(evidence.height - 5.0, 0.0)),
            min(evidence.near_share, 2.0),
            min(evidence.far_share, 1.5),
        ]
    )


_WEIGHTS = np.array([-2.21, 2.599, -1.826, -1.191])
"""Fitted to 450 pairs; docs/sync.md has the reliability on 425 others."""
_SURE_HEIGHT, _ALONE_HEIGHT, _LEAST_HEIGHT = 9.0, 14.0, 7.0
_LEAST_SCORE = 3.0
_LEAST_INLIERS = 0.5
CLEAR_MARGIN = 4.0
"""Deviations from which one of two places is the better one."""
FAR_SHARE = 0.45
_SHORT_SHARE = 0.75
_NEAR_NOISE, _NEAR_SHARE, _ECHO_SHARE = 6.5, 0.4, 0.8
_ECHO_HEIGHT, _ECHO_SCORE, _ECHO_FAR_SHARE, _ECHO_INLIERS = 20.0, 8.0, 0.6, 0.8
_ECHO_MARGIN = 8.0
_MOST_LOST = 0.15
_ENOUGH_S = 10.0


def judge(evidence: Evidence) -> tuple[Verdict, Doubt | None]:
    """Give the verdict, and why it is not `matched`."""
    agree = evidence.inliers >= _LEAST_INLIERS
    sure = agree and evidence.height >= _SURE_HEIGHT and evidence.score >= _LEAST_SCORE
    sure = sure or (agree and evidence.height >= _ALONE_HEIGHT)
    if not sure and evidence.height < _LEAST_HEIGHT:
        return Verdict.UNRELATED, Doubt.UNRELATED
    if evidence.far_margin < CLEAR_MARGIN:
        return Verdict.UNCERTAIN, Doubt.AMBIGUOUS
    if evidence.near_margin < CLEAR_MARGIN or not _stands_out(evidence) or not sure:
        short = evidence.overlap_s < _ENOUGH_S and evidence.near_share < _SHORT_SHARE
        return Verdict.UNCERTAIN, Doubt.TOO_SHORT if short else Doubt.AMBIGUOUS
    if not evidence.known_clock:
        return Verdict.UNCERTAIN, Doubt.OUT_OF_RANGE
    if evidence.lost_share > _MOST_LOST:
        return Verdict.UNCERTAIN, Doubt.BROKEN
    return Verdict.MATCHED, None


def _stands_out(evidence: Evidence) -> bool:
    """Whether what is beside the best line is noise or an echo.

    The same notes by other instruments give a peak beside others nearly as high; so does the
    same sound with a strong echo, but with nothing elsewhere that fits, and windows that agree.
    """
    if evidence.near_share * evidence.height < max(_NEAR_NOISE, _NEAR_SHARE * evidence.height):
        return True
    return (
        evidence.near_share < _ECHO_SHARE
        and evidence.height > _ECHO_HEIGHT
        and evidence.score > _ECHO_SCORE
        and evidence.far_share < _ECHO_FAR_SHARE
        and min(evidence.far_margin, evidence.near_margin) > _ECHO_MARGIN
        and evidence.inliers > _ECHO_INLIERS
    )
