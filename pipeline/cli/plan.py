"""`avpipe plan`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from avpipe import jsonform
from avpipe.cli.options import merge_options, request_of
from avpipe.cli.output import (
    print_json,
    printable,
    settings,
    shown_path,
    shown_size,
    shown_time,
)
from avpipe.cli.session import plan_session
from avpipe.cli.switches import json_option
from avpipe.files import require_files, require_target
from avpipe.media import Alignment, AlignmentMethod
from avpipe.plan.edit import EditPlan
from avpipe.plan.values import Plan, Route
from avpipe.render.workspace import write_whole
from avpipe.workflow import plan_merge

_TOLD_S, _TOLD_PPM = 0.5e-4, 0.1
"""Less of an offset or a drift is not told: nobody hears it."""

_PLACES = {Route.LOCAL: "here", Route.CLOUD: "in the cloud"}


@click.command("plan")
@click.argument("video", required=False, type=click.Path())
@click.argument("audio", nargs=-1, type=click.Path())
@click.option("-o", "plan_file", type=click.Path(), help="Save the plan for merge --plan.")
@click.option("--output", type=click.Path(), help="Where the merge or export will write.")
@click.option("--session", "named", metavar="ID", help="Of a local session. [default: the newest]")
@merge_options
@click.option("-y", "--overwrite", is_flag=True, help="Replace a plan file that is there.")
@json_option
@click.pass_context
def command(
    context: click.Context,
    /,
    video: str | None,
    audio: tuple[str, ...],
    plan_file: str | None,
    output: str | None,
    named: str | None,
    overwrite: bool,
    as_json: bool,
    debug: bool,
    **values: Any,
) -> None:
    """Say what a merge of VIDEO and AUDIO would do, and why; nothing is made.

    Without files: what the export of the session's edit would do here, and which frames of it
    would be encoded.
    """
    if video is None:
        _require_only(context, ("output", "named", "as_json", "debug"))
        show_edit_plan(plan_session(named, output), as_json=as_json)
        return
    if not audio or named is not None:
        wrong = "--session goes without files" if audio else "Missing argument 'AUDIO...'."
        raise click.UsageError(wrong, context)
    saved = None if plan_file is None else Path(plan_file).absolute()
    if saved is not None:
        require_files((video, *audio))
        require_target(saved, (video, *audio), overwrite=overwrite)
    plan = plan_merge(request_of(video, audio, output, values), settings())
    if saved is not None:
        write_whole(saved, jsonform.dumps(plan, indent=2) + "\n", overwrite=overwrite)
    show_plan(plan, as_json=as_json)


def _require_only(context: click.Context, usable: tuple[str, ...]) -> None:
    """Raise UsageError where an option was given that only a merge has."""
    for option in context.command.params:
        given = context.get_parameter_source(option.name or "") is ParameterSource.COMMANDLINE
        if given and option.name not in usable:
            raise click.UsageError(
                f"{option.opts[-1]} is for a merge: give it VIDEO and AUDIO", context
            )


def show_edit_plan(plan: EditPlan | Plan, *, as_json: bool) -> None:
    """Print what an export would do; an edit that is a plain merge is shown as that."""
    if isinstance(plan, Plan):
        show_plan(plan, as_json=as_json)
        return
    if as_json:
        print_json(plan)
        return
    (output, size) = (plan.output, f"{plan.output.width}x{plan.output.height}")
    click.echo(f"{shown_path(output.path)}: {shown_time(output.duration_s)}, {size}")
    click.echo(printable(plan.summary))
    click.echo(plan.words)
    for note in plan.notes:
        click.echo(f"note: {printable(note.message)}")


def show_plan(plan: Plan, *, as_json: bool) -> None:
    """Print a plan: JSON, or a short list of steps with the reason for each."""
    if as_json:
        print_json(plan)
        return
    output = plan.output
    size = f"{output.width}x{output.height}, " if output.width else ""
    click.echo(
        f"{shown_path(output.path)}: {shown_time(output.duration_s)}, "
        f"{size}about {shown_size(output.estimated_bytes)}"
    )
    if plan.inputs.video == plan.inputs.audio:
        _show_steps(plan)
        return
    recordings = zip(plan.inputs.recorders, (plan.alignment, *plan.more_alignments), strict=True)
    for info, alignment in recordings:
        click.echo(f"sync: {shown_path(info.path)} {_placing(alignment)}")
    _show_steps(plan)


def _show_steps(plan: Plan) -> None:
    for number, step in enumerate(plan.steps, 1):
        click.echo(f"{number}. {step.kind} (about {step.estimate_s:.1f} s): {printable(step.why)}")
    if plan.fallback:
        kinds = ", ".join(step.kind for step in plan.fallback)
        click.echo(f"where the cloud does not make it: {kinds} here")
    click.echo(_routing(plan))
    for reason in plan.reasons:
        if reason.note:
            click.echo(f"note: {printable(reason.message)}")


def _routing(plan: Plan) -> str:
    """Which route is taken and why, and how long each would take."""
    why = [reason.message for reason in plan.reasons if reason.code.startswith("route_")]
    times = [f"{_PLACES[one.route]} about {one.estimate_s:.1f} s" for one in plan.estimates]
    return f"route: {'; '.join([plan.route.value, *why])} ({', '.join(times)})"


def _placing(alignment: Alignment) -> str:
    """How a recording is lined up, in words."""
    match alignment.method:
        case AlignmentMethod.START:
            return "begins with the video"
        case AlignmentMethod.OFFSET:
            return f"begins at {alignment.offset_s:+.3f} s of the video, as given"
        case AlignmentMethod.CONTENT:
            offset_s = alignment.offset_s or 0.0
            there = f"at {offset_s:+.4f} s of" if abs(offset_s) >= _TOLD_S else "with"
            return f"begins {there} the video, {_surely(alignment)}"


def _surely(alignment: Alignment) -> str:
    words = [f"found by its content ({alignment.confidence or 0.0:.1%} sure)"]
    if alignment.drift_ppm is not None and abs(alignment.drift_ppm) >= _TOLD_PPM:
        words.append(f"its clock is off by {alignment.drift_ppm:+.2f} ppm")
    if len(alignment.pieces) > 1:
        words.append(f"in {len(alignment.pieces)} pieces")
    return ", ".join(words)
