"""Every documented form of the API's answers comes to the same values."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from cloud_world import Time, World, consumed
from fake_nemo import FakeNemo

from avpipe.cloud import draft, events
from avpipe.cloud.agent import Listener
from avpipe.cloud.api import Api
from avpipe.cloud.connection import new_session
from avpipe.cloud.door import CutError, NoConnectionError, platform_of, translate
from avpipe.cloud.envelope import error_of, unwrap
from avpipe.cloud.multipart import remote_name
from avpipe.cloud.send import SILENT, send
from avpipe.cloud.upload import LocalFile, upload
from avpipe.cloud.values import SessionState
from avpipe.cloud.wording import translated
from avpipe.errors import AvpipeError, CloudError, RequestError
from avpipe.settings import Secret, load, parse_size

SEED_LINE = (
    "Timeline (3 tracks): 1. Video: city timelapse (0-10s) 2. BGM: Lo-fi (0-10s, 35%) "
    '3. Title: "Urban Dreams" (0-3s)'
)
SEED_DRAFTS: dict[str, dict[str, Any]] = {
    "metadata": {
        "t": [
            {"tt": 0, "sg": [{"d": 10000, "m": {"name": "city timelapse", "start": 0}}]},
            {"tt": 1, "sg": [{"d": 10000, "m": {"name": "Lo-fi", "volume": 0.35}}]},
            {"tt": 7, "sg": [{"d": 3000, "m": {"text": "Urban Dreams"}}]},
        ]
    },
    "flat": {
        "t": [
            {"tt": 0, "sg": [{"start": 0, "end": 10000, "src": "/mnt/u/city%20timelapse.mp4"}]},
            {"tt": 1, "sg": [{"st": 0, "d": "10000", "name": "Lo-fi", "vol": 35}]},
            {"tt": 7, "sg": [{"st": 0, "d": 3000, "content": "Urban\nDreams"}]},
        ]
    },
    "of the track": {
        "t": [
            {"tt": 0, "d": 10000, "m": {"name": "city timelapse"}, "sg": [{}]},
            {"tt": 1, "d": 10000, "volume": 0.35, "sg": [{"title": "Lo-fi"}]},
            {"tt": 7, "sg": [{"d": 3000, "text": {"content": "Urban Dreams"}}]},
        ]
    },
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with FakeNemo() as nemo:
        yield World(nemo=nemo, folder=tmp_path)


@pytest.mark.parametrize("events_form", ["typed", "adk", "adk_snake"])
@pytest.mark.parametrize(
    ("envelope", "camel", "render"),
    [
        ("code", False, "A"),
        ("success", True, "B"),
        ("bare", False, "remotion"),
        ("code", True, "B"),
    ],
)
def test_every_form_of_every_answer(
    world: World, events_form: str, envelope: str, camel: bool, render: str
) -> None:
    nemo = world.nemo
    (nemo.events, nemo.envelope, nemo.camel, nemo.render_form) = (
        events_form,
        envelope,
        camel,
        render,
    )
    assert world.run().error is None
    assert world.output.read_bytes() == nemo.video
    assert nemo.violations == []
    with world.cloud() as cloud:
        session_id = next(iter(nemo.sessions))
        (_, reply) = consumed(send(cloud, session_id, "add a title"))
        found = cloud.api.credits()
        (video, audio) = cloud.api.state(session_id).files
    assert reply.text == nemo.reply
    assert reply.changes == ("title 'Take 1' now reads 'Take 2'",)
    assert (found.available, found.frozen, found.total) == (60, 40, 100)
    assert (video.name, video.type, video.width, video.height) == ("camera.mp4", "video", 160, 90)
    assert (video.duration_s, video.size_bytes, audio.type) == (2.0, 69888, "audio")


@pytest.mark.parametrize("form", SEED_DRAFTS)
def test_the_summary_reads_as_that_of_the_document(form: str) -> None:
    found = SEED_DRAFTS[form]
    assert draft.summary(found) == SEED_LINE
    assert draft.is_exportable(found)
    assert draft.duration_s(found) == 10.0
    volumes = [entry.volume for entry in draft.entries_of(found)]
    assert volumes == [1.0, 0.35, None]


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"t": None},
        {"t": "x"},
        {"t": [None, 3, {"tt": 0}]},
        {"t": [{"sg": [None, "x"]}]},
        {"t": [{"tt": "x", "sg": []}]},
    ],
    ids=str,
)
def test_a_draft_with_nothing_in_it(broken: dict[str, Any]) -> None:
    assert not draft.is_exportable(broken)
    assert draft.entries_of(broken) == ()
    assert draft.summary(broken).startswith("Timeline")


def test_an_unknown_track_is_shown_as_one() -> None:
    odd = {
        "t": [{"tt": 4, "sg": [{"d": 1500, "name": "sparkle"}, {"d": 500, "src": "x/glow.png"}]}]
    }
    assert draft.summary(odd) == "Timeline (1 track): 1. Other: sparkle (0-1.5s), glow (1.5-2s)"


def test_what_changed() -> None:
    def state(found: Any) -> SessionState:
        return SessionState(session_id="1", draft=found)

    before = state(SEED_DRAFTS["metadata"])
    after = json.loads(json.dumps(SEED_DRAFTS["metadata"]))
    after["t"][1]["sg"][0]["m"]["volume"] = 0.5
    after["t"].append({"tt": 1, "sg": [{"d": 2000, "name": "Rain"}]})
    del after["t"][2]
    assert draft.changes_between(before, state(after)) == (
        "music 'Lo-fi' at 50% (was 35%)",
        "title 'Urban Dreams' removed",
        "music 'Rain' added, 0-2 s",
    )
    assert draft.changes_between(before, before) == ()
    graded = SEED_DRAFTS["metadata"] | {"m": {"grade": "warm"}}
    (said,) = draft.changes_between(before, state(graded))
    assert "in a way that its tracks do not show" in said


GUI = [
    (
        "I merged them. Click the Export button to download your file.",
        "I merged them.\n`avpipe cloud export` makes the file.",
    ),
    (
        "I've trimmed the clip to 10s, you can now click 'Export' to save it.",
        "I've trimmed the clip to 10s.\n`avpipe cloud export` makes the file.",
    ),
    (
        "Added BGM Lo-fi (0-10s), and then click Export.",
        "Added BGM Lo-fi (0-10s).\n`avpipe cloud export` makes the file.",
    ),
    ("音乐已添加。点击导出按钮下载视频。", "音乐已添加。\n`avpipe cloud export` makes the file."),
    ("请打开设置面板,然后拖拽视频", '`avpipe cloud send "…"` makes further changes.'),
    ("Please drag the clip onto the timeline.", '`avpipe cloud send "…"` makes further changes.'),
    ("Open the Audio panel to adjust the volume", "`avpipe cloud state` shows the tracks."),
    ("Done! Preview it in the timeline.", "Done!\n`avpipe cloud state` shows the tracks."),
    ("Sorry; check your account.", "Sorry.\n`avpipe cloud credits` shows the account."),
    ("Removed the click sounds at 0:03.", "Removed the click sounds at 0:03."),
    ("The scene opens with a wide shot.", "The scene opens with a wide shot."),
    ("Your video is ready to export!", "Your video is ready to export!"),
    (
        "1. Click Export\n2. Choose 1080p",
        "2. Choose 1080p\n`avpipe cloud export` makes the file.",
    ),
    (
        'Added the title "Click here to subscribe". Click "Export".',
        'Added the title "Click here to subscribe".\n`avpipe cloud export` makes the file.',
    ),
    ("The drag race now has 3 s.", "The drag race now has 3 s."),
    ("Adjust it in the editor.", '`avpipe cloud send "…"` makes further changes.'),
    ("Head over to the dashboard.", "`avpipe cloud credits` shows the account."),
    ("添加了字幕：“点击关注”。", "添加了字幕：“点击关注”。"),
    ("视频已准备好，请导出。", "视频已准备好。\n`avpipe cloud export` makes the file."),
    ("视频已导出，共10秒。", "视频已导出，共10秒。"),
    ("请前往账户查看积分。", "`avpipe cloud credits` shows the account."),
]


@pytest.mark.parametrize(("said", "shown"), GUI)
def test_talk_of_buttons_is_never_shown(said: str, shown: str) -> None:
    assert translated(said) == shown


def listened(*stream: str) -> str:
    """What is shown of a stream that comes in pieces of three characters."""
    text = "".join(stream)
    pieces = iter([text[at : at + 3] for at in range(0, len(text), 3)])
    heard = Listener()
    consumed(events.listen(pieces, heard, Secret("tok"), Time().clock))
    return heard.text()


def data(form: Any) -> str:
    return f"data: {json.dumps(form)}\n\n"


def typed(text: str) -> str:
    return data({"type": "text", "content": text})


def adk(text: str, **more: Any) -> str:
    return data({"content": {"parts": [{"text": text}], "role": "model"}, "author": "a"} | more)


@pytest.mark.parametrize(
    ("stream", "text"),
    [
        (["data:\n\n", ": ping\n\n", "event: heartbeat\ndata: {}\n\n", "data: heartbeat\n\n"], ""),
        ([typed("Hello"), "data: [DONE]\n\n"], "Hello"),
        ([typed("Hel"), typed("lo you")], "Hello you"),
        ([typed("One."), typed("Two.")], "One.\nTwo."),
        ([typed("One"), typed("One two")], "One two"),
        ([adk("Hel", partial=True), adk("lo", partial=True), adk("Hello")], "Hello"),
        ([adk("Hel", partial=True), adk("lo", partial=True)], "Hello"),
        ([adk("Hello"), adk("Hello", turnComplete=True)], "Hello"),
        ([data({"content": {"parts": [{"text": "hm", "thought": True}, {"text": "Yes"}]}})], "Yes"),
        ([data({"content": {"role": "user", "parts": [{"text": "me"}]}}), adk("You")], "You"),
        ([adk("Fine."), adk("I encountered a temporary issue, sorry")], "Fine."),
        ([data({"type": "tool_call", "name": "x"}), adk("I encountered a temporary issue")], ""),
        ([adk("I encountered a temporary issue.")], "I encountered a temporary issue."),
        ([typed("my tok is tok")], "my … is …"),
        ([typed("a\u2028b").replace("\\u2028", "\u2028")], "a\u2028b"),
        (['data: {"type":"text",\ndata: "content":"two lines"}\r\n\r\n'], "two lines"),
        (['data: {"type":"text","content":"no blank line"}'], "no blank line"),
        ([data({"code": 0, "data": {"type": "text", "content": "wrapped"}})], "wrapped"),
        (["data: <garbage>\n\n", typed("Hello")], "Hello"),
        ([data({"type": "tool_result", "success": False, "error": "x"}), typed("Hm")], "Hm"),
        ([data({"content": {"parts": 1}}), data({"code": "--5"}), typed("Hm")], "Hm"),
        ([data({"type": "tool_result", "code": 2001, "name": "x"}), typed("Hm")], "Hm"),
    ],
)  # fmt: skip
def test_what_is_heard_of_a_stream(stream: list[str], text: str) -> None:
    assert listened(*stream) == text


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        (data({"code": 1002, "message": "gone"}), "1002"),
        (data({"code": 2001}), "2001"),
        (data({"error": "Session not found: 1"}), "1002"),
        (data({"error": "it crashed"}), "failed"),
        (data({"errorCode": "429", "errorMessage": "quota"}), "429"),
        (data({"error_code": "SAFETY", "error_message": "no"}), "failed"),
        (data({"type": "error", "message": "no"}), "failed"),
        ("data: <garbage>\n\n" * 3, "failed"),
    ],
)
def test_an_error_in_the_stream(stream: str, code: str) -> None:
    with pytest.raises(CloudError) as caught:
        listened(stream)
    assert caught.value.code == code


def test_one_message_of_a_session_is_at_work_at_a_time(world: World) -> None:
    """Of whatever process; each is told what it changed itself."""
    with world.cloud() as cloud, world.cloud() as other:
        session = cloud.api.create_session().session_id
        work = send(cloud, session, "make it")
        with other.journal.claim(f"message {session}"):
            assert next(work).code == "queued"
            assert world.nemo.messages == []
        (_, reply) = consumed(work)
    assert reply.changes == ("title 'Take 1' added, 0-1 s",)


def test_an_agent_that_says_nothing_is_spoken_for(world: World) -> None:
    """Three edits in ten: what changed is read from the state."""
    world.nemo.reply = ""
    with world.cloud() as cloud:
        session = cloud.api.create_session().session_id
        consumed(upload(cloud, session, LocalFile(path=str(world.folder / "camera.mp4"))))
        (_, reply) = consumed(send(cloud, session, "make it"))
        world.nemo.edits = False
        (_, nothing) = consumed(send(cloud, session, "and now?"))
    assert reply.text == "video 'camera' added, 0-2 s; title 'Take 1' added, 0-1 s"
    assert (nothing.text, nothing.changes) == (SILENT, ())


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, {"detail": "Invalid token"}, "1001"),
        (400, {"error": "token has expired"}, "1001"),
        (200, {"code": 1010, "message": ""}, "1001"),
        (200, {"code": "1001"}, "1001"),
        (404, {"detail": "Session not found"}, "1002"),
        (200, {"success": False, "error": "Session not found: 5"}, "1002"),
        (413, {}, "4002"),
        (415, {}, "4001"),
        (402, {"code": 2001}, "2001"),
        (402, {}, "402"),
        (429, {}, "429"),
        (422, {"detail": [{"msg": "field required"}]}, "failed"),
        (503, {"error": {"message": "busy"}}, "failed"),
    ],
    ids=str,
)
def test_errors_by_status_and_by_code(status: int, body: Any, code: str) -> None:
    if status == 200:
        with pytest.raises(AvpipeError) as caught:
            unwrap(body)
        assert caught.value.code == code
    else:
        error = error_of(status, body)
        assert isinstance(error, AvpipeError)
        assert error.code == code


def test_the_door_lets_no_error_of_httpx_through() -> None:
    """Every class that httpx has, by itself."""
    left = [httpx.HTTPError, httpx.InvalidURL, httpx.StreamError]
    seen = []
    while left:
        kind = left.pop()
        left.extend(kind.__subclasses__())
        try:
            error = kind("x")
        except TypeError:
            continue  # it is made with more than a message, by httpx alone
        seen.append(kind.__name__)
        translated_error = translate(error)
        assert isinstance(translated_error, CloudError)
        connecting = issubclass(kind, httpx.ConnectError | httpx.ConnectTimeout | httpx.ProxyError)
        assert isinstance(translated_error, NoConnectionError) is connecting
        if issubclass(kind, httpx.TransportError) and not connecting:
            assert isinstance(translated_error, CutError)
    assert {"ReadTimeout", "RemoteProtocolError", "TooManyRedirects", "InvalidURL"} <= set(seen)


def test_a_file_goes_into_a_session_once(world: World) -> None:
    """By its content and time, from whatever path; into another session it goes again."""
    with world.cloud() as cloud:
        (one, other) = (cloud.api.create_session().session_id for _ in range(2))
        path = world.folder / "camera.mp4"
        for session in (one, one, other):
            consumed(upload(cloud, session, LocalFile(path=str(path))))
        linked = world.folder / "same.mp4"
        linked.hardlink_to(path)
        consumed(upload(cloud, one, LocalFile(path=str(linked))))
        path.write_bytes(b"another take")
        consumed(upload(cloud, one, LocalFile(path=str(path))))
    assert [session for (session, *_) in world.nemo.uploads] == [one, other, one]


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ('a "b" 100%.MP4', "a _b_ 100_.mp4"),
        ("-x:ü\n漢.wav", "-x:ü_漢.wav"),
        ("photo.JPEG", "photo.jpg"),
        ("\udcff.mp3", "?.mp3"),
        ("x" * 300 + ".mov", "x" * 120 + ".mov"),
    ],
)
def test_names_arrive_as_they_were_sent(world: World, name: str, sent: str) -> None:
    assert remote_name(Path(name)) == sent
    if "\udcff" in name or len(name) > 200:
        return
    path = world.folder / name
    path.write_bytes(b"media")
    with world.cloud() as cloud:
        session = cloud.api.create_session().session_id
        (_, found) = consumed(upload(cloud, session, LocalFile(path=str(path))))
    assert (found.name, world.nemo.uploads[0][1]) == (sent, sent)


def test_what_is_kept_is_for_this_user_alone(world: World) -> None:
    world.run()
    files = [path for path in (world.folder / "state").rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"token.json", "client_id", "journal.sqlite3"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in files} == {0o600}


def test_a_token_is_not_sent_to_another_service(world: World) -> None:
    world.run()
    world.output.unlink()
    with FakeNemo() as other:
        World(nemo=other, folder=world.folder).run()
        sent = {request.headers.get("authorization", "") for request in other.requests}
    assert len(other.tokens) == 1
    assert not {f"Bearer {token}" for token in world.nemo.tokens} & sent - {
        f"Bearer {token}" for token in other.tokens
    }


def test_secrets_do_not_show() -> None:
    settings = load({"NEMO_TOKEN": "nmv_usr_x"}, config=Path("/none"), state_dir=Path("/s"))
    assert settings.cloud.token == Secret("nmv_usr_x")
    assert "nmv_usr_x" not in f"{settings!r} {settings.cloud.token}"


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({"NEMO_TOKEN": "two words"}, "NEMO_TOKEN is not a token"),
        ({"NEMO_API_URL": "ftp://x"}, "cloud.api_url"),
        ({"NEMO_API_URL": "https://user:pass@x"}, "cloud.api_url"),
        ({"NEMO_API_URL": "https://:pass@x"}, "cloud.api_url"),
        ({"NEMO_API_URL": "https://x/?token=pass"}, "cloud.api_url"),
        ({"NEMO_API_URL": "https://x:port"}, "cloud.api_url"),
        ({"NEMO_CLIENT_ID": "x" * 65}, "cloud.client_id"),
        ({"AVPIPE_CLOUD_POLL_S": "soon"}, "cloud.poll_s"),
        ({"AVPIPE_CLOUD_IDLE_S": "0"}, "cloud.idle_s"),
        ({"AVPIPE_CLOUD_UPLOAD_LIMIT": "much"}, "cloud.upload_limit"),
        ({"AVPIPE_CLOUD_LANGUAGE": "中文"}, "cloud.language"),
    ],
    ids=str,
)
def test_wrong_settings(environ: dict[str, str], words: str) -> None:
    with pytest.raises(RequestError) as caught:
        load(environ, config=Path("/none"), state_dir=Path("/s"))
    assert words in caught.value.message
    assert "two words" not in caught.value.message
    assert "pass" not in caught.value.message


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh-CN"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C.UTF-8"}, None),
        ({"LANG": "de_DE.UTF-8"}, None),
        ({"LANG": "zh_TW", "AVPIPE_CLOUD_LANGUAGE": "en"}, "en"),
    ],
    ids=str,
)
def test_the_agent_is_asked_to_speak_the_users_language(
    world: World, environ: dict[str, str], language: str | None
) -> None:
    """Where what it says of screens can be translated."""
    world.more["language"] = load(
        environ, config=Path("/none"), state_dir=Path("/s")
    ).cloud.language
    with world.cloud() as cloud:
        new_session(cloud)
    plain = {"task_name": "project"}
    wanted = plain if language is None else {**plain, "language": language}
    assert [one.form for one in world.nemo.requests if one.at == "session"] == [wanted]


def test_the_config_file_and_the_environment_over_it(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text('[cloud]\npoll_s = 5\nupload_limit = "200MiB"\nweb_url = "https://w/"\n')
    found = load({"AVPIPE_CLOUD_POLL_S": "7"}, config=config, state_dir=tmp_path).cloud
    assert (found.poll_s, found.upload_limit, found.web_url) == (7.0, 200 * 2**20, "https://w")
    config.write_text("[cloud]\npol_s = 5\n")
    with pytest.raises(RequestError, match=r"unknown setting: cloud\.pol_s"):
        load({}, config=config, state_dir=tmp_path)
    config.write_text('[cloud]\ntoken = "x"\n')
    with pytest.raises(RequestError, match=r"unknown setting: cloud\.token"):
        load({}, config=config, state_dir=tmp_path)


@pytest.mark.parametrize(
    ("text", "size"),
    [("500MB", 500_000_000), ("500MiB", 524_288_000), ("1.5 GB", 1_500_000_000), ("7", 7)],
)  # fmt: skip
def test_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("place", "platform"),
    [
        ("/home/x/.clawhub/skills/avpipe/cloud/door.py", "clawhub"),
        ("/home/x/.cursor/skills/avpipe/door.py", "cursor"),
        ("/home/x/.cursor/other/skills/door.py", "unknown"),
        ("/usr/lib/python3/avpipe/door.py", "unknown"),
    ],
)
def test_the_platform_is_found_by_the_place(place: str, platform: str) -> None:
    assert platform_of(Path(place)) == platform


def test_the_platform_that_is_given_goes_before(world: World) -> None:
    world.more["platform"] = "terminal"
    with world.cloud() as cloud:
        assert isinstance(cloud.api, Api)
        cloud.api.credits()
    assert {request.headers["x-skill-platform"] for request in world.nemo.requests} == {"terminal"}
    sent = world.nemo.requests[-1].headers
    assert (sent["x-skill-source"], sent["x-skill-version"]) == ("audio-video-to", "1.0.0")
