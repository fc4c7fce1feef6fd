"""Gathers what the report shows of each item, and writes it."""

from __future__ import annotations

import os
from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any

from avpipe.batch.asking import Looks, answers
from avpipe.batch.evidence import Evidence
from avpipe.batch.page import Shown, draw_page
from avpipe.batch.tasks import Show
from avpipe.batch.values import Looking, Outcome, State, Summary
from avpipe.media import Alignment
from avpipe.render.workspace import write_whole
from avpipe.updates import Failure

_SHOWN_AT = 0.35
"""Of the output: a thumbnail of the very beginning is often black."""


def write_report(
    evidence: Evidence, outcomes: Sequence[Outcome], summary: Summary, path: Path
) -> Generator[Looking]:
    """Write the page; one that is there is replaced. Raises RenderError where it cannot be."""
    pictures = yield from _pictures(evidence, outcomes)
    made = [outcome for outcome in outcomes if outcome.state is State.DONE]
    yield from evidence.listen_all([file for outcome in made for file in _files(outcome)])
    shown = [
        Shown(
            outcome=outcome,
            picture=pictures.get(outcome.item["output"]),
            outline=_outline(evidence, outcome),
            links=_links(outcome, path.parent),
        )
        for outcome in outcomes
    ]
    write_whole(path, draw_page(summary, shown, summary.unpaired), overwrite=True)


def _files(outcome: Outcome) -> tuple[str, ...]:
    item = outcome.item
    return (item["video"], item["audio"], *item.get("more_audio", ()))


def _pictures(evidence: Evidence, outcomes: Sequence[Outcome]) -> Looks:
    """A small picture of each output that there is."""
    made = [one.done for one in outcomes if one.state is State.DONE and one.done is not None]
    tasks = [Show(path=done.output.path, at_s=_SHOWN_AT * done.output.duration_s) for done in made]
    drawn = yield from answers(tasks, evidence.pool, "report")
    return {
        done.output.path: picture
        for done, picture in zip(made, drawn, strict=True)
        if not isinstance(picture, Failure)
    }


def _links(outcome: Outcome, folder: Path) -> Mapping[str, str]:
    (video, *sounds) = _files(outcome)
    paths = {"video": video}
    paths |= {f"audio {number}": sound for number, sound in enumerate(sounds, 1)}
    paths |= {"output": outcome.item["output"]}
    return {name: _relative(path, folder) for name, path in paths.items()}


def _relative(path: str, folder: Path) -> str:
    try:
        return os.path.relpath(path, folder)
    except ValueError:
        return path  # on another drive


def _outline(evidence: Evidence, outcome: Outcome) -> str:
    """Both wave forms, where the output was made and both have sound."""
    from avpipe.batch.outline import Placed, draw_outline  # NumPy

    if outcome.done is None:
        return ""
    (video, *sounds) = _files(outcome)
    camera = _heard(evidence, video)
    found: Sequence[Alignment | None] = outcome.found or (outcome.done.alignment,)
    if outcome.done.alignment is not None and outcome.done.alignment.method != "content":
        found = (outcome.done.alignment,)
    placed = []
    for path, alignment in zip(sounds, found, strict=False):
        heard = _heard(evidence, path)
        if heard is not None:
            placed.append(_placed(heard, alignment))
    return draw_outline(
        None if camera is None else Placed(fingerprint=camera),
        placed,
        outcome.done.output.duration_s,
    )


def _placed(heard: Any, alignment: Alignment | None) -> Any:
    from avpipe.batch.outline import Placed

    if alignment is None or alignment.method == "start":
        return Placed(fingerprint=heard)
    return Placed(
        fingerprint=heard,
        offset_s=alignment.offset_s or 0.0,
        drift_ppm=alignment.drift_ppm or 0.0,
    )


def _heard(evidence: Evidence, path: str) -> Any:
    from avpipe.listen.fingerprint import load

    kept = evidence.fingerprint(path)
    return load(kept) if kept is not None and kept.exists() else None
