"""The threads that take renders from the queue, each with one child process at a time.

With a cluster, each follows one render there instead.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from avpipe.batch.dispatch import Dispatcher
from avpipe.errors import (
    AvpipeError,
    ChildFailedError,
    DiskFullError,
    StalledError,
    StoreError,
    UnreachableError,
)
from avpipe.server.meters import Meters
from avpipe.server.remote import RemoteTask
from avpipe.server.renders import Render, Renders
from avpipe.server.sessions import Sessions
from avpipe.server.work import Task, WorkFailedError, WorkStoppedError
from avpipe.settings import Settings

T = TypeVar("T")
LOG = logging.getLogger("avpipe.server")
_PROGRESS_S = 0.25
"""How often progress is written at most."""
_RETRY_S = 5.0
"""After the store could not be used."""


class Workers:
    """So many renders at once, until told to end."""

    def __init__(
        self,
        renders: Renders,
        sessions: Sessions,
        settings: Settings,
        meters: Meters,
        cluster: Dispatcher | None = None,
    ) -> None:
        self._renders = renders
        self._sessions = sessions
        self._settings = settings
        self._meters = meters
        self._news = threading.Condition()
        self._closing = threading.Event()
        self._running: dict[int, Task | RemoteTask] = {}
        self._cluster = cluster
        there = cluster.threads if cluster is not None else 1
        self.wanted = settings.server.jobs or max(there, 1)
        """How many threads there should be."""
        self._threads = [
            threading.Thread(target=self._serve, name=f"worker-{number}", daemon=True)
            for number in range(self.wanted)
        ]

    def start(self) -> None:
        """Begin to take renders."""
        for thread in self._threads:
            thread.start()

    def wake(self) -> None:
        """Say that a render waits."""
        with self._news:
            self._news.notify()

    def stop(self, number: int) -> None:
        """End the work on a render that is not wanted any more."""
        task = self._running.get(number)
        if task is not None:
            task.stop()

    def finish(self) -> None:
        """Take no further render, and let those at work come to their end."""
        with self._news:
            self._closing.set()
            self._news.notify_all()
        for thread in self._threads:
            thread.join()

    def abort(self) -> None:
        """Take no further render, and put back those at work."""
        with self._news:
            self._closing.set()
            self._news.notify_all()
        for task in list(self._running.values()):
            task.stop()

    @property
    def alive(self) -> int:
        """How many threads are there to work."""
        return sum(thread.is_alive() for thread in self._threads)

    def _serve(self) -> None:
        while (render := self._next()) is not None:
            try:
                self._work_on(render)
            except Exception:  # a thread that ended would leave the queue standing
                LOG.exception("the render %s failed in the server itself", render.render_id)
                with suppress(AvpipeError):
                    self._renders.fail(render, "the server failed")

    def _next(self) -> Render | None:
        """The next render, waited for; None where it is time to end."""
        while True:
            with self._news:
                if self._closing.is_set():
                    return None
                try:
                    render = self._renders.take()
                except AvpipeError as error:
                    LOG.error("no render can be taken: %s", error.message)
                    self._news.wait(_RETRY_S)
                    continue
                if render is not None:
                    return render
                self._news.wait()

    def _work_on(self, render: Render) -> None:
        began = time.monotonic()
        task = self._task(render)
        self._running[render.number] = task
        outcome = "failed"
        try:
            outcome = self._brought_to_end(render, task)
        finally:
            self._running.pop(render.number, None)
            self._meters.rendered(outcome, time.monotonic() - began)

    def _task(self, render: Render) -> Task | RemoteTask:
        limit_s = self._settings.server.job_hours * 3600
        if self._cluster is None:
            return Task("render", self._spec(render), limit_s=limit_s)
        return RemoteTask(self._cluster, self._spec(render), limit_s=limit_s)

    def _brought_to_end(self, render: Render, task: Task | RemoteTask) -> str:
        target = Path(task.spec["output"])
        try:
            made = task.run(self._settings, self._teller(render, task))
        except WorkStoppedError:
            _remove_made(target)
            if self._closing.is_set():
                self._kept(lambda: self._renders.put_back(render))
            return "stopped"
        except UnreachableError as error:
            LOG.warning("the render %s waits: %s", render.render_id, error.message)
            self._kept(lambda: self._renders.put_back(render))
            self._closing.wait(_RETRY_S)
            return "put_back"
        except (WorkFailedError, DiskFullError, StalledError) as error:
            _remove_made(target)
            why = error.message
            self._kept(lambda: self._renders.fail(render, why))
            LOG.warning("the render %s failed: %s", render.render_id, error.message)
            return "failed"
        except (ChildFailedError, StoreError) as error:
            _remove_made(target)
            LOG.warning("a worker ended in the render %s: %s", render.render_id, error.message)
            why = error.message
            self._kept(lambda: self._renders.give_back(render, why))
            self.wake()
            return "given_back"
        place = made.get("place", target.name)
        finished = target.with_name(place)
        if not self._kept(lambda: self._renders.complete(render, finished, made["duration_s"])):
            _remove_made(target)  # it was cancelled while it came to its end
            return "stopped"
        _remove_made(target, but=place)
        return "completed"

    def _kept(self, keep: Callable[[], T]) -> T:
        """Write what came of a render, as often as it takes: else it would be at work for ever."""
        while True:
            try:
                return keep()
            except (DiskFullError, StoreError) as error:
                LOG.error("what came of a render cannot be kept yet: %s", error.message)
                if self._closing.wait(_RETRY_S):
                    raise  # the next start finds it at work, and has it made again

    def _teller(self, render: Render, task: Task | RemoteTask) -> Callable[[float], None]:
        told_s = 0.0

        def tell(done: float) -> None:
            nonlocal told_s
            now = time.monotonic()
            if now - told_s >= _PROGRESS_S:
                told_s = now
                if not self._renders.note_progress(render, done):
                    task.stop()

        return tell

    def _spec(self, render: Render) -> dict[str, object]:
        """All that the child is told."""
        folder = self._sessions.folder / render.session_id
        return {
            "draft": render.draft,
            "wanted": render.output,
            "files": {
                file.file_id: str(file.path) for file in self._sessions.files(render.session_id)
            },
            "output": str(folder / f"render-{render.number}-{render.attempt}.mp4"),
            "ffmpeg": self._settings.ffmpeg,
            "encoder": self._settings.encoder,
            "jobs": self._settings.jobs,
            "state_dir": str(self._settings.state_dir),
        }


def _remove_made(target: Path, *, but: str | None = None) -> None:
    """Remove what an attempt made: under its name, or behind it where a cluster's worker wrote."""
    for path in (target, *target.parent.glob(f"{target.stem}-*{target.suffix}")):
        if path.name != but:
            path.unlink(missing_ok=True)
