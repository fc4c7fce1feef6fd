"""Exports: what a session holds, rendered in the cloud, as a verified file under its name."""

from __future__ import annotations

import os
import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from avpipe import jsonform
from avpipe.cloud import draft
from avpipe.cloud.connection import Cloud, in_session
from avpipe.cloud.job import Delivery, Expected, JobSpec, prepare, run, spec_of
from avpipe.cloud.send import state_mark
from avpipe.cloud.values import SessionState
from avpipe.codecs import isolate
from avpipe.codecs.measure import Measured
from avpipe.errors import ChildFailedError, NothingToExportError, VerificationError
from avpipe.journal import JobRow
from avpipe.montage.values import TrackKind
from avpipe.render.workspace import publish
from avpipe.updates import Check, Done, OutputFacts, Progress, Started, Update

KIND = "export"
DECODE_S = 20.0
"""How much of a rendered file is decoded to verify it."""
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
    return prepare(
        cloud,
        JobSpec(context=jsonform.encode(wanted)),
        kind=KIND,
        key=f"{KIND} {state.session_id} {state_mark(state)}",
        output=os.path.abspath(output),  # noqa: PTH100 - `resolve` would follow links
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
        verify=_verified,
        publish=lambda made: publish(made, Path(job.output), overwrite=job.overwrite),
    )
    steps = run(cloud, job.id, delivery)
    with closing(steps):
        checks = yield from steps
    yield _done(Path(job.output), checks, time.monotonic() - began)


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


def _verified(path: Path, expected: Expected) -> Generator[Progress, None, tuple[Check, ...]]:
    yield Progress(stage="verify", done=0.0)
    try:
        found = isolate.measure_file(str(path), decode_s=DECODE_S)
    except ChildFailedError as error:
        raise VerificationError("the cloud's render cannot be read as a video") from error
    checks = _checks(found, expected)
    failed = [check for check in checks if not check.ok]
    if failed:
        told = ", ".join(f"{check.name} is {check.value}" for check in failed)
        raise VerificationError(f"the cloud's render was rejected: {told}")
    yield Progress(stage="verify", done=1.0)
    return checks


def _checks(found: Measured, expected: Expected) -> tuple[Check, ...]:
    """What has to be true of every render, whoever made it."""
    lost = sum(stream.beyond_end for stream in found.streams)
    errors = sum(stream.errors for stream in found.streams)
    decoded = [stream.decoded for stream in found.video]
    checks = [
        Check(name="video_streams", value=len(found.video), ok=len(found.video) >= 1),
        *(Check(name="video_codec", value=s.codec, ok=s.codec == "h264") for s in found.video),
        *(Check(name="audio_codec", value=s.codec, ok=s.codec == "aac") for s in found.audio),
        Check(name="packets_beyond_end", value=lost, ok=lost == 0),
        Check(name="decode_errors", value=errors, ok=errors == 0),
        Check(name="frames_decoded", value=sum(decoded), ok=all(decoded)),
    ]
    end = max((stream.end for stream in found.streams), default=Fraction(0))
    if expected.duration_s is not None:
        off = abs(float(end) - expected.duration_s)
        checks.append(Check(name="length_s", value=float(end), ok=off <= LENGTH_TOLERANCE_S))
    return tuple(checks)


def _done(output: Path, checks: tuple[Check, ...], elapsed_s: float) -> Done:
    (info,) = isolate.probe_files([str(output)])
    (width, height) = info.video[0].upright_size if info.video else (0, 0)
    return Done(
        output=OutputFacts(
            path=str(output),
            size_bytes=output.stat().st_size,
            duration_s=info.duration_s or 0.0,
            width=width,
            height=height,
        ),
        route="cloud",
        fallback=None,
        video="encode",
        audio="encode",
        alignment=None,
        checks=checks,
        elapsed_s=round(elapsed_s, 3),
    )
