"""A folder that is watched: what arrives there whole is paired and merged, until somebody stops it.

A file counts when nobody has it open for writing and its size has stood still. Everything else is
a batch, run again when something has changed: it remembers what is done.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

from watchfiles import DefaultFilter, watch

from avpipe.batch.folder import is_media
from avpipe.batch.session import Reported, run_batch
from avpipe.batch.state import FOLDER
from avpipe.batch.survey import folder_media
from avpipe.batch.values import BatchUpdate, ItemFailed, Wanted
from avpipe.errors import RequestError
from avpipe.render.workspace import PREFIX
from avpipe.settings import Settings

if sys.platform != "win32":
    import fcntl

LOOK_S = 0.5
"""Between two looks at files that are still being written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Waiting:
    """All that can be made is made; how many files are still being written."""

    unsteady: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Trouble:
    """Nothing can be made as the folder is; it may be another one soon."""

    message: str


@dataclass(kw_only=True)
class Arrivals:
    """Which files of a folder are whole."""

    settle_s: float
    """How long a size must stand still."""
    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, tuple[tuple[int, int], float]] = field(default_factory=dict)
    """Size and time of change, and since when they are as they are."""

    def unsteady(self, paths: list[str]) -> set[str]:
        """Those of the files that are still being written."""
        now = self.clock()
        seen, unsteady = {}, set()
        for path in paths:
            try:
                found = os.stat(path)  # noqa: PTH116
            except OSError:
                continue  # renamed or removed since: the next look sees the other name
            figures = (found.st_size, found.st_mtime_ns)
            (before, since) = self._seen.get(path, (None, now))
            if before != figures:
                # One that has not changed for long when it is first seen need not be waited for.
                age_s = time.time() - found.st_mtime if before is None else 0.0
                since = now - max(age_s, 0.0)
            seen[path] = (figures, since)
            if now - since < self.settle_s or is_written(path):
                unsteady.add(path)
        self._seen = seen
        return unsteady

    def figures(self, path: str) -> tuple[int, int] | None:
        """Size and time of change of a file, as it was seen last."""
        seen = self._seen.get(path)
        return None if seen is None else seen[0]


def is_written(path: str) -> bool:
    """Whether some process has the file open for writing; False where that cannot be told."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        # The kernel gives a read lease on a file that nobody writes, and on no other.
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(handle, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:
        return False  # somebody else's file, or a file system without leases
    finally:
        os.close(handle)
    return False


def watch_folder(
    wanted: Wanted,
    settings: Settings,
    *,
    stop: threading.Event,
    settle_s: float,
    report: str | None = None,
) -> Generator[BatchUpdate | Reported | Waiting | Trouble]:
    """Run a batch now and after every change, until `stop` is set; then the items in hand end."""
    arrivals = Arrivals(settle_s=settle_s)
    tried: set[str] = set()
    before: object = None
    for _ in _changes(wanted, stop):
        paths = folder_media(wanted)
        unsteady = arrivals.unsteady(paths)
        whole = {path: arrivals.figures(path) for path in paths if path not in unsteady}
        if whole != before:
            before = whole
            try:
                for update in run_batch(
                    wanted,
                    settings,
                    report=report,
                    without=unsteady,
                    stopping=stop.is_set,
                    tried=tried,
                ):
                    if isinstance(update, ItemFailed):
                        tried.add(update.item.key)
                    yield update
            except RequestError as error:  # such as two files that would have one output
                yield Trouble(message=error.message)
            yield Waiting(unsteady=len(unsteady))
        if stop.is_set():
            return


def _changes(wanted: Wanted, stop: threading.Event) -> Iterator[None]:
    """One now, one after every change, and one every LOOK_S: sizes stand still unseen."""
    yield
    told = watch(
        wanted.folder,
        watch_filter=_Media(wanted),
        stop_event=stop,
        recursive=wanted.recursive,
        step=50,
        debounce=200,
        rust_timeout=round(LOOK_S * 1000),
        yield_on_timeout=True,
        raise_interrupt=False,
    )
    for _ in told:
        yield
    yield


class _Media(DefaultFilter):
    """What is worth a look: media, and not what avpipe writes itself."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__(ignore_dirs=(*DefaultFilter.ignore_dirs, FOLDER))

    def __call__(self, change: object, path: str) -> bool:
        name = os.path.basename(path)
        return is_media(name) and PREFIX not in path
