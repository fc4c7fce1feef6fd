"""All ways to merge one pair, in turn: each run is measured, and what it made is judged."""

from __future__ import annotations

import hashlib
import json
import os
import statistics
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from avpipe.benchmarks.cases import AVPIPE
from avpipe.benchmarks.lanes import Lane, Skipped, at_own_server, copy_request
from avpipe.benchmarks.meter import Usage, observe, spent_cpu_s
from avpipe.benchmarks.own_server import OwnServer, own_server
from avpipe.benchmarks.quality import Quality, judge
from avpipe.benchmarks.stages import Heard, Stage, split
from avpipe.errors import AvpipeError, ChildFailedError, RenderError, ToolMissingError
from avpipe.plan.values import Plan
from avpipe.settings import Settings
from avpipe.updates import Progress
from avpipe.workflow import plan_merge

STAGE = "bench"


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One merge."""

    usage: Usage
    spent_s: dict[Stage, float]
    size_bytes: int
    quality: Quality
    credits: int | None
    """What it cost; None where nobody counts."""
    server_cpu_s: float | None
    """Of a server on this machine that did it."""
    load: float | None
    """The machine's load just before, of the last minute."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """The runs of one way, in the order in which they were made."""

    lane: Lane
    runs: tuple[Run, ...]

    @cached_property
    def walls_s(self) -> tuple[float, float, float]:
        """The least, the median and the most."""
        walls = [run.usage.wall_s for run in self.runs]
        return min(walls), statistics.median(walls), max(walls)

    def stage_s(self, stage: Stage) -> float:
        """The median of one stage."""
        return statistics.median(run.spent_s[stage] for run in self.runs)

    @property
    def last(self) -> Run:
        """The run whose file stands for all."""
        return self.runs[-1]


@dataclass(frozen=True, kw_only=True, slots=True)
class Sitting:
    """What was measured, and what was not."""

    plan: Plan
    """Of the pair, merged by its starts."""
    results: tuple[Result, ...]
    skipped: tuple[Skipped, ...]


@dataclass(kw_only=True, slots=True)
class Bench:
    """One pair on the bench."""

    video: str
    audio: str
    folder: Path
    """For what is thrown away."""
    settings: Settings
    _judged: dict[str, Quality] = field(default_factory=dict)
    """By the digest of what was made: the same file is judged once."""
    _failed: dict[str, str] = field(default_factory=dict)
    """Why, by the name of the lane."""

    def sit(
        self, offered: Sequence[Lane | Skipped], runs: int, warm_ups: int
    ) -> Generator[Progress, None, Sitting]:
        """Measure every lane that many times, after some that do not count.

        A lane that fails is put aside, with the reason. Raises AvpipeError where the pair cannot
        be merged at all.
        """
        plan = plan_merge(copy_request(self.video, self.audio), self.settings)
        skipped = [one for one in offered if isinstance(one, Skipped)]
        found: dict[str, list[Run]] = {}
        with ExitStack() as stack:
            (lanes, server) = self._opened([o for o in offered if isinstance(o, Lane)], stack)
            turns = list(_turns(lanes, runs, warm_ups))
            for number, (lane, counts) in enumerate(turns):
                yield Progress(stage=STAGE, done=number / len(turns))
                run = self._tried(lane, plan, server)
                if run is not None and counts:
                    found.setdefault(lane.name, []).append(run)
        yield Progress(stage=STAGE, done=1.0)
        skipped += [Skipped(name=name, reason=why) for name, why in self._failed.items()]
        results = [
            Result(lane=lane, runs=tuple(found[lane.name]))
            for lane in lanes
            if lane.name not in self._failed
        ]
        return Sitting(plan=plan, results=tuple(results), skipped=tuple(skipped))

    def _opened(
        self, lanes: Sequence[Lane], stack: ExitStack
    ) -> tuple[list[Lane], OwnServer | None]:
        """The lanes, with a server for the one that has none yet."""
        (opened, server) = ([], None)
        for lane in lanes:
            if lane.starts_server:
                try:
                    server = stack.enter_context(own_server(self.folder, lane.environ))
                except (ToolMissingError, ChildFailedError) as error:
                    self._failed[lane.name] = _why(error)
                    continue
                lane = at_own_server(lane, server.url, str(self.folder / "state"))
            opened.append(lane)
        return opened, server

    def _tried(self, lane: Lane, plan: Plan, server: OwnServer | None) -> Run | None:
        """One run; None where the lane has failed, now or before."""
        if lane.name in self._failed:
            return None
        try:
            return self._run(lane, plan, server if lane.starts_server else None)
        except AvpipeError as error:
            self._failed[lane.name] = _why(error)
            return None

    def _run(self, lane: Lane, plan: Plan, server: OwnServer | None) -> Run:
        output = self.folder / "output.mp4"
        output.unlink(missing_ok=True)
        os.sync()
        credits_before = _credits(lane)
        served_s = None if server is None else spent_cpu_s(server.pid)
        load = _load()
        (usage, heard) = self._merged(lane, output)
        after_s = None if server is None else spent_cpu_s(server.pid)
        credits_after = _credits(lane)
        return Run(
            usage=usage,
            spent_s=split(heard, usage.wall_s, in_cloud=lane.in_cloud),
            size_bytes=output.stat().st_size,
            quality=self._quality(plan, output),
            credits=_spent(credits_before, credits_after),
            server_cpu_s=None if served_s is None or after_s is None else after_s - served_s,
            load=load,
        )

    def _merged(self, lane: Lane, output: Path) -> tuple[Usage, list[Heard]]:
        """Run the command. Raises AvpipeError, in the command's own words where it told any."""
        heard: list[Heard] = []
        files = (f"-o{output}", "--", self.video, self.audio)
        argv = (*AVPIPE, "merge", *lane.options, "--json", *files)
        try:
            usage = observe(
                argv,
                lane.name,
                environ=lane.environ,
                hear=lambda at_s, line: heard.append(Heard(at_s=at_s, event=json.loads(line))),
            )
        except ChildFailedError as error:
            if heard and heard[-1].event["event"] == "failed":
                raise RenderError(heard[-1].event["error"]["message"]) from error
            raise
        return usage, heard

    def _quality(self, plan: Plan, output: Path) -> Quality:
        with output.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest not in self._judged:
            self._judged[digest] = judge(plan, str(output), self.settings)
        return self._judged[digest]


def _turns(lanes: Sequence[Lane], runs: int, warm_ups: int) -> Iterator[tuple[Lane, bool]]:
    """Which lane is run when, and whether that counts: each round begins with another one."""
    for number in range(warm_ups + runs):
        for place in range(len(lanes)):
            yield lanes[(place + number) % len(lanes)], number >= warm_ups


def _credits(lane: Lane) -> int | None:
    """What the service says is left; None where it is not asked, or does not know the user yet."""
    if not lane.in_cloud:
        return None
    lines: list[str] = []
    argv = (*AVPIPE, "cloud", "credits", "--json")
    observe(argv, "asking for credits", environ=lane.environ, hear=lambda _, t: lines.append(t))
    available: int | None = json.loads(lines[-1])["available"]
    return available


def _spent(before: int | None, after: int | None) -> int | None:
    return None if before is None or after is None else before - after


def _load() -> float | None:
    return round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None


def _why(error: AvpipeError) -> str:
    return error.message + (f" ({error.hint})" if error.hint else "")
