"""A cloud on the loopback: a real HTTP server that is strict, speaks every documented form, and
has whatever fault a test asks for.

It answers as the API page says. What a client must never do (no attribution headers, a bearer sent
to a download link, a render's id twice, a message during another one) is kept in `violations`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from fake_api import ApiHandler
from fake_http import CdnHandler, serve
from fake_values import Fault, RenderJob, Request, Session

TOKEN = "nmv_usr_" + "A1b2C3d4_" * 4 + "{:07d}"


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
        self._api = serve(ApiHandler, self)
        self._cdn = serve(CdnHandler, self)

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
