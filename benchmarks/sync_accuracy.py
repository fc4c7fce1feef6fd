"""`python -m avpipe.benchmarks sync-accuracy`: the engine on pairs whose truth is known."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import click

from avpipe.benchmarks.scene import Samples
from avpipe.benchmarks.truth import figures
from avpipe.benchmarks.truth.bars import reached
from avpipe.benchmarks.truth.evaluate import Outcome, as_json, evaluate
from avpipe.benchmarks.truth.record import Studio
from avpipe.benchmarks.truth.sets import SETS, Half, PairSet, pairs_of, recordings_set
from avpipe.benchmarks.truth.sounds import RATE, Library, decoded
from avpipe.codecs.ffmpeg import Ffmpeg, find
from avpipe.errors import AvpipeError

_SHORTEST_S = 12


@click.command("sync-accuracy")
@click.argument("names", metavar="[SET]...", nargs=-1, type=click.Choice(list(SETS)))
@click.option(
    "--half",
    type=click.Choice([half.value for half in Half]),
    default=Half.DEVELOPMENT.value,
    show_default=True,
)
@click.option("--seed", type=int, default=1, show_default=True, help="Other pairs.")
@click.option("--count", type=click.IntRange(1), help="Pairs of each set.")
@click.option("--work", type=click.Path(path_type=Path), help="Keeps the dry sounds (1 GB).")
@click.option(
    "--recordings",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="A folder of real recordings of 12 s and more, instead of SET or beside it.",
)
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path), help="Write every pair there."
)
@click.option("--markdown", "markdown_file", type=click.Path(path_type=Path), help="Write tables.")
def main(
    names: tuple[str, ...],
    half: str,
    seed: int,
    count: int | None,
    work: Path | None,
    recordings: Path | None,
    json_file: Path | None,
    markdown_file: Path | None,
) -> None:
    """Align generated pairs whose truth is known; without SET all but the long ones.

    Fails where a bar is missed.
    """
    ffmpeg = find(os.environ.get("AVPIPE_FFMPEG"))
    folder = work or Path(tempfile.gettempdir(), "avpipe-benchmarks")
    real = () if recordings is None else _recorded(recordings, ffmpeg)
    library = Library(folder=folder / "sounds", recordings=real)
    default = () if real else SETS
    chosen = [SETS[name] for name in names or default if names or not SETS[name].long]
    if real:
        chosen.append(recordings_set([sound.size / RATE for sound in real]))
    outcomes: list[Outcome] = []
    with contextlib.ExitStack() as stack:
        lines = None if json_file is None else stack.enter_context(json_file.open("w"))
        for one in chosen:
            click.echo(f"{one.name}: {one.about}", err=True)
            for outcome in _run(one, Half(half), seed, count or one.count, library, ffmpeg):
                outcomes.append(outcome)
                if lines is not None:
                    print(json.dumps(as_json(outcome)), file=lines, flush=True)
                if (line := figures.strange(outcome)) is not None:
                    click.echo(line, err=True)
    bars = reached(outcomes)
    tables = (
        figures.table(outcomes),
        figures.markdown([("", "wanted", "measured", ""), *(one.row() for one in bars)]),
        figures.reliability(outcomes),
    )
    text = "\n\n".join(tables)
    click.echo(text)
    if markdown_file is not None:
        markdown_file.write_text(text + "\n")
    sys.exit(0 if all(one.passed for one in bars) else 1)


def _recorded(folder: Path, ffmpeg: Ffmpeg) -> tuple[Samples, ...]:
    """Give the recordings of a folder that are long enough. Raises UsageError without any."""
    found = [
        sound
        for path in sorted(folder.iterdir())
        if path.is_file()
        for sound in _readable(path, ffmpeg)
        if sound.size > _SHORTEST_S * RATE
    ]
    if not found:
        raise click.UsageError(f"no recording of {_SHORTEST_S} s or more in {folder}")
    return tuple(found)


def _readable(path: Path, ffmpeg: Ffmpeg) -> tuple[Samples, ...]:
    """The file's sound; none, and a line that says so, where it cannot be read."""
    try:
        return decoded((path,), ffmpeg)
    except AvpipeError as error:
        click.echo(f"skipped: {path.name}: {error}", err=True)
        return ()


def _run(
    chosen: PairSet, half: Half, seed: int, count: int, library: Library, ffmpeg: Ffmpeg
) -> Iterator[Outcome]:
    """Record and align the pairs of a set, one at a time."""
    for pair in pairs_of(chosen, half, seed, count):
        with contextlib.ExitStack() as stack:
            samples = None
            if chosen.long:
                samples = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="pair-")))
            studio = Studio(library=library, ffmpeg=ffmpeg, folder=samples)
            yield evaluate(chosen.name, studio.record(pair))
