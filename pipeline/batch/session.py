"""A whole batch: its memory, its workers, its run and its report."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from avpipe.batch.places import join
from avpipe.batch.pool import LocalPool, Pool, pool_size
from avpipe.batch.run import Batch, never
from avpipe.batch.state import FOLDER, BatchState
from avpipe.batch.stores import is_address
from avpipe.batch.values import BatchUpdate, Row, Summary, Surveyed, Wanted
from avpipe.codecs import encoders
from avpipe.codecs.ffmpeg import find
from avpipe.codecs.process import usable_cores
from avpipe.errors import AvpipeError
from avpipe.plan.request import VideoMode
from avpipe.recipe import Quality
from avpipe.settings import Settings

ENCODER_SESSIONS = 3
"""How many encodes at once the hardware of any maker takes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reported:
    """The report is written, or could not be."""

    path: str
    problem: str | None = None


def run_batch(
    wanted: Wanted,
    settings: Settings,
    *,
    rows: Sequence[Row] | None = None,
    cluster: str | None = None,
    dry_run: bool = False,
    report: str | None = None,
    without: Collection[str] = (),
    stopping: Callable[[], bool] = never,
    tried: Collection[str] = (),
) -> Generator[BatchUpdate | Reported]:
    """Find the pairs and make what is not made yet; the last update is the Summary.

    Raises RequestError before anything is begun; an item that fails is an update.
    """
    with ExitStack() as stack:
        state = stack.enter_context(_memory(wanted, settings, dry_run))
        pool = stack.enter_context(_pool(settings, cluster))
        batch = Batch(
            wanted=wanted,
            state=state,
            pool=pool,
            rows=rows,
            without=without,
            stopping=stopping,
            tried=tried,
        )
        surveyed = yield from batch.survey()
        yield surveyed
        if dry_run:
            yield batch.nothing_made(surveyed)
            return
        if isinstance(pool, LocalPool):
            pool.resize(_workers(wanted, settings, surveyed))
        for update in batch.make(surveyed):
            if isinstance(update, Summary) and report is not None:
                reported = yield from _write_report(batch, update, report)
                yield reported
                path = None if reported.problem else reported.path
                yield replace(update, report=path)
            else:
                yield update


@contextmanager
def _memory(wanted: Wanted, settings: Settings, dry_run: bool) -> Iterator[BatchState]:
    """What the output folder remembers; of one that a dry run must not make, nothing."""
    with ExitStack() as stack:
        folder = wanted.outdir
        if is_address(folder):
            name = hashlib.sha256(folder.encode()).hexdigest()[:16]
            here = settings.state_dir / "batch" / name
            here.mkdir(parents=True, exist_ok=True)
            made = join(folder, f"{FOLDER}/made")
            yield stack.enter_context(BatchState(here, made=made))
            return
        if dry_run and not Path(folder).is_dir():
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="avpipe-"))
        yield stack.enter_context(BatchState(Path(folder)))


@contextmanager
def _pool(settings: Settings, cluster: str | None) -> Iterator[Pool]:
    if cluster is not None:
        from avpipe.batch.cluster import ClusterPool  # an extra, and dear to import

        with ClusterPool(settings, cluster) as there:
            yield there
        return
    with LocalPool(settings, usable_cores(settings.jobs)) as pool:
        yield pool


def _workers(wanted: Wanted, settings: Settings, surveyed: Surveyed) -> int:
    """How many merges to make at once on this machine."""
    request = wanted.request
    sessions = None
    encoded = request.video_mode is VideoMode.ENCODE or request.aspect is not None
    if encoded and request.quality is not Quality.HIGH and surveyed.items:
        ffmpeg = find(settings.ffmpeg)
        found = encoders.working_hardware(ffmpeg, settings.state_dir, only=settings.encoder)
        sessions = ENCODER_SESSIONS if found else None
    cores = usable_cores(settings.jobs)
    return pool_size(wanted.jobs, cores, len(surveyed.items), sessions)


def _write_report(
    batch: Batch, summary: Summary, path: str
) -> Generator[BatchUpdate, None, Reported]:
    """Write the report; where that fails the batch is as good without it."""
    from avpipe.batch.report import write_report

    try:
        yield from write_report(batch.evidence, batch.outcomes, summary, Path(path))
    except AvpipeError as error:
        return Reported(path=path, problem=f"the report was not written: {error.message}")
    return Reported(path=path)
