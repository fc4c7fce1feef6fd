"""A batch from a folder or a manifest to finished files, as a stream of updates."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from avpipe.batch.evidence import Evidence
from avpipe.batch.ledger import Ledger
from avpipe.batch.pairs import Pairing
from avpipe.batch.places import publish, remove, stamp_of
from avpipe.batch.pool import Pool
from avpipe.batch.room import Room
from avpipe.batch.state import BatchState
from avpipe.batch.stores import is_address
from avpipe.batch.survey import Survey, inputs_of
from avpipe.batch.tasks import Made, Make, Result
from avpipe.batch.values import (
    BatchUpdate,
    Item,
    ItemDone,
    ItemFailed,
    ItemNote,
    ItemProgress,
    ItemStarted,
    Looking,
    Outcome,
    Paused,
    Resumed,
    Row,
    State,
    Summary,
    Surveyed,
    Wanted,
)
from avpipe.errors import AvpipeError, OutputExistsError
from avpipe.updates import Failed, Failure, Fallback, Note, Progress, Update
from avpipe.workflow import Known

_LOOK_S = 0.5


def never() -> bool:
    """Nobody wants the batch to stop."""
    return False


@dataclass(kw_only=True)
class Batch:
    """One run over one folder."""

    wanted: Wanted
    state: BatchState
    pool: Pool
    rows: Sequence[Row] | None = None
    """Of a manifest; None to find the pairs."""
    without: Collection[str] = ()
    """Files that are left out: they are still being written."""
    stopping: Callable[[], bool] = never
    """Whether no further item is to be begun."""
    tried: Collection[str] = ()
    """The keys of items that are not tried again as they are."""
    clock: Callable[[], float] = time.monotonic
    evidence: Evidence = field(init=False)

    def __post_init__(self) -> None:
        pairing = Pairing(state=self.state, pool=self.pool)
        self.evidence = pairing.evidence
        self._ledger = Ledger(
            state=self.state,
            outdir=self.wanted.outdir,
            overwrite=self.wanted.overwrite,
            wait=lambda: self.pool.next(self.wanted.pause_s),
        )
        self._survey = Survey(
            wanted=self.wanted,
            state=self.state,
            pairing=pairing,
            ledger=self._ledger,
            rows=self.rows,
            without=self.without,
            tried=self.tried,
        )
        self._room = Room(self.wanted.outdir)
        self._began = self.clock()

    @property
    def outcomes(self) -> list[Outcome]:
        """What is known of each item at the end, in order."""
        return self._ledger.outcomes

    def survey(self) -> Generator[Looking, None, Surveyed]:
        """Find the pairs and what has to be made of them. Raises RequestError."""
        return self._survey.items()

    def make(self, surveyed: Surveyed) -> Iterator[BatchUpdate]:
        """Make all items, as many at once as the pool has slots; the last told is the Summary.

        One more is given to the pool, so that no worker waits for what is remembered of the last.
        """
        waiting = deque(surveyed.items)
        running: dict[int, Item] = {}
        begun: set[int] = set()
        paused = False
        while running or (waiting and not self.stopping()):
            room = True
            while waiting and len(running) <= self.pool.slots and not self.stopping():
                item = waiting[0]
                if self._ledger.is_taken(item):
                    yield from self._fail(waiting.popleft(), _taken(item))
                    continue
                (needed, free) = self._room.space(item, running.values())
                room = needed <= free
                if not room:
                    if not paused:
                        yield Paused(needed_bytes=needed, free_bytes=free)
                    paused = True
                    break
                if paused:
                    paused = False
                    yield Resumed()
                waiting.popleft()
                number = self._start(item)
                running[number] = item
                if not self.pool.tells_progress:
                    begun.add(number)
                    yield ItemStarted(item=item)
            told = self.pool.next(_LOOK_S if room else self.wanted.pause_s)
            if told is None or told.number not in running:
                continue
            item = running[told.number]
            if told.number not in begun:
                begun.add(told.number)
                yield ItemStarted(item=item)
            if told.is_last:
                del running[told.number]
            if self._room.is_full(item, told.update):
                waiting.appendleft(item)
                continue
            yield from self._told(item, told.update)
        yield self._summary(surveyed)

    def nothing_made(self, surveyed: Surveyed) -> Summary:
        """The end of a run that only said what it would do."""
        return self._summary(surveyed)

    def _start(self, item: Item) -> int:
        """Have an item made; that it is begun is on the disk first."""
        request = item.request
        if not is_address(request.output):
            Path(request.output).parent.mkdir(parents=True, exist_ok=True)
        self._ledger.remember(item, self._ledger.outcome(item, State.RUNNING))
        infos = self.evidence.infos
        files = tuple(infos[path] for path in inputs_of(request) if path in infos)
        complete = len(files) == 1 + len(request.recordings) and all(one.supported for one in files)
        # What was found belongs to files as they were probed.
        known = Known(files=files, found=item.pair.found) if complete else Known()
        return self.pool.submit(
            Make(request=request, known=known, folder=self.state.made, name=item.key)
        )

    def _told(self, item: Item, update: Update | Result) -> Iterator[BatchUpdate]:
        match update:
            case Progress():
                yield ItemProgress(item=item, progress=update)
            case Note() | Fallback():
                message = update.message if isinstance(update, Note) else update.reason
                self._ledger.note(item, message)
                yield ItemNote(item=item, code=update.code, message=message)
            case Failed():
                yield from self._fail(item, update.error)
            case Result():
                yield from self._finish(item, update.value)

    def _finish(self, item: Item, made: Made) -> Iterator[BatchUpdate]:
        """Give a finished file its name: remembered before and after."""
        output = item.request.output
        done = replace(made.done, output=replace(made.done.output, path=item.request.output))
        stamp = stamp_of(made.path)
        outcome = self._ledger.outcome(item, State.MADE, done=done)
        self._ledger.remember(item, outcome, made_stamp=stamp)
        ours = self._ledger.is_ours(item)
        try:
            publish(made.path, output, overwrite=self.wanted.overwrite or ours)
        except AvpipeError as error:
            remove(made.path)
            yield from self._fail(item, Failed.because(error).error)
            return
        outcome = replace(outcome, state=State.DONE)
        # An object's stamp is another one under another name.
        self._ledger.remember(
            item, outcome, stamp=stamp_of(output) if is_address(output) else stamp
        )
        self._ledger.end(item, outcome)
        yield ItemDone(item=item, done=done)

    def _fail(self, item: Item, error: Failure) -> Iterator[BatchUpdate]:
        outcome = self._ledger.outcome(item, State.FAILED, error=error)
        self._ledger.remember(item, outcome)
        self._ledger.end(item, outcome)
        yield ItemFailed(item=item, error=error)

    def _summary(self, surveyed: Surveyed) -> Summary:
        states = [outcome.state for outcome in self.outcomes if not outcome.skipped]
        return Summary(
            total=len(surveyed.items) + len(surveyed.skipped),
            done=states.count(State.DONE),
            skipped=len(surveyed.skipped),
            failed=states.count(State.FAILED),
            unpaired=tuple(
                {"path": one.path, "reason": one.reason, "code": one.code}
                for one in surveyed.unpaired
            ),
            elapsed_s=round(self.clock() - self._began, 3),
        )


def _taken(item: Item) -> Failure:
    error = OutputExistsError(f"{item.request.output} exists", hint="-y overwrites it")
    return Failed.because(error).error
