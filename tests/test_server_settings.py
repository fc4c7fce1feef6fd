"""What the operator of a server decides holds, and what the operator looks at is told."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from server_world import ATTRIBUTION, Server, User, make_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "camera.mp4")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, clip: Path) -> Iterator[Server]:
    more = {
        "AVPIPE_SERVER_SIGNUP": "invited",
        "AVPIPE_SERVER_ANONYMOUS_EXPORT": "off",
        "AVPIPE_SERVER_USER_QUOTA": str(clip.stat().st_size * 3 // 2),
        "AVPIPE_SERVER_BASE_URL": "https://films.example/edit",
        "AVPIPE_SERVER_CREDITS": "7",
    }
    with Server(folder=tmp_path_factory.mktemp("settings") / "server", more=more).running() as made:
        yield made


def local_url(server: Server) -> str:
    """Where it listens, which it does not tell when it has a base URL."""
    assert server.process is not None
    names = []
    for link in Path(f"/proc/{server.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            names.append(link.readlink().name)
    inodes = {name[len("socket:[") : -1] for name in names if name.startswith("socket:")}
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if fields[9] in inodes and fields[3] == "0A":
            return f"http://127.0.0.1:{int(fields[1].partition(':')[2], 16)}"
    raise AssertionError("it does not listen")


def test_who_is_invited_comes_in_and_keeps_to_the_bounds(server: Server, clip: Path) -> None:
    assert server.url == "https://films.example/edit"
    http = server.client()
    http.base_url = local_url(server)
    refused = http.post("/api/auth/anonymous-token", headers={"X-Client-Id": "somebody"})
    assert refused.status_code in (401, 403)
    invited = server.line("serve", "--invite", "--data", server.data, "--json").json
    http.headers.update({**ATTRIBUTION, "Authorization": f"Bearer {invited['token']}"})
    form = {"task_name": "project"}
    session = http.post("/api/tasks/me/with-session/nemo_agent", json=form).json()["data"]
    user = User(http=http, token=invited["token"], user_id="", session=session["session_id"])
    assert http.get("/api/credits/balance/simple").json()["data"]["available"] == 7
    assert user.upload(clip).status_code == 200
    assert user.upload(clip).json()["code"] == 4002  # more than the quota
    (file,) = user.state()["state"]["video_infos"]
    assert file["cdn_url"].startswith("https://films.example/edit/media/")
    user.say("mute the video")
    assert user.rendered(user.render())["status"] == "completed"  # anonymous users alone may not

    health = http.get("/healthz").json()
    assert (health["ok"], health["workers"]) == (True, {"wanted": 1, "alive": 1})
    assert health["renders"] == {"pending": 0, "processing": 0}
    assert health["encoders"] is None or "libx264" in health["encoders"]
    told = http.get("/metrics").text
    assert 'avpipe_renders_total{outcome="completed"} 1.0' in told
    (uploaded,) = re.findall(r"^avpipe_uploaded_bytes_total (.+)$", told, re.MULTILINE)
    assert clip.stat().st_size <= float(uploaded) < 3 * clip.stat().st_size
    assert 'avpipe_renders_unfinished{state="pending"} 0.0' in told


def test_export_may_be_for_invited_users_alone(tmp_path: Path, clip: Path) -> None:
    more = {"AVPIPE_SERVER_ANONYMOUS_EXPORT": "off", "AVPIPE_SERVER_STREAMS_PER_USER": "1"}
    with Server(folder=tmp_path / "server", more=more).running() as server:
        user = server.user()
        user.upload(clip)
        user.say("mute the video")
        refused = user.http.post(
            "/api/render/proxy/lambda", json={"id": "one", "sessionId": user.session}
        )
        assert (refused.status_code, refused.json()["code"]) == (402, 402)
