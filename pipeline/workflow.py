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
from typing import TYPE_CHECKING

from avpipe.cloud.reach import cloud_facts
from avpipe.codecs import encoders, isolate
from avpipe.codecs.ffmpeg import Ffmpeg, find
from avpipe.codecs.process import usable_cores
from avpipe.errors import DoesNotFitError, InputChangedError, RequestError
from avpipe.files import probed, require_files, require_output
from avpipe.media import Alignment, MediaInfo, Verdict
from avpipe.plan.make import Heard, make_plan, usable_streams
from avpipe.plan.request import Request, Sync, VideoMode
from avpipe.plan.route import needs_compression, with_sent
from avpipe.plan.supported import require_supported
from avpipe.plan.values import CloudFacts, CloudOrder, Machine, Plan
from avpipe.recipe import Action, Quality
from avpipe.render.checks import checks_of_file
from avpipe.routes import carry_out_plan
from avpipe.settings import Settings
from avpipe.updates import Check, Progress, Started, Update, result_of

if TYPE_CHECKING:
    from avpipe.cloud.values import Clock

SYNC_STAGE = "sync"
"""The stage in which the files are compared."""


@dataclasses.dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What is known of a merge's inputs before it begins, so that it is not found out again."""

    files: tuple[MediaInfo, ...] = ()
    """The facts of the video and of each recording; none: they are probed."""
    found: tuple[Alignment, ...] = ()
    """How each recording lines up by its content; none: they are compared where that is asked."""


NOTHING_KNOWN = Known()


def plan_merge(request: Request, settings: Settings, *, known: Known = NOTHING_KNOWN) -> Plan:
    """The plan of a merge, from the files themselves.

    Raises RequestError, MediaError, SyncUncertainError or ToolMissingError.
    """
    files = known.files or _probed(request)
    return result_of(_plan_steps(request, files, settings, known.found))


def merge(
    request: Request, settings: Settings, *, overwrite: bool, known: Known = NOTHING_KNOWN
) -> Generator[Update]:
    """Plan a merge and carry it out; the last update is `Done`. Errors as those of the two."""
    began = time.monotonic()
    files = known.files or _probed(request)
    for info in known.files:
        _require_unchanged(info)
    usable_streams(files[0], files[1:])
    require_output(Path(request.output), _inputs(request), overwrite=overwrite)
    yield Started(video=request.video, audio=request.audio, output=request.output)
    plan = yield from _plan_steps(request, files, settings, known.found)
    yield from carry_out_plan(plan, settings, overwrite=overwrite, began=began)


def carry_out(
    plan: Plan, settings: Settings, *, overwrite: bool, clock: Clock | None = None
) -> Generator[Update]:
    """Carry out a plan; the last update is `Done`. `clock` is that of the cloud's waits.

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
    yield from carry_out_plan(plan, settings, overwrite=overwrite, clock=clock, began=began)


def _inputs(request: Request) -> tuple[str, ...]:
    return (request.video, *request.recordings)


def _probed(request: Request) -> tuple[MediaInfo, ...]:
    """The facts of the video and of each recording."""
    return probed(_inputs(request))


def _plan_steps(
    request: Request,
    files: Sequence[MediaInfo],
    settings: Settings,
    found: tuple[Alignment, ...] = (),
) -> Generator[Progress, None, Plan]:
    """The plan, and on the way how far the listening is."""
    cloud = cloud_facts(settings)
    plan = yield from _decided(request, files, settings, cloud, found)
    if plan.cloud is None or not needs_compression(plan, cloud):
        return plan
    try:
        sent = yield from _sent(plan, plan.cloud, settings)
    except DoesNotFitError:
        cloud = dataclasses.replace(cloud, compresses=False)
        return (yield from _decided(request, files, settings, cloud, found))
    return with_sent(plan, sent, cloud)


def _sent(plan: Plan, order: CloudOrder, settings: Settings) -> Generator[Progress, None, Plan]:
    """How the video of a plan is brought under the limit of an upload."""
    from avpipe.compress import picture_steps  # only where it is too large

    sides = (order.longer_side, order.shorter_side)
    bound = "source" if None in sides else f"{sides[0]}x{sides[1]}"
    limit = settings.cloud.upload_limit
    return (yield from picture_steps(plan.inputs.video, limit, settings, resolution=bound))


def _decided(
    request: Request,
    files: Sequence[MediaInfo],
    settings: Settings,
    cloud: CloudFacts,
    found: tuple[Alignment, ...],
) -> Generator[Progress, None, Plan]:
    """The plan, but for what has to be compressed before it is sent."""
    (video, *audio) = files
    usable_streams(video, audio)
    cores = usable_cores(settings.jobs)
    machine = Machine(cores=cores, cloud=cloud)
    heard = Heard()
    if request.listens and video.picture is None:
        ffmpeg = find(settings.ffmpeg)
        if found:
            quiet = zip(found, audio, strict=True)
            found = tuple(_with_quiet_joints(one, info, ffmpeg) for one, info in quiet)
        else:
            found = yield from _listen(video, audio, ffmpeg, cores)
        heard = Heard(found=found)
    plan = make_plan(request, video, audio, machine, heard)
    if request.sync in (Sync.AUTO, Sync.REQUIRE) and _is_filled(plan):
        gain_db = _camera_gain_db(plan, find(settings.ffmpeg))
        heard = dataclasses.replace(heard, camera_gain_db=gain_db)
        plan = make_plan(request, video, audio, machine, heard)
    if request.max_bytes is not None:
        return (yield from _held_under(request.max_bytes, plan, request, machine, heard, settings))
    if plan.video is Action.ENCODE and request.quality is not Quality.HIGH:
        # Only now is it worth to find out what the hardware really does.
        encoders_found = encoders.working_hardware(
            find(settings.ffmpeg), settings.state_dir, only=settings.encoder
        )
        machine = dataclasses.replace(machine, encoders=encoders_found)
        plan = make_plan(request, video, audio, machine, heard)
    return plan


def _held_under(
    max_bytes: int,
    plan: Plan,
    request: Request,
    machine: Machine,
    heard: Heard,
    settings: Settings,
) -> Generator[Progress, None, Plan]:
    """The plan whose output stays under a size."""
    from avpipe.compress import fit_plan  # only where it is asked for

    def again(resolution: str | None) -> Plan:
        wanted = dataclasses.replace(request, resolution=resolution or request.resolution)
        if plan.video is Action.COPY and request.video_mode is VideoMode.COPY:
            raise RequestError(
                f"the copied video does not fit into {max_bytes / 1e6:.2f} MB",
                hint="leave out --video copy, and it is encoded",
            )
        wanted = dataclasses.replace(wanted, video_mode=VideoMode.ENCODE)
        (video, audio) = (plan.inputs.video, plan.inputs.recorders)
        return make_plan(wanted, video, audio, machine, heard)

    ffmpeg = find(settings.ffmpeg)
    return (yield from fit_plan(plan, max_bytes, again, ffmpeg, machine.cores))


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
