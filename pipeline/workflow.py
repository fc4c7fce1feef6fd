"""The merge from request to verified file, as a stream of updates."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path

from avpipe.codecs import encoders, isolate
from avpipe.codecs.ffmpeg import find
from avpipe.errors import (
    InputChangedError,
    InputMissingError,
    OutputExistsError,
    OutputIsInputError,
    RequestError,
)
from avpipe.media import MediaInfo
from avpipe.plan.make import make_plan, require_supported
from avpipe.plan.request import Request
from avpipe.plan.values import Machine, Plan
from avpipe.recipe import Action, Quality
from avpipe.render.checks import checks_of_file
from avpipe.render.local import render, usable_cores
from avpipe.settings import Settings
from avpipe.updates import Check, Done, Note, OutputFacts, Progress, Started, Update


def plan_merge(request: Request, settings: Settings) -> Plan:
    """The plan of a merge, from the files themselves.

    Raises RequestError, MediaError or ToolMissingError.
    """
    require_files((request.video, request.audio))
    (video, audio) = isolate.probe_files((request.video, request.audio))
    machine = Machine(cores=usable_cores(settings.jobs))
    plan = make_plan(request, video, audio, machine)
    if plan.video is Action.ENCODE and request.quality is not Quality.HIGH:
        # Only now is it worth to find out what the hardware really does.
        found = encoders.working_hardware(find(settings.ffmpeg), settings.state_dir)
        machine = Machine(cores=machine.cores, encoders=found)
        plan = make_plan(request, video, audio, machine)
    return plan


def carry_out(plan: Plan, settings: Settings, *, overwrite: bool) -> Generator[Update]:
    """Carry out a plan; the last update is `Done`.

    Raises AvpipeError where it fails, and then leaves nothing behind.
    """
    began = time.monotonic()
    (video, audio) = (plan.inputs.video, plan.inputs.audio)
    require_files((video.path, audio.path))
    for info in (video, audio):
        _require_unchanged(info)
    require_output(Path(plan.output.path), (video.path, audio.path), overwrite=overwrite)
    ffmpeg = find(settings.ffmpeg)
    yield Started(video=video.path, audio=audio.path, output=plan.output.path)
    for reason in plan.reasons:
        if reason.note:
            yield Note(code=reason.code, message=reason.message)
    checks: tuple[Check, ...] = ()
    workers = usable_cores(settings.jobs)
    with closing(render(plan, ffmpeg, workers=workers, overwrite=overwrite)) as updates:
        for update in updates:
            if isinstance(update, Progress):
                yield update
            else:
                checks = update
    yield _done(plan, checks, time.monotonic() - began)


def _done(plan: Plan, checks: tuple[Check, ...], elapsed_s: float) -> Done:
    return Done(
        output=OutputFacts(
            path=plan.output.path,
            size_bytes=os.stat(plan.output.path).st_size,  # noqa: PTH116
            duration_s=plan.output.duration_s,
            width=plan.output.width,
            height=plan.output.height,
        ),
        route=plan.route,
        fallback=None,
        video=plan.video.value,
        audio=plan.audio.value,
        alignment=plan.alignment,
        checks=checks,
        elapsed_s=round(elapsed_s, 3),
    )


def require_files(paths: Sequence[str]) -> None:
    """Raise InputMissingError where one of the paths is not a file that can be read."""
    for path in paths:
        if not os.path.lexists(path):
            raise InputMissingError(f"{path} does not exist")
        if os.path.isdir(path):  # noqa: PTH112
            raise InputMissingError(
                f"{path} is a folder, not a file", hint="avpipe merge takes two files"
            )
        if not os.path.isfile(path):  # noqa: PTH113
            raise InputMissingError(f"{path} is not a file")
        if not os.access(path, os.R_OK):
            raise InputMissingError(f"{path} may not be read")


def require_output(output: Path, inputs: Sequence[str], *, overwrite: bool) -> None:
    """Raise where an output must not be written: the folder, an input, a file that exists."""
    require_target(output, inputs, overwrite=overwrite)
    if output.suffix.lower() not in (".mp4", ".m4v"):
        raise RequestError(
            f"the output {output} is not named as an MP4", hint="give it a name that ends in .mp4"
        )


def require_target(output: Path, inputs: Sequence[str], *, overwrite: bool) -> None:
    """Raise where no file of any kind may be written under that name."""
    try:
        there = output.lstat()
    except (FileNotFoundError, NotADirectoryError):
        there = None
    except OSError as error:
        raise RequestError(
            f"the output {output} cannot be made: {error.strerror}", hint="-o names another"
        ) from error
    if not output.parent.is_dir():
        raise RequestError(f"the folder {output.parent} does not exist")
    if not os.access(output.parent, os.W_OK | os.X_OK):
        raise RequestError(f"the folder {output.parent} cannot be written")
    if output.is_dir():
        raise RequestError(f"the output {output} is a folder")
    if there is None:
        return
    for path in inputs:
        if output.exists() and os.path.samefile(output, path):  # noqa: PTH121
            raise OutputIsInputError(f"the output {output} is the input {path}")
    if not overwrite:
        raise OutputExistsError(f"{output} exists", hint="-y overwrites it")


def _require_unchanged(info: MediaInfo) -> None:
    now = os.stat(info.path)  # noqa: PTH116
    if (now.st_size, now.st_mtime_ns) != (info.size_bytes, info.modified_ns):
        raise InputChangedError(
            f"{info.path} has changed since the plan was made", hint="make the plan again"
        )


def verify_file(output: str, *, video: str | None, audio: str | None) -> tuple[Check, ...]:
    """The checks of a finished file, decoded whole, beside the inputs where they are given.

    Raises InputMissingError or UnreadableError.
    """
    given = [os.path.abspath(path) for path in (output, video, audio) if path is not None]  # noqa: PTH100
    require_files(given)
    (made, *inputs) = isolate.probe_files(given)
    for info in (made, *inputs):
        require_supported(info)
    found = isolate.measure_file(made.path, decode_s=math.inf)
    return checks_of_file(
        found,
        video=inputs.pop(0) if video is not None else None,
        audio=inputs.pop(0) if audio is not None else None,
    )
