"""The command line: the only place that prints, and that ends the process.

Each command is a module of its own, imported when it is called: start-up is a feature.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
from types import FrameType

import click

from avpipe import __version__
from avpipe.errors import AvpipeError, StoppedError

COMMANDS = {
    "doctor": "say what is installed and what works here",
    "merge": "make one MP4 of a video and separately recorded sound",
    "plan": "say what a merge would do, and why",
    "probe": "say what media files are",
    "verify": "check a finished MP4",
}


class _LazyGroup(click.Group):
    """A group that imports a command only to run it or to show its own help."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"avpipe.cli.{name}")
        command: click.Command = module.command
        return command

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="avpipe", message="%(prog)s %(version)s")
def group() -> None:
    """Merge a video with separately recorded sound into one MP4 that plays everywhere."""


def main() -> None:
    """Run the command line and end the process with the exit code of the contract."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _stop)
    arguments = sys.argv[1:]
    try:
        code = group.main(arguments, prog_name="avpipe", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has seen enough; keep the interpreter from complaining at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except (AvpipeError, click.ClickException, click.Abort, OSError) as error:
        code = _fail(error, arguments)
    except Exception as error:
        code = _fail(error, arguments)
    sys.exit(code if isinstance(code, int) else 0)


def _stop(number: int, frame: FrameType | None) -> None:
    """End the run: what is open cleans up on the way out, undisturbed by a second signal."""
    for ignored in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ignored, signal.SIG_IGN)
    raise StoppedError(number)


def _fail(error: BaseException, arguments: list[str]) -> int:
    from avpipe.cli.output import tell_error

    if isinstance(error, click.Abort):
        error = StoppedError(signal.SIGINT)
    return tell_error(error, as_json="--json" in arguments, debug="--debug" in arguments)
