"""`avpipe serve` as its operator has it: a real process, its data folder, and users of it."""

from __future__ import annotations

import contextlib
import json
import select
import signal
import subprocess
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from commands import LIMIT_S, CommandLine, Gate, marked
from media_factory import make_video

ATTRIBUTION = {
    "X-Skill-Source": "audio-video-to",
    "X-Skill-Version": "1.0.0",
    "X-Skill-Platform": "unknown",
}
HOOK = """
import os, sys
if "avpipe.server.worker" in sys.orig_argv:
    for task, code in (("render", "TEST_RENDER_HOOK"), ("align", "TEST_ALIGN_HOOK")):
        if task in sys.orig_argv and os.path.exists(os.environ[code]):
            exec(open(os.environ[code]).read())
"""
"""A `sitecustomize`: runs a file, where it is there, in the workers that render, or compare."""


@dataclass(kw_only=True)
class Server:
    """A server that can be started, killed and started again on the same data."""

    folder: Path
    more: Mapping[str, str] = field(default_factory=dict)
    url: str = ""
    process: subprocess.Popen[str] | None = None
    clients: list[httpx.Client] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        self.data = self.folder / "data"
        self.hook = self.folder / "hook.py"
        self.align_hook = self.folder / "align_hook.py"
        place = self.folder / "site"
        place.mkdir(exist_ok=True)
        (place / "sitecustomize.py").write_text(HOOK)
        self.line = CommandLine(folder=self.folder).with_env(
            PYTHONPATH=str(place),
            TEST_RENDER_HOOK=str(self.hook),
            TEST_ALIGN_HOOK=str(self.align_hook),
            AVPIPE_SERVER_TOKENS_PER_ADDRESS="1000",
            AVPIPE_SERVER_REQUESTS_PER_S="1000",
            AVPIPE_JOBS="1",
            **self.more,
        )

    def start(self) -> Server:
        """Begin to serve; waits until requests are taken."""
        self.process = self.line.start(
            "serve", "--port", "0", "--data", self.data, "--json", stdin=subprocess.DEVNULL
        )
        assert self.process.stdout is not None
        (there, _, _) = select.select([self.process.stdout], [], [], LIMIT_S)
        assert there, "the server did not begin"
        said = self.process.stdout.readline()
        if not said:
            (_, err) = self.process.communicate(timeout=LIMIT_S)
            raise AssertionError(err)
        self.url = json.loads(said)["url"]
        return self

    def kill(self) -> None:
        """End it as a power cut would; its workers end with it."""
        assert self.process is not None
        self.process.kill()
        self.process.communicate(timeout=LIMIT_S)
        self.line.assert_alone()

    def stop(self, number: int = signal.SIGINT) -> tuple[int, str]:
        """End it in order; gives its exit code and what it said on standard error."""
        assert self.process is not None
        self.process.send_signal(number)
        (_, err) = self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode, err

    @contextlib.contextmanager
    def running(self) -> Iterator[Server]:
        """Serve for a while."""
        self.start()
        with self.serving():
            yield self

    @contextlib.contextmanager
    def serving(self) -> Iterator[Server]:
        """End it afterwards, where it was started."""
        try:
            yield self
        finally:
            for client in self.clients:
                client.close()
            if self.process is not None and self.process.poll() is None:
                self.process.kill()
                self.process.communicate(timeout=LIMIT_S)

    def user(self) -> User:
        """A new user with a session."""
        return User.sign_up(self.client())

    def client(self) -> httpx.Client:
        """Whoever has no token yet."""
        self.clients.append(httpx.Client(base_url=self.url, timeout=LIMIT_S, trust_env=False))
        return self.clients[-1]

    def hold_renders(self, name: str = "gate") -> Gate:
        """Let each render say that it has begun, and wait for ever."""
        gate = Gate.make(self.folder / f"{name}-{uuid.uuid4().hex[:6]}")
        self.hook.write_text(gate.python)
        return gate

    @contextlib.contextmanager
    def held_comparisons(self) -> Iterator[Gate]:
        """Let each comparison of two sounds say that it has begun; it goes on afterwards."""
        gate = Gate.make(self.folder / f"gate-{uuid.uuid4().hex[:6]}")
        wait = f"while os.path.exists({str(self.align_hook)!r}): select.select([], [], [], 0.02)"
        self.align_hook.write_text(f"{gate.said}import os\n{wait}\n")
        try:
            yield gate
        finally:
            self.align_hook.unlink()

    def worker_pids(self) -> list[int]:
        """The processes that render."""
        found = marked(self.line.mark)
        return [pid for pid, line in found.items() if "avpipe.server.worker render" in line]


@dataclass(kw_only=True)
class User:
    """Somebody with a token, and a session."""

    http: httpx.Client
    token: str
    user_id: str
    session: str = ""

    @classmethod
    def sign_up(cls, http: httpx.Client) -> User:
        """Ask for a token, and make a session."""
        headers = {"X-Client-Id": str(uuid.uuid4())}
        data = http.post("/api/auth/anonymous-token", headers=headers).json()["data"]
        http.headers.update({**ATTRIBUTION, "Authorization": f"Bearer {data['token']}"})
        user = cls(http=http, token=data["token"], user_id=data["user_id"])
        made = http.post("/api/tasks/me/with-session/nemo_agent", json={"task_name": "project"})
        user.session = made.json()["data"]["session_id"]
        return user

    def upload(self, *paths: Path, name: str | None = None) -> httpx.Response:
        """Send files into the session."""
        files = [("files", (name or path.name, path.read_bytes())) for path in paths]
        return self.http.post(f"/api/upload-video/nemo_agent/me/{self.session}", files=files)

    def say(self, text: str, query: str = "") -> httpx.Response:
        """Tell the agent something; the whole stream is read."""
        form = {
            "app_name": "nemo_agent",
            "user_id": "me",
            "session_id": self.session,
            "new_message": {"parts": [{"text": text}]},
        }
        return self.http.post(f"/run_sse{query}", json=form)

    def state(self) -> Any:
        """All that the session holds."""
        return self.http.get(f"/api/state/nemo_agent/me/{self.session}/latest").json()["data"]

    def render(self, name: str | None = None) -> str:
        """Ask for a render of the timeline; gives its id."""
        name = name or f"render_{uuid.uuid4().hex}"
        form = {"id": name, "sessionId": self.session, "draft": self.state()["state"]["draft"]}
        answer = self.http.post("/api/render/proxy/lambda", json=form)
        assert answer.status_code == 200, answer.text
        return name

    def poll(self, name: str) -> Any:
        """How far a render is."""
        return self.http.get(f"/api/render/proxy/lambda/{name}").json()

    def rendered(self, name: str) -> Any:
        """The last state of a render, waited for."""
        for _ in range(int(LIMIT_S / 0.1)):
            form = self.poll(name)
            if form["status"] in ("completed", "failed"):
                return form
            select.select([], [], [], 0.1)
        raise AssertionError(f"the render did not end: {form}")


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    """The events of a stream."""
    lines = answer.text.splitlines()
    return [json.loads(line[6:]) for line in lines if line.startswith("data: ")]


def make_clip(path: Path, **more: Any) -> Path:
    """Two seconds of a small video with sound."""
    options: dict[str, Any] = {"size": (160, 90), "duration": 2, "rate": 30, "audio": "clicks"}
    make_video(path, **(options | more), flashes=())
    return path
