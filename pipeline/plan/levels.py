"""What levels decide: how loud the camera is beside a recording, and where a joint is not heard."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from avpipe.media import Alignment, Piece
from avpipe.plan.lines import JOINT_FADE_S
from avpipe.recipe import CAMERA
from avpipe.timeline import Segment, Timeline

Samples = NDArray[np.float32]

MOMENT_S = 1.0
"""How long each stretch is that is compared."""
MOMENTS = 12
MOST_GAIN_DB = 30.0
SILENCE_DB = -70.0
"""Below it nothing is compared."""
JOINT_REACH_S = 0.1
"""How far a joint may be moved; what lies between is out of place by as much as the joint jumps."""
EXCERPT_S = 2 * JOINT_REACH_S + float(JOINT_FADE_S)
"""How long the sound around a joint is that `quiet_joints` looks at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Moment:
    """A stretch that camera and recording share."""

    camera_s: float
    """After the first frame shown."""
    source: int
    """The input that holds the recording."""
    audio_s: float
    """After its first sample."""


def shared_moments(timeline: Timeline) -> tuple[Moment, ...]:
    """Stretches of the longest segment of a recording, spread over what it shares with the picture.

    Each is MOMENT_S long; there are none where the two share less.
    """
    shown = timeline.video
    recorded = [part for part in timeline.audio if part.source != CAMERA]
    longest = max(recorded, key=lambda part: part.duration)
    times = spread_moments(max(longest.start, shown.start), min(longest.end, shown.end))
    return tuple(_moment(time, shown, longest) for time in times)


def spread_moments(first: Fraction, end: Fraction) -> list[Fraction]:
    """Where the moments of a stretch begin; none of one that is shorter than they are."""
    last = end - Fraction(MOMENT_S)
    if last < first:
        return []
    steps = min(MOMENTS, int((last - first) / Fraction(MOMENT_S)) + 1)
    return [first + (last - first) * number / max(steps - 1, 1) for number in range(steps)]


def _moment(time: Fraction, shown: Segment, part: Segment) -> Moment:
    return Moment(
        camera_s=float(time - shown.start + shown.source_in),
        source=part.source,
        audio_s=float(part.source_in + (time - part.start) * part.speed),
    )


def match_gain_db(camera: Samples, recording: Samples) -> float:
    """The gain that brings the camera to the level of a recording, in dB.

    Both are (stretches, samples) of the same moments. The louder half of them decides: in the
    pauses each hears its own noise.
    """
    (ours, theirs) = (_level_db(camera), _level_db(recording))
    heard = (ours > SILENCE_DB) & (theirs > SILENCE_DB)
    if not heard.any():
        return 0.0
    loud = heard & (theirs >= np.median(theirs[heard]))
    gain = float(np.median(theirs[loud] - ours[loud]))
    return round(max(-MOST_GAIN_DB, min(MOST_GAIN_DB, gain)), 2)


def _level_db(samples: Samples) -> NDArray[np.float64]:
    power = np.mean(np.square(samples, dtype=np.float64), axis=1)
    return np.asarray(10 * np.log10(power + 1e-12))


def joint_starts(alignment: Alignment) -> tuple[tuple[float, float], ...]:
    """When the EXCERPT_S around each joint begin in the recording.

    One of the piece before it, as if that went on, and one of the piece after it.
    """
    reach = EXCERPT_S / 2
    return tuple(
        (before.audio_end_s - reach, after.audio_start_s - reach)
        for before, after in pairwise(alignment.pieces)
    )


def quiet_joints(alignment: Alignment, before: Samples, after: Samples, rate: int) -> Alignment:
    """The alignment with each joint at the quietest place within JOINT_REACH_S.

    `before` and `after` are (joints, samples) of what `joint_starts` names, at `rate`.
    """
    pieces = list(alignment.pieces)
    for number, (ends, begins) in enumerate(zip(before, after, strict=True)):
        shift = _quiet_shift_s(ends, begins, rate)
        (pieces[number], pieces[number + 1]) = _moved(pieces[number], pieces[number + 1], shift)
    return dataclasses.replace(alignment, pieces=tuple(pieces))


def _quiet_shift_s(ends: Samples, begins: Samples, rate: int) -> float:
    """How far from the middle both are quietest, in seconds; of places as quiet the nearest."""
    width = max(1, round(float(JOINT_FADE_S) * rate))
    power = np.square(ends, dtype=np.float64) + np.square(begins, dtype=np.float64)
    heard = np.convolve(power, np.full(width, 1 / width), "valid") + 1e-12
    way = np.linspace(-1.0, 1.0, heard.size)
    best = int(np.argmin(heard * (1 + np.abs(way))))
    return float(way[best]) * JOINT_REACH_S


def _moved(before: Piece, after: Piece, shift_s: float) -> tuple[Piece, Piece]:
    """Two neighbours with their joint moved, but not beyond the middle of either."""
    room = (
        (before.audio_start_s - before.audio_end_s) / 2,
        (after.audio_end_s - after.audio_start_s) / 2,
    )
    shift = max(room[0], min(room[1], shift_s))
    return (
        dataclasses.replace(before, audio_end_s=before.audio_end_s + shift),
        dataclasses.replace(after, audio_start_s=after.audio_start_s + shift),
    )
