"""Whether avpipe has become slower: ratios to the plain commands, held against kept ones.

Ratios alone are compared, never seconds: both commands of a pair ran in turn on one machine.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from avpipe.benchmarks.comparison import Comparison

FOLDER = Path(__file__).parent / "baselines"
CASES = ("start-up", "copy-merge", "copy-merge-wav", "encode", "sync-20s")
"""The small part that is checked at every change."""
RUNS = 3
MATTERS = 1.25
"""How many times its kept median a ratio has to be before anybody is told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Baseline:
    """The ratios of several runs, as kept: what lies between them is noise."""

    least: float
    median: float
    most: float


Baselines = Mapping[str, Mapping[str, Baseline]]
"""By case and by what was measured: `wall` and `cpu`."""


def ratios_of(found: Comparison) -> dict[str, tuple[float, ...]]:
    """What is compared of a case, run by run."""
    pairs = list(zip(found.ours, found.theirs, strict=True))
    return {
        "wall": tuple(ours.wall_s / theirs.wall_s for ours, theirs in pairs),
        "cpu": tuple(ours.cpu_s / theirs.cpu_s for ours, theirs in pairs),
    }


def worse(ratios: Sequence[float], baseline: Baseline) -> bool:
    """Whether every run is beyond what was ever seen, and the middle one by enough to matter."""
    middle = statistics.median(ratios)
    return min(ratios) > baseline.most and middle > MATTERS * baseline.median


def got_worse(found: Sequence[Comparison], baselines: Baselines) -> Iterator[str]:
    """A line for each figure that is worse than the kept one."""
    for one in found:
        for what, ratios in ratios_of(one).items():
            baseline = baselines.get(one.case, {}).get(what)
            if baseline is not None and worse(ratios, baseline):
                yield (
                    f"{one.case}: {what} is {statistics.median(ratios):.2f} times the plain "
                    f"command's ({min(ratios):.2f} to {max(ratios):.2f}); kept is "
                    f"{baseline.median:.2f} ({baseline.least:.2f} to {baseline.most:.2f})"
                )


def baselines_of(found: Sequence[Comparison]) -> dict[str, dict[str, Baseline]]:
    """What is to be kept of a run."""
    return {
        one.case: {what: _baseline(ratios) for what, ratios in ratios_of(one).items()}
        for one in found
    }


def _baseline(ratios: Sequence[float]) -> Baseline:
    (least, middle, most) = (min(ratios), statistics.median(ratios), max(ratios))
    return Baseline(least=round(least, 3), median=round(middle, 3), most=round(most, 3))


def read(path: Path) -> Baselines:
    """What was kept. Raises OSError or ValueError."""
    cases = json.loads(path.read_text())["cases"]
    return {
        case: {what: Baseline(**figures) for what, figures in measured.items()}
        for case, measured in cases.items()
    }


def as_json(found: Sequence[Comparison], machine: Mapping[str, str]) -> dict[str, Any]:
    """The file that is kept, with the machine that it was taken on."""
    cases = {
        case: {what: asdict(one) for what, one in measured.items()}
        for case, measured in baselines_of(found).items()
    }
    return {"machine": dict(machine), "cases": cases}
