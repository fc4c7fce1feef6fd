"""Renders of a server: made, looked at, cancelled, and not lost to whatever ends a process."""

from __future__ import annotations

import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from commands import small_disk
from measure import click_times
from server_world import Server, User, make_clip


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "camera.mp4")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    with Server(folder=tmp_path / "server").running() as made:
        yield made


def edited(server: Server, clip: Path) -> User:
    """A user whose timeline holds the clip."""
    user = server.user()
    assert user.upload(clip).status_code == 200
    assert "undone" not in user.say("mute the video").text
    assert user.state()["state"]["draft"]["t"]
    return user


def attempts(server: Server, name: str) -> list[tuple[int, str | None]]:
    """The attempts at a render, with how each ended."""
    with sqlite3.connect(server.data / "server.sqlite3") as db:
        rows = db.execute(
            "SELECT attempts.attempt, outcome FROM attempts JOIN renders USING (number)"
            " WHERE render_id = ? ORDER BY attempts.attempt",
            (name,),
        ).fetchall()
    db.close()
    return rows


def test_a_killed_server_takes_up_what_it_accepted(server: Server, clip: Path) -> None:
    """One render was at work and one waited: each is completed once, after a restart."""
    user = edited(server, clip)
    gate = server.hold_renders()
    (first, second) = (user.render(), user.render())
    gate.wait()
    assert user.poll(second)["queuePosition"] == 1
    server.kill()
    server.hook.unlink()
    server.start()
    user.http.base_url = server.url
    done = [user.rendered(name) for name in (first, second)]
    assert [form["status"] for form in done] == ["completed", "completed"]
    assert [outcome for _, outcome in attempts(server, first)] == ["the server ended", "completed"]
    assert [outcome for _, outcome in attempts(server, second)] == ["completed"]
    made = user.http.get(done[0]["output"]["url"].replace(server.url, ""))
    assert len(made.content) == done[0]["output"]["size"]
    folder = server.data / "sessions" / user.session
    assert len(list(folder.glob("render-*.mp4"))) == 2
    # The link names the port of the server that answered, and a range of the file is a part of it.
    part = user.http.get(f"/api/render/proxy/{first}/download", headers={"Range": "bytes=4-7"})
    assert (part.status_code, part.content) == (206, made.content[4:8])


def test_a_killed_worker_is_followed_by_another(server: Server, clip: Path) -> None:
    user = edited(server, clip)
    gate = server.hold_renders()
    name = user.render()
    gate.wait()
    (pid,) = server.worker_pids()
    server.hook.unlink()
    os.kill(pid, signal.SIGKILL)
    assert user.rendered(name)["status"] == "completed"
    assert len(attempts(server, name)) == 2


def test_a_render_that_always_kills_its_worker_fails(server: Server, clip: Path) -> None:
    user = edited(server, clip)
    server.hook.write_text("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    name = user.render()
    form = user.rendered(name)
    assert form["status"] == "failed"
    assert "3 times" in form["error"]
    server.hook.unlink()
    assert user.rendered(user.render())["status"] == "completed"  # the queue goes on


def test_a_cancelled_render_ends_its_worker(server: Server, clip: Path) -> None:
    user = edited(server, clip)
    gate = server.hold_renders()
    name = user.render()
    gate.wait()
    (pid,) = server.worker_pids()
    answer = user.http.post(f"/api/render/proxy/lambda/{name}/cancel")
    assert answer.json()["data"]["status"] == "cancelled"
    assert user.poll(name) == {
        "taskId": name, "status": "failed", "progress": 0, "error": "cancelled",
    }  # fmt: skip
    server.hook.unlink()
    assert user.rendered(user.render())["status"] == "completed"
    assert not Path(f"/proc/{pid}").exists()


def test_sigterm_lets_the_render_end_and_sigint_puts_it_back(server: Server, clip: Path) -> None:
    user = edited(server, clip)
    gate = server.hold_renders()
    name = user.render()
    gate.wait()
    assert server.stop(signal.SIGINT) == (130, "error: interrupted\n")
    server.line.assert_alone()
    # No attempt is counted against it: nothing was wrong with the render.
    assert attempts(server, name) == []
    server.hook.unlink()
    server.start()
    user.http.base_url = server.url
    user.rendered(name)
    second = user.render()
    while user.poll(second)["status"] == "pending":
        pass
    assert server.stop(signal.SIGTERM) == (0, "")
    assert [outcome for _, outcome in attempts(server, second)] == ["completed"]


def test_what_is_made_sounds_as_the_timeline_says(server: Server, clip: Path) -> None:
    user = edited(server, clip)
    silent = user.rendered(user.render())
    user.say("undo")
    loud = user.rendered(user.render())
    folder = server.data / "sessions" / user.session
    made = sorted(folder.glob("render-*.mp4"), key=lambda path: path.stat().st_mtime_ns)
    clicks = [list(click_times(path)) for path in made]
    assert clicks[0] == []
    assert clicks[1] == pytest.approx(list(click_times(clip)), abs=0.001)
    assert silent["output"]["duration"] == pytest.approx(2.0, abs=0.05)
    assert loud["output"]["duration"] == pytest.approx(2.0, abs=0.05)


def test_a_damaged_database_is_told_of_and_left_alone(tmp_path: Path, clip: Path) -> None:
    server = Server(folder=tmp_path / "server")
    with server.running():
        edited(server, clip)
        server.stop()
    path = server.data / "server.sqlite3"
    damaged = bytearray(path.read_bytes())
    damaged[4096:12288] = bytes(range(256)) * 32
    path.write_bytes(damaged)
    ran = server.line("serve", "--port", "0", "--data", server.data)
    assert ran.code == 1
    assert "server.sqlite3 is damaged" in ran.error or "cannot be used" in ran.error
    assert "hint: move the file away" in ran.err
    assert path.read_bytes() == bytes(damaged)


def test_two_servers_do_not_share_a_folder(server: Server) -> None:
    ran = server.line("serve", "--port", "0", "--data", server.data)
    assert ran.code == 1
    assert "another server uses" in ran.error


def test_a_full_disk_refuses_and_keeps_what_there_is(tmp_path: Path, clip: Path) -> None:
    try:
        disk = small_disk(tmp_path / "disk", "230M")
        with disk as remount:
            server = Server(folder=tmp_path / "server")
            server.data = tmp_path / "disk" / "data"
            with server.running():
                user = edited(server, clip)
                remount("size=150M")
                refused = user.upload(clip)
                assert (refused.status_code, refused.json()["code"]) == (507, 507)
                form = {"id": "render_1", "sessionId": user.session}
                assert user.http.post("/api/render/proxy/lambda", json=form).status_code == 507
                remount("size=230M")
                assert len(user.state()["state"]["video_infos"]) == 1
                assert user.upload(clip).status_code == 200
                server.stop()
    except PermissionError as error:
        pytest.skip(str(error))


def test_the_one_encoder_that_is_allowed_is_the_one_that_is_used(
    tmp_path: Path, clip: Path
) -> None:
    with Server(
        folder=tmp_path / "server", more={"AVPIPE_ENCODER": "h264_nobody_has"}
    ).running() as server:
        user = edited(server, clip)
        form = user.rendered(user.render())
        assert (form["status"], "h264_nobody_has does not work" in form["error"]) == (
            "failed",
            True,
        )
