"""A worker process that does task after task, since it takes longer to start than most of them.

One is kept where a task has ended well, for the next one, until avpipe ends. It belongs to the main
thread: the parent-death signal of Linux ends a child with the thread that started it.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import math
import os
import threading
from collections.abc import Iterator

from avpipe.codecs.process import STALL_S, Child, machine_memory_bytes, python_argv
from avpipe.codecs.task_ends import END, KEEP
from avpipe.errors import ChildFailedError

TYPE_CHECKING = False  # as typing's, which takes as long to import as all that is used here
if TYPE_CHECKING:
    from typing import Any

WORKER = "avpipe.codecs.worker"


class Standby:
    """A process that runs a module of workers; a context manager that ends it."""

    def __init__(self, module: str) -> None:
        """Start it. Raises ToolMissingError."""
        self.module = module
        self.is_ready = True
        """Whether it can be given a task."""
        self._owner = os.getpid()
        self._start()

    @property
    def is_ours(self) -> bool:
        """Whether this very process started it, and not the one that it was forked from."""
        return self._owner == os.getpid()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._child.pid

    @property
    def has_ended(self) -> bool:
        """Whether it runs no more."""
        return self._child.has_ended

    def results(
        self, task: str, *arguments: str, doing: str, stall_s: float = STALL_S
    ) -> Iterator[Any]:
        """Have a task done; yields its results. Raises ChildFailedError or StalledError.

        `stall_s` is how long it may be silent.
        """
        self._give(task, arguments, stall_s)
        return self._results(doing)

    def result(self, task: str, *arguments: str, doing: str, stall_s: float = STALL_S) -> Any:
        """Have a task done that has one result. Errors as `results`."""
        (form,) = self.results(task, *arguments, doing=doing, stall_s=stall_s)
        return form

    def close(self) -> None:
        """End it."""
        self.is_ready = False
        with contextlib.suppress(OSError):
            self._tasks.close()
        self._child.close()

    def __enter__(self) -> Standby:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> None:
        (read, write) = os.pipe()
        try:
            self._child = Child(
                python_argv(self.module),
                stdin=read,
                stall_s=math.inf,
                memory_bytes=machine_memory_bytes(),
            )
        except BaseException:
            os.close(write)
            raise
        finally:
            os.close(read)
        self._tasks = os.fdopen(write, "wb")

    def _give(self, task: str, arguments: tuple[str, ...], stall_s: float) -> None:
        if self.has_ended:  # while it had nothing to do: ended by somebody else
            self.close()
            self._start()
        self.is_ready = False
        self._child.expect_progress_within(stall_s)
        with contextlib.suppress(BrokenPipeError):  # why, its end tells
            self._tasks.write(json.dumps([task, *arguments]).encode() + b"\n")
            self._tasks.flush()

    def _results(self, doing: str) -> Iterator[Any]:
        for line in self._child.lines():
            if line in (KEEP, END):
                self._child.expect_progress_within(math.inf)
                self.is_ready = line == KEEP
                return
            self._child.sign_of_life()
            yield json.loads(line)
        self._child.finish(doing)
        raise ChildFailedError(
            f"{doing} failed: it ended too soon", command=self._child.argv, tail=self._child.tail
        )


_kept: list[Standby] = []


def make_ready(module: str = WORKER) -> None:
    """Start a worker for the next who wants one. Raises ToolMissingError."""
    if not _kept and _may_keep():
        _kept.append(Standby(module))


@contextlib.contextmanager
def standby(module: str) -> Iterator[Standby]:
    """A worker that is ready: the one that was kept, or a new one."""
    worker = _taken(module) or Standby(module)
    try:
        yield worker
    except BaseException:
        worker.close()
        raise
    if worker.is_ready and _may_keep():
        let_go()
        _kept.append(worker)
    else:
        worker.close()


def let_go() -> None:
    """End the worker that is kept, if there is one."""
    while _kept:
        worker = _kept.pop()
        if worker.is_ours:
            worker.close()


def _taken(module: str) -> Standby | None:
    if not _may_keep() or not _kept or _kept[-1].module != module or not _kept[-1].is_ours:
        return None
    return _kept.pop()


def _may_keep() -> bool:
    return threading.current_thread() is threading.main_thread()


atexit.register(let_go)
