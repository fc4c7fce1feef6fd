"""A cloud on the loopback: a real HTTP server that is strict, speaks every documented form, and
has whatever fault a test asks for.

It answers as the API page says. What a client must never do (no attribution headers, a bearer sent
to a download link, a render's id twice, a message during another one) is kept in `violations`.
"""

from __future__ import annotations

import contextlib
import email.parser
import hashlib
import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "nmv_usr_" + "A1b2C3d4_" * 4 + "{:07d}"
FORMATS = {
    "video": ("mp4", "mov", "avi", "webm", "mkv"),
    "image": ("jpg", "png", "gif", "webp"),
    "audio": ("mp3", "wav", "m4a", "aac"),
}
HTTP_OF = {1001: 401, 1002: 404, 2001: 402, 4001: 415, 4002: 413}
MESSAGES = {
    1001: "Invalid token",
    1002: "Session not found",
    2001: "Insufficient credits",
    4001: "Unsupported file type",
    4002: "File too large",
    402: "Free plan export blocked",
    429: "Rate limit exceeded",
}


@dataclass(frozen=True, kw_only=True)
class Request:
    """One request as it came in."""

    at: str
    method: str
    path: str
    headers: dict[str, str]
    form: Any = None


@dataclass(kw_only=True)
class Fault:
    """Something that goes wrong at one place, some times."""

    at: str
    times: int = 1
    skip: int = 0
    """How many requests go well before."""
    code: int | None = None
    """An error of the API's table, or an HTTP status."""
    after: bool = False
    """The request has its effect before it goes wrong."""
    drop: bool = False
    """The connection is reset instead of an answer."""
    byte: int | None = None
    """The connection is reset after so many bytes of an upload, a stream or a download."""
    garbage: bool = False
    stall: bool = False
    """Nothing comes any more."""
    lie: int = 0
    """So many bytes are told more (or less) than there are."""
    page: bool = False
    """A web page comes instead of the file."""


@dataclass
class Session:
    user_id: str
    task_id: str
    files: list[dict[str, Any]] = field(default_factory=list)
    bodies: dict[str, bytes] = field(default_factory=dict)
    """What the last file of each type holds, kept for a renderer."""
    draft: dict[str, Any] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class RenderJob:
    session_id: str
    draft: Any
    polls: int = 0
    cancelled: bool = False


class FakeNemo:
    """The service: its state, its forms, its faults, and what was asked of it."""

    def __init__(self, video: bytes = b"\0\0\0\x18ftypmp42" + bytes(5000)) -> None:
        self.video = video
        self.requests: list[Request] = []
        self.violations: list[str] = []
        self.faults: list[Fault] = []
        self.tokens: dict[str, str] = {}
        self.refused: set[str] = set()
        self.refuses_everything = False
        self.sessions: dict[str, Session] = {}
        self.renders: dict[str, RenderJob] = {}
        self.uploads: list[tuple[str, str, int, str]] = []
        """Session, name, size and digest of every file that arrived."""
        self.messages: list[tuple[str, str]] = []
        self.client_ids: list[str] = []
        self.expires_at = "2099-01-01T00:00:00Z"
        self.anonymous_user = "anon_abc123def4567890"
        self.envelope = "code"
        """`code`, `success` or `bare`."""
        self.errors = "body"
        """`body` (HTTP 200), `http`, or `fastapi` (`detail`)."""
        self.events = "typed"
        """`typed`, `adk` or `adk_snake`."""
        self.render_form = "A"
        self.camel = False
        self.heartbeats = ['data: {"type":"heartbeat"}\n\n', "data:\n\n", ": ping\n\n"]
        self.reply = "I merged the audio and the video into a single file."
        """Empty for an agent that says nothing."""
        self.extra_events: list[str] = []
        self.hold: threading.Event | None = None
        """What a message waits for before it is answered."""
        self.stuck = threading.Event()
        """An upload is being held after some bytes, until `released`."""
        self.released = threading.Event()
        self.edits = True
        self.output_keys = {"format", "quality", "resolution"}
        """What a render's `output` may have."""
        self.polls_needed = 1
        self.reports_size = True
        self.missing_url_polls = 0
        self.render_error: str | None = None
        self.keeps_files = True
        """Whether the state tells of uploads."""
        self.digests = True
        self.renderer: Callable[[dict[str, bytes]], bytes] | None = None
        """Makes the video that a render gives, of the session's files by type."""
        self._lock = threading.Lock()
        self._api = _serve(_ApiHandler, self)
        self._cdn = _serve(_CdnHandler, self)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._api.server_port}"

    @property
    def cdn_url(self) -> str:
        return f"http://127.0.0.1:{self._cdn.server_port}"

    def __enter__(self) -> FakeNemo:
        return self

    def __exit__(self, *_: object) -> None:
        for server in (self._api, self._cdn):
            server.shutdown()
            server.server_close()

    def count(self, at: str) -> int:
        """How many requests came to one place."""
        return sum(request.at == at for request in self.requests)

    def fault(self, at: str) -> Fault | None:
        """The fault that this request has, if any."""
        with self._lock:
            for fault in self.faults:
                if fault.at != at or not fault.times:
                    continue
                if fault.skip:
                    fault.skip -= 1
                    return None
                fault.times -= 1
                return fault
        return None

    def new_token(self, user_id: str | None = None) -> str:
        """A token that is valid."""
        with self._lock:
            token = TOKEN.format(len(self.tokens))
            self.tokens[token] = user_id or self.anonymous_user
        return token

    def edit(self, session: Session) -> None:
        """What the agent does: every file on the timeline, over the ones before."""
        video = [file for file in session.files if file["file_type"] != "audio"]
        audio = [file for file in session.files if file["file_type"] == "audio"]
        session.draft = {
            "d": 2000,
            "m": {"title": "project", "width": 160, "height": 90},
            "t": [
                {"tt": 0, "sg": [_segment(file) for file in video]},
                {"tt": 1, "sg": [_segment(file) | {"volume": 0.35} for file in audio]},
                {"tt": 7, "sg": [{"d": 1000, "m": {"text": f"Take {len(self.messages)}"}}]},
            ],
        }


def _segment(file: dict[str, Any]) -> dict[str, Any]:
    return {"d": 2000, "m": {"name": file["filename"].rpartition(".")[0], "start": 0}}


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    nemo: FakeNemo

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error here."""


def _serve(handler: type[BaseHTTPRequestHandler], nemo: FakeNemo) -> _Quiet:
    server = _Quiet(("127.0.0.1", 0), handler)
    server.nemo = nemo
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


class _GoneError(Exception):
    """The connection is to be closed without a further word."""


class _AnsweredError(Exception):
    """The request has its answer; the connection stays."""


class _Handler(BaseHTTPRequestHandler):
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
        raise _GoneError

    def stall(self) -> None:
        """Say nothing more until the client has gone."""
        with contextlib.suppress(OSError):
            self.connection.settimeout(30)
            while self.connection.recv(1 << 16):
                pass
        raise _GoneError

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except _AnsweredError:
            self.wfile.flush()
        except (_GoneError, OSError):
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.close()

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()


class _ApiHandler(_Handler):
    def do_GET(self) -> None:
        self.route()

    def do_POST(self) -> None:
        self.route()

    def route(self) -> None:
        self.left = int(self.headers.get("Content-Length", 0))
        path = urlsplit(self.path).path
        for method, pattern, name in _ROUTES:
            match = re.fullmatch(pattern, path)
            if method == self.command and match:
                self.at = name
                self.serve(*(unquote(part) for part in match.groups()))
                return
        self.nemo.violations.append(f"{self.command} {self.path} is no endpoint")
        self.answer(404, b'{"detail":"Not Found"}')

    def serve(self, *parts: str) -> None:
        self.check_headers()
        fault = self.nemo.fault(self.at)
        form = None
        if self.headers.get("Content-Type", "").startswith("application/json"):
            form = json.loads(self.rfile.read(self.left) or b"null")
            self.left = 0
        self.log(form)
        if fault and fault.byte is not None and self.at == "upload":
            self.rfile.read(min(fault.byte, self.left))
            if fault.stall:
                self.nemo.stuck.set()
                self.nemo.released.wait(60)
            self.reset()
        if fault and not fault.after:
            self.go_wrong(fault)
        user = self.user()
        if user is None:
            self.fail(1001)
            return
        action: Callable[..., Any] = getattr(self, f"do_{self.at}")
        result = action(user, form, *parts, fault=fault)
        if fault and fault.after:
            self.go_wrong(fault)
        if result is not None:
            self.succeed(result)

    def check_headers(self) -> None:
        for name in ("X-Skill-Source", "X-Skill-Version", "X-Skill-Platform"):
            if not self.headers.get(name):
                self.nemo.violations.append(f"{self.at}: no {name}")
        if self.headers.get("X-Skill-Source") != "audio-video-to":
            self.nemo.violations.append(f"{self.at}: X-Skill-Source is wrong")
        if self.at == "token" and self.headers.get("Authorization"):
            self.nemo.violations.append("token: has an Authorization")
        if "nmv_usr_" in self.path:
            self.nemo.violations.append(f"{self.at}: a token is in the address")

    def user(self) -> str | None:
        if self.at == "token":
            return "nobody"
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if self.nemo.refuses_everything or token in self.nemo.refused:
            return None
        return self.nemo.tokens.get(token)

    def go_wrong(self, fault: Fault) -> None:
        if fault.code is not None:
            self.fail(fault.code)
            raise _AnsweredError
        if fault.garbage:
            self.answer(200, b"<html>\x00\xff is this JSON?", "application/json")
            raise _AnsweredError
        if fault.drop:
            self.reset()
        if fault.stall:
            self.stall()

    def succeed(self, data: Any) -> None:
        if self.nemo.camel:
            data = _camel(data)
        form = {
            "code": {"code": 0, "data": data},
            "success": {"success": True, "data": data},
            "bare": data,
        }[self.nemo.envelope]
        self.answer(200, json.dumps(form).encode())

    def fail(self, code: int) -> None:
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        said = f"{MESSAGES.get(code, 'Something failed')} {token}".strip()
        status = HTTP_OF.get(code, code)
        if code in (500, 502, 503, 504, 408):
            self.answer(code, b"<html>oops</html>", "text/html")
        elif self.nemo.errors == "fastapi":
            self.answer(status, json.dumps({"detail": said, "code": code}).encode())
        elif self.nemo.errors == "http":
            self.answer(status, json.dumps({"code": code, "message": said}).encode())
        elif code in (400, 402, 429):
            self.answer(code, json.dumps({"code": code, "message": said}).encode())
        else:
            self.answer(200, json.dumps({"code": code, "message": said, "data": None}).encode())

    def session(self, user: str, name: str) -> Session | None:
        session = self.nemo.sessions.get(name)
        if session is None or session.user_id != user:
            self.fail(1002)
            return None
        return session

    def do_token(self, user: str, form: Any, *, fault: Fault | None) -> Any:
        client_id = self.headers.get("X-Client-Id", "")
        if not client_id or len(client_id) > 64:
            self.fail(400)
            return None
        self.nemo.client_ids.append(client_id)
        return {
            "token": self.nemo.new_token(),
            "user_id": self.nemo.anonymous_user,
            "expires_at": self.nemo.expires_at,
            "credits": 100,
        }

    def do_session(self, user: str, form: Any, *, fault: Fault | None) -> Any:
        if not isinstance(form, dict) or not form.get("task_name"):
            self.nemo.violations.append("session: no task_name")
        number = 5529798706024415232 + self.nemo.count("session")
        session = Session(user_id=user, task_id=f"task_{number}")
        self.nemo.sessions[str(number)] = session
        return {"task_id": session.task_id, "session_id": str(number), "user_id": user}

    def do_claim(self, user: str, form: Any, *, fault: Fault | None) -> Any:
        if self.session(user, form["session_id"]) is None:
            return None
        return {"claim_token": "clm_1/2", "expires_in": 604800}

    def do_credits(self, user: str, form: Any, *, fault: Fault | None) -> Any:
        return {"available": 60, "frozen": 40, "total": 100}

    def do_state(self, user: str, form: Any, name: str, *, fault: Fault | None) -> Any:
        session = self.session(user, name)
        if session is None:
            return None
        return {
            "session_id": name,
            "task_id": session.task_id,
            "user_id": user,
            "state": {
                "video_infos": session.files if self.nemo.keeps_files else [],
                "draft": session.draft,
                "generated_media": None,
            },
        }

    def do_upload(self, user: str, form: Any, name: str, *, fault: Fault | None) -> Any:
        session = self.session(user, name)
        if session is None:
            return None
        if form is not None:
            files = [(url.rpartition("/")[2], 1000, "") for url in form["urls"]]
            if form.get("source_type") != "url":
                self.nemo.violations.append("upload: no source_type")
        else:
            files = [self.read_file()]
        made = []
        for filename, size, digest in files:
            suffix = filename.rpartition(".")[2].lower()
            kinds = [kind for kind, suffixes in FORMATS.items() if suffix in suffixes]
            if not kinds:
                self.fail(4001)
                return None
            self.nemo.uploads.append((name, filename, size, digest))
            session.bodies[kinds[0]] = b"".join(self.kept)
            made.append(
                {
                    "filename": filename,
                    "file_type": kinds[0],
                    "cdn_url": f"{self.nemo.cdn_url}/files/{len(self.nemo.uploads)}",
                    "duration": 2.0,
                    "width": 160,
                    "height": 90,
                    "size": size,
                }
            )
        session.files.extend(made)
        return {"files": made, "session_state_applied": True}

    def read_file(self) -> tuple[str, int, str]:
        """Name, size and digest of the one file of a multipart body."""
        kind = self.headers.get("Content-Type", "")
        boundary = kind.partition("boundary=")[2].encode()
        if not kind.startswith("multipart/form-data") or not boundary:
            self.nemo.violations.append("upload: not multipart")
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = self.rfile.readline()
            self.left -= len(line)
            head += line
        fields = email.parser.BytesParser().parsebytes(head.partition(b"\r\n")[2])
        told = str(fields["Content-Disposition"])
        raw = head.decode()
        match = re.search(r'name="([^"]*)"; filename="([^"]*)"', raw)
        assert match is not None, told
        if match[1] != "files":
            self.nemo.violations.append(f"upload: the field is {match[1]}")
        tail = len(boundary) + 8
        size = self.left - tail
        digest = hashlib.sha256()
        self.kept = ()
        left = size
        while left:
            part = self.rfile.read(min(left, 1 << 20))
            if not part:
                raise _GoneError
            left -= len(part)
            self.left -= len(part)
            if self.nemo.digests:
                digest.update(part)
            if self.nemo.renderer is not None:
                self.kept += (part,)
        end = self.rfile.read(tail)
        if len(end) < tail:
            raise _GoneError
        if end != b"\r\n--" + boundary + b"--\r\n":
            self.nemo.violations.append("upload: the body does not end as it should")
        self.left = 0
        return match[2], size, digest.hexdigest()

    def do_message(self, user: str, form: Any, *, fault: Fault | None) -> Any:
        if "text/event-stream" not in self.headers.get("Accept", ""):
            self.nemo.violations.append("message: does not accept an event stream")
        if form.get("app_name") != "nemo_agent":
            self.nemo.violations.append("message: no app_name")
        session = self.session(user, form["session_id"])
        if session is None:
            return None
        text = form["new_message"]["parts"][0]["text"]
        self.nemo.messages.append((form["session_id"], text))
        if self.nemo.hold is not None:
            self.nemo.hold.wait(60)
        if self.nemo.edits:
            self.nemo.edit(session)
        self.stream("".join(self.events()), fault)
        return None

    def events(self) -> Iterator[str]:
        yield from self.nemo.heartbeats
        yield from self.nemo.extra_events
        for event in _EVENTS[self.nemo.events](self.nemo.reply):
            yield f"data: {json.dumps(event, ensure_ascii=False)}\n\n"

    def stream(self, text: str, fault: Fault | None) -> None:
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        end = len(body) if fault is None or fault.byte is None else fault.byte
        for first in range(0, end, 1000):
            part = body[first : min(first + 1000, end)]
            self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        self.wfile.flush()
        if fault is not None and fault.stall:
            self.stall()
        if fault is not None and fault.byte is not None:
            self.reset()
        self.wfile.write(b"0\r\n\r\n")

    def do_submit(self, user: str, form: Any, *, fault: Fault | None) -> Any:
        session = self.session(user, form["sessionId"])
        if session is None:
            return None
        if not re.fullmatch(r"render_[\w-]+", form["id"]):
            self.nemo.violations.append(f"submit: the id is {form['id']}")
        if not any(track.get("sg") for track in form["draft"].get("t", [])):
            self.nemo.violations.append("submit: the draft is empty")
        if not {*form["output"]} <= self.nemo.output_keys:
            self.fail(400)
            return None
        if form["id"] in self.nemo.renders:
            self.answer(409, b'{"success":false,"error":"duplicate id"}')
            return None
        self.nemo.renders[form["id"]] = RenderJob(form["sessionId"], form["draft"])
        if self.nemo.renderer is not None:
            self.nemo.video = self.nemo.renderer(session.bodies)
        return {"id": form["id"], "status": "pending", "progress": 5}

    def do_poll(self, user: str, form: Any, name: str, *, fault: Fault | None) -> Any:
        render = self.nemo.renders.get(name)
        if render is None:
            self.answer(404, b'{"success":false,"error":"render not found"}')
            return None
        render.polls += 1
        done = min(render.polls / self.nemo.polls_needed, 1.0) if self.nemo.polls_needed else 0.0
        url = f"{self.nemo.cdn_url}/render/{name}.mp4"
        if render.polls <= self.nemo.missing_url_polls:
            url = ""
        status = "completed" if done >= 1 else "processing"
        if self.nemo.render_error or render.cancelled:
            (status, url) = ("failed", "")
        size = len(self.nemo.video) if self.nemo.reports_size else None
        form = _RENDERS[self.nemo.render_form](name, status, done, url, size)
        if self.nemo.render_error:
            form["error"] = self.nemo.render_error
        if self.nemo.render_form == "B":
            form = {"success": True, "data": form}
        self.answer(200, json.dumps(form).encode())
        return None

    def do_cancel(self, user: str, form: Any, name: str, *, fault: Fault | None) -> Any:
        if name not in self.nemo.renders:
            self.answer(404, b'{"success":false,"error":"render not found"}')
            return None
        self.nemo.renders[name].cancelled = True
        return {"id": name, "status": "cancelled"}

    def do_download(self, user: str, form: Any, name: str, *, fault: Fault | None) -> Any:
        _send_file(self, self.nemo.video, fault)


class _CdnHandler(_Handler):
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
        _send_file(self, self.nemo.video, fault)


def _send_file(handler: _Handler, data: bytes, fault: Fault | None) -> None:
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
        raise _GoneError
    if fault is not None and fault.garbage:
        part = bytes(len(part))
    if fault is not None and fault.lie < 0:
        part = part[: fault.lie]
    handler.wfile.write(part)
    if fault is not None and fault.lie > 0:
        handler.close_connection = True


def _typed(reply: str) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = [
        {"type": "tool_call", "name": "edit_multitrack", "args": {"secret_plan": 1}},
        {"type": "tool_result", "name": "edit_multitrack", "result": {"ok": True}},
    ]
    return events + ([{"type": "text", "content": reply}] if reply else [])


def _adk(reply: str) -> list[dict[str, Any]]:
    base = {"invocationId": "e-1", "author": "nemo_agent", "actions": {"stateDelta": {}}}
    thought = {"parts": [{"text": "I should merge them", "thought": True}], "role": "model"}
    call = {"parts": [{"functionCall": {"id": "adk-1", "name": "edit", "args": {}}}]}
    result = {
        "parts": [{"functionResponse": {"id": "adk-1", "name": "edit", "response": {}}}],
        "role": "user",
    }
    events = [base | {"content": content} for content in (thought, call, result)]
    if reply:
        half = len(reply) // 2
        for piece in (reply[:half], reply[half:]):
            content = {"parts": [{"text": piece}], "role": "model"}
            events.append(base | {"content": content, "partial": True})
        events.append(base | {"content": {"parts": [{"text": reply}], "role": "model"}})
    return events


def _adk_snake(reply: str) -> list[dict[str, Any]]:
    return [json.loads(_snake(json.dumps(event))) for event in _adk(reply)]


def _snake(text: str) -> str:
    return re.sub(r'"([a-z]+)([A-Z][a-zA-Z]*)":', lambda m: f'"{m[1]}_{m[2].lower()}":', text)


def _camel(data: Any) -> Any:
    if isinstance(data, dict):
        return {
            re.sub(r"_([a-z])", lambda m: m[1].upper(), key): _camel(value)
            if key != "draft"
            else value
            for key, value in data.items()
        }
    return [_camel(item) for item in data] if isinstance(data, list) else data


def _form_a(name: str, status: str, done: float, url: str, size: int | None) -> dict[str, Any]:
    form: dict[str, Any] = {"taskId": name, "status": status, "progress": int(done * 100)}
    if url and status == "completed":
        form["output"] = {"url": url, "duration": 2.0, "size": size}
    return form


def _form_b(name: str, status: str, done: float, url: str, size: int | None) -> dict[str, Any]:
    form: dict[str, Any] = {"id": name, "status": status, "progress": int(done * 100)}
    if url and status == "completed":
        form |= {"outputUrl": url, "createdAt": 1773423613616, "completedAt": 1773423641222}
    return form


def _form_remotion(
    name: str, status: str, done: float, url: str, size: int | None
) -> dict[str, Any]:
    return {
        "renderId": name,
        "overallProgress": done,
        "done": status == "completed",
        "outputFile": url or None if status == "completed" else None,
        "fatalErrorEncountered": status == "failed",
        "outputSizeInBytes": size,
    }


_EVENTS: dict[str, Callable[[str], list[dict[str, Any]]]] = {
    "typed": _typed,
    "adk": _adk,
    "adk_snake": _adk_snake,
}
_RENDERS: dict[str, Callable[..., dict[str, Any]]] = {
    "A": _form_a,
    "B": _form_b,
    "remotion": _form_remotion,
}
_ROUTES = (
    ("POST", "/api/auth/anonymous-token", "token"),
    ("POST", "/api/auth/claim-token", "claim"),
    ("POST", "/api/tasks/me/with-session/nemo_agent", "session"),
    ("POST", "/run_sse", "message"),
    ("POST", "/api/upload-video/nemo_agent/me/([^/]+)", "upload"),
    ("GET", "/api/credits/balance/simple", "credits"),
    ("GET", "/api/state/nemo_agent/me/([^/]+)/latest", "state"),
    ("POST", "/api/render/proxy/lambda", "submit"),
    ("GET", "/api/render/proxy/lambda/([^/]+)", "poll"),
    ("POST", "/api/render/proxy/lambda/([^/]+)/cancel", "cancel"),
    ("GET", "/api/render/proxy/([^/]+)/download", "download"),
)
