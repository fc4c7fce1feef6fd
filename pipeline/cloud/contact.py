"""How a service is reached: a client that proxies and certificates allow, a connection in time.

A socket's own time-out holds for each address of a host by itself, and none for the look-up of its
name: a host with six addresses that nobody answers at takes six times as long.
"""

from __future__ import annotations

import functools
import ssl
import threading
from collections.abc import Callable, Mapping
from typing import Any

import httpx

from avpipe.errors import CloudError

_CONNECTING = ("connection.connect_tcp.started", "connection.connect_tcp.failed")
"""What httpcore tells while there is no connection yet."""
_CONNECTED = "connection.connect_tcp.complete"


class NoWayError(CloudError):
    """Proxies or certificates allow no connection: another try would not go better."""

    code = "unreachable"


class _GivenUpError(Exception):
    """Nobody waits for the request any more, and nothing of it was sent."""


def client(timeout: httpx.Timeout) -> httpx.Client:
    """A client by way of the proxies that the environment names. Raises NoWayError."""
    try:
        return httpx.Client(timeout=timeout, verify=_trusted())
    except ImportError as error:
        raise NoWayError(
            "the cloud cannot be reached: a SOCKS proxy is set, and socksio is not installed",
            hint="pip install socksio, or unset ALL_PROXY",
        ) from error
    except (ValueError, httpx.InvalidURL) as error:
        raise NoWayError(
            f"the cloud cannot be reached: the proxy that is set cannot be used: {error}",
            hint="see the environment's HTTP_PROXY, HTTPS_PROXY and ALL_PROXY",
        ) from error
    except OSError as error:
        raise NoWayError(
            f"the cloud cannot be reached: the certificates cannot be read: {error}",
            hint="see the environment's SSL_CERT_FILE and SSL_CERT_DIR",
        ) from error


@functools.cache
def _trusted() -> ssl.SSLContext:
    """The certificates that are trusted; reading them takes as long as some requests."""
    return httpx.create_ssl_context()


def answer(
    send: Callable[[httpx.Request], httpx.Response], request: httpx.Request, connect_s: float
) -> httpx.Response:
    """What is answered to a request; the connection for it comes about within a time.

    Raises httpx.ConnectTimeout where it does not, and what `send` raises. Of a request that was
    given up nothing is sent later either.
    """
    contact = _Contact(send, request)
    threading.Thread(target=contact.run, daemon=True).start()
    try:
        if not contact.settled.wait(connect_s) and contact.give_up():
            raise httpx.ConnectTimeout("timed out", request=request)
        contact.ended.wait()
    except BaseException:
        contact.give_up()
        raise
    if contact.error is not None:
        raise contact.error
    return contact.response


class _Contact:
    """A request in a thread of its own, a daemon, that no process which ends waits for."""

    def __init__(
        self, send: Callable[[httpx.Request], httpx.Response], request: httpx.Request
    ) -> None:
        self._send = send
        self._request = request
        self._turn = threading.Lock()
        self._given_up = False
        self.settled = threading.Event()
        """It is connected, or has ended."""
        self.ended = threading.Event()
        self.response: httpx.Response
        self.error: BaseException | None = None

    def run(self) -> None:
        self._request.extensions["trace"] = self._hear
        try:
            self.response = self._send(self._request)
        except BaseException as error:  # it is raised where the answer is waited for
            self.error = error
        finally:
            self.settled.set()
            self.ended.set()

    def give_up(self) -> bool:
        """Whether it was given up before anything was sent."""
        with self._turn:
            self._given_up = not self.settled.is_set()
            return self._given_up

    def _hear(self, event: str, told: Mapping[str, Any]) -> None:
        """What httpcore tells, between its steps; what is raised here ends the request."""
        if event in _CONNECTING or self.settled.is_set():
            return
        with self._turn:
            if self._given_up:
                if event == _CONNECTED:  # it has nobody else who would close it
                    told["return_value"].close()
                raise _GivenUpError
            self.settled.set()
