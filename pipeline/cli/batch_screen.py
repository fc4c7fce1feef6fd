"""A batch, shown as it goes: JSON lines for scripts, lines or a screen for people."""

from __future__ import annotations

import sys
from pathlib import PurePath
from typing import Any

import click

from avpipe import jsonform
from avpipe.batch.values import (
    Item,
    ItemDone,
    ItemFailed,
    ItemNote,
    ItemProgress,
    ItemStarted,
    Looking,
    Paused,
    Resumed,
    Summary,
    Surveyed,
)
from avpipe.cli.output import print_json, printable, shown_path, shown_size, shown_time, tell

_STAGES = {
    "probe": "reading files",
    "listen": "listening",
    "rank": "comparing",
    "compare": "lining up",
    "report": "writing the report",
}


class Lines:
    """A batch for scripts: one JSON object a line, notes for people on standard error."""

    def __init__(self) -> None:
        self._planned = False

    def show(self, update: Any) -> None:
        """Print one update, where scripts are told of it."""
        match update:
            case ItemStarted():
                print_json({"item": update.item.form}, event=update.EVENT)
            case ItemDone():
                done = jsonform.encode(update.done)
                del done["schema"]
                print_json({"item": update.item.form, **done}, event=update.EVENT)
            case ItemFailed():
                error = jsonform.encode(update.error)
                print_json({"item": update.item.form, "error": error}, event=update.EVENT)
            case Surveyed():
                for item in (*update.items, *update.skipped):
                    print_json({"item": item.form, **_evidence(item)}, event="item_paired")
            case Paused() | Resumed():
                tell("note", _pause(update))
            case Summary():
                print_json(update, event=update.EVENT)

    def close(self) -> None:
        """Nothing is open."""


def _evidence(item: Item) -> dict[str, Any]:
    """What says that the files of an item belong together."""
    pair = item.pair
    return {
        "basis": pair.basis.value,
        "why": pair.why,
        "alignments": [jsonform.encode(found) for found in pair.found],
    }


class Screen:
    """A batch for people: results on standard output; on a terminal a bar and running items."""

    def __init__(self) -> None:
        self._drawn: Any = None
        self._count = self._total = 0

    def show(self, update: Any) -> None:
        """Draw or print one update."""
        match update:
            case Looking():
                self._look(update)
            case Surveyed():
                self._survey(update)
            case ItemStarted() | ItemProgress():
                if self._drawn is not None:
                    self._drawn.show(update)
            case ItemNote():
                self._print_note("note", f"{_video(update.item)}: {update.message}")
            case ItemDone() | ItemFailed():
                self._end_item(update)
            case Paused() | Resumed():
                self._print_note("note", _pause(update))
            case Summary():
                self.close()
                _print_summary(update)

    def _look(self, update: Looking) -> None:
        if self._drawn is None and sys.stderr.isatty():
            from avpipe.cli.batch_bar import BatchBar  # rich is imported only where it is seen

            self._drawn = BatchBar()
        if self._drawn is not None:
            self._drawn.look(_STAGES[update.stage], update.done, update.total)

    def _survey(self, update: Surveyed) -> None:
        (self._count, self._total) = (0, len(update.items))
        if self._drawn is not None:
            self._drawn.begin(update.items)
        for one in update.unpaired:
            self._print_note("warning", f"not paired: {shown_path(one.path)}: {one.reason}")

    def _end_item(self, update: ItemDone | ItemFailed) -> None:
        self._count += 1
        if self._drawn is not None:
            self._drawn.show(update)
        count = f"[{self._count}/{self._total}]"
        if isinstance(update, ItemFailed):
            self._print_note("error", f"{count} {_video(update.item)}: {update.error.message}")
            if update.error.hint:
                self._print_note("hint", update.error.hint)
            return
        with self._paused():
            click.echo(f"{count} {_made(update)}")

    def _print_note(self, kind: str, message: str) -> None:
        with self._paused():
            tell(kind, printable(message))

    def _paused(self) -> Any:
        """Lines are printed above what is drawn."""
        from contextlib import nullcontext

        return nullcontext() if self._drawn is None else self._drawn.set_aside()

    def close(self) -> None:
        """Take what is drawn off the screen."""
        if self._drawn is not None:
            self._drawn.close()
            self._drawn = None


class PlanScreen(Screen):
    """What a batch would do, for people."""

    def show(self, update: Any) -> None:
        """Draw or print one update."""
        if isinstance(update, Summary):
            self.close()
            click.echo(
                f"{_counted(update.total, 'pair')}, {update.skipped} of them made already, "
                f"{_counted(len(update.unpaired), 'file')} not paired"
            )
            return
        super().show(update)
        if isinstance(update, Surveyed):
            for item in update.items:
                _print_plan(item, "")
            for item in update.skipped:
                _print_plan(item, " (made already)")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _print_plan(item: Item, more: str) -> None:
    sounds = " + ".join(PurePath(path).name for path in item.request.recordings)
    click.echo(
        f"{shown_path(item.request.output)}: {_video(item)} + {printable(sounds)}{more}: "
        f"{printable(item.pair.why)}"
    )


def _video(item: Item) -> str:
    return shown_path(item.request.video)


def _made(update: ItemDone) -> str:
    done = update.done
    return (
        f"{shown_path(done.output.path)}: {shown_time(done.output.duration_s)}, "
        f"{shown_size(done.output.size_bytes)}, video {_past(done.video)}, "
        f"{_placed(update)}, in {done.elapsed_s:.1f} s"
    )


def _placed(update: ItemDone) -> str:
    alignment = update.done.alignment
    if alignment is None or alignment.method.value == "start":
        return "begins with the video"
    offset_s = round(alignment.offset_s or 0.0, 3) + 0.0  # and never -0
    return f"begins at {offset_s:+.3f} s"


def _past(action: str) -> str:
    return {"copy": "copied", "encode": "encoded"}[action]


def _pause(update: Paused | Resumed) -> str:
    if isinstance(update, Resumed):
        return "there is room on the disk again"
    return (
        "waiting for room on the disk: the next item and those being made need "
        f"{shown_size(update.needed_bytes)}, and {shown_size(update.free_bytes)} are free"
    )


def _print_summary(summary: Summary) -> None:
    parts = [
        _counted(summary.total, "pair"),
        f"{summary.done} made",
        f"{summary.skipped} unchanged",
        f"{summary.failed} failed",
        f"{_counted(len(summary.unpaired), 'file')} not paired",
    ]
    click.echo(f"{', '.join(parts)}, in {shown_time(summary.elapsed_s)}")
    if summary.report is not None:
        click.echo(f"report: {shown_path(summary.report)}")
