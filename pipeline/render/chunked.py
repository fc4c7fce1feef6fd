"""A long picture under a size in chunks: closed groups of pictures, encoded beside each other.

One encoder uses no more than about eight cores. Here some of them work at a time, each on frames
of its own. What chunks take at one quality tells how two passes share the size out among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from avpipe import fit
from avpipe.codecs import graph, isolate
from avpipe.codecs.ffmpeg import Ffmpeg, running
from avpipe.codecs.rate import PictureRate
from avpipe.codecs.stretches import Stretch
from avpipe.errors import ChildFailedError
from avpipe.recipe import Recipe
from avpipe.render.chunking import ChunkLayout, share_of_next, to_make_again

HEADER_BYTES = 1_000
"""What the file of a chunk has that the output has but once."""

Start = Callable[[], AbstractContextManager[Iterator[float]]]
"""Starts an ffmpeg, which then tells how many seconds it has written."""


class ChunkedPicture:
    """The chunks of a picture, each a file in a folder."""

    def __init__(self, recipe: Recipe, ffmpeg: Ffmpeg, layout: ChunkLayout, folder: Path) -> None:
        how = recipe.encode
        if how is None or how.frame_ticks is None:
            raise ValueError("only frames of one length can be counted")
        self._recipe = recipe
        self._ffmpeg = ffmpeg
        self._layout = layout
        self._folder = folder
        self._frame_rate = 1 / (how.frame_ticks * how.time_base)
        self._shares: tuple[int, ...] = ()
        self._asked = [0] * len(layout.chunks)
        self._made: list[int | None] = [None] * len(layout.chunks)

    @property
    def made_bytes(self) -> int:
        """What the chunks that are finished take of the picture's bytes."""
        return sum(size or 0 for size in self._made)

    def keep_quality(self, crf: float | None, peak_rate: int) -> Iterator[float]:
        """Encode all at one quality; yields seconds done. Errors as `running`."""
        rate = PictureRate(crf=crf, peak_rate=peak_rate, threads=self._layout.threads)
        yield from self._encode(range(len(self._made)), lambda _: rate)

    def look(self, crf: float | None) -> Iterator[float]:
        """The first pass over all, at about the quality they will have; yields seconds done."""
        yield from self._encode(
            range(len(self._made)),
            lambda number: PictureRate(
                crf=crf, number=1, log=self._log(number), threads=self._layout.threads
            ),
        )
        self._shares = tuple(max(1, size or 0) for size in self._made)
        self._made = [None] * len(self._made)

    def spend(self, room: int) -> Iterator[float]:
        """The second pass over all, for about so many bytes; yields seconds done."""

        def rate(number: int) -> PictureRate:
            self._asked[number] = share_of_next(self._shares, self._made, number, room)
            return self._second(number)

        yield from self._encode(range(len(self._made)), rate)

    def correct(self, missing: int) -> Iterator[float]:
        """The second pass over those alone that can take what is missing, or is too much."""
        made = [size or 0 for size in self._made]
        again = to_make_again(made, missing)
        change = 1 + missing / max(1, sum(made[number] for number in again))
        for number in again:
            self._asked[number] = max(1, round(self._asked[number] * change))
        yield from self._encode(again, self._second)

    def join(self, target: Path) -> bool:
        """Put all together; false where one has not its frames, or a joint decodes otherwise."""
        stretches = [
            Stretch(path=str(self._file(number)), stream=0, first=0, count=chunk.count)
            for number, chunk in enumerate(self._layout.chunks)
        ]
        try:
            return not isolate.splice(stretches, self._frame_rate, str(target))
        except ChildFailedError:
            return False  # a chunk has other frames than it should, or they do not go together

    def _second(self, number: int) -> PictureRate:
        length_s = self._layout.chunks[number].count / self._frame_rate
        bit_rate = max(1000, int(self._asked[number] * 8 / length_s))
        threads = self._layout.threads
        return PictureRate(
            bit_rate=bit_rate,
            number=2,
            log=self._log(number),
            whole_s=float(length_s),
            threads=threads,
        )

    def _encode(
        self, numbers: Iterable[int], rate: Callable[[int], PictureRate]
    ) -> Iterator[float]:
        starts = (partial(self._encoding, number, rate) for number in numbers)
        yield from side_by_side(starts, self._layout.lanes)

    @contextmanager
    def _encoding(
        self, number: int, rate: Callable[[int], PictureRate]
    ) -> Iterator[Iterator[float]]:
        (chunk, file) = (self._layout.chunks[number], self._file(number))
        arguments = graph.chunk_arguments(
            self._recipe, chunk, graph.source_url(str(file)), rate(number)
        )
        with running(self._ffmpeg, arguments, "making the video") as seconds:
            yield seconds
        tables = HEADER_BYTES + fit.FRAME_BYTES * chunk.count
        self._made[number] = max(0, file.stat().st_size - tables)

    def _file(self, number: int) -> Path:
        return self._folder / f"chunk-{number}.mp4"

    def _log(self, number: int) -> str:
        return str(self._folder / f"passes-{number}")


@dataclass(kw_only=True, slots=True)
class _Lane:
    """One ffmpeg at work."""

    own: ExitStack
    seconds: Iterator[float]
    written_s: float = 0.0


def side_by_side(starts: Iterable[Start], lanes: int) -> Iterator[float]:
    """Run some ffmpegs at a time, in turn; yields the seconds that all together have written.

    A start is taken when a lane is free, and by then what ended before is finished. Where one
    fails the others are ended.
    """
    waiting = iter(starts)
    done_s = 0.0
    at_work: list[_Lane] = []
    with ExitStack() as everything:
        while True:
            for start in islice(waiting, lanes - len(at_work)):
                own = everything.enter_context(ExitStack())
                at_work.append(_Lane(own=own, seconds=own.enter_context(start())))
            if not at_work:
                return
            for lane in tuple(at_work):
                written_s = next(lane.seconds, None)  # each speaks twice a second
                if written_s is not None:
                    lane.written_s = written_s
                    continue
                lane.own.close()
                at_work.remove(lane)
                done_s += lane.written_s
            yield done_s + sum(lane.written_s for lane in at_work)
