"""A merge in the cloud: prepared here, rendered there, and held against the inputs here."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from contextlib import closing
from fractions import Fraction
from functools import partial
from pathlib import Path, PurePath

from avpipe import jsonform
from avpipe.cloud.connection import Cloud, was_unreachable
from avpipe.cloud.draft import is_exportable
from avpipe.cloud.job import prepare, run
from avpipe.cloud.job_values import Delivery, Expected, JobSpec, scratch_folder, spec_of
from avpipe.cloud.local_edit import LocalEdit, local_edit
from avpipe.cloud.multipart import require_uploadable
from avpipe.cloud.upload import LocalFile
from avpipe.codecs import graph, isolate
from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.loudness import file_meter, measure_loudness
from avpipe.codecs.measure import Measured, MeasuredStream
from avpipe.compress import execute
from avpipe.errors import (
    ChildFailedError,
    FileTooLargeError,
    InputMissingError,
    OverLimitError,
    RenderError,
    UnreachableError,
    VerificationError,
)
from avpipe.journal import JobRow
from avpipe.media import MediaInfo
from avpipe.plan.showing import shown_in_plan
from avpipe.plan.values import CloudOrder, Plan
from avpipe.recipe import Action
from avpipe.render.likeness import content_checks, picture_matches, sound_matches
from avpipe.render.received import (
    file_checks,
    has_shape,
    measure_received,
    probe_received,
    require_accepted,
)
from avpipe.render.sound import SoundJob, checks_of_loudness, encode_at
from avpipe.render.workspace import publish, told_when_full
from avpipe.settings import Settings
from avpipe.updates import Check, Note, Progress

KIND = "merge"
NAME_LIMIT = 50
"""Of its name, in characters."""
LENGTH_TOLERANCE_S = 0.1
"""How far an end may be from where it was planned: the service counts in whole frames."""
COMPRESS_STAGE = "compress"
"""The stage in which a video is brought under the limit of an upload."""
_COMPRESSING = ("video", "correct")
"""What that is called where a file is made for its own sake."""
ENCODED_TWICE_DB = 0.5
"""What a second encoder may add to the peaks of a sound that was brought to a loudness."""

Steps = Generator[Progress | Note, None, tuple[Check, ...]]


def plan_of(job: JobRow) -> Plan | None:
    """The plan that a merge's job is to carry out; None where the job is another one."""
    form = spec_of(job).context.get("plan")
    return None if form is None else jsonform.decode(Plan, form)


def require_reachable(cloud: Cloud, plan: Plan) -> None:
    """Raise where it is known, without asking the service, that it will not make this plan.

    UnreachableError, where there is a way without it; UnsupportedFileError or FileTooLargeError.
    """
    if plan.fallback and was_unreachable(cloud):
        raise UnreachableError("the cloud could not be reached a short while ago")
    limit = cloud.settings.cloud.upload_limit
    if plan.sent is None:
        require_uploadable(Path(plan.inputs.video.path), limit_bytes=limit)
    elif _sent_limit(plan.sent) > limit:
        raise FileTooLargeError(
            f"the plan sends up to {_sent_limit(plan.sent):,} bytes, and the cloud takes {limit:,}",
            hint="make the plan again",
        )


def prepared_job(cloud: Cloud, plan: Plan, *, overwrite: bool) -> JobRow:
    """The unfinished job of a plan and its output, or a new one. Nothing is sent."""
    return prepare(
        cloud,
        _spec(cloud, plan, _order(plan)),
        kind=KIND,
        key=f"{KIND} {_sent_key(plan)}",
        output=plan.output.path,
        overwrite=overwrite,
    )


def render_in_cloud(
    cloud: Cloud, job: JobRow, plan: Plan, ffmpeg: Ffmpeg, *, workers: int, overwrite: bool
) -> Steps:
    """Bring a plan's job to its end, from where it is; gives the checks of the output.

    Raises AvpipeError; after those in `job.FALLBACK` the plan can still be carried out here.
    """
    (video, sound) = (_video_path(cloud, plan), _sound_path(cloud, plan))

    def make(file: LocalFile) -> Generator[Progress]:
        if Path(file.path) == sound:
            yield from _made_sound(plan, ffmpeg, sound, workers)
        elif plan.sent is not None and Path(file.path) == video:
            yield from _made_video(plan.sent, video, cloud.settings)

    def verify(path: Path, expected: Expected) -> Generator[Progress, None, tuple[Check, ...]]:
        yield from _made_sound(plan, ffmpeg, sound, workers)
        yield Progress(stage="verify", done=0.0)
        checks = _verified(plan, path, sound, ffmpeg)
        yield Progress(stage="verify", done=1.0)
        return checks

    output = Path(plan.output.path)
    delivery = Delivery(
        make=make,
        verify=verify,
        publish=lambda made: publish(made, output, overwrite=overwrite),
    )
    with closing(run(cloud, job.id, delivery)) as steps:
        return (yield from steps)


def edit_of(cloud: Cloud, job: JobRow, plan: Plan) -> LocalEdit | None:
    """What the job's session holds, of files that are here; None where only the plan made it.

    Raises CloudError or InputMissingError where it was edited, and that edit cannot be made here.
    """
    session_id = cloud.journal.job(job.id).session_id
    if session_id is None or not cloud.journal.was_edited(session_id, besides=job.id):
        return None
    if was_unreachable(cloud):
        raise UnreachableError("the session cannot be asked for its timeline")
    draft = cloud.api.state(session_id).draft
    if not is_exportable(draft):
        raise InputMissingError("its timeline is empty")
    return local_edit(draft, cloud.journal.uploads(session_id))


def files_of(cloud: Cloud, plan: Plan, edit: LocalEdit) -> dict[str, MediaInfo]:
    """The facts of the files of an edit; in the place of a compressed video the video itself."""
    paths = list(edit.sources.values())
    files = dict(zip(edit.sources, isolate.probe_files(paths), strict=True))
    if plan.sent is not None and str(_video_path(cloud, plan)) in paths:
        # It was sent without its sound, which so is nothing that the edit could be about.
        files[str(_video_path(cloud, plan))] = dataclasses.replace(plan.inputs.video, audio=())
    return files


def _order(plan: Plan) -> CloudOrder:
    assert plan.cloud is not None, "the plan is not one for the cloud"
    return plan.cloud


def _sent_key(plan: Plan) -> str:
    """What tells plans apart by what they ask for, of which files, and what is sent of these."""
    key = _order(plan).key
    return key if plan.sent is None else f"{key} under {_sent_limit(plan.sent)}"


def _sent_limit(sent: Plan) -> int:
    assert sent.fit is not None, "nothing holds the video under a size"
    return sent.fit.limit_bytes


def _spec(cloud: Cloud, plan: Plan, order: CloudOrder) -> JobSpec:
    sound = _sound_path(cloud, plan)
    video = LocalFile(path=plan.inputs.video.path)
    if plan.sent is not None:
        video = LocalFile(path=str(_video_path(cloud, plan)), key=f"video {_sent_key(plan)}")
    return JobSpec(
        files=(video, LocalFile(path=str(sound), key=f"sound {order.key}")),
        instruction=order.instruction,
        duration_s=plan.output.duration_s,
        resolution=order.resolution,
        scratch=str(sound.parent),
        context={"plan": jsonform.encode(plan)},
    )


def _sound_path(cloud: Cloud, plan: Plan) -> Path:
    """Where the prepared sound is."""
    stem = PurePath(plan.inputs.audio.path).stem[:NAME_LIMIT]
    return _folder(cloud, plan) / f"{stem or 'sound'}.m4a"


def _video_path(cloud: Cloud, plan: Plan) -> Path:
    """Where the compressed video is."""
    stem = PurePath(plan.inputs.video.path).stem[:NAME_LIMIT]
    return _folder(cloud, plan) / f"{stem or 'video'}.mp4"


def _folder(cloud: Cloud, plan: Plan) -> Path:
    """What is made of a plan to be sent: of each job in a folder of its own."""
    return scratch_folder(cloud, _sent_key(plan), plan.output.path)


def _made_video(sent: Plan, target: Path, settings: Settings) -> Generator[Progress]:
    """The video, compressed to what the cloud takes, in one MP4 file; made once."""
    if target.exists():
        return
    sent = dataclasses.replace(sent, output=dataclasses.replace(sent.output, path=str(target)))
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with closing(execute(sent, settings, overwrite=True)) as updates:
            for update in updates:
                if isinstance(update, Progress) and update.stage in _COMPRESSING:
                    yield dataclasses.replace(update, stage=COMPRESS_STAGE)
    except OverLimitError as error:
        raise FileTooLargeError(f"the video cannot be compressed for the cloud: {error}") from error
    except OSError as error:
        raise RenderError(f"cannot write in {target.parent}: {error.strerror}") from error


def _made_sound(plan: Plan, ffmpeg: Ffmpeg, target: Path, workers: int) -> Generator[Progress]:
    """The sound as it will be heard, as long as the output, in one AAC file; made once."""
    if target.exists():
        return
    recipe = dataclasses.replace(plan.recipe, audio=Action.ENCODE)
    made = target.with_name(f"{target.stem}.unfinished.m4a")
    sound = SoundJob(
        ffmpeg=ffmpeg,
        arguments=partial(graph.audio_arguments, recipe, 0, "pipe:1"),
        target=str(made),
        workers=workers,
        duration_s=plan.output.duration_s,
    )
    try:
        target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with told_when_full(target.parent):
            if plan.loudness_lufs is None:
                yield from sound.encode()
            else:
                yield from encode_at(plan.loudness_lufs, graph.meter_arguments(recipe, 0), sound)
        made.replace(target)
    except OSError as error:
        raise RenderError(f"cannot write in {target.parent}: {error.strerror}") from error


def _verified(plan: Plan, path: Path, sound: Path, ffmpeg: Ffmpeg) -> tuple[Check, ...]:
    """The checks of a result. Raises VerificationError where one fails."""
    checks = (*_shape_checks(plan, measure_received(path)), *_byte_checks(plan, path))
    require_accepted(checks)
    made = probe_received(path)
    (sent,) = isolate.probe_files([str(sound)])
    try:
        checks += content_checks(
            sound_matches(sent, made, ffmpeg),
            picture_matches(shown_in_plan(plan), made, ffmpeg),
        )
        checks += _loudness_checks(plan, path, ffmpeg)
    except ChildFailedError as error:
        raise VerificationError("the cloud's render cannot be compared with the inputs") from error
    require_accepted(checks)
    return checks


def _shape_checks(plan: Plan, found: Measured) -> tuple[Check, ...]:
    """One picture and one sound that players take, whole, as long and of the shape as planned."""
    streams = (*found.video[:1], *found.audio[:1])
    counts = (("video_streams", len(found.video)), ("audio_streams", len(found.audio)))
    return (
        *(Check(name=name, value=count, ok=count == 1) for name, count in counts),
        *file_checks(found),
        *(_size_check(plan, stream) for stream in found.video[:1]),
        *(_end_check(plan, stream) for stream in streams),
    )


def _size_check(plan: Plan, stream: MeasuredStream) -> Check:
    """Of the planned shape, and no larger than was allowed; its scale is the service's choice."""
    (width, height) = (stream.width or 0, stream.height or 0)
    order = _order(plan)
    (longer, shorter) = (max(width, height), min(width, height))
    ok = has_shape((width, height), (plan.output.width, plan.output.height))
    ok = ok and (order.longer_side is None or longer <= order.longer_side)
    ok = ok and (order.shorter_side is None or shorter <= order.shorter_side)
    return Check(name="size", value=f"{width}x{height}", ok=ok)


def _byte_checks(plan: Plan, path: Path) -> tuple[Check, ...]:
    """Whether it is under the size that was asked for."""
    if plan.fit is None:
        return ()
    size_bytes = path.stat().st_size
    ok = size_bytes <= plan.fit.limit_bytes
    return (Check(name="size_bytes", value=size_bytes, ok=ok),)


def _loudness_checks(plan: Plan, path: Path, ffmpeg: Ffmpeg) -> tuple[Check, ...]:
    """Whether it is as loud as was asked for."""
    if plan.loudness_lufs is None:
        return ()
    found = measure_loudness(ffmpeg, file_meter(str(path)))
    return checks_of_loudness(found, plan.loudness_lufs, spare_db=ENCODED_TWICE_DB)


def _end_check(plan: Plan, stream: MeasuredStream) -> Check:
    rate = plan.inputs.video.video[0].frame_rate
    tolerance = max(LENGTH_TOLERANCE_S, float(2 / rate) if rate else 0.0)
    off = abs(stream.end - Fraction(plan.timeline.duration))
    return Check(name=f"{stream.kind}_end_s", value=float(stream.end), ok=float(off) <= tolerance)
