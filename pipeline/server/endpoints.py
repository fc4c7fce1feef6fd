"""What every endpoint does: who asks, what of the body is taken, and work off the event loop."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response

from avpipe.errors import AvpipeError, FileTooLargeError, NotAuthorisedError, SessionGoneError
from avpipe.server.accounts import User
from avpipe.server.answers import failed, object_of
from avpipe.server.service import Service
from avpipe.server.sessions import File, Session

MOST_JSON_BYTES = 4 << 20
Endpoint = Callable[[Request], Awaitable[Response]]


class Asked:
    """A request of a user whose body, if any, is a JSON object."""

    def __init__(
        self, service: Service, request: Request, user: User, form: Mapping[str, Any]
    ) -> None:
        self.service = service
        self.request = request
        self.user = user
        self.form = form

    def path(self, name: str) -> str:
        """A part of the path."""
        value: str = self.request.path_params[name]
        return value

    def query(self, name: str) -> str:
        """A parameter of the query, empty where it is missing."""
        return self.request.query_params.get(name, "")

    def session(self, session_id: str) -> Session:
        """A session of this user; of a path that names a user, only of this one."""
        return self.service.sessions.of(self.named_user(), session_id)

    def named_user(self) -> User:
        """The user, whom a path may call `me`. Raises SessionGoneError for another one."""
        if self.request.path_params.get("user", "me") not in ("me", self.user.user_id):
            raise SessionGoneError("session not found")
        return self.user

    @property
    def base_url(self) -> str:
        """How this user reaches the server."""
        return base_url_of(self.service, self.request)


def answering(handle: Callable[[Asked], Response]) -> Endpoint:
    """An endpoint of a function that may take its time."""

    async def endpoint(request: Request) -> Response:
        service: Service = request.app.state.service
        try:
            user = await run_sync(user_of, service, request)
            form = object_of(await body_of(request))
            return await run_sync(handle, Asked(service, request, user, form))
        except AvpipeError as error:
            return failed(error)

    endpoint.__name__ = handle.__name__
    return endpoint


def user_of(service: Service, request: Request) -> User:
    """Who asks. Raises NotAuthorisedError."""
    (kind, _, token) = request.headers.get("authorization", "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise NotAuthorisedError("missing authentication token")
    user = service.accounts.user(token.strip())
    service.limits.know(token.strip())
    return user


async def body_of(request: Request, most: int = MOST_JSON_BYTES) -> bytes:
    """The whole of a body that may not be large. Raises FileTooLargeError."""
    body = bytearray()
    async for data in request.stream():
        body += data
        if len(body) > most:
            raise FileTooLargeError(f"the body is larger than {most} bytes")
    return bytes(body)


def base_url_of(service: Service, request: Request) -> str:
    """How whoever asks reaches the server; a made-up name is not repeated."""
    told = service.settings.server.base_url
    if told is not None:
        return told
    host = request.headers.get("host", "")
    if not re.fullmatch(r"[\w.-]+(:\d+)?|\[[0-9a-fA-F:]+\](:\d+)?", host):
        host = f"{service.settings.server.host}:{service.settings.server.port}"
    return f"{request.url.scheme}://{host}"


def file_form(asked: Asked, file: File) -> dict[str, Any]:
    """A file as the API tells it."""
    (width, height) = file.facts.video[0].upright_size if file.facts.video else (None, None)
    return {
        "filename": file.name,
        "file_type": file.kind,
        "cdn_url": asked.service.links.to(
            asked.base_url, "file", file.session_id, file.file_id, file.name
        ),
        "duration": _duration_s(file),
        "width": width,
        "height": height,
        "fps": _frame_rate(file),
        "hash": file.sha256,
        "size": file.size_bytes,
        "file_id": file.file_id,
    }


def _duration_s(file: File) -> float | None:
    if file.kind == "image":
        return None
    lengths = [stream.duration for stream in file.facts.video]
    lengths += [stream.duration for stream in file.facts.audio]
    return max((round(float(length), 6) for length in lengths if length is not None), default=None)


def _frame_rate(file: File) -> float | None:
    if not file.facts.video or file.facts.video[0].frame_rate is None:
        return None
    return round(float(file.facts.video[0].frame_rate), 3)
