"""One process's work on a job: every step from where the journal says that it is."""

from __future__ import annotations

import json
import uuid
from collections.abc import Generator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from avpipe.cloud.api import Api
from avpipe.cloud.connection import Cloud, new_session, renewed_session
from avpipe.cloud.door import DOUBTFUL
from avpipe.cloud.download import download
from avpipe.cloud.draft import duration_s, is_exportable
from avpipe.cloud.envelope import BadRequestError, DuplicateError, NotFoundError
from avpipe.cloud.job_values import (
    Delivery,
    Expected,
    Step,
    is_published,
    mark_of,
    part_of,
    spec_of,
)
from avpipe.cloud.send import finish, send
from avpipe.cloud.upload import is_sent, upload
from avpipe.cloud.values import Render, RenderStatus, SessionState
from avpipe.errors import (
    AvpipeError,
    CloudError,
    FileTooLargeError,
    JobCancelledError,
    NothingToExportError,
    SessionGoneError,
    UnsupportedFileError,
    VerificationError,
)
from avpipe.journal import JobState
from avpipe.updates import Check, Progress

STAGE = "cloud_render"


class _RenderFailedError(CloudError):
    """The render ended without a file."""


FINAL = (
    _RenderFailedError,
    VerificationError,
    NothingToExportError,
    UnsupportedFileError,
    FileTooLargeError,
    DuplicateError,
)
"""The errors that end a job: another time it would not go better."""


class Running:
    """One process's work on a job."""

    def __init__(self, cloud: Cloud, job_id: str, delivery: Delivery) -> None:
        self._cloud = cloud
        self._api: Api = cloud.api
        self._delivery = delivery
        self.job = cloud.journal.job(job_id)
        self.spec = spec_of(self.job)
        self.checks: tuple[Check, ...] = ()
        self._fresh_id = False
        """Whether the render's id was chosen by this process, and not sent yet."""
        self._renewed = False
        self._render: Render | None = None

    def steps(self) -> Generator[Step]:
        """Every step that is still to be done."""
        steps = {
            JobState.PREPARED: self._bring_files,
            JobState.UPLOADED: self._edit,
            JobState.SUBMITTED: self._submit,
            JobState.RENDERING: self._wait,
            JobState.DOWNLOADING: self._fetch,
        }
        while self.job.state in steps:
            try:
                yield from steps[self.job.state]()
            except SessionGoneError as error:
                self._renew(error)
            self.job = self._cloud.journal.job(self.job.id)
        self._require_wanted()

    def _advance(self, state: JobState, **values: Any) -> None:
        self.job = self._cloud.journal.advance(self.job.id, state, **values)

    def _session_id(self) -> str:
        if self.job.session_id is None:
            made = new_session(self._cloud)
            self.job = self._cloud.journal.update_job(self.job.id, session_id=made.session_id)
        assert self.job.session_id is not None
        return self.job.session_id

    def _renew(self, error: SessionGoneError) -> None:
        """Once, begin again in a new session; what only the lost one held cannot be made again.

        Not where the render was taken: its file may be had still, and the edit was paid for. Nor
        where the edit was the session's own: a new one has nothing of it.
        """
        taken = self.job.state in (JobState.RENDERING, JobState.DOWNLOADING)
        theirs = self.spec.instruction is None
        if taken or theirs or self._renewed or self.job.session_id is None:
            raise error
        self._renewed = True
        made = renewed_session(self._cloud, self.job.session_id, error)
        self._advance(JobState.PREPARED, session_id=made.session_id, render_id=None)

    def _bring_files(self) -> Generator[Step]:
        session_id = self._session_id()
        for file in self.spec.files:  # all are there before the first one is sent
            if not is_sent(self._cloud, session_id, file):
                making = self._delivery.make(file)
                with closing(making):
                    yield from making
        for file in self.spec.files:
            sent = upload(self._cloud, session_id, file)
            with closing(sent):
                yield from sent
        self._advance(JobState.UPLOADED)

    def _edit(self) -> Generator[Step]:
        session_id = self._session_id()
        if self.spec.instruction is not None:
            yield from self._instruct(session_id, self.spec.instruction)
        state = self._api.state(session_id)
        self._require_exportable(state)
        self._fresh_id = True
        self._advance(
            JobState.SUBMITTED, render_id=_new_render_id(), spec=self._spec_with(state.draft)
        )
        self.spec = spec_of(self.job)

    def _instruct(self, session_id: str, instruction: str) -> Generator[Step]:
        """Send the instruction, unless it was sent and had its effect."""
        row = self._cloud.journal.message(self.job.id, session_id)
        sent = row is not None and (row.answered or (yield from finish(self._cloud, row)))
        if sent and is_exportable(self._api.state(session_id).draft):
            return
        reply = send(self._cloud, session_id, instruction, job_id=self.job.id)
        with closing(reply):
            yield from reply

    def _require_exportable(self, state: SessionState) -> None:
        if is_exportable(state.draft):
            return
        if self.spec.instruction is not None:
            raise _RenderFailedError("the cloud's agent made no timeline of the files")
        raise NothingToExportError(
            "the session's timeline is empty: there is nothing to export",
            hint='upload files, and say what to make of them: avpipe cloud send "…"',
        )

    def _submit(self) -> Generator[Step]:
        """Ask for the render; where an earlier request may have arrived, look for it first."""
        yield Progress(stage=STAGE, done=0.0)
        if self._fresh_id or not self._is_there():
            self._ask()
        self._fresh_id = False
        self._advance(JobState.RENDERING)

    def _ask(self) -> None:
        sent_before = not self._fresh_id
        renamed = False
        for wait in (*self._api.door.waits(), None):
            try:
                self._render = self._request()
            except DuplicateError:
                if sent_before:
                    return  # it is ours
                if renamed:
                    raise
                renamed = True
                self._advance(JobState.SUBMITTED, render_id=_new_render_id())
            except DOUBTFUL:
                sent_before = True
                if self._is_there():
                    return
                if wait is None:
                    raise
                self._cloud.clock.sleep(wait)
            else:
                return
        raise CloudError("the cloud takes no render under any id")

    def _request(self) -> Render | None:
        """Ask for the render of what the session holds now; what that is, is on disk before."""
        (session_id, render_id) = (self.job.session_id, self.job.render_id)
        assert session_id is not None
        assert render_id is not None
        draft = dict(self._api.state(session_id).draft)
        if draft != self.spec.draft:
            spec = self._spec_with(draft)
            self.job = self._cloud.journal.update_job(self.job.id, spec=spec)
            self.spec = spec_of(self.job)
        resolution = self.spec.resolution
        try:
            return self._api.submit(render_id, session_id, draft, resolution)
        except DuplicateError:
            raise
        except BadRequestError:
            if resolution is None:
                raise
        return self._api.submit(render_id, session_id, draft)  # one document alone has that key

    def _spec_with(self, draft: Mapping[str, Any]) -> str:
        return json.dumps({**json.loads(self.job.spec), "draft": dict(draft)})

    def _is_there(self) -> bool:
        """Whether the service knows the render."""
        assert self.job.render_id is not None
        try:
            self._render = self._api.render(self.job.render_id)
        except (NotFoundError, BadRequestError):
            return False
        return True

    def _wait(self) -> Generator[Step]:
        """Look at the render until it has ended; not for ever where it stands still."""
        clock = self._cloud.clock
        settings = self._cloud.settings.cloud
        began = moved = clock.monotonic()
        seen = None
        while True:
            render = self._looked()
            if render.status is RenderStatus.COMPLETED:
                break
            if render.status is RenderStatus.FAILED:
                raise _RenderFailedError(
                    f"the cloud's render failed: {render.error or 'it does not say why'}"
                )
            now = clock.monotonic()
            if (render.status, render.progress) != seen:
                (seen, moved) = ((render.status, render.progress), now)
            if now - moved >= settings.render_timeout_s:
                raise CloudError(
                    f"the cloud's render stood still for {now - moved:.0f} s",
                    hint=f"avpipe cloud resume {self.job.id} looks at it again",
                )
            yield _progress(render, now - began)
            clock.sleep(max(settings.poll_s, 0.01))
            self._render = None
        yield Progress(stage=STAGE, done=1.0)
        self._render = render
        self._advance(JobState.DOWNLOADING)

    def _looked(self) -> Render:
        """The render as it is, unless the job was cancelled meanwhile."""
        self._require_wanted()
        assert self.job.render_id is not None
        if self._render is not None:
            return self._render
        try:
            return self._api.render(self.job.render_id)
        except (NotFoundError, BadRequestError) as error:
            raise _RenderFailedError(f"the cloud has lost the render: {error.message}") from error

    def _fetch(self) -> Generator[Step]:
        """Download, verify, publish; a file that already has its name is left alone."""
        if is_published(self.job):
            verifying = self._delivery.verify(Path(self.job.output), self._expected(None))
            self.checks = yield from verifying
            self._advance(JobState.DONE)
            return
        render = self._render or self._looked()
        if render.status is not RenderStatus.COMPLETED:
            self._advance(JobState.RENDERING)
            return
        assert self.job.render_id is not None
        part = part_of(self.job)
        try:
            got = download(self._cloud, self.job.render_id, render, part)
            with closing(got):
                yield from got
            self.checks = yield from self._delivery.verify(part, self._expected(render))
        except AvpipeError:
            self._require_wanted()  # whoever cancels it takes the file away
            raise
        self._require_wanted()
        self._advance(JobState.DOWNLOADING, made=mark_of(part))
        self._delivery.publish(part)
        part.unlink(missing_ok=True)  # a second name of the output, where it was linked
        self._advance(JobState.DONE)

    def _require_wanted(self) -> None:
        """Raise JobCancelledError where somebody cancelled the job meanwhile."""
        if self._cloud.journal.job(self.job.id).state is JobState.CANCELLED:
            raise JobCancelledError(f"the job {self.job.id} was cancelled")

    def _expected(self, render: Render | None) -> Expected:
        told_s = self.spec.duration_s or duration_s(self.spec.draft)
        return Expected(
            duration_s=told_s or (None if render is None else render.duration_s),
            size_bytes=None if render is None else render.size_bytes,
            draft=self.spec.draft,
        )


def _new_render_id() -> str:
    """An id that nobody else has."""
    return f"render_{uuid.uuid4()}"


def _progress(render: Render, elapsed_s: float) -> Progress:
    done = render.progress or 0.0
    return Progress(
        stage=STAGE,
        done=done,
        eta_s=elapsed_s * (1 - done) / done if done > 0 and elapsed_s > 0 else None,
    )
