"""Files on this machine, on a shared folder, or behind an address that fsspec opens."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from avpipe.batch.folder import is_media
from avpipe.errors import (
    InputMissingError,
    OutputExistsError,
    RenderError,
    RequestError,
    ToolMissingError,
)
from avpipe.render.workspace import publish as publish_file


def is_address(path: str) -> bool:
    """Whether it is an address such as `s3://bucket/folder`, and no path."""
    return "://" in path


def open_place(address: str) -> tuple[Any, str]:
    """The file system behind an address, and the path in it."""
    try:
        import fsspec
    except ImportError as error:
        raise ToolMissingError(
            f"{address} needs fsspec, which is not installed",
            hint="pip install 'avpipe[cluster]'",
        ) from error
    try:
        (system, path) = fsspec.core.url_to_fs(address)
    except ImportError as error:
        raise ToolMissingError(f"{address} cannot be opened: {error}") from error
    except ValueError as error:
        raise RequestError(f"{address} cannot be opened: {error}") from error
    return system, path


def join(folder: str, name: str) -> str:
    """A file in a folder."""
    if is_address(folder):
        return f"{folder.rstrip('/')}/{name}"
    return os.path.normpath(os.path.join(folder, name))


def stamp_of(path: str | Path) -> str | None:
    """Which file stands under a name: another one, or a changed one, has another stamp."""
    if is_address(str(path)):
        facts = _facts(str(path))
        return None if facts is None else _remote_stamp(facts)
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return f"{found.st_size}:{found.st_mtime_ns}"


def size_of(path: str) -> int:
    """In bytes; 0 where that is not known."""
    if is_address(path):
        return int((_facts(path) or {}).get("size") or 0)
    try:
        return os.stat(path).st_size  # noqa: PTH116
    except OSError:
        return 0


def is_there(path: str) -> bool:
    """Whether something stands under a name."""
    return _facts(path) is not None if is_address(path) else os.path.lexists(path)


def _facts(address: str) -> dict[str, Any] | None:
    (system, path) = open_place(address)
    system.invalidate_cache()
    try:
        facts: dict[str, Any] = system.info(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RenderError(f"{address} cannot be looked at: {error}") from error
    return facts


def _remote_stamp(facts: dict[str, Any]) -> str:
    """By what the store keeps of an object: its hash, or when it was written."""
    known = ("ETag", "etag", "md5Hash", "LastModified", "mtime", "created")
    mark = next((facts[name] for name in known if facts.get(name)), "")
    return f"{facts.get('size')}:{mark}"


def media_at(address: str, *, recursive: bool) -> list[str]:
    """The addresses of what ends like media in a folder. Raises InputMissingError."""
    (system, path) = open_place(address)
    try:
        found: Sequence[str] = system.find(path, maxdepth=None if recursive else 1)
    except OSError as error:
        raise InputMissingError(f"{address} cannot be read: {error}") from error
    if not found and not system.exists(path):
        raise InputMissingError(f"{address} does not exist")
    hidden = [part for part in found if "/." in part[len(path) :]]
    return sorted(
        system.unstrip_protocol(one)
        for one in found
        if one not in hidden and is_media(one.rsplit("/", 1)[-1])
    )


def fetch(address: str, folder: Path) -> str:
    """Copy a file here. Raises InputMissingError or RenderError."""
    (system, path) = open_place(address)
    target = folder / path.rsplit("/", 1)[-1]
    try:
        system.get_file(path, str(target))
    except FileNotFoundError as error:
        raise InputMissingError(f"{address} does not exist") from error
    except OSError as error:
        raise RenderError(f"{address} cannot be fetched: {error}") from error
    return str(target)


def send(path: str, address: str) -> None:
    """Copy a file there, under a name that nobody else writes. Raises RenderError."""
    (system, target) = open_place(address)
    try:
        system.makedirs(target.rsplit("/", 1)[0], exist_ok=True)
        system.put_file(path, target)
    except OSError as error:
        raise RenderError(f"{address} cannot be written: {error}") from error


def publish(made: str, output: str, *, overwrite: bool) -> None:
    """Give a finished file its name. Raises OutputExistsError or RenderError."""
    if not is_address(output):
        publish_file(Path(made), Path(output), overwrite=overwrite)
        Path(made).unlink(missing_ok=True)
        return
    if not overwrite and is_there(output):
        raise OutputExistsError(f"{output} exists", hint="-y overwrites it")
    (system, source) = open_place(made)
    (_, target) = open_place(output)
    try:
        # Stores of objects have no rename: a copy of the whole object appears at once.
        system.copy(source, target)
        system.rm_file(source)
    except OSError as error:
        raise RenderError(f"{output} cannot be written: {error}") from error


def remove(path: str) -> None:
    """Remove a file, where it is there."""
    if not is_address(path):
        Path(path).unlink(missing_ok=True)
        return
    (system, target) = open_place(path)
    if system.exists(target):
        system.rm_file(target)


def free_bytes(folder: str) -> int | None:
    """How much room there is; None where that has no bound."""
    return None if is_address(folder) else shutil.disk_usage(folder).free
