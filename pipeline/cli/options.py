"""The options that `merge` and `plan` share, and the request they become."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping, Sequence
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
from avpipe.settings import parse_size

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


class Size(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.5 on
    """A size as `500MB` (10^6), `500MiB` (2^20) or a number of bytes."""

    name = "size"

    def convert(
        self, value: Any, parameter: click.Parameter | None, context: click.Context | None
    ) -> int:
        """The size in bytes."""
        try:
            size_bytes = value if isinstance(value, int) else parse_size(str(value))
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a size such as 500MB or 500MiB")
        if size_bytes < 1:
            self.fail("a file takes at least a byte")
        return size_bytes


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


QUALITY = _choice("--quality", "quality", "Of an encode.", Quality)
RESOLUTION = click.option(
    "--resolution",
    default=_DEFAULTS["resolution"],
    show_default=True,
    metavar="1080p|720p|source|WxH",
    help="The most it may have; never scaled up.",
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
    click.option(
        "--loudness",
        "loudness_lufs",
        type=click.FloatRange(-70, 0, min_open=True),
        metavar="LUFS",
        help="What the sound is brought to (EBU R128), such as -14.",
    ),
    _choice("--video", "video_mode", "Copy the video, or encode it.", VideoMode),
    QUALITY,
    RESOLUTION,
    click.option("--aspect", type=click.Choice(list(ASPECTS)), help="Of the output's frame."),
    _choice("--frame", "frame", "With --aspect: letterbox or crop.", Frame),
    click.option(
        "--max-size",
        "max_bytes",
        type=Size(),
        metavar="SIZE",
        help="The output stays under it: 500MB, 500MiB.",
    ),
    _choice("--route", "route", "Where it is made.", RouteChoice),
    click.option(
        "--no-fallback",
        is_flag=True,
        help="A blocked or failed cloud is an error; nothing is made here instead.",
    ),
]


def _merge_command() -> click.Command:
    """A command that has the options of a merge alone."""
    return click.Command("merge", params=merge_options(lambda: None).__click_params__[::-1])  # type: ignore[attr-defined]


def option_names() -> frozenset[str]:
    """What the options of a merge are called, without the dashes."""
    return frozenset(name.lstrip("-") for one in _merge_command().params for name in one.opts)


def parsed_options(given: Mapping[str, str]) -> dict[str, Any]:
    """The values of options given by name, those alone. Raises click.UsageError."""
    command = _merge_command()
    flags = {o.lstrip("-") for one in command.params for o in one.opts if _is_flag(one)}
    arguments = [
        f"--{name}" if name in flags else f"--{name}={value}"
        for name, value in given.items()
        if name not in flags or _is_true(name, value)
    ]
    with command.make_context("merge", arguments) as context:
        named = {one.name for one in command.params if {o.lstrip("-") for o in one.opts} & {*given}}
        return {name: value for name, value in context.params.items() if name in named}


def _is_flag(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option) and bool(parameter.is_flag)


def _is_true(name: str, value: str) -> bool:
    """What a flag is set to. Raises click.UsageError."""
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if value.lower() not in known:
        raise click.UsageError(f"{name} is true or false, not {value!r}")
    return known[value.lower()]


def request_of(
    video: str,
    audio: Sequence[str],
    output: str | None,
    values: dict[str, Any],
    *,
    placed: Callable[[str], str] = os.path.abspath,  # `resolve` would follow links
) -> Request:
    """The request that options make, its files where `placed` says.

    Raises RequestError where they contradict each other.
    """
    resolution_bound(values["resolution"])
    known_drift_ppm(values["drift"])
    if values["sync"] == Sync.NONE and values["offset_s"]:
        raise RequestError("--sync none and --offset contradict each other")
    if len(audio) > 1 and values["offset_s"] is not None:
        raise RequestError(
            "--offset places one audio file, and there are several",
            hint="leave it out, and each is placed by its content",
        )
    recordings = [placed(path) for path in audio]
    return Request(
        video=placed(video),
        audio=recordings[0],
        more_audio=tuple(recordings[1:]),
        output=placed(output or default_output(video)),
        sync=Sync(values["sync"]),
        offset_s=values["offset_s"],
        drift=values["drift"],
        camera_distance_m=values["camera_distance_m"],
        fit=Fit(values["fit"]),
        fill=Fill(values["fill"]),
        audio_mode=AudioMode(values["audio_mode"]),
        camera_gain_db=values["camera_gain_db"],
        loudness_lufs=values["loudness_lufs"],
        video_mode=VideoMode(values["video_mode"]),
        quality=Quality(values["quality"]),
        resolution=values["resolution"],
        aspect=values["aspect"],
        frame=Frame(values["frame"]),
        max_bytes=values["max_bytes"],
        route=RouteChoice(values["route"]),
        fallback=not values["no_fallback"],
    )


def default_output(video: str) -> str:
    """`VIDEO-stem.merged.mp4` in the current folder."""
    return f"{Path(video).stem}.merged.mp4"
