"""A recording that is moved on the page: measured in the film that is exported, and in its turn."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from measure import read_sound
from media_factory import make_audio, make_video
from numpy.typing import NDArray
from server_world import Server, User

from avpipe.benchmarks.scene import pink_noise, resample_at

RATE = 48_000
FILM_S = 10
SHARED_HZ = 6_000
"""What both hear is below it."""
CAMERA_HZ, RECORDER_HZ = 9_000, 12_000
"""Of a faint tone that only the one of them hears: it tells who is heard."""
RECORDER_GAIN = 4.0
FRAME = RATE // 100


@dataclass(frozen=True, kw_only=True)
class World:
    """A server, and what both heard."""

    server: Server
    folder: Path
    heard: NDArray[np.float32]
    """From two seconds before the film until two seconds after it."""

    def recorder(self, first_s: float, last_s: float, drift_ppm: int = 0) -> Path:
        """A recording that ran between two times of the film, on a clock so much too fast."""
        (first, last) = (round((time + 2) * RATE) for time in (first_s, last_s))
        path = self.folder / f"recorder-{first}-{last}-{drift_ppm}.wav"
        pace = 1 + Fraction(drift_ppm, 10**6)
        size = int((last - first) * pace)
        samples = resample_at(self.heard[0], Fraction(first), 1 / pace, size)
        samples = samples + faint(size, RECORDER_HZ)
        return make_audio(path, samples=samples * np.float32(RECORDER_GAIN))

    def session(self, recorder: Path) -> User:
        """A user whose recording was put in its place."""
        user = self.server.user()
        assert user.upload(self.folder / "camera.mp4", recorder).status_code == 200
        assert "merged with" in user.say("merge").text
        return user


def faint(size: int, frequency: float) -> NDArray[np.float32]:
    wave = np.sin(2 * np.pi * frequency * np.arange(size) / RATE) * 0.01
    return wave.astype(np.float32)[np.newaxis]


def rumble(size: int, seed: int) -> NDArray[np.float32]:
    """Noise of which nothing lies above SHARED_HZ."""
    parts = np.fft.rfft(pink_noise(size, np.random.default_rng(seed)))
    parts[round(SHARED_HZ * size / RATE) :] = 0
    return np.fft.irfft(parts, size).astype(np.float32).reshape(1, -1) * np.float32(0.04)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("nudge")
    size = (FILM_S + 4) * RATE
    heard = rumble(size, 3)
    camera = heard[:, 2 * RATE : -2 * RATE]
    camera = camera + faint(camera.shape[1], CAMERA_HZ)
    make_video(
        folder / "camera.mp4",
        size=(160, 90),
        rate=25,
        duration=FILM_S,
        audio=camera,
        audio_rate=RATE,
        flashes=(),
    )
    with Server(folder=folder / "server").running() as server:
        yield World(server=server, folder=folder, heard=heard)


def page_state(user: User) -> Any:
    return user.http.get(f"/api/page/{user.session}").json()["data"]


def audio_id(user: User) -> str:
    return next(f["file_id"] for f in page_state(user)["files"] if f["file_type"] == "audio")


def nudge(user: User, shift_s: float) -> Any:
    form = {"file": audio_id(user), "shift_s": shift_s}
    answer = user.http.post(f"/api/page/{user.session}/place", json=form)
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


@dataclass(frozen=True, kw_only=True)
class Exported:
    """The sound of an export, in hundredths of a second."""

    tones: dict[int, NDArray[np.float64]]
    levels_db: NDArray[np.float64]

    def heard_s(self, frequency: int) -> list[tuple[float, float]]:
        """From when to when somebody is heard, by the tone that is heard with it."""
        there = self.tones[frequency] > np.quantile(self.tones[frequency], 0.95) / 2
        edges = np.flatnonzero(np.diff(np.concatenate([[False], there, [False]]).astype(int)))
        spans = edges.reshape(-1, 2) / 100
        return [(float(first), float(last)) for first, last in spans if last - first > 0.05]

    def level_db(self, first_s: float, last_s: float) -> float:
        """The median level between two times."""
        return float(np.median(self.levels_db[round(first_s * 100) : round(last_s * 100)]))


def exported(user: User, path: Path, length_s: float = FILM_S) -> Exported:
    """The film of a session, downloaded and decoded."""
    name = user.render()
    done = user.rendered(name)
    assert done["status"] == "completed", done
    path.write_bytes(user.http.get(f"/api/render/proxy/{name}/download").content)
    sound = read_sound(path)
    assert sound.rate == RATE
    mono = sound.samples.mean(axis=0)[: round(length_s * RATE)]
    frames = mono[: mono.size // FRAME * FRAME].reshape(-1, FRAME).astype(np.float64)
    phases = np.exp(-2j * np.pi * np.arange(FRAME) / RATE)
    tones = {hz: np.abs(frames @ phases**hz) for hz in (CAMERA_HZ, RECORDER_HZ)}
    below = np.abs(np.fft.rfft(frames)[:, 1 : SHARED_HZ // 100]) ** 2
    return Exported(tones=tones, levels_db=10 * np.log10(below.sum(axis=1) + 1e-12))


@pytest.mark.parametrize(
    ("ran", "nudges", "heard"),
    [
        ((1, 8), (), (1, 8)),
        ((1, 8, 180), (), (1, 8)),
        ((1, 8, 180), (-0.5,), (0.5, 7.5)),
        ((1, 8), (-0.5,), (0.5, 7.5)),
        ((1, 8), (-0.6, 1.3), (1.7, 8.7)),
        ((-1, 11), (-1.75,), (0, 9.25)),
        ((-1, 11), (1.5, 0.25), (0.75, 10)),
        ((2, 9), (-3, 1.5), (0.5, 7.5)),
    ],
)
def test_the_camera_is_heard_where_the_moved_recording_is_not(
    world: World,
    tmp_path: Path,
    ran: tuple[Any, ...],
    nudges: tuple[float, ...],
    heard: tuple[float, float],
) -> None:
    """At the recording's level, from its new ends on, and nowhere is a hole between the two."""
    user = world.session(world.recorder(*ran))
    for shift_s in nudges:
        nudge(user, shift_s)
    assert_filled(exported(user, tmp_path / "film.mp4"), heard, FILM_S)


@pytest.mark.parametrize(
    ("said", "heard", "length_s"),
    [
        (('add the title "Hello" from 0 to 2 s',), (0.5, 7.5), 10),
        (("cut the last second",), (0.5, 7.5), 9),
        (('add the title "Hello"', "cut the first 2 seconds"), (0, 5.5), 8),
    ],
)
def test_so_it_is_in_an_edit_that_is_more_than_a_merge(
    world: World,
    tmp_path: Path,
    said: tuple[str, ...],
    heard: tuple[float, float],
    length_s: float,
) -> None:
    user = world.session(world.recorder(1, 8))
    nudge(user, -0.5)
    for sentence in said:
        assert "changes" in user.say(sentence).text
    assert_filled(exported(user, tmp_path / "film.mp4"), heard, length_s)


def test_a_piece_that_was_moved_out_of_a_cut_film_is_heard_again(
    world: World, tmp_path: Path
) -> None:
    """3 to 5 s are cut out; half of a second before that, nothing of the recorder is heard."""
    user = world.session(world.recorder(1, 8))
    assert "changes" in user.say("cut 3s to 5s").text
    nudge(user, 4.5)
    assert_filled(exported(user, tmp_path / "there.mp4", 8), (3.5, 8), 8)
    nudge(user, -4.25)
    assert_filled(exported(user, tmp_path / "back.mp4", 8), (1.25, 6.25), 8)


@pytest.mark.parametrize(
    ("second", "recorded", "filmed"),
    [
        ("related", [(3, 9), (10, 14)], [(0, 3), (9, 10), (14, 16)]),
        ("unrelated", [(3, 9)], [(0, 3), (9, 16)]),
    ],
)
def test_each_of_two_videos_is_heard_where_the_recorder_is_not(
    world: World,
    tmp_path: Path,
    second: str,
    recorded: list[tuple[float, float]],
    filmed: list[tuple[float, float]],
) -> None:
    """The second one filmed the same from 5 s on, or something else."""
    size = 6 * RATE
    sound = world.heard[:, 7 * RATE : 7 * RATE + size] + faint(size, CAMERA_HZ)
    if second == "unrelated":
        sound = rumble(size, 9) + faint(size, CAMERA_HZ)
        sound *= np.float32(RECORDER_GAIN)  # it is heard as it was filmed
    camera = tmp_path / "second.mp4"
    more: dict[str, Any] = {"audio": sound, "audio_rate": RATE, "flashes": ()}
    make_video(camera, size=(160, 90), rate=25, duration=6, **more)
    user = world.server.user()
    paths = (world.folder / "camera.mp4", camera, world.recorder(3, 9))
    assert user.upload(*paths).status_code == 200
    assert "changes" in user.say("add second.mp4 at the end").text
    assert "merged with" in user.say("merge").text
    made = exported(user, tmp_path / "film.mp4", 16)
    assert made.heard_s(RECORDER_HZ) == [pytest.approx(one, abs=0.03) for one in recorded]
    assert made.heard_s(CAMERA_HZ) == [pytest.approx(one, abs=0.05) for one in filmed]
    levels = [made.level_db(first + 0.05, last - 0.05) for first, last in (*recorded, *filmed)]
    assert max(levels) - min(levels) < 3


def assert_filled(made: Exported, heard: tuple[float, float], length_s: float) -> None:
    """The recording is heard from when to when, and the camera at its level before and after."""
    (first, last) = heard
    assert made.heard_s(RECORDER_HZ) == [pytest.approx((first, last), abs=0.03)]
    gaps = [gap for gap in ((0, first), (last, length_s)) if gap[0] < gap[1]]
    assert made.heard_s(CAMERA_HZ) == [pytest.approx(gap, abs=0.05) for gap in gaps]
    inside = made.level_db(first, last)
    for begin, end in gaps:
        assert made.level_db(begin + 0.05, end - 0.05) == pytest.approx(inside, abs=1.5)
    for edge in (time for time in heard if 0 < time < length_s):
        assert made.levels_db[round(edge * 100) - 6 : round(edge * 100) + 6].min() > inside - 7


def test_a_move_waits_for_the_sentence_that_is_worked_on(world: World) -> None:
    """The merge is done first, then the move, then the next sentence: each can be undone alone."""
    user = world.server.user()
    assert user.upload(world.folder / "camera.mp4", world.recorder(1.5, 8)).status_code == 200
    said = [
        threading.Thread(target=user.say, args=(text,))
        for text in ("merge", 'add the title "Hello"')
    ]
    with world.server.held_comparisons() as gate:
        said[0].start()
        gate.wait()
        told = nudge(user, -0.25)  # answered, and not done
        assert told["working"] is True
        assert told["moving"] == {audio_id(user): -0.25}
        assert not [track for track in told["tracks"] if track["kind"] == "audio"]
        assert nudge(user, -0.5)["moving"] == {audio_id(user): -0.75}
        said[1].start()
    for thread in said:
        thread.join()
    state = page_state(user)
    assert (state["working"], state["moving"]) == (False, {})
    starts = [start_of(state)]
    assert "text" in [track["kind"] for track in state["tracks"]]
    for _ in range(3):
        user.say("undo")
        starts.append(start_of(page_state(user)))
    assert starts == pytest.approx([0.75, 0.75, 1.25, 1.5], abs=0.001)
    user.say("undo")
    assert not [track for track in page_state(user)["tracks"] if track["kind"] == "audio"]


def start_of(state: Any) -> float:
    """Where the recording begins on the timeline."""
    (sound,) = (file["file_id"] for file in state["files"] if file["file_type"] == "audio")
    clips = [clip for track in state["tracks"] for clip in track["clips"]]
    return min(float(clip["start"]) for clip in clips if clip["source"] == sound)


def test_a_move_that_cannot_be_done_is_told(world: World) -> None:
    """At once where nothing is before it, else in the conversation; and nothing is changed."""
    user = world.session(world.recorder(1, 7.5))
    before = page_state(user)
    form = {"file": audio_id(user), "shift_s": 100}
    refused = user.http.post(f"/api/page/{user.session}/place", json=form)
    assert (refused.status_code, refused.json()["message"]) == (
        400,
        "nothing of that sound would be heard there",
    )
    assert page_state(user)["version"] == before["version"]

    other = world.server.user()
    assert other.upload(world.folder / "camera.mp4", world.recorder(1, 7)).status_code == 200
    saying = threading.Thread(target=other.say, args=("merge",))
    with world.server.held_comparisons() as gate:
        saying.start()
        gate.wait()
        assert nudge(other, -100)["moving"]
    saying.join()
    other.say("show tracks")
    said = [line["text"] for line in page_state(other)["said"] if line["role"] == "agent"]
    assert "nothing of that sound would be heard there" in said[1]
    assert start_of(page_state(other)) == pytest.approx(1, abs=0.001)


def test_a_server_that_is_stopped_does_not_wait_for_a_comparison(
    tmp_path: Path, world: World
) -> None:
    """The sentence ends without an edit: not with the starts lined up."""
    server = Server(folder=tmp_path / "server").start()
    with server.serving():
        user = server.user()
        assert user.upload(world.folder / "camera.mp4", world.recorder(1, 6)).status_code == 200

        def say() -> None:
            with contextlib.suppress(httpx.TransportError):
                user.say("merge")

        saying = threading.Thread(target=say)
        with server.held_comparisons() as gate:
            saying.start()
            gate.wait()
            (code, err) = server.stop()
        saying.join()
        assert (code, "Traceback" in err) == (130, False)
        server.start()
        user.http.base_url = server.url
        assert page_state(user)["tracks"] == []
        assert "merged with" in user.say("merge").text
