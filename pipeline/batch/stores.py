"""Files behind an address that fsspec opens: objects of a store, files of a server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from avpipe.batch.folder import is_media
from avpipe.errors import InputMissingError, RenderError, RequestError, ToolMissingError

_FLAT = frozenset(("abfs", "az", "gcs", "gs", "s3", "s3a"))
"""Stores of objects have no folders: to make one there is to make a bucket."""


def is_address(path: str) -> bool:
    """Whether it is an address such as `s3://bucket/folder`, and no path."""
    return "://" in path


def open_store(address: str) -> tuple[Any, str]:
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


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Raise RenderError where a store refuses; that something is not there passes through.

    Each store's library has errors of its own, which need not be OSErrors: botocore's, where there
    are no credentials or nobody answers.
    """
    try:
        yield
    except FileNotFoundError:
        raise
    except Exception as error:
        raise RenderError(f"{what}: {error}") from error


def facts(address: str) -> dict[str, Any] | None:
    """What the store says of a file; None where there is none. Raises RenderError."""
    (system, path) = open_store(address)
    system.invalidate_cache()
    try:
        with _told(f"{address} cannot be looked at"):
            found: dict[str, Any] = system.info(path)
    except FileNotFoundError:
        return None
    return found


def stamp(facts: dict[str, Any]) -> str:
    """By what the store keeps of an object: its size, and its hash or when it was written."""
    known = ("ETag", "etag", "md5Hash", "LastModified", "mtime", "created")
    mark = next((facts[name] for name in known if facts.get(name)), "")
    return f"{facts.get('size')}:{mark}"


def media_at(address: str, *, recursive: bool) -> list[str]:
    """The addresses of what ends like media in a folder.

    Raises InputMissingError or RenderError.
    """
    (system, path) = open_store(address)
    try:
        with _told(f"{address} cannot be read"):
            found: Sequence[str] = system.find(path, maxdepth=None if recursive else 1)
            there = bool(found) or system.exists(path)
    except FileNotFoundError as error:
        raise InputMissingError(f"{address} does not exist") from error
    if not there:
        raise InputMissingError(f"{address} does not exist")
    hidden = [part for part in found if "/." in part[len(path) :]]
    return sorted(
        system.unstrip_protocol(one)
        for one in found
        if one not in hidden and is_media(one.rsplit("/", 1)[-1])
    )


def files_at(address: str) -> list[str]:
    """The addresses of all files of a folder; none where it is not there. Raises RenderError."""
    (system, path) = open_store(address)
    system.invalidate_cache()
    try:
        with _told(f"{address} cannot be looked at"):
            return [system.unstrip_protocol(one) for one in system.find(path)]
    except FileNotFoundError:
        return []


def fetch(address: str, folder: Path) -> str:
    """Copy a file here. Raises InputMissingError or RenderError."""
    (system, path) = open_store(address)
    target = folder / path.rsplit("/", 1)[-1]
    try:
        with _told(f"{address} cannot be fetched"):
            system.get_file(path, str(target))
    except FileNotFoundError as error:
        raise InputMissingError(f"{address} does not exist") from error
    return str(target)


def send(path: str, address: str) -> None:
    """Copy a file there, under a name that nobody else writes. Raises RenderError."""
    (system, target) = open_store(address)
    try:
        with _told(f"{address} cannot be written"):
            _make_folder(system, address, target)
            system.put_file(path, target)
    except FileNotFoundError as error:
        raise RenderError(f"{address} cannot be written: {error}") from error


def move(source: str, target: str) -> None:
    """Give a file of a store another name in it. Raises RenderError."""
    (system, made) = open_store(source)
    (_, output) = open_store(target)
    try:
        with _told(f"{target} cannot be written"):
            _make_folder(system, target, output)
            # Stores of objects have no rename: a copy of the whole object appears at once.
            system.cp_file(made, output)
            system.rm_file(made)
    except FileNotFoundError as error:
        raise RenderError(f"{target} cannot be written: {error}") from error


def remove(address: str) -> None:
    """Remove a file, where it is there. Raises RenderError."""
    (system, path) = open_store(address)
    system.invalidate_cache()
    try:
        with _told(f"{address} cannot be removed"):
            system.rm_file(path)
    except FileNotFoundError:
        return


def _make_folder(system: Any, address: str, path: str) -> None:
    if address.partition("://")[0] not in _FLAT:
        system.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
