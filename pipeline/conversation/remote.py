"""The conversation with a server: the cloud, or one of one's own."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TypeVar

from avpipe import exports
from avpipe.cloud import draft
from avpipe.cloud.connection import Cloud, new_session, renewed_session, session_in_use
from avpipe.cloud.multipart import require_uploadable
from avpipe.cloud.send import send
from avpipe.cloud.upload import LocalFile, is_url, upload, upload_again, upload_url
from avpipe.cloud.values import RemoteFile, SessionState
from avpipe.conversation.values import Answer, Question
from avpipe.errors import RequestError, SessionGoneError
from avpipe.files import require_output
from avpipe.intent import Action, action_of, files_named
from avpipe.updates import Done, Update
from avpipe.workflow_export import export

Result = TypeVar("Result")
Steps = Generator[Update, None, Result]


class RemoteSession:
    """A session at a service."""

    def __init__(self, cloud: Cloud, named: str | None = None, *, fresh: bool = False) -> None:
        self._cloud = cloud
        self._named = new_session(cloud).session_id if fresh else named

    def answer(self, question: Question) -> Steps[Answer]:
        """Do what is asked, and say what came of it. Raises AvpipeError where it fails."""
        action = action_of(question.text)
        paths = _files_of(question)
        if not question.text.strip():
            if not paths:
                raise RequestError("nothing was said", hint='avpipe ask "…"')
            action = Action.UPLOAD
        for path in paths:  # told before anything is sent
            if not is_url(path):
                limit = self._cloud.settings.cloud.upload_limit
                require_uploadable(Path(path), limit_bytes=limit)
        if action is Action.EXPORT and question.output is not None:
            require_output(Path(question.output), (), overwrite=question.overwrite)
        session = session_in_use(self._cloud, self._named).session_id
        try:
            yield from upload_again(self._cloud, session, all_of_it=False)
            return (yield from self._answered(question, action, paths, session))
        except SessionGoneError as error:
            made = renewed_session(self._cloud, session, error)
        yield from upload_again(self._cloud, made.session_id, all_of_it=True)
        return (yield from self._answered(question, action, paths, made.session_id))

    def _answered(
        self, question: Question, action: Action, paths: Sequence[str], session: str
    ) -> Steps[Answer]:
        files = yield from self._uploaded(session, paths)
        match action:
            case Action.CREDITS:
                found = self._cloud.api.credits()
                text = f"{found.available:g} credits available, {found.frozen:g} reserved."
                return _told(self._cloud.api.state(session), action, text, files=files)
            case Action.STATE:
                state = self._cloud.api.state(session)
                return _told(state, action, draft.summary(state.draft), files=state.files)
            case Action.UPLOAD:
                if not files:
                    raise RequestError("no file was given", hint='avpipe ask "upload" FILE')
                names = ", ".join(file.name for file in files)
                return _told(self._cloud.api.state(session), action, f"added {names}.", files=files)
            case Action.EXPORT:
                return (yield from self._exported(question, session))
            case Action.EDIT:
                reply = yield from send(self._cloud, session, question.text)
                return _told(reply.state, action, reply.text, reply.changes, files)

    def _uploaded(self, session: str, paths: Sequence[str]) -> Steps[tuple[RemoteFile, ...]]:
        sent = []
        for path in paths:
            if is_url(path):
                sent.append(upload_url(self._cloud, session, path))
            else:
                sent.append((yield from upload(self._cloud, session, LocalFile(path=path))))
        return tuple(sent)

    def _exported(self, question: Question, session: str) -> Steps[Answer]:
        state = self._cloud.api.state(session)
        exports.require_exportable(state)
        output = question.output_or(exports.default_output(state))
        require_output(Path(output), (), overwrite=question.overwrite)
        steps = export(
            self._cloud,
            state,
            Path(output),
            overwrite=question.overwrite,
            fallback=question.fallback,
        )
        done: Done | None = None
        with closing(steps):
            for update in steps:
                if isinstance(update, Done):
                    done = update
                else:
                    yield update
        return _told(state, Action.EXPORT, f"made {output}.", done=done)


def _files_of(question: Question) -> tuple[str, ...]:
    """The files and addresses to send: those given, and those that the text names and are here."""
    named = (os.path.expanduser(path) for path in files_named(question.text))  # noqa: PTH111
    there = (path for path in named if is_url(path) or os.path.isfile(path))  # noqa: PTH113
    full = (p if is_url(p) else os.path.abspath(p) for p in (*question.paths, *there))  # noqa: PTH100
    return tuple(dict.fromkeys(full))


def _told(
    state: SessionState,
    action: Action,
    text: str,
    changes: tuple[str, ...] = (),
    files: tuple[RemoteFile, ...] = (),
    done: Done | None = None,
) -> Answer:
    shows = action in (Action.EDIT, Action.EXPORT, Action.UPLOAD)
    return Answer(
        session_id=state.session_id,
        action=action,
        text=text,
        changes=changes,
        timeline=draft.entries_of(state.draft),
        summary=draft.summary(state.draft) if shows else "",
        files=files,
        done=done,
    )
