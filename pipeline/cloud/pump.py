"""Work that reports by calling back, as a generator of what it reports.

httpx pulls the body of a request out of an iterator, so whoever waits for the answer cannot yield.
The request runs in a thread; what it reports is yielded here, and whoever closes the generator
makes the next report raise in that thread, which ends the request.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Generator
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


GRACE_S = 1.0
"""How long work that nobody waits for any more may take to notice."""


class AbandonedError(Exception):
    """Nobody waits for the work any more."""


class _Pump(Generic[Item, Result]):
    def __init__(self, work: Callable[[Callable[[Item], None]], Result]) -> None:
        self._work = work
        self.reports: queue.SimpleQueue[Item | None] = queue.SimpleQueue()
        self.abandoned = threading.Event()
        self.result: Result
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            self.result = self._work(self._report)
        except BaseException as error:  # it is raised where the reports are read
            self.error = error
        finally:
            self.reports.put(None)

    def _report(self, item: Item) -> None:
        if self.abandoned.is_set():
            raise AbandonedError
        self.reports.put(item)


def pumped(
    work: Callable[[Callable[[Item], None]], Result],
) -> Generator[Item, None, Result]:
    """Run `work(report)` and yield what it reports; gives what it gives and raises what it raises.

    Work that is abandoned has ended when the generator is closed, but for a stalled connection: its
    thread is a daemon, that no process which ends waits for.
    """
    pump = _Pump(work)
    thread = threading.Thread(target=pump.run, daemon=True)
    thread.start()
    try:
        while (item := pump.reports.get()) is not None:
            yield item
    except BaseException:
        pump.abandoned.set()
        thread.join(GRACE_S)
        raise
    thread.join()
    if pump.error is not None:
        raise pump.error
    return pump.result
