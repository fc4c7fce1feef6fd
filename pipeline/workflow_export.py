"""What a session in the cloud holds becomes a verified file: out of the cloud, else made here."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

from avpipe import exports, hybrid
from avpipe.cloud.connection import Cloud
from avpipe.cloud.job import FALLBACK, abandon, fallback_of
from avpipe.cloud.job_values import is_published
from avpipe.cloud.local_edit import LocalEdit, local_edit
from avpipe.cloud.values import SessionState
from avpipe.errors import CloudError, InputMissingError
from avpipe.journal import JobRow
from avpipe.updates import Done, Fallback, Note, Started, Update
from avpipe.workflow import carry_out
from avpipe.workflow_timeline import render_timeline


def export(
    cloud: Cloud, state: SessionState, output: Path, *, overwrite: bool, fallback: bool = True
) -> Generator[Update]:
    """Render what a session holds into `output`; the last update is `Done`.

    A job of the same that an earlier run left is taken up. Where the cloud does not make it, it is
    made here if that is allowed and all that it needs is here. Raises AvpipeError.
    """
    job = exports.prepared_export(cloud, state, output, overwrite=overwrite, fallback=fallback)
    yield from _exported(cloud, job, fallback=fallback)


def take_up(cloud: Cloud, job: JobRow, *, fallback: bool = True) -> Generator[Update]:
    """Bring a job of the cloud to its end, from where it is; the last update is `Done`.

    Where the cloud does not make it, it is made here if that was allowed then and is now.
    Raises AvpipeError.
    """
    plan = hybrid.plan_of(job)
    if plan is None:
        allowed = fallback and exports.wanted_of(job).fallback
        yield from _exported(cloud, job, fallback=allowed)
        return
    plan = plan if fallback else replace(plan, fallback=())
    there = job.overwrite or is_published(job)
    yield from carry_out(plan, cloud.settings, overwrite=there, clock=cloud.clock)


def _exported(cloud: Cloud, job: JobRow, *, fallback: bool) -> Generator[Update]:
    began = time.monotonic()
    try:
        with closing(exports.take_up(cloud, job)) as updates:
            yield from updates
        return
    except FALLBACK as error:
        if not fallback:
            raise
        try:
            edit = _edit_here(cloud, job)
        except InputMissingError as missing:
            yield Note(code="not_made_here", message=f"not made here either: {missing.message}")
            raise error from missing
        told = fallback_of(error)
    yield told
    with closing(_rendered(cloud, job, edit, told, began)) as updates:
        yield from updates


def _rendered(
    cloud: Cloud, job: JobRow, edit: LocalEdit, told: Fallback, began: float
) -> Generator[Update]:
    """The edit made here; the job is over when its output has its name."""
    (output, settings) = (job.output, cloud.settings)
    updates = render_timeline(edit.montage, edit.sources, output, settings, overwrite=job.overwrite)
    with closing(updates):
        for update in updates:
            if isinstance(update, Done):
                abandon(cloud, job.id, told.reason)
                elapsed_s = round(time.monotonic() - began, 3)
                yield replace(update, fallback=told, elapsed_s=elapsed_s)
            elif not isinstance(update, Started):  # that was told already
                yield update


def _edit_here(cloud: Cloud, job: JobRow) -> LocalEdit:
    """What the job's session holds, or held when it was asked for. Raises InputMissingError."""
    draft = exports.wanted_of(job).draft
    uploads = cloud.journal.uploads(job.session_id) if job.session_id else ()
    if job.session_id is not None:
        with suppress(CloudError):  # what was asked for is known all the same
            draft = dict(cloud.api.state(job.session_id).draft) or draft
    return local_edit(draft, uploads)
