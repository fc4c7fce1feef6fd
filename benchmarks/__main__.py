"""`python -m avpipe.benchmarks`: avpipe's commands against the plain ones; sync's accuracy."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

import click

from avpipe.benchmarks import (
    batches,
    fit_quality,
    growth,
    job_peers,
    report,
    sync_accuracy,
    sync_peers,
)
from avpipe.benchmarks import check as checked
from avpipe.benchmarks.cases import CASES
from avpipe.benchmarks.comparison import compare
from avpipe.benchmarks.inputs import Inputs
from avpipe.codecs.ffmpeg import find


@click.command()
@click.argument("names", metavar="[CASE]...", nargs=-1, type=click.Choice(list(CASES)))
@click.option("--quick", is_flag=True, help="Small inputs, one run: does it work at all?")
@click.option(
    "--check", is_flag=True, help="Small inputs; fails where a ratio is worse than its baseline."
)
@click.option("--keep", is_flag=True, help="Write the ratios of a check as the new baseline.")
@click.option("--runs", type=click.IntRange(1), help="Of each command; set by the case if not.")
@click.option("--work", type=click.Path(path_type=Path), help="Keeps the inputs (4 GB).")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write every run there.")
@click.option("--markdown", "markdown_file", type=click.Path(path_type=Path), help="Write a table.")
def main(
    names: tuple[str, ...],
    quick: bool,
    check: bool,
    keep: bool,
    runs: int | None,
    work: Path | None,
    json_file: Path | None,
    markdown_file: Path | None,
) -> None:
    """Time avpipe against the plain commands, in turn; fails where a bar is missed."""
    (quick, names) = (quick or check or keep, names or (checked.CASES if check or keep else ()))
    runs = runs or (checked.RUNS if check or keep else None)
    ffmpeg = find(os.environ.get("AVPIPE_FFMPEG"))
    folder = work or Path(tempfile.gettempdir(), "avpipe-benchmarks")
    folder.mkdir(parents=True, exist_ok=True)
    inputs = Inputs(folder=folder, ffmpeg=ffmpeg)
    facts = report.machine(ffmpeg)
    found = []
    with tempfile.TemporaryDirectory(prefix="outputs-", dir=folder) as outputs:
        for name in names or CASES:
            case = CASES[name]
            entry = compare(case, inputs, Path(outputs), quick=quick, runs=runs, tell=_tell)
            found.append(entry)
    text = report.markdown(found, facts)
    click.echo(text)
    if markdown_file is not None:
        markdown_file.write_text(text + "\n")
    if json_file is not None:
        form = report.as_json(found, facts, quick=quick)
        json_file.write_text(json.dumps(form, indent=2) + "\n")
    if keep:
        kept = json.dumps(checked.as_json(found, facts), indent=2) + "\n"
        BASELINE.write_text(kept)
    lost = list(checked.got_worse(found, checked.read(BASELINE))) if check else []
    for line in lost:
        click.echo(f"worse: {line}")
    sys.exit(0 if all(entry.passed for entry in found) and not lost else 1)


BASELINE = checked.FOLDER / "small.json"


def _tell(line: str) -> None:
    click.echo(line, err=True)


_OTHERS = (
    sync_accuracy.main,
    sync_peers.main,
    job_peers.main,
    fit_quality.main,
    growth.main,
    batches.main,
)


if __name__ == "__main__":
    _others = {command.name: command for command in _OTHERS}
    if sys.argv[1:] and sys.argv[1] in _others:
        _others[sys.argv[1]].main(sys.argv[2:], prog_name=sys.argv[1])
    main()
