"""A value of each sample of an MP4's track, told in runs (ISO 14496-12, 8.6.1)."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise


@dataclass(frozen=True, slots=True)
class Runs:
    """How many samples in a row have which value: eight bytes a run, of which there are many."""

    counts: array[int]
    values: array[int]

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.counts, self.values, strict=True)

    @property
    def samples(self) -> int:
        """How many samples they are of."""
        return sum(self.counts)

    @property
    def total(self) -> int:
        """The sum of the values of all samples."""
        return sum(count * value for count, value in self)

    def first(self, samples: int) -> Runs:
        """Those of so many samples from the first on."""
        return next(self.split((0, samples))) if samples < self.samples else self

    def split(self, bounds: Sequence[int]) -> Iterator[Runs]:
        """Those of the samples from each bound to the next one."""
        ends = array("I", accumulate(self.counts))
        for begin, end in pairwise(bounds):
            (first, last) = (bisect_right(ends, begin), bisect_left(ends, end))
            (counts, values) = (self.counts[first : last + 1], self.values[first : last + 1])
            if begin < end:
                counts[-1] -= ends[last] - end
                counts[0] -= begin - (ends[first - 1] if first else 0)
            yield Runs(counts, values) if begin < end else Runs(counts[:0], values[:0])
