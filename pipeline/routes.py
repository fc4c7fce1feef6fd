"""A plan is carried out on its route; where the cloud does not make it, here."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from avpipe.codecs import isolate
from avpipe.codecs.ffmpeg import Ffmpeg, find
from avpipe.codecs.process import usable_cores
from avpipe.errors import AvpipeError
from avpipe.plan.values import Plan, Route
from avpipe.render.local import render
from avpipe.settings import Settings
from avpipe.updates import Check, Done, Fallback, Note, OutputFacts, Progress, Update

if TYPE_CHECKING:  # httpx is imported only where the cloud is asked
    from avpipe.cloud.connection import Cloud
    from avpipe.cloud.values import Clock
    from avpipe.journal import JobRow


@dataclass(frozen=True, kw_only=True, slots=True)
class _Made:
    """How an output came about."""

    checks: tuple[Check, ...]
    fallback: Fallback | None = None
    as_planned: bool = False
    """Whether its size and streams are those of the plan; else the file itself is asked."""


def carry_out_plan(
    plan: Plan,
    settings: Settings,
    *,
    overwrite: bool,
    began: float,
    clock: Clock | None = None,
) -> Generator[Update]:
    """Carry out a plan whose files were looked at; the last update is `Done`. Raises AvpipeError.

    `began` is when the work did, monotonic; `clock` is that of the cloud's waits.
    """
    ffmpeg = find(settings.ffmpeg)
    workers = usable_cores(settings.jobs)
    for reason in plan.reasons:
        if reason.note:
            yield Note(code=reason.code, message=reason.message)
    if plan.route is Route.CLOUD:
        made = yield from _made_in_cloud(plan, settings, ffmpeg, workers, overwrite, clock)
    else:
        checks = yield from _made_here(plan, ffmpeg, workers, overwrite)
        made = _Made(checks=checks, as_planned=True)
    yield _done(plan, made, time.monotonic() - began)


def _made_here(
    plan: Plan, ffmpeg: Ffmpeg, workers: int, overwrite: bool
) -> Generator[Progress, None, tuple[Check, ...]]:
    checks: tuple[Check, ...] = ()
    with closing(render(plan, ffmpeg, workers=workers, overwrite=overwrite)) as updates:
        for update in updates:
            if isinstance(update, Progress):
                yield update
            else:
                checks = update
    return checks


def _made_in_cloud(
    plan: Plan,
    settings: Settings,
    ffmpeg: Ffmpeg,
    workers: int,
    overwrite: bool,
    clock: Clock | None,
) -> Generator[Update, None, _Made]:
    """The output out of the cloud; where that does not work and the plan allows it, made here.

    The job stays in the journal until the output has its name, so that an interruption on the way
    leaves something to resume.
    """
    from avpipe import hybrid
    from avpipe.cloud.connection import connection
    from avpipe.cloud.job import FALLBACK, abandon, fallback_of

    notes = _Notes()
    with connection(settings, tell=notes.hear, clock=clock) as cloud:
        job = hybrid.prepared_job(cloud, plan, overwrite=overwrite)
        try:
            hybrid.require_reachable(cloud, plan)
            with closing(notes.during(cloud.api.connect)) as connecting:
                yield from connecting
            steps = hybrid.render_in_cloud(
                cloud, job, plan, ffmpeg, workers=workers, overwrite=overwrite
            )
            with closing(steps):
                return _Made(checks=(yield from notes.among(steps)))
        except FALLBACK as error:
            yield from notes.take()
            if not plan.fallback:
                raise
            fallback = fallback_of(error)
        yield fallback
        edited = yield from _edit_made_here(cloud, job, plan, overwrite)
        checks = edited
        if checks is None:
            checks = yield from _made_here(plan, ffmpeg, workers, overwrite)
        abandon(cloud, job.id, fallback.reason)
        return _Made(checks=checks, fallback=fallback, as_planned=edited is None)


def _edit_made_here(
    cloud: Cloud, job: JobRow, plan: Plan, overwrite: bool
) -> Generator[Update, None, tuple[Check, ...] | None]:
    """What the job's session was edited to; None where nobody did, or where that cannot be made.

    Why it cannot, a note says.
    """
    from avpipe import hybrid

    try:
        edit = hybrid.edit_of(cloud, job, plan)
        if edit is None:
            return None
        from avpipe.render.montage import render_montage
        from avpipe.render.own_sound import scene_as_heard

        files = hybrid.files_of(cloud, plan, edit)
        (montage, scene) = scene_as_heard(edit.montage, files, find(cloud.settings.ffmpeg))
        yield Note(code="edits_kept", message="as it was edited in the cloud, so it is made here")
        output = Path(plan.output.path)
        steps = render_montage(montage, scene, output, cloud.settings, overwrite=overwrite)
        with closing(steps):
            return (yield from steps)
    except AvpipeError as error:
        message = f"what was edited in the cloud is not in it: {error.message}"
        yield Note(code="edits_left_out", message=message)
    return None


class _Notes:
    """What the connection tells while its steps are at work, to be yielded among these."""

    def __init__(self) -> None:
        self._heard: list[Note] = []
        self._report: Callable[[Note], None] = self._heard.append

    def hear(self, note: Note) -> None:
        """Take one note."""
        self._report(note)

    def take(self) -> Generator[Note]:
        """What was heard and not taken yet."""
        while self._heard:
            yield self._heard.pop(0)

    def among(
        self, steps: Generator[Progress | Note, None, tuple[Check, ...]]
    ) -> Generator[Progress | Note, None, tuple[Check, ...]]:
        """The steps, with each note before the step that follows it."""
        while True:
            try:
                update = next(steps)
            except StopIteration as end:
                yield from self.take()
                checks: tuple[Check, ...] = end.value
                return checks
            yield from self.take()
            yield update

    def during(self, work: Callable[[], object]) -> Generator[Note]:
        """The notes of something that yields none, each as it comes."""
        from avpipe.cloud.pump import pumped

        def reporting(report: Callable[[Note], None]) -> None:
            self._report = report
            try:
                work()
            finally:
                self._report = self._heard.append

        with closing(pumped(reporting)) as notes:
            yield from notes


def _done(plan: Plan, made: _Made, elapsed_s: float) -> Done:
    in_cloud = plan.route is Route.CLOUD and made.fallback is None
    return Done(
        output=_facts(plan, as_planned=made.as_planned),
        route=Route.CLOUD if in_cloud else Route.LOCAL,
        fallback=made.fallback,
        video=plan.video.value if made.as_planned else "encode",
        audio=plan.audio.value if made.as_planned else "encode",
        alignment=plan.alignment,
        checks=made.checks,
        elapsed_s=round(elapsed_s, 3),
    )


def _facts(plan: Plan, *, as_planned: bool) -> OutputFacts:
    (path, planned) = (plan.output.path, plan.output)
    size_bytes = os.stat(path).st_size  # noqa: PTH116
    duration_s, size = planned.duration_s, (planned.width, planned.height)
    if not as_planned:
        (info,) = isolate.probe_files([path])
        duration_s, size = info.duration_s or duration_s, info.video[0].upright_size
    return OutputFacts(
        path=path, size_bytes=size_bytes, duration_s=duration_s, width=size[0], height=size[1]
    )
