"""The merge from request to verified file, as a stream of updates."""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path

from avpipe.codecs import encoders, isolate
from avpipe.codecs.ffmpeg import Ffmpeg, find
from avpipe.errors import (
    InputChangedError,
    InputMissingError,
    OutputExistsError,
    OutputIsInputError,
    RequestError,
)
from avpipe.media import Alignment, MediaInfo, Verdict
from avpipe.plan.make import Heard, make_plan, require_supported, usable_streams
from avpipe.plan.request import Request, Sync
from avpipe.plan.values import Machine, Plan
from avpipe.recipe import Action, Quality
from avpipe.render.checks import checks_of_file
from avpipe.render.local import render, usable_cores
from avpipe.settings import Settings
from avpipe.updates import Check, Done, Note, OutputFacts, Progress, Started, Update

SYNC_STAGE = "sync"
"""The stage in which the files are compared."""


def plan_merge(request: Request, settings: Settings) -> Plan:
    """The plan of a merge, from the files themselves.

    Raises RequestError, MediaError, SyncUncertainError or ToolMissingError.
    """
    steps = _plan_steps(request, _probed(request), settings)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            plan: Plan = end.value
            return plan


def merge(request: Request, settings: Settings, *, overwrite: bool) -> Generator[Update]:
    """Plan a merge and carry it out; the last update is `Done`. Errors as those of the two."""
    began = time.monotonic()
    files = _probed(request)
    usable_streams(files[0], files[1:])
    require_output(Path(request.output), _inputs(request), overwrite=overwrite)
    yield Started(video=request.video, audio=request.audio, output=request.output)
    plan = yield from _plan_steps(request, files, settings)
    yield from _carried_out(plan, settings, began, overwrite=overwrite)


def carry_out(plan: Plan, settings: Settings, *, overwrite: bool) -> Generator[Update]:
    """Carry out a plan; the last update is `Done`.

    Raises AvpipeError where it fails, and then leaves nothing behind.
    """
    began = time.monotonic()
    files = (plan.inputs.video, *plan.inputs.recorders)
    paths = [info.path for info in files]
    require_files(paths)
    for info in files:
        _require_unchanged(info)
    require_output(Path(plan.output.path), paths, overwrite=overwrite)
    yield Started(video=files[0].path, audio=files[1].path, output=plan.output.path)
    yield from _carried_out(plan, settings, began, overwrite=overwrite)


def _carried_out(
    plan: Plan, settings: Settings, began: float, *, overwrite: bool
) -> Generator[Update]:
    ffmpeg = find(settings.ffmpeg)
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


def _inputs(request: Request) -> tuple[str, ...]:
    return (request.video, *request.recordings)


def _probed(request: Request) -> tuple[MediaInfo, ...]:
    """The facts of the video and of each recording."""
    require_files(_inputs(request))
    return tuple(isolate.probe_files(_inputs(request)))


def _plan_steps(
    request: Request, files: Sequence[MediaInfo], settings: Settings
) -> Generator[Progress, None, Plan]:
    """The plan, and on the way how far the listening is."""
    (video, *audio) = files
    usable_streams(video, audio)
    cores = usable_cores(settings.jobs)
    machine = Machine(cores=cores)
    heard = Heard()
    if request.listens and video.audio:
        found = yield from _listen(video, audio, find(settings.ffmpeg), cores)
        heard = Heard(found=found)
    plan = make_plan(request, video, audio, machine, heard)
    if request.sync in (Sync.AUTO, Sync.REQUIRE) and _is_filled(plan):
        gain_db = _camera_gain_db(plan, find(settings.ffmpeg))
        heard = dataclasses.replace(heard, camera_gain_db=gain_db)
        plan = make_plan(request, video, audio, machine, heard)
    if plan.video is Action.ENCODE and request.quality is not Quality.HIGH:
        # Only now is it worth to find out what the hardware really does.
        encoders_found = encoders.working_hardware(find(settings.ffmpeg), settings.state_dir)
        machine = Machine(cores=cores, encoders=encoders_found)
        plan = make_plan(request, video, audio, machine, heard)
    return plan


def _listen(
    video: MediaInfo, audio: Sequence[MediaInfo], ffmpeg: Ffmpeg, cores: int
) -> Generator[Progress, None, tuple[Alignment, ...]]:
    """How each recording lines up with the video."""
    from avpipe.listen.align import align_steps  # NumPy: only where something is compared

    yield Progress(stage=SYNC_STAGE, done=0.0)
    found = []
    for number, info in enumerate(audio):
        steps = align_steps(video, info, ffmpeg=ffmpeg, cores=cores)
        alignment = yield from _as_part(steps, number, len(audio))
        # The same files make the same plan: how long it took is no part of it.
        alignment = dataclasses.replace(alignment, elapsed_s=None)
        found.append(_with_quiet_joints(alignment, info, ffmpeg))
    yield Progress(stage=SYNC_STAGE, done=1.0)
    return tuple(found)


def _as_part(
    steps: Generator[Progress, None, Alignment], number: int, count: int
) -> Generator[Progress, None, Alignment]:
    """The progress of one of several recordings as that of all."""
    with closing(steps):
        while True:
            try:
                update = next(steps)
            except StopIteration as end:
                alignment: Alignment = end.value
                return alignment
            yield Progress(stage=SYNC_STAGE, done=(number + update.done) / count)


def _with_quiet_joints(alignment: Alignment, info: MediaInfo, ffmpeg: Ffmpeg) -> Alignment:
    """The alignment with each joint where it is heard least."""
    from avpipe.codecs.excerpts import EXCERPT_RATE, read_excerpts
    from avpipe.plan.levels import EXCERPT_S, joint_starts, quiet_joints

    starts = joint_starts(alignment)
    if not starts or alignment.verdict is not Verdict.MATCHED:
        return alignment
    read = partial(read_excerpts, ffmpeg, info, info.audio[0], length_s=EXCERPT_S)
    (before, after) = (read(starts=[joint[side] for joint in starts]) for side in (0, 1))
    return quiet_joints(alignment, before, after, EXCERPT_RATE)


def _is_filled(plan: Plan) -> bool:
    """Whether the camera is heard in the gaps of a recording."""
    return any(reason.code == "encode_audio_fill" for reason in plan.reasons)


def _camera_gain_db(plan: Plan, ffmpeg: Ffmpeg) -> float:
    """What brings the camera's sound to the level of the recording."""
    from avpipe.codecs.excerpts import read_excerpts
    from avpipe.plan.levels import MOMENT_S, match_gain_db, shared_moments

    moments = shared_moments(plan.timeline)
    if not moments:
        return 0.0
    (video, audio) = (plan.inputs.video, plan.recipe.source(moments[0].source))
    camera = read_excerpts(
        ffmpeg,
        video,
        video.audio[0],
        [moment.camera_s for moment in moments],
        MOMENT_S,
        origin=video.video[0].start,
    )
    starts = [moment.audio_s for moment in moments]
    recording = read_excerpts(ffmpeg, audio, audio.audio[0], starts, MOMENT_S)
    return match_gain_db(camera, recording)


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
