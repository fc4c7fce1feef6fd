"""`avpipe cloud …`: each command asks `avpipe.cloud` and prints what it gave."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from avpipe import jsonform
from avpipe.cli.output import (
    print_json,
    printable,
    settings,
    shown_path,
    shown_size,
    shown_time,
    tell,
    tell_error,
)
from avpipe.cli.switches import json_option
from avpipe.errors import AvpipeError
from avpipe.updates import Note, Started, Update

if TYPE_CHECKING:  # httpx is imported by a command that runs, not by its help
    from avpipe.cloud.connection import Cloud
    from avpipe.cloud.values import AgentReply, RemoteFile, SessionState
    from avpipe.journal import JobRow

Function = TypeVar("Function", bound=Callable[..., Any])
Result = TypeVar("Result")
SCHEMA = "avpipe.cloud/1"


@click.group("cloud")
def command() -> None:
    """Edit and render in the cloud: a session, its files, its timeline, its exports."""


def _session_option(function: Function) -> Function:
    option = click.option("--session", "named", metavar="ID", help="[default: the newest]")
    return option(function)


def _no_fallback_option(function: Function) -> Function:
    words = "Make no file here where the cloud makes none."
    return click.option("--no-fallback", is_flag=True, help=words)(function)


@command.command()
@json_option
def connect(as_json: bool, debug: bool) -> None:
    """Get a token, where there is none, and a session."""
    from avpipe.exports import current_state

    with _cloud() as cloud:
        found = current_state(cloud)
        (api, url) = (cloud.api, cloud.settings.cloud.api_url)
        expires_at = api.credentials().expires_at
        until = "" if expires_at is None else f", until {expires_at}"
        _print(
            f"connected to {url} as {api.user_id or 'the owner of NEMO_TOKEN'}{until}",
            as_json,
            connected=True,
            anonymous=api.anonymous,
            user_id=api.user_id,
            expires_at=expires_at,
            api_url=url,
            session_id=found.session_id,
        )


@command.command()
@json_option
def credits(as_json: bool, debug: bool) -> None:  # noqa: A001 - the command's name
    """Say how many credits there are."""
    with _cloud() as cloud:
        found = cloud.api.credits()
    text = (
        f"{found.available:g} credits available, {found.frozen:g} reserved, {found.total:g} in all"
    )
    _print(text, as_json, **jsonform.encode(found))


@command.command()
@_session_option
@click.option("--link", is_flag=True, help="Also give a link that opens it in a browser.")
@json_option
def state(named: str | None, link: bool, as_json: bool, debug: bool) -> None:
    """Show the session's files and tracks."""
    from avpipe.cloud import draft
    from avpipe.cloud.connection import session_in_use
    from avpipe.exports import current_state

    with _cloud() as cloud:
        found = current_state(cloud, named)
        address = None
        if link:
            session = session_in_use(cloud, found.session_id)
            task_id = session.task_id or found.task_id  # of another machine's session
            address = cloud.api.claim_link(replace(session, task_id=task_id))
    lines = [draft.summary(found.draft), *map(_file_line, found.files)]
    if address is not None:
        lines.append(address)
    _print(
        "\n".join(lines),
        as_json,
        session_id=found.session_id,
        timeline=_timeline(found),
        files=jsonform.encode(found.files),
        exportable=draft.is_exportable(found.draft),
        **({} if address is None else {"link": address}),
    )


@command.command()
@click.argument("files", nargs=-1, required=True, type=click.Path())
@_session_option
@json_option
def upload(files: tuple[str, ...], named: str | None, as_json: bool, debug: bool) -> None:
    """Bring FILES, or addresses of files, into the session; none of them twice."""
    from avpipe.cloud.connection import in_session
    from avpipe.cloud.multipart import require_uploadable
    from avpipe.cloud.upload import LocalFile, is_url, upload_again, upload_url
    from avpipe.cloud.upload import upload as send_file

    paths = [text if is_url(text) else os.path.abspath(text) for text in files]  # noqa: PTH100
    limit = settings().cloud.upload_limit
    for path in paths:  # told before any of them is sent
        if not is_url(path):
            require_uploadable(Path(path), limit_bytes=limit)
    with _presenter(as_json=False, silent=as_json) as shown, _cloud(shown.show) as cloud:
        shown.show(Started(video=None, audio=None, output=""))  # the bar, on a terminal

        def bring(session_id: str, lost: str | None) -> tuple[str, list[RemoteFile]]:
            again = upload_again(cloud, session_id, all_of_it=lost is not None)
            _shown(again, shown)
            return session_id, [
                upload_url(cloud, session_id, path)
                if is_url(path)
                else _shown(send_file(cloud, session_id, LocalFile(path=path)), shown)
                for path in paths
            ]

        (session_id, remote) = in_session(cloud, named, bring)
    _print(
        "\n".join(map(_file_line, remote)),
        as_json,
        session_id=session_id,
        files=jsonform.encode(remote),
    )


@command.command()
@click.argument("text")
@_session_option
@json_option
def send(text: str, named: str | None, as_json: bool, debug: bool) -> None:
    """Tell the agent what to make of the session's files."""
    from avpipe.cloud import draft
    from avpipe.cloud.connection import in_session
    from avpipe.cloud.send import send as send_text
    from avpipe.cloud.upload import upload_again
    from avpipe.errors import RequestError

    if not text.strip():
        raise RequestError("there is nothing to send", hint='avpipe cloud send "…"')
    with _presenter(as_json=False, silent=as_json) as shown, _cloud(shown.show) as cloud:

        def say(session_id: str, lost: str | None) -> AgentReply:
            again = upload_again(cloud, session_id, all_of_it=lost is not None)
            _shown(again, shown)
            return _shown(send_text(cloud, session_id, text), shown)

        reply = in_session(cloud, named, say)
    told = [_printable_lines(reply.text)]
    if reply.changes or not reply.text:
        told.append(draft.summary(reply.state.draft))
    _print(
        "\n".join(told),
        as_json,
        session_id=reply.state.session_id,
        action="edit",
        text=reply.text,
        changes=list(reply.changes),
        timeline=_timeline(reply.state),
        output=None,
    )


@command.command()
@click.option("-o", "--output", type=click.Path(), help="[default: NAME.export.mp4 here]")
@click.option("-y", "--overwrite", is_flag=True, help="Replace an output that is there.")
@_no_fallback_option
@_session_option
@json_option
def export(
    output: str | None,
    overwrite: bool,
    no_fallback: bool,
    named: str | None,
    as_json: bool,
    debug: bool,
) -> None:
    """Render the session's timeline and download it; where the cloud does not, make it here."""
    from avpipe import exports, workflow_export
    from avpipe.files import require_output

    if output is not None:  # told before anything is asked of the cloud
        require_output(Path(output), (), overwrite=overwrite)
    with _presenter(as_json=as_json) as shown, _cloud(shown.show) as cloud:
        found = exports.current_state(cloud, named)
        exports.require_exportable(found)
        if output is None:
            output = exports.default_output(found)
            require_output(Path(output), (), overwrite=overwrite)
        updates = workflow_export.export(
            cloud, found, Path(output), overwrite=overwrite, fallback=not no_fallback
        )
        _shown(updates, shown)


@command.command()
@json_option
def jobs(as_json: bool, debug: bool) -> None:
    """List what was rendered in the cloud, and what is unfinished."""
    from avpipe.journal import Journal

    with Journal(settings().state_dir) as journal:
        rows = journal.jobs()
    lines = [
        f"{row.id}  {row.state:<11}  {row.created_at}  {shown_path(row.output)}"
        + (f"  ({printable(row.error)})" if row.error else "")
        for row in rows
    ]
    _print("\n".join(lines) or "no jobs", as_json, jobs=[_job(row) for row in rows])


@command.command()
@click.argument("name", metavar="[ID]", required=False)
@_no_fallback_option
@json_option
def resume(name: str | None, no_fallback: bool, as_json: bool, debug: bool) -> None:
    """Take up what is unfinished: all of it, or the job or render of that ID."""
    from avpipe.journal import ENDED
    from avpipe.workflow_export import take_up

    code = 0
    with _presenter(as_json=as_json) as shown, _cloud(shown.show) as cloud:
        if name is not None:
            found = cloud.journal.job(name)
            rows: tuple[JobRow, ...] = () if found.state in ENDED else (found,)
        else:
            rows = cloud.journal.unfinished(api_url=cloud.settings.cloud.api_url)
        for row in rows:
            try:
                _shown(take_up(cloud, row, fallback=not no_fallback), shown)
            except AvpipeError as error:  # the others are taken up all the same
                shown.close()
                code = code or tell_error(error, as_json=as_json, debug=debug)
        if not rows:
            _print("nothing is unfinished", as_json, jobs=[])
    sys.exit(code)


@command.command()
@click.argument("name", metavar="ID")
@json_option
def cancel(name: str, as_json: bool, debug: bool) -> None:
    """End the job or render of that ID."""
    from avpipe.cloud.job import cancel as end

    with _cloud() as cloud:
        row = end(cloud, name)
    _print(f"{row.id}  {row.state}", as_json, jobs=[_job(row)])


@contextmanager
def _cloud(tell_note: Callable[[Note], None] | None = None) -> Iterator[Cloud]:
    """The connection; what it has to say goes to standard error, where nobody else takes it."""
    from avpipe.cloud.connection import connection

    with connection(
        settings(), tell=tell_note or (lambda note: tell("note", note.message))
    ) as cloud:
        yield cloud


@contextmanager
def _presenter(*, as_json: bool, silent: bool = False) -> Iterator[Any]:
    """Who shows updates: a bar and notes, lines of JSON, or notes alone."""
    from avpipe.cli.show import Lines, Presenter

    with closing(Lines() if as_json else _Notes() if silent else Presenter()) as shown:
        yield shown


class _Notes:
    """Updates of a command whose standard output is one object: notes alone."""

    def show(self, update: Update) -> None:
        """Print a note."""
        if isinstance(update, Note):
            tell("note", update.message)

    def close(self) -> None:
        """Nothing is open."""


def _shown(updates: Generator[Any, None, Result], shown: Any) -> Result:
    """Show every update; gives what the work gave."""
    with closing(updates):
        while True:
            try:
                update = next(updates)
            except StopIteration as end:
                result: Result = end.value
                return result
            shown.show(update)


def _print(text: str, as_json: bool, /, **form: Any) -> None:
    """The result: an object for scripts, or a text for people."""
    if as_json:
        print_json({"schema": SCHEMA, **form})
    else:
        click.echo(text)


def _timeline(found: SessionState) -> Any:
    from avpipe.cloud import draft

    return jsonform.encode(draft.entries_of(found.draft))


def _job(row: JobRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "session_id": row.session_id,
        "render_id": row.render_id,
        "state": row.state.value,
        "output": row.output,
        "created_at": row.created_at,
    }


def _file_line(file: RemoteFile) -> str:
    facts = [
        file.type or "file",
        "" if file.duration_s is None else shown_time(file.duration_s),
        "" if file.width is None else f"{file.width}x{file.height}",
        "" if file.size_bytes is None else shown_size(file.size_bytes),
    ]
    return f"{printable(file.name)}: {', '.join(filter(None, facts))}"


def _printable_lines(text: str) -> str:
    return "\n".join(map(printable, text.splitlines()))
