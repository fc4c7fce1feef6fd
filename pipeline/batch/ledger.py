"""What an output folder remembers of each item of a batch, from its beginning to its end."""

from __future__ import annotations

import os
import sqlite3
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace

from avpipe.batch import stores
from avpipe.batch.places import is_there, stamp_of
from avpipe.batch.state import BatchState, Kept
from avpipe.batch.stores import is_address
from avpipe.batch.values import Item, Outcome, State
from avpipe.errors import RequestError
from avpipe.updates import Done, Failure


class Ledger:
    """The items of one run: what was made before, how far each is, what became of it."""

    def __init__(
        self, *, state: BatchState, outdir: str, overwrite: bool, wait: Callable[[], object]
    ) -> None:
        """`wait` passes some time while the disk has no room for a note."""
        self._state = state
        self._outdir = outdir
        self._overwrite = overwrite
        self._wait = wait
        self._kept: dict[str, Kept] = {}
        self._notes: dict[int, list[str]] = defaultdict(list)
        self._final: dict[int, Outcome] = {}

    @property
    def outcomes(self) -> list[Outcome]:
        """What became of the items that have ended, in order."""
        return [self._final[number] for number in sorted(self._final)]

    def drop_left_over(self) -> None:
        """Remove what killed runs of this memory were making; in a store others may be at work."""
        self._state.drop_left_over()
        if not is_address(self._state.made):
            return
        ours = {kept.outcome.key for _, kept in self._state.all_kept()}
        for path in stores.files_at(self._state.made) if ours else ():
            if path.rpartition("/")[2].partition("-")[0] in ours:
                stores.remove(path)

    def is_done(self, item: Item) -> bool:
        """Whether an earlier run made this, and nothing has changed since."""
        stamp = stamp_of(item.request.output)
        kept = self._state.kept(self._name(item)) or _nothing_kept(item)
        if is_address(item.request.output) and stamp is not None:
            kept = _with_stamp_there(kept, stamp)
        self._kept[item.request.output] = kept
        current = kept.made_stamp if kept.outcome.state is State.MADE else kept.stamp
        made = kept.outcome.state in (State.DONE, State.MADE) and kept.outcome.key == item.key
        if not made or stamp is None or stamp != current:
            return False
        if kept.outcome.state is State.MADE:  # it was ended between the rename and the note of it
            self._state.keep(self._name(item), replace(kept.outcome, state=State.DONE), stamp=stamp)
        self._final[item.number] = replace(kept.outcome, state=State.DONE, skipped=True)
        return True

    def is_taken(self, item: Item) -> bool:
        """Whether something that is not ours stands under the output's name."""
        output = item.request.output
        if self._overwrite or not is_there(output):
            return False
        return not self.is_ours(item)

    def is_ours(self, item: Item) -> bool:
        """Whether what stands under the output's name was made by a batch, and left as it was."""
        output = item.request.output
        return self._kept[output].is_ours(stamp_of(output))

    def note(self, item: Item, message: str) -> None:
        """Something was said of an item."""
        self._notes[item.number].append(message)

    def outcome(
        self, item: Item, state: State, *, done: Done | None = None, error: Failure | None = None
    ) -> Outcome:
        """What is kept of an item that is so far."""
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

    def remember(
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
                self._state.keep(self._name(item), outcome, stamp=stamp, made_stamp=made_stamp)
                return
            except sqlite3.OperationalError as error:
                if "full" not in str(error):
                    raise RequestError(f"cannot write in {self._state.folder}: {error}") from error
                self._wait()

    def end(self, item: Item, outcome: Outcome) -> None:
        """An item has come to its end in this run."""
        self._final[item.number] = outcome

    def _name(self, item: Item) -> str:
        """What an output is remembered by: the folder may move."""
        output = item.request.output
        if is_address(output):
            return output.removeprefix(f"{self._outdir.rstrip('/')}/")
        return os.path.relpath(output, self._outdir)


def _with_stamp_there(kept: Kept, stamp: str) -> Kept:
    """A store may give a copy another stamp than what it was copied from has: its size tells."""
    made = kept.outcome.state is State.MADE and not kept.is_ours(stamp)
    same = made and stamp.partition(":")[0] == (kept.made_stamp or "").partition(":")[0]
    return replace(kept, made_stamp=stamp) if same else kept


def _nothing_kept(item: Item) -> Kept:
    outcome = Outcome(
        item=item.form, state=State.FAILED, key="", basis=item.pair.basis.value, why=""
    )
    return Kept(outcome=outcome, stamp=None, made_stamp=None)
