"""A multipart body, written to the disk as it comes: no file is ever whole in memory."""

from __future__ import annotations

import errno
import hashlib
import re
import shutil
import uuid
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from anyio.to_thread import run_sync
from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from avpipe.errors import DiskFullError, FileTooLargeError, RequestError
from avpipe.server.sessions import TOO_MUCH, shown_name, suffix_of

MOST_PARTS = 20
_HEADER_BYTES = 8192
_WRITE_BYTES = 1 << 20
_SPARE_BYTES = 200_000_000
"""What stays free on the disk, so that the database can still be written."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrived:
    """A file that has come in whole, under a name of our own."""

    name: str
    path: Path
    sha256: str


class _Part:
    """A file that is coming in."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        self.path = folder / f"{uuid.uuid4().hex}.{suffix_of(name)}"
        self._file: BinaryIO = self.path.open("xb", buffering=0)
        self._digest = hashlib.sha256()
        self._pending = bytearray()

    def take(self, data: bytes) -> None:
        self._pending += data

    @property
    def due(self) -> bool:
        """Whether enough has come to be written."""
        return len(self._pending) >= _WRITE_BYTES

    def write(self) -> None:
        """Write what has come. Raises DiskFullError."""
        (data, self._pending) = (self._pending, bytearray())
        self._digest.update(data)
        try:
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFullError("the server's disk is full") from error
            raise

    def close(self) -> Arrived:
        self.write()
        self._file.close()
        return Arrived(name=self.name, path=self.path, sha256=self._digest.hexdigest())

    def drop(self) -> None:
        self._file.close()
        self.path.unlink(missing_ok=True)


class Receiver:
    """Takes the pieces of one body. Raises AvpipeError where it is none that can be taken."""

    def __init__(self, folder: Path, boundary: bytes, *, limit_bytes: int, room_bytes: int) -> None:
        self._folder = folder
        self._limit = limit_bytes
        self._room = room_bytes
        self._parts = 0
        self._fields: dict[bytes, bytearray] = {}
        self._field = bytearray()
        self._header_bytes = 0
        self._value = bytearray()
        self._part: _Part | None = None
        self._size = 0
        self._ended = False
        self.arrived: list[Arrived] = []
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._take_field,
                "on_header_value": self._take_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._begin_file,
                "on_part_data": self._take_data,
                "on_part_end": self._end_part,
                "on_end": self._end,
            },
        )

    async def take_all(self, stream: AsyncIterator[bytes]) -> list[Arrived]:
        """The files of a body; what came of one that breaks off is removed."""
        try:
            async for data in stream:
                try:
                    self._parser.write(data)
                except MultipartParseError as error:
                    raise RequestError("the body is not multipart") from error
                if self._part is not None and self._part.due:
                    await run_sync(self._part.write)
            if not self._ended:
                raise RequestError("the body breaks off")
        except BaseException:
            self._drop()
            raise
        return self.arrived

    def _drop(self) -> None:
        if self._part is not None:
            self._part.drop()
        for arrived in self.arrived:
            arrived.path.unlink(missing_ok=True)

    def _begin(self) -> None:
        self._parts += 1
        self._header_bytes = 0
        self._fields = {}
        if self._parts > MOST_PARTS:
            raise RequestError(f"the body has more than {MOST_PARTS} parts")

    def _take_field(self, data: bytes, start: int, end: int) -> None:
        self._grow(self._field, data[start:end])

    def _take_value(self, data: bytes, start: int, end: int) -> None:
        self._grow(self._value, data[start:end])

    def _grow(self, text: bytearray, more: bytes) -> None:
        self._header_bytes += len(more)
        if self._header_bytes > _HEADER_BYTES:
            raise RequestError("the headers of a part are too long")
        text += more

    def _end_header(self) -> None:
        self._fields[bytes(self._field).lower()] = self._value
        (self._field, self._value) = (bytearray(), bytearray())

    def _begin_file(self) -> None:
        said = bytes(self._fields.get(b"content-disposition", b""))
        (_, options) = parse_options_header(said)
        told = options.get(b"filename")
        if options.get(b"name") != b"files" or told is None:
            return  # a field that this endpoint does not have
        self._size = 0
        self._part = _Part(self._folder, shown_name(_decoded(told)))

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        if self._part is None:
            return
        self._size += end - start
        self._room -= end - start
        if self._size > self._limit:
            raise FileTooLargeError(f"file too large: more than {self._limit} bytes")
        if self._room < 0:
            raise FileTooLargeError(TOO_MUCH)
        self._part.take(data[start:end])

    def _end_part(self) -> None:
        if self._part is not None:
            self.arrived.append(self._part.close())
            self._part = None

    def _end(self) -> None:
        self._ended = True


def boundary_of(content_type: str) -> bytes:
    """The boundary of a multipart body. Raises RequestError where it is none."""
    (kind, options) = parse_options_header(content_type)
    boundary = options.get(b"boundary", b"")
    if kind != b"multipart/form-data" or not re.fullmatch(rb"[\x20-\x7e]{1,200}", boundary):
        raise RequestError("the body is neither multipart/form-data nor JSON")
    return boundary


def require_space(folder: Path, size_bytes: int) -> None:
    """Raise DiskFullError where so much more does not go on the disk."""
    if shutil.disk_usage(folder).free - size_bytes < _SPARE_BYTES:
        raise DiskFullError("the server's disk is full")


def remove_all(arrived: list[Arrived]) -> None:
    """Remove files that nothing came of."""
    for file in arrived:
        with suppress(OSError):
            file.path.unlink()


def _decoded(told: bytes) -> str:
    text = told.decode("utf-8", errors="replace")
    return text.replace("%22", '"').replace("%0D", "").replace("%0A", "")
