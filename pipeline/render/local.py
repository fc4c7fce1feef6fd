"""A plan becomes a verified file on this machine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path

from avpipe.codecs import graph, isolate
from avpipe.codecs.edit_list import end_tracks_at
from avpipe.codecs.ffmpeg import Ffmpeg, is_out_of_space, run_ffmpeg
from avpipe.codecs.measure import Measured
from avpipe.errors import ChildFailedError, DiskFullError, RenderError, VerificationError
from avpipe.media import AlignmentMethod
from avpipe.plan.values import Plan
from avpipe.recipe import AUDIO_RATE, Action
from avpipe.render.checks import checks_of_plan
from avpipe.render.workspace import flushing, publish, require_space, workspace
from avpipe.updates import Check, Progress

DECODE_S = 5.0
"""How much of each stream is decoded when the output is verified; a shorter one is whole."""
COPIED_DECODE_S = 0.5
"""The same of a copied video: 20 s of it took 3.5 s, and ffmpeg copies 1 GB in 1 s."""

MOST_RESIDUAL_MS = 1.0
"""How far the sound may be from where it belongs."""
MANY_PACKETS = 200_000
"""Of the picture, two hours: ffmpeg holds 180 bytes of each until its end."""


def render(
    plan: Plan, ffmpeg: Ffmpeg, *, workers: int, overwrite: bool
) -> Generator[Progress | tuple[Check, ...]]:
    """Carry out a plan; yields its progress and, when the output has its name, the checks.

    Raises RenderError or OutputExistsError; then nothing new stands under the output's name.
    """
    output = Path(plan.output.path)
    require_space(output.parent, _least_bytes(plan))
    try:
        with workspace(output) as folder:
            made = folder / "output.mp4"
            prepared = yield from _prepare(plan, ffmpeg, folder, workers)
            found = yield from _write(plan, ffmpeg, prepared, made)
            checks = (*checks_of_plan(plan, found), *_sync_checks(plan, made, ffmpeg, workers))
            _require(checks)
            yield Progress(stage="verify", done=1.0)
            publish(made, output, overwrite=overwrite)
    except ChildFailedError as error:
        if is_out_of_space(error):
            raise DiskFullError(f"the disk is full: {output.parent}") from error
        raise
    yield checks


def _write(
    plan: Plan, ffmpeg: Ffmpeg, prepared: graph.Prepared, made: Path
) -> Generator[Progress, None, Measured]:
    """Make the file and measure it."""
    arguments = graph.merge_arguments(plan.recipe, prepared, graph.source_url(str(made)))
    stall_s = isolate.patience_s(plan.output.estimated_bytes)
    decode_s = COPIED_DECODE_S if plan.video is Action.COPY else DECODE_S
    with _measurer(plan, str(made), decode_s) as measure:
        written = run_ffmpeg(ffmpeg, arguments, "making the video", stall_s=stall_s)
        yield from _paced("video", plan, written)
        if not made.is_file():
            raise RenderError(f"{ffmpeg.path} ended without an error and made nothing")
        end_tracks_at(str(made), plan.timeline.duration)
        yield Progress(stage="verify", done=0.0)
        with flushing(made):
            return measure()


def _sync_checks(plan: Plan, made: Path, ffmpeg: Ffmpeg, cores: int) -> tuple[Check, ...]:
    """Whether the sound is where its content put it, in the output as it is."""
    if plan.alignment.method is not AlignmentMethod.CONTENT:
        return ()
    from avpipe.render.residual import residual_s  # NumPy, and only where it was used already

    off_s = residual_s(plan, str(made), ffmpeg, cores=cores)
    off_ms = None if off_s is None else round(off_s * 1000, 4)
    ok = off_ms is None or off_ms <= MOST_RESIDUAL_MS
    return (Check(name="sync_residual_ms", ok=ok, value=off_ms),)


def _measurer(
    plan: Plan, made: str, decode_s: float
) -> AbstractContextManager[Callable[[], Measured]]:
    """What measures the file, started now; where ffmpeg's index needs the memory, only later."""
    if (plan.inputs.video.video[0].packets or 0) <= MANY_PACKETS:
        return isolate.ready_measurer(made, decode_s=decode_s)
    return nullcontext(partial(isolate.measure_file, made, decode_s=decode_s))


def _prepare(
    plan: Plan, ffmpeg: Ffmpeg, folder: Path, workers: int
) -> Generator[Progress, None, graph.Prepared]:
    picture = None
    if plan.inputs.video.picture is not None:
        picture = str(folder / "picture.mov")
        isolate.draw_picture(plan.inputs.video.path, picture)
    tracks: list[str] = []
    if plan.video is Action.COPY and plan.audio is Action.ENCODE:
        # One AAC encoder holds one core, and a copied video needs none: the sound goes first,
        # in chunks on all of them.
        for track in range(plan.recipe.audio_tracks):
            target = str(folder / f"audio-{track}.m4a")
            arguments = graph.audio_arguments(plan.recipe, track, "pipe:1")
            samples = isolate.encode_audio(ffmpeg, arguments, target, workers=workers)
            yield from _paced("audio", plan, (done / AUDIO_RATE for done in samples))
            tracks.append(target)
    return graph.Prepared(picture=picture, tracks=tuple(tracks))


def _paced(stage: str, plan: Plan, seconds: Iterator[float]) -> Iterator[Progress]:
    """Seconds of output done, as progress with speed and ETA."""
    began = time.monotonic()
    whole = plan.output.duration_s
    yield Progress(stage=stage, done=0.0)
    for done_s in seconds:
        elapsed = time.monotonic() - began
        speed = done_s / elapsed if elapsed > 0 and done_s > 0 else None
        left = max(0.0, whole - done_s)
        yield Progress(
            stage=stage,
            done=min(1.0, done_s / whole),
            speed=None if speed is None else round(speed, 2),
            eta_s=None if speed is None else round(left / speed, 1),
        )
    yield Progress(stage=stage, done=1.0)


def _least_bytes(plan: Plan) -> int:
    """What the output takes at the very least: a copy is known, an encode only guessed."""
    share = 0.95 if plan.video is Action.COPY else 0.2
    return int(plan.output.estimated_bytes * share)


def _require(checks: tuple[Check, ...]) -> None:
    failed = [check for check in checks if not check.ok]
    if failed:
        raise VerificationError(
            "the output is not what was planned: "
            + "; ".join(f"{check.name} is {check.value}" for check in failed)
        )


def usable_cores(jobs: int | None) -> int:
    """How many cores to use: those that this process may run on, or fewer where set."""
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(here or 1, jobs or here or 1)
