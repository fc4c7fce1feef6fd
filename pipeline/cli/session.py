"""The session that `ask` and `chat` speak to, and how an answer is shown."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import click

from avpipe import jsonform
from avpipe.cli.output import printable, settings, tell
from avpipe.cli.show import Presenter
from avpipe.errors import RequestError
from avpipe.updates import Note, Started, Update

if TYPE_CHECKING:  # imported where a session is opened, not by the help
    from avpipe.conversation.values import Answer, Question
    from avpipe.plan.edit import EditPlan
    from avpipe.plan.values import Plan

Function = TypeVar("Function", bound=Callable[..., Any])
SCHEMA = "avpipe.cloud/1"
ROUTES = ("auto", "local", "cloud")
NOT_UNDERSTOOD = 2
"""The exit code where nothing was done because the sentence was not understood."""


class Session(Protocol):
    """A session, here or at a service."""

    def answer(self, question: Question) -> Generator[Update, None, Answer]:
        """Do what is asked, and say what came of it."""


def session_options(function: Function) -> Function:
    """The options that say which session is meant."""
    for option in (
        click.option(
            "--route",
            type=click.Choice(ROUTES),
            default=ROUTES[0],
            show_default=True,
            help="Where the session is: in the cloud where one is connected, else here.",
        ),
        click.option("--new", "fresh", is_flag=True, help="Begin a new session."),
        click.option("--session", "named", metavar="ID", help="[default: the newest]"),
    ):
        function = option(function)
    return function


@contextmanager
def open_session(route: str, named: str | None, *, fresh: bool) -> Iterator[Session]:
    """The session in use: of the cloud where one is connected, else one that is kept here."""
    from avpipe.cloud.connection import connection
    from avpipe.cloud.reach import is_connected

    current = settings()
    here = (named or "").startswith("local-")
    if route == "cloud" or (route == "auto" and not here and is_connected(current)):
        from avpipe.conversation.remote import RemoteSession

        with connection(current, tell=_tell_note) as cloud:
            yield RemoteSession(cloud, named, fresh=fresh)
        return
    from avpipe.conversation.local import LocalSession
    from avpipe.projects import Projects

    with Projects(current.state_dir) as projects:
        yield LocalSession(projects, current, named, fresh=fresh)


def plan_session(named: str | None, output: str | None) -> EditPlan | Plan:
    """What an export of the session in use would do here.

    Raises RequestError where the session in use is at a service, which alone knows.
    """
    from avpipe.cloud.reach import is_connected
    from avpipe.conversation.local import LocalSession
    from avpipe.projects import Projects

    current = settings()
    if named is None and is_connected(current):
        raise RequestError(
            "the session in use is at a service, which does not say what it encodes",
            hint="avpipe plan --session local-…",
        )
    with Projects(current.state_dir) as projects:
        return LocalSession(projects, current, named).plan(output)


def _tell_note(note: Note) -> None:
    tell("note", note.message)


def answered(session: Session, question: Question) -> Answer:
    """The answer, with progress and notes shown on the way."""
    presenter = Presenter()
    with closing(presenter), closing(session.answer(question)) as updates:
        presenter.show(Started(video=None, audio=None, output=""))
        while True:
            try:
                update = next(updates)
            except StopIteration as end:
                answer: Answer = end.value
                return answer
            if not isinstance(update, Started):  # one bar is enough
                presenter.show(update)


def print_answer(answer: Answer) -> None:
    """An answer for people: the text on standard output, or why there is none."""
    if not answer.understood:
        tell("error", printable(answer.text))
        if answer.hint:
            tell("hint", printable(answer.hint))
        return
    if answer.done is not None:
        Presenter().show(answer.done)
    if answer.done is None or answer.changes:
        for line in filter(None, (*answer.text.splitlines(), answer.summary)):
            click.echo(printable(line))


def answer_form(answer: Answer) -> dict[str, Any]:
    """An answer for scripts."""
    text = answer.text if answer.hint is None else f"{answer.text}. {answer.hint}"
    return {
        "schema": SCHEMA,
        "session_id": answer.session_id,
        "action": answer.action.value,
        "text": text,
        "changes": list(answer.changes),
        "timeline": jsonform.encode(answer.timeline),
        "output": None if answer.done is None else answer.done.output.path,
        "files": jsonform.encode(answer.files),
        "checks": [] if answer.done is None else jsonform.encode(answer.done.checks),
    }
