"""The cloud's client against the strict fake and against `avpipe serve`: both answer alike."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from commands import CommandLine
from fake_nemo import FakeNemo
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from measure import flash_times, level_db, shown_frames
from media_factory import make_audio, make_video
from server_world import ATTRIBUTION, Server, User, events, make_clip

from avpipe.server.description import description

SHORT = {"AVPIPE_CLOUD_POLL_S": "0.1", "AVPIPE_CLOUD_RETRY_S": "0.05"}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "camera.mp4")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(folder=tmp_path_factory.mktemp("contract") / "server").running() as made:
        yield made


@pytest.fixture(scope="module")
def user(server: Server) -> User:
    return server.user()


@pytest.fixture(scope="module", params=["fake", "server"])
def api_url(request: pytest.FixtureRequest, clip: Path) -> Iterator[str]:
    if request.param == "server":
        yield request.getfixturevalue("server").url
        return
    with FakeNemo(clip.read_bytes()) as nemo:
        yield nemo.url


@pytest.fixture(scope="module")
def avpipe(api_url: str, clip: Path, tmp_path_factory: pytest.TempPathFactory) -> CommandLine:
    """One user's command line, whose session is connected."""
    folder = tmp_path_factory.mktemp("client") / "work"
    folder.mkdir()
    shutil.copy(clip, folder / "camera.mp4")
    line = CommandLine(folder=folder).with_env(NEMO_API_URL=api_url, NEMO_WEB_URL=api_url, **SHORT)
    assert said(line, "connect")["user_id"].startswith("anon_")
    return line


def said(avpipe: CommandLine, *arguments: str) -> Any:
    """The object of a command that does what it should."""
    ran = avpipe("cloud", *arguments, "--json")
    assert ran.code == 0, ran.err
    return ran.json


def test_a_session_from_upload_to_file(avpipe: CommandLine) -> None:
    (file,) = said(avpipe, "upload", "camera.mp4")["files"]
    assert (file["name"], file["type"], file["width"], file["height"]) == (
        *("camera.mp4", "video", 160, 90),
    )
    assert file["duration_s"] == pytest.approx(2.0, abs=0.05)
    assert httpx.get(file["url"]).status_code == 200
    reply = said(avpipe, "send", 'add the title "Take 1" at the top')
    assert reply["text"]
    assert any("Take 1" in change for change in reply["changes"])
    state = said(avpipe, "state", "--link")
    assert state["exportable"]
    assert {entry["kind"] for entry in state["timeline"]} >= {"video", "text"}
    assert "/workspace/claim?ct=clm_" in state["link"]
    ran = avpipe("cloud", "export", "-o", "out.mp4", "--json")
    assert ran.code == 0, ran.err
    assert ran.events[-1]["output"]["duration_s"] == pytest.approx(2.0, abs=0.1)
    checks = {check["name"]: check["value"] for check in ran.events[-1]["checks"]}
    assert {"sync_ms", "sound_likeness", "picture_likeness"} <= set(checks)  # with camera.mp4
    found = said(avpipe, "credits")
    assert found["total"] == found["available"] + found["frozen"]


def test_errors_are_those_of_the_table(avpipe: CommandLine) -> None:
    unknown = avpipe("cloud", "state", "--session", "5000000000000000001", "--json")
    assert (unknown.code, unknown.events[-1]["error"]["code"]) == (7, "1002")
    refused = avpipe.with_env(NEMO_TOKEN="nmv_usr_nobody")("cloud", "credits", "--json")
    assert refused.code == 0, refused.err  # replaced once, by the kept one
    assert "the cloud refused NEMO_TOKEN" in refused.err


def test_without_credits_it_is_exit_5(tmp_path: Path, clip: Path) -> None:
    more = {"AVPIPE_SERVER_CREDITS": "0", "AVPIPE_SERVER_RENDER_FORM": "B"}
    folder = tmp_path / "work"
    folder.mkdir()
    shutil.copy(clip, folder / "camera.mp4")
    with Server(folder=tmp_path / "server", more=more).running() as server:
        line = CommandLine(folder=folder).with_env(NEMO_API_URL=server.url, **SHORT)
        said(line, "upload", "camera.mp4")
        ran = line("cloud", "send", "mute the video", "--json")
        assert (ran.code, ran.events[-1]["error"]["code"]) == (5, "2001")


def test_the_description_has_every_endpoint() -> None:
    from avpipe.server.app import ROUTES

    described = set(description()["paths"])
    shown = {"/", "/workspace/claim", "/page/{name}", "/openapi.json"}
    media = {route.path for route in ROUTES if route.path.startswith("/media")}
    assert {route.path for route in ROUTES} - described == shown | media


OPERATIONS = [
    found.ok() for found in schemathesis.openapi.from_dict(description()).get_all_operations()
]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method} {one.path}")
def test_nothing_answers_500(server: Server, user: User, operation: Any) -> None:
    """schemathesis makes requests of the description, sound ones and broken ones."""
    own = {"session": user.session} if "{session}" in operation.path else {}
    headers = {"Authorization": f"Bearer {user.token}", **ATTRIBUTION}

    few = settings(
        max_examples=5,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )

    def ask(case: Any) -> None:
        answer = case.call(base_url=server.url, headers=headers)
        assert answer.status_code < 500, answer.text
        if answer.status_code >= 400 and answer.status_code not in (404, 405):
            assert answer.json()["code"]

    for mode in schemathesis.GenerationMode:
        with contextlib.suppress(Unsatisfiable):  # nothing can be wrong about some requests
            strategy = operation.as_strategy(generation_mode=mode, path_parameters=own or None)
            few(given(strategy)(lambda case: ask(case)))()


def test_the_agent_answers_in_the_language_of_the_session_or_the_sentence(
    server: Server, clip: Path
) -> None:
    user = server.user()
    user.upload(clip)

    def said(text: str) -> str:
        told: str = events(user.say(text))[-1]["content"]
        return told

    assert said("mute the video") == "the video's sound muted."
    assert said("撤销") == "已撤销。"
    assert said("时间线状态").startswith("时间线（1 条轨道）：1. 视频：camera (0-2s)")
    assert said("做个后空翻").startswith("没有听懂“做个后空翻”，什么都没有改（可以做：")
    assert said("余额").startswith("还有 ")
    made = user.http.post(
        "/api/tasks/me/with-session/nemo_agent", json={"task_name": "p", "language": "zh-CN"}
    )
    user.session = made.json()["data"]["session_id"]
    assert said("mute the video") == "时间线里还没有视频"
    assert said("export") == "时间线已就绪。按“导出”按钮得到文件。"


@pytest.mark.parametrize(
    ("sound_s", "wish", "length_s"),
    [(6, ("--fit", "longest"), 6), (3, ("--fit", "audio", "--offset", "-1"), 3)],
)
def test_a_merge_that_holds_a_frame_is_made_by_the_server(
    server: Server, tmp_path: Path, sound_s: float, wish: tuple[str, ...], length_s: float
) -> None:
    """The last one where the sound goes on, the first one where it had begun before."""
    folder = tmp_path / "work"
    folder.mkdir()
    flashes = (1, 2, 3)
    make_video(folder / "camera.mp4", size=(160, 90), duration=4, rate=25, flashes=flashes)
    make_audio(folder / "sound.wav", duration=sound_s, noise=0.1)
    line = CommandLine(folder=folder).with_env(
        NEMO_API_URL=server.url, NEMO_WEB_URL=server.url, **SHORT
    )
    arguments = ("merge", "camera.mp4", "sound.wav", "-o", "out.mp4", *wish)
    ran = line(*arguments, "--route", "cloud", "--no-fallback", "--json")
    assert ran.code == 0, ran.err
    done = ran.events[-1]
    assert (done["route"], done["fallback"]) == ("cloud", None)
    late = 1 if "audio" in wish else 0
    seen = [float(time) for time in flash_times(folder / "out.mp4")]
    assert seen == pytest.approx([t + late for t in flashes if t + late < length_s], abs=0.001)
    shown = [frame.number for frame in shown_frames(folder / "out.mp4")]
    assert len(shown) == length_s * 25
    held = shown[: 25 * late] if late else shown[100:]
    assert set(held) == ({0} if late else {99})
    assert level_db(folder / "out.mp4", length_s - 0.5, length_s - 0.1) > -30


def test_a_merge_under_a_size_is_made_by_the_server(server: Server, tmp_path: Path) -> None:
    """Its usual sound alone would take 48 kB. The draft has the size, the API has no setting."""
    folder = tmp_path / "work"
    folder.mkdir()
    more: dict[str, Any] = {"codec": "mpeg4", "flashes": (0.5, 1.5)}
    make_video(folder / "camera.mp4", size=(160, 90), duration=2, rate=25, **more)
    make_audio(folder / "sound.wav", duration=2, noise=0.1)
    line = CommandLine(folder=folder).with_env(
        NEMO_API_URL=server.url, NEMO_WEB_URL=server.url, **SHORT
    )
    arguments = ("merge", "camera.mp4", "sound.wav", "-o", "out.mp4", "--max-size", "36kB")
    ran = line(*arguments, "--route", "cloud", "--no-fallback", "--json")
    assert ran.code == 0, ran.err
    done = ran.events[-1]
    assert (done["route"], done["fallback"]) == ("cloud", None)
    assert 20_000 < (folder / "out.mp4").stat().st_size <= 36_000
    assert len(flash_times(folder / "out.mp4")) == 2
    assert level_db(folder / "out.mp4", 0.5, 1.5) > -30


def test_a_merge_that_cuts_the_picture_is_made_by_the_server(
    server: Server, tmp_path: Path
) -> None:
    """The client itself measures that what comes back is in sync, and takes nothing else."""
    folder = tmp_path / "work"
    folder.mkdir()
    make_clip(folder / "camera.mp4", duration=4)
    make_audio(folder / "sound.wav", duration=2, noise=0.1)
    line = CommandLine(folder=folder).with_env(
        NEMO_API_URL=server.url, NEMO_WEB_URL=server.url, **SHORT
    )
    ran = line(
        *("merge", "camera.mp4", "sound.wav", "-o", "out.mp4", "--offset", "1", "--fit", "audio"),
        *("--route", "cloud", "--no-fallback", "--json"),
    )
    assert ran.code == 0, ran.err
    done = ran.events[-1]
    assert (done["route"], done["fallback"]) == ("cloud", None)
    assert done["output"]["duration_s"] == pytest.approx(2.0, abs=0.03)
    checks = {check["name"]: check["value"] for check in done["checks"]}
    assert checks["sound_likeness"] > 0.9
    assert checks["picture_likeness"] is None or checks["picture_likeness"] > 0.9
    assert abs(checks["sync_ms"]) <= 1
