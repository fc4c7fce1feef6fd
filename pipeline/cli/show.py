"""The updates of a long operation, shown as they come: to scripts or to people."""

from __future__ import annotations

import sys
from typing import Any

import click

from avpipe.cli.output import print_json, printable, shown_path, shown_size, shown_time, tell
from avpipe.updates import Compressed, Done, Fallback, Note, Progress, Started, Update


class Lines:
    """Updates for scripts: one JSON object a line."""

    def show(self, update: Update) -> None:
        """Print one update."""
        print_json(update, event=update.EVENT)

    def close(self) -> None:
        """Nothing is open."""


class Presenter:
    """Updates for people: a bar on a terminal, notes, and the result on standard output."""

    def __init__(self) -> None:
        self._bar: Any = None

    def show(self, update: Update) -> None:
        """Draw or print one update."""
        match update:
            case Started():
                self._start()
            case Progress():
                if self._bar is not None:
                    self._bar.show(update)
            case Note():
                self._tell(update.message)
            case Fallback():
                self._tell(f"made here and not in the cloud: {update.reason}")
            case Done():
                self.close()
                _print_result(update)
            case Compressed():
                self.close()
                _print_compressed(update)

    def _tell(self, message: str) -> None:
        self.close()
        tell("note", printable(message))
        self._start()

    def _start(self) -> None:
        if sys.stderr.isatty():
            from avpipe.cli.bar import Bar  # rich is imported only where it is seen

            self._bar = Bar()

    def close(self) -> None:
        """Take the bar off the screen, where there is one."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def _print_result(done: Done) -> None:
    output = done.output
    click.echo(
        f"{shown_path(output.path)}: {shown_time(output.duration_s)}, "
        f"{output.width}x{output.height}, {shown_size(output.size_bytes)}, "
        f"video {_past(done.video)}, audio {_past(done.audio)}, "
        f"{len(done.checks)} checks passed, in {done.elapsed_s:.1f} s"
    )


def _print_compressed(done: Compressed) -> None:
    output = done.output
    size = f"{output.width}x{output.height}, " if output.width else ""
    share = output.size_bytes / done.limit_bytes
    click.echo(
        f"{shown_path(output.path)}: {shown_time(output.duration_s)}, {size}"
        f"{shown_size(output.size_bytes)} ({share:.1%} of the limit), {_METHODS[done.method]}, "
        f"{len(done.checks)} checks passed, in {done.elapsed_s:.1f} s"
    )


_METHODS = {"copy": "copied", "crf": "one pass", "two_pass": "two passes"}


def _past(action: str) -> str:
    return {"copy": "copied", "encode": "encoded"}[action]
