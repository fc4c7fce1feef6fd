"""A Dask cluster of this machine: a scheduler and workers in processes of their own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from commands import LIMIT_S

PROGRAM = """
import sys
from distributed import LocalCluster
def main():
    with LocalCluster(n_workers=int(sys.argv[1]), threads_per_worker=1, processes=True,
                      scheduler_port=int(sys.argv[2]), dashboard_address=None,
                      memory_limit=None, silence_logs=50) as cluster:
        print(cluster.scheduler_address, flush=True)
        print(*(w.process.pid for w in cluster.workers.values()), flush=True)
        sys.stdin.read()
if __name__ == "__main__":
    main()
"""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """One that runs."""

    address: str
    pids: list[int]
    """Of its workers."""


@contextlib.contextmanager
def running_cluster(
    folder: Path, workers: int, *, port: int = 0, env: Mapping[str, str] | None = None
) -> Iterator[Cluster]:
    """A scheduler with so many workers of one thread; `port` 0 is any."""
    (process, address, pids) = start_cluster(folder, workers, port=port, env=env)
    try:
        yield Cluster(address=address, pids=pids)
    finally:
        process.communicate("", timeout=LIMIT_S)


def start_cluster(
    folder: Path, workers: int, *, port: int = 0, env: Mapping[str, str] | None = None
) -> tuple[subprocess.Popen[str], str, list[int]]:
    """A scheduler with so many workers, once they are there; its address and their pids."""
    program = folder / "cluster.py"
    program.write_text(PROGRAM)
    process = subprocess.Popen(
        [sys.executable, str(program), str(workers), str(port)],
        cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, env=os.environ | {"OPENBLAS_NUM_THREADS": "1"} | dict(env or {}),
    )  # fmt: skip
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    return process, address, [int(pid) for pid in process.stdout.readline().split()]
