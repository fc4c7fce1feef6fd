"""Merges that find by themselves where the sound belongs: what came out is measured."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from measure import level_db, read_sound
from media_factory import make_audio, make_video
from merging import Merged, assert_ends, both_ffmpegs, merge
from numpy.typing import NDArray

from avpipe.benchmarks.scene import Scene, camera_sound, pink_noise, resample_at
from avpipe.benchmarks.voice import synthesise
from avpipe.conversation.local import LocalSession
from avpipe.conversation.values import Question
from avpipe.errors import SyncUncertainError, VerificationError
from avpipe.media import AlignmentMethod, Verdict
from avpipe.plan.edit import EditPlan
from avpipe.plan.request import AudioMode, Fill, Sync
from avpipe.plan.values import Plan
from avpipe.projects import Projects
from avpipe.recipe import RECORDER
from avpipe.settings import Settings
from avpipe.timeline import TrackKind
from avpipe.updates import Done, Note, result_of
from avpipe.workflow import carry_out

Samples = NDArray[np.float32]
RATE = 48_000
SECONDS = 40
LATE_S = 0.0001
"""How far what is heard may be from its place: the estimate, and a sample."""


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """What is heard close by, from `start` on the video's time line, and a video of it."""

    start: float
    sound: Samples
    video: Path

    def record(
        self,
        path: Path,
        *stretches: tuple[float, float],
        drift_ppm: float = 0.0,
        gain: float = 1.0,
    ) -> Path:
        """A recording of the stretches (begin and end on the video's time line), one after the
        other, by a clock that makes it `drift_ppm` too long."""
        scale = 1 + Fraction(drift_ppm) / 10**6
        parts = [
            resample_at(
                self.sound,
                Fraction(begin - self.start) * RATE,
                1 / scale,
                round(Fraction(end - begin) * scale * RATE),
            )
            for begin, end in stretches
        ]
        samples = np.concatenate(parts) * np.float32(gain)
        return make_audio(path, samples=samples, rate=RATE)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """A voice at some distance from a camera whose microphone hears the room and some noise."""
    scene = Scene(
        seconds=Fraction(SECONDS),
        offset_s=Fraction(-5),
        frame_rate=Fraction(10),
        recorder_seconds=Fraction(50),
    )
    rng = np.random.default_rng(7)
    voice = synthesise(float(scene.world_seconds), RATE, rng) * np.float32(0.5)
    voice += rng.standard_normal(voice.size).astype(np.float32) * np.float32(0.001)
    heard = camera_sound(scene, voice, rng) * np.float32(0.3)
    video = tmp_path_factory.mktemp("world") / "camera.mp4"
    make_video(video, size=(64, 36), rate=10, duration=SECONDS, audio=heard, flashes=())
    return World(start=float(scene.world_start), sound=voice, video=video)


def late_s(
    merged: Merged, world: World, at: float, track: int = 0, *, then: float | None = None
) -> float:
    """How much too late the output's sound is around a time, by comparison with the world's.

    `then` is when the world sounded so, where the picture was put together anew.
    """
    length = 1.0
    sound = read_sound(merged.path, track)
    size = round(length * RATE)
    first = round((at - length / 2) * RATE)
    ours = sound.samples.mean(axis=0)[first : first + size].astype(np.float64)
    back = 0.0 if then is None else at - then
    begin = first - round((world.start + back) * RATE)
    theirs = world.sound[begin : begin + size].astype(np.float64)
    window = np.hanning(size)
    cross = np.fft.rfft(ours * window, 2 * size) * np.conj(np.fft.rfft(theirs * window, 2 * size))
    cross /= np.abs(cross) ** 0.7 + 1e-12
    curve = np.fft.irfft(cross, 16 * size)
    peak = int(np.argmax(curve))
    return (peak if peak < 8 * size else peak - 16 * size) / 8 / RATE


def residual_ms(merged: Merged) -> float | None:
    """What the merge itself says of its sync."""
    (done,) = (update for update in merged.updates if isinstance(update, Done))
    (check,) = (check for check in done.checks if check.name == "sync_residual_ms")
    value: float | None = check.value
    return value


def notes(merged: Merged) -> list[str]:
    return [update.code for update in merged.updates if isinstance(update, Note)]


@both_ffmpegs
def test_a_recording_with_drift_is_put_in_place(tmp_path: Path, world: World, ffmpeg: str) -> None:
    audio = world.record(tmp_path / "a.wav", (-3.2345, 43.0), drift_ppm=120)
    merged = merge(tmp_path, world.video, audio, ffmpeg=ffmpeg, sync=Sync.REQUIRE)
    assert_ends(merged)
    assert merged.plan.alignment.method is AlignmentMethod.CONTENT
    assert merged.plan.timeline.audio[0].speed == pytest.approx(1 + 120e-6, abs=2e-6)
    assert notes(merged) == []
    assert (residual_ms(merged) or 1.0) < 0.1
    for at in (1.0, 20.0, 39.0):
        assert abs(late_s(merged, world, at)) < LATE_S


def test_an_output_out_of_place_is_rejected(tmp_path: Path, world: World) -> None:
    audio = world.record(tmp_path / "a.wav", (-3.0, 43.0))
    made = merge(tmp_path, world.video, audio, sync=Sync.REQUIRE)
    assert_rejected(made, RECORDER, tmp_path)


@pytest.mark.parametrize("mode", [AudioMode.REPLACE, AudioMode.ADD])
def test_one_of_several_recordings_out_of_place_is_rejected(
    tmp_path: Path, world: World, mode: AudioMode
) -> None:
    """One after the other or as tracks of their own: each is looked at where it is heard alone."""
    first = world.record(tmp_path / "first.wav", (-3.0, 21.0))
    second = world.record(tmp_path / "second.wav", (19.0, 43.0))
    more = (str(second),)
    made = merge(tmp_path, world.video, first, more_audio=more, sync=Sync.REQUIRE, audio_mode=mode)
    assert_rejected(made, RECORDER + 1, tmp_path)


def assert_rejected(made: Merged, source: int, folder: Path) -> None:
    """Make the same again, but for a recording that is 5 ms early: that is no output."""
    timeline = made.plan.timeline
    early = Fraction(5, 1000)
    tracks = tuple(
        replace(
            track,
            segments=tuple(
                replace(part, source_in=part.source_in + early, source_out=part.source_out + early)
                if part.source == source and track.kind is TrackKind.AUDIO
                else part
                for part in track.segments
            ),
        )
        for track in timeline.tracks
    )
    timeline = replace(timeline, tracks=tracks)
    made.path.unlink()
    settings = Settings(state_dir=folder / "state")
    with pytest.raises(VerificationError, match=r"sync_residual_ms is (4\.9|5\.0)"):
        list(carry_out(replace(made.plan, timeline=timeline), settings, overwrite=False))
    assert not made.path.exists()


def test_an_uncertain_place_is_told_and_the_starts_are_lined_up(
    tmp_path: Path, world: World
) -> None:
    other = synthesise(20.0, RATE, np.random.default_rng(99)) * np.float32(0.5)
    audio = make_audio(tmp_path / "other.wav", samples=other, rate=RATE)
    merged = merge(tmp_path, world.video, audio, sync=Sync.AUTO)
    assert notes(merged) == ["starts_lined_up"]
    alignment = merged.plan.alignment
    assert alignment.method is AlignmentMethod.START
    assert alignment.verdict is not Verdict.MATCHED
    (heard,) = (part for part in merged.plan.timeline.audio if part.source == RECORDER)
    assert (heard.start, heard.source_in, heard.speed) == (0, 0, 1)
    with pytest.raises(SyncUncertainError) as caught:
        merge(tmp_path, world.video, audio, sync=Sync.REQUIRE)
    assert caught.value.exit_code == 6


def test_the_drift_is_measured_around_a_given_offset(tmp_path: Path, world: World) -> None:
    audio = world.record(tmp_path / "a.wav", (-3.0, 43.0), drift_ppm=-150)
    merged = merge(tmp_path, world.video, audio, sync=Sync.AUTO, offset_s=-2.9)
    assert merged.plan.alignment.method is AlignmentMethod.OFFSET
    for at in (1.0, 39.0):
        assert late_s(merged, world, at) == pytest.approx(0.1, abs=LATE_S)


def test_the_sound_goes_ahead_by_the_way_to_the_camera(tmp_path: Path, world: World) -> None:
    audio = world.record(tmp_path / "a.wav", (-3.0, 43.0))
    merged = merge(tmp_path, world.video, audio, sync=Sync.REQUIRE, camera_distance_m=17.15)
    assert late_s(merged, world, 20.0) == pytest.approx(-0.05, abs=LATE_S)
    assert (residual_ms(merged) or 1.0) < 0.1


@both_ffmpegs
@pytest.mark.parametrize("lost", [0.25, 1.5])
def test_a_recorder_that_lost_sound_is_put_together(
    tmp_path: Path, world: World, lost: float, ffmpeg: str
) -> None:
    audio = world.record(tmp_path / "a.wav", (-3.0, 18.0), (18.0 + lost, 43.0), drift_ppm=80)
    merged = merge(tmp_path, world.video, audio, ffmpeg=ffmpeg, sync=Sync.REQUIRE)
    assert_ends(merged)
    for at in (2.0, 16.5, 20.5, 38.0):
        assert abs(late_s(merged, world, at)) < 5 * LATE_S
    # In the gap the camera is heard, as loud as the recorder; nothing clicks.
    assert level(merged, 18.05, 17.95 + lost) == pytest.approx(
        level_of(world, 18.05, 17.95 + lost), abs=3.0
    )
    assert roughness(merged, 17.0, 19.0 + lost) < 1.5 * roughness(merged, 25.0, 35.0)


def test_a_recording_in_another_order_is_put_together(tmp_path: Path, world: World) -> None:
    audio = world.record(tmp_path / "a.wav", (17.0, 44.0), (-3.0, 17.0), drift_ppm=60)
    merged = merge(tmp_path, world.video, audio, sync=Sync.REQUIRE, fill=Fill.SILENCE)
    assert_ends(merged)
    assert not notes(merged)
    for at in (0.6, 8.0, 16.4, 17.6, 25.0, 39.0):
        assert abs(late_s(merged, world, at)) < LATE_S
    assert roughness(merged, 16.0, 18.0) < 1.5 * roughness(merged, 20.0, 35.0)


def test_a_picture_that_shows_a_scene_twice_is_heard_twice(tmp_path: Path, world: World) -> None:
    camera = read_sound(world.video).samples
    (first, last) = (8 * RATE, 20 * RATE)
    twice = np.concatenate([camera, camera[:, first:last]], axis=1).mean(axis=0)
    video = make_video(tmp_path / "v.mp4", size=(64, 36), rate=10, duration=52, audio=twice)
    audio = world.record(tmp_path / "a.wav", (-3.0, 44.0), drift_ppm=60)
    merged = merge(tmp_path, video.path, audio, sync=Sync.REQUIRE, fill=Fill.SILENCE)
    assert_ends(merged)
    for at in (1.0, 20.0, 39.0):
        assert abs(late_s(merged, world, at)) < LATE_S
    for at in (41.0, 45.0, 51.0):
        assert abs(late_s(merged, world, at, then=at - 32.0)) < LATE_S


@both_ffmpegs
def test_the_camera_is_heard_where_the_recorder_is_not(
    tmp_path: Path, world: World, ffmpeg: str
) -> None:
    audio = world.record(tmp_path / "a.wav", (10.0, 30.0), gain=0.5)
    merged = merge(tmp_path, world.video, audio, ffmpeg=ffmpeg, sync=Sync.REQUIRE)
    assert_ends(merged)
    for begin, end in ((1.0, 9.0), (11.0, 29.0), (31.0, 39.0)):
        true = level_of(world, begin, end) - 6.02
        assert level(merged, begin, end) == pytest.approx(true, abs=1.5)
    for at in (5.0, 35.0):
        assert abs(late_s(merged, world, at)) < 0.003  # the room's direct sound
    for at in (12.0, 28.0):
        assert abs(late_s(merged, world, at)) < LATE_S
    for joint in (10.0, 30.0):
        assert roughness(merged, joint - 0.2, joint + 0.2) < 1.5 * roughness(merged, 12.0, 28.0)


@pytest.mark.parametrize("name", [b"\xff not UTF-8", b"new\nline", b"a:b'c,d", b"-x"])
def test_a_gap_is_filled_from_files_of_odd_names(tmp_path: Path, world: World, name: bytes) -> None:
    folder = tmp_path / os.fsdecode(name)
    folder.mkdir()
    camera = Path(shutil.copyfile(world.video, folder / os.fsdecode(name + b".mp4")))
    audio = world.record(tmp_path / "plain.wav", (5.0, 30.0)).rename(
        folder / os.fsdecode(name + b".wav")
    )
    merged = merge(tmp_path, camera, audio, sync=Sync.AUTO, fill=Fill.CAMERA)
    assert abs(late_s(merged, world, 20.0)) < LATE_S
    assert level_db(merged.path, 35, 38) > -60


@both_ffmpegs
def test_the_level_holds_through_a_fade(tmp_path: Path, ffmpeg: str) -> None:
    rng = np.random.default_rng(3)
    (near, far) = (pink_noise(10 * RATE, rng) * np.float32(volume) for volume in (0.1, 0.02))
    camera = make_video(tmp_path / "v.mp4", size=(64, 36), rate=10, duration=8, audio=far)
    audio = make_audio(tmp_path / "a.wav", samples=near[: 4 * RATE], rate=RATE)
    merged = merge(tmp_path, camera.path, audio, ffmpeg=ffmpeg, sync=Sync.AUTO, offset_s=2.0)
    assert_ends(merged)
    steps = np.arange(1.0, 7.0, 0.01)
    sound = read_sound(merged.path).samples.mean(axis=0).astype(np.float64)
    power = [np.mean(sound[round(at * RATE) :][: RATE // 100] ** 2) for at in steps]
    levels = 10 * np.log10(power) + 20
    assert np.median(levels[(steps < 1.9) | (steps > 6.1)]) == pytest.approx(
        np.median(levels[(steps > 2.1) & (steps < 5.9)]), abs=1.0
    )
    for fade in (2.0, 6.0):  # two sounds that are not alike have 3 dB less in the middle
        assert levels[np.abs(steps - fade) < 0.1].min() > levels.mean() - 3 - 4 * levels.std()


def test_silence_is_left_where_it_is_wanted(tmp_path: Path, world: World) -> None:
    audio = world.record(tmp_path / "a.wav", (10.0, 30.0))
    merged = merge(tmp_path, world.video, audio, sync=Sync.REQUIRE, fill=Fill.SILENCE)
    for begin, end in ((1.0, 9.5), (30.5, 39.0)):
        assert level(merged, begin, end) < -90


@both_ffmpegs
@pytest.mark.parametrize("mode", [AudioMode.REPLACE, AudioMode.ADD])
def test_several_recordings_are_each_put_in_place(
    tmp_path: Path, world: World, mode: AudioMode, ffmpeg: str
) -> None:
    first = world.record(tmp_path / "first.wav", (-2.0, 22.0), drift_ppm=60)
    second = world.record(tmp_path / "second.flac", (20.0, 44.0), drift_ppm=-60)
    merged = merge(
        tmp_path,
        world.video,
        second,
        more_audio=(str(first),),
        ffmpeg=ffmpeg,
        sync=Sync.REQUIRE,
        audio_mode=mode,
    )
    assert_ends(merged)
    (tracks, heard) = (1, (0, 0)) if mode is AudioMode.REPLACE else (3, (2, 1))
    assert merged.plan.recipe.audio_tracks == tracks
    assert (residual_ms(merged) or 1.0) < 0.1
    for track, times in zip(heard, ((2.0, 18.0), (24.0, 38.0)), strict=True):
        for at in times:
            assert abs(late_s(merged, world, at, track)) < LATE_S
    if mode is AudioMode.REPLACE:  # both are heard
        assert level(merged, 20.2, 21.8) == pytest.approx(
            level_of(world, 20.2, 21.8) + 6.02, abs=1.0
        )


def level(merged: Merged, begin: float, end: float) -> float:
    """RMS of the output between two times, in dB."""
    return level_db(merged.path, begin, end)


def level_of(world: World, begin: float, end: float) -> float:
    """RMS of the world between two times, in dB."""
    (first, last) = (round((time - world.start) * RATE) for time in (begin, end))
    return float(10 * np.log10(np.mean(world.sound[first:last].astype(np.float64) ** 2)))


def roughness(merged: Merged, begin: float, end: float) -> float:
    """The largest step between samples above 12 kHz, where a voice has little and a click much."""
    samples = read_sound(merged.path).samples.mean(axis=0)
    part = samples[round(begin * RATE) : round(end * RATE)].astype(np.float64)
    for _ in range(4):
        part = np.diff(part)
    return float(np.abs(part).max())


@pytest.mark.parametrize("stretch", [(8, 30), (-3, 42)], ids=["a part of it", "all of it"])
def test_a_merge_in_a_conversation_is_the_merge_of_the_command_line(
    world: World, tmp_path: Path, stretch: tuple[float, float]
) -> None:
    """The same bytes, the video copied; also where the camera is heard beside the recording."""
    recorder = world.record(tmp_path / "recorder.wav", stretch, drift_ppm=30)
    (tmp_path / "merged").mkdir()
    merged = merge(tmp_path / "merged", world.video, recorder, sync=Sync.AUTO, fill=Fill.CAMERA)
    (said, settings) = (tmp_path / "said.mp4", Settings(state_dir=tmp_path / "state"))
    with Projects(settings.state_dir) as projects:
        session = LocalSession(projects, settings)
        paths = (str(world.video), str(recorder))
        result_of(session.answer(Question(text="merge this audio and video", paths=paths)))
        assert isinstance(session.plan(), Plan)
        result_of(session.answer(Question(text="export", output=str(said))))
        assert said.read_bytes() == merged.path.read_bytes()
        result_of(session.answer(Question(text="mute the last second")))
        assert isinstance(session.plan(), EditPlan)
