"""`avpipe serve --cluster`: renders on the workers of a Dask cluster, none lost and none twice."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters import running_cluster
from commands import await_end, names
from measure import click_times
from server_world import Server, User, make_clip

pytest.importorskip("distributed", reason="the extra is not installed: scripts/install cluster")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "camera.mp4")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose cluster has two workers; both have the hook of the renders."""
    folder = tmp_path_factory.mktemp("cluster")
    server = Server(folder=folder / "server")
    with running_cluster(folder, 2, env=server.line.env) as cluster:
        server.line = server.line.with_env(AVPIPE_SERVER_CLUSTER=cluster.address)
        with server.running():
            yield server


@pytest.fixture
def user(server: Server, clip: Path) -> User:
    """Somebody whose timeline is the clip, muted."""
    server.hook.unlink(missing_ok=True)
    user = server.user()
    assert user.upload(clip).status_code == 200
    user.say("mute the video")
    return user


def made(server: Server, user: User) -> set[str]:
    """The files of renders in a session's folder, whatever they are named."""
    return {name for name in names(server.data / "sessions" / user.session) if "render" in name}


def outcomes(server: Server, name: str) -> list[str | None]:
    """How each attempt at a render ended."""
    with sqlite3.connect(server.data / "server.sqlite3") as db:
        rows = db.execute(
            "SELECT outcome FROM attempts JOIN renders USING (number) WHERE render_id = ?", (name,)
        ).fetchall()
    db.close()
    return [row[0] for row in rows]


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def held_render(server: Server, user: User) -> tuple[str, int]:
    """A render that stands still on a worker, and its process there; the next ones do not."""
    gate = server.hold_renders()
    name = user.render()
    gate.wait()
    server.hook.unlink()
    (pid,) = server.worker_pids()
    return name, pid


def test_a_render_goes_through_the_cluster(server: Server, user: User, clip: Path) -> None:
    found = user.http.get("/healthz").json()
    assert (found["cluster"], found["workers"]) == ({"threads": 2}, {"wanted": 2, "alive": 2})
    (name, pid) = held_render(server, user)
    assert server.process is not None
    assert parent_of(pid) != server.process.pid
    os.kill(pid, signal.SIGKILL)  # its file cannot be made: the next attempt is another
    user.say("undo")
    loud = user.render()
    forms = [user.rendered(one) for one in (name, loud)]
    assert [form["status"] for form in forms] == ["completed", "completed"]
    assert [len(outcomes(server, one)) for one in (name, loud)] == [2, 1]
    clicks = []
    for form in forms:
        path = server.data / "made.mp4"
        path.write_bytes(user.http.get(form["output"]["url"].replace(server.url, "")).content)
        assert path.stat().st_size == form["output"]["size"]
        clicks.append(list(click_times(path)))
    assert clicks == [[], pytest.approx(list(click_times(clip)), abs=0.001)]
    assert len(made(server, user)) == 2


def test_a_workers_death_neither_loses_nor_doubles_a_render(server: Server, user: User) -> None:
    (name, pid) = held_render(server, user)
    os.kill(parent_of(pid), signal.SIGKILL)
    assert user.rendered(name)["status"] == "completed"
    assert outcomes(server, name) == ["completed"]
    assert len(made(server, user)) == 1
    assert await_end(pid)


def test_a_cancelled_render_ends_on_its_worker(server: Server, user: User) -> None:
    (name, pid) = held_render(server, user)
    answer = user.http.post(f"/api/render/proxy/lambda/{name}/cancel")
    assert answer.json()["data"]["status"] == "cancelled"
    assert await_end(pid)
    assert user.poll(name)["error"] == "cancelled"
    assert user.rendered(user.render())["status"] == "completed"
    assert len(made(server, user)) == 1


def test_a_killed_server_takes_up_what_the_cluster_had(server: Server, user: User) -> None:
    """What a worker does for a server that is gone is ended; the next server has it made."""
    (name, pid) = held_render(server, user)
    assert server.process is not None
    server.process.kill()
    server.process.communicate(timeout=60)
    assert await_end(pid)
    server.start()
    user.http.base_url = server.url
    assert user.rendered(name)["status"] == "completed"
    assert outcomes(server, name) == ["the server ended", "completed"]
    assert len(made(server, user)) == 1


def test_a_scheduler_that_is_started_again_gets_what_it_lost(tmp_path: Path, clip: Path) -> None:
    server = Server(folder=tmp_path / "server")
    env = server.line.env
    with running_cluster(tmp_path, 1, env=env) as cluster:
        server.line = server.line.with_env(AVPIPE_SERVER_CLUSTER=cluster.address)
        server.start()
        user = server.user()
        user.upload(clip)
        user.say("mute the video")
        (name, _) = held_render(server, user)
    port = int(cluster.address.rpartition(":")[2])
    with server.serving(), running_cluster(tmp_path, 1, port=port, env=env):
        assert user.rendered(name)["status"] == "completed"
        assert outcomes(server, name) == ["completed"]  # nothing was wrong with the render
        assert len(made(server, user)) == 1


def test_no_scheduler_is_told(tmp_path: Path) -> None:
    line = Server(folder=tmp_path / "server").line
    ran = line("serve", "--port", "0", "--data", "data", "--cluster", "tcp://127.0.0.1:1")
    assert ran.code == 7
    assert "no Dask scheduler answers" in ran.error
