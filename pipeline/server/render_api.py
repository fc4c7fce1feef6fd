"""Renders: asked for, looked at, cancelled, downloaded; and the files behind links."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from avpipe.cloud.draft import is_exportable
from avpipe.cloud.draft_codec import read_draft
from avpipe.errors import (
    AvpipeError,
    ExportBlockedError,
    FileTooLargeError,
    NothingToExportError,
    RequestError,
    SessionGoneError,
)
from avpipe.montage.faults import find_faults
from avpipe.server.analyses import heard_path
from avpipe.server.answers import failed, proxied, text_in
from avpipe.server.drawing import require_own_fonts
from avpipe.server.endpoints import Asked, answering
from avpipe.server.renders import Render, RenderState
from avpipe.server.service import Service
from avpipe.server.uploads import require_space

ATTRIBUTION = ("x-skill-source", "x-skill-version", "x-skill-platform")
TYPES = {
    "mp4": "video/mp4", "mov": "video/quicktime", "avi": "video/x-msvideo", "webm": "video/webm",
    "mkv": "video/x-matroska", "jpg": "image/jpeg", "jpeg": "image/jpeg", "png": "image/png",
    "gif": "image/gif", "webp": "image/webp", "mp3": "audio/mpeg", "wav": "audio/wav",
    "m4a": "audio/mp4", "aac": "audio/aac", "m4v": "video/mp4", "ts": "video/mp2t",
    "3gp": "video/3gpp", "flac": "audio/flac", "ogg": "audio/ogg", "opus": "audio/ogg",
    "aif": "audio/aiff", "aiff": "audio/aiff", "caf": "audio/x-caf",
}  # fmt: skip


def submit_render(asked: Asked) -> Response:
    """Take a render into the queue."""
    _require_export(asked)
    render_id = text_in(asked.form, "id", most=128)
    if not re.fullmatch(r"[\w.-]+", render_id, re.ASCII):
        raise RequestError("id may hold letters, digits and _ . - alone")
    told = asked.form.get("sessionId", asked.form.get("session_id"))
    session = asked.session(text_in({"sessionId": told}, "sessionId", most=64))
    draft = asked.form.get("draft", session.draft)
    output = asked.form.get("output") or {}
    if not isinstance(draft, Mapping) or not isinstance(output, Mapping):
        raise RequestError("draft and output must be objects")
    _require_renderable(asked, session.session_id, draft)
    require_space(asked.service.sessions.folder, 0)
    if not asked.service.sessions.room_bytes(asked.user):
        raise FileTooLargeError("there is no room left of what you may keep here")
    render = asked.service.renders.submit(asked.user, session, render_id, draft, output)
    asked.service.workers.wake()
    return proxied({"id": render_id, "status": render.state.value, "progress": 0})


def _require_export(asked: Asked) -> None:
    """Who nobody invited may be kept from rendering; and says who asks, or is kept from it."""
    if not asked.user.anonymous:
        return
    if not asked.service.settings.server.anonymous_export:
        raise ExportBlockedError("export is blocked for anonymous users")
    if not all(asked.request.headers.get(name) for name in ATTRIBUTION):
        raise ExportBlockedError("export is blocked without the attribution headers")


def _require_renderable(asked: Asked, session_id: str, draft: Mapping[str, Any]) -> None:
    if not is_exportable(draft):
        raise NothingToExportError("the timeline is empty")
    montage = read_draft(draft)
    require_own_fonts(montage)
    faults = find_faults(montage)
    if faults:
        raise RequestError(f"the timeline cannot be rendered: {faults[0].message}")
    known = {file.file_id for file in asked.service.sessions.files(session_id)}
    for source in montage.sources:
        if source not in known:
            raise RequestError("the timeline has a file that is not in the session")


def poll_render(asked: Asked) -> Response:
    """Tell how far a render is."""
    render = asked.service.renders.of(asked.user, asked.path("render"))
    if asked.service.settings.server.render_form == "B":
        return proxied(_form_b(asked, render))
    return JSONResponse(_form_a(asked, render))


def cancel_render(asked: Asked) -> Response:
    """End a render."""
    render = asked.service.renders.cancel(asked.user, asked.path("render"))
    asked.service.workers.stop(render.number)
    cancelled = render.state is not RenderState.COMPLETED
    return proxied({"id": render.render_id, "status": "cancelled" if cancelled else "completed"})


def download_render(asked: Asked) -> Response:
    """Give the finished file, or what a `Range` asks for of it."""
    render = asked.service.renders.of(asked.user, asked.path("render"))
    path = asked.service.renders.path(render)
    return _file(path, "video/mp4", filename=f"{render.render_id}.mp4")


def render_form(asked: Asked, render: Render) -> dict[str, Any]:
    """A render as form A tells it."""
    return _form_a(asked, render)


def _form_a(asked: Asked, render: Render) -> dict[str, Any]:
    form: dict[str, Any] = {
        "taskId": render.render_id,
        "status": render.state.value,
        "progress": int(render.progress * 100),
    }
    if render.state is RenderState.PENDING:
        form["queuePosition"] = asked.service.renders.ahead_of(render) + 1
    if render.state is RenderState.COMPLETED:
        form["output"] = {
            "url": _url(asked, render),
            "duration": render.duration_s,
            "size": render.size_bytes,
        }
    if render.error is not None:
        form["error"] = render.error
    return form


def _form_b(asked: Asked, render: Render) -> dict[str, Any]:
    form = _form_a(asked, render)
    form["id"] = form.pop("taskId")
    form["createdAt"] = int(render.created_s * 1000)
    output = form.pop("output", None)
    if output is not None and render.ended_s is not None:
        form |= {"outputUrl": output["url"], "completedAt": int(render.ended_s * 1000)}
    return form


def _url(asked: Asked, render: Render) -> str:
    return asked.service.links.to(
        asked.base_url,
        *("render", render.session_id, str(render.number)),
        f"{render.render_id}.mp4",
    )


def media(request: Request) -> Response:
    """Give the file behind a link: it needs no token."""
    service: Service = request.app.state.service
    values = request.path_params
    (what, session_id, name) = (values["what"], values["session"], values["name"])
    try:
        expires = int(values["expires"]) if re.fullmatch(r"\d{1,12}", values["expires"]) else 0
        service.links.check(what, session_id, name, expires, values["signature"])
        return _behind(service, what, session_id, name)
    except AvpipeError as error:
        return failed(error)


def _behind(service: Service, what: str, session_id: str, name: str) -> Response:
    if what == "render":
        return _file(service.renders.path(service.renders.numbered(int(name))), "video/mp4")
    file = service.sessions.file(session_id, name)
    if what == "sound":
        return _file(heard_path(file), "audio/wav")
    return _file(file.path, TYPES[file.path.suffix.removeprefix(".")])


def _file(path: Path, kind: str, **more: Any) -> Response:
    if not path.exists():
        raise SessionGoneError("the file is not there, or not any more")
    return FileResponse(path, media_type=kind, **more)


submit_endpoint = answering(submit_render)
poll_endpoint = answering(poll_render)
cancel_endpoint = answering(cancel_render)
download_endpoint = answering(download_render)
