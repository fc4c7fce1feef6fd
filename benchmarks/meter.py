"""What a command costs as a whole: wall time, CPU time and the memory of all its processes."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from avpipe.codecs.process import Child

SILENCE_S = 3600.0
"""How long an observed command may print nothing."""
SAMPLE_S = 0.04
"""How often the memory is looked at; a peak that is shorter may be missed."""
_KCMP = {"x86_64": 312, "aarch64": 272}
"""Numbers of the system call that tells whether two processes share something."""
_KCMP_VM = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage:
    """What one run of a command took."""

    wall_s: float
    cpu_s: float
    """User and system time, of its child processes too."""
    peak_bytes: int | None
    """The most memory that all its processes had at one moment; None where it is not measured.

    Pages that several processes share are counted once (Linux's PSS).
    """


def run(argv: Sequence[str], log: Path, *, memory: bool = True) -> Usage:
    """Run a command to its end and say what it took; its output goes to `log`.

    Raises RuntimeError where it fails.
    """
    program = shutil.which(argv[0])
    if program is None:
        raise RuntimeError(f"there is no program {argv[0]}")
    actions = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644),
        (os.POSIX_SPAWN_DUP2, 1, 2),
    ]
    began = time.perf_counter()
    pid = os.posix_spawn(program, list(argv), dict(os.environ), file_actions=actions)
    with _Sampler(pid, enabled=memory and sys.platform == "linux") as sampler:
        (_, status, used) = os.wait4(pid, 0)
        wall_s = time.perf_counter() - began
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        tail = log.read_text(errors="replace")[-2000:]
        raise RuntimeError(f"{' '.join(argv)} ended with {code}:\n{tail}")
    return Usage(wall_s=wall_s, cpu_s=used.ru_utime + used.ru_stime, peak_bytes=sampler.peak_bytes)


def observe(
    argv: Sequence[str],
    doing: str,
    *,
    environ: Mapping[str, str],
    hear: Callable[[float, str], None],
) -> Usage:
    """Run a command to its end; `hear` is given each line that it prints, and when it came.

    Raises AvpipeError where it fails; it does not outlive this process.
    """
    before = _reaped_cpu_s()
    began = time.perf_counter()
    with (
        Child(argv, stall_s=SILENCE_S, env=dict(environ)) as child,
        _Sampler(child.pid, enabled=sys.platform == "linux") as sampler,
    ):
        for line in child.lines():
            child.sign_of_life()
            hear(time.perf_counter() - began, line)
        child.finish(doing)
        wall_s = time.perf_counter() - began
    return Usage(wall_s=wall_s, cpu_s=_reaped_cpu_s() - before, peak_bytes=sampler.peak_bytes)


def spent_cpu_s(pid: int) -> float | None:
    """What a running process and those that it has reaped have used; None where it is not told."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    ticks = sum(int(text) for text in fields[11:15])  # utime stime cutime cstime
    return ticks / os.sysconf("SC_CLK_TCK")


def _reaped_cpu_s() -> float:
    """User and system time of all children that have ended, and of theirs."""
    used = os.times()
    return used.children_user + used.children_system


class _Sampler:
    """Looks at the memory of a process and its descendants until it is left."""

    def __init__(self, pid: int, *, enabled: bool) -> None:
        self._pid = pid
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True) if enabled else None
        self.peak_bytes: int | None = None

    def __enter__(self) -> _Sampler:
        if self._thread is not None:
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        if self._thread is not None:
            self._thread.join()

    def _work(self) -> None:
        while not self._over.wait(SAMPLE_S):
            found = sum(_memory_bytes(pid) for pid in _tree(self._pid))
            self.peak_bytes = max(found, self.peak_bytes or 0) or None


def _tree(root: int) -> list[int]:
    """A process and all that descend from it, but those that are not yet programs of their own."""
    parents = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                text = (folder / "stat").read_text(errors="replace")
                # pid (name) state parent ...; the name may hold anything
                parents[int(folder.name)] = int(text.rpartition(")")[2].split()[1])
    tree = [root]
    for pid in tree:
        tree += [
            child
            for child, parent in parents.items()
            if parent == pid and not _is_one(parent, child)
        ]
    return tree


def _is_one(parent: int, child: int) -> bool:
    """Whether two processes have one memory, which each tells as all its own.

    So it is between the vfork and the exec of whoever starts a program; False where it is not told.
    """
    number = _KCMP.get(os.uname().machine)
    if number is None:
        return False
    return bool(_libc().syscall(number, parent, child, _KCMP_VM, 0, 0) == 0)


@functools.cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None)


def _memory_bytes(pid: int) -> int:
    """The proportional share of a process, or its resident size where that is not told."""
    with contextlib.suppress(OSError, ValueError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    with contextlib.suppress(OSError, ValueError, IndexError):
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")
    return 0
