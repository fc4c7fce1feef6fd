"""How much a batch does at once, on which processors, and what its outputs are called."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from avpipe.batch import pool as pools
from avpipe.batch.outputs import output_name
from avpipe.batch.page import placing
from avpipe.batch.pool import LocalPool, pool_size
from avpipe.batch.tasks import Probe
from avpipe.media import Alignment, AlignmentMethod, MediaInfo
from avpipe.settings import Settings

GB = 10**9


@pytest.mark.parametrize(
    ("jobs", "cores", "tasks", "sessions", "memory", "size"),
    [
        (None, 8, 100, None, 64 * GB, 8),  # a core each
        (3, 8, 100, None, 64 * GB, 3),
        (50, 8, 100, None, 64 * GB, 8),  # never more than there are cores
        (None, 8, 2, None, 64 * GB, 2),
        (None, 8, 100, 3, 64 * GB, 3),  # the hardware encodes
        (None, 8, 100, None, 3 * GB, 4),  # 0.7 GB each
        (None, 8, 100, None, GB // 2, 1),
        (None, 8, 100, None, None, 8),  # not known
        (None, 8, 0, None, 64 * GB, 1),
    ],
)
def test_as_many_as_cores_memory_and_encoders_allow(
    jobs: int | None,
    cores: int,
    tasks: int,
    sessions: int | None,
    memory: int | None,
    size: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pools, "machine_memory_bytes", lambda: memory)
    assert pool_size(jobs, cores, tasks, sessions) == size


def workers_of(pid: int) -> list[int]:
    """The worker processes that a process has started."""
    children = [
        child
        for place in Path(f"/proc/{pid}/task").glob("*/children")
        for child in place.read_text().split()
    ]
    return [
        int(child)
        for child in children
        if "avpipe.batch.worker" in Path(f"/proc/{child}/cmdline").read_text()
    ]


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="no affinity here")
@pytest.mark.parametrize("workers", [1, 2, 64])
def test_no_processor_is_given_to_two_workers(workers: int, tmp_path: Path) -> None:
    here = os.sched_getaffinity(0)
    path = tmp_path / "empty.wav"
    path.touch()
    with LocalPool(Settings(state_dir=tmp_path), workers) as pool:
        assert pool.slots == min(workers, len(here))
        left = {pool.submit(Probe(paths=(str(path),))) for _ in range(pool.slots)}
        while left:
            told = pool.next(60)
            assert told is not None
            left.discard(told.number)
        given = [os.sched_getaffinity(pid) for pid in workers_of(os.getpid())]
        assert len(given) == pool.slots
        assert sum(map(len, given)) == len(here)
        assert set().union(*given) == here
    assert workers_of(os.getpid()) == []


def test_a_name_has_what_the_template_asks_for() -> None:
    info = MediaInfo(
        path="/card/day 1/C0001.MP4",
        container="mov",
        size_bytes=1,
        modified_ns=0,
        metadata={"creation_time": "2024-05-06T07:08:09.000000Z"},
    )
    template = "{date}-{folder}-{stem}-{audio}-{index:03}.mp4"
    name = output_name(template, info=info, audio="/card/ZOOM1.wav", index=7, root="/card")
    assert name == "2024-05-06-day 1-C0001-ZOOM1-007.mp4"
    name = output_name(template, info=info, audio="/card/ZOOM1.wav", index=7, root="/card/day 1")
    assert name == "2024-05-06-day 1-C0001-ZOOM1-007.mp4"


def test_the_report_has_no_nothing_below_nothing() -> None:
    found = Alignment(method=AlignmentMethod.CONTENT, offset_s=-1e-6, drift_ppm=-0.001)
    assert dict(placing(found)) == {"offset": "+0.0000 s", "drift": "+0.00 ppm"}
    found = Alignment(method=AlignmentMethod.CONTENT, offset_s=-1.25, drift_ppm=-0.5)
    assert dict(placing(found)) == {"offset": "-1.2500 s", "drift": "-0.50 ppm"}
