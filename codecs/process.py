"""The one door for child processes.

A child gets an argv list, no standard input unless a pipe is handed over, bounds on memory and on
time without progress; its standard error is drained into a bounded tail; it is always reaped; and
it dies with avpipe, by SIGKILL too. Linux's parent-death signal sees to that, and, for its own
children and for systems without that signal, a shell that waits for avpipe's end of a pipe.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import functools
import os
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from types import FrameType

from avpipe.errors import ChildFailedError, StalledError, ToolMissingError

TYPE_CHECKING = False  # as typing's; this is imported before a command's first worker is started
if TYPE_CHECKING:
    from typing import IO

if sys.platform != "win32":
    import resource

TAIL_BYTES = 32 * 1024
"""How much of a child's standard error is kept."""
STALL_S = 300.0
"""How long a child may go without a sign of progress."""
TERMINATE_GRACE_S = 3.0
"""How long a child has between SIGTERM and SIGKILL."""
WAKE_S = 0.5
"""How long a read waits at most before the interpreter can look at signals."""
_STOPPING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
_PR_SET_PDEATHSIG = 1
_GUARD = "read -r group || exit; read -r end; kill -s KILL -- -$group"
"""Is told the group by its first process, and reads on until avpipe's end of the pipe is closed,
by whatever ended it; then ends the group."""
_SAYS_NOTHING = frozenset(("Conversion failed!",))
"""Last words of ffmpeg that tell nobody anything."""


class _Pace:
    """A sign of life, and how long it may be until the next one."""

    def __init__(self, stall_s: float) -> None:
        self.stall_s = stall_s


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
        handles: Sequence[int] = (),
    ) -> None:
        """Start `argv`. Raises ToolMissingError where there is no such program.

        `handles` are open files that it inherits.
        """
        self.argv = tuple(argv)
        self._tail = bytearray()
        self._pace = _Pace(stall_s)
        self._stalled = False
        self._ended = threading.Event()
        self._guard: subprocess.Popen[bytes] | None = None
        self._threads: list[threading.Thread] = []
        with contextlib.ExitStack() as unless_started:
            with _signals_held():
                self._guard = _start_guard()
                unless_started.callback(self._dismiss_guard)
                told = self._guard.stdin if self._guard is not None else None
                setup = _child_setup(memory_bytes, told)
                self._popen = _spawn(self.argv, stdin, stdout, setup, env, handles)
                unless_started.callback(self.close)
                for work in (self._drain, self._watch):
                    self._threads.append(threading.Thread(target=work, daemon=True))
                    self._threads[-1].start()
            unless_started.pop_all()

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

    @property
    def has_ended(self) -> bool:
        """Whether the child runs no more."""
        return self._popen.poll() is not None

    def sign_of_life(self) -> None:
        """Say that the child made progress; it is stopped where nobody says so for `stall_s`."""
        self._pace = _Pace(self._pace.stall_s)

    def expect_progress_within(self, stall_s: float) -> None:
        """Set the bound on the time without progress anew, from now on."""
        self._pace = _Pace(stall_s)

    def lines(self) -> Iterator[str]:
        """What the child prints, line by line, without the line ends."""
        rest = b""
        while data := self._read_some():
            (*whole, rest) = (rest + data).split(b"\n")
            for line in whole:
                yield line.decode(errors="replace").rstrip("\r")
        if rest:
            yield rest.decode(errors="replace")

    def finish(self, doing: str) -> None:
        """Wait for the child's end. Raises ChildFailedError or StalledError where it failed."""
        returncode = self._popen.wait()
        self._join()
        if self._stalled:
            raise StalledError(
                f"{doing} made no progress for {self._pace.stall_s:.0f} s and was stopped"
            )
        if returncode != 0:
            raise ChildFailedError(
                f"{doing} failed: {_reason(returncode, self.tail)}",
                command=self.argv,
                tail=self.tail,
                returncode=returncode,
            )

    def ask_to_end(self) -> None:
        """Send SIGTERM, without waiting; `close` has still to be called."""
        if self._popen.poll() is None:
            self._signal_group(signal.SIGTERM)

    def close(self) -> None:
        """End the child and its own children, where they still run, and reap it."""
        if self._popen.poll() is None:
            self._signal_group(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(TERMINATE_GRACE_S)
        self._kill_group()
        self._popen.wait()
        self._join()
        if self._popen.stdout is not None:
            self._popen.stdout.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _join(self) -> None:
        """Put away what belongs to a child that has ended."""
        self._ended.set()
        self._kill_group()  # what it started and left behind
        self._dismiss_guard()
        for thread in self._threads:
            thread.join(TERMINATE_GRACE_S)  # a process that left the group may hold the pipe

    def _dismiss_guard(self) -> None:
        if self._guard is not None and self._guard.stdin is not None:
            self._guard.kill()  # before its pipe is closed: it has nobody to end any more
            self._guard.wait()
            self._guard.stdin.close()

    def _kill_group(self) -> None:
        self._signal_group(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL)

    def _signal_group(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):  # it is gone already
            if sys.platform == "win32":
                self._popen.terminate()
            else:
                os.killpg(self._popen.pid, number)

    def _read_some(self) -> bytes:
        """What the child prints next. A signal that came just before the wait is seen soon."""
        handle = self.stdout.fileno()
        if sys.platform != "win32":
            poll = select.poll()
            poll.register(handle, select.POLLIN)
            while not poll.poll(WAKE_S * 1000):
                pass  # the interpreter runs the signal's handler here
        return os.read(handle, 65536)

    def _drain(self) -> None:
        if self._popen.stderr is None:
            return
        with self._popen.stderr as stderr:
            while data := os.read(stderr.fileno(), 8192):
                self._tail += data
                del self._tail[:-TAIL_BYTES]

    def _watch(self) -> None:
        # Counted in pauses and not by the clock: Ctrl-Z stops this thread too, but no clock.
        (seen, idle_s) = (self._pace, 0.0)
        while not self._ended.wait(pause := min(seen.stall_s / 4, 5.0)):
            pace = self._pace  # bound and sign at once: a long rest is no stall of what comes next
            idle_s = idle_s + pause if seen is pace else 0.0
            seen = pace
            if idle_s >= pace.stall_s:
                self._stalled = True
                self._kill_group()
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


def machine_memory_bytes() -> int | None:
    """How much memory this machine has; None where it cannot be told."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def usable_cores(jobs: int | None) -> int:
    """How many cores to use: those that this process may run on, or fewer where set."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(here or 1, jobs or here or 1)


def _spawn(
    argv: tuple[str, ...],
    stdin: IO[bytes] | int | None,
    stdout: int,
    setup: Callable[[], None] | None,
    env: dict[str, str] | None,
    handles: Sequence[int],
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
            env=env,
            pass_fds=tuple(handles),
            process_group=0,  # Ctrl-C on a terminal is for avpipe alone, which ends its children
            preexec_fn=setup,
        )
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.EACCES, errno.ENOTDIR, errno.ENOEXEC):
            raise ToolMissingError(f"cannot run {argv[0]}: {error.strerror}") from error
        raise


def _start_guard() -> subprocess.Popen[bytes] | None:
    """Start the shell that ends a process group when avpipe is gone.

    Before the group is: avpipe may be killed at any moment after that.
    """
    if sys.platform == "win32":
        return None
    try:
        return subprocess.Popen(
            ("/bin/sh", "-c", _GUARD, "avpipe-guard"),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            start_new_session=True,
        )
    except FileNotFoundError:
        return None  # a container without a shell


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """Put off what stops avpipe, so that no child is lost while it is being started."""
    arrived: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        arrived.append(number)

    held = {}
    if threading.current_thread() is threading.main_thread():
        for number in _STOPPING:
            if callable(handler := signal.getsignal(number)):
                held[number] = handler
                signal.signal(number, note)
    try:
        yield
    finally:
        for number, handler in held.items():
            signal.signal(number, handler)
        for again in arrived:
            signal.raise_signal(again)


def _child_setup(memory_bytes: int | None, guard: IO[bytes] | None) -> Callable[[], None] | None:
    """What a child does before its program: its signals and bounds, and its group told a guard."""
    if sys.platform == "win32":
        return None
    prctl = _libc_function("prctl")
    parent = os.getpid()

    def setup() -> None:
        if prctl is not None:
            prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # avpipe died before the line above
                os.kill(os.getpid(), signal.SIGKILL)
        if guard is not None:
            with contextlib.suppress(OSError):  # it was ended by somebody else
                guard.write(b"%d\n" % os.getpid())
        _lower_limit(resource.RLIMIT_CORE, 0)
        if memory_bytes is not None:
            # Not the address space: each thread reserves some that it never uses, and a GPU's
            # driver more than there is memory.
            _lower_limit(resource.RLIMIT_DATA, memory_bytes)

    return setup


def give_back_memory() -> None:
    """Give memory that was freed back to the machine; glibc keeps what it may need again."""
    if (trim := _libc_function("malloc_trim")) is not None:
        trim(0)


@functools.cache
def _libc_function(name: str) -> Callable[..., int] | None:
    """A function that Linux's C library has; None where it has none of that name."""
    if not sys.platform.startswith("linux"):
        return None
    with contextlib.suppress(OSError, AttributeError):
        function: Callable[..., int] = getattr(ctypes.CDLL(None), name)
        return function
    return None


def _lower_limit(kind: int, bound: int) -> None:
    (_, hard) = resource.getrlimit(kind)
    limit = bound if hard == resource.RLIM_INFINITY else min(bound, hard)
    with contextlib.suppress(OSError, ValueError):  # macOS knows limits that it does not take
        resource.setrlimit(kind, (limit, hard))


def _reason(returncode: int, tail: str) -> str:
    """The last thing a child said that tells something."""
    if returncode < 0:
        return f"ended by {_signal_name(-returncode)}"
    lines = [
        re.sub(r"^(\[[^]]* @ 0x[0-9a-f]+\] )+", "", line.strip()) for line in tail.splitlines()
    ]
    telling = [line for line in lines if line and line not in _SAYS_NOTHING]
    return telling[-1] if telling else f"exit code {returncode}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
