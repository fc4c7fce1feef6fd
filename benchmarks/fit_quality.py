"""`python -m avpipe.benchmarks fit`: compress beside two passes at a rate worked out by hand."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from avpipe.benchmarks.cases import AVPIPE
from avpipe.benchmarks.footage import Footage
from avpipe.benchmarks.meter import Usage, run
from avpipe.codecs.encoders import X264
from avpipe.codecs.ffmpeg import Ffmpeg, find
from avpipe.codecs.isolate import probe_files
from avpipe.recipe import Quality

RATES = (1_500_000, 500_000)
"""Bits a second of the whole that are allowed."""
SOUND_RATE = 96_000
"""Of the plain command."""
MOST_TIME = 1.25
"""Times what the plain command takes."""
LESS_VMAF = 0.5
"""How much below the plain command's a VMAF may be and still be called the same."""
FULL_USE = 0.97


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One file under one limit."""

    name: str
    limit_bytes: int
    method: str
    width: int
    height: int
    size_bytes: int
    vmaf: float
    used: Usage
    plain_bytes: int
    plain_vmaf: float
    plain: Usage

    @property
    def passed(self) -> bool:
        """Whether it kept to the bars."""
        under = self.size_bytes <= self.limit_bytes
        used = self.method != "two_pass" or self.size_bytes >= FULL_USE * self.limit_bytes
        seen = self.vmaf >= self.plain_vmaf - LESS_VMAF
        return under and used and seen and self.time <= MOST_TIME

    @property
    def time(self) -> float:
        """How many times the plain command's CPU time it took: wall times are for idle machines."""
        return self.used.cpu_s / self.plain.cpu_s


@click.command("fit")
@click.option("--seconds", type=click.IntRange(2), default=30, show_default=True)
@click.option("--quick", is_flag=True, help="Short footage, one limit: does it work at all?")
@click.option("--only", multiple=True, help="Footage of that name alone.")
@click.option("--recordings", type=click.Path(path_type=Path), help="A folder of real videos too.")
@click.option("--work", type=click.Path(path_type=Path), help="Keeps the footage.")
@click.option("--markdown", "markdown_file", type=click.Path(path_type=Path))
def main(
    seconds: int,
    quick: bool,
    only: tuple[str, ...],
    recordings: Path | None,
    work: Path | None,
    markdown_file: Path | None,
) -> None:
    """Compress footage under limits, and do the same with ffmpeg by hand, in turn."""
    ffmpeg = find(os.environ.get("AVPIPE_FFMPEG"))
    folder = work or Path(tempfile.gettempdir(), "avpipe-benchmarks")
    folder.mkdir(parents=True, exist_ok=True)
    footage = Footage(folder=folder, ffmpeg=ffmpeg)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="outputs-", dir=folder) as outputs:
        for source in _sources(footage, 4 if quick else seconds, recordings, only):
            for rate in RATES[1:2] if quick else RATES:
                row = compare(source, rate, ffmpeg, Path(outputs))
                if row is not None:
                    rows.append(row)
                    click.echo(_cells(row), err=True)
    text = table(rows)
    click.echo(text)
    if markdown_file is not None:
        markdown_file.write_text(text + "\n")
    sys.exit(0 if quick or all(row.passed for row in rows) else 1)


def _sources(
    footage: Footage, seconds: int, recordings: Path | None, only: tuple[str, ...]
) -> Iterator[Path]:
    made = {
        "talking-head": footage.talking_head,
        "screen": footage.screen,
        "film": footage.film,
        "phone": footage.phone,
    }
    for name, make in made.items():
        if not only or name in only:
            yield make(seconds)
    for path in sorted(recordings.iterdir()) if recordings else ():
        if not only or path.stem in only:
            yield path


def compare(source: Path, rate: int, ffmpeg: Ffmpeg, folder: Path) -> Row | None:
    """One file under one limit; None where it fits as it is. The plain one gets the same size."""
    (info,) = probe_files([str(source)])
    duration_s = info.duration_s or 0.0
    limit = round(rate * duration_s / 8)
    if (info.size_bytes or 0) <= limit:
        return None
    (ours, theirs, log) = (folder / "ours.mp4", folder / "theirs.mp4", folder / "log")
    argv = (*AVPIPE, "compress", str(source), "--max-size", str(limit), "-o", str(ours), "-y")
    used = run((*argv, "--json"), log, memory=False)
    done = json.loads(log.read_text().splitlines()[-1])
    size_bytes = ours.stat().st_size
    plain = _by_hand(source, theirs, size_bytes, duration_s, ffmpeg, log)
    size = info.video[0].upright_size
    return Row(
        name=source.stem,
        limit_bytes=limit,
        method=done["method"],
        width=done["output"]["width"],
        height=done["output"]["height"],
        size_bytes=size_bytes,
        vmaf=vmaf(ours, source, size, ffmpeg, folder),
        used=used,
        plain_bytes=theirs.stat().st_size,
        plain_vmaf=vmaf(theirs, source, size, ffmpeg, folder),
        plain=plain,
    )


def _by_hand(
    source: Path, target: Path, size_bytes: int, duration_s: float, ffmpeg: Ffmpeg, log: Path
) -> Usage:
    """Two passes at 1080 lines, as people do it; both passes' time together."""
    rate = max(10_000, round(size_bytes * 8 / duration_s - SOUND_RATE))
    start = (ffmpeg.path, "-hide_banner", "-nostdin", "-v", "error", "-y", "-i", f"file:{source}")
    picture = (
        *("-map", "0:v:0", "-vf", "scale=-2:1080", "-c:v", "libx264", "-pix_fmt", "yuv420p"),
        *("-preset", X264.options[Quality.STANDARD]["preset"], "-b:v", str(rate)),
        *("-passlogfile", str(log.with_name("by-hand"))),
    )
    sound = ("-map", "0:a:0?", "-c:a", "aac", "-b:a", str(SOUND_RATE))
    first = run((*start, *picture, "-pass", "1", "-f", "null", "-"), log, memory=False)
    second = run((*start, *picture, "-pass", "2", *sound, f"file:{target}"), log, memory=False)
    return Usage(
        wall_s=first.wall_s + second.wall_s, cpu_s=first.cpu_s + second.cpu_s, peak_bytes=None
    )


def vmaf(made: Path, source: Path, size: tuple[int, int], ffmpeg: Ffmpeg, folder: Path) -> float:
    """How a file looks beside its source, at the source's size."""
    scale = f"scale={size[0]}:{size[1]}:flags=bicubic,format=yuv420p,settb=AVTB,setpts=PTS-STARTPTS"
    log = folder / "vmaf.json"
    score = f"libvmaf=log_fmt=json:n_threads=2:n_subsample=2:log_path={log}"
    graph = f"[0:v]{scale}[a];[1:v]{scale}[b];[a][b]{score}"
    argv = (ffmpeg.path, "-hide_banner", "-nostdin", "-v", "error", "-i", f"file:{made}")
    rest = ("-i", f"file:{source}", "-lavfi", graph, "-f", "null", "-")
    run((*argv, *rest), folder / "log", memory=False)
    return float(json.loads(log.read_text())["pooled_metrics"]["vmaf"]["mean"])


HEADER = "| footage | limit kB | method | size | kB | of limit | VMAF | by hand | wall | CPU | |"


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    return "\n".join([HEADER, "|---" * 11 + "|", *(_cells(row) for row in rows)])


def _cells(row: Row) -> str:
    cells = (
        row.name,
        f"{row.limit_bytes / 1e3:.0f}",
        row.method,
        f"{row.width}x{row.height}",
        f"{row.size_bytes / 1e3:.0f}",
        f"{row.size_bytes / row.limit_bytes:.1%}",
        f"{row.vmaf:.1f}",
        f"{row.plain_vmaf:.1f} ({row.plain_bytes / 1e3:.0f} kB)",
        f"{row.used.wall_s / row.plain.wall_s:.2f}",
        f"{row.used.cpu_s:.0f} / {row.plain.cpu_s:.0f} s = {row.time:.2f}",
        "pass" if row.passed else "MISS",
    )
    return "| " + " | ".join(cells) + " |"
