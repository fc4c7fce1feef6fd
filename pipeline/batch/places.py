"""Files on this machine, on a shared folder, or behind an address: asked for by their names."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from avpipe.batch import stores
from avpipe.batch.stores import is_address
from avpipe.errors import OutputExistsError
from avpipe.render.workspace import publish as publish_file


def join(folder: str, name: str) -> str:
    """A file in a folder."""
    if is_address(folder):
        return f"{folder.rstrip('/')}/{name}"
    return os.path.normpath(os.path.join(folder, name))


def stamp_of(path: str | Path) -> str | None:
    """Which file stands under a name: another one, or a changed one, has another stamp."""
    if is_address(str(path)):
        facts = stores.facts(str(path))
        return None if facts is None else stores.stamp(facts)
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return f"{found.st_size}:{found.st_mtime_ns}"


def size_of(path: str) -> int:
    """In bytes; 0 where that is not known."""
    if is_address(path):
        return int((stores.facts(path) or {}).get("size") or 0)
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except OSError:
        return 0


def is_there(path: str) -> bool:
    """Whether something stands under a name."""
    return stores.facts(path) is not None if is_address(path) else os.path.lexists(path)


def publish(made: str, output: str, *, overwrite: bool) -> None:
    """Give a finished file its name. Raises OutputExistsError or RenderError."""
    if not is_address(output):
        # Who made it has published it under its first name, and flushed it for that.
        publish_file(Path(made), Path(output), overwrite=overwrite, flushed=True)
        Path(made).unlink(missing_ok=True)
        return
    if not overwrite and is_there(output):
        raise OutputExistsError(f"{output} exists", hint="-y overwrites it")
    stores.move(made, output)


def remove(path: str) -> None:
    """Remove a file, where it is there."""
    if is_address(path):
        stores.remove(path)
    else:
        Path(path).unlink(missing_ok=True)


def free_bytes(folder: str) -> int | None:
    """How much room there is; None where that has no bound."""
    return None if is_address(folder) else shutil.disk_usage(folder).free
