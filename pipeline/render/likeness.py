"""How a file that somebody else rendered sounds and looks beside what it was made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from avpipe.codecs import isolate
from avpipe.codecs.excerpts import EXCERPT_RATE, read_excerpts
from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.glimpses import GLIMPSE_RATE, read_glimpses
from avpipe.errors import ChildFailedError
from avpipe.media import MediaInfo, VideoStream
from avpipe.plan.values import Plan

Signal = NDArray[np.float64]

MOST_EARLY_S, MOST_LATE_S = 0.045, 0.125
"""Of sound beside its picture: from there on people notice it (ITU-R BT.1359)."""
LEAST_LIKENESS = 0.5
"""Of a correlation: less, and something else is at least as strong as what was sent."""
REACH_S = 1.0
"""How far off something is looked for."""
SOUND_WINDOWS, SOUND_S = 8, 3.0
PICTURE_WINDOWS, PICTURE_S = 4, 2.0
QUIET = 1e-3
"""The level below which a stretch of sound tells nothing, of 1."""
QUIETER = 0.03
"""The same of the loudest stretch: what is only noise beside it."""
STILL = 1.0
"""By how many grey steps a picture moves at least where it tells when it is shown."""
SAME_SHAPE = 0.01
"""How far width over height may be off and still be the same."""
ONE_PLACE = {"sound": 0.98, "picture": 0.995}
"""Of the best likeness: places as good as that are the same, and the nearest counts."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """How one stretch of the result compares with what was sent."""

    late_s: float
    likeness: float
    """From 0 to 1."""


def sound_matches(sent: MediaInfo, made: MediaInfo, ffmpeg: Ffmpeg) -> tuple[Match, ...]:
    """For stretches of the sent sound that are heard, where the result has them."""
    duration_s = float(sent.audio[0].duration or 0)
    (starts, length_s) = _windows(duration_s, SOUND_WINDOWS, SOUND_S)
    own = read_excerpts(ffmpeg, sent, sent.audio[0], starts, length_s).astype(np.float64)
    levels = np.sqrt((own**2).mean(axis=1))
    told = levels > max(QUIET, QUIETER * levels.max())
    starts = [start for start, loud in zip(starts, told, strict=True) if loud]
    if not starts:
        return ()
    first_s = float(made.start or 0)
    reads = [max(0.0, start - REACH_S) for start in starts]
    length = length_s + 2 * REACH_S
    found = read_excerpts(ffmpeg, made, made.audio[0], reads, length, origin=Fraction(0))
    places = [max(read, first_s) for read in reads]
    return tuple(
        _best(_sound_likeness(one, _placed(other, place, start)), EXCERPT_RATE, "sound")
        for one, other, place, start in zip(own[told], found, places, starts, strict=True)
    )


def picture_matches(plan: Plan, made: MediaInfo, ffmpeg: Ffmpeg) -> tuple[Match, ...]:
    """For stretches of the video in which something moves, where the result shows them."""
    (camera, shown) = (plan.inputs.video, plan.timeline.video)
    if camera.picture is not None:
        return ()
    (inner, length_s) = _windows(float(shown.duration), PICTURE_WINDOWS, PICTURE_S)
    starts = [start + float(shown.start) for start in inner]
    copies = _copies(plan, made, inner, length_s)
    if copies is not None:
        return copies
    frame = None if plan.encode is None else plan.encode.frame
    own = read_glimpses(
        ffmpeg,
        camera,
        camera.video[0],
        [start + float(shown.source_in) for start in inner],
        length_s,
        origin=camera.video[0].start or Fraction(0),
        aspect=None if frame is None else Fraction(plan.timeline.width, plan.timeline.height),
        frame=frame,
    ).astype(np.float64)
    moves = [float(np.abs(one - one.mean(axis=0)).mean()) for one in own]
    telling = [number for number, move in enumerate(moves) if move >= STILL]
    reads = [max(0.0, starts[number] - REACH_S) for number in telling]
    if not reads:
        return ()
    found = read_glimpses(ffmpeg, made, made.video[0], reads, length_s + 2 * REACH_S)
    return tuple(
        _best(
            _picture_likeness(own[number], _held(other, read, starts[number])),
            GLIMPSE_RATE,
            "picture",
        )
        for number, read, other in zip(telling, reads, found, strict=True)
    )


def _copies(
    plan: Plan, made: MediaInfo, inner: Sequence[float], length_s: float
) -> tuple[Match, ...] | None:
    """The matches of a picture that was copied, at a fiftieth of what decoding takes.

    None where a stretch of it was not, or it is shown in another shape or another way up.
    """
    (camera, shown) = (plan.inputs.video, plan.timeline.video)
    (own, found) = (camera.video[0], made.video[0])
    if _upright(own) != _upright(found):
        return None
    (width, height) = own.upright_size
    if abs(width * plan.timeline.height / (height * plan.timeline.width) - 1) > SAME_SHAPE:
        return None
    begin_s = float((own.start or Fraction(0)) + shown.source_in)
    try:
        lates = isolate.find_copies(
            (camera.path, own.index),
            (made.path, found.index),
            [(begin_s + start, begin_s + start + length_s) for start in inner],
            later_s=float(shown.start) - begin_s,
            reach_s=REACH_S,
        )
    except ChildFailedError:
        return None  # what decoders make of it is looked at instead
    told = [late for late in lates if late is not None]
    if len(told) < len(lates):
        return None
    return tuple(Match(late_s=late, likeness=1.0) for late in told)


def _upright(stream: VideoStream) -> tuple[object, ...]:
    return (stream.rotation_deg, stream.sample_aspect_ratio or Fraction(1))


def sync_s(sounds: Iterable[Match], pictures: Iterable[Match]) -> float:
    """How late the sound is beside its picture, at worst; negative where it is early."""
    heard = [match.late_s for match in sounds] or [0.0]
    seen = [match.late_s for match in pictures] or [0.0]
    (late, early) = (max(heard) - min(seen), min(heard) - max(seen))
    return late if late / MOST_LATE_S >= -early / MOST_EARLY_S else early


def likeness(matches: Sequence[Match]) -> float | None:
    """That of the stretch that is the least like what was sent; None where none tells."""
    return min((match.likeness for match in matches), default=None)


def _windows(whole_s: float, count: int, length_s: float) -> tuple[list[float], float]:
    """Where windows begin that are spread over a whole, and how long they are."""
    length_s = min(length_s, whole_s)
    count = max(1, min(count, int(whole_s / length_s))) if length_s > 0 else 1
    return [float(start) for start in np.linspace(0.0, whole_s - length_s, count)], length_s


def _placed(found: NDArray[np.float32], place_s: float, start_s: float) -> Signal:
    """What was read from `place_s` on, as what is heard from REACH_S before `start_s` on."""
    shift = max(0, round((place_s - (start_s - REACH_S)) * EXCERPT_RATE))
    placed = np.zeros(found.size)
    placed[shift:] = found[: found.size - shift]
    return placed


def _held(found: NDArray[np.float32], read_s: float, start_s: float) -> Signal:
    """The same of a picture; before its first frame that is held."""
    shift = max(0, round((read_s - (start_s - REACH_S)) * GLIMPSE_RATE))
    before = np.repeat(found[:1], shift, axis=0)
    return np.concatenate([before, found[: len(found) - shift]]).astype(np.float64)


def _sound_likeness(own: Signal, found: Signal) -> Signal:
    """The correlation of a stretch with each stretch of its length in a longer one."""
    size = 1 << int(found.size + own.size).bit_length()
    spectrum = np.fft.rfft(found, size) * np.conj(np.fft.rfft(own, size))
    places = found.size - own.size + 1
    products = np.fft.irfft(spectrum, size)[:places]
    energy = np.concatenate([[0.0], np.cumsum(found**2)])
    energies = np.maximum(energy[own.size :] - energy[: -own.size], 0.0)
    scale = np.sqrt(energies * (own**2).sum())
    quiet = np.sqrt(energies / own.size) < QUIET / 10
    result: Signal = np.where(quiet, 0.0, products / np.where(quiet, 1.0, scale))
    return result


def _picture_likeness(own: Signal, found: Signal) -> Signal:
    """The same of moving pixels: what stands still tells nothing, nor does how bright it is."""
    moving = own - own.mean(axis=0)
    strength = np.sqrt((moving**2).sum())
    likenesses = []
    for place in range(len(found) - len(own) + 1):
        part = found[place : place + len(own)]
        other = np.sqrt(((part - part.mean(axis=0)) ** 2).sum())
        likenesses.append(float((moving * part).sum() / (strength * other)) if other > 0 else 0.0)
    return np.array(likenesses)


def _best(likenesses: Signal, rate: int, kind: str) -> Match:
    """The place that is most like; of those that are as good, the nearest."""
    best = float(likenesses.max())
    least = best * ONE_PLACE[kind] if best > 0 else best
    offsets = np.flatnonzero(likenesses >= least) - round(REACH_S * rate)
    nearest = int(offsets[np.abs(offsets).argmin()])
    return Match(late_s=nearest / rate, likeness=max(0.0, min(1.0, best)))
