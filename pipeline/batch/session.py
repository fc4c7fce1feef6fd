"""A whole batch: its memory, its workers, its run and its report."""

from __future__ import annotations

import contextlib
import hashlib
import os
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
from avpipe.errors import AvpipeError, RequestError
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
    folder = wanted.outdir
    if is_address(folder):
        name = hashlib.sha256(folder.encode()).hexdigest()[:16]
        here = settings.state_dir / "batch" / name
        here.mkdir(parents=True, exist_ok=True)
        with BatchState(here, made=join(folder, f"{FOLDER}/made")) as state:
            yield state
    elif dry_run and not Path(folder).is_dir():
        with tempfile.TemporaryDirectory(prefix="avpipe-") as name, BatchState(Path(name)) as state:
            yield state
    else:
        with _own_memory(Path(folder)) as state:
            yield state


@contextmanager
def _own_memory(outdir: Path) -> Iterator[BatchState]:
    """That of an output folder, which is made; a run that is refused leaves none that it made."""
    made = _make_folder(outdir)
    try:
        with BatchState(outdir) as state:
            try:
                yield state
            except AvpipeError:
                if made and not state.has_items():
                    state.forget()
                raise
    except AvpipeError:
        _remove_empty(made)
        raise


def _make_folder(folder: Path) -> list[Path]:
    """Make a folder, and give what was not there of it and those above it, the deepest first."""
    made = [one for one in (folder, *folder.parents) if not os.path.lexists(one)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _remove_empty(made)
        raise RequestError(
            f"the output folder {folder} cannot be made: {error.strerror}"
        ) from error
    return made


def _remove_empty(folders: Sequence[Path]) -> None:
    for folder in folders:
        with contextlib.suppress(OSError):
            folder.rmdir()


@contextmanager
def _pool(settings: Settings, cluster: str | None) -> Iterator[Pool]:
    if cluster is not None:
        from avpipe.batch.cluster import ClusterPool  # an extra, and dear to import

        with ClusterPool(settings, cluster) as there:
            yield there
        return
    find(settings.ffmpeg)  # where there is none, nothing is begun
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
