"""Workers on this machine: processes that each do one task at a time, on cores of their own."""

from __future__ import annotations

import contextlib
import os
import queue
import threading
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

from avpipe.batch.tasks import Result, Task
from avpipe.batch.worker import Order, read_pickle, write_pickle
from avpipe.codecs.process import Child, machine_memory_bytes, python_argv
from avpipe.settings import Settings
from avpipe.updates import Failed, Failure, Update

WORKER = "avpipe.batch.worker"
MERGE_BYTES = 700_000_000
"""What an encode of 1080p takes."""
_PATIENCE_S = 1e9
"""A worker is quiet where it has nothing to do; what it starts has bounds of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What a worker says of a task; after a Result or Failed it says no more."""

    number: int
    update: Update | Result

    @property
    def is_last(self) -> bool:
        """Whether the task has ended."""
        return isinstance(self.update, Result | Failed)


class Pool(Protocol):
    """Somewhere tasks are done."""

    @property
    def slots(self) -> int:
        """How many tasks it does at once."""
        ...

    @property
    def tells_progress(self) -> bool:
        """Whether it tells of a task from its beginning on, and not at its end alone."""
        ...

    def submit(self, task: Task) -> int:
        """Have a task done, as soon as there is a slot; gives its number."""
        ...

    def next(self, timeout_s: float) -> Told | None:
        """What is told next; None where nothing was for so long."""
        ...


class LocalPool:
    """Worker processes of this machine; a context manager that leaves none behind."""

    tells_progress = True

    def __init__(self, settings: Settings, workers: int) -> None:
        self._settings = settings
        self._shares = _shares(workers)
        self._workers: dict[int, _Worker] = {}
        self._waiting: deque[tuple[int, Task]] = deque()
        self._told: queue.SimpleQueue[tuple[int, _Worker, Any]] = queue.SimpleQueue()
        self._count = 0

    @property
    def slots(self) -> int:
        """How many tasks it does at once."""
        return len(self._shares)

    def resize(self, workers: int) -> None:
        """Have another number of workers, of which each has more or fewer processors."""
        self._shares = _shares(workers)
        for slot in [slot for slot in self._workers if slot >= len(self._shares)]:
            self._workers.pop(slot).close()

    def submit(self, task: Task) -> int:
        """Have a task done, as soon as there is a slot; gives its number."""
        self._count += 1
        self._waiting.append((self._count, task))
        self._start_waiting()
        return self._count

    def next(self, timeout_s: float) -> Told | None:
        """What is told next; None where nothing was for so long."""
        try:
            (slot, worker, update) = self._told.get(timeout=timeout_s)
        except queue.Empty:
            return None
        number = worker.number
        if update is None:  # it has ended
            worker.close()
            self._workers.pop(slot, None)
            if number is None:
                return None
            update = Failed(error=_lost(worker))
        told = Told(number=number or 0, update=update)
        if told.is_last:
            worker.number = None
            self._start_waiting()
        return told

    def _start_waiting(self) -> None:
        """Give tasks to the workers that have none."""
        for slot, cores in enumerate(self._shares):
            if not self._waiting:
                return
            worker = self._workers.get(slot)
            if worker is None:
                worker = self._workers[slot] = _Worker(slot, self._told)
            if worker.number is None:
                (worker.number, task) = self._waiting.popleft()
                worker.give(Order(task=task, settings=self._settings, cores=cores))

    def __enter__(self) -> LocalPool:
        return self

    def __exit__(self, *_: object) -> None:
        # All are told to end before any is waited for.
        for worker in self._workers.values():
            worker.dismiss()
        for worker in self._workers.values():
            worker.close()
        self._workers.clear()


class _Worker:
    """One process, and a thread that hands on what it says."""

    def __init__(self, slot: int, told: queue.SimpleQueue[tuple[int, _Worker, Any]]) -> None:
        (read, write) = os.pipe()
        try:
            self._child = Child(
                python_argv(WORKER),
                stdin=read,
                stall_s=_PATIENCE_S,
                memory_bytes=machine_memory_bytes(),
            )
        except BaseException:
            os.close(write)
            raise
        finally:
            os.close(read)
        self._orders = os.fdopen(write, "wb")
        self.number: int | None = None
        """Of the task that it does."""
        self._thread = threading.Thread(target=self._listen, args=(slot, told), daemon=True)
        self._thread.start()

    def give(self, order: Order) -> None:
        """Send a task. One that has died says so itself."""
        with contextlib.suppress(BrokenPipeError):
            write_pickle(self._orders, order)

    @property
    def tail(self) -> str:
        """The last of what it wrote on standard error."""
        return self._child.tail

    def dismiss(self) -> None:
        """Ask it to end, without waiting."""
        self._child.ask_to_end()
        with contextlib.suppress(OSError):
            self._orders.close()

    def close(self) -> None:
        """End it, and what it started."""
        with contextlib.suppress(OSError):
            self._orders.close()
        self._child.close()
        self._thread.join(5.0)

    def _listen(self, slot: int, told: queue.SimpleQueue[tuple[int, _Worker, Any]]) -> None:
        try:
            while True:
                told.put((slot, self, read_pickle(self._child.stdout)))
        except (EOFError, OSError, ValueError):
            told.put((slot, self, None))


def pool_size(jobs: int | None, cores: int, tasks: int, sessions: int | None = None) -> int:
    """How many merges to make at once: as cores, memory and encoder sessions allow."""
    memory = machine_memory_bytes()
    bounds = [jobs or cores, cores, max(tasks, 1)]
    if memory is not None:
        bounds.append(memory // MERGE_BYTES)
    if sessions is not None:
        bounds.append(sessions)
    return max(min(bounds), 1)


def _shares(workers: int) -> list[tuple[int, ...]]:
    """The processors of each worker: each processor is one worker's, so that none has two."""
    here = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if not here:
        return [() for _ in range(workers)]
    count = min(workers, len(here))
    return [tuple(here[slot::count]) for slot in range(count)]


def _lost(worker: _Worker) -> Failure:
    last = worker.tail.splitlines()[-1:] or ["it was killed, or ran out of memory"]
    return Failure(
        code="child_failed",
        message=f"the process that made it ended: {last[0]}",
        hint=None,
        exit_code=1,
    )
