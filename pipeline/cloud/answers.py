"""Answers of the service as values, in every form that they are known to have. Pure."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from typing import Any

from avpipe.cloud.door import UnreadableAnswerError
from avpipe.cloud.envelope import items_of, number_of, pick, text_of, whole_of
from avpipe.cloud.values import Credits, RemoteFile, Render, RenderStatus, SessionState

_STATES = {
    "completed": RenderStatus.COMPLETED,
    "complete": RenderStatus.COMPLETED,
    "succeeded": RenderStatus.COMPLETED,
    "success": RenderStatus.COMPLETED,
    "done": RenderStatus.COMPLETED,
    "failed": RenderStatus.FAILED,
    "error": RenderStatus.FAILED,
    "cancelled": RenderStatus.FAILED,
    "canceled": RenderStatus.FAILED,
    "pending": RenderStatus.PENDING,
    "queued": RenderStatus.PENDING,
}


def credits_of(data: Any) -> Credits:
    """What the account can spend. Raises UnreadableAnswerError."""
    available = number_of(data, "available")
    if available is None:
        raise UnreadableAnswerError("the cloud does not say how many credits there are")
    frozen = number_of(data, "frozen") or 0.0
    total = number_of(data, "total")
    return Credits(
        available=_count(available),
        frozen=_count(frozen),
        total=_count(available + frozen if total is None else total),
    )


def state_of(session_id: str, data: Mapping[str, Any]) -> SessionState:
    """What a session holds."""
    inner = data.get("state")
    state = inner if isinstance(inner, Mapping) else data
    draft = pick(state, "draft", "timeline_draft")
    if isinstance(draft, str):
        with contextlib.suppress(ValueError):
            draft = json.loads(draft)
    media = items_of(state, "generated_media", "generatedMedia")
    return SessionState(
        session_id=session_id,
        user_id=text_of(data, "user_id", "userId"),
        task_id=text_of(data, "task_id", "taskId"),
        draft=draft if isinstance(draft, Mapping) else {},
        files=tuple(
            _file(entry)
            for entry in items_of(state, "video_infos", "videoInfos")
            if isinstance(entry, Mapping)
        ),
        media=tuple(sorted(json.dumps(entry, sort_keys=True) for entry in media)),
    )


def files_of(data: Any) -> tuple[RemoteFile, ...]:
    """What the service made of files that were sent."""
    entries = data if isinstance(data, list) else items_of(data, "files")
    return tuple(_file(entry) for entry in entries if isinstance(entry, Mapping))


def _file(form: Mapping[str, Any]) -> RemoteFile:
    return RemoteFile(
        name=text_of(form, "filename", "file_name", "fileName", "name") or "",
        type=text_of(form, "file_type", "fileType", "type"),
        url=text_of(form, "cdn_url", "cdnUrl", "url"),
        duration_s=number_of(form, "duration", "duration_s"),
        width=whole_of(form, "width"),
        height=whole_of(form, "height"),
        size_bytes=whole_of(form, "size", "size_bytes", "file_size", "fileSize"),
    )


def says_status(form: Mapping[str, Any]) -> bool:
    """Whether an answer tells how a render is."""
    return pick(form, "status", "overallProgress", "fatalErrorEncountered") is not None


def render_of(form: Mapping[str, Any]) -> Render:
    """A render's state in form A (`output.url`), form B (`outputUrl`) or as Remotion tells it."""
    output = form.get("output")
    inner = output if isinstance(output, Mapping) else {}
    url = text_of(inner, "url") or text_of(form, "outputUrl", "output_url", "outputFile", "url")
    progress = number_of(form, "progress")
    if progress is None:
        progress = (number_of(form, "overallProgress") or 0.0) * 100
    return Render(
        status=_status(form, url),
        progress=min(max(progress / 100, 0.0), 1.0),
        url=url,
        duration_s=number_of(inner, "duration"),
        size_bytes=whole_of(inner, "size") or whole_of(form, "outputSize", "outputSizeInBytes"),
        error=text_of(form, "error", "errorMessage", "message"),
    )


def _status(form: Mapping[str, Any], url: str | None) -> RenderStatus:
    """Without a link a render is not completed, whatever it says."""
    if form.get("fatalErrorEncountered") is True:
        return RenderStatus.FAILED
    named = str(form.get("status", "")).lower()
    status = _STATES.get(named, RenderStatus.PROCESSING)
    if form.get("done") is True:
        status = RenderStatus.COMPLETED
    if status is RenderStatus.COMPLETED and url is None:
        return RenderStatus.PROCESSING
    return status


def _count(number: float) -> float:
    """A whole number as one."""
    return int(number) if number.is_integer() else number
