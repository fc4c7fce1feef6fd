"""Everything that goes wrong, at every step: the right file or the right error, and each upload,
message and render once."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloud_world import START_S, Outcome, Time, World
from fake_nemo import FakeNemo, Fault

from avpipe.cloud.connection import was_unreachable
from avpipe.cloud.job import FALLBACK
from avpipe.journal import JobState

GETS = ("state", "poll")
POSTS = ("token", "session", "upload", "message", "submit")
STEPS = GETS + POSTS
TALE = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 400


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with FakeNemo(TALE) as nemo:
        yield World(nemo=nemo, folder=tmp_path)


def faults(*made: Fault) -> list[Fault]:
    return list(made)


def assert_done(world: World, outcome: Outcome, uploads: int = 2, messages: int = 1) -> None:
    """The file is there, and was made with just so many uploads, messages and one render."""
    assert outcome.error is None, outcome.error
    assert world.output.read_bytes() == TALE
    assert len(world.nemo.uploads) == uploads
    assert len(world.nemo.messages) == messages
    assert len(world.nemo.renders) == 1
    assert_clean(world)


def assert_failed(world: World, outcome: Outcome, code: str, exit_code: int) -> None:
    assert (outcome.code, outcome.exit_code) == (code, exit_code), outcome.error
    assert not world.output.exists()
    assert_clean(world)


def assert_clean(world: World) -> None:
    """Nothing forbidden was done, nothing is left, and tokens are nowhere but in their file."""
    assert world.nemo.violations == []
    assert not [path for path in world.folder.iterdir() if path.name.startswith(".")]
    tokens = [token.encode() for token in world.nemo.tokens]
    for path in world.folder.rglob("*"):
        if path.is_file() and path.name != "token.json":
            assert not any(token in path.read_bytes() for token in tokens), path
    assert not any(token.decode() in repr(world.notes) for token in tokens)


def test_a_job_without_faults(world: World) -> None:
    outcome = world.run()
    assert_done(world, outcome)
    stages = list(dict.fromkeys(getattr(update, "stage", "note") for update in outcome.updates))
    assert stages == ["upload", "cloud_render", "download", "verify"]
    assert world.time.slept == [30.0]
    assert [note.message for note in world.notes] == ["Connecting…", "Ready!"]


@pytest.mark.parametrize(
    ("at", "status"), [*((at, 500) for at in STEPS), ("message", 503), ("state", 408)]
)
def test_a_server_error_that_passes(world: World, at: str, status: int) -> None:
    """Three of them, with growing waits between."""
    world.nemo.faults = faults(Fault(at=at, code=status, times=3))
    assert_done(world, world.run())
    assert [wait for wait in world.time.slept if wait != 30.0] == [1.0, 2.0, 4.0]


@pytest.mark.parametrize("at", STEPS)
def test_a_server_error_that_stays(world: World, at: str) -> None:
    world.nemo.faults = faults(Fault(at=at, code=500, times=99))
    outcome = world.run()
    assert_failed(world, outcome, "failed", 7)
    assert isinstance(outcome.error, FALLBACK)


@pytest.mark.parametrize(
    ("at", "after"),
    [(at, False) for at in (*GETS, "token", "session", "upload", "submit")]
    + [(at, True) for at in ("token", "session", "upload", "submit")],
)
@pytest.mark.parametrize("how", [{"drop": True}, {"garbage": True}, {"stall": True}], ids=str)
def test_a_lost_answer_is_looked_up(
    world: World, at: str, how: dict[str, Any], after: bool
) -> None:
    """Whether the request had its effect or not, it has it once."""
    world.more["idle_s"] = 0.3 if "stall" in how else 5.0
    world.nemo.faults = faults(Fault(at=at, after=after, **how))
    assert_done(world, world.run())


@pytest.mark.parametrize("how", [{"drop": True}, {"code": 504}, {"garbage": True}], ids=str)
def test_a_message_whose_effect_is_seen_is_not_sent_again(
    world: World, how: dict[str, Any]
) -> None:
    world.nemo.faults = faults(Fault(at="message", after=True, byte=0, **how))
    assert_done(world, world.run())


@pytest.mark.parametrize(
    "how", [{"drop": True}, {"code": 504}, {"code": 408}, {"garbage": True}], ids=str
)
def test_a_message_without_effect_is_not_sent_again(world: World, how: dict[str, Any]) -> None:
    """After the schedule: 30 s, then four times 60 s."""
    world.nemo.faults = faults(Fault(at="message", **how))
    outcome = world.run()
    assert_failed(world, outcome, "unreachable" if "drop" in how else "failed", 7)
    assert world.time.slept == [30.0, 60.0, 60.0, 60.0, 60.0]
    assert world.nemo.count("message") == 1


@pytest.mark.parametrize("byte", [0, 1, 60, 140, 250, 330])
def test_a_stream_that_is_cut_at_any_byte(world: World, byte: int) -> None:
    world.nemo.faults = faults(Fault(at="message", byte=byte))
    assert_done(world, world.run())
    assert world.time.slept[0] == 30.0
    assert world.nemo.count("message") == 1


@pytest.mark.parametrize("byte", [0, 1, 200, 35_000, 69_999])
def test_an_upload_that_is_cut_at_any_byte(world: World, byte: int) -> None:
    world.nemo.faults = faults(Fault(at="upload", byte=byte))
    assert_done(world, world.run())
    assert world.nemo.count("upload") == 3


def test_uploads_that_the_state_does_not_tell_of_are_sent_again(world: World) -> None:
    """The look-up must be able to say no: then nothing but a second upload is left."""
    world.nemo.keeps_files = False
    world.nemo.faults = faults(Fault(at="upload", after=True, drop=True))
    assert_done(world, world.run(), uploads=3)


@pytest.mark.parametrize("byte", [0, 1, 5000, len(TALE) - 1])
def test_a_download_that_is_cut_goes_on_where_it_was(world: World, byte: int) -> None:
    world.nemo.faults = faults(Fault(at="cdn", byte=byte))
    assert_done(world, world.run())
    asked = [request for request in world.nemo.requests if request.at == "cdn"]
    assert asked[1].headers.get("range") == (f"bytes={byte}-" if byte else None)
    assert world.nemo.count("download") == 0


@pytest.mark.parametrize(
    ("fault", "downloads"),
    [
        (Fault(at="cdn", code=403, times=9), 1),
        (Fault(at="cdn", code=404, times=9), 1),
        (Fault(at="cdn", code=500, times=9), 1),
        (Fault(at="cdn", page=True, times=9), 1),
        (Fault(at="cdn", drop=True, times=9), 1),
        (Fault(at="cdn", stall=True, times=9), 1),
        (Fault(at="cdn", lie=-100, times=9), 1),
        (Fault(at="cdn", lie=100), 0),
        (Fault(at="cdn", drop=True, times=3), 0),
    ],
    ids=str,
)
def test_a_link_that_does_not_hold_what_it_says(world: World, fault: Fault, downloads: int) -> None:
    """Then the API's own path is the second source."""
    world.more["idle_s"] = 0.3
    world.nemo.faults = faults(fault)
    assert_done(world, world.run())
    assert world.nemo.count("download") == downloads


@pytest.mark.parametrize(
    ("fault", "code", "exit_code"),
    [
        (Fault(at="", drop=True, times=99), "unreachable", 7),
        (Fault(at="", code=500, times=99), "failed", 7),
        (Fault(at="", garbage=True, times=99), "rejected", 1),
    ],
    ids=str,
)
def test_no_source_holds_the_file(world: World, fault: Fault, code: str, exit_code: int) -> None:
    for at in ("cdn", "download"):
        world.nemo.faults.append(Fault(**{**vars(fault), "at": at}))
    outcome = world.run()
    if fault.garbage:
        world.nemo.faults[1].garbage = False
    assert_failed(world, outcome, code, exit_code)


@pytest.mark.parametrize("errors", ["body", "http", "fastapi"])
@pytest.mark.parametrize(
    ("at", "code", "exit_code"),
    [
        ("session", 2001, 5),
        ("message", 2001, 5),
        ("upload", 4001, 2),
        ("upload", 4002, 2),
        ("submit", 402, 5),
        ("submit", 2001, 5),
        ("state", 1001, 4),
        ("message", 1001, 4),
    ],
)
def test_refusals(world: World, at: str, code: int, exit_code: int, errors: str) -> None:
    world.nemo.errors = errors
    world.nemo.faults = faults(Fault(at=at, code=code, times=99))
    outcome = world.run()
    assert_failed(world, outcome, str(code), exit_code)
    assert isinstance(outcome.error, FALLBACK)
    assert outcome.error.hint
    if code == 2001:
        link = "https://nemovideo.com/register?bind=anon_abc123def4567890"
        assert link in outcome.error.hint
    if code == 402:
        assert outcome.error.hint.startswith("register or upgrade your plan to unlock export")


@pytest.mark.parametrize("errors", ["body", "fastapi"])
@pytest.mark.parametrize("at", ["session", "state", "upload", "message", "submit", "poll"])
def test_a_token_that_expires_on_the_way_is_replaced_once(
    world: World, at: str, errors: str
) -> None:
    world.nemo.errors = errors
    world.nemo.faults = faults(Fault(at=at, code=1001))
    assert_done(world, world.run())
    assert len(world.nemo.tokens) == 2
    assert len(set(world.nemo.client_ids)) == 1
    assert [note.code for note in world.notes].count("token_replaced") == 1


def test_a_service_that_refuses_every_token(world: World) -> None:
    world.nemo.refuses_everything = True
    assert_failed(world, world.run(), "1001", 4)
    assert len(world.nemo.tokens) == 2


def test_a_token_of_ones_own_that_is_refused_is_replaced(world: World) -> None:
    world.token = "my-own-token"
    assert_done(world, world.run())
    assert "NEMO_TOKEN" in world.notes[-1].message
    again = World(nemo=world.nemo, folder=world.folder, token="my-own-token")
    again.output.unlink()
    assert again.run().error is None
    assert len(world.nemo.tokens) == 1  # the anonymous one was kept


def test_a_token_past_its_expiry_is_not_used(world: World) -> None:
    world.nemo.expires_at = "2027-01-16T00:00:00Z"
    world.time.now = 1_800_057_600.0 - START_S - 3600  # an hour before
    assert_done(world, world.run())
    world.output.unlink()
    world.time.now += 7200
    world.nemo.requests.clear()
    world.run()
    assert len(world.nemo.tokens) == 2
    used = {
        request.headers["authorization"] for request in world.nemo.requests if request.at == "state"
    }
    assert used == {f"Bearer {list(world.nemo.tokens)[1]}"}


@pytest.mark.parametrize("errors", ["body", "fastapi"])
@pytest.mark.parametrize(
    ("at", "skip", "uploads", "messages"),
    [("upload", 0, 2, 1), ("upload", 1, 3, 1), ("message", 0, 4, 1), ("submit", 0, 4, 2)],
)
def test_a_session_that_the_service_lost_is_made_again(
    world: World, at: str, skip: int, uploads: int, messages: int, errors: str
) -> None:
    """With all that it needs, in a new one."""
    world.nemo.errors = errors
    world.nemo.faults = faults(Fault(at=at, code=1002, skip=skip))
    assert_done(world, world.run(), uploads, messages)
    assert len(world.nemo.sessions) == 2
    last = list(world.nemo.sessions)[-1]
    assert {session for (session, *_) in world.nemo.uploads[-2:]} == {last}


def test_a_session_that_is_lost_again_and_again(world: World) -> None:
    world.nemo.faults = faults(Fault(at="upload", code=1002, times=99))
    assert_failed(world, world.run(), "1002", 7)
    assert len(world.nemo.sessions) == 2


@pytest.mark.parametrize("at", STEPS)
def test_the_rate_limit(world: World, at: str) -> None:
    """Once after 30 s; not a second time."""
    world.nemo.faults = faults(Fault(at=at, code=429))
    assert_done(world, world.run())
    assert world.time.slept.count(30.0) == 2  # the other one is between two looks at the render


@pytest.mark.parametrize("at", STEPS)
def test_the_rate_limit_that_stays(world: World, at: str) -> None:
    world.nemo.faults = faults(Fault(at=at, code=429, times=99))
    assert_failed(world, world.run(), "429", 7)
    assert world.nemo.count(at) == 2


def test_a_missing_client_id_is_made_anew(world: World) -> None:
    world.nemo.faults = faults(Fault(at="token", code=400))
    assert_done(world, world.run())
    assert world.nemo.count("token") == 2


def test_a_render_whose_id_is_taken_gets_another_once(world: World) -> None:
    world.nemo.faults = faults(Fault(at="submit", code=409))
    assert_done(world, world.run())
    ids = [request.form["id"] for request in world.nemo.requests if request.at == "submit"]
    assert len(set(ids)) == 2
    world.output.unlink()
    world.nemo.faults = faults(Fault(at="submit", code=409, times=99))
    assert_failed(world, world.run(), "failed", 7)


def test_a_render_that_fails(world: World) -> None:
    world.nemo.render_error = "out of GPUs"
    outcome = world.run()
    assert_failed(world, outcome, "failed", 7)
    assert "out of GPUs" in str(outcome.error)
    with world.cloud() as cloud:
        (job,) = cloud.journal.jobs()
    assert job.state is JobState.FAILED


def test_a_render_that_stands_still_can_be_taken_up_later(world: World) -> None:
    world.nemo.polls_needed = 0
    outcome = world.run()
    assert_failed(world, outcome, "failed", 7)
    assert sum(world.time.slept) == 330.0  # it moved once: from pending to processing
    world.nemo.polls_needed = 1
    assert_done(world, world.run())


def test_completed_without_a_link_is_not_completed(world: World) -> None:
    world.nemo.polls_needed = 1
    world.nemo.missing_url_polls = 3
    assert_done(world, world.run())
    assert world.nemo.count("poll") == 4


def test_a_render_that_the_service_has_lost(world: World) -> None:
    world.nemo.faults = faults(Fault(at="poll", code=404, times=99))
    assert_failed(world, world.run(), "failed", 7)


def test_no_service_at_all(tmp_path: Path) -> None:
    with FakeNemo() as nemo:
        url = nemo.url
    world = World(nemo=nemo, folder=tmp_path, more={"api_url": url})
    outcome = world.run()
    assert (outcome.code, outcome.exit_code) == ("unreachable", 7)
    assert sum(world.time.slept) < 3
    with world.cloud() as cloud:
        assert was_unreachable(cloud)
        world.time.now += 301
        assert not was_unreachable(cloud)


def test_a_job_that_is_cancelled_meanwhile(world: World) -> None:
    """By another process, between two looks at the render."""
    world.nemo.polls_needed = 0

    def sleep(seconds: float) -> None:
        with World(nemo=world.nemo, folder=world.folder).cloud() as other:
            from avpipe.cloud.job import cancel

            cancel(other, other.journal.jobs()[0].id)

    world.time.sleep = sleep  # type: ignore[method-assign]
    outcome = world.run()
    assert (outcome.code, outcome.exit_code) == ("cancelled", 1)
    (render,) = world.nemo.renders.values()
    assert render.cancelled


def cancelled_elsewhere(world: World) -> None:
    """By another process."""
    from avpipe.cloud.job import cancel

    with World(nemo=world.nemo, folder=world.folder, notes=world.notes).cloud() as other:
        cancel(other, other.journal.jobs()[0].id)


def test_a_job_that_is_cancelled_at_the_last_moment(world: World) -> None:
    """While what came is verified: it gets no name any more."""
    delivery = world.delivery()

    def verify(path: Path, expected: Any) -> Any:
        checks = yield from delivery.verify(path, expected)
        cancelled_elsewhere(world)
        return checks

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "delivery", lambda: dataclasses.replace(delivery, verify=verify))
        outcome = world.run()
    assert_failed(world, outcome, "cancelled", 1)


def test_a_job_is_cancelled_where_the_service_has_gone(world: World) -> None:
    """What is still at the service is told."""
    world.nemo.faults = faults(Fault(at="poll", code=500, times=4))
    assert world.run().code == "failed"
    world.nemo.faults = faults(Fault(at="cancel", code=503, times=99))
    cancelled_elsewhere(world)
    assert "could not be cancelled" in world.notes[-1].message
    with world.cloud() as cloud:
        assert cloud.journal.jobs()[0].state is JobState.CANCELLED


SAYS = 'data: {"code": 1001, "message": "token has expired"}\n\n'


def test_a_token_that_only_the_stream_refuses_is_replaced(world: World) -> None:
    world.nemo.faults = faults(Fault(at="message", says=SAYS))
    assert_done(world, world.run())
    assert (len(world.nemo.tokens), world.nemo.count("message")) == (2, 2)


def test_a_stream_that_refuses_after_it_was_at_work_is_not_asked_again(world: World) -> None:
    work = 'data: {"type": "tool_call", "name": "edit"}\n\n'
    world.nemo.faults = faults(Fault(at="message", says=work + SAYS))
    assert_failed(world, world.run(), "1001", 4)
    assert world.nemo.count("message") == 1


def test_a_session_that_the_stream_does_not_know_is_made_again(world: World) -> None:
    world.nemo.faults = faults(Fault(at="message", says='data: {"code": 1002}\n\n'))
    assert_done(world, world.run(), uploads=4)
    assert len(world.nemo.sessions) == 2


def test_a_token_that_expires_before_the_download_is_replaced(world: World) -> None:
    world.nemo.faults = faults(Fault(at="cdn", code=404, times=9), Fault(at="download", code=1001))
    assert_done(world, world.run())
    assert len(world.nemo.tokens) == 2


def test_a_client_id_is_kept_where_something_else_is_wrong(world: World) -> None:
    world.nemo.faults = faults(Fault(at="token", code=403))
    assert_failed(world, world.run(), "failed", 7)
    kept = (world.folder / "state" / "client_id").read_text()
    assert world.nemo.count("token") == 1
    assert_done(world, world.run())
    assert world.nemo.client_ids == [kept]


def test_a_file_that_becomes_shorter_while_it_is_sent(world: World) -> None:
    """The length was promised already; what arrived is no file."""
    from avpipe.cloud import upload

    real = upload.Multipart.body

    def shrinking(part: Any) -> Any:
        body = real(part)
        yield next(body)
        part.path.write_bytes(b"short")
        yield from body

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(upload.Multipart, "body", shrinking)
        outcome = world.run()
    assert (outcome.code, outcome.exit_code) == ("input_changed", 2)
    assert world.nemo.uploads == []


def test_still_working_is_said_every_two_minutes_and_an_end_is_made(world: World) -> None:
    """Heartbeats alone: each takes 10 s here."""
    world.time = Time(tick=10.0)
    world.nemo.edits = False
    world.nemo.heartbeats = [
        'data: {"type":"heartbeat"}\n\n',
        ": still there\n\n",
        "data:\n\n",
    ] * 50
    outcome = world.run()
    said = [update for update in outcome.updates if getattr(update, "code", "") == "still_working"]
    assert {update.message for update in said} == {"Still working…"}
    assert len(said) == 4  # at 2, 4, 6 and 8 minutes; at 10 it is given up
    assert outcome.code == "unreachable"
    assert "10 minutes" in str(outcome.error)


def test_a_reply_that_never_ends_is_given_up_after_15_minutes(world: World) -> None:
    """The agent is at work all the time, and says so: only the limit of a reply ends it."""
    world.time = Time(tick=10.0)
    world.nemo.edits = False
    call = {"type": "tool_call", "name": "generate_video_with_seedance", "args": {}}
    world.nemo.extra_events = [f"data: {json.dumps(call)}\n\n"] * 200
    outcome = world.run()
    said = [update for update in outcome.updates if getattr(update, "code", "") == "still_working"]
    assert len(said) == 7  # from 2 to 14 minutes
    assert outcome.code == "unreachable"
    assert "15 minutes" in str(outcome.error)
    assert world.nemo.count("message") == 1


CLOSING = """
import sqlite3, sys, threading
from pathlib import Path

from avpipe.journal import Journal

for _ in range(100):
    reading = threading.Event()
    with Journal(Path(sys.argv[1])) as journal:

        def reads() -> None:
            try:
                while True:
                    journal.failed_at("https://cloud.test")
                    reading.set()
            except sqlite3.ProgrammingError:
                pass

        reader = threading.Thread(target=reads)
        reader.start()
        reading.wait()
    reader.join()
"""


def test_a_journal_is_closed_under_an_upload_that_was_given_up(tmp_path: Path) -> None:
    """Its thread may still read: what it gets is an error, where the process used to crash."""
    command = [sys.executable, "-c", CLOSING, str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
