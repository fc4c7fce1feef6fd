"""The figures as a table and as JSON, with the machine they were taken on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from avpipe.benchmarks.comparison import Comparison
from avpipe.codecs.ffmpeg import Ffmpeg

COLUMNS = (
    "case", "avpipe", "plain", "ratio (min..max)", "bar", "", "CPU s", "peak MB"
)  # fmt: skip
"""Of the last two, avpipe's figure and the plain command's."""


def machine(ffmpeg: Ffmpeg) -> dict[str, str]:
    """What the figures depend on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "CPU": f"{_cpu_model()}, {len(os.sched_getaffinity(0))} cores"
        if hasattr(os, "sched_getaffinity")
        else f"{_cpu_model()}, {os.cpu_count()} cores",
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "load before": f"{os.getloadavg()[0]:.1f}",
        "Python": platform.python_version(),
        "ffmpeg": ffmpeg.version(),
        "PyAV": importlib.metadata.version("av"),
    }


def _cpu_model() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass  # not Linux
    return platform.processor() or platform.machine()


def table(found: Sequence[Comparison]) -> str:
    """The figures as Markdown, in columns that line up."""
    rows = [COLUMNS, *(_row(entry) for entry in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(COLUMNS))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def _row(entry: Comparison) -> tuple[str, ...]:
    (ours_s, theirs_s) = entry.wall_s
    ratios = f"{ours_s / theirs_s:.2f} ({min(entry.ratios):.2f}..{max(entry.ratios):.2f})"
    peaks = " / ".join("?" if peak is None else f"{peak / 1e6:.0f}" for peak in entry.peak_bytes)
    return (
        entry.case,
        f"{ours_s:.2f} s",
        f"{theirs_s:.2f} s",
        ratios,
        str(entry.bar),
        _verdict(entry),
        " / ".join(f"{seconds:.2f}" for seconds in entry.cpu_s),
        peaks,
    )


def _verdict(entry: Comparison) -> str:
    """Whether the bar was kept; a quick run is too small to tell, and only shows that it runs."""
    if not entry.passed:
        return "MISS"
    return "pass" if entry.judged == entry.bar else "ran"


def markdown(found: Sequence[Comparison], facts: dict[str, str]) -> str:
    """The table with its machine below."""
    return table(found) + "\n\n" + "\n".join(f"- {key}: {value}" for key, value in facts.items())


def as_json(found: Sequence[Comparison], facts: dict[str, str], *, quick: bool) -> dict[str, Any]:
    """The figures with every single run."""
    return {
        "machine": facts,
        "quick": quick,
        "cases": [
            {
                "case": entry.case,
                "about": entry.about,
                "bar": {name: getattr(entry.bar, name) for name in ("ratio", "plus_s", "peak_mb")},
                "passed": entry.passed,
                "ratios": entry.ratios,
                "runs": {
                    side: [
                        {name: getattr(usage, name) for name in ("wall_s", "cpu_s", "peak_bytes")}
                        for usage in usages
                    ]
                    for side, usages in (("avpipe", entry.ours), ("plain", entry.theirs))
                },
            }
            for entry in found
        ],
    }
