"""A batch from a folder or a manifest to finished files, as a stream of updates."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from avpipe import __version__, jsonform
from avpipe.batch.folder import media_files
from avpipe.batch.outputs import check_template, output_name, require_apart
from avpipe.batch.pairs import Pairing
from avpipe.batch.places import (
    free_bytes,
    is_address,
    is_there,
    join,
    media_at,
    publish,
    remove,
    size_of,
    stamp_of,
)
from avpipe.batch.pool import Pool
from avpipe.batch.state import BatchState, Kept
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
from avpipe.errors import AvpipeError, OutputExistsError, RequestError
from avpipe.media import MediaInfo
from avpipe.pairing.values import Basis, Pair, PairBy
from avpipe.plan.request import Request, Sync
from avpipe.updates import Done, Failed, Failure, Fallback, Note, Progress, Update
from avpipe.workflow import Known

_LOOK_S = 0.5
_SOUND_BYTES_S = 25_000
"""What a second of AAC takes in the output."""
_SPARE_BYTES = 1_000_000
_MOST_FULL = 3
"""How often an item is tried again because the disk was full."""


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
    outcomes: list[Outcome] = field(default_factory=list)
    """What is known of each item at the end, in order."""
    pairing: Pairing = field(init=False)

    def __post_init__(self) -> None:
        self.pairing = Pairing(state=self.state, pool=self.pool)
        self._began = self.clock()
        self._notes: dict[int, list[str]] = defaultdict(list)
        self._final: dict[int, Outcome] = {}
        self._need: dict[int, int] = {}
        self._full: dict[int, int] = defaultdict(int)
        self._kept: dict[str, Kept] = {}

    @property
    def outdir(self) -> str:
        """Where the outputs are."""
        return self.wanted.outdir

    def survey(self) -> Generator[Looking, None, Surveyed]:
        """Find the pairs and what has to be made of them. Raises RequestError."""
        self.state.drop_left_over()
        if self.rows is None:
            if is_address(self.wanted.folder):
                self.pairing.find_by_endings(self._paths(), self.wanted.pair)
            else:
                yield from self.pairing.find(self._paths(), self._pair_by())
            pairs = [self.pairing.pairs[video] for video in sorted(self.pairing.pairs)]
            requests = [self._request(pair) for pair in pairs]
        else:
            requests = [row.request for row in self.rows]
            files = dict.fromkeys(path for one in requests for path in _inputs(one))
            yield from self.pairing.probe([path for path in files if not is_address(path)])
            pairs = [
                Pair(
                    video=one.video,
                    audio=one.recordings,
                    basis=Basis.MANIFEST,
                    why=f"line {row.line} of the manifest",
                )
                for row, one in zip(self.rows, requests, strict=True)
            ]
        items = [self._item(*each) for each in zip(range(1, 1 + len(pairs)), pairs, requests)]  # noqa: B905
        self._require_outputs(items)
        skipped = tuple(item for item in items if self._is_done(item))
        return Surveyed(
            items=tuple(
                item for item in items if item not in skipped and item.key not in self.tried
            ),
            skipped=skipped,
            unpaired=tuple(self.pairing.unpaired[path] for path in sorted(self.pairing.unpaired)),
        )

    def _pair_by(self) -> PairBy:
        """Where the starts are lined up no content is read, unless that is asked for."""
        deaf = self.wanted.request.sync in (Sync.START, Sync.NONE)
        return PairBy.NAME if deaf and self.wanted.pair is PairBy.AUTO else self.wanted.pair

    def _paths(self) -> list[str]:
        found = folder_media(self.wanted)
        outputs = {join(self.outdir, name): kept for name, kept in self.state.all_kept()}
        ours = {path for path in found if path in outputs and outputs[path].is_ours(stamp_of(path))}
        return [path for path in found if path not in ours and path not in self.without]

    def _request(self, pair: Pair) -> Request:
        more = pair.audio[1:] if self.wanted.request.offset_s is None else ()
        return replace(
            self.wanted.request,
            video=pair.video,
            audio=pair.audio[0],
            more_audio=tuple(more),
            output="",
        )

    def _item(self, number: int, pair: Pair, request: Request) -> Item:
        infos = self.pairing.infos
        video = infos.get(request.video) or _unknown(request.video)
        output = request.output
        if not output:
            name = output_name(
                self.wanted.template,
                info=video,
                audio=request.audio,
                index=number,
                root=self.wanted.folder,
            )
            output = join(self.outdir, name)
        request = replace(request, output=output)
        sizes = [infos[path].size_bytes or 0 for path in _inputs(request) if path in infos]
        sound = infos.get(request.audio)
        lasting = sound if video.picture is not None else video
        return Item(
            number=number,
            pair=pair,
            request=request,
            key=_key(request),
            size_bytes=sum(sizes),
            duration_s=0.0 if lasting is None else lasting.duration_s or 0.0,
        )

    def _require_outputs(self, items: Sequence[Item]) -> None:
        """Raise RequestError where outputs would meet, or meet an input."""
        videos: dict[str, list[str]] = defaultdict(list)
        for item in items:
            videos[item.request.output].append(item.request.video)
        inputs = [path for item in items for path in _inputs(item.request)]
        require_apart(videos, inputs)
        known = {_identity(path) for path in inputs} - {None}
        for item in items:
            if _identity(item.request.output) in known:
                raise RequestError(f"the output {item.request.output} is an input")

    def _is_done(self, item: Item) -> bool:
        """Whether an earlier run made this, and nothing has changed since."""
        kept = self._kept[item.request.output] = self.state.kept(self._name(item)) or _nothing_kept(
            item
        )
        stamp = stamp_of(item.request.output)
        current = kept.made_stamp if kept.outcome.state is State.MADE else kept.stamp
        made = kept.outcome.state in (State.DONE, State.MADE) and kept.outcome.key == item.key
        if not made or stamp is None or stamp != current:
            return False
        if kept.outcome.state is State.MADE:  # it was ended between the rename and the note of it
            self.state.keep(self._name(item), replace(kept.outcome, state=State.DONE), stamp=stamp)
        self._final[item.number] = replace(kept.outcome, state=State.DONE, skipped=True)
        return True

    def _name(self, item: Item) -> str:
        """What an output is remembered by: the folder may move."""
        output = item.request.output
        if is_address(output):
            return output.removeprefix(f"{self.outdir.rstrip('/')}/")
        return os.path.relpath(output, self.outdir)

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
                if self._is_taken(item):
                    yield from self._fail(waiting.popleft(), _taken(item))
                    continue
                (needed, free) = self._space(item, running.values())
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
                running[self._start(item)] = item
            told = self.pool.next(_LOOK_S if room else self.wanted.pause_s)
            if told is None or told.number not in running:
                continue
            item = running[told.number]
            if told.number not in begun:
                begun.add(told.number)
                yield ItemStarted(item=item)
            if told.is_last:
                del running[told.number]
            if self._is_full(item, told.update):
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
        self._remember(item, self._outcome(item, State.RUNNING))
        infos = self.pairing.infos
        files = tuple(infos[path] for path in _inputs(request) if path in infos)
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
                self._notes[item.number].append(message)
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
        outcome = self._outcome(item, State.MADE, done=done)
        self._remember(item, outcome, made_stamp=stamp)
        ours = self._kept[item.request.output].is_ours(stamp_of(output))
        try:
            publish(made.path, output, overwrite=self.wanted.overwrite or ours)
        except AvpipeError as error:
            remove(made.path)
            yield from self._fail(item, Failed.because(error).error)
            return
        outcome = replace(outcome, state=State.DONE)
        # An object's stamp is another one under another name.
        self._remember(item, outcome, stamp=stamp_of(output) if is_address(output) else stamp)
        self._final[item.number] = outcome
        yield ItemDone(item=item, done=done)

    def _fail(self, item: Item, error: Failure) -> Iterator[BatchUpdate]:
        outcome = self._outcome(item, State.FAILED, error=error)
        self._remember(item, outcome)
        self._final[item.number] = outcome
        yield ItemFailed(item=item, error=error)

    def _outcome(
        self, item: Item, state: State, *, done: Done | None = None, error: Failure | None = None
    ) -> Outcome:
        return Outcome(
            item=item.form,
            state=state,
            key=item.key,
            basis=item.pair.basis.value,
            why=item.pair.why,
            found=item.pair.found,
            done=done,
            error=error,
            notes=tuple(self._notes[item.number]),
        )

    def _remember(
        self,
        item: Item,
        outcome: Outcome,
        *,
        stamp: str | None = None,
        made_stamp: str | None = None,
    ) -> None:
        """Write down how far an item is; which file of ours has its name is never forgotten."""
        if stamp is None:
            here = stamp_of(item.request.output)
            stamp = here if self._kept[item.request.output].is_ours(here) else None
        while True:
            try:
                self.state.keep(self._name(item), outcome, stamp=stamp, made_stamp=made_stamp)
                return
            except sqlite3.OperationalError as error:
                if "full" not in str(error):
                    raise RequestError(f"cannot write in {self.state.folder}: {error}") from error
                self.pool.next(self.wanted.pause_s)

    def _is_taken(self, item: Item) -> bool:
        """Whether something that is not ours stands under the output's name."""
        output = item.request.output
        if self.wanted.overwrite or not is_there(output):
            return False
        return not self._kept[output].is_ours(stamp_of(output))

    def _space(self, item: Item, running: Collection[Item]) -> tuple[int, int]:
        """What the item needs beside the running ones, and what the disk has."""
        needed = self._need.get(item.number, _size_bytes(item)) + _SPARE_BYTES
        needed += sum(_size_bytes(one) for one in running)
        free = free_bytes(self.outdir)
        return needed, needed if free is None else free

    def _is_full(self, item: Item, update: Update | Result) -> bool:
        """Whether an item failed for want of room, and is to be tried again when there is some."""
        if not (isinstance(update, Failed) and update.error.code == "disk_full"):
            return False
        self._full[item.number] += 1
        self._need[item.number] = 2 * _size_bytes(item)
        return self._full[item.number] <= _MOST_FULL

    def _summary(self, surveyed: Surveyed) -> Summary:
        self.outcomes = [self._final[number] for number in sorted(self._final)]
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


def folder_media(wanted: Wanted) -> list[str]:
    """The media of a batch's folder; what lies in the output folder is none of it."""
    if is_address(wanted.folder):
        return media_at(wanted.folder, recursive=wanted.recursive)
    (folder, outdir) = (Path(wanted.folder), Path(wanted.outdir))
    elsewhere = is_address(wanted.outdir) or folder.resolve() == outdir.resolve()
    return media_files(folder, recursive=wanted.recursive, without=[] if elsewhere else [outdir])


def _inputs(request: Request) -> tuple[str, ...]:
    return (request.video, *request.recordings)


def _key(request: Request) -> str:
    """What says that an output would be made again as it is."""
    options: Mapping[str, Any] = jsonform.encode(replace(request, output=""))
    files = [(path, stamp_of(path)) for path in _inputs(request)]
    text = json.dumps([__version__, options, files], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _size_bytes(item: Item) -> int:
    """About what the output takes: the picture as it is, and an encoded sound."""
    return size_of(item.request.video) + int(item.duration_s * _SOUND_BYTES_S)


def _identity(path: str) -> tuple[int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _unknown(path: str) -> MediaInfo:
    return MediaInfo(path=path, container=None, size_bytes=None, modified_ns=None)


def _nothing_kept(item: Item) -> Kept:
    outcome = Outcome(
        item=item.form, state=State.FAILED, key="", basis=item.pair.basis.value, why=""
    )
    return Kept(outcome=outcome, stamp=None, made_stamp=None)


def _taken(item: Item) -> Failure:
    error = OutputExistsError(f"{item.request.output} exists", hint="-y overwrites it")
    return Failed.because(error).error


def prepare(wanted: Wanted, *, dry_run: bool) -> None:
    """Check what can be told before anything is read. Raises RequestError."""
    check_template(wanted.template)
    outdir = Path(wanted.outdir)
    if dry_run or is_address(wanted.outdir):
        return
    try:
        outdir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(
            f"the output folder {outdir} cannot be made: {error.strerror}"
        ) from error
    if not os.access(outdir, os.W_OK | os.X_OK):
        raise RequestError(f"the output folder {outdir} cannot be written")
