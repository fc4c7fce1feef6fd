"""What a merge spent its time on, told by its events and when each of them came. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Stage(StrEnum):
    """One part of a merge, in their order."""

    PROBE = "probe"
    """From the start of the program until the files are known."""
    SYNC = "sync"
    PREPARE = "prepare"
    """What is made here to be sent."""
    UPLOAD = "upload"
    EDIT = "edit"
    """The cloud's agent lays the timeline."""
    QUEUE = "queue"
    """Until the cloud tells of the first progress; no finer than it is asked."""
    RENDER = "render"
    DOWNLOAD = "download"
    VERIFY = "verify"
    """To the end of the program."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """One event of a merge."""

    at_s: float
    """Since the program was started."""
    event: dict[str, Any]


_STAGES = {
    "sync": Stage.SYNC,
    "fit": Stage.PREPARE,
    "upload": Stage.UPLOAD,
    "download": Stage.DOWNLOAD,
    "verify": Stage.VERIFY,
}
"""Of a merge's own names; what is not here is rendering, or made to be sent."""


def split(heard: Sequence[Heard], wall_s: float, *, in_cloud: bool) -> dict[Stage, float]:
    """The seconds of each stage; all together are `wall_s`.

    The time between two events is that of the first one's stage, and of the second one's where the
    first said that its stage was done.
    """
    spent = dict.fromkeys(Stage, 0.0)
    (stage, done, at_s) = (Stage.PROBE, 0.0, 0.0)
    for one in heard:
        if one.event["event"] == "started":
            (told, now) = (Stage.PROBE, 1.0)
        elif one.event["event"] == "progress":
            (told, now) = (_stage(one.event, in_cloud), one.event["done"])
        else:
            continue
        spent[_between(stage, done, told)] += one.at_s - at_s
        (stage, done, at_s) = (told, now, one.at_s)
    spent[Stage.VERIFY] += wall_s - at_s
    return spent


def _between(stage: Stage, done: float, following: Stage) -> Stage:
    if stage is Stage.UPLOAD and done >= 1 and following is Stage.QUEUE:
        return Stage.EDIT
    return following if done >= 1 else stage


def _stage(event: dict[str, Any], in_cloud: bool) -> Stage:
    name = event["stage"]
    if name == "cloud_render":
        return Stage.QUEUE if event["done"] == 0 else Stage.RENDER
    return _STAGES.get(name, Stage.PREPARE if in_cloud else Stage.RENDER)
