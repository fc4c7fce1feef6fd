"""The one door for child processes.

A child gets an argv list, no standard input unless a pipe is handed over, bounds on memory and on
time without progress; its standard error is drained into a bounded tail; it dies with avpipe, by
SIGKILL too (Linux's parent-death signal); and it is always reaped.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import IO

from avpipe.errors import ChildFailedError, StalledError, ToolMissingError

TAIL_BYTES = 32 * 1024
"""How much of a child's standard error is kept."""
STALL_S = 300.0
"""How long a child may go without a sign of progress."""
TERMINATE_GRACE_S = 3.0
"""How long a child has between SIGTERM and SIGKILL."""
_PR_SET_PDEATHSIG = 1


class Child:
    """A running child process; a context manager that never leaves it behind."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        stdin: IO[bytes] | int | None = None,
        stdout: int = subprocess.PIPE,
        stall_s: float = STALL_S,
        memory_bytes: int | None = None,
        env: dict[str, str] | None = None,
    ) -> None:
        """Start `argv`. Raises ToolMissingError where there is no such program."""
        self.argv = tuple(argv)
        self._tail = bytearray()
        self._stall_s = stall_s
        self._stalled = False
        self._ended = threading.Event()
        self._last_sign = time.monotonic()
        try:
            self._popen = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL if stdin is None else stdin,
                stdout=stdout,
                stderr=subprocess.PIPE,
                env=env,
                process_group=0,
                preexec_fn=_child_setup(memory_bytes),
            )
        except (FileNotFoundError, PermissionError) as error:
            raise ToolMissingError(f"cannot run {self.argv[0]}: {error.strerror}") from error
        self._threads = [
            threading.Thread(target=work, daemon=True) for work in (self._drain, self._watch)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def stdout(self) -> IO[bytes]:
        """The child's standard output, where it is a pipe."""
        if self._popen.stdout is None:
            raise ValueError("this child's standard output is not a pipe")
        return self._popen.stdout

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._popen.pid

    @property
    def tail(self) -> str:
        """The last of what the child wrote on standard error."""
        return self._tail.decode(errors="replace").strip()

    def sign_of_life(self) -> None:
        """Say that the child made progress; it is stopped where nobody says so for `stall_s`."""
        self._last_sign = time.monotonic()

    def lines(self) -> Iterator[str]:
        """What the child prints, line by line, without the line ends."""
        for line in self.stdout:
            yield line.decode(errors="replace").rstrip("\r\n")

    def finish(self, doing: str) -> None:
        """Wait for the child's end. Raises ChildFailedError or StalledError where it failed."""
        returncode = self._popen.wait()
        self._join()
        if self._stalled:
            raise StalledError(
                f"{doing} made no progress for {self._stall_s:.0f} s and was stopped"
            )
        if returncode != 0:
            raise ChildFailedError(
                f"{doing} failed: {_reason(returncode, self.tail)}",
                command=self.argv,
                tail=self.tail,
                returncode=returncode,
            )

    def close(self) -> None:
        """End the child, if it still runs, and reap it."""
        if self._popen.poll() is None:
            self._popen.terminate()
            try:
                self._popen.wait(TERMINATE_GRACE_S)
            except subprocess.TimeoutExpired:
                self._popen.kill()
                self._popen.wait()
        self._join()
        for pipe in (self._popen.stdout, self._popen.stderr):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _join(self) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _drain(self) -> None:
        stderr = self._popen.stderr
        while stderr is not None and (data := os.read(stderr.fileno(), 8192)):
            self._tail += data
            del self._tail[:-TAIL_BYTES]

    def _watch(self) -> None:
        while not self._ended.wait(min(self._stall_s / 4, 5.0)):
            if time.monotonic() - self._last_sign > self._stall_s:
                self._stalled = True
                self._popen.kill()
                return


def run(
    argv: Sequence[str],
    doing: str,
    *,
    stall_s: float = STALL_S,
    memory_bytes: int | None = None,
) -> bytes:
    """Run a short child to its end and give what it printed. Errors as `Child.finish`."""
    with Child(argv, stall_s=stall_s, memory_bytes=memory_bytes) as child:
        output = child.stdout.read()
        child.finish(doing)
    return output


def python_argv(module: str, *arguments: str) -> list[str]:
    """The argv that runs a module of avpipe in a fresh interpreter of the same environment."""
    return [sys.executable, "-P", "-m", module, *arguments]


def machine_memory_bytes() -> int:
    """How much memory this machine has."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _child_setup(memory_bytes: int | None) -> Callable[[], None]:
    prctl = _prctl()
    parent = os.getpid()

    def setup() -> None:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # avpipe died before the line above
                os.kill(os.getpid(), signal.SIGKILL)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if memory_bytes is not None:
            _lower_limit(resource.RLIMIT_AS, memory_bytes)

    return setup


@functools.cache
def _prctl() -> Callable[..., int] | None:
    if not sys.platform.startswith("linux"):
        return None
    with contextlib.suppress(OSError, AttributeError):
        function: Callable[..., int] = ctypes.CDLL(None).prctl
        return function
    return None


def _lower_limit(kind: int, bound: int) -> None:
    (_, hard) = resource.getrlimit(kind)
    limit = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
    resource.setrlimit(kind, (limit, hard))


def _reason(returncode: int, tail: str) -> str:
    if returncode < 0:
        return f"ended by {signal.Signals(-returncode).name}"
    lines = [line.strip() for line in tail.splitlines() if line.strip()]
    return lines[-1] if lines else f"exit code {returncode}"
