"""An export out of the cloud is held against the files that its timeline is made of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloud_renders import assert_filled_alike, filled, renderer
from cloud_world import World, consumed
from fake_nemo import FakeNemo, Fault
from measure import level_db
from media_factory import ffmpeg, make_audio, make_video

from avpipe.cloud.connection import Cloud, session_in_use
from avpipe.cloud.draft_codec import read_draft
from avpipe.cloud.upload import LocalFile, upload
from avpipe.errors import AvpipeError
from avpipe.exports import current_state
from avpipe.render.received import checks_beside
from avpipe.settings import Settings
from avpipe.updates import Done, Fallback, Note
from avpipe.workflow_export import export
from avpipe.workflow_timeline import render_timeline


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video that moves and ticks, and a sound that nothing else is like."""
    folder = tmp_path_factory.mktemp("files")
    size = (160, 90)
    make_video(folder / "camera.mp4", size=size, duration=3, rate=25, audio="tone", flashes=())
    make_audio(folder / "sound.wav", duration=3, channels=1, noise=0.1, seed=5)
    return folder


@pytest.fixture
def world(tmp_path: Path, files: Path) -> Iterator[World]:
    for path in files.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    with FakeNemo() as nemo:
        nemo.renderer = renderer(tmp_path / "renders")
        yield World(nemo=nemo, folder=tmp_path, more={"idle_s": 60.0})


def edited(world: World, cloud: Cloud, draft: dict[str, Any]) -> None:
    """Both files are in the session, and its timeline is the draft."""
    session_id = session_in_use(cloud).session_id
    for name in ("camera.mp4", "sound.wav"):
        consumed(upload(cloud, session_id, LocalFile(path=str(world.folder / name))))
    world.nemo.sessions[session_id].draft = draft


def merged(**more: Any) -> dict[str, Any]:
    """The timeline of both, the camera's own sound off."""
    camera = {"d": 3000, "src": "camera.mp4", "volume": 0, **more}
    return {
        "d": 3000,
        "m": {"width": 160, "height": 90},
        "t": [
            {"tt": 0, "sg": [camera]},
            {"tt": 1, "sg": [{"d": 3000, "src": "sound.wav"}]},
        ],
    }


def exported(world: World, draft: dict[str, Any], *, fallback: bool = False) -> list[Any]:
    """The updates of an export."""
    with world.cloud() as cloud:
        edited(world, cloud, draft)
        state = current_state(cloud)
        work = export(cloud, state, world.output, overwrite=False, fallback=fallback)
        return list(work)


def checks_of(updates: list[Any]) -> dict[str, Any]:
    (*_, done) = updates
    assert isinstance(done, Done)
    assert done.route == "cloud"
    return {check.name: check.value for check in done.checks}


def notes_of(updates: list[Any]) -> set[str]:
    return {update.code for update in updates if isinstance(update, Note)}


def test_an_export_is_what_was_edited(world: World) -> None:
    updates = exported(world, merged())
    checks = checks_of(updates)
    assert checks["sync_ms"] == pytest.approx(0.0, abs=11)
    assert checks["sound_likeness"] > 0.9
    assert checks["picture_likeness"] > 0.9
    assert checks["size"] == "160x90"
    assert world.output.read_bytes() == world.nemo.video
    assert "not_compared" not in notes_of(updates)
    assert list((world.folder / "state" / "prepared").glob("*")) == []


def test_a_render_is_asked_for_in_1080p(world: World) -> None:
    """Without that key where the service takes none: the document that has it was withdrawn."""
    world.nemo.output_keys = {"format", "quality"}
    exported(world, merged())
    told = [request.form["output"] for request in world.nemo.requests if request.at == "submit"]
    plain = {"format": "mp4", "quality": "high"}
    assert told == [{**plain, "resolution": "1080p"}, plain]
    assert len(world.nemo.renders) == 1


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"volume": 0}, "sound_likeness is 0"),
        ({"map_sound": ""}, "audio_streams is 0"),
        ({"map_sound": "0:a"}, "sound_likeness is 0"),
        ({"sound_late_s": 0.15, "length_s": 3}, "sync_ms is 150"),
        ({"sound_late_s": -0.06}, "sync_ms is -60"),
        ({"length_s": 2}, "length_s is 2"),
        ({"filters": "crop=90:90"}, "size is 90x90"),
        ({"filters": "reverse"}, "picture_likeness is"),
    ],
    ids=str,
)
def test_an_export_that_is_something_else_is_rejected(
    world: World, made: dict[str, Any], words: str
) -> None:
    world.nemo.renderer = renderer(world.folder / "renders", **made)
    with pytest.raises(AvpipeError, match=words) as caught:
        exported(world, merged())
    assert (caught.value.code, caught.value.exit_code) == ("rejected", 1)
    assert not world.output.exists()
    assert list((world.folder / "state" / "prepared").glob("*")) == []


def test_a_silent_export_is_made_here(world: World) -> None:
    world.nemo.renderer = renderer(world.folder / "renders", volume=0)
    updates = exported(world, merged(), fallback=True)
    (told,) = [update for update in updates if isinstance(update, Fallback)]
    assert told.code == "rejected"
    assert level_db(world.output, 0.5, 2.5) > -40


def test_an_export_whose_session_is_lost_is_made_here(world: World) -> None:
    """Of the timeline that was asked for: a new session would have nothing of it."""
    world.nemo.faults = [Fault(at="submit", code=1002, times=99)]
    with pytest.raises(AvpipeError) as caught:
        exported(world, merged())
    assert (caught.value.code, caught.value.exit_code) == ("1002", 7)
    updates = exported(world, merged(), fallback=True)
    (told,) = [update for update in updates if isinstance(update, Fallback)]
    assert (told.code, len(world.nemo.sessions)) == ("1002", 1)
    assert level_db(world.output, 0.5, 2.5) > -40


def montage(second_in: int) -> dict[str, Any]:
    """Cuts, a cross-fade, a clip at another speed, one over it, a title, music that is lowered."""
    camera = [
        {"start": 0, "d": 1500, "src": "camera.mp4", "volume": 0.2},
        {"start": 1300, "d": 1200, "in": second_in, "src": "camera.mp4", "volume": 0.2},
        {"start": 2500, "d": 1000, "speed": 2, "src": "camera.mp4"},
    ]
    over = {"start": 200, "d": 400, "in": 2000, "src": "camera.mp4", "scale": 0.4, "volume": 0}
    music = {"d": 3000, "src": "sound.wav", "volume": 0.35, "fade_out": 500}
    return {
        "d": 3500,
        "m": {"width": 160, "height": 90},
        "t": [
            {"tt": 0, "sg": camera},
            {"tt": 0, "sg": [over]},
            {"tt": 1, "role": "music", "duck": True, "sg": [music]},
            {"tt": 7, "sg": [{"d": 1000, "text": "Take 1", "appear": 200}]},
        ],
    }


def composed(**second: Any) -> dict[str, Any]:
    """Nothing of it is seen alone: a clip at double speed under another one, all the time."""
    below = {"d": 1500, "src": "camera.mp4", "speed": 2, "volume": 0}
    over = {"d": 1500, "in": 1000, "src": "camera.mp4", "scale": 0.5, "volume": 0, **second}
    return {
        "d": 1500,
        "m": {"width": 160, "height": 90},
        "t": [
            {"tt": 0, "sg": [below]},
            {"tt": 0, "sg": [over]},
            {"tt": 1, "sg": [{"d": 1500, "src": "sound.wav"}]},
        ],
    }


@pytest.fixture(scope="module")
def composed_made(files: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What avpipe makes of it."""
    folder = tmp_path_factory.mktemp("composed")
    sources = {name: str(files / name) for name in ("camera.mp4", "sound.wav")}
    made = str(folder / "made.mp4")
    consumed(render_timeline(read_draft(composed()), sources, made, Settings(state_dir=folder)))
    return folder / "made.mp4"


@pytest.mark.parametrize(
    ("filters", "words"),
    [
        ((), ""),
        (("-af", "adelay=150:all=1", "-t", "1.5"), "sync_ms is 150"),
        (("-vf", "reverse"), "picture_likeness is"),
        (("-vf", "tpad=start_duration=0.08:start_mode=clone", "-t", "1.5"), "sync_ms is -80"),
    ],
    ids=str,
)
def test_pictures_over_others_are_held_against_what_is_drawn_here(
    world: World, composed_made: Path, filters: tuple[str, ...], words: str
) -> None:
    wrong = world.folder / "wrong.mp4"
    ffmpeg("-i", composed_made, *filters, wrong)
    world.nemo.renderer = None
    world.nemo.video = wrong.read_bytes()
    if words:
        with pytest.raises(AvpipeError, match=words):
            exported(world, composed())
        return
    checks = checks_of(exported(world, composed()))
    assert checks["picture_likeness"] > 0.9
    assert checks["sync_ms"] == pytest.approx(0.0, abs=11)


def test_sound_at_another_speed_is_heard_or_not(world: World) -> None:
    """How a program stretches it is its own affair; whether it does is not."""
    draft = merged()
    draft["t"][1]["sg"][0] |= {"speed": 1.25, "d": 2400}
    world.nemo.renderer = renderer(world.folder / "renders", sound_filters="atempo=1.25")
    assert checks_of(exported(world, draft))["sound_heard"] is True
    world.output.unlink()
    world.nemo.renderer = renderer(world.folder / "renders", volume=0)
    with pytest.raises(AvpipeError, match="sound_heard is False"):
        exported(world, draft)


def test_what_avpipe_makes_of_an_edit_is_taken(world: World) -> None:
    """And that of an edit which differs in one cut is not."""
    sources = {name: str(world.folder / name) for name in ("camera.mp4", "sound.wav")}
    world.nemo.renderer = None
    for second_in in (1500, 1000):
        made = world.folder / f"made-{second_in}.mp4"
        edit = read_draft(montage(second_in))
        consumed(render_timeline(edit, sources, str(made), world.settings))
        world.nemo.video = made.read_bytes()
        if second_in == 1500:
            checks = checks_of(exported(world, montage(1500)))
            assert checks["sound_likeness"] > 0.9
            assert checks["picture_likeness"] > 0.9
            world.output.unlink()
            continue
        with pytest.raises(AvpipeError, match="was rejected"):
            exported(world, montage(1500))


def test_an_export_is_compared_with_the_camera_at_the_level_of_the_sound(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a server of one's own renders it: the camera is 5 dB louder than the sound."""
    draft = {"d": 2000, "m": {"width": 160, "height": 90}, "t": filled("camera.mp4", "sound.wav")}
    sources = {name: str(world.folder / name) for name in ("camera.mp4", "sound.wav")}
    made = world.folder / "made.mp4"
    consumed(render_timeline(read_draft(draft), sources, str(made), world.settings))
    assert_filled_alike(made)
    world.nemo.renderer = None
    world.nemo.video = made.read_bytes()
    expected = world.folder / "expected.m4a"

    def noted(original: Any, path: Path, ffmpeg: Any, scratch: Path, **more: Any) -> Any:
        checks = yield from checks_beside(original, path, ffmpeg, scratch, **more)
        expected.write_bytes((scratch / "expected.m4a").read_bytes())
        return checks

    monkeypatch.setattr("avpipe.exports.checks_beside", noted)
    assert checks_of(exported(world, draft))["sound_likeness"] > 0.9
    assert_filled_alike(expected)


@pytest.mark.parametrize("made", [{"filters": "reverse"}, {"volume": 0}], ids=str)
def test_of_an_edit_that_is_not_all_known_only_silence_is_told(
    world: World, made: dict[str, Any]
) -> None:
    """What a key that nobody knows makes of the picture cannot be foretold."""
    world.nemo.renderer = renderer(world.folder / "renders", **made)
    draft = merged(effect={"name": "backwards"})
    if made.get("volume") == 0:
        with pytest.raises(AvpipeError, match="sound_heard is False"):
            exported(world, draft)
        return
    checks = checks_of(exported(world, draft))
    assert checks["sound_heard"] is True
    assert "picture_likeness" not in checks


def test_music_of_the_cloud_is_not_known_here(world: World) -> None:
    draft = merged()
    draft["t"][1]["sg"].append({"start": 0, "d": 3000, "src": "https://cdn.example.com/lofi.mp3"})
    assert checks_of(exported(world, draft))["sound_heard"] is True


def test_it_is_told_where_nothing_can_be_compared(world: World) -> None:
    """The files have changed since they were sent."""
    with world.cloud() as cloud:
        edited(world, cloud, merged())
        for name in ("camera.mp4", "sound.wav"):
            (world.folder / name).write_bytes(b"something else")
        updates = list(
            export(cloud, current_state(cloud), world.output, overwrite=False, fallback=False)
        )
    assert "sync_ms" not in checks_of(updates)
    assert "not_compared" in notes_of(updates)
