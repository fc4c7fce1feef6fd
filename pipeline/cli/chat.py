"""`avpipe chat`: a conversation about the session.

What is said is worked on by a thread of its own, one thing after another, so that Ctrl-C ends the
wait and not the work: its result is told when it is there.
"""

from __future__ import annotations

import contextlib
import os
import queue
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from avpipe.cli import signals
from avpipe.cli.output import print_json, settings, tell, tell_error
from avpipe.cli.session import (
    Session,
    answer_form,
    answered,
    open_session,
    print_answer,
    session_options,
)
from avpipe.cli.switches import json_option

if TYPE_CHECKING:
    from avpipe.conversation.values import Answer, Question

PROMPT = "avpipe> "
_WAIT_S = 0.1
"""How long one wait lasts: a signal is taken between two."""
_LEAVING = ("exit", "quit", "bye", ":q", "退出", "再见")


@click.command("chat")
@session_options
@json_option
def command(named: str | None, fresh: bool, route: str, as_json: bool, debug: bool) -> None:
    """Talk about the session: say what to do with it, or drop files into the terminal.

    Ctrl-C ends the wait and not the work; Ctrl-D leaves.
    """
    with (
        _history(settings().state_dir),
        open_session(route, named, fresh=fresh) as session,
        _Work(session, as_json=as_json, debug=debug) as work,
    ):
        if sys.stdin.isatty():
            click.echo("Say what to do, or drop files here. Ctrl-D leaves.", err=False)
        with signals.interrupting():
            _converse(work)
    sys.exit(work.code)


def _converse(work: _Work) -> None:
    """Take what is said, until somebody leaves."""
    while True:
        with contextlib.suppress(KeyboardInterrupt):  # between a line and the wait for it
            line = _next_line()
            if line is None:
                return
            question = _question(line)
            if question is not None:
                work.begin(question)
                work.wait()


def _next_line() -> str | None:
    """What is said next; None where somebody leaves."""
    while True:
        try:
            line = input(PROMPT if sys.stdin.isatty() else "")
        except EOFError:
            if sys.stdin.isatty():
                click.echo()
            return None
        except KeyboardInterrupt:  # as in a shell the line is dropped
            click.echo()
            continue
        return None if line.strip().lower() in _LEAVING else line


def _question(line: str) -> Question | None:
    """What a line asks; a line of nothing but paths brings files."""
    from avpipe.conversation.values import Question

    text = line.strip()
    if not text:
        return None
    paths = _dropped(text)
    return Question(text="upload", paths=paths) if paths else Question(text=text, numbered=True)


def _dropped(text: str) -> tuple[str, ...]:
    """The files of a line that holds nothing but paths, as terminals write what is dropped."""
    import shlex

    if os.path.isfile(os.path.expanduser(text)):  # noqa: PTH111, PTH113
        return (os.path.expanduser(text),)  # noqa: PTH111
    try:
        words = shlex.split(text)
    except ValueError:
        return ()
    paths = tuple(map(_path, words))
    return paths if all(map(os.path.isfile, paths)) else ()


def _path(word: str) -> str:
    """The path of a word; some terminals write a `file://` address, with its blanks as %20."""
    from urllib.parse import unquote, urlsplit

    if word.startswith("file://"):
        return unquote(urlsplit(word).path)
    return os.path.expanduser(word)  # noqa: PTH111


class _Work:
    """The thread that does what is said; `wait` waits for it."""

    def __init__(self, session: Session, *, as_json: bool, debug: bool) -> None:
        self._session = session
        self._as_json = as_json
        self._debug = debug
        self._asked: queue.Queue[Question | None] = queue.Queue()
        self._idle = threading.Event()
        self._idle.set()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.code = 0
        """Of the last thing that was done."""

    def __enter__(self) -> _Work:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        """What is under way is waited for, unless the run was ended from outside."""
        self._asked.put(None)
        if raised[0] is None:
            if not self._idle.is_set():
                tell("note", "waiting for what is under way; Ctrl-C ends it")
            self._join()

    def _join(self) -> None:
        while self._thread.is_alive():
            self._thread.join(_WAIT_S)

    def begin(self, question: Question) -> None:
        """Let something be done, after what is under way."""
        if not self._idle.is_set():
            tell("note", "that is done after what is under way")
        self._idle.clear()
        self._asked.put(question)

    def wait(self) -> None:
        """Wait until all is done, or until Ctrl-C."""
        try:
            while not self._idle.wait(_WAIT_S):
                pass
        except KeyboardInterrupt:
            tell("note", "the work goes on; its result is told when it is there")

    def _run(self) -> None:
        while (question := self._asked.get()) is not None:
            self._do(question)
            if self._asked.empty():
                self._idle.set()

    def _do(self, question: Question) -> None:
        try:
            answer = answered(self._session, question)
            self.code = 0 if answer.understood else 2
            self._show(answer)
        except Exception as error:
            self.code = tell_error(error, as_json=self._as_json, debug=self._debug)

    def _show(self, answer: Answer) -> None:
        if self._as_json:
            print_json(answer_form(answer))
        if not self._as_json or not answer.understood:
            print_answer(answer)
        sys.stdout.flush()


@contextlib.contextmanager
def _history(folder: Path) -> Iterator[None]:
    """What was said before, for the arrow keys, on a terminal."""
    if not sys.stdin.isatty():
        yield
        return
    try:
        import readline
    except ImportError:  # Windows has none
        yield
        return
    place = folder / "chat_history"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with contextlib.suppress(OSError):
        readline.read_history_file(place)
    readline.set_history_length(1000)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            readline.write_history_file(place)
            place.chmod(0o600)
