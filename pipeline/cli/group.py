"""`avpipe`: the commands, each imported when it is called."""

from __future__ import annotations

import importlib

import click

from avpipe import __version__

COMMANDS = {
    "ask": "edit a session with a sentence: cuts, titles, music, and the export",
    "chat": "edit a session in a conversation",
    "batch": "merge what belongs together in a folder",
    "bench": "say what a merge takes here and in a cloud, and how good it is",
    "cloud": "edit and render in the cloud",
    "compress": "bring a video or a sound under a size",
    "doctor": "say what is installed and what works here",
    "merge": "make one MP4 of a video and separately recorded sound",
    "plan": "say what a merge would do, and why",
    "probe": "say what media files are",
    "serve": "be the cloud: an API, a queue of renders, and a page",
    "sync": "find where the sound belongs in the picture, and how sure that is",
    "verify": "check a finished MP4",
    "watch": "merge what arrives in a folder",
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


@click.group(
    cls=_LazyGroup,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(__version__, prog_name="avpipe", message="%(prog)s %(version)s")
@click.pass_context
def group(context: click.Context) -> None:
    """Merge a video with separately recorded sound into one MP4 that plays everywhere."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())
