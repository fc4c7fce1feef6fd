"""Two commands, run in turn, and what comes of the figures."""

from __future__ import annotations

import contextlib
import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from avpipe.benchmarks.cases import Bar, Case, Pair
from avpipe.benchmarks.inputs import Inputs
from avpipe.benchmarks.meter import Usage, run
from avpipe.codecs.isolate import measure_file

SANE = Bar(ratio=20, plus_s=10, peak_mb=1000)
"""What no run may pass, however small its input and busy its machine."""
NEAR = Fraction(1, 20)
"""Seconds by which two outputs of one job may end apart: `-shortest` is not exact."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """The figures of one case; the runs stand in the order in which they were made."""

    case: str
    about: str
    bar: Bar
    judged: Bar
    """What it had to keep to: the bar, or with small inputs only what is sane."""
    ours: tuple[Usage, ...]
    theirs: tuple[Usage, ...]
    watched: tuple[Usage, Usage]
    """Runs of ours and of theirs whose time does not count."""

    @property
    def ratios(self) -> tuple[float, ...]:
        """Of the wall times, of each run of ours and the run of theirs after it."""
        pairs = zip(self.ours, self.theirs, strict=True)
        return tuple(ours.wall_s / theirs.wall_s for ours, theirs in pairs)

    @property
    def wall_s(self) -> tuple[float, float]:
        """The medians of ours and theirs."""
        return _median(self.ours, "wall_s"), _median(self.theirs, "wall_s")

    @property
    def cpu_s(self) -> tuple[float, float]:
        """The medians of ours and theirs."""
        return _median(self.ours, "cpu_s"), _median(self.theirs, "cpu_s")

    @property
    def peak_bytes(self) -> tuple[int | None, int | None]:
        """What ours took, and theirs, in the runs that were watched."""
        return self.watched[0].peak_bytes, self.watched[1].peak_bytes

    @property
    def passed(self) -> bool:
        """Whether it kept to what it was judged by."""
        (ours_s, theirs_s) = self.wall_s
        (bar, peak) = (self.judged, self.peak_bytes[0])
        slow = bar.ratio is not None and ours_s > bar.ratio * theirs_s + bar.plus_s
        large = bar.peak_mb is not None and peak is not None and peak > bar.peak_mb * 1e6
        return not slow and not large


def compare(
    case: Case,
    inputs: Inputs,
    folder: Path,
    *,
    quick: bool,
    runs: int | None,
    tell: Callable[[str], None],
) -> Comparison:
    """Run both commands of a case in turn, after one of each that does not count.

    In that one the memory is watched: to look at it takes a core a quarter of the time, which
    shows in what takes half a second.

    Raises RuntimeError where one fails, the two outputs differ or ours is not the right answer.
    """
    tell(f"{case.name}: {case.about}")
    pair = case.pair(inputs, folder, quick)
    count = runs or (1 if quick else case.runs)
    found: list[tuple[Usage, Usage]] = []
    watched = _both(pair, case, folder, memory=case.memory)
    _require_agreement(pair)
    for _ in range(count):
        usages = _both(pair, case, folder, memory=False)
        found.append(usages)
        tell(f"  {usages[0].wall_s:.2f} s and {usages[1].wall_s:.2f} s")
    _clear(pair)
    return Comparison(
        case=case.name,
        about=case.about,
        bar=case.bar,
        judged=SANE if quick else case.bar,
        ours=tuple(ours for ours, _ in found),
        theirs=tuple(theirs for _, theirs in found),
        watched=watched,
    )


def _both(pair: Pair, case: Case, folder: Path, *, memory: bool) -> tuple[Usage, Usage]:
    """One run of ours, and one of theirs."""
    return _once(pair, 0, folder, memory=memory), _once(pair, 1, folder, memory=memory)


def _once(pair: Pair, side: int, folder: Path, *, memory: bool) -> Usage:
    """One run, on a disk that has nothing to write of the run before."""
    if pair.outputs is not None:
        pair.outputs[side].unlink(missing_ok=True)
        os.sync()
    argv = (pair.ours, pair.theirs)[side]
    log = folder / "log.txt"
    usage = run(argv, log, memory=memory)
    if side == 0 and pair.require is not None:
        pair.require(log.read_text())
    return usage


def _clear(pair: Pair) -> None:
    for path in pair.outputs or ():
        with contextlib.suppress(OSError):
            path.unlink()


def _require_agreement(pair: Pair) -> None:
    """Raise RuntimeError where two outputs hold another number of frames or end apart."""
    if pair.outputs is None:
        return
    (ours, theirs) = (measure_file(str(path), decode_s=2.0) for path in pair.outputs)
    for one, other in zip(ours.streams, theirs.streams, strict=True):
        same = (one.kind, one.codec, one.width) == (other.kind, other.codec, other.width)
        counted = one.kind != "video" or one.packets == other.packets
        if not same or not counted or abs(one.end - other.end) > NEAR or one.errors:
            raise RuntimeError(f"the two outputs differ: {one} and {other}")


def _median(usages: tuple[Usage, ...], name: str) -> float:
    return float(statistics.median(getattr(usage, name) for usage in usages))
