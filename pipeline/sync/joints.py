"""The moment at which one piece ends and the next begins."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from avpipe.sync.pieces import Span
from avpipe.sync.response import Response, learned
from avpipe.sync.windows import (
    FINE_RATE,
    Map,
    Read,
    Samples,
    cross_spectra,
    placed,
    read_pairs,
)

Doubles = NDArray[np.float64]

_NEAR_S = 4.0
_PROBE_S = 1.0
_LEAST_S = 0.1
_STEPS = 24
_DECISIVE = 12.0
_BESIDE_S = (0.0, 1.3, -1.3, 2.6, -2.6, 5.2, -5.2, 10.4, -10.4)
_LONGEST_S = 120.0
_LEARN_S, _LEAST_LEARN_S = 6.0, 0.6
"""How much of what lies beside the joint tells how the camera hears the recorder's sound."""
_LEVEL_S = 0.03
_TELLING_S = 0.05
_CHANCE = 3.4
"""Deviations up to which chance may do it."""
_AS_LIKELY = 2.0
"""How much less the logarithm of the likelihood may be than at the likeliest place."""
_HUSH_S = 0.02
_BACK_S = 6.0
"""What begins so much earlier in the recorder than the piece before ends goes back in it."""


def find_joint(
    camera: Read,
    recorder: Read,
    before: Span,
    after: Span,
    seen: tuple[float, float],
    margin_s: float,
    inverted: bool,
) -> tuple[float, float]:
    """Give the end of `before` and the begin of `after` on the camera's time line.

    Where the recorder lost sound there is a gap in the camera's time between the two; where the
    camera was paused, or was put together in another order, they are the same moment. `seen` are
    the last moment at which the one was seen to hold and the first at which the other was: what
    lies between was perhaps never looked at. Up to `margin_s` beyond them may be the other's.
    """
    heard = before.map.recorder_time(before.end_s)
    lost = max(after.map.camera_time(heard) - before.end_s, 0.0)
    if goes_back(before, after):
        lost = 0.0
    (last, first) = (min(before.end_s, seen[0]), max(after.begin_s, seen[1]) - lost)
    low = max(min(last, first) - margin_s, before.begin_s)
    high = min(max(before.end_s, first) + margin_s, after.end_s - lost)
    if high - low < _LEAST_S:
        return before.end_s, before.end_s + lost
    for _ in range(_STEPS):
        if high - low < _NEAR_S:
            break
        cut = _decided(camera, recorder, (before.map, after.map), (low, high), lost, inverted)
        if cut is None:
            break
        at, first_holds = cut
        # The change may lie within the probe itself, behind the louder part of it.
        half = _PROBE_S / 2
        low, high = (max(at - half, low), high) if first_holds else (low, min(at + half, high))
    if high - low > _LONGEST_S:
        low, high = (low + high - _LONGEST_S) / 2, (low + high + _LONGEST_S) / 2
    at = _change(camera, recorder, (before, after), (low, high), lost)
    return at, at + lost


def goes_back(before: Span, after: Span) -> bool:
    """Whether the recorder's sound of the later part is the earlier one."""
    begin = after.map.recorder_time(after.begin_s)
    return begin < before.map.recorder_time(before.end_s) - _BACK_S


def _decided(
    camera: Read,
    recorder: Read,
    lines: tuple[Map, Map],
    span: tuple[float, float],
    lost: float,
    inverted: bool,
) -> tuple[float, bool] | None:
    """A moment near the middle at which one line clearly holds, and whether it is the first."""
    middle = (span[0] + span[1]) / 2
    reach = 0.3 * (span[1] - span[0])
    for beside in _BESIDE_S:
        if abs(beside) > reach:
            continue
        at = middle + beside
        first = _likeness(camera, recorder, lines[0], at, inverted)
        second = _likeness(camera, recorder, lines[1], at + lost, inverted)
        if abs(max(first, 0.0) ** 2 - max(second, 0.0) ** 2) / 2 > _DECISIVE:
            return at, first > second
    return None


def _likeness(camera: Read, recorder: Read, line: Map, at: float, inverted: bool) -> float:
    """Height of the phase correlation on the line around a moment, in deviations."""
    pairs = read_pairs(camera, recorder, line, [at], _PROBE_S, 0.01)
    cross = cross_spectra(pairs, line, 0.01)
    total = cross.spectra[0].real.sum() * (-1 if inverted else 1)
    return float(total / (np.sqrt((np.abs(cross.spectra[0]) ** 2).sum() / 2) + 1e-9))


def _change(
    camera: Read,
    recorder: Read,
    spans: tuple[Span, Span],
    between: tuple[float, float],
    lost: float,
) -> float:
    """Where the change is likeliest; of places about as likely the one where least is heard.

    In a talker's pause both lines explain the sound alike, and wherever they do a cut is best
    made where it is quiet.
    """
    (low, high) = between
    beside = (
        (max(low - _LEARN_S, spans[0].begin_s), low),
        (high + lost, min(high + lost + _LEARN_S, spans[1].end_s)),
    )
    lines = (spans[0].map, spans[1].map)
    known = [
        _laid(camera, recorder, line, ends)
        for line, ends in zip(lines, beside, strict=True)
        if ends[1] - ends[0] > _LEAST_LEARN_S
    ]
    sounds = [
        _laid(camera, recorder, line, (low + later, high + later))
        for line, later in zip(lines, (0.0, lost), strict=True)
    ]
    size = min(pair[0].size for pair in sounds)
    sounds = [(ours[:size], theirs[:size]) for ours, theirs in sounds]
    response = learned(known or sounds)
    likelihood = np.zeros(size) if response is None else _likelihood(response, sounds, lost)
    power = [theirs.astype(np.float64) ** 2 for _, theirs in sounds]
    loud = _smooth(power[0] + power[1], _HUSH_S)
    alike = likelihood > likelihood.max() - _AS_LIKELY
    return low + float(np.argmin(np.where(alike, loud, np.inf))) / FINE_RATE


def _laid(
    camera: Read, recorder: Read, line: Map, ends: tuple[float, float]
) -> tuple[Samples, Samples]:
    """The camera's sound of a stretch, and the recorder's of the same moments by a line."""
    length = ends[1] - ends[0]
    pair = read_pairs(camera, recorder, line, [(ends[0] + ends[1]) / 2], length, 0.01)[0]
    return pair.camera, placed(pair, line, pair.camera.size)


def _likelihood(
    response: Response, sounds: Sequence[tuple[Samples, Samples]], lost: float
) -> Doubles:
    """(samples,) logarithm of the likelihood that the change is right before each sample.

    `sounds` are what the camera and the recorder heard on the two lines. What a line leaves of the
    camera's sound, after what the recorder lets expect, is noise where it holds. Where sound was
    lost the two lines explain the camera at different moments, and where they do not hold its
    sound is as loud as what is expected, but another.
    """
    heard = [response.whitened(ours) for ours, _ in sounds]
    expected = [response.heard(theirs) for _, theirs in sounds]
    left = [(ours - wet) ** 2 for ours, wet in zip(heard, expected, strict=True)]
    # What the response does not tell grows with the sound: it is no noise of a fixed level.
    level = np.maximum(_smooth(np.minimum(*left), _LEVEL_S), 1.0)
    if lost <= 0:
        gain = (left[1] - left[0]) / (2 * level)
    else:
        other = [level + _smooth(wet**2, _LEVEL_S) for wet in expected]
        first, second = (
            ours**2 / loud - rest / level
            for ours, loud, rest in zip(heard, other, left, strict=True)
        )
        gain = (first - second) / 2
    gain *= _telling(gain)
    return np.asarray(np.cumsum(gain) - gain)


def _telling(gain: Doubles) -> Doubles:
    """(samples,) 1 where the gains before or after each sample go one way, 0 where by chance.

    In a pause neither line explains anything, and what chance adds up to over a second would
    choose the place.
    """
    size = min(round(_TELLING_S * FINE_RATE), gain.size)

    def before(values: Doubles) -> Doubles:
        total = np.concatenate([np.zeros(size), np.cumsum(values)])
        return np.asarray((total[size:] - total[:-size]) / size)

    mean = before(gain)
    spread = np.maximum(before(gain**2) - mean**2, 1e-12)
    sigmas = np.abs(mean) / np.sqrt(spread / size)
    after = np.concatenate([sigmas[size - 1 :], np.full(size - 1, sigmas[-1])])
    return np.asarray(np.clip((np.maximum(sigmas, after) - _CHANCE) / 2, 0.0, 1.0))


def _smooth(values: Doubles, seconds: float) -> Doubles:
    """Means over some time around each sample."""
    width = min(max(round(seconds * FINE_RATE), 1), values.size)
    return np.convolve(values, np.full(width, 1 / width), "same")
