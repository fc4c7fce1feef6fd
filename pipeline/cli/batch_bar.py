"""A batch on a terminal: an overall bar, and a line for each item that is being made."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import PurePath

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn

from avpipe.batch.values import Item, ItemDone, ItemFailed, ItemProgress, ItemStarted
from avpipe.cli.bar import LABELS
from avpipe.cli.output import printable, shown_time

_NAME = 28
_STAGE_SHARES = {"sync": (0.0, 0.2), "audio": (0.2, 0.5), "video": (0.5, 0.9), "verify": (0.9, 1.0)}
"""What a stage is of an item; only the overall bar goes by it."""


class BatchBar:
    """The bars of one batch, on standard error."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[pace]}"),
            console=self._console,
            transient=True,
        )
        self._whole = self._progress.add_task("reading files", total=None, pace="")
        self._tasks: dict[int, TaskID] = {}
        self._shares: dict[int, float] = {}
        self._total = self._ended = 0
        self._began = time.monotonic()
        self._progress.start()

    def look(self, label: str, done: int, total: int) -> None:
        """Draw how far the pairing is."""
        self._progress.update(
            self._whole, description=label, completed=done, total=total, pace=f"{done} of {total}"
        )

    def begin(self, items: Sequence[Item]) -> None:
        """The items are known."""
        self._total, self._began = len(items), time.monotonic()
        self._draw_whole()

    def show(self, update: ItemStarted | ItemProgress | ItemDone | ItemFailed) -> None:
        """Draw what is said of an item."""
        number = update.item.number
        match update:
            case ItemStarted():
                if number in self._tasks:  # it is tried again
                    self._progress.remove_task(self._tasks.pop(number))
                name = _shortened(printable(PurePath(update.item.request.video).name))
                task = self._progress.add_task(f"  {name:<{_NAME}}", total=1.0, pace="")
                self._tasks[number], self._shares[number] = task, 0.0
            case ItemProgress():
                self._draw_item(number, update)
            case ItemDone() | ItemFailed():
                self._ended += 1
                self._shares.pop(number, None)
                if number in self._tasks:
                    self._progress.remove_task(self._tasks.pop(number))
        self._draw_whole()

    def _draw_item(self, number: int, update: ItemProgress) -> None:
        progress = update.progress
        label = LABELS.get(progress.stage, progress.stage)
        speed = "" if progress.speed is None else f"  {progress.speed:.1f}x"
        left = "" if progress.eta_s is None else f"  {shown_time(progress.eta_s)} left"
        self._progress.update(
            self._tasks[number], completed=progress.done, pace=f"{label}{speed}{left}"
        )
        (begin, end) = _STAGE_SHARES.get(progress.stage, (0.0, 1.0))
        self._shares[number] = begin + progress.done * (end - begin)

    def _draw_whole(self) -> None:
        done = self._ended + sum(self._shares.values())
        elapsed = time.monotonic() - self._began
        pace = f"{self._ended} of {self._total}"
        if self._ended and done < self._total:
            pace += f"  {60 * self._ended / elapsed:.1f} a minute"
            pace += f"  {shown_time(elapsed / done * (self._total - done))} left"
        self._progress.update(
            self._whole, description="all", completed=done, total=self._total, pace=pace
        )

    @contextmanager
    def set_aside(self) -> Iterator[None]:
        """Take the bars away while a line is printed."""
        self._progress.stop()
        try:
            yield
        finally:
            self._progress.start()

    def close(self) -> None:
        """Take the bars off the screen."""
        self._progress.stop()


def _shortened(name: str) -> str:
    if len(name) <= _NAME:
        return name
    return f"{name[: _NAME // 2]}…{name[-_NAME // 2 + 1 :]}"
