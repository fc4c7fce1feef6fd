"""A clap, or another event that is seen and heard at once: where the sound would then belong.

Sudden changes of the picture are laid on sudden onsets of the sound, as a film editor does with a
slate. That a picture change and a bang belong together is a guess: nothing here is ever certain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float32]

MOST_EVENTS = 8
"""How many of each kind are laid on each other."""
_HOP_S = 0.005
_QUIET_S = 0.1
"""Before an onset: that long it is held against."""
_AROUND_S = 1.0
_LEAST_CHANGE = 6.0
_LEAST_RISE_DB = 15.0
_LEAST_LEVEL_DB = -30.0
"""Below the loudest."""
_APART_S = 0.25
_SOUND_BEGINS = 0.3
"""Of the peak of an onset."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Event:
    """Something sudden."""

    time_s: float
    strength: float
    """From 0 to 1, beside the strongest of its kind."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Place:
    """Where the first sample of the sound would belong, and how many events say so."""

    offset_s: float
    score: float
    events: int


def picture_events(changes: Signal, rate: float) -> tuple[Event, ...]:
    """The most sudden changes of a picture, strongest first.

    `changes` (frames,): how far each frame is from the one before, in any unit, from the first
    frame on; `rate`: frames a second.
    """
    usual = _median_around(changes, max(1, round(_AROUND_S * rate)))
    floor = max(float(np.median(changes)), 1e-3 * float(changes.max(initial=0.0)), 1e-9)
    strength = changes / np.maximum(usual, floor)
    return _strongest(strength, np.arange(changes.size) / rate, _LEAST_CHANGE)


def sound_events(samples: Signal, rate: int) -> tuple[Event, ...]:
    """The most sudden onsets of a sound, strongest first. `samples` (n,), mono."""
    hop = round(_HOP_S * rate)
    count = samples.size // hop
    if count < 2:
        return ()
    sharp = np.diff(samples, prepend=samples[:1])[: count * hop].reshape(count, hop)
    level_db = 10 * np.log10(np.mean(np.square(sharp, dtype=np.float64), axis=1) + 1e-12)
    before_db = _loudest_before(level_db, round(_QUIET_S / _HOP_S))
    rise_db = np.where(level_db > level_db.max() + _LEAST_LEVEL_DB, level_db - before_db, 0.0)
    times = np.array([_begin(samples, number * hop, hop) / rate for number in range(count)])
    return _strongest(rise_db.astype(np.float32), times, _LEAST_RISE_DB)


def places(
    picture: Sequence[Event],
    sound: Sequence[Event],
    *,
    frame_s: float,
    near: tuple[float, float] | None = None,
) -> tuple[Place, ...]:
    """The places at which events of both fall together, the likeliest first.

    `frame_s`: how long a frame stands; `near`: the first and the last offset that may be.
    """
    offsets = [
        (seen.time_s - heard.time_s, seen.strength * heard.strength)
        for seen in picture
        for heard in sound
        if near is None or near[0] <= seen.time_s - heard.time_s <= near[1]
    ]
    found: list[Place] = []
    while offsets:
        groups = [_near(offsets, offset, frame_s) for offset, _ in offsets]
        best = max(groups, key=lambda group: sum(weight for _, weight in group))
        score = sum(weight for _, weight in best)
        middle = sum(offset * weight for offset, weight in best) / score
        found.append(Place(offset_s=middle, score=score, events=len(best)))
        offsets = [one for one in offsets if one not in best]
    return tuple(found)


def _near(
    offsets: Sequence[tuple[float, float]], middle: float, frame_s: float
) -> list[tuple[float, float]]:
    return [one for one in offsets if abs(one[0] - middle) <= frame_s]


def _strongest(
    strength: NDArray[np.floating[Any]], times: NDArray[np.float64], least: float
) -> tuple[Event, ...]:
    """Peaks, each alone in its surroundings."""
    found: list[Event] = []
    top = float(strength.max(initial=0.0))
    for number in np.argsort(-strength):
        if strength[number] < least or len(found) == MOST_EVENTS:
            break
        when = float(times[number])
        if all(abs(when - other.time_s) > _APART_S for other in found):
            found.append(Event(time_s=when, strength=float(strength[number]) / top))
    return tuple(found)


def _median_around(values: Signal, reach: int) -> Signal:
    """(n,) the median of what is at most `reach` away."""
    padded = np.pad(values, reach, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    return np.asarray(np.median(windows, axis=1), np.float32)


def _loudest_before(level_db: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """(n,) the highest level of the `reach` hops before each; of the first ones, their own."""
    padded = np.concatenate([np.full(reach, level_db[:1].max()), level_db[:-1]])
    return np.asarray(np.lib.stride_tricks.sliding_window_view(padded, reach).max(axis=1))


def _begin(samples: Signal, start: int, hop: int) -> int:
    """The first sample of an onset."""
    part = np.abs(samples[start : start + 2 * hop])
    return start + int(np.argmax(part >= _SOUND_BEGINS * part.max()))
