"""What time, disks, kills and networks do to a server: nothing is lost without a word."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from commands import await_end, names, small_disk
from server_world import Server, User, make_clip

from avpipe.codecs.probe import probe
from avpipe.errors import NotAuthorisedError, RateLimitedError, SessionGoneError
from avpipe.server.accounts import DAY_S
from avpipe.server.accounts import User as Account
from avpipe.server.service import Service, SteadyClock
from avpipe.settings import ServerSettings, Settings


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "camera.mp4")


@dataclass(kw_only=True)
class Time:
    """The machine's clock, that somebody may set, and the time that really goes by."""

    wall_s: float = 1.8e9
    real_s: float = 1000.0

    def passes(self, days: float) -> None:
        self.wall_s += days * DAY_S
        self.real_s += days * DAY_S

    def jumps(self, days: float) -> None:
        self.wall_s += days * DAY_S

    def clock(self) -> SteadyClock:
        return SteadyClock(lambda: self.wall_s, lambda: self.real_s)


@contextmanager
def service(folder: Path, time: Time) -> Iterator[Service]:
    """A server's inside, by a clock of the test's; a new one at each start, as a process has."""
    server = ServerSettings(data=str(folder / "data"), tokens_per_address=1)
    with Service(Settings(state_dir=folder / "state", server=server), time.clock()) as made:
        yield made


def session_with_file(made: Service, account: Account, clip: Path) -> tuple[str, Path]:
    session = made.sessions.create(account, "project", None).session_id
    path = made.sessions.folder / session / "one.mp4"
    path.write_bytes(clip.read_bytes())
    made.sessions.add_file(session, "camera.mp4", path, probe(clip), "")
    return session, path


@pytest.mark.parametrize("days", [-4000.0, 4000.0])
def test_a_clock_that_is_set_expires_nothing_and_keeps_nothing_for_ever(
    tmp_path: Path, clip: Path, days: float
) -> None:
    time = Time()
    with service(tmp_path, time) as made:
        granted = made.accounts.sign_up("client", "1.2.3.4")
        account = made.accounts.user(granted.token)
        (session, path) = session_with_file(made, account, clip)
        link = made.links.to("", "file", session, "x", "x").split("/")
        time.jumps(days)
        made.sweep()
        assert made.accounts.user(granted.token) == account
        assert path.exists()
        made.links.check("file", session, "x", int(link[5]), link[6])
        with pytest.raises(RateLimitedError):
            made.accounts.sign_up("other", "1.2.3.4")
        made.renders.submit(account, made.sessions.of(account, session), "one", {}, {})
        assert made.renders.of(account, "one").created_s == pytest.approx(1.8e9)
        time.passes(8)
        with pytest.raises(NotAuthorisedError):
            made.accounts.user(granted.token)
        with pytest.raises(SessionGoneError):
            made.links.check("file", session, "x", int(link[5]), link[6])
        made.accounts.sign_up("other", "1.2.3.4")


def test_what_is_too_old_is_removed_and_what_renders_is_not(tmp_path: Path, clip: Path) -> None:
    time = Time()
    with service(tmp_path, time) as made:
        made.workers.finish()  # renders stay where they are put
        account = made.accounts.user(made.accounts.invite(days=100).token)
        kept = {}
        for name in ("forgotten", "looked at", "waits", "at work", "ended"):
            (session, path) = session_with_file(made, account, clip)
            kept[name] = (session, path)
        for name in ("at work", "waits", "ended"):
            session = made.sessions.of(account, kept[name][0])
            made.renders.submit(account, session, name.replace(" ", "_"), {}, {})
        assert made.renders.take() is not None
        made.renders.cancel(account, "ended")
        time.passes(6)
        made.sessions.of(account, kept["looked at"][0])
        made.sweep()
        assert all(path.exists() for _, path in kept.values())
        time.passes(2)
        made.sweep()
        left = {name for name, (_, path) in kept.items() if path.exists()}
        assert left == {"looked at", "waits", "at work"}
        for name in ("forgotten", "ended"):
            assert not path_of_session(made, kept[name][0]).exists()
            with pytest.raises(SessionGoneError):
                made.sessions.of(account, kept[name][0])
        made.renders.cancel(account, "waits")
        made.sweep()
        assert not kept["waits"][1].exists()


def path_of_session(made: Service, session: str) -> Path:
    return made.sessions.folder / session


@pytest.mark.parametrize("days", [-4000.0, 0.0, 4000.0])
def test_time_without_a_server_does_not_count(tmp_path: Path, clip: Path, days: float) -> None:
    """Off for months, or started while the clock was wrong: files are as old as they were."""
    time = Time()
    with service(tmp_path, time) as made:
        account = made.accounts.user(made.accounts.invite(days=100).token)
        (_, path) = session_with_file(made, account, clip)
        time.passes(5)
        made.sweep()
        assert path.exists()
    time.jumps(days)
    with service(tmp_path, time) as made:
        made.sweep()
        assert path.exists()
        time.passes(1)
        made.sweep()
        assert path.exists()
        time.passes(1.5)
        made.sweep()
        assert not path.exists()


def attempts(server: Server) -> list[str | None]:
    with sqlite3.connect(server.data / "server.sqlite3") as db:
        rows = db.execute("SELECT outcome FROM attempts ORDER BY attempt").fetchall()
    db.close()
    return [row[0] for row in rows]


def test_a_file_that_was_finished_and_not_recorded_is_made_again(
    tmp_path: Path, clip: Path
) -> None:
    with Server(folder=tmp_path / "server").running() as server:
        user = edited(server, clip)
        gate = server.hold_renders()
        held = f"import atexit\natexit.register(lambda: exec({gate.python!r}, {{}}))\n"
        server.hook.write_text(held)  # its file has its name, and its process has not ended
        name = user.render()
        gate.wait()
        folder = server.data / "sessions" / user.session
        assert "render-1-1.mp4" in names(folder)
        assert user.poll(name)["status"] == "processing"
        server.kill()
        server.hook.unlink()
        server.start()
        user.http.base_url = server.url
        assert user.rendered(name)["status"] == "completed"
        assert attempts(server) == ["the server ended", "completed"]
        assert {one for one in names(folder) if one.startswith("render")} == {"render-1-2.mp4"}


def edited(server: Server, clip: Path) -> User:
    """A user whose timeline is the clip, muted."""
    user = server.user()
    assert user.upload(clip).status_code == 200
    user.say("mute the video")
    return user


def self_signed(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1, and its key."""
    (certificate, key) = (folder / "cert.pem", folder / "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    return certificate, key


@pytest.mark.needs("openssl")
def test_with_tls_files_it_speaks_https_alone(tmp_path: Path, clip: Path) -> None:
    (certificate, key) = self_signed(tmp_path)
    more = {
        "AVPIPE_SERVER_TLS_CERTIFICATE": str(certificate),
        "AVPIPE_SERVER_TLS_KEY": str(key),
    }
    with Server(folder=tmp_path / "server", more=more).running() as server:
        assert server.url.startswith("https://127.0.0.1:")
        line = server.line.with_env(NEMO_API_URL=server.url, NEMO_WEB_URL=server.url)
        refused = line("cloud", "connect", "--json")
        assert (refused.code, "certificate" in refused.err.lower()) == (7, True)
        trusting = line.with_env(SSL_CERT_FILE=str(certificate))
        ran = trusting("cloud", "upload", clip, "--json")
        assert ran.code == 0, ran.err
        assert ran.json["files"][0]["url"].startswith(server.url)
        with pytest.raises(httpx.HTTPError):
            httpx.get(server.url.replace("https:", "http:"))


@pytest.mark.needs("openssl")
def test_tls_files_that_do_not_fit_are_told(tmp_path: Path) -> None:
    (certificate, _) = self_signed(tmp_path)
    server = Server(folder=tmp_path / "server")
    for key in (certificate, tmp_path / "nothing.pem"):
        line = server.line.with_env(
            AVPIPE_SERVER_TLS_CERTIFICATE=str(certificate), AVPIPE_SERVER_TLS_KEY=str(key)
        )
        ran = line("serve", "--port", "0", "--data", server.data)
        assert ran.code == 2
        assert ran.error.startswith("the TLS files cannot be used: ")


def test_a_database_that_is_damaged_while_it_serves_is_told(tmp_path: Path, clip: Path) -> None:
    """503 to who asks, and not an empty list; nothing is made anew in its place."""
    with Server(folder=tmp_path / "server").running() as server:
        user = edited(server, clip)
        path = server.data / "server.sqlite3"
        with sqlite3.connect(path) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.close()
        whole = path.read_bytes()
        with path.open("r+b") as file:
            file.write(os.urandom(len(whole)))
        answer = user.http.get(f"/api/state/nemo_agent/me/{user.session}/latest")
        assert (answer.status_code, answer.json()["code"]) == (503, 503)
        health = user.http.get("/healthz")
        assert (health.status_code, health.json()["ok"]) == (503, False)
        assert "server.sqlite3" in health.json()["store"]
        damaged = path.read_bytes()
        assert damaged != whole
        server.kill()
        ran = server.line("serve", "--port", "0", "--data", server.data)
        assert (ran.code, "server.sqlite3" in ran.error) == (1, True)
        assert path.read_bytes() == damaged


def test_a_disk_that_fills_while_it_renders_is_told_and_the_queue_goes_on(
    tmp_path: Path, clip: Path
) -> None:
    """Not even the failure can be written then: it is as soon as there is room."""
    try:
        with small_disk(tmp_path / "disk", "260M"):
            ballast = tmp_path / "disk" / "ballast"
            server = Server(folder=tmp_path / "server")
            server.data = tmp_path / "disk" / "data"
            with server.running():
                user = edited(server, clip)
                gate = server.hold_renders()
                fill = f"""
with open({str(ballast)!r}, "ab", buffering=0) as file:
    try:
        for size in (1 << 20, 4096, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                pass
    finally:
        open({str(gate.ready)!r}, "w").write("x")
"""
                server.hook.write_text(fill)
                name = user.render()
                gate.wait()
                server.hook.unlink()
                for pid in server.worker_pids():
                    await_end(pid)
                assert user.state()["state"]["video_infos"]
                ballast.unlink()
                form = user.rendered(name)
                assert form["status"] == "failed"
                assert "MB left" in form["error"] or "full" in form["error"], form
                assert user.rendered(user.render())["status"] == "completed"
                server.stop()
    except PermissionError as error:
        pytest.skip(str(error))


def test_an_upload_is_never_whole_in_memory(tmp_path: Path, clip: Path) -> None:
    with Server(folder=tmp_path / "server").running() as server:
        user = server.user()
        user.upload(clip)  # all code is there
        large = tmp_path / "large.mp4"
        content = clip.read_bytes()
        with large.open("wb") as file:
            rest = 300_000_000 - len(content)
            file.write(content + b"\0\0\0\1free" + rest.to_bytes(8, "big"))
            file.truncate(300_000_000)
        assert server.process is not None
        place = Path(f"/proc/{server.process.pid}")
        before = held_bytes(place, "VmRSS")
        (place / "clear_refs").write_text("5")  # the most that it held is counted from now on
        with large.open("rb") as file:
            path = f"/api/upload-video/nemo_agent/me/{user.session}"
            assert user.http.post(path, files={"files": ("large.mp4", file)}).status_code == 200
        assert held_bytes(place, "VmHWM") - before < 32_000_000


def held_bytes(place: Path, what: str) -> int:
    """A figure of a process's memory."""
    lines = (place / "status").read_text().splitlines()
    (line,) = [line for line in lines if line.startswith(what)]
    return int(line.split()[1]) * 1024
