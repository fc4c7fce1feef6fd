"""A hidden folder beside the output for what is being made, and the rename that publishes it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from avpipe.codecs.ffmpeg import is_out_of_space
from avpipe.errors import ChildFailedError, DiskFullError, OutputExistsError, RenderError

if sys.platform != "win32":
    import fcntl

PREFIX = ".avpipe-"


@contextlib.contextmanager
def workspace(output: Path) -> Iterator[Path]:
    """A folder on the output's file system that is gone afterwards, whatever happens.

    Folders that a killed run left there are removed. Raises RenderError where none can be made.
    """
    _remove_left_over(output.parent)
    folder = output.parent / f"{PREFIX}{os.urandom(6).hex()}"
    lock = None
    try:
        lock = _make_locked(folder)
        yield folder
    finally:
        try:
            shutil.rmtree(folder, ignore_errors=True)
        finally:  # again, where a signal cut that short; a second one does nothing
            shutil.rmtree(folder, ignore_errors=True)
            if lock is not None:
                os.close(lock)


def _make_locked(folder: Path) -> int | None:
    """Make a folder; gives a handle that holds its lock until it is closed or this process ends."""
    while True:
        try:
            folder.mkdir(mode=0o700)
        except OSError as error:
            raise _named(error, f"cannot write in {folder.parent}") from error
        try:
            lock = _lock(folder)
        except OSError:
            return None  # no locks here: nobody takes it for a left-over one either
        if folder.exists():
            return lock
        if lock is not None:  # a neighbour took it for a left-over one before it was locked
            os.close(lock)


@contextlib.contextmanager
def flushing(path: Path) -> Iterator[None]:
    """Flush a file while something else is done, so that `publish` has nothing left to flush.

    Raises RenderError or DiskFullError where the file system refuses: it says so only once.
    """
    errors: list[OSError] = []

    def flush() -> None:
        try:
            _flush(path)
        except OSError as error:
            errors.append(error)

    # A daemon, and not waited for on the way out of an error: a slow disk would hold up the end.
    thread = threading.Thread(target=flush, daemon=True)
    thread.start()
    yield
    thread.join()
    if errors:
        raise _named(errors[0], f"cannot write {path}") from errors[0]


@contextlib.contextmanager
def told_when_full(folder: Path) -> Iterator[None]:
    """What failed for want of room there raises DiskFullError, and names that folder."""
    try:
        yield
    except DiskFullError as error:
        raise DiskFullError(f"the disk is full: {folder}") from error
    except ChildFailedError as error:
        if is_out_of_space(error):
            raise DiskFullError(f"the disk is full: {folder}") from error
        raise


def publish(made: Path, output: Path, *, overwrite: bool, flushed: bool = False) -> None:
    """Flush a finished file, where that was not done before, and give it its name in one step.

    Raises OutputExistsError where the name was taken in the meantime, RenderError or
    DiskFullError where the file system refuses.
    """
    try:
        if not flushed:
            _flush(made)
        if overwrite:
            made.replace(output)
        else:
            _rename_new(made, output)
        _flush(output.parent)
    except FileExistsError as error:
        raise OutputExistsError(f"{output} exists", hint="-y overwrites it") from error
    except OSError as error:
        raise _named(error, f"cannot write {output}") from error


def write_whole(output: Path, content: str | bytes, *, overwrite: bool) -> None:
    """Write a small file that is there whole or not at all. Errors as `workspace`, `publish`."""
    with workspace(output) as folder:
        made = folder / "whole"
        try:
            made.write_bytes(content.encode() if isinstance(content, str) else content)
        except OSError as error:
            raise _named(error, f"cannot write {output}") from error
        publish(made, output, overwrite=overwrite)


def require_space(folder: Path, size_bytes: int) -> None:
    """Raise DiskFullError where a file system has less room than that."""
    free = shutil.disk_usage(folder).free
    if free < size_bytes:
        raise DiskFullError(
            f"the output needs about {size_bytes / 1e6:.1f} MB and {folder} has "
            f"{free / 1e6:.1f} MB left",
            hint="free some space, or write the output elsewhere with -o",
        )


def _rename_new(made: Path, output: Path) -> None:
    try:
        os.link(made, output)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        if output.exists():
            raise FileExistsError(str(output)) from None
        made.rename(output)


def _flush(path: Path) -> None:
    if sys.platform == "win32":
        return  # a handle that may write would be needed, and a folder has none
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_left_over(folder: Path) -> None:
    """Remove the workspaces whose process is gone: a running one holds a lock on its own."""
    for path in folder.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # locked, or somebody else's
            handle = _lock(path, wait=False)
            if handle is not None:
                shutil.rmtree(path, ignore_errors=True)
                os.close(handle)


def _lock(folder: Path, *, wait: bool = True) -> int | None:
    """Lock a folder; None where it is gone, or the system locks no folders. Raises OSError."""
    if sys.platform == "win32":
        return None
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        raise
    return handle


def _named(error: OSError, what: str) -> RenderError:
    message = f"{what}: {error.strerror}"
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    return DiskFullError(message) if full else RenderError(message)
