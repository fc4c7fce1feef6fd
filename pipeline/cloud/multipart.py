"""A file as the body of a multipart request, read from the disk as it is sent."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePath

from avpipe.cloud.envelope import FORMATS
from avpipe.errors import (
    FileTooLargeError,
    InputChangedError,
    InputMissingError,
    RequestError,
    UnsupportedFileError,
)

CHUNK_BYTES = 1024 * 1024
FIELD = "files"
_MIME = {
    "mp4": "video/mp4",
    "mov": "video/quicktime",
    "avi": "video/x-msvideo",
    "webm": "video/webm",
    "mkv": "video/x-matroska",
    "jpg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "webp": "image/webp",
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "m4a": "audio/mp4",
    "aac": "audio/aac",
}
_SAMPLES = 16
_SAMPLE_BYTES = 256 * 1024
_NAME_LIMIT = 120


def require_format(name: str) -> str:
    """The suffix by which the service knows a file's type. Raises UnsupportedFileError."""
    suffix = PurePath(name).suffix.lower().removeprefix(".")
    suffix = "jpg" if suffix == "jpeg" else suffix
    if suffix not in FORMATS:
        raise UnsupportedFileError(
            f"the cloud does not take files such as {name}", hint=f"it takes {', '.join(FORMATS)}"
        )
    return suffix


def require_uploadable(path: Path, *, limit_bytes: int) -> None:
    """Raise RequestError where a file is none that the service would take."""
    if not path.is_file():
        what = "is a folder, not a file" if path.is_dir() else "does not exist"
        raise InputMissingError(f"{path} {what}")
    if not os.access(path, os.R_OK):
        raise InputMissingError(f"{path} may not be read")
    require_format(path.name)
    size = path.stat().st_size
    if size == 0:
        raise RequestError(f"{path} is empty")
    if size > limit_bytes:
        raise FileTooLargeError(
            f"{path} has {size:,} bytes, and the cloud takes {limit_bytes:,}",
            hint="compress it (avpipe compress), or cut it",
        )


def fingerprint(path: Path) -> str:
    """What tells a file from others without reading all of it: size, time, and samples of it."""
    found = path.stat()
    digest = hashlib.sha256(f"{found.st_size} {found.st_mtime_ns} ".encode())
    with path.open("rb") as file:
        for number in range(_SAMPLES):
            file.seek(found.st_size * number // _SAMPLES)
            digest.update(file.read(_SAMPLE_BYTES))
        file.seek(max(0, found.st_size - _SAMPLE_BYTES))
        digest.update(file.read())
    return digest.hexdigest()


def remote_name(path: Path) -> str:
    """What a file is called at the service: its own name, of characters that arrive unchanged."""
    suffix = require_format(path.name)
    stem = "".join(
        character if character.isprintable() and character not in '"\\/%' else "_"
        for character in path.stem.encode("utf-8", "replace").decode()
    )
    return f"{stem[:_NAME_LIMIT]}.{suffix}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Multipart:
    """One file as a body that can be sent several times."""

    path: Path
    name: str
    size_bytes: int
    report: Callable[[int], None]
    """Hears how many bytes of the file are sent so far."""
    boundary: str = field(default_factory=lambda: uuid.uuid4().hex)

    @property
    def headers(self) -> dict[str, str]:
        """Type and length of the body."""
        length = len(self._head) + self.size_bytes + len(self._tail)
        return {
            "Content-Type": f"multipart/form-data; boundary={self.boundary}",
            "Content-Length": str(length),
        }

    def body(self) -> Iterator[bytes]:
        """The body from its beginning. Raises InputChangedError where the file became shorter."""
        yield self._head
        left = self.size_bytes
        with self.path.open("rb", buffering=0) as file:
            while left:
                chunk = file.read(min(CHUNK_BYTES, left))
                if not chunk:
                    raise InputChangedError(f"{self.path} became shorter while it was sent")
                yield chunk
                left -= len(chunk)
                self.report(self.size_bytes - left)
        yield self._tail

    @property
    def _head(self) -> bytes:
        kind = _MIME[require_format(self.name)]
        return (
            f"--{self.boundary}\r\n"
            f'Content-Disposition: form-data; name="{FIELD}"; filename="{self.name}"\r\n'
            f"Content-Type: {kind}\r\n\r\n"
        ).encode()

    @property
    def _tail(self) -> bytes:
        return f"\r\n--{self.boundary}--\r\n".encode()
