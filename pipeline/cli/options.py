"""The options that `merge` and `plan` share, and the request they become."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import click

from avpipe.errors import RequestError
from avpipe.plan.request import (
    ASPECTS,
    AudioMode,
    Fill,
    Fit,
    Request,
    RouteChoice,
    Sync,
    VideoMode,
    known_drift_ppm,
    resolution_bound,
)
from avpipe.recipe import Frame, Quality

Function = TypeVar("Function", bound=Callable[..., Any])
_DEFAULTS = {field.name: field.default for field in fields(Request)}


class Seconds(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.5 on
    """A time as `90`, `1.5`, `01:30` or `00:01:30.500`, with or without a sign."""

    name = "time"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> float:
        """The time in seconds."""
        if isinstance(value, float):
            return value
        match = re.fullmatch(r"([+-]?)(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)", str(value))
        if match is None:
            self.fail(f"{value!r} is not a time such as 1.5, 01:30 or 00:01:30.500")
        (sign, hours, minutes, seconds) = match.groups()
        total = int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds)
        return -total if sign == "-" else total


def json_option(function: Function) -> Function:
    """`--json` and `--debug`, which every command has."""
    decorated = click.option("--debug", is_flag=True, help="Show tracebacks.")(function)
    return click.option("--json", "as_json", is_flag=True, help="JSON on standard output.")(
        decorated
    )


def merge_options(function: Function) -> Function:
    """The options that say what a merge should be."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def _choice(name: str, field: str, help_text: str, kind: Any) -> Callable[[Function], Function]:
    default = _DEFAULTS[field]
    values = [default.value, *(entry.value for entry in kind if entry is not default)]
    return click.option(
        name,
        field,
        type=click.Choice(values),
        default=default.value,
        show_default=True,
        help=help_text,
    )


_OPTIONS: list[Callable[..., Any]] = [
    _choice("--sync", "sync", "How the sound is lined up with the picture.", Sync),
    click.option(
        "--offset",
        "offset_s",
        type=Seconds(),
        metavar="TIME",
        help="Where the audio begins on the video's time line; negative cuts its head.",
    ),
    click.option(
        "--drift",
        default=_DEFAULTS["drift"],
        show_default=True,
        metavar="auto|off|PPM",
        help="How much too long the recorder's clock makes the audio.",
    ),
    click.option(
        "--camera-distance",
        "camera_distance_m",
        type=click.FloatRange(0, 10_000),
        default=_DEFAULTS["camera_distance_m"],
        metavar="METERS",
        help="From what is heard to the camera; the audio is placed that much earlier.",
    ),
    _choice("--fit", "fit", "Whose duration the output has.", Fit),
    _choice("--fill", "fill", "What is heard where the audio is missing.", Fill),
    _choice("--audio-mode", "audio_mode", "What becomes of the camera's own sound.", AudioMode),
    click.option(
        "--camera-gain",
        "camera_gain_db",
        type=click.FloatRange(-60, 30),
        default=_DEFAULTS["camera_gain_db"],
        metavar="DB",
        help="The camera's own sound, with --audio-mode mix or add.",
    ),
    _choice("--video", "video_mode", "Copy the video, or encode it.", VideoMode),
    _choice("--quality", "quality", "Of an encode.", Quality),
    click.option(
        "--resolution",
        default=_DEFAULTS["resolution"],
        show_default=True,
        metavar="1080p|720p|source|WxH",
        help="The most it may have; never scaled up.",
    ),
    click.option("--aspect", type=click.Choice(list(ASPECTS)), help="Of the output's frame."),
    _choice("--frame", "frame", "With --aspect: letterbox or crop.", Frame),
    _choice("--route", "route", "Where it is made.", RouteChoice),
]


def request_of(
    video: str, audio: Sequence[str], output: str | None, values: dict[str, Any]
) -> Request:
    """The request that options make. Raises RequestError where they contradict each other."""
    resolution_bound(values["resolution"])
    known_drift_ppm(values["drift"])
    if values["sync"] == Sync.NONE and values["offset_s"]:
        raise RequestError("--sync none and --offset contradict each other")
    if len(audio) > 1 and values["offset_s"] is not None:
        raise RequestError(
            "--offset places one audio file, and there are several",
            hint="leave it out, and each is placed by its content",
        )
    recordings = [os.path.abspath(path) for path in audio]  # noqa: PTH100
    return Request(
        video=os.path.abspath(video),  # noqa: PTH100 - `resolve` would follow links
        audio=recordings[0],
        more_audio=tuple(recordings[1:]),
        output=os.path.abspath(output or default_output(video)),  # noqa: PTH100
        sync=Sync(values["sync"]),
        offset_s=values["offset_s"],
        drift=values["drift"],
        camera_distance_m=values["camera_distance_m"],
        fit=Fit(values["fit"]),
        fill=Fill(values["fill"]),
        audio_mode=AudioMode(values["audio_mode"]),
        camera_gain_db=values["camera_gain_db"],
        video_mode=VideoMode(values["video_mode"]),
        quality=Quality(values["quality"]),
        resolution=values["resolution"],
        aspect=values["aspect"],
        frame=Frame(values["frame"]),
        route=RouteChoice(values["route"]),
    )


def default_output(video: str) -> str:
    """`VIDEO-stem.merged.mp4` in the current folder."""
    return f"{Path(video).stem}.merged.mp4"
