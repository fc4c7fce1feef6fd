"""The server as a process: it listens until it is told to end, and ends in order."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn

from avpipe.errors import RequestError, StoppedError
from avpipe.server.app import make_app
from avpipe.server.service import Service
from avpipe.settings import ServerSettings, Settings

LOG = logging.getLogger("avpipe.server")
_GRACE_S = 5
"""How long open connections have when the server ends."""


class _Listener(uvicorn.Server):
    """uvicorn, with the signals in our hands."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield


def serve(settings: Settings, told: Callable[[str], None]) -> None:
    """Serve until SIGTERM, which lets the renders at work end, or SIGINT, which puts them back.

    `told` hears the address once requests are taken. Raises AvpipeError where the server cannot
    begin, and StoppedError after SIGINT.
    """
    _require_tls(settings.server)
    link = listen_at(settings.server.host, settings.server.port)
    with link, Service(settings) as service:
        stopped = asyncio.run(_served(service, link, told))
    if stopped is not None:
        raise StoppedError(stopped)


def _require_tls(server: ServerSettings) -> None:
    """Raise RequestError where the TLS files are not a certificate and its key."""
    if server.tls_certificate is None:
        return
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        # A key with a password would ask for it, and nobody may be there.
        context.load_cert_chain(server.tls_certificate, server.tls_key, password="")
    except (OSError, ValueError) as error:
        raise RequestError(
            f"the TLS files cannot be used: {getattr(error, 'strerror', None) or error}",
            hint="a certificate and its key in PEM, the key without a password",
        ) from error


def listen_at(host: str, port: int) -> socket.socket:
    """A socket that takes connections. Raises RequestError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Told the protocol, or asyncio would not switch off the delay of small packets: 40 ms each.
    link = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        link.bind((host, port))
        link.listen(1024)
    except (OSError, OverflowError, UnicodeError) as error:
        link.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise RequestError(
            f"cannot listen at {host}:{port}: {reason}", hint="--port takes another, 0 any"
        ) from error
    return link


def configuration(service: Service) -> uvicorn.Config:
    """How uvicorn is to run."""
    server = service.settings.server
    return uvicorn.Config(
        make_app(service),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=server.trusted_proxy is not None,
        forwarded_allow_ips=server.trusted_proxy,
        ssl_certfile=server.tls_certificate,
        ssl_keyfile=server.tls_key,
        timeout_graceful_shutdown=_GRACE_S,
        timeout_keep_alive=75,
        limit_concurrency=2000,
        h11_max_incomplete_event_size=64 << 10,
    )


async def _served(service: Service, link: socket.socket, told: Callable[[str], None]) -> int | None:
    """Serve to the end; gives the signal that ended it at once, if one did."""
    listener = _Listener(configuration(service))
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[signal.Signals] = loop.create_future()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, _note, ended, number)
    serving = asyncio.create_task(listener.serve(sockets=[link]))
    try:
        while not listener.started and not serving.done():
            await asyncio.sleep(0.01)
        if not serving.done():
            told(address(service.settings, link))
        waited: set[asyncio.Future[Any]] = {serving, ended}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            serving.result()
            return None
        number = ended.result()
        if number is signal.SIGTERM:
            await _finished(service, loop)
        if number is not signal.SIGTERM:
            service.analyses.abort()
        listener.should_exit = True
        await serving
        return None if number is signal.SIGTERM else int(number)
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.remove_signal_handler(number)


def _note(ended: asyncio.Future[signal.Signals], number: signal.Signals) -> None:
    if not ended.done():
        ended.set_result(number)


async def _finished(service: Service, loop: asyncio.AbstractEventLoop) -> None:
    """Wait for the renders at work; a second signal puts them back."""
    again: asyncio.Future[signal.Signals] = loop.create_future()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, _note, again, number)
    work = loop.run_in_executor(None, service.workers.finish)
    waited: set[asyncio.Future[Any]] = {work, again}
    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
    if again.done():
        service.analyses.abort()
        service.workers.abort()
    await work


def address(settings: Settings, link: socket.socket) -> str:
    """Where the server is reached."""
    if settings.server.base_url is not None:
        return settings.server.base_url
    (host, port) = link.getsockname()[:2]
    scheme = "https" if settings.server.tls_certificate else "http"
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
