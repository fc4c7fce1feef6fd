"""SIGINT, SIGTERM and SIGHUP end a run as an exception does: what is open cleans up on the way."""

from __future__ import annotations

import functools
import signal
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from avpipe.errors import StoppedError

RETRY_S = 0.05
_raised: weakref.ref[StoppedError] | None = None


def catch() -> None:
    """Let each signal that ends a run raise StoppedError in the main thread."""
    for number in _ending():
        signal.signal(number, _stop)


def ignore() -> None:
    """The run has ended: nothing is left that a signal could stop."""
    for number in _ending():
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def interrupting() -> Iterator[None]:
    """Within it SIGINT raises KeyboardInterrupt, after which a conversation can go on."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _ending() -> list[signal.Signals]:
    found = [signal.SIGINT, signal.SIGTERM]
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        found.append(signal.SIGHUP)  # which nohup has ignored
    return found


def _stop(number: int, frame: FrameType | None) -> None:
    global _raised
    if _raised is not None and _raised() is not None:
        return  # one is on its way, and the cleaning up is not to be disturbed
    error = StoppedError(number)
    _raised = weakref.ref(error, functools.partial(_try_again, number))
    try:
        raise error
    finally:
        del error  # or its own frame would keep it


def _try_again(number: int, gone: object) -> None:
    """An exception that comes up in a finalizer is lost: then it is raised again, elsewhere."""
    if sys.platform == "win32" or signal.getsignal(number) is not _stop:
        return  # it was not lost: it ended the run
    signal.signal(signal.SIGALRM, lambda _, frame: _stop(number, frame))
    signal.setitimer(signal.ITIMER_REAL, RETRY_S)
