"""`avpipe bench`."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from avpipe import __version__
from avpipe.cli.output import print_json, printable, settings, shown_path, tell
from avpipe.cli.switches import json_option
from avpipe.errors import RenderError, RequestError
from avpipe.files import require_files, require_target
from avpipe.recipe import Quality
from avpipe.render.workspace import write_whole
from avpipe.updates import Progress

if TYPE_CHECKING:
    from avpipe.benchmarks.lanes import Lane, Skipped
    from avpipe.benchmarks.sitting import Sitting
    from avpipe.settings import Settings

ROUTES = ("local", "cloud")
RUNS = 3
QUALITIES = (Quality.DRAFT, Quality.STANDARD)
SAMPLE: dict[str, Any] = {
    "seconds": Fraction(20),
    "frame_rate": Fraction(30),
    "recorder_seconds": Fraction(22),
    "offset_s": Fraction(-5, 4),
    "drift_ppm": Fraction(40),
    "snr_db": 15.0,
    "rt60_s": 0.5,
    "seed": 1,
}
SAMPLE_SIZE = (1280, 720)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What was asked for."""

    routes: frozenset[str]
    nemo: bool
    qualities: tuple[Quality, ...]
    runs: int
    warm_ups: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What was measured, and on what."""

    sitting: Sitting
    machine: dict[str, str]


@click.command("bench")
@click.argument("video", required=False, type=click.Path())
@click.argument("audio", required=False, type=click.Path())
@click.option("--routes", default=",".join(ROUTES), show_default=True, help="Which to measure.")
@click.option("--nemo", is_flag=True, help="The vendor's cloud too: uploads, and spends credits.")
@click.option(
    "--quality",
    "qualities",
    multiple=True,
    type=click.Choice([one.value for one in Quality]),
    help="Of the encodes here, any number of them.  [default: draft, standard]",
)
@click.option("--runs", type=click.IntRange(1), default=RUNS, show_default=True, help="Of each.")
@click.option(
    "--warm-ups", type=click.IntRange(0), default=1, show_default=True, help="Runs not counted."
)
@click.option("--report", type=click.Path(), metavar="FILE.html", help="A page with plots.")
@click.option("-y", "--overwrite", is_flag=True, help="Replace a report that is there.")
@json_option
def command(
    video: str | None,
    audio: str | None,
    routes: str,
    nemo: bool,
    qualities: tuple[str, ...],
    runs: int,
    warm_ups: int,
    report: str | None,
    overwrite: bool,
    as_json: bool,
    debug: bool,
) -> None:
    """Merge VIDEO and AUDIO in every way that works here, and say what each takes.

    Without them a drawn and spoken pair of 20 s is made and used.
    """
    if video is not None and audio is None:
        raise click.UsageError("a bench takes two files, or none: avpipe bench VIDEO AUDIO")
    wanted = Wanted(
        routes=_routes(routes),
        nemo=nemo,
        qualities=tuple(map(Quality, qualities)) or QUALITIES,
        runs=runs,
        warm_ups=warm_ups,
    )
    current = settings()
    given = [os.path.abspath(path) for path in (video, audio) if path is not None]  # noqa: PTH100
    require_files(given)
    page = None if report is None else Path(report).absolute()
    if page is not None:
        require_target(page, given, overwrite=overwrite)
    with tempfile.TemporaryDirectory(prefix="avpipe-bench-") as name:
        folder = Path(name)
        outcome = _measured(wanted, given or _sample(folder), folder, current)
        _show(outcome, page, overwrite=overwrite, as_json=as_json)
    if not outcome.sitting.results:
        raise RenderError("nothing was measured: every way failed or was skipped")


def _routes(text: str) -> frozenset[str]:
    """The routes of an option. Raises RequestError."""
    chosen = frozenset(part.strip() for part in text.split(",") if part.strip())
    if not chosen or not chosen <= set(ROUTES):
        raise RequestError(f"--routes takes {' and '.join(ROUTES)}, with a comma, not {text!r}")
    return chosen


def _sample(folder: Path) -> list[str]:
    """The generated pair, in a folder."""
    from avpipe.benchmarks.sample_pair import make_pair
    from avpipe.benchmarks.scene import Scene

    (camera, recorder) = (folder / "interview.mp4", folder / "interview.flac")
    make_pair(Scene(**SAMPLE), "auto", SAMPLE_SIZE, camera, recorder)
    return [str(camera), str(recorder)]


def _measured(wanted: Wanted, pair: Sequence[str], folder: Path, current: Settings) -> Outcome:
    """Every way that was asked for, and the machine before and after."""
    from avpipe.benchmarks.report import machine
    from avpipe.benchmarks.sitting import Bench
    from avpipe.codecs.ffmpeg import find

    offered = list(_offered(wanted, pair, current))
    bench = Bench(video=pair[0], audio=pair[1], folder=folder, settings=current)
    facts = {"avpipe": __version__, **machine(find(current.ffmpeg))}
    sitting = _shown(bench.sit(offered, wanted.runs, wanted.warm_ups))
    return Outcome(sitting=sitting, machine={**facts, "load after": f"{os.getloadavg()[0]:.1f}"})


def _offered(wanted: Wanted, pair: Sequence[str], current: Settings) -> Iterator[Lane | Skipped]:
    from avpipe.benchmarks.lanes import cloud_lanes, local_lanes

    environ = dict(os.environ)
    if "local" in wanted.routes:
        yield from local_lanes(pair[0], pair[1], current, wanted.qualities, environ)
    if "cloud" in wanted.routes:
        yield from cloud_lanes(current, environ, may_spend=wanted.nemo)


def _shown(steps: Generator[Progress, None, Sitting]) -> Sitting:
    """The sitting, with a bar on a terminal."""
    bar = None
    if sys.stderr.isatty():
        from avpipe.cli.bar import Bar  # rich is imported only where it is seen

        bar = Bar()
    try:
        with closing(steps):
            while True:
                update = next(steps)
                if bar is not None:
                    bar.show(update)
    except StopIteration as end:
        sitting: Sitting = end.value
        return sitting
    finally:
        if bar is not None:
            bar.close()


def _show(outcome: Outcome, page: Path | None, *, overwrite: bool, as_json: bool) -> None:
    from avpipe.benchmarks.break_even import breaks_even
    from avpipe.benchmarks.form import as_form
    from avpipe.benchmarks.page import COLUMNS, cells_of, draw_page

    sitting = outcome.sitting
    (found, bound) = breaks_even(sitting)
    if page is not None:
        text = draw_page(sitting, outcome.machine, found, bound)
        write_whole(page, text, overwrite=overwrite)
    form = as_form(sitting, outcome.machine, found)
    if as_json:
        print_json({**form, "report": None if page is None else str(page)})
        return
    rows = [COLUMNS, *map(cells_of, sitting.results)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (
            cell.ljust(w) if n < 2 else cell.rjust(w)
            for n, (cell, w) in enumerate(zip(row, widths, strict=True))
        )
        click.echo("  ".join(cells).rstrip())
    for one in sitting.skipped:
        tell("note", printable(f"{one.name} was not measured: {one.reason}"))
    click.echo(
        f"load {outcome.machine['load before']} before and {outcome.machine['load after']} after"
    )
    if found is not None:
        click.echo(form["break_even"]["sentence"])
    if page is not None:
        click.echo(f"report: {shown_path(str(page))}")
