"""A file with another content of one stretch, to be read and sought in like a file."""

from __future__ import annotations

from pathlib import Path


class ThinFile:
    """A file, a stretch of which reads as something shorter and zeros behind it."""

    def __init__(self, path: str, start: int, end: int, content: bytes) -> None:
        """`content` stands for what lies between `start` and `end`. Raises OSError."""
        self._file = Path(path).open("rb")  # noqa: SIM115 (closed with this)
        self._size = self._file.seek(0, 2)
        (self._start, self._end) = (start, end)
        self._content = content
        self._at = 0

    def read(self, size: int) -> bytes:
        """Up to `size` bytes from where it stands."""
        if self._start <= self._at < self._end:
            size = min(size, self._end - self._at)
            place = self._at - self._start
            found = self._content[place : place + size].ljust(size, b"\0")
        else:
            self._file.seek(self._at)
            found = self._file.read(
                min(size, self._start - self._at) if self._at < self._start else size
            )
        self._at += len(found)
        return found

    def seek(self, place: int, whence: int = 0) -> int:
        """Go to a place, told as for any file."""
        self._at = max(0, place + (0, self._at, self._size)[whence])
        return self._at

    def tell(self) -> int:
        """Where it stands."""
        return self._at

    def close(self) -> None:
        """Close the file behind it."""
        self._file.close()

    def __enter__(self) -> ThinFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
