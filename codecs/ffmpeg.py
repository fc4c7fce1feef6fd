"""The ffmpeg binary: which one, what it says of itself, and how its progress is read."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from avpipe.codecs.process import STALL_S, Child, machine_memory_bytes, run
from avpipe.errors import ChildFailedError, OverLimitError, ToolMissingError

OTHER_HINT = "AVPIPE_FFMPEG names it; without that the one that came with avpipe is used"
INSTALL_HINT = "install it with: pip install imageio-ffmpeg"
_BUNDLED = "binaries/ffmpeg-*"
GLOBAL_ARGUMENTS = ("-hide_banner", "-nostdin", "-nostats", "-v", "error", "-progress", "pipe:1")


@dataclass(frozen=True, slots=True)
class Ffmpeg:
    """One ffmpeg binary. It is asked what it can do, once, when somebody wants to know."""

    path: str

    def version(self) -> str:
        """Its version, such as `9.0.2`."""
        match = re.search(r"^ffmpeg version n?(\S+)", _ask(self.path, "-version"))
        if match is None:
            raise ToolMissingError(f"{self.path} is not ffmpeg", hint=OTHER_HINT)
        return match[1]

    def encoders(self) -> frozenset[str]:
        """The names of the encoders it was built with."""
        return _names(_ask(self.path, "-encoders"))

    def filters(self) -> frozenset[str]:
        """The names of the filters it was built with."""
        return _names(_ask(self.path, "-filters"))


def find(setting: str | None) -> Ffmpeg:
    """The binary that a setting names, or the one that came with the install.

    Raises ToolMissingError where there is none.
    """
    if setting:
        found = shutil.which(setting)
        if found is None:
            raise ToolMissingError(
                f"the ffmpeg binary {setting} is not there or cannot be run",
                hint=OTHER_HINT,
            )
        return Ffmpeg(found)
    bundled = _bundled()
    if bundled is not None:
        return Ffmpeg(bundled)
    import imageio_ffmpeg  # not at the top: `avpipe --version` has no use for it

    try:
        return Ffmpeg(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError as error:
        raise ToolMissingError("no ffmpeg binary was found", hint=INSTALL_HINT) from error


@dataclass(frozen=True, kw_only=True, slots=True)
class Ceiling:
    """How large a file may become while it is written, and how soon."""

    most_bytes: int
    head: float = 1.0
    """The share of it that may be there from the start; the rest comes with the seconds."""
    whole_s: float = 0.0

    def require(self, size_bytes: int, written_s: float) -> None:
        """Raise OverLimitError where so much is too much after so many seconds."""
        done = min(1.0, max(0.0, written_s) / self.whole_s) if self.whole_s else 1.0
        allowed = self.most_bytes * (self.head + (1 - self.head) * done)
        if size_bytes > allowed:
            raise OverLimitError(f"{size_bytes} bytes are written, and {allowed:.0f} were allowed")


@contextlib.contextmanager
def running(
    ffmpeg: Ffmpeg,
    arguments: Sequence[str],
    doing: str,
    *,
    stall_s: float = STALL_S,
    ceiling: Ceiling | None = None,
) -> Iterator[Iterator[float]]:
    """Start ffmpeg; gives how many seconds of output are written, until it has ended.

    Nothing is heard of it while it moves the index to the front: `stall_s` has to allow for that.
    Raises ToolMissingError; in the giving ChildFailedError, StalledError, or OverLimitError as
    soon as the file is over its ceiling.
    """
    argv = [ffmpeg.path, *GLOBAL_ARGUMENTS, *arguments]
    with Child(argv, stall_s=stall_s, memory_bytes=machine_memory_bytes()) as child:
        yield _seconds_written(child, doing, ceiling)


def run_ffmpeg(
    ffmpeg: Ffmpeg,
    arguments: Sequence[str],
    doing: str,
    *,
    stall_s: float = STALL_S,
    ceiling: Ceiling | None = None,
) -> Iterator[float]:
    """Run ffmpeg to its end; yields how many seconds of output are written. Errors as `running`."""
    with running(ffmpeg, arguments, doing, stall_s=stall_s, ceiling=ceiling) as seconds:
        yield from seconds


def _seconds_written(child: Child, doing: str, ceiling: Ceiling | None) -> Iterator[float]:
    written = -1.0
    size_bytes = 0
    for line in child.lines():
        (key, _, value) = line.partition("=")
        if key == "out_time_us" and value.isdigit() and int(value) / 1e6 > written:
            written = int(value) / 1e6
            child.sign_of_life()
            yield written
        elif key == "total_size" and value.isdigit():
            size_bytes = int(value)
        elif key == "progress" and ceiling is not None:  # the last line of what is told at a time
            ceiling.require(size_bytes, written)
    child.finish(doing)


def is_out_of_space(error: ChildFailedError) -> bool:
    """Whether a child ended because the disk is full, as the C library words it."""
    return "No space left on device" in error.tail or "Disk quota exceeded" in error.tail


def _bundled() -> str | None:
    """The binary inside imageio-ffmpeg's wheel; None where it has none.

    That package itself runs the binary each time to see whether it works, for 20 ms.
    """
    spec = importlib.util.find_spec("imageio_ffmpeg")
    folders = spec.submodule_search_locations if spec is not None else None
    binaries = [file for folder in folders or () for file in Path(folder).glob(_BUNDLED)]
    return str(binaries[0]) if len(binaries) == 1 and os.access(binaries[0], os.X_OK) else None


@functools.cache
def _ask(path: str, question: str) -> str:
    return run([path, "-hide_banner", question], f"asking {path}", stall_s=20).decode(
        errors="replace"
    )


def _names(listing: str) -> frozenset[str]:
    rows = (line.split() for line in listing.splitlines())
    return frozenset(row[1] for row in rows if len(row) > 2 and row[1] != "=")
