"""What a server must not do, whatever is asked of it."""

from __future__ import annotations

import json
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from server_world import ATTRIBUTION, Server, User, events, make_clip

from avpipe.server.app import ROUTES
from avpipe.server.limits import Limits
from avpipe.server.sessions import shown_name

SECRET = "the-secret-of-this-machine"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("security")
    more = {"AVPIPE_SERVER_UPLOAD_LIMIT": "5MB"}
    with Server(folder=folder / "server", more=more).running() as made:
        yield made


@pytest.fixture(scope="module")
def owner(server: Server, tmp_path_factory: pytest.TempPathFactory) -> User:
    """Somebody with a file, an edit and a finished render."""
    user = server.user()
    user.upload(make_clip(tmp_path_factory.mktemp("clip") / "camera.mp4"))
    user.say("mute the video")
    user.rendered(user.render("render_owned"))
    return user


def asked(route: Any, user: User, owner: User, file_id: str) -> httpx.Response:
    """A request of one user for what is another's."""
    values = {
        "user": "me", "session": owner.session, "render": "render_owned", "file": file_id,
    }  # fmt: skip
    path = route.path.format(**values, claim="x", name="x")
    (method,) = route.methods - {"HEAD"}
    if path.endswith("/alignment"):
        path += f"?video={file_id}&audio={file_id}"
    forms: dict[str, Any] = {
        "/run_sse": {
            "session_id": owner.session, "new_message": {"parts": [{"text": "undo"}]},
        },
        "/api/render/proxy/lambda": {"id": uuid.uuid4().hex, "sessionId": owner.session},
        "/api/auth/claim-token": {"session_id": owner.session},
    }  # fmt: skip
    form = forms.get(route.path, {"file": file_id, "shift_s": 1, "urls": ["http://x"]})
    return user.http.request(method, path, json=form if method == "POST" else None)


OWNED = [
    route
    for route in ROUTES
    if route.path.startswith(("/api/", "/run_sse"))
    and route.path
    not in (
        "/api/auth/anonymous-token",
        "/api/auth/exchange-claim-token",
        "/api/tasks/{user}/with-session/nemo_agent",
        "/api/credits/balance/simple",
    )
]


@pytest.mark.parametrize("route", OWNED, ids=lambda route: route.path)
def test_another_user_reaches_nothing(server: Server, owner: User, route: Any) -> None:
    before = owner.state()
    file_id = before["state"]["video_infos"][0]["file_id"]
    stranger = server.user()
    answer = asked(route, stranger, owner, file_id)
    assert answer.status_code == 404, answer.text
    assert file_id not in answer.text
    nobody = User(http=server.client(), token="", user_id="")
    assert asked(route, nobody, owner, file_id).json()["code"] == 1001
    assert owner.state()["state"]["draft"] == before["state"]["draft"]


def test_a_path_that_names_another_user_is_refused(server: Server, owner: User) -> None:
    stranger = server.user()
    path = f"/api/state/nemo_agent/{owner.user_id}/{stranger.session}/latest"
    assert stranger.http.get(path).json()["code"] == 1002
    own = path.replace(owner.user_id, stranger.user_id)
    assert stranger.http.get(own).json()["code"] == 0
    for named, code in ((owner.user_id, 1002), (stranger.user_id, 0)):
        path = f"/api/tasks/{named}/with-session/nemo_agent"
        assert stranger.http.post(path).json()["code"] == code


def test_a_link_opens_one_session_alone(server: Server) -> None:
    user = server.user()
    form = {"session_id": user.session}
    claim = user.http.post("/api/auth/claim-token", json=form).json()["data"]["claim_token"]
    other = user.http.post("/api/tasks/me/with-session/nemo_agent", json={"task_name": "x"})
    hidden = other.json()["data"]["session_id"]
    guest = server.client()
    assert guest.get(f"/api/page/{user.session}", headers=bearer(claim)).status_code == 401
    given = guest.post("/api/auth/exchange-claim-token", json={"claim_token": claim}).json()["data"]
    head = bearer(given["token"])
    assert guest.get(f"/api/page/{user.session}", headers=head).status_code == 200
    assert guest.get(f"/api/page/{hidden}", headers=head).status_code == 404
    assert guest.post("/api/tasks/me/with-session/nemo_agent", headers=head).status_code == 401


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}", **ATTRIBUTION}


def test_nothing_on_the_disk_is_a_token(server: Server, owner: User) -> None:
    for path in server.data.rglob("*"):
        if path.is_file():
            assert owner.token.encode() not in path.read_bytes(), path
    assert (server.data / "server.sqlite3").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("changed", ["session", "expires", "signature", "name", "what"])
def test_a_link_that_was_changed_opens_nothing(owner: User, changed: str) -> None:
    link = httpx.URL(owner.state()["state"]["video_infos"][0]["cdn_url"])
    parts = dict(
        zip(
            ("what", "session", "name", "expires", "signature"),
            link.path.split("/")[2:7],
            strict=True,
        )
    )
    assert httpx.get(link).status_code == 200
    last = "1" if parts[changed].endswith("0") else "0"
    parts[changed] = {"what": "sound", "expires": "9999999999"}.get(
        changed, parts[changed][:-1] + last
    )
    path = "/media/" + "/".join(parts.values()) + "/camera.mp4"
    assert httpx.get(link.copy_with(path=path)).status_code == 404


DISGUISES = {
    "playlist.mp4": "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10,\nfile://{secret}\n",
    "playlist.mkv": "\n  #EXTM3U\n#EXTINF:10,\n{secret}\n",
    "playlist.wav": "#EXTM3U\n#EXTINF:10,\nconcat:{secret}|{secret}\n",
    "script.mp4": "ffconcat version 1.0\nfile {secret}\n",
    "script.mov": "ffconcat version 1.0\nfile 'subfile,,start,0,end,9,,:{secret}'\n",
    "drawing.png": '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" '
    'xmlns:x="http://www.w3.org/1999/xlink"><image x:href="file://{secret}"/></svg>',
    "drawing.jpg": '<svg><image href="file://{secret}"/></svg>',
    "dash.mp4": "<MPD><Period><BaseURL>file://{secret}</BaseURL></Period></MPD>",
    "text.avi": "RIFF----AVI LIST{secret}",
    "sdp.mp4": "v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n",
    "nothing.mp4": "",
}


@pytest.mark.parametrize("name", DISGUISES)
def test_a_file_in_disguise_reads_nothing(server: Server, tmp_path: Path, name: str) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    path = tmp_path / name
    path.write_text(DISGUISES[name].replace("{secret}", str(secret)))
    user = server.user()
    accessed = secret.stat().st_atime_ns
    answer = user.upload(path)
    assert (answer.status_code, answer.json()["code"]) == (415, 4001)
    assert SECRET not in answer.text
    assert str(tmp_path) not in answer.text
    assert secret.stat().st_atime_ns == accessed
    assert user.state()["state"]["video_infos"] == []
    assert list((server.data / "sessions" / user.session).iterdir()) == []


def test_a_font_is_no_path(server: Server, owner: User) -> None:
    draft = owner.state()["state"]["draft"]
    text = {"d": 1000, "m": {"text": "x", "font": "/etc/passwd"}, "font": "/etc/passwd"}
    draft["t"].append({"tt": 7, "sg": [text]})
    form = {"id": "render_font", "sessionId": owner.session, "draft": draft}
    answer = owner.http.post("/api/render/proxy/lambda", json=form)
    assert (answer.status_code, "font" in answer.json()["message"]) == (400, True)


def test_a_draft_names_no_file_of_this_machine(server: Server, owner: User) -> None:
    for source in ("/etc/passwd", "file:///etc/passwd", "http://127.0.0.1/x.mp4", "../x"):
        draft = {"t": [{"tt": 0, "sg": [{"d": 1000, "src": source}]}]}
        form = {"id": f"render_{uuid.uuid4().hex}", "sessionId": owner.session, "draft": draft}
        assert owner.http.post("/api/render/proxy/lambda", json=form).status_code == 400


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ("../../etc/passwd.mp4", "passwd.mp4"),
        ("..\\..\\boot.mp4", "boot.mp4"),
        ("a\0b\n.mp4", "ab.mp4"),
        ("…" * 300 + ".mp4", "…" * 196 + ".mp4"),
        ("", "file"),
    ],
)
def test_a_name_is_no_path(told: str, shown: str) -> None:
    assert shown_name(told) == shown


def test_uploads_are_bounded(server: Server, tmp_path: Path) -> None:
    user = server.user()
    large = tmp_path / "large.mp4"
    large.write_bytes(bytes(6_000_000))
    answer = user.upload(large)
    assert (answer.status_code, answer.json()["code"]) == (413, 4002)
    small = make_clip(tmp_path / "small.mp4", duration=1)
    answer = user.upload(*[small] * 21)
    assert (answer.status_code, "20 parts" in answer.json()["message"]) == (400, True)
    answer = user.upload(small, name="program.exe")
    assert (answer.status_code, answer.json()["code"]) == (415, 4001)
    path = f"/api/upload-video/nemo_agent/me/{user.session}"
    broken = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.mp4"\r\n\r\nabc'
    head = {"Content-Type": "multipart/form-data; boundary=x"}
    assert user.http.post(path, content=broken, headers=head).status_code == 400
    assert user.http.post("/run_sse", content=b"x" * 5_000_000).status_code == 413
    assert list((server.data / "sessions" / user.session).iterdir()) == []
    assert user.upload(small, name="../../../../tmp/evil.mp4").status_code == 200
    assert user.state()["state"]["video_infos"][0]["filename"] == "evil.mp4"


def test_what_browsers_may_do_is_said(server: Server, owner: User) -> None:
    page = owner.http.get("/")
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "unsafe" not in page.headers["Content-Security-Policy"]
    for path in ("/", "/healthz", f"/api/page/{owner.session}", "/nothing"):
        headers = owner.http.get(path).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["X-Frame-Options"] == "DENY"
        assert "access-control-allow-origin" not in headers
    media = httpx.get(owner.state()["state"]["video_infos"][0]["cdn_url"])
    assert "sandbox" in media.headers["Content-Security-Policy"]


def test_a_page_of_another_name_is_not_answered(server: Server) -> None:
    """What a name of an attacker's resolves to the loopback has another Host."""
    answer = httpx.get(server.url, headers={"Host": "evil.example"})
    assert answer.status_code == 421


def test_a_server_that_others_reach_warns_without_tls(tmp_path: Path) -> None:
    server = Server(folder=tmp_path / "server")
    process = server.line.start("serve", "--host", "0.0.0.0", "--port", "0", "--data", server.data)
    assert process.stdout is not None
    assert "serving at" in process.stdout.readline()
    process.terminate()
    (_, err) = process.communicate(timeout=60)
    assert process.returncode == 0
    assert err.startswith("warning: 0.0.0.0 is reached by others, and nothing is encrypted\nhint: ")


def test_tokens_end_and_are_counted(tmp_path: Path) -> None:
    more = {"AVPIPE_SERVER_CREDITS": "1"}
    server = Server(folder=tmp_path / "server", more=more)
    server.line = server.line.with_env(
        AVPIPE_SERVER_TOKENS_PER_ADDRESS="2", AVPIPE_SERVER_REQUESTS_PER_S="5"
    )
    with server.running():
        http_client = server.client()

        def sign_up(client: str) -> httpx.Response:
            return http_client.post("/api/auth/anonymous-token", headers={"X-Client-Id": client})

        assert sign_up("").status_code == 400
        assert sign_up("x" * 65).status_code == 400
        first = sign_up("one").json()["data"]
        assert first["credits"] == 1
        assert sign_up("one").status_code == 429
        assert sign_up("two").status_code == 200
        assert sign_up("three").status_code == 429
        with sqlite3.connect(server.data / "server.sqlite3") as db:
            db.execute("UPDATE tokens SET expires_s = 1")
            db.execute("DELETE FROM grants")
        db.close()
        assert (
            http_client.get("/api/credits/balance/simple", headers=bearer(first["token"])).json()[
                "code"
            ]
            == 1001
        )
        again = sign_up("one").json()["data"]
        assert again["user_id"] == first["user_id"]

        # Made-up tokens have the pace of their address together; who has a good one goes on.
        balance = "/api/credits/balance/simple"
        assert http_client.get(balance, headers=bearer(again["token"])).status_code == 200
        invented = [
            http_client.get(balance, headers=bearer(f"nmv_usr_{n}")).status_code for n in range(40)
        ]
        assert invented[-1] == 429
        assert http_client.get(balance, headers=bearer(again["token"])).status_code == 200


def test_credits_are_held_taken_and_given_back(tmp_path: Path) -> None:
    with Server(
        folder=tmp_path / "server", more={"AVPIPE_SERVER_CREDITS": "1"}
    ).running() as server:
        user = server.user()

        def balance() -> Any:
            return user.http.get("/api/credits/balance/simple").json()["data"]

        user.upload(make_clip(tmp_path / "camera.mp4"))
        assert "error" not in user.say("do a backflip").text
        assert balance() == {"available": 1, "frozen": 0, "total": 1}  # nothing changed
        assert "Credits: 1 to spend, 0 reserved." in user.say("credits").text
        user.say("mute the video")
        assert balance() == {"available": 0, "frozen": 0, "total": 0}
        refused = user.say("undo")
        assert (refused.status_code, refused.json()["code"]) == (402, 2001)
        assert user.rendered(user.render())["status"] == "completed"  # which is free


def test_sentences_at_once_are_done_one_after_another(server: Server, tmp_path: Path) -> None:
    user = server.user()
    user.upload(make_clip(tmp_path / "camera.mp4"))
    texts = ["one", "two", "three", "four"]
    threads = [
        threading.Thread(target=user.say, args=(f'add the title "{text}" from 0 to 1 s',))
        for text in texts
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    draft = json.dumps(user.state()["state"]["draft"])
    assert all(text in draft for text in texts)


def test_adk_events_say_the_same(owner: User) -> None:
    typed = [event for event in events(owner.say("show tracks")) if event["type"] == "text"]
    adk = events(owner.say("show tracks", "?format=adk"))
    assert adk[-1]["content"]["parts"][0]["text"] == typed[-1]["content"]
    assert adk[-1]["author"] == "nemo_agent"


def test_a_pace_is_kept() -> None:
    now = 0.0
    limits = Limits(10.0, lambda: now)
    assert [limits.allows("a") for _ in range(41)] == [True] * 40 + [False]
    assert limits.allows("b")
    now = 0.1
    assert [limits.allows("a") for _ in range(2)] == [True, False]


def test_uploads_at_once_keep_to_the_quota_together(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "camera.mp4")
    quota = int(clip.stat().st_size * 2.5)
    more = {"AVPIPE_SERVER_USER_QUOTA": str(quota)}
    with Server(folder=tmp_path / "server", more=more).running() as server:
        user = server.user()
        answers: list[int] = []
        threads = [
            threading.Thread(target=lambda: answers.append(user.upload(clip).status_code))
            for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(answers) == [200, 200, 413, 413, 413]
        kept = list((server.data / "sessions" / user.session).iterdir())
        assert len(kept) == 2
        user.say("mute the video")
        rendered = user.rendered(user.render())  # a render may be the last that goes in
        assert rendered["status"] == "completed"
        again = {"id": "render_2", "sessionId": user.session}
        assert user.http.post("/api/render/proxy/lambda", json=again).status_code == 413
