"""`avpipe batch`."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from avpipe.batch.manifest import read_manifest
from avpipe.batch.outputs import FIELDS
from avpipe.batch.session import Reported, run_batch
from avpipe.batch.survey import require_possible
from avpipe.batch.values import DEFAULT_TEMPLATE, Row, Summary, Wanted
from avpipe.cli.batch_screen import Lines, PlanScreen, Screen
from avpipe.cli.options import (
    merge_options,
    option_names,
    parsed_options,
    request_of,
)
from avpipe.cli.output import settings, tell
from avpipe.cli.switches import json_option
from avpipe.errors import RequestError
from avpipe.pairing.values import PairBy
from avpipe.plan.request import Request

SOME_FAILED = 8
"""The exit code of a batch some of whose items failed."""
NONE = "none"
"""Stands for the files in the request whose options all items share."""


def batch_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """The options that `batch` and `watch` share, beside those of a merge."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


_OPTIONS: list[Callable[..., Any]] = [
    click.option("-o", "--output", "outdir", required=True, type=click.Path(), metavar="OUTDIR"),
    click.option(
        "--pair",
        type=click.Choice([entry.value for entry in PairBy]),
        default=PairBy.AUTO.value,
        show_default=True,
        help="What tells which sound belongs to which picture.",
    ),
    click.option("--recursive", is_flag=True, help="Take folders inside too."),
    click.option(
        "--template",
        default=DEFAULT_TEMPLATE,
        show_default=True,
        help=f"What outputs are called, of {', '.join(f'{{{name}}}' for name in FIELDS)}.",
    ),
    click.option("--jobs", type=click.IntRange(1), help="Merges at once. [default: as fit]"),
    click.option("--report", type=click.Path(), metavar="HTML", help="Write a report."),
]


@click.command("batch")
@click.argument("folder", required=False, type=click.Path())
@batch_options
@click.option("--manifest", type=click.Path(), help="CSV or JSONL: which video with which audio.")
@click.option("--cluster", metavar="ADDRESS", help="Of a Dask scheduler: make them there.")
@merge_options
@click.option("--dry-run", is_flag=True, help="Say what would be made of what, and why.")
@click.option("-y", "--overwrite", is_flag=True, help="Replace outputs that are there.")
@json_option
def command(
    folder: str | None,
    manifest: str | None,
    cluster: str | None,
    dry_run: bool,
    as_json: bool,
    debug: bool,
    **values: Any,
) -> int:
    """Make an MP4 of each video in FOLDER and the sound that belongs to it."""
    if folder is None and manifest is None:
        raise click.UsageError("give a FOLDER, or a --manifest")
    report = values.pop("report")
    wanted = wanted_of(folder or os.path.dirname(manifest or "") or ".", values)
    require_possible(wanted, dry_run=dry_run)
    rows = None if manifest is None else _rows(manifest, wanted, values)
    current = settings()
    updates = run_batch(
        wanted,
        current,
        rows=rows,
        cluster=cluster,
        dry_run=dry_run,
        report=None if report is None else os.path.abspath(report),  # noqa: PTH100
    )
    return show(updates, as_json=as_json, dry_run=dry_run)


def show(updates: Any, *, as_json: bool, dry_run: bool = False) -> int:
    """Print updates as they come; gives the exit code."""
    shown: Lines | Screen = Lines() if as_json else (PlanScreen() if dry_run else Screen())
    code = 0
    with closing(shown), closing(updates):
        for update in updates:
            shown.show(update)
            if isinstance(update, Summary) and update.failed:
                code = SOME_FAILED
            if isinstance(update, Reported) and update.problem:
                tell("warning", update.problem)
    return code


def wanted_of(folder: str, values: dict[str, Any]) -> Wanted:
    """What the options ask for. Raises RequestError where they contradict each other."""
    return Wanted(
        folder=_place(folder),
        outdir=_place(values["outdir"]),
        request=request_of(NONE, [NONE], None, values),
        pair=PairBy(values["pair"]),
        recursive=values["recursive"],
        template=values["template"],
        overwrite=values.get("overwrite", False),
        jobs=values["jobs"],
    )


def _place(path: str) -> str:
    """A folder's absolute path, or an address as it is."""
    return path if "://" in path else os.path.abspath(path)  # noqa: PTH100


def _rows(manifest: str, wanted: Wanted, values: dict[str, Any]) -> tuple[Row, ...]:
    def make(video: str, audio: Sequence[str], output: str, given: Any) -> Request:
        try:
            own = values | parsed_options(given)
        except click.UsageError as error:
            raise RequestError(error.format_message()) from error
        request = request_of(video, list(audio), output or None, own, placed=_place)
        return request if output else _unnamed(request)

    return read_manifest(Path(manifest), outdir=wanted.outdir, options=option_names(), make=make)


def _unnamed(request: Request) -> Request:
    """The same without an output: the template names it."""
    from dataclasses import replace

    return replace(request, output="")
