"""Workers on many machines: Dask's scheduler hands out the tasks, and brings back receipts."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from avpipe.batch.pool import Told
from avpipe.batch.scheduler import GONE, GPU, LOST, RENDER, connected, require_same_version
from avpipe.batch.tasks import Make, Result, Task, perform
from avpipe.codecs.process import usable_cores
from avpipe.errors import AvpipeError, UnreachableError
from avpipe.plan.request import VideoMode
from avpipe.recipe import Quality
from avpipe.settings import CloudSettings, Settings
from avpipe.updates import Failed, Failure, Fallback, Note, Update

RETRIES = 2
"""How often a task is tried again whose worker died."""
AWAY_S = 120.0
"""How long a scheduler may be away: one that is started again is found."""
_CANCEL_S = 1.0
"""Between two looks, on a worker, at whether the batch was ended."""


class ClusterPool:
    """The workers of a Dask scheduler; a context manager that leaves no task behind."""

    tells_progress = False

    def __init__(self, settings: Settings, address: str) -> None:
        """Connect. Raises ToolMissingError, UnreachableError or RequestError."""
        self._address = address
        # A token of this machine's user stays here.
        self._settings = replace(settings, ffmpeg=None, cloud=CloudSettings())
        self._run = uuid4().hex
        self._count = self._threads = 0
        self._tasks: dict[int, Task] = {}
        self._futures: dict[int, Any] = {}
        self._ended: queue.SimpleQueue[tuple[int, Any]] = queue.SimpleQueue()
        self._told: queue.SimpleQueue[Told] = queue.SimpleQueue()
        self._client = connected(address)
        try:
            require_same_version(self._client, address)
        except BaseException:
            self._client.close()
            raise

    @property
    def slots(self) -> int:
        """How many tasks the workers do at once; one at least is kept ready for each."""
        with contextlib.suppress(*GONE):  # then it is as many as it was
            self._threads = sum(int(count) for count in self._client.nthreads().values())
        return max(2 * self._threads, 1)

    def submit(self, task: Task) -> int:
        """Have a task done; gives its number."""
        self._count += 1
        self._tasks[self._count] = task
        with contextlib.suppress(*GONE):  # sent again when the scheduler is back
            self._send(self._count)
        return self._count

    def _send(self, number: int) -> None:
        task = self._tasks[number]
        future = self._client.submit(
            attempt,
            task,
            self._settings,
            self._run,
            key=f"avpipe-{self._run}-{number}-{uuid4().hex[:6]}",
            retries=RETRIES,
            resources=self._resources(task),
            pure=False,
        )
        self._futures[number] = future
        future.add_done_callback(lambda ended: self._ended.put((number, ended)))

    def _resources(self, task: Task) -> dict[str, int] | None:
        """What a worker must have free, where workers offer such things at all."""
        offered: set[str] = set()
        for worker in self._client.scheduler_info(n_workers=-1)["workers"].values():
            offered |= set(worker.get("resources") or ())
        request = task.request if isinstance(task, Make) else None
        encodes = request is not None and request.video_mode is VideoMode.ENCODE
        light = request is not None and request.quality is not Quality.HIGH
        if encodes and light and GPU in offered:
            return {GPU: 1}
        return {RENDER: 1} if RENDER in offered and request is not None else None

    def next(self, timeout_s: float) -> Told | None:
        """What is told next; None where nothing was for so long."""
        if self._told.empty():
            try:
                (number, future) = self._ended.get(timeout=timeout_s)
            except queue.Empty:
                self._keep_connected()
                return None
            self._take(number, future)
        return None if self._told.empty() else self._told.get()

    def _take(self, number: int, future: Any) -> None:
        """Read what came of a task; one that was lost with its scheduler is sent again."""
        if number not in self._futures or self._futures[number] is not future:
            return  # of an attempt that was given up
        if future.status in LOST:
            self._keep_connected()
            return
        updates: list[Update | Result]
        try:
            failed = future.status == "error"
            updates = [Failed(error=_lost(future.exception()))] if failed else future.result()
        except GONE:
            return  # its result went with the scheduler
        del self._futures[number], self._tasks[number]
        for update in updates:
            self._told.put(Told(number=number, update=update))

    def _keep_connected(self) -> None:
        """Find the scheduler again where it went away, and send it what it has forgotten."""
        if self._client.status in ("newclient", "connecting"):
            return  # Dask itself looks for it for some seconds
        if self._client.status == "running":
            for number in self._forgotten():
                self._send(number)
            return
        end = time.monotonic() + AWAY_S
        with contextlib.suppress(*GONE):
            self._client.close(timeout=1)
        while True:
            try:
                self._client = connected(self._address)
                break
            except UnreachableError:
                if time.monotonic() > end:
                    raise
        self._futures.clear()
        for number in list(self._tasks):
            self._send(number)

    def _forgotten(self) -> list[int]:
        """Tasks that went with a scheduler: nobody is told of them, their state says it."""
        kept = {n for n, future in self._futures.items() if future.status not in LOST}
        return [number for number in self._tasks if number not in kept]

    def __enter__(self) -> ClusterPool:
        return self

    def __exit__(self, *_: object) -> None:
        if self._futures:
            with contextlib.suppress(*GONE):
                self._client.set_metadata(["avpipe", self._run], "cancelled")
                self._client.cancel(list(self._futures.values()), force=True)
        with contextlib.suppress(*GONE):
            self._client.close()


def attempt(task: Task, settings: Settings, run: str) -> list[Update | Result]:
    """On a worker: do a task; gives what is told of it, but for its progress.

    Another attempt may be at work elsewhere: a Make writes under a name of its own, and only who
    asked for it gives the file its name.
    """
    with _own_settings(settings) as own, closing(perform(task, own)) as told:
        updates: list[Update | Result] = []
        looked = time.monotonic()
        for update in told:
            if isinstance(update, Result | Failed | Note | Fallback):
                updates.append(update)
            if time.monotonic() - looked > _CANCEL_S:
                looked = time.monotonic()
                if _is_cancelled(run):
                    break
        return updates


@contextmanager
def _own_settings(settings: Settings) -> Iterator[Settings]:
    """The settings of a task on this worker: its share of the cores, its own folder."""
    from distributed import get_worker

    worker = get_worker()
    cores = settings.jobs or max(usable_cores(None) // max(worker.state.nthreads, 1), 1)
    yield replace(settings, jobs=cores, state_dir=Path(worker.local_directory) / "avpipe")


def _is_cancelled(run: str) -> bool:
    from distributed import worker_client

    with worker_client(separate_thread=False) as client:
        return bool(client.get_metadata(["avpipe", run], default=None))


def _lost(error: BaseException) -> Failure:
    if isinstance(error, AvpipeError):
        return Failed.because(error).error
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    return Failure(
        code="child_failed",
        message=f"the worker that made it failed: {first}",
        hint=None,
        exit_code=1,
    )
