"""A process that does one task after another for a pool: `python -m avpipe.batch.worker`.

Tasks come on standard input and what they tell goes to standard output, both as pickles behind
their length. It ends with its input; SIGTERM ends it as an exception does, so that what it was
making is gone.
"""

from __future__ import annotations

import os
import pickle
import signal
import struct
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from types import FrameType
from typing import IO, Any

from avpipe.batch.tasks import Task, perform
from avpipe.errors import StoppedError
from avpipe.settings import Settings
from avpipe.updates import Failed, Failure

_HEAD = struct.Struct(">Q")


@dataclass(frozen=True, kw_only=True, slots=True)
class Order:
    """A task, with what it may use."""

    task: Task
    settings: Settings
    cores: tuple[int, ...]
    """The processors that it and its children run on; none: any."""


def write_pickle(file: IO[bytes], value: Any) -> None:
    """Send a value. It goes between processes of one program: nobody else writes there."""
    data = pickle.dumps(value)
    file.write(_HEAD.pack(len(data)) + data)
    file.flush()


def read_pickle(file: IO[bytes]) -> Any:
    """The next value. Raises EOFError where there is none."""
    (size,) = _HEAD.unpack(_exactly(file, _HEAD.size))
    return pickle.loads(_exactly(file, size))  # noqa: S301 - from a process of our own


def _exactly(file: IO[bytes], size: int) -> bytes:
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return data


def main() -> int:
    """Work until nobody asks for more."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever prints does not disturb the replies
    try:
        while True:
            _work(read_pickle(sys.stdin.buffer), replies)
    except (EOFError, BrokenPipeError, StoppedError):
        return 0


def _work(order: Order, replies: IO[bytes]) -> None:
    _keep_to(order.cores)
    try:
        with closing(perform(order.task, order.settings)) as told:
            for one in told:
                write_pickle(replies, one)
    except (BrokenPipeError, MemoryError):
        raise
    except Exception as error:  # a defect must not end the batch: it is that item's failure
        write_pickle(replies, Failed(error=_defect(error)))


def _defect(error: Exception) -> Failure:
    return Failure(
        code="defect",
        message=f"avpipe itself failed: {type(error).__name__}: {error}",
        hint="merge the two by hand with --debug, and report what it prints",
        exit_code=1,
    )


def _keep_to(cores: Sequence[int]) -> None:
    """Run on these processors: whatever counts them, as x264 does, starts no more threads."""
    if cores and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, cores)


def _stop(number: int, frame: FrameType | None) -> None:
    signal.signal(number, signal.SIG_IGN)
    raise StoppedError(number)


if __name__ == "__main__":
    sys.exit(main())
