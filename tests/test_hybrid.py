"""`merge` by way of the cloud: whatever goes wrong there, the right file or the right error, each
upload and render once, and nothing left behind or leaked."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cloud_renders import assert_filled_alike, filled, renderer
from cloud_world import Time, World
from fake_nemo import FakeNemo, Fault
from measure import level_db, shown_frames, stream_extents
from media_factory import ffmpeg, make_audio, make_video

from avpipe.codecs import isolate
from avpipe.codecs.ffmpeg import find
from avpipe.codecs.loudness import file_meter, measure_loudness
from avpipe.errors import AvpipeError
from avpipe.journal import JobRow, JobState
from avpipe.plan.request import Request, RouteChoice, Sync
from avpipe.plan.values import Plan
from avpipe.recipe import Method, SizeFit
from avpipe.settings import CloudSettings, Settings
from avpipe.updates import Done, Fallback, Note
from avpipe.workflow import carry_out, plan_merge

STEPS = ("token", "session", "state", "upload", "message", "submit", "poll")


@dataclass(frozen=True, kw_only=True)
class Media:
    """Two files that have to be rendered, and what a faultless cloud makes of them."""

    folder: Path
    plan: Plan
    rendered: bytes
    sound: bytes
    """Prepared for the cloud."""


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> Media:
    folder = tmp_path_factory.mktemp("media")
    (video, audio) = (folder / "camera.mp4", folder / "sound.wav")
    make_video(video, size=(160, 90), duration=2, rate=25, codec="mpeg4", audio="tone", flashes=())
    make_audio(audio, duration=2, channels=2, noise=0.1, seed=5)
    request = Request(
        video=str(video),
        audio=str(audio),
        output=str(folder / "out.mp4"),
        sync=Sync.START,
        route=RouteChoice.CLOUD,
    )
    plan = plan_merge(request, Settings(state_dir=folder / "state"))
    with FakeNemo() as nemo:
        nemo.renderer = renderer(folder / "renders")
        merge = Merge(nemo=nemo, folder=folder / "first", plan=plan)
        assert merge.run().code == "done"
        (session,) = nemo.sessions.values()
        return Media(folder=folder, plan=plan, rendered=nemo.video, sound=session.bodies["audio"])


@dataclass(kw_only=True)
class Came:
    """What a merge came to."""

    error: AvpipeError | None
    updates: list[Any]

    @property
    def code(self) -> str:
        return "done" if self.error is None else self.error.code

    @property
    def done(self) -> Done:
        (last,) = self.updates[-1:]
        assert isinstance(last, Done)
        return last


@dataclass(kw_only=True)
class Merge:
    """One user's merge of one plan."""

    nemo: FakeNemo
    folder: Path
    plan: Plan
    time: Time = field(default_factory=Time)
    more: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(exist_ok=True)
        output = dataclasses.replace(self.plan.output, path=str(self.output))
        self.plan = dataclasses.replace(self.plan, output=output)

    @property
    def output(self) -> Path:
        return self.folder / "out.mp4"

    @property
    def world(self) -> World:
        return World(
            nemo=self.nemo,
            folder=self.folder.parent,
            time=self.time,
            more={"idle_s": 60.0, **self.more},  # it renders while it is asked
            state_dir=self.folder.parent / f"state-{self.folder.name}",
        )

    def run(self, *, fallback: bool = True, stop_at: str = "") -> Came:
        """Carry the plan out; where a stage is named, as far as that alone."""
        plan = self.plan if fallback else dataclasses.replace(self.plan, fallback=())
        came = Came(error=None, updates=[])
        work = carry_out(plan, self.world.settings, overwrite=False, clock=self.time.clock)
        try:
            with closing(work):
                for update in work:
                    came.updates.append(update)
                    if stop_at and getattr(update, "stage", "") == stop_at:
                        break
        except AvpipeError as error:
            came.error = error
        return came

    @property
    def jobs(self) -> tuple[JobRow, ...]:
        with self.world.cloud() as cloud:
            return cloud.journal.jobs()


@pytest.fixture
def merge(tmp_path: Path, media: Media) -> Iterator[Merge]:
    with FakeNemo(media.rendered) as nemo:
        yield Merge(nemo=nemo, folder=tmp_path / "out", plan=media.plan)


@pytest.fixture
def quick_sound(monkeypatch: pytest.MonkeyPatch, media: Media) -> None:
    """The sound is not encoded again for each of many cases; what is made of it is the same."""

    def copied(ffmpeg: Any, arguments: Sequence[str], target: str, **_: Any) -> list[int]:
        Path(target).write_bytes(media.sound)
        return [96_000]

    monkeypatch.setattr(isolate, "encode_audio", copied)


def assert_clean(merge: Merge, *, unfinished: bool = False) -> None:
    """Nothing forbidden was asked, nothing is left over, tokens are nowhere but in their file."""
    assert merge.nemo.violations == []
    assert {path.name for path in merge.folder.iterdir()} <= {"out.mp4"}
    state = merge.world.settings.state_dir
    if not unfinished:
        assert not list((state / "prepared").glob("*"))
    tokens = [token.encode() for token in merge.nemo.tokens]
    for path in (*merge.folder.rglob("*"), *state.rglob("*")):
        if path.is_file() and path.name != "token.json":
            assert not any(token in path.read_bytes() for token in tokens), path


def assert_from_cloud(merge: Merge, came: Came, *, uploads: int = 2, messages: int = 1) -> None:
    assert came.error is None, came.error
    assert (came.done.route, came.done.fallback) == ("cloud", None)
    assert merge.output.read_bytes() == merge.nemo.video
    assert all(check.ok for check in came.done.checks)
    assert len(merge.nemo.uploads) == uploads
    assert (len(merge.nemo.messages), len(merge.nemo.renders)) == (messages, 1)
    assert [job.state for job in merge.jobs] == [JobState.DONE]
    assert_clean(merge)


def assert_made_here(merge: Merge, came: Came, code: str) -> Fallback:
    """The planned file, made here, and one word of why."""
    assert came.error is None, came.error
    (told,) = [update for update in came.updates if isinstance(update, Fallback)]
    assert (told.source, told.code) == ("cloud", code)
    assert "\n" not in told.reason
    assert (came.done.route, came.done.fallback) == ("local", told)
    assert (came.done.video, came.done.audio) == ("encode", "encode")
    assert came.done.output.duration_s == pytest.approx(2.0)
    assert merge.output.is_file()
    assert merge.output.read_bytes() != merge.nemo.video
    assert [job.state for job in merge.jobs] == [JobState.FAILED]
    assert_clean(merge)
    return told


def test_a_merge_in_the_cloud(merge: Merge, media: Media) -> None:
    """Both lie at the service as they should, and what it makes of them is the output."""
    merge.nemo.renderer = renderer(media.folder / "whole")
    came = merge.run()
    assert_from_cloud(merge, came)
    stages = list(dict.fromkeys(getattr(update, "stage", "") for update in came.updates))
    assert [stage for stage in stages if stage] == [
        *("audio", "upload", "cloud_render", "download", "verify")
    ]
    notes = [update.message for update in came.updates if isinstance(update, Note)]
    assert notes == ["Connecting…", "Ready!"]
    assert [name for (_, name, *_) in merge.nemo.uploads] == ["camera.mp4", "sound.m4a"]
    ((_, text),) = merge.nemo.messages
    assert text.startswith("merge this audio and video into a single MP4 file: ")
    checks = {check.name: check.value for check in came.done.checks}
    assert checks["sync_ms"] == pytest.approx(0.0, abs=1)
    assert checks["sound_likeness"] > 0.9
    assert checks["picture_likeness"] > 0.9
    assert (came.done.output.width, came.done.output.height) == (160, 90)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"sound_late_s": 0.15, "length_s": 2}, "sync_ms is 150"),
        ({"sound_late_s": -0.06}, "sync_ms is -60"),
        ({"picture_late_s": 0.08, "length_s": 2}, "sync_ms is -80"),
        ({"volume": 0}, "sound_likeness is 0"),
        ({"map_sound": "0:a"}, "sound_likeness is 0"),
        ({"map_sound": ""}, "audio_streams is 0"),
        ({"length_s": 1.5}, "video_end_s is 1.5"),
        ({"sound_filters": "atrim=end=1"}, "audio_end_s is 1"),
        ({"filters": "crop=90:90"}, "size is 90x90"),
        ({"filters": "scale=3840:2160"}, "size is 3840x2160"),
        ({"filters": "reverse"}, "picture_likeness is"),
        ({"sound_codec": "libmp3lame"}, "audio_codec is mp3"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("quick_sound")
def test_what_the_cloud_makes_wrong_is_made_here(
    merge: Merge, media: Media, made: dict[str, Any], words: str
) -> None:
    merge.nemo.renderer = renderer(media.folder / "wrong", **made)
    came = merge.run(fallback=False)
    assert came.error is not None
    assert (came.code, came.error.exit_code) == ("rejected", 1), came.error
    assert words in came.error.message
    assert not merge.output.exists()
    assert (len(merge.nemo.uploads), len(merge.nemo.renders)) == (2, 1)
    assert_clean(merge)


@pytest.mark.parametrize(
    "made",
    [
        {"sound_late_s": 0.1, "length_s": 2},
        {"sound_late_s": -0.03},
        {"filters": "fps=30,scale=1280:720", "sound_filters": "volume=0.35"},
    ],
    ids=str,
)
@pytest.mark.usefixtures("quick_sound")
def test_what_nobody_notices_is_taken(merge: Merge, media: Media, made: dict[str, Any]) -> None:
    merge.nemo.renderer = renderer(media.folder / "right", **made)
    assert_from_cloud(merge, merge.run())


FATAL = [
    *((Fault(at=at, code=500, times=99), "failed", 7) for at in STEPS),
    *((Fault(at=at, garbage=True, times=99), "failed", 7) for at in STEPS),
    *((Fault(at=at, drop=True, times=99), "unreachable", 7) for at in STEPS),
    *((Fault(at=at, code=429, times=99), "429", 7) for at in STEPS),
    *((Fault(at=at, code=1001, times=99), "1001", 4) for at in STEPS if at != "token"),
    *((Fault(at=at, code=2001, times=99), "2001", 5) for at in ("session", "message", "submit")),
    (Fault(at="submit", code=402, times=99), "402", 5),
    (Fault(at="upload", code=4001, times=99), "4001", 2),
    (Fault(at="upload", code=4002, times=99), "4002", 2),
    (Fault(at="upload", code=1002, times=99), "1002", 7),
    (Fault(at="submit", code=1002, times=99), "1002", 7),
]


@pytest.mark.parametrize(("fault", "code", "exit_code"), FATAL, ids=str)
@pytest.mark.usefixtures("quick_sound")
def test_the_error_where_no_fallback_is_wanted(
    merge: Merge, fault: Fault, code: str, exit_code: int
) -> None:
    merge.nemo.faults = [fault]
    came = merge.run(fallback=False)
    assert came.error is not None
    assert (came.code, came.error.exit_code) == (code, exit_code), came.error
    assert not merge.output.exists()
    at = fault.at
    lost = 2 if code == "1002" and at == "submit" else 1  # all was made again in a new session
    assert len(merge.nemo.uploads) == 0 if at in ("token", "session", "state", "upload") else lost
    assert len(merge.nemo.renders) == (1 if at == "poll" else 0)
    assert_clean(merge, unfinished=True)


def stopped(nemo: FakeNemo) -> None:
    nemo.polls_needed = 0


def failing(nemo: FakeNemo) -> None:
    nemo.render_error = "out of GPUs"


def refusing(nemo: FakeNemo) -> None:
    nemo.refuses_everything = True


@pytest.mark.parametrize(
    ("happens", "code", "words"),
    [
        (Fault(at="session", code=2001, times=99), "2001", "register?bind=anon_"),
        (Fault(at="submit", code=402, times=99), "402", "register?bind=anon_"),
        (Fault(at="message", code=429, times=99), "429", ""),
        (Fault(at="upload", code=4001, times=99), "4001", ""),
        (Fault(at="upload", code=4002, times=99), "4002", ""),
        (Fault(at="upload", code=1002, times=99), "1002", ""),
        (Fault(at="upload", drop=True, times=99), "unreachable", "broke off"),
        (Fault(at="poll", code=500, times=99), "failed", ""),
        (refusing, "1001", "NEMO_TOKEN"),
        (stopped, "failed", "stood still"),
        (failing, "failed", "out of GPUs"),
        (Fault(at="cdn", garbage=True, times=99), "rejected", "cannot be read"),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
@pytest.mark.usefixtures("quick_sound")
def test_the_same_plan_is_carried_out_here(
    merge: Merge, happens: Any, code: str, words: str
) -> None:
    if isinstance(happens, Fault):
        merge.nemo.faults = [happens]
    else:
        happens(merge.nemo)
    assert words in assert_made_here(merge, merge.run(), code).reason


@pytest.mark.parametrize(
    "how", [{"code": 500}, {"code": 429}, {"drop": True}, {"garbage": True}], ids=str
)
@pytest.mark.usefixtures("quick_sound")
def test_what_fails_once_at_every_step_is_got_over(merge: Merge, how: dict[str, Any]) -> None:
    """But for a message that broke off: of that nobody knows what it did."""
    steps = STEPS if "code" in how else tuple(at for at in STEPS if at != "message")
    page = {"page": True} if "garbage" in how else how  # garbage of the right length is a file
    merge.nemo.faults = [*(Fault(at=at, **how) for at in steps), Fault(at="cdn", **page)]
    assert_from_cloud(merge, merge.run())


@pytest.mark.usefixtures("quick_sound")
def test_lost_answers_are_looked_up_at_every_step(merge: Merge) -> None:
    merge.nemo.faults = [
        *(Fault(at=at, drop=True, after=True) for at in ("token", "session", "upload", "submit")),
        Fault(at="message", after=True, byte=0),
        Fault(at="cdn", byte=1000),
    ]
    assert_from_cloud(merge, merge.run())


@pytest.mark.usefixtures("quick_sound")
def test_a_token_that_expires_at_any_step_is_replaced(merge: Merge) -> None:
    merge.nemo.faults = [Fault(at="upload", code=1001)]
    came = merge.run()
    assert_from_cloud(merge, came)
    assert "token_replaced" in {getattr(update, "code", "") for update in came.updates}


@pytest.mark.usefixtures("quick_sound")
def test_a_session_lost_after_the_edit_is_made_again(merge: Merge) -> None:
    """The prepared sound is there to be sent again."""
    merge.nemo.faults = [Fault(at="submit", code=1002)]
    assert_from_cloud(merge, merge.run(), uploads=4, messages=2)


@pytest.mark.usefixtures("quick_sound")
def test_no_cloud_at_all(merge: Merge) -> None:
    """Known within 3 s, and remembered for 5 minutes: the next one does not wait."""
    with FakeNemo() as gone:
        url = gone.url
    merge.more["api_url"] = url
    assert_made_here(merge, merge.run(), "unreachable")
    assert sum(merge.time.slept) < 3
    (merge.time.slept, before) = ([], merge.output.read_bytes())
    assert before
    merge.output.unlink()
    assert "a short while ago" in str(merge.run().done.fallback)
    assert merge.time.slept == []
    merge.output.unlink()
    merge.time.now += 301
    merge.more["api_url"] = merge.nemo.url
    assert merge.run().done.route == "cloud"


def test_a_video_that_the_cloud_would_not_take_is_not_sent(merge: Merge) -> None:
    merge.more["upload_limit"] = 1000
    assert "1,000" in assert_made_here(merge, merge.run(), "4002").reason
    assert merge.nemo.requests == []


@pytest.mark.parametrize("stage", ["audio", "upload", "cloud_render", "download", "verify"])
def test_an_interrupted_merge_is_taken_up(merge: Merge, stage: str) -> None:
    """By the same merge again: each file is sent once, one message, one render."""
    merge.run(stop_at=stage)
    assert not merge.output.exists()
    (job,) = merge.jobs
    assert job.state not in (JobState.DONE, JobState.FAILED)
    assert_clean(merge, unfinished=True)
    assert_from_cloud(merge, merge.run())
    assert [again.id for again in merge.jobs] == [job.id]


@pytest.mark.usefixtures("quick_sound")
def test_names_that_are_not_unicode(merge: Merge, media: Media) -> None:
    """Neither the journal nor the service knows such texts."""
    info = merge.plan.inputs.video
    path = os.fsdecode(os.fsencode(merge.folder.parent) + b"/caf\xe9.mp4")
    shutil.copy2(info.path, path)
    info = dataclasses.replace(info, path=path, modified_ns=os.stat(path).st_mtime_ns)  # noqa: PTH116
    inputs = dataclasses.replace(merge.plan.inputs, video=info)
    merge.plan = dataclasses.replace(merge.plan, inputs=inputs)
    came = merge.run(stop_at="cloud_render")
    assert came.error is None
    assert_from_cloud(merge, merge.run())


def edit_session(merge: Merge, *, music: str | None = None) -> None:
    """Somebody else cuts the blocked merge's timeline to its first second, at half the volume."""
    merge.nemo.faults = [Fault(at="submit", code=402, times=99)]
    assert merge.run(fallback=False).code == "402"
    with merge.world.cloud() as cloud:
        (job,) = cloud.journal.jobs()
        assert job.session_id is not None
        cloud.journal.begin_message(job.session_id, "the first second", before="", job_id=None)
    (session,) = merge.nemo.sessions.values()
    (video, sound) = (file["cdn_url"] for file in session.files)
    session.draft["t"] = [
        {"tt": 0, "sg": [{"d": 1000, "src": video, "volume": 0}]},
        {"tt": 1, "sg": [{"d": 1000, "src": music or sound, "volume": 0.5}]},
    ]


def notes_of(came: Came) -> dict[str, str]:
    return {update.code: update.message for update in came.updates if isinstance(update, Note)}


@pytest.mark.usefixtures("quick_sound")
def test_what_was_edited_in_the_session_is_what_is_made(merge: Merge, media: Media) -> None:
    """Of the sound that was sent, and not of the camera's."""
    edit_session(merge)
    came = merge.run()
    assert came.error is None, came.error
    assert notes_of(came).keys() >= {"edits_kept"}
    assert (came.done.route, str(came.done.fallback and came.done.fallback.code)) == (
        "local",
        "402",
    )
    assert came.done.output.duration_s == pytest.approx(1.0, abs=0.03)
    assert all(check.ok for check in came.done.checks)
    sent = media.folder / "sent.m4a"
    sent.write_bytes(media.sound)
    (full, half) = (level_db(path, 0, 0.9) for path in (sent, merge.output))
    assert half - full == pytest.approx(-6.02, abs=0.3)
    assert [job.state for job in merge.jobs] == [JobState.FAILED]
    assert_clean(merge)


def test_the_camera_fills_an_edited_session_at_the_level_of_the_sound(merge: Merge) -> None:
    """The camera is 5 dB louder than what was sent, and cross-faded with it where that ends."""
    edit_session(merge)
    (session,) = merge.nemo.sessions.values()
    (video, sound) = (file["cdn_url"] for file in session.files)
    session.draft["t"] = filled(video, sound)
    came = merge.run()
    assert came.error is None, came.error
    assert notes_of(came).keys() >= {"edits_kept"}
    assert_filled_alike(merge.output)


@pytest.mark.usefixtures("quick_sound")
def test_edits_that_are_left_out_are_told(merge: Merge) -> None:
    """Music of the cloud's own is not here, and what is made here is the bare merge."""
    edit_session(merge, music="https://cdn.example.com/lofi.mp3")
    came = merge.run()
    assert_made_here(merge, came, "402")
    assert "lofi.mp3, which is not here" in notes_of(came)["edits_left_out"]


@pytest.fixture(scope="module")
def large(media: Media, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """The plan of a merge of which the camera's file is larger than an upload may be."""
    folder = tmp_path_factory.mktemp("large")
    camera = folder / "camera.mkv"
    noise = ("-vf", "noise=alls=40:allf=t", "-c:v", "mpeg4", "-q:v", "2")
    ffmpeg("-i", media.plan.inputs.video.path, *noise, camera)
    cloud = CloudSettings(upload_limit=60_000)
    assert camera.stat().st_size > 60_000
    request = Request(
        video=str(camera),
        audio=media.plan.inputs.audio.path,
        output=str(folder / "out.mp4"),
        sync=Sync.START,
        route=RouteChoice.CLOUD,
    )
    return plan_merge(request, Settings(state_dir=folder / "state", cloud=cloud))


def limit_of(plan: Plan) -> int:
    assert plan.sent is not None
    assert plan.sent.fit is not None
    return plan.sent.fit.limit_bytes


@pytest.mark.parametrize("stage", ["compress", "upload"])
@pytest.mark.usefixtures("quick_sound")
def test_a_video_over_the_limit_is_compressed_before_it_is_sent(
    merge: Merge, media: Media, large: Plan, stage: str
) -> None:
    """Just under the limit, every frame of it, and once, wherever the merge was interrupted."""
    merge = Merge(nemo=merge.nemo, folder=merge.folder, plan=large)
    merge.more["upload_limit"] = limit_of(large)
    (step,) = [step for step in large.steps if step.kind == "compress"]
    assert "two passes at 160x90" in step.why
    assert "VMAF about" in step.why
    merge.nemo.renderer = renderer(media.folder / "compressed")
    first = merge.run(stop_at=stage)
    assert first.error is None
    made = [*(merge.world.settings.state_dir / "prepared").glob("*/camera.mp4")]
    assert len(made) == (0 if stage == "compress" else 1)
    again = merge.run()
    assert_from_cloud(merge, again)
    stages = {getattr(update, "stage", "") for update in again.updates}
    assert ("compress" in stages) == (stage == "compress")
    ((_, name, size, _), _) = merge.nemo.uploads
    assert (name, 54_000 < size <= 60_000) == ("camera.mp4", True), size
    (session,) = merge.nemo.sessions.values()
    sent = media.folder / "sent.mp4"
    sent.write_bytes(session.bodies["video"])
    ((begin, end, frames),) = [
        (extent.start, extent.end, len(shown_frames(sent))) for extent in stream_extents(sent)
    ]
    assert (begin, end, frames) == (0, 2, 50)


def test_a_compressed_video_that_the_cloud_would_not_take_is_not_sent(
    merge: Merge, large: Plan
) -> None:
    """The limit is lower than it was when the plan was made."""
    merge = Merge(nemo=merge.nemo, folder=merge.folder, plan=large)
    merge.more["upload_limit"] = limit_of(large) - 1
    assert "make" not in assert_made_here(merge, merge.run(), "4002").reason
    assert merge.nemo.requests == []


@pytest.mark.usefixtures("quick_sound")
def test_a_size_that_was_asked_for_is_kept(merge: Merge) -> None:
    size = len(merge.nemo.video)
    for limit, code in ((size - 1, "rejected"), (size, "done")):
        fit = SizeFit(
            limit_bytes=limit,
            method=Method.TWO_PASS,
            sound_rate=192_000,
            crf=None,
            predicted_bytes=limit,
            predicted_vmaf=None,
        )
        merge.plan = dataclasses.replace(merge.plan, fit=fit)
        came = merge.run(fallback=False)
        assert came.code == code
        assert code == "done" or f"size_bytes is {size}" in str(came.error)


def test_a_loudness_that_was_asked_for_is_heard(merge: Merge, media: Media) -> None:
    """It is that of what is sent; a cloud that makes it quieter is wrong."""
    merge.plan = dataclasses.replace(merge.plan, loudness_lufs=-20.0)
    merge.nemo.renderer = renderer(media.folder / "quiet", volume=0.7)
    came = merge.run(fallback=False)
    assert (came.code, "loudness_lufs is -23" in str(came.error)) == ("rejected", True), came.error
    merge.nemo.renderer = renderer(media.folder / "loud")
    came = merge.run()
    assert came.error is None, came.error
    assert came.done.route == "cloud"
    found = measure_loudness(find(None), file_meter(str(merge.output)))
    assert found.integrated_lufs == pytest.approx(-20.0, abs=0.5)


@pytest.mark.usefixtures("quick_sound")
def test_a_job_that_is_cancelled_is_cleared_up(merge: Merge) -> None:
    from avpipe.cloud.job import cancel

    merge.nemo.polls_needed = 0
    assert "stood still" in str(merge.run(fallback=False).error)
    with merge.world.cloud() as cloud:
        cancel(cloud, cloud.journal.jobs()[0].id)
    (render,) = merge.nemo.renders.values()
    assert render.cancelled
    assert_clean(merge)
