"""Single pieces of work on the workers of a Dask scheduler, each followed and stopped from here.

Whoever asks numbers its attempts and names its files; a worker that dies is replaced by Dask, so
work must write under a name that it makes up itself.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4

from avpipe.batch.scheduler import GONE, LOST, RENDER, connected, require_same_version
from avpipe.errors import ChildFailedError, UnreachableError

Tell = Callable[[float], None]
_LOOK_S = 0.5
"""Between two looks at whether work is still there, here and on the worker."""
_TELL_S = 0.25
_AT_WORK = ("executing", "long-running")


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """What a piece of work may use of the worker that it came to."""

    cores: int
    folder: Path
    """The worker's own, for caches."""


class Work(Protocol):
    """What is sent to a worker, as a pickle."""

    def run(self, place: Place, tell: Tell) -> Any:
        """Do it there; what it gives is sent back, and small. `tell` takes 0 to 1."""

    def stop(self) -> None:
        """End it soon, from another thread."""


class Dispatcher:
    """A connection to a scheduler that is made anew where it was lost; for several threads."""

    def __init__(self, address: str) -> None:
        """Connect. Raises ToolMissingError, UnreachableError or RequestError."""
        self._address = address
        self._turn = threading.Lock()
        self._topic = f"avpipe-{uuid4().hex}"
        self._tellers: dict[str, Tell] = {}
        self._client = self._connect()

    @property
    def threads(self) -> int:
        """How much the workers do at once now; 0 where there are none, or no scheduler."""
        with contextlib.suppress(*GONE):
            if self._client.status == "running":
                return sum(int(count) for count in self._client.nthreads().values())
        return 0

    def do(self, work: Work, tell: Tell, stopped: threading.Event) -> Any:
        """Have work done; gives what came of it, or None where `stopped` was set before that.

        Raises UnreachableError where the scheduler is lost, ChildFailedError where the work took
        down too many workers, or failed outside of what it tells itself.
        """
        client = self._ready()
        key = f"avpipe-{uuid4().hex}"
        self._tellers[key] = tell
        future = None
        try:
            future = client.submit(
                perform, work, self._topic,
                key=key, pure=False, retries=0, resources=_resources(client),
            )  # fmt: skip
            return self._followed(client, future, stopped)
        except GONE as error:
            raise self._lost() from error
        finally:
            self._tellers.pop(key, None)
            if future is not None:
                with contextlib.suppress(*GONE):
                    client.cancel([future], force=True)

    def close(self) -> None:
        """Leave the scheduler; what is at work for this connection is not wanted any more."""
        with contextlib.suppress(*GONE):
            self._client.close()

    def _followed(self, client: Any, future: Any, stopped: threading.Event) -> Any:
        ended = threading.Event()
        future.add_done_callback(lambda _: ended.set())
        while not stopped.is_set():
            if ended.wait(_LOOK_S) or future.done():
                break
            if client.status not in ("running", "connecting", "newclient"):
                raise self._lost()
        if stopped.is_set():
            return None
        if future.status in LOST:
            raise self._lost()
        if future.status == "error":
            raise ChildFailedError(f"a worker was lost: {_first_line(future.exception())}")
        return future.result()

    def _lost(self) -> UnreachableError:
        return UnreachableError(f"the Dask scheduler at {self._address} is lost")

    def _ready(self) -> Any:
        with self._turn:
            if self._client.status not in ("running", "connecting", "newclient"):
                self.close()
                self._client = self._connect()
            return self._client

    def _connect(self) -> Any:
        client = connected(self._address)
        try:
            require_same_version(client, self._address)
            client.subscribe_topic(self._topic, self._hear)
        except BaseException:
            client.close()
            raise
        return client

    def _hear(self, event: tuple[float, Any]) -> None:
        (key, done) = event[1]
        tell = self._tellers.get(key)
        if tell is not None:
            tell(done)


def perform(work: Work, topic: str) -> Any:
    """On a worker: do work for as long as the scheduler wants it."""
    from distributed import get_worker

    from avpipe.codecs.process import usable_cores

    worker = get_worker()
    key = worker.get_current_task()
    cores = max(usable_cores(None) // max(worker.state.nthreads, 1), 1)
    told_s = 0.0

    def tell(done: float) -> None:
        nonlocal told_s
        if time.monotonic() - told_s >= _TELL_S:
            told_s = time.monotonic()
            worker.log_event(topic, (key, done))

    with _stopped_when(work, lambda: _is_unwanted(worker, key)):
        return work.run(Place(cores=cores, folder=Path(worker.local_directory) / "avpipe"), tell)


@contextlib.contextmanager
def _stopped_when(work: Work, unwanted: Callable[[], bool]) -> Iterator[None]:
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_LOOK_S):
            if unwanted():
                work.stop()
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _is_unwanted(worker: Any, key: str) -> bool:
    """Dask cannot end a thread: it marks what was cancelled, or whose client has gone."""
    task = worker.state.tasks.get(key)
    return task is None or task.state not in _AT_WORK


def _resources(client: Any) -> dict[str, int] | None:
    """One `render` of a worker, where workers offer such a thing."""
    workers = client.scheduler_info(n_workers=-1)["workers"].values()
    return {RENDER: 1} if any(RENDER in (one.get("resources") or ()) for one in workers) else None


def _first_line(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
