"""How a file that somebody else rendered sounds and looks beside what it was made of."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from avpipe.codecs import isolate
from avpipe.codecs.excerpts import EXCERPT_RATE, read_excerpts
from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.glimpses import GLIMPSE_RATE, draw_glimpse, read_glimpses
from avpipe.codecs.scene_graph import SceneFiles
from avpipe.errors import ChildFailedError
from avpipe.media import MediaInfo, VideoStream
from avpipe.plan.showing import Interval, Showing
from avpipe.scene import Scene, window
from avpipe.updates import Check

Signal = NDArray[np.float64]

MOST_EARLY_S, MOST_LATE_S = 0.045, 0.125
"""Of sound beside its picture: from there on people notice it (ITU-R BT.1359)."""
LEAST_LIKENESS = 0.5
"""Of a correlation: less, and something else is at least as strong as what was sent."""
REACH_S = 1.0
"""How far off something is looked for."""
SOUND_WINDOWS, SOUND_S = 8, 3.0
PICTURE_WINDOWS, PICTURE_S = 4, 2.0
MOST_PICTURE_WINDOWS = 8
"""Where there are more pictures than that many windows of one would be."""
LEAST_DRAWN_S = 1.0
"""A shorter stretch, such as a cross-fade, may be like others that are near."""
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Stretch:
    """What a result should show from a time on."""

    start_s: float
    pixels: Signal
    """(frames, pixels), at the rate of glimpses."""


def sound_matches(
    sent: MediaInfo, made: MediaInfo, ffmpeg: Ffmpeg, intervals: Sequence[Interval] | None = None
) -> tuple[Match, ...]:
    """For stretches of the sent sound that are heard, where the result has them.

    With intervals only what lies in these is looked for. Raises ChildFailedError or StalledError.
    """
    whole = (Fraction(0), Fraction(sent.audio[0].duration or 0))
    (places, length_s) = _windows(
        [whole] if intervals is None else intervals, SOUND_WINDOWS, SOUND_S
    )
    starts = [start for _, start in places]
    if not starts:
        return ()
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
    begins = [max(read, first_s) for read in reads]
    return tuple(
        _best(_sound_likeness(one, _placed(other, begin, start)), EXCERPT_RATE, "sound")
        for one, other, begin, start in zip(own[told], found, begins, starts, strict=True)
    )


def picture_matches(
    showings: Sequence[Showing], made: MediaInfo, ffmpeg: Ffmpeg
) -> tuple[Match, ...]:
    """For stretches of the videos in which something moves, where the result shows them.

    Raises ChildFailedError or StalledError.
    """
    intervals = [showing.interval for showing in showings]
    most = max(PICTURE_WINDOWS, min(len(intervals), MOST_PICTURE_WINDOWS))
    (places, length_s) = _windows(intervals, most, PICTURE_S)
    matches = []
    encoded: set[int] = set()
    for number, start in places:
        copy = None if number in encoded else _copied(showings[number], made, start, length_s)
        if copy is not None:
            matches.append(copy)
            continue
        encoded.add(number)
        own = _looked_at(showings[number], start, length_s, ffmpeg)
        matches += _seen(own, start, made, ffmpeg)
    return tuple(matches)


def draw_stretches(
    scene: Scene, intervals: Sequence[Interval], files: SceneFiles, ffmpeg: Ffmpeg
) -> tuple[Stretch, ...]:
    """Some stretches of what an edit shows in these intervals, but for those that are too short.

    Raises ChildFailedError or StalledError.
    """
    long = [one for one in intervals if one[1] - one[0] >= LEAST_DRAWN_S]
    (places, length_s) = _windows(long, PICTURE_WINDOWS, PICTURE_S)
    stretches = []
    for _, start in places:
        first = math.ceil(Fraction(start) * scene.frame_rate)
        part = window(scene, first, math.floor(Fraction(length_s) * scene.frame_rate))
        pixels = draw_glimpse(ffmpeg, part, files, float(part.duration))
        begins_s = float(first / scene.frame_rate)
        stretches.append(Stretch(start_s=begins_s, pixels=pixels.astype(np.float64)))
    return tuple(stretches)


def drawn_matches(
    stretches: Iterable[Stretch], made: MediaInfo, ffmpeg: Ffmpeg
) -> tuple[Match, ...]:
    """Where the result shows those in which something moves. Raises as `draw_stretches`."""
    found = (_seen(one.pixels, one.start_s, made, ffmpeg) for one in stretches)
    return tuple(match for matches in found for match in matches)


def _seen(own: Signal, start: float, made: MediaInfo, ffmpeg: Ffmpeg) -> Iterator[Match]:
    """Where the result shows some moving pixels that it should show from a time on."""
    if float(np.abs(own - own.mean(axis=0)).mean()) < STILL:
        return
    read = max(0.0, start - REACH_S)
    length = len(own) / GLIMPSE_RATE + 2 * REACH_S
    (found,) = read_glimpses(ffmpeg, made, made.video[0], [read], length)
    likenesses = _picture_likeness(own, _held(found, read, start))
    yield _best(likenesses, GLIMPSE_RATE, "picture")


def _copied(showing: Showing, made: MediaInfo, start: float, length_s: float) -> Match | None:
    """The match of a stretch that was copied, at a fiftieth of what decoding takes.

    None where it was not, or is shown in another shape or another way up.
    """
    (own, found) = (showing.source.video[0], made.video[0])
    (width, height) = own.upright_size
    aspect = showing.aspect or Fraction(width, height)
    if _upright(own) != _upright(found) or abs(width / (height * aspect) - 1) > SAME_SHAPE:
        return None
    later_s = float(showing.interval[0] - showing.source_in - (own.start or Fraction(0)))
    try:
        (late_s,) = isolate.find_copies(
            (showing.source.path, own.index),
            (made.path, found.index),
            [(start - later_s, start - later_s + length_s)],
            later_s=later_s,
            reach_s=REACH_S,
        )
    except ChildFailedError:
        return None  # what decoders make of it is looked at instead
    return None if late_s is None else Match(late_s=late_s, likeness=1.0)


def _upright(stream: VideoStream) -> tuple[object, ...]:
    return (stream.rotation_deg, stream.sample_aspect_ratio or Fraction(1))


def _looked_at(showing: Showing, start: float, length_s: float, ffmpeg: Ffmpeg) -> Signal:
    """(frames, pixels) of the source from where the output shows it at a time on."""
    stream = showing.source.video[0]
    (own,) = read_glimpses(
        ffmpeg,
        showing.source,
        stream,
        [start - float(showing.interval[0]) + float(showing.source_in)],
        length_s,
        origin=stream.start or Fraction(0),
        aspect=showing.aspect,
        frame=showing.frame,
    )
    pixels: Signal = own.astype(np.float64)
    return pixels


def content_checks(sounds: Sequence[Match], pictures: Sequence[Match]) -> tuple[Check, ...]:
    """Whether it sounds and looks like what was sent, and the one is in sync with the other."""
    compared = bool(sounds or pictures)
    late_s = sync_s(sounds, pictures)
    return (
        _likeness_check("sound_likeness", likeness(sounds)),
        _likeness_check("picture_likeness", likeness(pictures)),
        Check(
            name="sync_ms",
            value=round(late_s * 1000, 1) if compared else None,
            ok=-MOST_EARLY_S <= late_s <= MOST_LATE_S,
        ),
    )


def _likeness_check(name: str, value: float | None) -> Check:
    ok = value is None or value >= LEAST_LIKENESS
    return Check(name=name, value=None if value is None else round(value, 3), ok=ok)


def sync_s(sounds: Iterable[Match], pictures: Iterable[Match]) -> float:
    """How late the sound is beside its picture, at worst; negative where it is early."""
    heard = [match.late_s for match in sounds] or [0.0]
    seen = [match.late_s for match in pictures] or [0.0]
    (late, early) = (max(heard) - min(seen), min(heard) - max(seen))
    return late if late / MOST_LATE_S >= -early / MOST_EARLY_S else early


def likeness(matches: Sequence[Match]) -> float | None:
    """That of the stretch that is the least like what was sent; None where none tells."""
    return min((match.likeness for match in matches), default=None)


def _windows(
    intervals: Sequence[Interval], most: int, length_s: float
) -> tuple[list[tuple[int, float]], float]:
    """Windows spread over intervals: of which each is, and where it begins; and how long all are.

    Intervals that are shorter than a window are left out, unless all are.
    """
    lengths = [float(end - begin) for begin, end in intervals]
    length_s = min(length_s, max(lengths, default=0.0))
    if length_s <= 0:
        return [], 0.0
    long = [number for number, length in enumerate(lengths) if length >= length_s]
    if len(long) > most:
        long = [long[round(place)] for place in np.linspace(0, len(long) - 1, most)]
    places = []
    for number in long:
        count = max(1, min(most // len(long), int(lengths[number] / length_s)))
        begin = float(intervals[number][0])
        last = begin + lengths[number] - length_s
        places += [(number, float(start)) for start in np.linspace(begin, last, count)]
    return places, length_s


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
