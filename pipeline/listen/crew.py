"""Decoders at work beside each other, as many as there are cores; none outlives the crew."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.listening import LISTEN_RATE, Decoder, Raw, Stretch, Track

Take = Callable[[int, Raw], None]
"""(number of the first sample, (picks, n) samples)"""


class _Turns:
    """Many may compute at once, or one may start a process, never both.

    OpenBLAS ends its threads before every fork; who is just multiplying waits for them for ever.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._computing = 0
        self._starting = 0

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Keep processes from being started."""
        with self._changed:
            self._changed.wait_for(lambda: not self._starting)
            self._computing += 1
        try:
            yield
        finally:
            with self._changed:
                self._computing -= 1
                self._changed.notify_all()

    @contextmanager
    def starting(self) -> Iterator[None]:
        """Wait until nobody computes, and keep it so."""
        with self._changed:
            self._starting += 1
            self._changed.wait_for(lambda: not self._computing)
            try:
                yield
            finally:
                self._starting -= 1
                self._changed.notify_all()


class Crew:
    """A pool of threads that each read from one ffmpeg at a time; a context manager."""

    def __init__(self, ffmpeg: Ffmpeg, workers: int) -> None:
        self._ffmpeg = ffmpeg
        self._pool = ThreadPoolExecutor(max_workers=workers)
        self._lock = threading.Lock()
        self._turns = _Turns()
        self._at_work: set[Decoder] = set()
        self._ended = False
        self._samples = 0

    @property
    def heard_s(self) -> float:
        """How many seconds of sound were decoded so far."""
        return self._samples / LISTEN_RATE

    def send(
        self,
        track: Track,
        picks: Sequence[int],
        stretch: Stretch,
        take: Take,
        then: Callable[[], None] = lambda: None,
    ) -> Future[int]:
        """Have a stretch decoded and handed to `take`, in a thread; gives how many samples.

        `then` is called when all of it was.
        """
        return self._pool.submit(self._decode, track, picks, stretch, take, then)

    def _decode(
        self,
        track: Track,
        picks: Sequence[int],
        stretch: Stretch,
        take: Take,
        then: Callable[[], None],
    ) -> int:
        with self._turns.starting():
            started = Decoder(self._ffmpeg, track, picks, stretch)
        with started as decoder:
            with self._lock:
                if self._ended:
                    return 0
                self._at_work.add(decoder)
            begin = first = stretch.begin_s * LISTEN_RATE
            try:
                for block in decoder.blocks():
                    with self._turns.computing():
                        take(first, block)
                    first += block.shape[1]
                    with self._lock:
                        self._samples += block.shape[1]
                with self._turns.computing():
                    then()
            finally:
                with self._lock:
                    self._at_work.discard(decoder)
        return first - begin

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._ended = True
            left = tuple(self._at_work)
        for decoder in left:
            decoder.close()
        self._pool.shutdown(wait=True, cancel_futures=True)
