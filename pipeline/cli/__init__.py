"""The command line: the only place that prints, and that ends the process.

Each command is a module of its own, imported when it is called: start-up is a feature. Here stands
only how a run begins and ends; the signals are in hand before anything larger is imported.
"""

from __future__ import annotations

import gc
import io
import os
import sys

from avpipe.cli import signals
from avpipe.errors import StoppedError

READING = (["merge"], ["plan"], ["probe"], ["sync"], ["verify"], ["compress"])
"""The commands that begin by reading media files."""
HELP = frozenset(("-h", "--help"))


def main() -> None:
    """Run the command line and end the process with the exit code of the contract."""
    try:
        code = _run(sys.argv[1:])
    except StoppedError as error:  # just when it had ended anyhow
        code = error.exit_code
    signals.ignore()
    _let_go_of_output()
    gc.freeze()  # or the interpreter looks through all that there is for cycles, before it ends
    sys.exit(code)


def _run(arguments: list[str]) -> int:
    try:
        signals.catch()
        _prepare_output()
        # NumPy's OpenBLAS waits for its threads by spinning, on cores that decoders could use.
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
        _begin_worker(arguments)
        from avpipe.cli.group import group

        code = group.main(arguments, prog_name="avpipe", standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:
        return 1  # whoever read our output has gone, and needs no message
    except SystemExit as end:
        code = end.code
    except (Exception, StoppedError) as error:
        signals.ignore()
        from avpipe.cli.output import tell_error

        return tell_error(error, as_json="--json" in arguments, debug="--debug" in arguments)
    return code if isinstance(code, int) else 0


def _begin_worker(arguments: list[str]) -> None:
    """Start the process that will read the files: it takes as long to start as this one."""
    if arguments[:1] in READING and HELP.isdisjoint(arguments):
        from avpipe.codecs.standby import make_ready

        make_ready()


def _prepare_output() -> None:
    """Let every text be printed, whatever the terminal's encoding, and output be missing."""
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def _let_go_of_output() -> None:
    """Drop what nobody takes any more, or the interpreter complains about it at its exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
