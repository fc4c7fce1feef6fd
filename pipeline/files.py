"""The files that a run is given and the one that it makes: what they are, and whether they may be.

Little is imported here, so that files are being probed while the rest of avpipe is still loaded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from avpipe.codecs import isolate
from avpipe.errors import (
    InputMissingError,
    OutputExistsError,
    OutputIsInputError,
    RequestError,
)
from avpipe.media import MediaInfo


def probed(
    paths: Sequence[str], meanwhile: Callable[[], object] = lambda: None
) -> tuple[MediaInfo, ...]:
    """The facts of each file; `meanwhile` is called while they are being found.

    Raises InputMissingError.
    """
    require_files(paths)
    return tuple(isolate.probe_files(paths, meanwhile))


def require_files(paths: Sequence[str]) -> None:
    """Raise InputMissingError where one of the paths is not a file that can be read."""
    for path in paths:
        if not os.path.lexists(path):
            raise InputMissingError(f"{path} does not exist")
        if os.path.isdir(path):  # noqa: PTH112
            raise InputMissingError(
                f"{path} is a folder, not a file",
                hint="a folder is merged by avpipe batch FOLDER -o OUTDIR",
            )
        if not os.path.isfile(path):  # noqa: PTH113
            raise InputMissingError(f"{path} is not a file")
        if not os.access(path, os.R_OK):
            raise InputMissingError(f"{path} may not be read")


def require_output(output: Path, inputs: Sequence[str], *, overwrite: bool) -> None:
    """Raise where an output must not be written: the folder, an input, a file that exists."""
    require_target(output, inputs, overwrite=overwrite)
    if output.suffix.lower() not in (".mp4", ".m4v"):
        raise RequestError(
            f"the output {output} is not named as an MP4", hint="give it a name that ends in .mp4"
        )


def require_target(output: Path, inputs: Sequence[str], *, overwrite: bool) -> None:
    """Raise where no file of any kind may be written under that name."""
    try:
        there = output.lstat()
    except (FileNotFoundError, NotADirectoryError):
        there = None
    except OSError as error:
        raise RequestError(
            f"the output {output} cannot be made: {error.strerror}", hint="-o names another"
        ) from error
    if not output.parent.is_dir():
        raise RequestError(f"the folder {output.parent} does not exist")
    if not os.access(output.parent, os.W_OK | os.X_OK):
        raise RequestError(f"the folder {output.parent} cannot be written")
    if output.is_dir():
        raise RequestError(f"the output {output} is a folder")
    if there is None:
        return
    for path in inputs:
        if output.exists() and os.path.samefile(output, path):  # noqa: PTH121
            raise OutputIsInputError(f"the output {output} is the input {path}")
    if not overwrite:
        raise OutputExistsError(f"{output} exists", hint="-y overwrites it")


def free_path(path: Path) -> Path:
    """The path itself, or the first with a number after its stem under which nothing is."""
    number = 1
    free = path
    while os.path.lexists(free):
        number += 1
        free = path.with_stem(f"{path.stem}-{number}")
    return free
