"""A process that runs cloud jobs in children of its own and kills them at a given point.

It is started as a program; each line of its input is a `Run` as JSON, each line of its output how
the child ended. It has one thread, so that its forks are sound.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from cloud_world import Time, World

from avpipe import jsonform
from avpipe.cloud.job import run
from avpipe.journal import JobRow, JobState, Journal
from avpipe.journal.tables import Tables
from avpipe.plan.values import Plan
from avpipe.workflow import carry_out
from avpipe.workflow_export import take_up


class Killer:
    """Counts the commits of the journal, and ends the process by SIGKILL at one of them."""

    def __init__(self, commit: int, when: str) -> None:
        self.left = commit
        self.when = when

    def arm(self) -> None:
        transaction = Tables.transaction

        @contextlib.contextmanager
        def counted(tables: Tables) -> Iterator[None]:
            with transaction(tables):
                yield
                self.count("before")
            self.count("after")

        Tables.transaction = counted  # type: ignore[method-assign]

    def count(self, when: str) -> None:
        if when != self.when:
            return
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def work(order: dict[str, Any]) -> None:
    """The whole job, from where it is."""
    nemo: Any = SimpleNamespace(url=order["url"], video=Path(order["video"]).read_bytes())
    world = World(nemo=nemo, folder=Path(order["folder"]), time=Time(tick=1.0))
    if order["commit"]:
        Killer(order["commit"], order["when"]).arm()
    with world.cloud() as cloud:
        job = world.prepare(cloud)
        for update in run(cloud, job.id, world.delivery()):
            if getattr(update, "stage", None) == order.get("stage"):
                os.kill(os.getpid(), signal.SIGKILL)


def work_on_merge(order: dict[str, Any]) -> None:
    """A merge whose plan is given, or what the journal has of it."""
    nemo: Any = SimpleNamespace(url=order["url"])
    time = Time(tick=1.0)
    world = World(nemo=nemo, folder=Path(order["folder"]), time=time)
    if order["state"]:
        arm_at(order["state"])
    with world.cloud() as cloud:
        rows = cloud.journal.unfinished(api_url=nemo.url) if order["resume"] else ()
        for row in rows:
            list(take_up(cloud, row))
    if not rows:
        plan = jsonform.loads(Plan, Path(order["plan"]).read_bytes())
        list(carry_out(plan, world.settings, overwrite=False, clock=time.clock))


def arm_at(state: str) -> None:
    """End the process by SIGKILL when a job's state is on the disk; `made` is that of its file,
    `published` that of its name."""
    (add, advance) = (Journal.add_job, Journal.advance)

    def adding(journal: Journal, **values: Any) -> JobRow:
        row = add(journal, **values)
        if state == row.state:
            os.kill(os.getpid(), signal.SIGKILL)
        return row

    def advancing(journal: Journal, name: str, to: JobState, **values: Any) -> JobRow:
        if state == "published" and to is JobState.DONE:
            os.kill(os.getpid(), signal.SIGKILL)
        row = advance(journal, name, to, **values)
        if state == ("made" if "made" in values else to.value):
            os.kill(os.getpid(), signal.SIGKILL)
        return row

    Journal.add_job = adding  # type: ignore[method-assign]
    Journal.advance = advancing  # type: ignore[method-assign]


def tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                order = json.loads(line)
                (work_on_merge if "plan" in order else work)(order)
            except BaseException as error:
                tell(repr(error))
                os._exit(1)
            os._exit(0)
        (_, status) = os.waitpid(child, 0)
        tell(str(os.waitstatus_to_exitcode(status)))


if __name__ == "__main__":
    main()
