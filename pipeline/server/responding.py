"""What becomes of a sentence: an edit of the session's timeline, or an answer."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from avpipe import jsonform
from avpipe.cloud.draft_codec import read_draft, write_draft
from avpipe.edits.chinese import in_chinese, is_chinese
from avpipe.edits.files import FileKind, SessionFile
from avpipe.edits.respond import Response, pairs_to_align, with_first_picture
from avpipe.edits.respond import respond as respond_to
from avpipe.errors import AvpipeError, EditRefusedError, NotUnderstoodError
from avpipe.intent import Action, action_of
from avpipe.media import Alignment, AudioStream, PictureKind, VideoStream
from avpipe.montage.summary import summarise
from avpipe.server.accounts import User
from avpipe.server.agent import Emit
from avpipe.server.service import Service
from avpipe.server.sessions import File, Session
from avpipe.server.work import WorkStoppedError

EDIT_TOOL = "edit_multitrack"
ALIGN_TOOL = "align_audio"


def respond(service: Service, user: User, session_id: str, text: str, emit: Emit) -> bool:
    """Do what a sentence says, and tell it event by event; gives whether anything changed."""
    session = service.sessions.of(user, session_id)
    files = service.sessions.files(session_id)
    service.sessions.say(session_id, "user", text)
    action = action_of(text)
    chinese = is_chinese(text) or speaks_chinese(session)
    if action is Action.EDIT:
        (said, changed) = _edited(service, session, files, text, emit, chinese=chinese)
    else:
        (said, changed) = (_answer(service, user, session, action, chinese=chinese), False)
    service.sessions.say(session_id, "agent", said)
    emit({"type": "text", "content": said})
    return changed


def speaks_chinese(session: Session) -> bool:
    """Whether a session was begun in Chinese."""
    return (session.language or "").lower().startswith("zh")


def _edited(
    service: Service,
    session: Session,
    files: Sequence[File],
    text: str,
    emit: Emit,
    *,
    chinese: bool,
) -> tuple[str, bool]:
    known = [session_file(file) for file in files]
    montage = with_first_picture(read_draft(session.draft), known)
    history = tuple(map(read_draft, session.history))
    try:
        alignments = _aligned(service, files, pairs_to_align(text, montage, known), emit)
        call = _call(emit, EDIT_TOOL, {"instruction": text})
        response = respond_to(text, montage, known, history=history, alignments=alignments)
    except (NotUnderstoodError, EditRefusedError) as error:
        return _refusal(error, chinese=chinese), False
    changed = write_draft(response.montage) != session.draft
    if changed:
        before = [write_draft(montage) for montage in response.history]
        service.sessions.set_draft(session, write_draft(response.montage), before)
    _result(emit, EDIT_TOOL, call, {"changes": list(response.changes)})
    return _told(response, chinese=chinese), changed


def _told(response: Response, *, chinese: bool) -> str:
    said = response.text or ("" if response.export else summarise(response.montage))
    if chinese:
        return in_chinese(said) + ("按“导出”按钮得到文件。" if response.export else "")
    more = " Press the Export button to get the file." if response.export else ""
    return f"{said}{more}".strip()


def _refusal(error: AvpipeError, *, chinese: bool) -> str:
    """What the user is told; hints about the command line say nothing here."""
    hint = error.hint if error.hint and "avpipe" not in error.hint else None
    if chinese:
        return in_chinese(error.message) + (f"（{in_chinese(hint)}）" if hint else "")
    return error.message + (f" ({hint})" if hint else "")


def _aligned(
    service: Service, files: Sequence[File], pairs: Sequence[tuple[str, str]], emit: Emit
) -> Mapping[tuple[str, str], Alignment]:
    """How the pairs line up, told as the use of a tool."""
    by_id = {file.file_id: file for file in files}
    found: dict[tuple[str, str], Alignment] = {}
    for pair in pairs:
        (video, audio) = (by_id[source] for source in pair)
        call = _call(emit, ALIGN_TOOL, {"video": video.name, "audio": audio.name})
        try:
            alignment = service.analyses.alignment(video, audio).result()
        except WorkStoppedError:
            raise  # the server ends: nothing is done that nobody asked for
        except AvpipeError as error:
            _result(emit, ALIGN_TOOL, call, {"error": error.message})
            continue
        found[pair] = alignment
        _result(emit, ALIGN_TOOL, call, jsonform.encode(alignment))
    return found


def _answer(
    service: Service, user: User, session: Session, action: Action, *, chinese: bool
) -> str:
    if action is Action.STATE:
        said = summarise(read_draft(session.draft))
        return in_chinese(said) if chinese else said
    balance = service.accounts.balance(user)
    own = service.settings.server.edit_credits  # held for this question, and given back
    (available, frozen) = (balance.available + own, balance.frozen - own)
    match action:
        case Action.CREDITS if chinese:
            return f"还有 {available} 个积分可用，另有 {frozen} 个冻结。"
        case Action.CREDITS:
            return f"Credits: {available} to spend, {frozen} reserved."
        case Action.EXPORT if chinese:
            return "时间线已就绪。按“导出”按钮得到文件。"
        case Action.EXPORT:
            return "The timeline is ready. Press the Export button to get the file."
        case _ if chinese:
            return "用“上传”按钮添加文件，然后说要怎么处理。"
        case _:
            return "Add files with the Upload button, then say what to make of them."


def session_file(file: File) -> SessionFile:
    """A file as the sentences know it."""
    facts = file.facts
    picture = facts.video[0] if facts.video and file.kind != "audio" else None
    size = (None, None) if picture is None else picture.upright_size
    return SessionFile(
        source=file.file_id,
        name=file.name,
        kind=FileKind(file.kind),
        duration=None if facts.picture is PictureKind.STILL else _length(picture, facts.audio),
        has_sound=bool(facts.audio),
        width=size[0],
        height=size[1],
    )


def _length(picture: VideoStream | None, sounds: Sequence[AudioStream]) -> Any:
    if picture is not None:
        return picture.duration
    return sounds[0].duration if sounds else None


def _call(emit: Emit, name: str, arguments: Mapping[str, Any]) -> str:
    """Tell that a tool is used; gives the id of that use."""
    made = f"adk-{uuid.uuid4()}"
    emit({"type": "tool_call", "id": made, "name": name, "args": dict(arguments)})
    return made


def _result(emit: Emit, name: str, call: str, result: Mapping[str, Any]) -> None:
    emit({"type": "tool_result", "id": call, "name": name, "result": dict(result)})
