"""A session's state, its files, and sentences to the agent."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from avpipe import jsonform
from avpipe.cloud.draft_codec import read_draft
from avpipe.errors import (
    AvpipeError,
    FileTooLargeError,
    RequestError,
    SessionGoneError,
)
from avpipe.server import work
from avpipe.server.agent import Agent, adk_lines, typed_lines
from avpipe.server.answers import failed, object_of, succeeded, text_in
from avpipe.server.endpoints import (
    Asked,
    answering,
    body_of,
    file_form,
    user_of,
)
from avpipe.server.fetch import LIMIT_S, fetch
from avpipe.server.service import Service
from avpipe.server.sessions import File, Session, kind_of
from avpipe.server.turns import Turns
from avpipe.server.uploads import (
    MOST_PARTS,
    Arrived,
    Receiver,
    boundary_of,
    remove_all,
    require_space,
)

MOST_TEXT = 10_000
_DRAINED_BYTES = 64 << 20
"""Of a body that is refused so much is read, or the client would not see the answer."""


def state(asked: Asked) -> Response:
    """Tell all that a session holds."""
    session = asked.session(asked.path("session"))
    files = asked.service.sessions.files(session.session_id)
    canvas = read_draft(session.draft).canvas
    return succeeded(
        {
            "session_id": session.session_id,
            "task_id": session.task_id,
            "task_name": session.task_name,
            "user_id": session.user_id,
            "state": {
                "video_infos": [file_form(asked, file) for file in files],
                "draft": session.draft,
                "canvas_config": {
                    "width": canvas.width,
                    "height": canvas.height,
                    "aspect_ratio": None if canvas.aspect is None else str(canvas.aspect),
                },
                "video_analyses": _analyses(asked, files),
                "generated_media": [],
            },
        }
    )


def _analyses(asked: Asked, files: tuple[File, ...]) -> dict[str, Any]:
    """How the files line up, as far as it was found out."""
    found: dict[str, Any] = {}
    for video in files:
        for audio in files:
            alignment = video.kind == "video" and asked.service.sessions.alignment(
                video.file_id, audio.file_id
            )
            if alignment:
                found.setdefault(video.file_id, {})[audio.file_id] = jsonform.encode(alignment)
    return found


async def upload(request: Request) -> Response:
    """Take files, as a multipart body or by their addresses."""
    service: Service = request.app.state.service
    try:
        user = await run_sync(user_of, service, request)
        asked = Asked(service, request, user, {})
        session = await run_sync(asked.session, asked.path("session"))
        request.app.state.uploads.require_room(user.user_id)
        if request.headers.get("content-type", "").startswith("application/json"):
            form = object_of(await body_of(request))
            fetched = partial(_fetched, asked, session, form)
            files = await _in_turn(asked, fetched, request.app.state.fetching)
        else:
            arrived = await _received(asked, session)
            taken = partial(_taken, asked, session, arrived)
            files = await _in_turn(asked, taken, request.app.state.looking)
    except AvpipeError as error:
        await _drain(request)
        return failed(error)
    forms = [file_form(asked, file) for file in files]
    return succeeded({"files": forms, "session_state_applied": True})


async def _in_turn(
    asked: Asked, do: Callable[[], list[File]], threads: CapacityLimiter
) -> list[File]:
    """Do what takes a thread for long, of one user only some at once: others come to theirs."""
    turns: Turns = asked.request.app.state.uploads
    async with turns.join(asked.user.user_id):
        return await run_sync(do, limiter=threads)


async def _received(asked: Asked, session: Session) -> list[Arrived]:
    (service, request) = (asked.service, asked.request)
    boundary = boundary_of(request.headers.get("content-type", ""))
    limit = service.settings.server.upload_limit
    room = await run_sync(service.sessions.room_bytes, asked.user)
    told = request.headers.get("content-length", "0")
    length = int(told) if told.isdigit() else 0
    if length > limit * MOST_PARTS + (1 << 20):
        raise FileTooLargeError(f"file too large: more than {limit} bytes")
    folder = service.sessions.folder / session.session_id
    await run_sync(require_space, folder, length)
    receiver = Receiver(folder, boundary, limit_bytes=limit, room_bytes=room)
    arrived = await receiver.take_all(request.stream())
    if not arrived:
        raise RequestError("the body holds no field `files` with a file")
    service.meters.uploaded.inc(length)
    return arrived


def _fetched(asked: Asked, session: Session, form: Mapping[str, Any]) -> list[File]:
    service = asked.service
    if not service.settings.server.url_uploads:
        raise RequestError("this server does not fetch files by their address")
    urls = form.get("urls")
    if not isinstance(urls, list) or not 0 < len(urls) <= MOST_PARTS:
        raise RequestError(f"urls must be a list of 1 to {MOST_PARTS} addresses")
    if not all(isinstance(url, str) and len(url) <= 4000 for url in urls):
        raise RequestError("urls must be texts")
    folder = service.sessions.folder / session.session_id
    files: list[File] = []
    end = time.monotonic() + LIMIT_S
    for url in urls:
        require_space(folder, 0)
        arrived = fetch(
            url,
            folder,
            limit_bytes=service.settings.server.upload_limit,
            room_bytes=service.sessions.room_bytes(asked.user),
            allowed=asked.request.app.state.may_fetch,
            limit_s=end - time.monotonic(),
        )
        files += _taken(asked, session, [arrived])
    return files


def _taken(asked: Asked, session: Session, arrived: list[Arrived]) -> list[File]:
    """Look at what arrived, and keep it: all of it or nothing."""
    service = asked.service
    try:
        facts = [work.probe(file.path, kind_of(file.name), service.settings) for file in arrived]
        return [
            service.sessions.add_file(session.session_id, file.name, file.path, info, file.sha256)
            for file, info in zip(arrived, facts, strict=True)
        ]
    except BaseException:
        remove_all(arrived)
        raise


async def _drain(request: Request) -> None:
    taken = 0
    try:
        async for data in request.stream():
            taken += len(data)
            if taken > _DRAINED_BYTES:
                return
    except RuntimeError:
        return  # all of it was read


async def message(request: Request) -> Response:
    """Tell the agent something; the answer is a stream of events."""
    service: Service = request.app.state.service
    agent: Agent = request.app.state.agent
    try:
        user = await run_sync(user_of, service, request)
        form = object_of(await body_of(request))
        told = form.get("user_id", form.get("userId", "me"))
        if told not in ("me", None, user.user_id):
            raise SessionGoneError("session not found")
        session_id = text_in({**form, "session_id": _either(form)}, "session_id", most=64)
        text = _text_of(form)
        events = await agent.begin(user, session_id, text)
    except AvpipeError as error:
        return failed(error)
    lines = adk_lines if request.query_params.get("format") == "adk" else typed_lines
    return StreamingResponse(
        lines(events),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _either(form: Mapping[str, Any]) -> Any:
    return form.get("session_id", form.get("sessionId"))


def _text_of(form: Mapping[str, Any]) -> str:
    """The texts of all parts of a message. Raises RequestError."""
    said = form.get("new_message", form.get("newMessage"))
    parts = said.get("parts") if isinstance(said, Mapping) else None
    if not isinstance(parts, list):
        raise RequestError("new_message must be an object with a list `parts`")
    texts = [part.get("text") for part in parts if isinstance(part, Mapping)]
    text = " ".join(text for text in texts if isinstance(text, str)).strip()
    return text_in({"text": text}, "text", most=MOST_TEXT)


state_endpoint = answering(state)
