"""Files by their address: from the public network alone, within bounds, by whatever tricks."""

from __future__ import annotations

import asyncio
import contextlib
import http.server
import select
import socket
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from server_world import Server, make_clip
from starlette.applications import Starlette

from avpipe.errors import FileTooLargeError, RequestError
from avpipe.server.app import UPLOADS_AT_ONCE, UPLOADS_OF_USER, make_app
from avpipe.server.fetch import FetchError, fetch, is_public
from avpipe.server.service import Service
from avpipe.settings import ServerSettings, Settings


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("fetch")
    more = {"AVPIPE_SERVER_URL_UPLOADS": "on"}
    with Server(folder=folder / "server", more=more).running() as made:
        yield made


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.1", "172.16.0.1", "169.254.169.254", "0.0.0.0",
     "100.64.0.1", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00::1",
     "fec0::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1"],
)  # fmt: skip
def test_private_addresses_are_not_public(address: str) -> None:
    assert not is_public(address)


def test_public_addresses_are_public() -> None:
    assert is_public("93.184.216.34")
    assert is_public("2606:2800:220:1::1")


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1/a.mp4", "http://localhost:1/a.mp4", "http://2130706433/a.mp4",
     "http://[::1]/a.mp4", "http://0x7f.1/a.mp4", "file:///etc/passwd", "ftp://127.0.0.1/a.mp4",
     "http://user@127.0.0.1/a.mp4", "gopher://127.0.0.1/a.mp4", "http:///a.mp4", "a.mp4"],
)  # fmt: skip
def test_no_private_address_is_fetched(
    server: Server, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    user = server.user()
    answer = user.http.post(
        f"/api/upload-video/nemo_agent/me/{user.session}",
        json={"urls": [url], "source_type": "url"},
    )
    assert answer.status_code == 400, answer.text
    assert user.state()["state"]["video_infos"] == []


class _Web(http.server.BaseHTTPRequestHandler):
    body = b""
    asked: list[str]
    held: threading.Semaphore
    """Released by each request for a path with that word, which then waits until it may go on."""
    go_on: threading.Event

    def do_GET(self) -> None:
        type(self).asked.append(self.path)
        if "held" in self.path:
            self.held.release()
            self.go_on.wait()
        if "slow" in self.path:
            self._drip()
            return
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.body) + ("short" in self.path)))
        self.end_headers()
        self.wfile.write(self.body)

    def _drip(self) -> None:
        """A byte now and then, for as long as somebody takes them."""
        with contextlib.suppress(OSError):
            if "head" not in self.path:
                self.send_response(200)
                self.end_headers()
            for _ in range(600):
                self.wfile.write(b"H")
                select.select([], [], [], 0.05)

    def log_message(self, *args: Any) -> None:
        """Nothing is printed."""


@pytest.fixture
def web(tmp_path: Path) -> Iterator[Any]:
    class Handler(_Web):
        body = make_clip(tmp_path / "web.mp4", duration=1).read_bytes()
        asked: list[str] = []  # noqa: RUF012
        held = threading.Semaphore(0)
        go_on = threading.Event()

    site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=site.serve_forever, args=(0.02,), daemon=True).start()
    yield site
    Handler.go_on.set()
    site.shutdown()
    site.server_close()


def test_addresses_are_looked_at_after_every_redirect(web: Any, tmp_path: Path) -> None:
    """The port of the test's own server stands for the public network."""
    port = web.server_port
    allowed = {"127.0.0.1": True, "127.0.0.2": False}

    def get(url: str, limit: int = 1 << 20) -> Any:
        return fetch(
            url, tmp_path, limit_bytes=limit, room_bytes=limit, allowed=lambda ip: allowed[ip]
        )

    base = f"http://127.0.0.1:{port}"
    arrived = get(f"{base}/to//films/my%20film.mp4")
    assert arrived.name == "my film.mp4"
    assert arrived.path.read_bytes() == web.RequestHandlerClass.body
    arrived.path.unlink()
    with pytest.raises(RequestError, match="private"):
        get(f"{base}/to/http://127.0.0.2:{port}/a.mp4")
    with pytest.raises(RequestError, match="only http"):
        get(f"{base}/to/file:///etc/passwd")
    with pytest.raises(FetchError, match="without end"):
        get(f"{base}/to/{'/to/' * 9}a.mp4")
    with pytest.raises(FetchError, match="broke off"):
        get(f"{base}/short.mp4")
    with pytest.raises(FileTooLargeError):
        get(f"{base}/a.mp4", limit=100)
    assert not list(tmp_path.glob("*-*.mp4"))
    assert {path.name for path in tmp_path.iterdir()} == {"web.mp4"}


@pytest.mark.parametrize("path", ["/slow-head", "/slow.mp4"])
def test_who_sends_a_byte_now_and_then_is_not_waited_for(
    web: Any, tmp_path: Path, path: str
) -> None:
    """Never idle, and never ready: the time of the whole is bound."""
    began = time.monotonic()
    url = f"http://127.0.0.1:{web.server_port}{path}"
    with pytest.raises(FetchError):
        fetch(
            *(url, tmp_path),
            limit_bytes=1 << 20,
            room_bytes=1 << 20,
            allowed=lambda _: True,
            limit_s=0.5,
        )
    assert time.monotonic() - began < 20
    assert {name.name for name in tmp_path.iterdir()} == {"web.mp4"}


def test_one_user_leaves_room_for_the_fetches_of_others(web: Any, tmp_path: Path) -> None:
    """Of as many as there are places, two are at work; what waits is done afterwards."""
    held = web.RequestHandlerClass
    base = f"http://127.0.0.1:{web.server_port}"
    own = ServerSettings(data=str(tmp_path / "data"), url_uploads=True, requests_per_s=1000)
    settings = Settings(state_dir=tmp_path / "state", server=own)

    async def signed_up(http: httpx.AsyncClient) -> Callable[[str], Awaitable[httpx.Response]]:
        """A new user; gives what lets a session of that one fetch a file."""
        client = {"X-Client-Id": str(uuid.uuid4())}
        told = (await http.post("/api/auth/anonymous-token", headers=client)).json()["data"]
        headers = {"Authorization": f"Bearer {told['token']}"}
        made = await http.post(
            "/api/tasks/me/with-session/nemo_agent", json={"task_name": "p"}, headers=headers
        )
        place = f"/api/upload-video/nemo_agent/me/{made.json()['data']['session_id']}"

        async def fetched(url: str) -> httpx.Response:
            form = {"urls": [url], "source_type": "url"}
            return await http.post(place, json=form, headers=headers)

        return fetched

    async def run(app: Starlette) -> None:
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost", timeout=60) as http,
        ):
            (one, other) = [await signed_up(http) for _ in range(2)]
            many = [asyncio.ensure_future(one(f"{base}/held.mp4")) for _ in range(UPLOADS_AT_ONCE)]
            for _ in range(UPLOADS_OF_USER):
                await asyncio.to_thread(held.held.acquire)
            answer = await other(f"{base}/film.mp4")
            assert answer.status_code == 200, answer.text
            assert held.asked.count("/held.mp4") == UPLOADS_OF_USER
            held.go_on.set()
            assert {answer.status_code for answer in await asyncio.gather(*many)} == {200}

    with Service(settings) as service:
        asyncio.run(run(make_app(service, may_fetch=lambda _: True)))


def test_what_cannot_be_fetched_is_no_failure_of_the_server(server: Server) -> None:
    """The name of nobody: told as the request's fault."""
    user = server.user()
    answer = user.http.post(
        f"/api/upload-video/nemo_agent/me/{user.session}",
        json={"urls": ["http://nobody.invalid/a.mp4"], "source_type": "url"},
    )
    assert (answer.status_code, answer.json()["message"]) == (400, "nobody.invalid is not known")


def test_the_connection_goes_to_the_address_that_was_looked_at(
    web: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name that means another address when it is asked a second time gains nothing."""
    answers = [("127.0.0.1", web.server_port), ("127.0.0.9", 1)]

    def resolve(host: str, port: int, **more: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", answers.pop(0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    connect = socket.create_connection

    def noted(address: Any, timeout: float) -> Any:
        assert address[0] == "127.0.0.1"
        monkeypatch.undo()
        return connect(address, timeout=timeout)

    monkeypatch.setattr(socket, "create_connection", noted)
    url = f"http://rebound.example:{web.server_port}/a.mp4"
    arrived = fetch(url, tmp_path, limit_bytes=1 << 20, room_bytes=1 << 20, allowed=lambda _: True)
    assert arrived.name == "a.mp4"
