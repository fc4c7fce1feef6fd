"""What sync has to reach on the truth set, and whether it does."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from avpipe.benchmarks.truth.evaluate import Outcome
from avpipe.benchmarks.truth.pairs import Expected
from avpipe.media import Verdict

_FEWEST = 20
"""A share of fewer errors tells nothing of their sigma."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One figure and its bounds."""

    about: str
    wanted: str
    low: float
    high: float
    measure: Callable[[Sequence[Outcome]], float | None]
    """Gives the figure; None where the outcomes do not tell."""
    written: str = "{:.1%}"
    """How the figure is written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reached:
    """A bar and the figure that was measured for it."""

    bar: Bar
    figure: float

    @property
    def passed(self) -> bool:
        """Whether the figure is within its bounds, both included."""
        return self.bar.low <= self.figure <= self.bar.high

    def row(self) -> tuple[str, str, str, str]:
        """The cells of a table."""
        text = self.bar.written.format(self.figure)
        return self.bar.about, self.bar.wanted, text, "pass" if self.passed else "MISS"


def reached(outcomes: Sequence[Outcome]) -> tuple[Reached, ...]:
    """The bars that the outcomes tell something of."""
    figures = ((bar, bar.measure(outcomes)) for bar in BARS)
    return tuple(Reached(bar=bar, figure=figure) for bar, figure in figures if figure is not None)


def _whole(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Matched pairs that should be, of one true piece."""
    return [
        outcome
        for outcome in outcomes
        if outcome.pair.expected is Expected.MATCHED
        and outcome.verdict is Verdict.MATCHED
        and len(outcome.pair.pieces) == 1
    ]


def _error_ms(share: float) -> Callable[[Sequence[Outcome]], float | None]:
    """Quantile of the error at the worse end, wrong places among them."""

    def measure(outcomes: Sequence[Outcome]) -> float | None:
        errors = [o.worst_ms for o in _whole(outcomes) if o.worst_ms is not None]
        return float(np.quantile(errors, share)) if errors else None

    return measure


def _drift_ppm(shortest_s: float) -> Callable[[Sequence[Outcome]], float | None]:
    """Quantile of 99 % of the drift's error, from that overlap on."""

    def measure(outcomes: Sequence[Outcome]) -> float | None:
        errors = [
            abs(o.drift_off_ppm)
            for o in _whole(outcomes)
            if o.drift_off_ppm is not None and o.pair.overlap_s >= shortest_s
        ]
        return float(np.quantile(errors, 0.99)) if errors else None

    return measure


def _inside(
    error: Callable[[Outcome], float | None], sigma: Callable[[Outcome], float | None]
) -> Callable[[Sequence[Outcome]], float | None]:
    """Share of the errors that are less than one stated sigma."""

    def measure(outcomes: Sequence[Outcome]) -> float | None:
        told = [(error(o), sigma(o)) for o in _whole(outcomes) if o.right]
        inside = [abs(off) < one for off, one in told if off is not None and one is not None]
        return float(np.mean(inside)) if len(inside) >= _FEWEST else None

    return measure


def _matched(set_name: str) -> Callable[[Sequence[Outcome]], float | None]:
    """Share of a set that is matched and right."""

    def measure(outcomes: Sequence[Outcome]) -> float | None:
        members = [o for o in outcomes if o.set_name == set_name]
        good = [o.verdict is Verdict.MATCHED and o.right for o in members]
        return float(np.mean(good)) if good else None

    return measure


def _count(
    counted: Callable[[Outcome], bool], among: Callable[[Outcome], bool]
) -> Callable[[Sequence[Outcome]], float | None]:
    """How many there are, where there is any pair that it could be."""

    def measure(outcomes: Sequence[Outcome]) -> float | None:
        members = [o for o in outcomes if among(o)]
        return float(sum(map(counted, members))) if members else None

    return measure


BARS = (
    Bar(
        about="error at the worse end, median",
        wanted="under 0.05 ms",
        low=0.0,
        high=0.05,
        measure=_error_ms(0.5),
        written="{:.4f} ms",
    ),
    Bar(
        about="error at the worse end, 99 %",
        wanted="under 1 ms",
        low=0.0,
        high=1.0,
        measure=_error_ms(0.99),
        written="{:.4f} ms",
    ),
    Bar(
        about="error of the drift from 5 min on, 99 %",
        wanted="within 1 ppm",
        low=0.0,
        high=1.0,
        measure=_drift_ppm(300),
        written="{:.3f} ppm",
    ),
    Bar(
        about="error of the drift from 30 min on, 99 %",
        wanted="within 0.2 ppm",
        low=0.0,
        high=0.2,
        measure=_drift_ppm(1800),
        written="{:.3f} ppm",
    ),
    Bar(
        about="offset within its stated sigma",
        wanted="58 to 78 %",
        low=0.58,
        high=0.78,
        measure=_inside(lambda o: o.offset_off_s, lambda o: o.offset_error_s),
    ),
    Bar(
        about="drift within its stated sigma",
        wanted="58 to 78 %",
        low=0.58,
        high=0.78,
        measure=_inside(lambda o: o.drift_off_ppm, lambda o: o.drift_error_ppm),
    ),
    Bar(
        about="20 s at 0 dB: matched and right",
        wanted="99 %",
        low=0.99,
        high=1.0,
        measure=_matched("20s"),
    ),
    Bar(
        about="60 s at -10 dB: matched and right",
        wanted="95 %",
        low=0.95,
        high=1.0,
        measure=_matched("60s"),
    ),
    Bar(
        about="unrelated pairs that are matched",
        wanted="none",
        low=0.0,
        high=0.0,
        measure=_count(
            lambda o: o.verdict is Verdict.MATCHED,
            lambda o: o.pair.expected is Expected.UNRELATED,
        ),
        written="{:.0f}",
    ),
    Bar(
        about="ambiguous pairs that are matched at a wrong place",
        wanted="none",
        low=0.0,
        high=0.0,
        measure=_count(lambda o: o.wrong, lambda o: o.pair.expected is Expected.AMBIGUOUS),
        written="{:.0f}",
    ),
    Bar(
        about="ambiguous pairs that are uncertain and list no other place",
        wanted="none",
        low=0.0,
        high=0.0,
        measure=_count(
            lambda o: o.verdict is Verdict.UNCERTAIN and not o.candidates,
            lambda o: o.pair.expected is Expected.AMBIGUOUS,
        ),
        written="{:.0f}",
    ),
    Bar(
        about="whole takes that are broken into pieces",
        wanted="none",
        low=0.0,
        high=0.0,
        measure=_count(lambda o: len(o.pieces) > 1, lambda o: bool(_whole([o]))),
        written="{:.0f}",
    ),
    Bar(
        about="broken takes: matched, every piece right",
        wanted="all",
        low=1.0,
        high=1.0,
        measure=_matched("pieces"),
    ),
    Bar(
        about="mislabelled rates: matched and right",
        wanted="all",
        low=1.0,
        high=1.0,
        measure=_matched("rates"),
    ),
)
