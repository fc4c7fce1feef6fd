"""The conversation with no server at all: the session is kept here, edited and rendered here."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path

from avpipe.alignment import align_paths
from avpipe.cloud.draft import entries_of_montage
from avpipe.cloud.values import RemoteFile
from avpipe.codecs import isolate
from avpipe.conversation.values import Answer, Question
from avpipe.edits.beside import Pair
from avpipe.edits.chinese import in_chinese, is_chinese
from avpipe.edits.files import SessionFile, session_file
from avpipe.edits.respond import Response, as_exported, pairs_to_align, respond, with_first_picture
from avpipe.errors import (
    EditRefusedError,
    NothingToExportError,
    NotUnderstoodError,
    RequestError,
    UnreachableError,
)
from avpipe.files import require_files, require_output
from avpipe.intent import Action, action_of, files_named
from avpipe.media import Alignment, MediaInfo
from avpipe.montage.summary import in_order, summarise
from avpipe.montage.values import Montage, TrackKind
from avpipe.plan.edit import EditPlan
from avpipe.plan.supported import require_supported
from avpipe.plan.values import Plan
from avpipe.projects import OutdatedError, Project, Projects, States
from avpipe.settings import Settings
from avpipe.updates import Done, Update
from avpipe.workflow_timeline import plan_timeline, render_timeline

ATTEMPTS = 5
"""How often an edit is made again because another process was faster."""


class LocalSession:
    """A session that is kept in the state folder."""

    def __init__(
        self,
        projects: Projects,
        settings: Settings,
        named: str | None = None,
        *,
        fresh: bool = False,
    ) -> None:
        self._projects = projects
        self._settings = settings
        self._name = projects.create() if fresh else projects.in_use(named)
        self._aligned: dict[tuple[str, str], Alignment] = {}

    def answer(self, question: Question) -> Generator[Update, None, Answer]:
        """Do what is asked, and say what came of it. Raises AvpipeError where it fails."""
        action = action_of(question.text)
        project = self._with_files(self._named_files(question, action))
        added = _remote(project, question.paths)
        match action:
            case Action.CREDITS:
                raise UnreachableError(
                    "no cloud is connected, so there are no credits",
                    hint="avpipe cloud connect",
                )
            case Action.STATE:
                return self._told(project, action, files=_remote(project))
            case Action.UPLOAD:
                if not question.paths and not added:
                    added = _remote(project, self._named_files(question, action))
                if not added:
                    raise RequestError("no file was given", hint='avpipe ask "…" FILE')
                return self._told(project, action, files=added)
            case Action.EXPORT:
                return (yield from self._exported(project, question, self._told(project, action)))
            case Action.EDIT:
                return (yield from self._edited(question, added))

    def plan(self, output: str | None = None) -> EditPlan | Plan:
        """What an export would do. Raises NothingToExportError, RequestError or MediaError."""
        project = self._projects.load(self._name)
        montage = project.states.montage
        _require_something(montage)
        path = os.path.abspath(output or default_output(montage))  # noqa: PTH100
        return plan_timeline(montage, _sources(project), path, self._settings)

    def _named_files(self, question: Question, action: Action) -> tuple[str, ...]:
        """The files to add: those given, and those that exist under a path in the text."""
        named = (os.path.expanduser(path) for path in files_named(question.text))  # noqa: PTH111
        wanted = action is Action.UPLOAD
        there = (path for path in named if os.path.isfile(path) or (wanted and path))  # noqa: PTH113
        return tuple(dict.fromkeys((*question.paths, *there)))

    def _with_files(self, paths: Sequence[str]) -> Project:
        """The session with files added; the first picture of all is shown."""
        if not paths:
            return self._projects.load(self._name)
        full = [os.path.abspath(path) for path in paths]  # noqa: PTH100
        require_files(full)
        infos = tuple(isolate.probe_files(full))
        for info in infos:
            require_supported(info)
        for _ in range(ATTEMPTS):
            project = self._projects.add_files(self._name, infos)
            montage = with_first_picture(project.states.montage, _session_files(project))
            if montage == project.states.montage:
                return project
            try:
                return self._projects.save(project, replace(project.states, montage=montage))
            except OutdatedError:
                continue
        raise OutdatedError(f"the session {self._name} is being changed by other processes")

    def _edited(
        self, question: Question, added: tuple[RemoteFile, ...]
    ) -> Generator[Update, None, Answer]:
        for _ in range(ATTEMPTS):
            project = self._projects.load(self._name)
            try:
                response = yield from self._response(question.text, project)
            except (NotUnderstoodError, EditRefusedError) as error:
                told = self._told(project, Action.EDIT, files=added)
                (text, hint) = (error.message, error.hint)
                if is_chinese(question.text):
                    (text, hint) = (in_chinese(text), hint and in_chinese(hint))
                return replace(told, text=text, hint=hint, understood=False)
            states = States(montage=response.montage, history=response.history)
            if states == project.states:
                break
            try:
                project = self._projects.save(project, states)
            except OutdatedError:
                continue
            break
        else:
            raise OutdatedError(f"the session {self._name} is being changed by other processes")
        answer = replace(
            self._told(project, Action.EDIT, files=added),
            text=in_chinese(response.text) if is_chinese(question.text) else response.text,
            changes=response.changes,
        )
        if not response.export:
            return answer
        exported = yield from self._exported(project, question, answer)
        return replace(exported, text=f"{answer.text} {exported.text}".strip())

    def _response(self, text: str, project: Project) -> Generator[Update, None, Response]:
        files = _session_files(project)
        (montage, history) = (project.states.montage, project.states.history)
        alignments: dict[Pair, Alignment] = {}
        paths = {file.source: file.info.path for file in project.files}
        for video, sound in pairs_to_align(text, montage, files):
            key = (paths[video], paths[sound])
            if key not in self._aligned:
                heard = yield from align_paths(*key, self._settings)
                self._aligned[key] = heard.alignment
            alignments[(video, sound)] = self._aligned[key]
        return respond(text, montage, files, history=history, alignments=alignments)

    def _exported(
        self, project: Project, question: Question, answer: Answer
    ) -> Generator[Update, None, Answer]:
        montage = project.states.montage
        _require_something(montage)
        if action_of(question.text) is Action.EXPORT:
            montage = as_exported(question.text, montage, _session_files(project))
        output = question.output_or(default_output(montage))
        sources = _sources(project)
        require_output(Path(output), list(sources.values()), overwrite=question.overwrite)
        updates = render_timeline(
            montage, sources, output, self._settings, overwrite=question.overwrite
        )
        done: Done | None = None
        for update in updates:
            if isinstance(update, Done):
                done = update
            else:
                yield update
        return replace(answer, action=Action.EXPORT, text=f"made {output}.", done=done)

    def _told(self, project: Project, action: Action, files: tuple[RemoteFile, ...] = ()) -> Answer:
        montage = project.states.montage
        return Answer(
            session_id=project.id,
            action=action,
            text=summarise(montage) if action is Action.STATE else _added_words(files),
            timeline=entries_of_montage(montage),
            summary="" if action is Action.STATE else summarise(montage),
            files=files,
        )


def _require_something(montage: Montage) -> None:
    if not any(track.clips for track in montage.tracks):
        raise NothingToExportError(
            "the session's timeline is empty: there is nothing to export",
            hint='give files: avpipe ask "merge this audio and video" VIDEO AUDIO',
        )


def _sources(project: Project) -> dict[str, str]:
    return {file.source: file.info.path for file in project.files}


def default_output(montage: Montage) -> str:
    """The name of an export that was given none: after the first picture."""
    clips = (clip for track in montage.of(TrackKind.VIDEO) for clip in in_order(track))
    name = next((clip.name for clip in clips), "")
    stem = "".join(c if c.isalnum() or c in " ._-" else "_" for c in name).strip(" .-")[:80]
    return f"{stem or 'project'}.export.mp4"


def _added_words(files: tuple[RemoteFile, ...]) -> str:
    return f"added {', '.join(file.name for file in files)}." if files else ""


def _session_files(project: Project) -> tuple[SessionFile, ...]:
    return tuple(session_file(file.source, file.info) for file in project.files)


def _remote(project: Project, paths: Sequence[str] | None = None) -> tuple[RemoteFile, ...]:
    """The files of the session, or those of them with these paths, as all sessions tell them."""
    wanted = None if paths is None else {os.path.abspath(path) for path in paths}  # noqa: PTH100
    return tuple(
        _remote_file(file.source, file.info)
        for file in project.files
        if wanted is None or file.info.path in wanted
    )


def _remote_file(name: str, info: MediaInfo) -> RemoteFile:
    size = info.video[0].upright_size if info.video else (None, None)
    kind = "audio" if not info.video else "image" if info.picture else "video"
    return RemoteFile(
        name=name,
        type=kind,
        duration_s=info.duration_s,
        width=size[0],
        height=size[1],
        size_bytes=info.size_bytes,
    )
