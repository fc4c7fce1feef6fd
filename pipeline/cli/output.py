"""What the commands print: results on standard output, everything else on standard error."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path
from typing import Any

import click

from avpipe import jsonform
from avpipe.errors import (
    AvpipeError,
    ChildFailedError,
    DiskFullError,
    ManyFaultsError,
    StoppedError,
)
from avpipe.settings import Settings, load
from avpipe.updates import Failed, Failure

ERROR_SCHEMA = "avpipe.error/1"


def settings() -> Settings:
    """The settings of this run. Raises RequestError where they cannot be understood."""
    import platformdirs  # not at the top: only commands that do something need it

    return load(
        os.environ,
        config=platformdirs.user_config_path("avpipe") / "config.toml",
        state_dir=platformdirs.user_state_path("avpipe"),
    )


def print_json(value: Any, **more: Any) -> None:
    """One JSON object on one line of standard output, flushed."""
    form = jsonform.encode(value)
    click.echo(jsonform.dumps({**more, **form}))
    sys.stdout.flush()


def tell(kind: str, message: str) -> None:
    """One line for people on standard error; kind is `error`, `hint`, `note` or `warning`."""
    for line in message.splitlines() or [""]:
        click.echo(f"{kind}: {printable(line)}", err=True)


def tell_error(error: BaseException, *, as_json: bool, debug: bool) -> int:
    """Tell of the error that ended the run; gives the exit code."""
    known = _known(error)
    with contextlib.suppress(OSError):  # nobody listens any more
        if debug:
            import traceback

            traceback.print_exception(error)
            if isinstance(error, ChildFailedError):
                tell("note", f"command: {' '.join(error.command)}\n{error.tail}")
        for line in error.lines if isinstance(error, ManyFaultsError) else (known.message,):
            tell("error", printable(line))
        if known.hint:
            tell("hint", printable(known.hint))
    if as_json:
        with contextlib.suppress(OSError):
            print_json(Failed(error=known), event=Failed.EVENT, schema=ERROR_SCHEMA)
    return known.exit_code


def _known(error: BaseException) -> Failure:
    if isinstance(error, AvpipeError | StoppedError):
        return Failed.because(error).error
    if isinstance(error, click.ClickException):
        context = getattr(error, "ctx", None)
        hint = None if context is None else f"see {context.command_path} --help"
        return Failure(code="usage", message=error.format_message(), hint=hint, exit_code=2)
    if isinstance(error, OSError):
        return _system_failure(error)
    return Failure(
        code="defect",
        message=f"avpipe itself failed: {type(error).__name__}: {error}",
        hint="run it again with --debug, and report what it prints",
        exit_code=1,
    )


def _system_failure(error: OSError) -> Failure:
    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    what = "the disk is full" if full else error.strerror or str(error)
    where = "" if error.filename is None else f": {os.fsdecode(error.filename)}"
    return Failure(
        code=DiskFullError.code if full else "system", message=what + where, hint=None, exit_code=1
    )


def printable(text: str) -> str:
    """Text that any terminal can take: control characters of file names are shown escaped."""
    return "".join(
        character
        if character.isprintable()
        else character.encode("unicode_escape").decode()
        if character.isascii() or not 0xD800 <= ord(character) <= 0xDFFF
        else "\ufffd"
        for character in text
    )


def shown_path(path: str) -> str:
    """A path as people write it: from the current folder where it is inside."""
    try:
        return printable(str(Path(path).relative_to(Path.cwd())))
    except ValueError:
        return printable(path)


def shown_size(size_bytes: float) -> str:
    """A size in the units that disks are sold by."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if size_bytes < 1000 or unit == "GB":
            return f"{size_bytes:.0f} {unit}" if unit == "bytes" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    raise AssertionError


def shown_time(seconds: float) -> str:
    """A duration as `1:02:03` or `2:03.4`."""
    (minutes, rest) = divmod(round(seconds, 1), 60)
    (hours, minutes) = divmod(int(minutes), 60)
    if hours:
        return f"{hours}:{minutes:02d}:{int(rest):02d}"
    return f"{minutes}:{rest:04.1f}"
