"""Asks a pool many things at once, and says meanwhile how far it is."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any

from avpipe.batch.pool import Pool
from avpipe.batch.tasks import Result, Task
from avpipe.batch.values import Looking
from avpipe.updates import Failed

_LOOK_S = 0.5

Looks = Generator[Looking, None, Any]


def answers(
    tasks: Sequence[Task], pool: Pool, stage: str, sizes: Sequence[int] | None = None
) -> Looks:
    """What came of each task, in order: its value, or a Failure. `sizes`: what each counts for."""
    counts = [1] * len(tasks) if sizes is None else sizes
    places = {pool.submit(task): place for place, task in enumerate(tasks)}
    answers: list[Any] = [None] * len(tasks)
    (left, done) = (len(tasks), 0)
    while left:
        yield Looking(stage=stage, done=done, total=sum(counts))
        told = pool.next(_LOOK_S)
        if told is None or told.number not in places or not told.is_last:
            continue
        (place, update) = (places[told.number], told.update)
        answers[place] = update.error if isinstance(update, Failed) else None
        if isinstance(update, Result):
            answers[place] = update.value
        left -= 1
        done += counts[place]
    return answers


def chunks(entries: Sequence[str], size: int) -> list[tuple[str, ...]]:
    """The entries in order, in groups of so many; the last may be smaller."""
    return [tuple(entries[at : at + size]) for at in range(0, len(entries), size)]
