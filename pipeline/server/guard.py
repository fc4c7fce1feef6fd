"""Before and after every request: whose it may be, how many, and what a browser may do with it."""

from __future__ import annotations

import ipaddress
import logging
import re
import time
from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from avpipe.errors import AvpipeError
from avpipe.server.answers import failed, refused
from avpipe.server.service import Service

LOG = logging.getLogger("avpipe.server")
HEADERS: Mapping[str, str] = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=()",
}
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
    " media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)
REST_POLICY = "default-src 'none'; frame-ancestors 'none'; sandbox"


class Guard:
    """An application around the application."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self._app = app
        self._service = service
        self._names = _names(service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.monotonic()
        status = 500

        async def told(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _harden(scope, message, tls=self._is_tls())
                self._service.meters.answered(_endpoint(scope), status, time.monotonic() - began)
            await send(message)

        headers = Headers(scope=scope)
        if not self._is_known(headers.get("host", "")):
            await refused(421, "this server does not go by that name")(scope, receive, told)
        elif not self._service.limits.allows(self._client(scope, headers)):
            answer = refused(429, "too many requests")
            answer.headers["Retry-After"] = "1"
            await answer(scope, receive, told)
        else:
            await self._passed(scope, receive, told)

    async def _passed(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noted(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noted)
        except ClientDisconnect:
            return
        except AvpipeError as error:
            if begun:
                raise
            await failed(error)(scope, receive, send)
        except Exception:
            LOG.exception("%s %s failed", scope["method"], scope["path"])
            if begun:
                raise
            await refused(500, "the server failed")(scope, receive, send)

    def _client(self, scope: Scope, headers: Headers) -> str:
        token = headers.get("authorization", "").partition(" ")[2].strip()
        return self._service.limits.client_of(token, address_of(scope))

    def _is_known(self, host: str) -> bool:
        """Whether the server goes by that name: a page of another name must not speak to it."""
        name = re.sub(r":\d*$", "", host).strip("[]").lower()
        return self._names is None or name in self._names

    def _is_tls(self) -> bool:
        server = self._service.settings.server
        return server.tls_certificate is not None or str(server.base_url).startswith("https:")


def _names(service: Service) -> frozenset[str] | None:
    """What a server that only this machine reaches is called; None for any name."""
    server = service.settings.server
    if not is_loopback(server.host) or server.base_url is not None:
        return None
    return frozenset(("localhost", "127.0.0.1", "::1", server.host.lower()))


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens there."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def address_of(scope: Scope) -> str:
    """Where a request comes from; of IPv6 the network that one customer has."""
    host = (scope.get("client") or ("unknown", 0))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return str(host)
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


def _endpoint(scope: Scope) -> str:
    """The endpoint's name; one for all that is none, or metrics would grow with every guess."""
    endpoint: Any = scope.get("endpoint")
    return getattr(endpoint, "name", None) or getattr(endpoint, "__name__", None) or "none"


def _harden(scope: Scope, message: Message, *, tls: bool) -> None:
    headers = MutableHeaders(scope=message)
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    kind = headers.get("content-type", "")
    headers["Content-Security-Policy"] = (
        PAGE_POLICY if kind.startswith("text/html") else REST_POLICY
    )
    if not scope["path"].startswith(("/media/", "/page/")):
        headers.setdefault("Cache-Control", "no-store")
    if tls:
        headers["Strict-Transport-Security"] = "max-age=31536000"
