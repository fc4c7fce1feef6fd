"""`avpipe batch --cluster`: the same files from workers in processes of their own."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path

import pytest
from clusters import start_cluster
from commands import LIMIT_S, STARTS, CommandLine, names
from PIL import Image
from shoot import small_pairs
from watchfiles import watch

pytest.importorskip("distributed", reason="the extra is not installed: scripts/install cluster")

WORKERS = 4
STORE = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
server.stop()
"""


@pytest.fixture(scope="module")
def store() -> Iterator[dict[str, str]]:
    """The environment in which `s3://` is a server of this machine."""
    process = subprocess.Popen(
        [sys.executable, "-c", STORE],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    port = process.stdout.readline().strip()
    yield {
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    process.communicate("", timeout=LIMIT_S)


@pytest.fixture(scope="module")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, store: dict[str, str]
) -> Iterator[tuple[str, list[int]]]:
    """The address of a scheduler with four worker processes, and their pids."""
    (process, address, pids) = start_cluster(tmp_path_factory.mktemp("cluster"), WORKERS, env=store)
    yield address, pids
    process.communicate("", timeout=LIMIT_S)


@pytest.fixture
def avpipe(tmp_path: Path) -> CommandLine:
    folder = tmp_path / "work"
    small_pairs(folder / "in", "one", "two", "three", "four", seconds=2)
    return CommandLine(folder=folder)


def content(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.mp4")
    }


def test_a_cluster_makes_the_same_files(avpipe: CommandLine, cluster: tuple[str, object]) -> None:
    (avpipe.folder / "in" / "broken.mp4").write_bytes(b"nothing")
    shutil.copy(avpipe.folder / "in" / "one.wav", avpipe.folder / "in" / "broken.wav")
    here = avpipe("batch", "in", "-o", "here", "--json", *STARTS)
    there = avpipe("batch", "in", "-o", "there", "--json", "--cluster", cluster[0], *STARTS)
    assert (here.code, there.code) == (8, 8)
    for key in ("total", "done", "failed", "skipped"):
        assert there.events[-1][key] == here.events[-1][key]
    assert content(avpipe.folder / "there") == content(avpipe.folder / "here")
    assert len(content(avpipe.folder / "there")) == 4
    # There are more slots than items; a worker says nothing before its end.
    told = [event["event"] for event in there.events if event["event"] != "item_paired"]
    assert told[:5] == ["item_started"] * 5
    assert names(avpipe.folder / "there" / ".avpipe.batch" / "made") == set()
    again = avpipe("batch", "in", "-o", "there", "--json", "--cluster", cluster[0], *STARTS)
    assert again.events[-1]["skipped"] == 4


def test_a_worker_that_is_killed_costs_nothing_but_time(
    avpipe: CommandLine, cluster: tuple[str, list[int]]
) -> None:
    process = avpipe.start(
        "batch", "in", "-o", "out", "--json", "--cluster", cluster[0], *STARTS, "--video", "encode"
    )
    assert process.stdout is not None
    next(line for line in process.stdout if '"item_started"' in line)
    os.kill(cluster[1][0], signal.SIGKILL)
    (out, err) = process.communicate(timeout=2 * LIMIT_S)
    assert (process.returncode, err) == (0, "")
    assert '"done": 4' in out.splitlines()[-1]
    for name in content(avpipe.folder / "out"):
        assert avpipe("verify", Path("out") / name).code == 0


def test_a_scheduler_that_is_started_again_is_found(avpipe: CommandLine, tmp_path: Path) -> None:
    (first, address, _) = start_cluster(tmp_path, 1)
    process = avpipe.start(
        "batch", "in", "-o", "out", "--json", "--cluster", address, *STARTS, "--video", "encode"
    )
    assert process.stdout is not None
    next(line for line in process.stdout if '"item_done"' in line)
    first.kill()
    first.communicate(timeout=LIMIT_S)
    (second, again, _) = start_cluster(tmp_path, 1, port=int(address.rpartition(":")[2]))
    assert again == address
    (out, err) = process.communicate(timeout=2 * LIMIT_S)
    assert (process.returncode, err) == (0, "")
    assert '"done": 4' in out.splitlines()[-1]
    assert len(content(avpipe.folder / "out")) == 4
    assert names(avpipe.folder / "out" / ".avpipe.batch" / "made") == set()
    second.communicate("", timeout=LIMIT_S)


def test_what_is_cancelled_leaves_the_workers_free(
    avpipe: CommandLine, cluster: tuple[str, object]
) -> None:
    """Every worker has minutes of work; the next batch is made all the same."""
    folder = avpipe.folder / "long"
    folder.mkdir()
    for name in ("a", "b", "c", "d", "e", "f"):
        Image.effect_noise((640, 360), 80).convert("RGB").save(folder / f"{name}.png")
        with wave.open(str(folder / f"{name}.wav"), "wb") as file:
            file.setparams((1, 1, 8000, 0, "NONE", "NONE"))
            file.writeframes(bytes(8000 * 1800))
    arguments = ("--json", "--cluster", cluster[0], *STARTS, "--quality", "high")
    process = avpipe.start("batch", "long", "-o", "cancelled", *arguments)
    assert process.stdout is not None
    made = avpipe.folder / "cancelled" / ".avpipe.batch" / "made"
    next(line for line in process.stdout if '"item_started"' in line)
    for _ in watch(made, watch_filter=None, yield_on_timeout=True, rust_timeout=500):
        if len(names(made)) == WORKERS:
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert not content(avpipe.folder / "cancelled")
    ran = avpipe("batch", "in", "-o", "out", *arguments)
    assert (ran.code, ran.events[-1]["done"]) == (0, 4)
    avpipe.assert_alone()


def test_files_behind_addresses(avpipe: CommandLine, cluster: tuple[str, object]) -> None:
    """fsspec's `file://` stands for any store: nothing is opened as a path."""
    (source, target) = ((avpipe.folder / "in").as_uri(), (avpipe.folder / "far").as_uri())
    arguments = ("batch", source, "-o", target, "--json", "--cluster", cluster[0], *STARTS)
    ran = avpipe(*arguments)
    assert ran.code == 0, ran.err
    assert (ran.events[-1]["done"], len(content(avpipe.folder / "far"))) == (4, 4)
    assert avpipe(*arguments).events[-1]["skipped"] == 4
    local = avpipe("batch", "in", "-o", "here", "--json", *STARTS)
    assert local.code == 0
    assert content(avpipe.folder / "far") == content(avpipe.folder / "here")
    assert not list((avpipe.folder / "far" / ".avpipe.batch" / "made").iterdir())
    refused = avpipe("batch", source, "-o", target, "--pair", "content")
    assert (refused.code, "by name" in refused.error) == (2, True)


BUCKET = """
import sys, s3fs
from pathlib import Path
(what, *names) = sys.argv[1:]
store = s3fs.S3FileSystem()
if what == "put":
    store.mkdir("shoot")
    for path in Path(names[0]).iterdir():
        store.put_file(str(path), f"shoot/card/{path.name}")
elif what == "get":
    for name in store.find("shoot/merged"):
        target = Path(names[0]) / name.removeprefix("shoot/merged/")
        target.parent.mkdir(parents=True, exist_ok=True)
        store.get_file(name, str(target))
elif what == "set":
    store.pipe_file(names[0], b"theirs")
elif what == "rm":
    store.rm_file(names[0])
"""


def bucket(store: dict[str, str], *arguments: str | Path) -> None:
    """Do something in the store as its user, in a process of its own."""
    subprocess.run(
        [sys.executable, "-c", BUCKET, *map(str, arguments)],
        env=os.environ | store, check=True, timeout=LIMIT_S,
    )  # fmt: skip


def test_a_batch_in_an_object_store(
    avpipe: CommandLine, cluster: tuple[str, object], store: dict[str, str]
) -> None:
    pytest.importorskip("s3fs", reason="the extra is not installed: scripts/install cluster")
    source = avpipe.folder / "in"
    for name in ("two", "three", "four"):  # what stores and shells take for patterns
        for ending in (".mp4", ".wav"):
            (source / f"{name}{ending}").rename(source / f"{name} [1]*{ending}")
    bucket(store, "put", source)
    local = avpipe("batch", "in", "-o", "here", "--json", *STARTS)
    assert local.events[-1]["done"] == 4
    there = avpipe.with_env(**store)
    arguments = ("batch", "s3://shoot/card", "-o", "s3://shoot/merged", "--json", *STARTS)
    ran = there(*arguments, "--cluster", cluster[0])
    assert (ran.code, ran.events[-1]["done"]) == (0, 4), ran.err
    bucket(store, "get", avpipe.folder / "far")
    assert content(avpipe.folder / "far") == content(avpipe.folder / "here")
    # Nothing is left of the making; the local pool goes on where the cluster ended.
    assert names(avpipe.folder / "far") == set(content(avpipe.folder / "here"))
    bucket(store, "rm", "shoot/merged/one.merged.mp4")
    bucket(store, "set", "shoot/merged/two [1]*.merged.mp4")
    again = there(*arguments)
    assert (again.code, again.events[-1]["skipped"]) == (8, 2)
    assert (again.events[-1]["done"], again.events[-1]["failed"]) == (1, 1)
    (failed,) = [event for event in again.events if event["event"] == "item_failed"]
    assert failed["error"]["code"] == "output_exists"


def test_a_store_that_refuses_is_told(avpipe: CommandLine, store: dict[str, str]) -> None:
    pytest.importorskip("s3fs", reason="the extra is not installed: scripts/install cluster")
    stranger = avpipe.with_env(
        **store
        | {
            "AWS_ACCESS_KEY_ID": "",
            "AWS_SECRET_ACCESS_KEY": "",
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_CONFIG_FILE": os.devnull,
        }
    )
    ran = stranger("batch", "s3://shoot/card", "-o", "out")
    assert (ran.code, "credentials" in ran.error) == (1, True)
    known = avpipe.with_env(**store)
    ran = known("batch", "s3://no-such-bucket/card", "-o", "out")
    assert (ran.code, ran.error) == (2, "s3://no-such-bucket/card does not exist")
    (avpipe.folder / "m.csv").write_text("video,audio\nin/one.mp4,s3://no-such-bucket/a.wav\n")
    ran = known("batch", "--manifest", "m.csv", "-o", "s3://no-such-bucket/out", "--json")
    assert (ran.code, ran.events[-1]["failed"]) == (8, 1)


def test_no_scheduler_is_told(avpipe: CommandLine) -> None:
    ran = avpipe("batch", "in", "-o", "out", "--cluster", "tcp://127.0.0.1:1")
    assert ran.code == 7
    assert "no Dask scheduler answers" in ran.error
