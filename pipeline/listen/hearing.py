"""What was heard of one track: features of its stretches, and its samples, read or fetched."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from avpipe.codecs.listening import LISTEN_RATE, WHOLE, Raw, Stretch, Track, floats, in_parts
from avpipe.listen.crew import Crew
from avpipe.listen.halving import Halver
from avpipe.listen.store import KeptCodes, Store
from avpipe.sync.features import BANDS, FEATURE_RATE, PCM_RATE, Features, FeatureStream

if TYPE_CHECKING:
    from avpipe.sync.engine import Source

Samples = NDArray[np.float32]

_AT_ONCE_S = 900
"""How much one decoder is given of a track that can be sought."""
_PART_S = 2 * _AT_ONCE_S
"""Of features: until a part is finished it takes twice as much."""
_SAME = 0.9
"""The correlation of features from which two channels are one."""
_AHEAD, _FAR_S = 8, 600.0
"""Windows are asked for one by one, evenly spaced: so many at once are decoded beside each other,
where they are not farther apart than that."""
_STEPS, _LEAST_STEP_S, _STEPS_AT_ONCE = 4800, 0.005, 64
"""Of a wave: more than a picture shows."""
ON_DISK_FROM_S = 4 * 3600.0
"""The features of what is longer are kept on disk."""
_COMPARED, _COMPARED_FRAMES = 32, 100
"""Of two channels: so many stretches of so many frames."""
_LOST_S = 0.015
"""More than that is not the rounding of an end."""
_BLOCK = 1 << 18
"""Samples that are read again at once."""
_CUT_FRAMES = 4
"""Of features, that the end of a stretch lacks at the most."""
_BRIDGED_S = 6
"""Seconds between two spans that cost less to decode than another process."""


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Wave:
    """A sound as the least and the greatest sample of each step."""

    start_s: float
    """Of the first step; of a video's sound on the time line of its picture."""
    step_s: float
    low: Samples
    """(steps,)"""
    high: Samples
    """(steps,)"""


class Hearing:
    """A track that is being listened to."""

    def __init__(self, track: Track, picks: Sequence[int], crew: Crew, store: Store) -> None:
        self.track = in_parts(track)
        self._picks = tuple(picks)
        self._crew = crew
        self._store = store
        self._parts: dict[int, Features] = {}
        """Of the first pick, by the second that each stretch begins at."""
        self._started: list[tuple[Stretch, Future[int]]] = []
        self._known: set[int] = set()
        self._whole = False
        self._read_at = 0.0
        self._rows = [0]
        self._heard_s = 0.0

    def start(self, stretches: Sequence[Stretch]) -> list[Future[int]]:
        """Have stretches decoded, their features and samples kept."""
        self._whole |= WHOLE in stretches
        for stretch in stretches:
            if stretch.end_s is not None:
                self._known.update(range(stretch.begin_s, stretch.end_s))
            elif self.track.duration_s is not None:
                self._known.update(range(stretch.begin_s, math.ceil(self.track.duration_s)))
        scratch = self._scratch()
        self._started = [(stretch, self._send(stretch, scratch)) for stretch in stretches]
        return [future for _, future in self._started]

    @property
    def is_short(self) -> bool:
        """Whether less was decoded than the index tells: packets are damaged."""
        return self.track.sought and any(
            future.result() < (self._end(stretch) - stretch.begin_s - _LOST_S) * LISTEN_RATE
            for stretch, future in self._started
        )

    def _scratch(self) -> KeptCodes | None:
        """Where the parts of a channel wait to be joined; None where memory will do."""
        return self._store.codes(0, BANDS) if self.duration_s > ON_DISK_FROM_S else None

    def _end(self, stretch: Stretch) -> float:
        return self.duration_s if stretch.end_s is None else stretch.end_s

    def _send(self, stretch: Stretch, scratch: KeptCodes | None) -> Future[int]:
        parts = _Parts(stretch.begin_s, self._parts, scratch)

        def take(first: int, block: Raw) -> None:
            self._keep(first, block)
            parts.push(floats(block[0]))

        return self._crew.send(self.track, self._picks, stretch, take, parts.finish)

    @property
    def duration_s(self) -> float:
        """From time 0 of what is decoded to its end, as the file tells or as it was heard."""
        return self.track.duration_s or 0.0

    def read(self, start_s: float, duration_s: float, row: int = 0) -> Samples:
        """Give (round(duration_s * LISTEN_RATE),) samples of a pick."""
        stride = start_s - self._read_at
        self._read_at = start_s
        if not self._has(start_s, duration_s):
            ahead = _AHEAD if duration_s < stride < _FAR_S else 1
            starts = [start_s + stride * n for n in range(ahead)]
            self.fetch([(start, start + duration_s) for start in starts])
        return self._store.read(row, start_s, duration_s)

    def _has(self, start_s: float, duration_s: float) -> bool:
        """Whether all that there is of a span was heard."""
        seconds = range(max(math.floor(start_s), 0), self._last(start_s + duration_s))
        return self._whole or all(second in self._known for second in seconds)

    def source(self) -> Source:
        """What the alignment engine takes, once all that was started is done."""
        from avpipe.sync.engine import Source  # while decoding begins there is time to import it

        first = self._joined(self._parts)
        self._rows = kept = [0]
        self._heard_s = first.duration_s

        def others() -> tuple[Features, ...]:
            more = (self._joined(self._parts_of(row)) for row in range(1, len(self._picks)))
            channels = [first, *more]
            kept[:] = _distinct(channels)
            return tuple(channels[row] for row in kept[1:])

        def read(channel: int, start_s: float, duration_s: float) -> Samples:
            return self.read(start_s, duration_s, kept[channel])

        return Source(channels=(first,), read=read, others=others)

    def _joined(self, parts: dict[int, Features]) -> Features:
        """What the parts of one pick are together; they are let go of."""
        return _joined(parts, 0.0 if self._whole else self.duration_s, self._store)

    def _parts_of(self, row: int) -> dict[int, Features]:
        """As `_parts`, of another pick, from the samples that were kept."""
        found: dict[int, Features] = {}
        scratch = self._scratch()
        for stretch, future in self._started:
            parts = _Parts(stretch.begin_s, found, scratch)
            end = stretch.begin_s * LISTEN_RATE + future.result()
            for first in range(stretch.begin_s * LISTEN_RATE, end, _BLOCK):
                length_s = min(_BLOCK, end - first) / LISTEN_RATE
                parts.push(self._store.read(row, first / LISTEN_RATE, length_s))
            parts.finish()
        return found

    def wave(self, channel: int) -> Wave:
        """The outline of a channel of the `source` that was given last."""
        step_s = max(self._heard_s / _STEPS, _LEAST_STEP_S)
        size = round(step_s * LISTEN_RATE)
        count = math.ceil(self._heard_s * LISTEN_RATE / size)
        low, high = np.zeros(count, np.float32), np.zeros(count, np.float32)
        for first in range(0, count, _STEPS_AT_ONCE):
            some = min(_STEPS_AT_ONCE, count - first)
            (start_s, length_s) = (first * size / LISTEN_RATE, some * size / LISTEN_RATE)
            steps = self._store.read(self._rows[channel], start_s, length_s).reshape(some, size)
            low[first : first + some] = steps.min(axis=1)
            high[first : first + some] = steps.max(axis=1)
        return Wave(start_s=self.track.lead_s, step_s=size / LISTEN_RATE, low=low, high=high)

    def fetch(self, spans: Sequence[tuple[float, float]]) -> None:
        """Decode, beside each other, what was not heard yet of (begin_s, end_s) spans."""
        missing = sorted(
            second
            for begin_s, end_s in spans
            for second in range(max(math.floor(begin_s), 0), self._last(end_s))
            if second not in self._known
        )
        work = []
        for stretch in [] if self._whole else _runs(missing):
            self._known.update(range(stretch.begin_s, stretch.end_s or 0))
            work.append(self._crew.send(self.track, self._picks, stretch, self._keep))
        for future in work:
            future.result()

    def _last(self, end_s: float) -> int:
        """The second after the last that there is before a moment."""
        return math.ceil(min(end_s, self.track.duration_s or 0.0))

    def _keep(self, first: int, block: Raw) -> None:
        for row, samples in enumerate(block):
            self._store.write(row, first, samples)


class _Parts:
    """Takes a stretch block by block; puts its features, in parts, where they are wanted."""

    def __init__(self, begin_s: int, found: dict[int, Features], scratch: KeptCodes | None) -> None:
        self._begin_s = begin_s
        self._found = found
        """By the second that each part begins at."""
        self._scratch = scratch
        self._halver = Halver()
        self._stream = FeatureStream()

    def push(self, block: Samples) -> None:
        """Add (n,) samples at LISTEN_RATE."""
        samples = self._halver.push(block)
        while samples.size > (room := _PART_S * PCM_RATE - self._stream.samples):
            self._stream.push(samples[:room])
            self.finish()
            samples = samples[room:]
        self._stream.push(samples)

    def finish(self) -> None:
        """Put what there is where it is wanted; what follows is another part."""
        part = self._stream.finish()
        if self._scratch is not None:
            codes = self._scratch.part(self._begin_s * FEATURE_RATE, part.codes.shape[0])
            codes[:] = part.codes[:]
            part = replace(part, codes=codes)
        self._found[self._begin_s] = part
        self._stream = FeatureStream()
        self._begin_s += _PART_S


def whole(track: Track) -> tuple[Stretch, ...]:
    """All of a track, in stretches that can be decoded beside each other where it can be sought."""
    if not track.sought or track.duration_s is None or track.duration_s < 2 * _AT_ONCE_S:
        return (WHOLE,)
    begins = range(0, int(track.duration_s), _AT_ONCE_S)
    return tuple(
        Stretch(begin_s=begin, end_s=None if begin == begins[-1] else begin + _AT_ONCE_S)
        for begin in begins
    )


def samples_of(
    track: Track, count: int, length_s: int, span: tuple[float, float] | None = None
) -> tuple[Stretch, ...]:
    """At most `count` stretches spread evenly over a span, or all, at multiples of a length."""
    (begin_s, end_s) = (0.0, track.duration_s or 0.0) if span is None else span
    first = math.ceil(max(begin_s, 0.0) / length_s)
    last = int(min(end_s, track.duration_s or 0.0)) // length_s - 1
    numbers = {round(first + (last - first) * n / max(count - 1, 1)) for n in range(count)}
    return tuple(
        Stretch(begin_s=number * length_s, end_s=(number + 1) * length_s)
        for number in sorted(numbers)
        if first <= number <= last
    )


def around(
    track: Track, stretches: Sequence[Stretch], shift_s: float, more_s: float
) -> tuple[Stretch, ...]:
    """Stretches of a track that hold the given ones, moved, with so much more at both ends."""
    last = math.ceil(track.duration_s or 0.0)
    seconds = {
        second
        for stretch in stretches
        for second in range(
            max(math.floor(stretch.begin_s + shift_s - more_s), 0),
            min(math.ceil((stretch.end_s or 0) + shift_s + more_s), last),
        )
    }
    return tuple(
        replace(run, end_s=None) if run.end_s == last else run for run in _runs(sorted(seconds))
    )


def _runs(seconds: Sequence[int]) -> list[Stretch]:
    """Stretches that hold all of the rising seconds, those with few between them in one."""
    runs: list[Stretch] = []
    for second in seconds:
        if runs and second - (runs[-1].end_s or 0) < _BRIDGED_S:
            runs[-1] = Stretch(begin_s=runs[-1].begin_s, end_s=second + 1)
        else:
            runs.append(Stretch(begin_s=second, end_s=second + 1))
    return runs


def _joined(parts: dict[int, Features], duration_s: float, store: Store) -> Features:
    """The features of all stretches on one time line, 0 where nothing was heard; empties `parts`.

    The last frames of a stretch are missing, the first ones of the next are its own.
    """
    if set(parts) == {0} and parts[0].duration_s + _LOST_S > duration_s:
        return parts.pop(0)
    length_s = max(duration_s, *(begin + part.duration_s for begin, part in parts.items()))
    frames = int(length_s * FEATURE_RATE)
    codes: KeptCodes | NDArray[np.int8]
    if length_s > ON_DISK_FROM_S:
        codes = store.codes(frames, BANDS)
    else:
        codes = np.zeros((frames, BANDS), np.int8)
    known = np.zeros(frames, np.bool_)
    active_s = 0.0
    for begin in tuple(parts):
        part = parts.pop(begin)
        first = begin * FEATURE_RATE
        end = min(first + part.codes.shape[0], frames)
        codes[first:end] = part.codes[: end - first]
        heard = first + int(part.duration_s * FEATURE_RATE)
        known[first : min(end + _CUT_FRAMES, heard)] = True
        active_s += part.active_s
    return Features(
        codes=codes,
        duration_s=length_s,
        active_s=active_s,
        known=None if known.all() else known,
    )


def _distinct(channels: Sequence[Features]) -> list[int]:
    """The numbers of the channels that are not much the same as one before."""
    kept: list[int] = []
    for number, features in enumerate(channels):
        if not any(_alike(features, channels[other]) for other in kept):
            kept.append(number)
    return kept


def _alike(one: Features, other: Features) -> bool:
    """Whether two channels rise and fall together."""
    (a, b) = (_looked_at(features) for features in (one, other))
    size = min(a.size, b.size)
    (a, b) = (a[:size], b[:size])
    product = float(np.vdot(a, b))
    return product > _SAME * math.sqrt(float(np.vdot(a, a)) * float(np.vdot(b, b)))


def _looked_at(features: Features) -> Samples:
    """The values of some stretches, spread over all, in a row."""
    last = max(features.codes.shape[0] - _COMPARED_FRAMES, 0)
    begins = np.linspace(0, last, min(_COMPARED, last // _COMPARED_FRAMES + 1)).astype(int)
    return np.concatenate(
        [features.values(begin, begin + _COMPARED_FRAMES).ravel() for begin in begins]
    )
