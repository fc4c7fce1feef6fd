"""Every error code and every fault, at every step: one outcome for each, and nothing paid twice."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cloud_world import Outcome, Time, World, consumed
from fake_nemo import FakeNemo, Fault
from fake_values import RenderJob

from avpipe.cloud.job import FALLBACK
from avpipe.cloud.upload import LocalFile, upload
from avpipe.errors import AvpipeError
from avpipe.updates import Progress

STEPS = ("token", "session", "state", "upload", "message", "submit", "poll")
TALE = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 40
OUTCOMES = {
    1001: ("1001", 4),
    1002: ("1002", 7),
    2001: ("2001", 5),
    4001: ("4001", 2),
    4002: ("4002", 2),
    400: ("failed", 7),
    402: ("402", 5),
    429: ("429", 7),
    **dict.fromkeys((408, 500, 502, 503, 504), ("failed", 7)),
}


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Callable[[Fault], tuple[World, Outcome]]]:
    """A job of its own, in which one thing goes wrong."""
    services: list[FakeNemo] = []

    def run(fault: Fault, **more: Any) -> tuple[World, Outcome]:
        nemo = FakeNemo(TALE)
        services.append(nemo)
        folder = tmp_path / str(len(services))
        folder.mkdir()
        nemo.faults = [fault]
        if not fault.at:  # neither source of the file
            nemo.faults = [Fault(**{**vars(fault), "at": at}) for at in ("cdn", "download")]
        world = World(nemo=nemo, folder=folder, more=more)
        return world, world.run()

    yield run
    for nemo in services:
        nemo.__exit__()


def assert_paid_once(world: World, *, sessions: int = 1) -> None:
    """Each upload and message once in a session, one render, and nothing where it may not be."""
    (nemo, tokens) = (world.nemo, [token.encode() for token in world.nemo.tokens])
    assert nemo.violations == []
    assert len(nemo.sessions) <= sessions
    for session_id in nemo.sessions:
        assert [one[0] for one in nemo.uploads].count(session_id) <= 2
        assert [one[0] for one in nemo.messages].count(session_id) <= 1
    assert len(nemo.renders) <= 1
    assert not [path for path in world.folder.iterdir() if path.name.startswith(".")]
    for path in world.folder.rglob("*"):
        if path.is_file() and path.name != "token.json":
            assert not any(token in path.read_bytes() for token in tokens), path


@pytest.mark.parametrize("code", OUTCOMES)
def test_an_error_that_stays(made: Callable[..., tuple[World, Outcome]], code: int) -> None:
    """The same one at whatever step, after which the plan can be carried out here."""
    for at in STEPS:
        (world, outcome) = made(Fault(at=at, code=code, times=99))
        assert (outcome.code, outcome.exit_code) == OUTCOMES[code], (at, outcome.error)
        assert isinstance(outcome.error, FALLBACK)
        assert not world.output.exists()
        assert_paid_once(world, sessions=2 if code == 1002 and at != "poll" else 1)


@pytest.mark.parametrize("status", [401, 402, 403, 404, 410, 413, 415, 429, 500, 503])
def test_a_link_whose_host_refuses(made: Callable[..., tuple[World, Outcome]], status: int) -> None:
    """What that means for the API it does not mean there: the API itself is asked for the file."""
    (world, outcome) = made(Fault(at="cdn", code=status, times=99))
    assert outcome.error is None
    assert world.output.read_bytes() == TALE
    assert world.nemo.count("download") == 1
    assert_paid_once(world)
    (world, outcome) = made(Fault(at="", code=status, times=99))
    assert (outcome.code, outcome.exit_code) == ("failed", 7), outcome.error
    assert_paid_once(world)


@pytest.mark.parametrize("how", [{"drop": True}, {"garbage": True}, {"stall": True}], ids=str)
def test_a_fault_that_stays(
    made: Callable[..., tuple[World, Outcome]], how: dict[str, Any]
) -> None:
    for at in STEPS:
        (world, outcome) = made(Fault(at=at, times=99, **how), idle_s=0.2)
        expected = ("failed" if "garbage" in how else "unreachable", 7)
        assert (outcome.code, outcome.exit_code) == expected, (at, outcome.error)
        assert not world.output.exists()
        assert_paid_once(world)


@pytest.mark.parametrize("code", OUTCOMES)
def test_an_error_that_comes_once(made: Callable[..., tuple[World, Outcome]], code: int) -> None:
    """Got over, or told; what the service says of the request itself is not argued with."""
    final = (2001, 4001, 4002, 402)
    for at in STEPS:
        (world, outcome) = made(Fault(at=at, code=code))
        told = code in final or (code == 400 and at != "token")
        told = told or (code in (408, 502, 504) and at == "message")  # nobody knows what it did
        told = told or (code == 1002 and at in ("token", "session", "poll"))
        told = told or (code == 1001 and at == "token")
        assert (outcome.error is not None) is told, (at, outcome.error)
        if not told:
            assert world.output.read_bytes() == TALE
        assert_paid_once(world, sessions=2 if code == 1002 and at != "poll" else 1)


@pytest.mark.parametrize("code", OUTCOMES)
def test_an_error_of_what_no_job_asks(tmp_path: Path, code: int) -> None:
    """Credits, the claim link and the end of a render: once got over or told, and what stays."""
    passes = code in (1001, 429, 408) or 500 <= code < 600
    with FakeNemo(TALE) as nemo, World(nemo=nemo, folder=tmp_path).cloud() as cloud:
        session = cloud.api.create_session()
        nemo.renders["render_1"] = RenderJob(session.session_id, {})
        asks: dict[str, Callable[[], Any]] = {
            "credits": cloud.api.credits,
            "claim": lambda: cloud.api.claim_link(session),
            "cancel": lambda: cloud.api.cancel("render_1"),
        }
        for at, ask in asks.items():
            nemo.faults = [Fault(at=at, code=code)]
            if passes:
                ask()
            nemo.faults = [Fault(at=at, code=code, times=99)]
            with pytest.raises(AvpipeError) as caught:
                ask()
            assert (caught.value.code, caught.value.exit_code) == OUTCOMES[code], at
            nemo.faults = []
            ask()
        assert nemo.violations == []


def test_a_render_of_a_lost_session_is_looked_at_again(tmp_path: Path) -> None:
    """It may be finished all the same; nothing is paid for twice."""
    with FakeNemo(TALE) as nemo:
        world = World(nemo=nemo, folder=tmp_path)
        nemo.faults = [Fault(at="poll", code=1002)]
        assert world.run().code == "1002"
        assert world.run().error is None
        assert world.output.read_bytes() == TALE
        assert (len(nemo.uploads), len(nemo.messages), len(nemo.renders)) == (2, 1, 1)
        assert len(nemo.sessions) == 1


def test_the_download_keeps_to_the_rate_limit(tmp_path: Path) -> None:
    """Of the API itself: once after 30 s."""
    with FakeNemo(TALE) as nemo:
        nemo.faults = [Fault(at="cdn", code=404, times=9), Fault(at="download", code=429)]
        world = World(nemo=nemo, folder=tmp_path)
        assert world.run().error is None
    assert world.time.slept == [30.0, 30.0]  # the other one is between two looks at the render


def test_a_registered_user_is_told_to_top_up(tmp_path: Path) -> None:
    with FakeNemo(TALE) as nemo:
        own = nemo.new_token("user_77")
        nemo.faults = [Fault(at="message", code=2001, times=9)]
        outcome = World(nemo=nemo, folder=tmp_path, token=own).run()
    assert outcome.error is not None
    assert outcome.error.hint == "top up credits in your account: https://nemovideo.com"


def test_a_client_id_that_is_given_is_the_one(tmp_path: Path) -> None:
    with FakeNemo(TALE) as nemo:
        world = World(nemo=nemo, folder=tmp_path, more={"client_id": "my-machine"})
        nemo.faults = [Fault(at="state", code=1001)]
        assert world.run().error is None
    assert nemo.client_ids == ["my-machine", "my-machine"]
    assert not (tmp_path / "state" / "client_id").exists()


def test_an_upload_tells_how_fast_it_is_and_how_long_it_takes(tmp_path: Path) -> None:
    """By a clock that goes on a second at each look."""
    with FakeNemo(TALE) as nemo:
        world = World(nemo=nemo, folder=tmp_path, time=Time(tick=1.0))
        large = tmp_path / "large.mp4"
        large.write_bytes(bytes(4_000_000))
        with world.cloud() as cloud:
            session_id = cloud.api.create_session().session_id
            consumed(upload(cloud, session_id, LocalFile(path=str(tmp_path / "camera.mp4"))))
            # 70 kB: that tells how quickly it answers, and not of the uplink
            assert cloud.journal.uplink_bytes_s(world.settings.cloud.api_url) is None
            (told, _) = consumed(upload(cloud, session_id, LocalFile(path=str(large))))
            kept = cloud.journal.uplink_bytes_s(world.settings.cloud.api_url)
    assert len(told) > 2
    for update in told[:-1]:
        assert isinstance(update, Progress)
        assert update.speed is not None
        assert update.eta_s is not None
        left = 4_000_000 * (1 - update.done)
        assert update.eta_s == pytest.approx(left / update.speed)
    assert told[-1].done == 1.0
    assert kept is not None
