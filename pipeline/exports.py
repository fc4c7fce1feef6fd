"""Exports: what a session holds, rendered in the cloud, as a verified file under its name."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Any

from avpipe import jsonform
from avpipe.cloud import draft
from avpipe.cloud.connection import Cloud, in_session
from avpipe.cloud.draft_codec import is_read_whole
from avpipe.cloud.job import prepare, run
from avpipe.cloud.job_values import Delivery, Expected, JobSpec, scratch_folder, spec_of
from avpipe.cloud.local_edit import parts_here
from avpipe.cloud.send import state_mark
from avpipe.cloud.values import SessionState
from avpipe.codecs import isolate
from avpipe.codecs.ffmpeg import find
from avpipe.codecs.measure import Measured
from avpipe.codecs.process import usable_cores
from avpipe.errors import (
    ChildFailedError,
    MediaError,
    NothingToExportError,
    RequestError,
    VerificationError,
)
from avpipe.files import probed
from avpipe.journal import JobRow
from avpipe.montage.values import TrackKind
from avpipe.plan.supported import require_supported
from avpipe.render.own_sound import scene_as_heard
from avpipe.render.received import (
    Original,
    checks_beside,
    file_checks,
    measure_received,
    require_accepted,
)
from avpipe.render.workspace import publish
from avpipe.updates import Check, Done, Note, OutputFacts, Progress, Started, Update

KIND = "export"
RESOLUTION = "1080p"
"""What a render is bounded by, as everything that avpipe makes where nobody asks for else."""
LENGTH_TOLERANCE_S = 0.25
"""How far a render's length may be from the timeline's: the service counts in whole frames."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """What an export's job keeps for whoever takes it up again."""

    fallback: bool = True
    """Whether it is made here where the cloud does not make it."""
    draft: dict[str, Any] = field(default_factory=dict)
    """The session's timeline when it was asked for."""


def prepared_export(
    cloud: Cloud, state: SessionState, output: Path, *, overwrite: bool, fallback: bool
) -> JobRow:
    """The unfinished job of what a session holds and of the output, or a new one.

    Raises NothingToExportError.
    """
    require_exportable(state)
    wanted = Wanted(fallback=fallback, draft=dict(state.draft))
    key = f"{KIND} {state.session_id} {state_mark(state)}"
    path = os.path.abspath(output)  # noqa: PTH100 - `resolve` would follow links
    spec = JobSpec(
        resolution=RESOLUTION,
        scratch=str(scratch_folder(cloud, key, path)),
        context=jsonform.encode(wanted),
    )
    return prepare(
        cloud,
        spec,
        kind=KIND,
        key=key,
        output=path,
        overwrite=overwrite,
        session_id=state.session_id,
    )


def wanted_of(job: JobRow) -> Wanted:
    """What an export's job was to be."""
    return jsonform.decode(Wanted, spec_of(job).context)


def take_up(cloud: Cloud, job: JobRow) -> Generator[Update]:
    """Bring a job to its end, from where it is; the last update is `Done`. Raises AvpipeError."""
    began = time.monotonic()
    yield Started(video=None, audio=None, output=job.output)
    delivery = Delivery(
        verify=partial(_verified, cloud, job),
        publish=lambda made: publish(made, Path(job.output), overwrite=job.overwrite),
    )
    steps = run(cloud, job.id, delivery)
    with closing(steps):
        checks = yield from steps
    facts = _facts(Path(job.output))
    yield Done.of_edit(facts, checks, route="cloud", elapsed_s=time.monotonic() - began)


def current_state(cloud: Cloud, session_id: str | None = None) -> SessionState:
    """What the session in use holds; of one that the service has lost, the one in its place."""
    return in_session(cloud, session_id, lambda found, lost: cloud.api.state(found))


def require_exportable(state: SessionState) -> None:
    """Raise NothingToExportError where a session's timeline is empty."""
    if not draft.is_exportable(state.draft):
        raise NothingToExportError(
            "the session's timeline is empty: there is nothing to export",
            hint='upload files, and say what to make of them: avpipe cloud send "…"',
        )


def default_output(state: SessionState) -> str:
    """The name of an export that was given none: after the first picture in its timeline."""
    entries = draft.entries_of(state.draft)
    name = next((entry.name for entry in entries if entry.kind is TrackKind.VIDEO), "")
    stem = "".join(c if c.isalnum() or c in " ._-" else "_" for c in name).strip(" .-")[:80]
    return f"{stem or 'project'}.export.mp4"


def _verified(
    cloud: Cloud, job: JobRow, path: Path, expected: Expected
) -> Generator[Progress | Note, None, tuple[Check, ...]]:
    """The checks of a render. Raises VerificationError where one fails."""
    yield Progress(stage="verify", done=0.0)
    checks = _checks(measure_received(path), expected)
    require_accepted(checks)
    found = _original(cloud, job, expected.draft)
    if isinstance(found, Note):
        yield found
    else:
        ffmpeg = find(cloud.settings.ffmpeg)
        workers = usable_cores(cloud.settings.jobs)
        try:
            scratch = Path(spec_of(job).scratch or path.parent)
            checks += yield from checks_beside(found, path, ffmpeg, scratch, workers=workers)
        except ChildFailedError as error:
            told = "the cloud's render cannot be compared with the files"
            raise VerificationError(told) from error
    yield Progress(stage="verify", done=1.0)
    return checks


def _checks(found: Measured, expected: Expected) -> tuple[Check, ...]:
    """What has to be true of every render, whoever made it and of what."""
    count = len(found.video)
    checks = [Check(name="video_streams", value=count, ok=count >= 1), *file_checks(found)]
    end = max((stream.end for stream in found.streams), default=Fraction(0))
    if expected.duration_s is not None:
        off = abs(float(end) - expected.duration_s)
        checks.append(Check(name="length_s", value=float(end), ok=off <= LENGTH_TOLERANCE_S))
    return tuple(checks)


def _original(cloud: Cloud, job: JobRow, draft: Mapping[str, Any]) -> Original | Note:
    """What was to be rendered, as far as its files are here; else why it is not known."""
    session_id = cloud.journal.job(job.id).session_id
    edit = parts_here(draft, cloud.journal.uploads(session_id) if session_id else ())
    if not edit.sources:
        return _not_compared("none of the files in its timeline is here as it was sent")
    try:
        files = dict(zip(edit.sources, probed(tuple(edit.sources.values())), strict=True))
        for info in files.values():
            require_supported(info)
        (_, scene) = scene_as_heard(edit.montage, files, find(cloud.settings.ffmpeg))
    except (RequestError, MediaError) as error:
        return _not_compared(error.message)
    canvas = edit.montage.canvas
    return Original(
        scene=scene,
        whole=not edit.missing and is_read_whole(draft),
        shaped=canvas.width is not None or canvas.aspect is not None,
    )


def _not_compared(why: str) -> Note:
    message = f"the render was not held against the files that it is made of: {why}"
    return Note(code="not_compared", message=message)


def _facts(output: Path) -> OutputFacts:
    (info,) = isolate.probe_files([str(output)])
    (width, height) = info.video[0].upright_size if info.video else (0, 0)
    return OutputFacts(
        path=str(output),
        size_bytes=output.stat().st_size,
        duration_s=info.duration_s or 0.0,
        width=width,
        height=height,
    )
