"""A client of the fake cloud with a clock of its own, and what a whole job came to."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fake_nemo import FakeNemo

from avpipe.cloud.connection import Cloud, connection
from avpipe.cloud.job import prepare, run
from avpipe.cloud.job_values import Delivery, Expected, JobSpec
from avpipe.cloud.upload import LocalFile
from avpipe.cloud.values import Clock
from avpipe.errors import AvpipeError, VerificationError
from avpipe.journal import JobRow
from avpipe.settings import CloudSettings, Secret, Settings
from avpipe.updates import Check, Note, Progress

INSTRUCTION = "merge this audio and video into a single MP4 file"
START_S = 1_800_000_000.0


class Time:
    """A clock that stands still, but for sleeps and `tick` seconds at each look."""

    def __init__(self, tick: float = 0.0) -> None:
        self.now = 0.0
        self.tick = tick
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def look(self) -> float:
        self.now += self.tick
        return self.now

    @property
    def clock(self) -> Clock:
        return Clock(wall=lambda: START_S + self.now, monotonic=self.look, sleep=self.sleep)


@dataclass(kw_only=True)
class Outcome:
    """What a job came to."""

    error: AvpipeError | None = None
    updates: list[Any] = field(default_factory=list)

    @property
    def code(self) -> str:
        return "done" if self.error is None else self.error.code

    @property
    def exit_code(self) -> int:
        return 0 if self.error is None else self.error.exit_code


@dataclass(kw_only=True)
class World:
    """One user: a folder with two files, a state folder, a service."""

    nemo: FakeNemo
    folder: Path
    time: Time = field(default_factory=Time)
    notes: list[Note] = field(default_factory=list)
    token: str | None = None
    more: dict[str, Any] = field(default_factory=dict)
    state_dir: Path | None = None
    """None for a folder of its own."""

    def __post_init__(self) -> None:
        for name, size in (("camera.mp4", 70_000), ("sound.wav", 30_000)):
            path = self.folder / name
            if not path.exists():
                path.write_bytes(bytes(range(256)) * (size // 256))

    @property
    def settings(self) -> Settings:
        values = {"api_url": self.nemo.url, "idle_s": 5.0, "poll_s": 30.0, **self.more}
        token = None if self.token is None else Secret(self.token)
        state_dir = self.state_dir or self.folder / "state"
        return Settings(state_dir=state_dir, cloud=CloudSettings(token=token, **values))

    @property
    def output(self) -> Path:
        return self.folder / "out.mp4"

    @contextlib.contextmanager
    def cloud(self) -> Iterator[Cloud]:
        with connection(self.settings, tell=self.notes.append, clock=self.time.clock) as cloud:
            yield cloud

    def prepare(self, cloud: Cloud) -> JobRow:
        files = tuple(
            LocalFile(path=str(self.folder / name)) for name in ("camera.mp4", "sound.wav")
        )
        spec = JobSpec(files=files, instruction=INSTRUCTION, duration_s=2.0)
        return prepare(
            cloud, spec, kind="merge", key="one", output=str(self.output), overwrite=False
        )

    def run(self) -> Outcome:
        """Bring the whole job to its end, as one process would."""
        outcome = Outcome()
        try:
            with self.cloud() as cloud:
                job = self.prepare(cloud)
                outcome.updates.extend(run(cloud, job.id, self.delivery()))
        except AvpipeError as error:
            outcome.error = error
        return outcome

    def delivery(self) -> Delivery:
        def verify(path: Path, expected: Expected) -> Generator[Progress, None, tuple[Check, ...]]:
            yield Progress(stage="verify", done=0.0)
            if path.read_bytes() != self.nemo.video:
                raise VerificationError("it is another file")
            return ()

        return Delivery(verify=verify, publish=self.output.hardlink_to)  # what exists stays


def consumed(work: Generator[Any, None, Any]) -> tuple[list[Any], Any]:
    """What a generator yields, and what it gives."""
    updates = []
    while True:
        try:
            updates.append(next(work))
        except StopIteration as end:
            return updates, end.value
