"""Who may do what only one process may do at a time."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl


@contextlib.contextmanager
def claimed(folder: Path, name: str, *, wait: bool) -> Iterator[bool]:
    """Hold a name's lock, a file in the folder; it ends with the process.

    Yields False, at once, where another one holds it and `wait` is false.
    """
    folder.mkdir(exist_ok=True, mode=0o700)
    path = folder / hashlib.sha256(name.encode()).hexdigest()[:32]
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield _lock(handle, wait=wait)
    finally:
        os.close(handle)


def _lock(handle: int, *, wait: bool) -> bool:
    """Lock a file until its handle is closed, or its process ends."""
    try:
        if sys.platform == "win32":
            msvcrt.locking(handle, msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)
        else:
            fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError:
        if wait:
            raise
        return False
    return True
