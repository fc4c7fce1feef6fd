"""The boxes that an MP4 is made of (ISO 14496-12, 4.2): walked, opened and written."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO


class BoxError(ValueError):
    """A box that is damaged, or missing, or not of a form that is read here."""


@dataclass(frozen=True, slots=True)
class Box:
    """One box, by where its content lies."""

    kind: bytes
    start: int
    """Of its content, in bytes from the start of what was walked."""
    end: int


def boxes_of(file: BinaryIO, start: int, end: int) -> Iterator[Box]:
    """The boxes between two places of a file. Raises BoxError where one is damaged."""
    while start + 8 <= end:
        file.seek(start)
        head = file.read(16)
        box = _box(head, start, end)
        yield box
        start = box.end


def boxes_in(data: memoryview) -> Iterator[tuple[bytes, memoryview]]:
    """The boxes of what was read, each with its content. Raises BoxError where one is damaged.

    QuickTime may end them with four bytes of zero.
    """
    start = 0
    while start + 8 <= len(data):
        box = _box(bytes(data[start : start + 16]), start, len(data))
        if box.end > len(data):
            raise BoxError("a box ends beyond the one that holds it")
        yield box.kind, data[box.start : box.end]
        start = box.end


def content_of(data: memoryview, *kinds: bytes) -> memoryview:
    """The content of the box that lies in boxes of those kinds. Raises BoxError without it."""
    for kind in kinds:
        found = next((content for name, content in boxes_in(data) if name == kind), None)
        if found is None:
            raise BoxError(f"it has no box {kind.decode('latin-1')}")
        data = found
    return data


def _box(head: bytes, start: int, end: int) -> Box:
    (size, kind) = struct.unpack_from(">I4s", head)
    content = start + 8
    if size == 1:
        size = int.from_bytes(head[8:16])
        content += 8
    elif size == 0:
        size = end - start
    if size < content - start:
        raise BoxError("a box is shorter than its own head")
    return Box(kind, content, start + size)


def box(kind: bytes, *parts: bytes | memoryview) -> bytes:
    """A box of that kind and content."""
    return struct.pack(">I4s", 8 + sum(map(len, parts)), kind) + b"".join(parts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Later:
    """A part of a box that is made when it is written: large ones are not all held at once."""

    size: int
    """In bytes."""
    make: Callable[[], bytes | memoryview]

    def __len__(self) -> int:
        return self.size


Parts = Sequence[bytes | Later]
"""A box, or several, in pieces."""


def large_box(kind: bytes, *parts: bytes | Later | Parts) -> Parts:
    """A box that holds large ones, in pieces."""
    inner = [
        piece for part in parts for piece in ([part] if isinstance(part, bytes | Later) else part)
    ]
    return [struct.pack(">I4s", 8 + size_of(inner), kind), *inner]


def size_of(parts: Parts) -> int:
    """How many bytes they are."""
    return sum(map(len, parts))


def bytes_of(parts: Parts) -> Iterator[bytes | memoryview]:
    """What is to be written, piece by piece."""
    for part in parts:
        yield part.make() if isinstance(part, Later) else part


def full_box(kind: bytes, *parts: bytes, version: int = 0, flags: int = 0) -> bytes:
    """A box with a version and flags."""
    return box(kind, struct.pack(">B3s", version, flags.to_bytes(3)), *parts)
