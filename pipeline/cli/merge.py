"""`avpipe merge`."""

from __future__ import annotations

import importlib
from collections.abc import Generator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import click

from avpipe import jsonform
from avpipe.cli.options import merge_options, request_of
from avpipe.cli.output import settings
from avpipe.cli.show import Lines, Presenter
from avpipe.cli.switches import json_option
from avpipe.errors import RequestError
from avpipe.files import probed, require_files, require_output
from avpipe.plan.request import Request
from avpipe.plan.values import SCHEMA, Plan
from avpipe.updates import Update


@click.command("merge")
@click.argument("video", required=False, type=click.Path())
@click.argument("audio", nargs=-1, type=click.Path())
@click.option("-o", "--output", type=click.Path(), help="[default: VIDEO.merged.mp4 here]")
@click.option("--plan", "plan_file", type=click.Path(), help="Carry out a saved plan.")
@merge_options
@click.option("--dry-run", is_flag=True, help="Say what would be done, and why.")
@click.option("-y", "--overwrite", is_flag=True, help="Replace an output that is there.")
@json_option
def command(
    video: str | None,
    audio: tuple[str, ...],
    output: str | None,
    plan_file: str | None,
    dry_run: bool,
    overwrite: bool,
    as_json: bool,
    debug: bool,
    **values: Any,
) -> None:
    """Make one MP4 of VIDEO's picture and AUDIO's sound, of one recording or several."""
    if plan_file is not None:
        if video is not None or output is not None:
            raise RequestError("a saved plan has its files already: give --plan alone")
        _carry_out(read_plan(plan_file), dry_run, overwrite, as_json)
        return
    if video is None or not audio:
        raise click.UsageError("a merge takes a video and its sound: avpipe merge VIDEO AUDIO")
    request = request_of(video, audio, output, values)
    if dry_run:
        from avpipe.cli.plan import show_plan
        from avpipe.workflow import plan_merge

        show_plan(plan_merge(request, settings()), as_json=as_json)
        return
    _merge(request, overwrite, as_json)


def _carry_out(plan: Plan, dry_run: bool, overwrite: bool, as_json: bool) -> None:
    from avpipe.cli.plan import show_plan
    from avpipe.workflow import carry_out

    if dry_run:
        show_plan(plan, as_json=as_json)
    else:
        show_updates(carry_out(plan, settings(), overwrite=overwrite), as_json)


def _merge(request: Request, overwrite: bool, as_json: bool) -> None:
    current = settings()
    # Told before minutes are spent on anything.
    inputs = (request.video, *request.recordings)
    require_files(inputs)
    require_output(Path(request.output), inputs, overwrite=overwrite)
    # What plans and renders takes as long to import as two files to probe, in a child.
    files = probed(inputs, meanwhile=partial(importlib.import_module, "avpipe.workflow"))
    from avpipe.workflow import Known, merge

    known = Known(files=files)
    show_updates(merge(request, current, overwrite=overwrite, known=known), as_json)


def show_updates(updates: Generator[Update], as_json: bool) -> None:
    """Print updates as they come."""
    shown: Lines | Presenter = Lines() if as_json else Presenter()
    with closing(shown), closing(updates):
        for update in updates:
            shown.show(update)


def read_plan(path: str) -> Plan:
    """A saved plan. Raises RequestError where it is none."""
    try:
        plan = jsonform.loads(Plan, Path(path).read_bytes())
    except OSError as error:
        raise RequestError(f"the plan {path} cannot be read: {error.strerror}") from error
    except (ValueError, TypeError, ArithmeticError, RecursionError) as error:
        raise RequestError(f"{path} is not a plan: {error}") from error
    if plan.schema != SCHEMA:
        raise RequestError(f"{path} is a plan of another version: {plan.schema}")
    return plan
