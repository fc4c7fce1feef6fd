"""The fake cloud's endpoints: strict about headers, tokens, ids and bodies."""

from __future__ import annotations

import email.parser
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from fake_forms import EVENTS, RENDERS, camel
from fake_http import AnsweredError, GoneError, Handler, send_file
from fake_values import Fault, RenderJob, Session

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


class ApiHandler(Handler):
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
            raise AnsweredError
        if fault.garbage:
            self.answer(200, b"<html>\x00\xff is this JSON?", "application/json")
            raise AnsweredError
        if fault.drop:
            self.reset()
        if fault.stall:
            self.stall()

    def succeed(self, data: Any) -> None:
        if self.nemo.camel:
            data = camel(data)
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
                raise GoneError
            left -= len(part)
            self.left -= len(part)
            if self.nemo.digests:
                digest.update(part)
            if self.nemo.renderer is not None:
                self.kept += (part,)
        end = self.rfile.read(tail)
        if len(end) < tail:
            raise GoneError
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
        if fault is not None and fault.says:
            self.stream(fault.says, None)
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
        for event in EVENTS[self.nemo.events](self.nemo.reply):
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
        form = RENDERS[self.nemo.render_form](name, status, done, url, size)
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
        send_file(self, self.nemo.video, fault)


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
