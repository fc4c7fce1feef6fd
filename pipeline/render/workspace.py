"""A hidden folder beside the output for what is being made, and the rename that publishes it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from avpipe.errors import DiskFullError, OutputExistsError, RenderError

PREFIX = ".avpipe-"


@contextlib.contextmanager
def workspace(output: Path) -> Iterator[Path]:
    """A folder on the output's file system that is gone afterwards, whatever happens.

    Folders that a killed run left there are removed. Raises RenderError where none can be made.
    """
    _remove_left_over(output.parent)
    try:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=output.parent))
    except OSError as error:
        raise _named(error, f"cannot write in {output.parent}") from error
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def publish(made: Path, output: Path, *, overwrite: bool) -> None:
    """Flush a finished file and give it its name, in one step.

    Raises OutputExistsError where the name was taken in the meantime, RenderError or
    DiskFullError where the file system refuses.
    """
    try:
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
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_left_over(folder: Path) -> None:
    """Remove the workspaces whose process is gone: a running one holds a lock on its own."""
    for path in folder.glob(f"{PREFIX}*"):
        with contextlib.suppress(OSError):  # locked, or somebody else's
            handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(path, ignore_errors=True)
            finally:
                os.close(handle)


def _named(error: OSError, what: str) -> RenderError:
    message = f"{what}: {error.strerror}"
    return DiskFullError(message) if error.errno in (28, 122) else RenderError(message)
