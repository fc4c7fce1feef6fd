"""The fake cloud's HTTP: what its two servers have in common, and the one where the files lie."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from fake_values import Fault, Request

if TYPE_CHECKING:
    from fake_nemo import FakeNemo


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    nemo: FakeNemo

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error here."""


def serve(handler: type[BaseHTTPRequestHandler], nemo: FakeNemo) -> _Quiet:
    server = _Quiet(("127.0.0.1", 0), handler)
    server.nemo = nemo
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


class GoneError(Exception):
    """The connection is to be closed without a further word."""


class AnsweredError(Exception):
    """The request has its answer; the connection stays."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Quiet
    at = ""
    left = 0
    kept: tuple[bytes, ...] = ()
    """The parts of the file that was read last, where they are needed."""

    @property
    def nemo(self) -> FakeNemo:
        return self.server.nemo

    def log_message(self, *args: Any) -> None:
        """Nothing is printed."""

    def log(self, form: Any = None) -> None:
        request = Request(
            at=self.at,
            method=self.command,
            path=self.path,
            headers={key.lower(): value for key, value in self.headers.items()},
            form=form,
        )
        self.nemo.requests.append(request)

    def answer(
        self, status: int, body: bytes, kind: str = "application/json", **headers: str
    ) -> None:
        self.drain()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        for key, value in headers.items():
            self.send_header(key.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def drain(self) -> None:
        """Read what is left of the body."""
        while self.left > 0 and (part := self.rfile.read(min(self.left, 1 << 18))):
            self.left -= len(part)

    def reset(self) -> None:
        """End the connection as a cable that is pulled."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True
        raise GoneError

    def stall(self) -> None:
        """Say nothing more until the client has gone."""
        with contextlib.suppress(OSError):
            self.connection.settimeout(30)
            while self.connection.recv(1 << 16):
                pass
        raise GoneError

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except AnsweredError:
            self.wfile.flush()
        except (GoneError, OSError):
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.close()

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()


class CdnHandler(Handler):
    """Where the files lie: another host, which must not be told who asks."""

    def do_GET(self) -> None:
        self.at = "cdn"
        self.log()
        for name in self.headers:
            if name.lower() == "authorization" or name.lower().startswith("x-skill"):
                self.nemo.violations.append(f"cdn: was sent {name}")
        fault = self.nemo.fault("cdn")
        if fault is not None:
            if fault.code is not None:
                self.answer(fault.code, b"no", "text/plain")
                return
            if fault.page:
                self.answer(200, b"<html>Sorry</html>", "text/html")
                return
            if fault.drop:
                self.reset()
            if fault.stall:
                self.stall()
        send_file(self, self.nemo.video, fault)


def send_file(handler: Handler, data: bytes, fault: Fault | None) -> None:
    """The file, or what a `Range` asks for of it."""
    first = 0
    wanted = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
    if wanted and handler.headers.get("If-Range", '"v1"') == '"v1"':
        first = int(wanted[1])
        if first >= len(data):
            handler.answer(416, b"", "video/mp4", Content_Range=f"bytes */{len(data)}")
            return
    part = data[first:]
    handler.send_response(206 if first else 200)
    handler.send_header("Content-Type", "video/mp4")
    handler.send_header("ETag", '"v1"')
    handler.send_header("Content-Length", str(len(part) + (fault.lie if fault else 0)))
    if first:
        handler.send_header("Content-Range", f"bytes {first}-{len(data) - 1}/{len(data)}")
    handler.end_headers()
    if fault is not None and fault.byte is not None:
        handler.wfile.write(part[: fault.byte])
        raise GoneError
    if fault is not None and fault.garbage:
        part = bytes(len(part))
    if fault is not None and fault.lie < 0:
        part = part[: fault.lie]
    handler.wfile.write(part)
    if fault is not None and fault.lie > 0:
        handler.close_connection = True
