"""`avpipe watch`."""

from __future__ import annotations

import os
import signal
import threading
from contextlib import closing
from types import FrameType
from typing import Any

import click

from avpipe.batch.session import Reported
from avpipe.batch.survey import require_possible
from avpipe.batch.values import Summary, Surveyed
from avpipe.batch.watch import Trouble, Waiting, watch_folder
from avpipe.cli.batch import batch_options, wanted_of
from avpipe.cli.batch_screen import Lines, Screen
from avpipe.cli.options import merge_options
from avpipe.cli.output import settings, tell
from avpipe.cli.switches import json_option
from avpipe.errors import StoppedError


@click.command("watch")
@click.argument("folder", type=click.Path())
@batch_options
@click.option(
    "--settle",
    "settle_s",
    type=click.FloatRange(0, 3600),
    default=2.0,
    show_default=True,
    metavar="SECONDS",
    help="How long a file's size must stand still.",
)
@merge_options
@click.option("-y", "--overwrite", is_flag=True, help="Replace outputs that are there.")
@json_option
def command(folder: str, as_json: bool, debug: bool, settle_s: float, **values: Any) -> None:
    """Merge what arrives in FOLDER, until SIGTERM or Ctrl-C."""
    report = values.pop("report")
    wanted = wanted_of(folder, values)
    require_possible(wanted, dry_run=False)
    stop = threading.Event()
    _end_softly(stop)
    shown: Lines | Screen = Lines() if as_json else Screen()
    updates = watch_folder(
        wanted,
        settings(),
        stop=stop,
        settle_s=settle_s,
        report=None if report is None else os.path.abspath(report),  # noqa: PTH100
    )
    told: set[tuple[str, str]] = set()
    with closing(shown), closing(updates):
        for update in updates:
            if isinstance(update, Surveyed):
                told = _show_survey(shown, update, told)
            elif isinstance(update, Reported):
                if update.problem:
                    tell("warning", update.problem)
            elif isinstance(update, Trouble):
                tell("warning", update.message)
            elif isinstance(update, Waiting):
                shown.close()
            elif not isinstance(update, Summary) or update.done or update.failed:
                shown.show(update)


def _show_survey(
    shown: Lines | Screen, update: Surveyed, told: set[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Show a survey; what was said of a file before is not said again."""
    from dataclasses import replace

    new = tuple(one for one in update.unpaired if (one.path, one.reason) not in told)
    shown.show(replace(update, unpaired=new, skipped=()))
    return {(one.path, one.reason) for one in update.unpaired}


def _end_softly(stop: threading.Event) -> None:
    """SIGTERM lets the items in hand end; a second one ends them too."""

    def end(number: int, frame: FrameType | None) -> None:
        if stop.is_set():
            raise StoppedError(number)
        stop.set()

    signal.signal(signal.SIGTERM, end)
