"""What many outcomes come to: tables of verdicts, errors, honesty and reliability."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from avpipe.benchmarks.truth.evaluate import Outcome, is_as_expected
from avpipe.benchmarks.truth.pairs import Expected
from avpipe.media import Verdict

COLUMNS = (
    "set", "pairs", "matched", "uncertain", "as it should", "wrong",
    "worst end ms: median", "95 %", "99 %", "max",
    "drift ppm: median", "99 %", "1 sigma: offset", "drift", "covered", "CPU s",
)  # fmt: skip
"""`wrong`: matched at a place that is not right; errors are those of the matched that are right."""
_BINS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.95, 0.99, 0.999, 1.0)


def table(outcomes: Sequence[Outcome], *, by_name: bool = True) -> str:
    """The figures of each set as Markdown, and of each kind of pair in it."""
    rows: list[tuple[str, ...]] = [COLUMNS]
    for name in dict.fromkeys(outcome.set_name for outcome in outcomes):
        members = [outcome for outcome in outcomes if outcome.set_name == name]
        rows.append(_row(name, members))
        kinds = dict.fromkeys(outcome.pair.name for outcome in members)
        if by_name and 1 < len(kinds) < len(members):
            rows += [
                _row(f"· {kind}", [o for o in members if o.pair.name == kind]) for kind in kinds
            ]
    return markdown(rows)


def markdown(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is its head, in columns that line up."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _row(name: str, outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    matched = [o for o in outcomes if o.verdict is Verdict.MATCHED]
    uncertain = sum(o.verdict is Verdict.UNCERTAIN for o in outcomes)
    right = [o for o in matched if o.right]
    worst = _values(o.worst_ms for o in right)
    drift = np.abs(_values(o.drift_off_ppm for o in right))
    covered = [o.covered for o in matched if o.pair.related]
    return (
        name,
        str(len(outcomes)),
        _share(len(matched), len(outcomes)),
        _share(uncertain, len(outcomes)),
        _share(sum(map(is_as_expected, outcomes)), len(outcomes)),
        str(sum(o.wrong for o in outcomes)),
        *(_quantile(worst, q, 4) for q in (0.5, 0.95, 0.99, 1.0)),
        *(_quantile(drift, q, 3) for q in (0.5, 0.99)),
        _inside(right, lambda o: o.offset_off_s, lambda o: o.offset_error_s),
        _inside(right, lambda o: o.drift_off_ppm, lambda o: o.drift_error_ppm),
        f"{np.mean(covered):.1%}" if covered else "",
        f"{np.median([o.engine_s for o in outcomes]):.2f}",
    )


def _values(values: Iterable[float | None]) -> NDArray[np.float64]:
    return np.array([value for value in values if value is not None], np.float64)


def _share(count: int, total: int) -> str:
    return f"{count / total:.1%}" if total else ""


def _quantile(values: NDArray[np.float64], share: float, digits: int) -> str:
    return f"{np.quantile(values, share):.{digits}f}" if values.size else ""


def _inside(
    outcomes: Sequence[Outcome],
    error: Callable[[Outcome], float | None],
    sigma: Callable[[Outcome], float | None],
) -> str:
    """Share of the errors that are less than what the engine gave as its own sigma."""
    pairs = [(error(o), sigma(o)) for o in outcomes]
    known = [abs(off) < one for off, one in pairs if off is not None and one is not None]
    return f"{np.mean(known):.0%}" if known else ""


def reliability(outcomes: Sequence[Outcome]) -> str:
    """How often the place was right, by the confidence that was given."""
    rows = [("confidence", "pairs", "mean", "right")]
    told = [o for o in outcomes if o.offset_s is not None]
    for low, high in itertools.pairwise(_BINS):
        inside = [o for o in told if low <= o.confidence < high or o.confidence == high == 1.0]
        if inside:
            mean = np.mean([o.confidence for o in inside])
            right = _share(sum(o.right for o in inside), len(inside))
            rows.append((f"{low:g} to {high:g}", str(len(inside)), f"{mean:.3f}", right))
    return markdown(rows)


def strange(outcome: Outcome) -> str | None:
    """One line on an outcome that is not as it should be, else None."""
    if is_as_expected(outcome) and (outcome.covered > 0.9 or not outcome.pair.related):
        return None
    if outcome.pair.expected is Expected.AMBIGUOUS and not outcome.wrong:
        return None
    pair = outcome.pair
    heard = f"{pair.sound}" + (f" / {pair.recorder_sound}" if pair.recorder_sound else "")
    worst = "" if outcome.worst_ms is None else f", worst {outcome.worst_ms:.3f} ms"
    count = f"{len(outcome.pieces)} pieces of {len(pair.pieces)}"
    evidence = " ".join(
        f"{key}={value:.3g}" for key, value in outcome.evidence.items() if value is not None
    )
    return (
        f"  {outcome.set_name} {pair.seed} {pair.name} ({heard}; {float(pair.camera_s):.0f} and "
        f"{float(pair.recorder_s):.0f} s, offset {float(pair.offset_s):.3f} s, "
        f"{float(pair.drift_ppm):g} ppm, {pair.camera.snr_db:g} dB"
        f"{_told(pair.camera)}{_told(pair.recorder)}): {outcome.verdict} {outcome.reason or ''}"
        f"{worst}, {count}, covered {outcome.covered:.0%} {evidence}"
    )


def _told(device: object) -> str:
    """What is not plain of a device."""
    parts = [str(effect) for effect in getattr(device, "effects", ())]
    codec = getattr(device, "codec", None)
    if codec is not None:
        parts.append(str(codec))
    return f", {' '.join(parts)}" if parts else ""
