"""`avpipe ask`: one thing done to the session."""

from __future__ import annotations

import sys

import click

from avpipe.cli.output import print_json
from avpipe.cli.session import (
    NOT_UNDERSTOOD,
    answer_form,
    answered,
    open_session,
    print_answer,
    session_options,
)
from avpipe.cli.switches import json_option


@click.command("ask")
@click.argument("text")
@click.argument("files", nargs=-1, type=click.Path())
@click.option("-o", "--output", type=click.Path(), help="Of an export. [default: NAME.export.mp4]")
@click.option("-y", "--overwrite", is_flag=True, help="Replace an output that is there.")
@click.option("--no-fallback", is_flag=True, help="Make no file here where the cloud makes none.")
@session_options
@json_option
def command(
    text: str,
    files: tuple[str, ...],
    output: str | None,
    overwrite: bool,
    no_fallback: bool,
    named: str | None,
    fresh: bool,
    route: str,
    as_json: bool,
    debug: bool,
) -> None:
    """Do what TEXT says with the session, to which FILES are added first.

    The session's timeline is kept: edits follow one another, "show tracks" shows it, "undo" takes
    the last one back, and "export" makes the file.
    """
    from avpipe.conversation.values import Question

    question = Question(
        text=text,
        paths=files,
        output=output,
        overwrite=overwrite,
        fallback=not no_fallback,
    )
    with open_session(route, named, fresh=fresh) as session:
        answer = answered(session, question)
    if as_json:
        print_json(answer_form(answer))
    if not as_json or not answer.understood:
        print_answer(answer)
    if not answer.understood:
        sys.exit(NOT_UNDERSTOOD)
