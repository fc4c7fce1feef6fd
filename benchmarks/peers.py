"""Other tools from PyPI, each in an environment of its own, and what they take."""

from __future__ import annotations

import shutil
import sys
import venv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from avpipe.codecs.process import run as run_child
from avpipe.errors import AvpipeError

INSTALLING_S = 900.0
"""How long an installation may say nothing: some are built from source."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """A tool from PyPI, and a program that does its job with it."""

    name: str
    requirement: str
    program: str
    """Python, for the tool's own interpreter."""


def installed(
    peers: Iterable[Peer], folder: Path, tell: Callable[[str], None]
) -> Iterator[tuple[Peer, tuple[str, ...]]]:
    """The tools that can be installed, with the command that begins their program.

    The others are told, with the reason. All of them need ffmpeg and ffprobe in the path.
    """
    if shutil.which("ffmpeg") is None or shutil.which("ffprobe") is None:
        tell("skipped: the other tools need ffmpeg and ffprobe in the path")
        return
    for peer in peers:
        place = folder / peer.name
        python = place / ("Scripts" if sys.platform == "win32" else "bin") / "python"
        try:
            if not python.exists():
                venv.create(place, with_pip=True)
            install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
            argv = (str(python), *install, peer.requirement)
            run_child(argv, f"installing {peer.name}", stall_s=INSTALLING_S)
        except (AvpipeError, OSError) as error:
            tell(f"skipped: {peer.name} cannot be installed ({error})")
            continue
        yield peer, (str(python), "-c", peer.program)
