"""A file out of the cloud, step by step: each is in the journal before it costs anything.

A job is uploads (none, for an export of what a session holds), one instruction, one render and one
download. `run` goes on from whatever the journal says was done, so it is also what resumes.
"""

from __future__ import annotations

from collections.abc import Generator

from avpipe import jsonform
from avpipe.cloud.connection import Cloud
from avpipe.cloud.job_steps import FINAL, Running
from avpipe.cloud.job_values import Delivery, JobSpec, Step, part_of, spec_of
from avpipe.errors import (
    AvpipeError,
    CloudError,
    CreditsUsedUpError,
    ExportBlockedError,
    FileTooLargeError,
    NotAuthorisedError,
    RequestError,
    UnsupportedFileError,
    VerificationError,
)
from avpipe.journal import ENDED, JobRow, JobState
from avpipe.updates import Check, Fallback, Note

FALLBACK = (CloudError, UnsupportedFileError, FileTooLargeError, VerificationError)
"""The errors after which the same plan can still be carried out here; `code` names each."""
_WITH_HINT = (CreditsUsedUpError, ExportBlockedError, NotAuthorisedError)
"""The errors whose hint says what the user can do for the next time."""


def fallback_of(error: AvpipeError) -> Fallback:
    """Why something is made here and not in the cloud, in one line."""
    hint = f" ({error.hint})" if error.hint and isinstance(error, _WITH_HINT) else ""
    return Fallback(source="cloud", code=error.code, reason=error.message + hint)


def prepare(
    cloud: Cloud,
    spec: JobSpec,
    *,
    kind: str,
    key: str,
    output: str,
    overwrite: bool,
    session_id: str | None = None,
) -> JobRow:
    """The unfinished job of that key and output, or a new one. Nothing is sent."""
    api_url = cloud.settings.cloud.api_url
    with cloud.journal.claim(f"prepare {key}"):
        for row in cloud.journal.unfinished(api_url=api_url, key=key):
            if row.output == output and row.overwrite != overwrite:
                return cloud.journal.update_job(row.id, overwrite=overwrite)
            if row.output == output:
                return row
        return cloud.journal.add_job(
            kind=kind,
            key=key,
            api_url=api_url,
            session_id=session_id,
            state=JobState.PREPARED,
            output=output,
            overwrite=overwrite,
            spec=jsonform.encode(spec),
        )


def run(cloud: Cloud, job_id: str, delivery: Delivery) -> Generator[Step, None, tuple[Check, ...]]:
    """Bring a job to its end from where it is; gives the checks of the output.

    Raises AvpipeError. What may go better another time (no connection, no credits) leaves the job
    as it is, to be taken up again; what will not (a failed or rejected render) ends it.
    """
    with cloud.journal.claim(f"job {job_id}", wait=False) as mine:
        if not mine:
            raise RequestError(f"another process is at work on the job {job_id}")
        running = Running(cloud, job_id, delivery)
        try:
            yield from running.steps()
        except FINAL as error:
            cloud.journal.advance(job_id, JobState.FAILED, error=error.message)
            raise
        finally:
            part_of(running.job).unlink(missing_ok=True)
            if cloud.journal.job(job_id).state in ENDED:
                running.spec.clear()
        return running.checks


def abandon(cloud: Cloud, job_id: str, reason: str) -> None:
    """End a job that will not be taken up again, as after a fallback."""
    spec_of(cloud.journal.advance(job_id, JobState.FAILED, error=reason)).clear()


def cancel(cloud: Cloud, job_id: str) -> JobRow:
    """End a job, and its render at the service. Raises RequestError where it has ended already."""
    job = cloud.journal.job(job_id)
    if job.state in ENDED:
        raise RequestError(f"the job {job.id} is {job.state} already")
    cloud.journal.advance(job.id, JobState.CANCELLED)
    part_of(job).unlink(missing_ok=True)
    with cloud.journal.claim(f"job {job.id}", wait=False) as mine:
        if mine:  # else whoever is at work clears up
            spec_of(job).clear()
    if job.render_id is not None and job.state in (JobState.SUBMITTED, JobState.RENDERING):
        try:
            cloud.api.cancel(job.render_id)
        except CloudError as error:
            told = f"its render at the service could not be cancelled: {error.message}"
            cloud.tell(Note(code="not_cancelled", message=told))
    return cloud.journal.job(job.id)
