"""What this machine does to the cloud's client: a full disk, Ctrl-C, another process at once."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from cloud_world import World, consumed
from commands import CommandLine, names, small_disk
from fake_nemo import FakeNemo, Fault
from media_factory import make_video

from avpipe.cloud import download
from avpipe.cloud.connection import session_in_use
from avpipe.cloud.send import send
from avpipe.cloud.upload import LocalFile, upload

TALE = b"\0\0\0\x18ftypmp42" + bytes(range(256)) * 400
SHORT = {"AVPIPE_CLOUD_POLL_S": "0.02", "AVPIPE_CLOUD_RETRY_S": "0.02"}
MUCH = 24_000_000
"""More than what the sockets of a connection hold."""


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("media") / "camera.mp4"
    make_video(path, size=(160, 90), duration=2, rate=30, audio="clicks")
    return path


@pytest.fixture
def nemo(video: Path) -> Iterator[FakeNemo]:
    with FakeNemo(video.read_bytes()) as made:
        yield made
        made.released.set()


@pytest.fixture
def avpipe(tmp_path: Path, nemo: FakeNemo, video: Path) -> CommandLine:
    folder = tmp_path / "work"
    folder.mkdir()
    shutil.copy(video, folder / "camera.mp4")
    return CommandLine(folder=folder).with_env(NEMO_API_URL=nemo.url, **SHORT)


@pytest.mark.parametrize("told", [True, False], ids=["told before", "in the middle"])
def test_a_disk_that_is_full_for_the_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: bool
) -> None:
    """Nothing is left on it; with more room the same render is fetched."""
    if not told:
        plenty = SimpleNamespace(disk_usage=lambda folder: SimpleNamespace(free=10**12))
        monkeypatch.setattr(download, "shutil", plenty)
    disk = tmp_path / "disk"
    try:
        with small_disk(disk, "160k") as remount, FakeNemo(TALE) as nemo:
            world = World(nemo=nemo, folder=disk, state_dir=tmp_path / "state")
            outcome = world.run()
            assert (outcome.code, outcome.exit_code) == ("disk_full", 1), outcome.error
            assert str(disk) in str(outcome.error)
            assert names(disk) == {"camera.mp4", "sound.wav"}
            assert ("more room" in str(outcome.error) or "needs" in str(outcome.error)) is told
            remount("size=1m")
            assert world.run().error is None
            assert world.output.read_bytes() == TALE
            assert (len(nemo.uploads), len(nemo.messages), len(nemo.renders)) == (2, 1, 1)
            assert names(disk) == {"camera.mp4", "sound.wav", "out.mp4"}
    except PermissionError as error:
        pytest.skip(str(error))


def test_ctrl_c_in_the_middle_of_an_upload(avpipe: CommandLine, nemo: FakeNemo) -> None:
    """It ends at once; the next run sends the file, and it arrives once."""
    with (avpipe.folder / "large.mp4").open("wb") as file:
        file.truncate(MUCH)
    nemo.faults = [Fault(at="upload", byte=100_000, stall=True)]
    process = avpipe.start("cloud", "upload", "large.mp4", "--json")
    assert nemo.stuck.wait(60)
    process.send_signal(signal.SIGINT)
    (out, err) = process.communicate(timeout=30)
    assert (process.returncode, "interrupted" in out) == (130, True), err
    assert "Traceback" not in err
    assert nemo.uploads == []
    avpipe.assert_alone()
    nemo.released.set()
    avpipe("cloud", "upload", "large.mp4").assert_done()
    assert [(name, size) for (_, name, size, _) in nemo.uploads] == [("large.mp4", MUCH)]
    assert (len(nemo.tokens), len(nemo.sessions)) == (1, 1)
    assert nemo.violations == []


@pytest.mark.parametrize("outputs", [("a.mp4", "b.mp4"), ("a.mp4", "a.mp4")], ids=str)
def test_two_exports_at_once(avpipe: CommandLine, nemo: FakeNemo, outputs: tuple[str, str]) -> None:
    """Of one state folder. To two names both are made; to one it is one render."""
    state_dir = Path(avpipe.env["AVPIPE_STATE_DIR"])
    with World(nemo=nemo, folder=avpipe.folder, state_dir=state_dir).cloud() as opened:
        session_id = session_in_use(opened).session_id
        file = LocalFile(path=str(avpipe.folder / "camera.mp4"))
        consumed(upload(opened, session_id, file))
        consumed(send(opened, session_id, "make it"))
    nemo.sessions[session_id].draft["t"] = nemo.sessions[session_id].draft["t"][:1]
    (avpipe.folder / "sound.wav").unlink()
    running = [avpipe.start("cloud", "export", "-o", output, "--json") for output in outputs]
    errors = [process.communicate(timeout=120)[1] for process in running]
    codes = [process.returncode for process in running]
    made = set(outputs)
    if len(made) == 2:
        assert codes == [0, 0], errors
    else:  # the other one was at work, or was done already
        assert sorted(codes) == [0, 2], errors
        said = "".join(errors)
        assert "another process is at work" in said or "exists" in said
    assert len(nemo.renders) == len(made)
    assert names(avpipe.folder) == {"camera.mp4", *made}
    for output in made:
        assert (avpipe.folder / output).read_bytes() == nemo.video
    assert nemo.violations == []
