"""Seconds of output that are done, as progress."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Iterator

from avpipe.updates import Progress


def paced(stage: str, whole_s: float, seconds: Iterator[float]) -> Iterator[Progress]:
    """Seconds of output done, of `whole_s`, as progress with speed and ETA."""
    began = time.monotonic()
    yield Progress(stage=stage, done=0.0)
    for said_s in seconds:
        done_s = min(said_s, whole_s)  # ffmpeg's last figure may be any
        elapsed = time.monotonic() - began
        speed = done_s / elapsed if elapsed > 0 and done_s > 0 else None
        left = max(0.0, whole_s - done_s)
        yield Progress(
            stage=stage,
            done=min(1.0, done_s / whole_s),
            speed=None if speed is None else round(speed, 2),
            eta_s=None if speed is None else round(left / speed, 1),
        )
    yield Progress(stage=stage, done=1.0)


def as_part(updates: Iterator[Progress], begin: float, end: float) -> Iterator[Progress]:
    """The progress of a part of the work as that of the whole; how long it takes is not known."""
    for update in updates:
        done = begin + (end - begin) * update.done
        yield dataclasses.replace(update, done=round(done, 4), eta_s=None)
