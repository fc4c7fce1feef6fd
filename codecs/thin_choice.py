"""Which samples of a track stay in a thinned index."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import accumulate

from avpipe.codecs.mp4_boxes import BoxError
from avpipe.codecs.mp4_runs import Runs
from avpipe.codecs.mp4_track import Mp4Track, big_endian

EDGE = 1024
"""How many samples are kept at the start and at the end."""
AROUND = 64
"""How many are kept beyond a stretch: those that are decoded before they are shown."""
LONGEST_STEP = 1 << 29
"""How many ticks are left out in a piece: ffmpeg's libraries take 2^31 for none."""
_HEARD_BEFORE = 2
"""Packets of sound that a decoder is given before the one that is wanted."""

Range = tuple[int, int]
"""The first sample of some, and the one behind the last."""
Windows = Callable[[float], Sequence[tuple[float, float]]]
"""Stretches of a track that lasts so many seconds: where each begins and its length in seconds."""


def kept_of(track: Mp4Track, scale: int, windows: Windows) -> tuple[Range, ...]:
    """The samples that are kept, in order; one range where all are.

    `scale` is how many ticks a second has for the whole. Raises BoxError.
    """
    samples = len(track.sizes)
    times = Times(track.deltas)
    if samples <= 4 * EDGE or 0 in track.sizes or times.total // LONGEST_STEP > samples // EDGE:
        return ((0, samples),)
    until = track.media_time + Fraction(track.edit_ticks * track.scale, scale)
    (first, last) = (track.media_time, until if track.edit_ticks else times.total)
    if times.sample_at(first) >= EDGE // 2 or times.sample_at(last) < samples - EDGE // 2:
        return ((0, samples),)  # what is not shown is dropped, and how much cannot be told here
    return joined(
        [
            (0, EDGE),
            (samples - EDGE, samples),
            *_single(times.sample_at(ticks) for ticks in range(0, times.total, LONGEST_STEP)),
            *_single(_least(track.shifts)),
            *_stretches(track, times, windows),
        ]
    )


def _single(samples: Iterator[int]) -> Iterator[Range]:
    return ((sample, sample + 1) for sample in samples)


def _least(shifts: Runs) -> Iterator[int]:
    """The first sample that is shown earlier than any: all times are moved by how much."""
    if shifts.values and (least := min(shifts.values)) < 0:
        yield sum(shifts.counts[: shifts.values.index(least)])


def _stretches(track: Mp4Track, times: Times, windows: Windows) -> Iterator[Range]:
    """The samples of the windows, each from a key frame on."""
    keys = keys_of(track)
    for start_s, length_s in windows(times.total / track.scale):
        sought = times.sample_at(round(start_s * track.scale) + track.media_time)
        key = sought - _HEARD_BEFORE if keys is None else _key_before(keys, sought)
        first = max(0, key)
        behind = times.sample_at(times.of(first) + round(length_s * track.scale))
        yield first, min(len(track.sizes), behind + AROUND)


def keys_of(track: Mp4Track) -> array[int] | None:
    """The numbers of the key frames, from one on; None where each sample is one.

    Raises BoxError where the table is cut off.
    """
    if track.keys is None:
        return None
    count = int.from_bytes(track.keys[4:8])
    rows = memoryview(track.keys)[8 : 8 + 4 * count]
    if len(rows) != 4 * count:
        raise BoxError("a table is cut off")
    return big_endian("I", rows)


def _key_before(keys: array[int], sample: int) -> int:
    """The last key frame up to a sample; the first sample where there is none."""
    place = bisect_right(keys, sample + 1)
    return keys[place - 1] - 1 if place else 0


def joined(ranges: Sequence[Range]) -> tuple[Range, ...]:
    """The same samples in order, none twice; neighbours are one range."""
    found: list[Range] = []
    for begin, end in sorted(ranges):
        if found and begin <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((begin, end))
    return tuple(found)


class Times:
    """When samples are decoded, in ticks."""

    def __init__(self, deltas: Runs) -> None:
        self._deltas = deltas
        self._samples = array("Q", accumulate(deltas.counts, initial=0))
        self._ticks = array("Q", accumulate((n * length for n, length in deltas), initial=0))

    @property
    def total(self) -> int:
        """How long all of them last."""
        return self._ticks[-1]

    def sample_at(self, ticks: int | Fraction) -> int:
        """The sample that is decoded at a time, or before it; the last one behind the end."""
        run = min(max(0, bisect_right(self._ticks, ticks) - 1), len(self._deltas.counts) - 1)
        inside = int(ticks - self._ticks[run]) // max(1, self._deltas.values[run])
        return self._samples[run] + max(0, min(inside, self._deltas.counts[run] - 1))

    def of(self, sample: int) -> int:
        """When a sample is decoded."""
        run = max(0, bisect_right(self._samples, sample) - 1)
        return self._ticks[run] + (sample - self._samples[run]) * self._deltas.values[run]
