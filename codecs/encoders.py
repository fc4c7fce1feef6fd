"""The H.264 encoders that are known, their arguments, and which of them really run here.

An encoder that ffmpeg lists may lack its driver or its chip, so each is tried on one frame; the
answers are kept by binary and driver.
"""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass, field
from pathlib import Path

from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.process import Child
from avpipe.errors import ChildFailedError, RequestError, StalledError
from avpipe.recipe import Quality

TRIAL_STALL_S = 15.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Encoder:
    """One encoder and how it is asked for each quality."""

    name: str
    options: dict[Quality, dict[str, str]]
    """Output options by quality."""
    before: dict[str, str] = field(default_factory=dict)
    """Options that go before the inputs."""
    filters: tuple[tuple[str, dict[str, str]], ...] = ()
    """Filters that bring the frames to the encoder's memory."""
    pixel_format: str = "yuv420p"


X264 = Encoder(
    name="libx264",
    options={
        Quality.DRAFT: {"preset": "veryfast", "crf": "25"},
        Quality.STANDARD: {"preset": "fast", "crf": "20"},
        Quality.HIGH: {"preset": "slow", "crf": "17"},
    },
)

_NVENC = Encoder(
    name="h264_nvenc",
    options={
        Quality.DRAFT: {"preset": "p2", "rc": "vbr", "cq": "28", "b:v": "0"},
        Quality.STANDARD: {"preset": "p5", "rc": "vbr", "cq": "22", "b:v": "0"},
    },
)
_QSV = Encoder(
    name="h264_qsv",
    options={
        Quality.DRAFT: {"preset": "veryfast", "global_quality": "27"},
        Quality.STANDARD: {"preset": "medium", "global_quality": "21"},
    },
    pixel_format="nv12",
)
_VIDEOTOOLBOX = Encoder(
    name="h264_videotoolbox",
    options={
        Quality.DRAFT: {"q:v": "45"},
        Quality.STANDARD: {"q:v": "62"},
    },
)
_AMF = Encoder(
    name="h264_amf",
    options={
        Quality.DRAFT: {"quality": "speed", "rc": "cqp", "qp_i": "26", "qp_p": "27"},
        Quality.STANDARD: {"quality": "balanced", "rc": "cqp", "qp_i": "20", "qp_p": "21"},
    },
    pixel_format="nv12",
)
_VAAPI = Encoder(
    name="h264_vaapi",
    options={
        Quality.DRAFT: {"rc_mode": "CQP", "qp": "26"},
        Quality.STANDARD: {"rc_mode": "CQP", "qp": "20"},
    },
    before={"vaapi_device": "/dev/dri/renderD128"},
    filters=(("hwupload", {}),),
    pixel_format="nv12",
)

HARDWARE = (_NVENC, _QSV, _VIDEOTOOLBOX, _AMF, _VAAPI)
"""Tried in this order."""


def encoder(name: str) -> Encoder:
    """The encoder of that name. Raises KeyError where it is not known."""
    return {entry.name: entry for entry in (X264, *HARDWARE)}[name]


def working_hardware(
    ffmpeg: Ffmpeg, state_dir: Path, *, only: str | None = None
) -> tuple[str, ...]:
    """The names of the hardware encoders that encode a frame on this machine, best first.

    With `only` that one, or none for the software encoder. Raises RequestError where it does not
    work here.
    """
    found = _working(ffmpeg, state_dir)
    if only is not None and only not in (X264.name, *found):
        working = ", ".join((X264.name, *found))
        raise RequestError(f"the encoder {only} does not work here", hint=f"{working} does")
    return tuple(name for name in found if only in (None, name))


def _working(ffmpeg: Ffmpeg, state_dir: Path) -> tuple[str, ...]:
    cache = state_dir / "encoders.json"
    key = _cache_key(ffmpeg)
    known = _read(cache)
    if key in known:
        return tuple(known[key])
    listed = ffmpeg.encoders()
    names = tuple(entry.name for entry in HARDWARE if entry.name in listed and _runs(ffmpeg, entry))
    _write(cache, {key: list(names)})
    return names


def _runs(ffmpeg: Ffmpeg, entry: Encoder) -> bool:
    filters = ["format=" + entry.pixel_format, *(name for name, _ in entry.filters)]
    options = [text for pair in entry.options[Quality.STANDARD].items() for text in _flag(*pair)]
    before = [text for pair in entry.before.items() for text in _flag(*pair)]
    argv = [
        *(ffmpeg.path, "-hide_banner", "-nostdin", "-v", "error", *before),
        *("-f", "lavfi", "-i", "color=black:size=640x360:rate=25", "-frames:v", "1"),
        *("-vf", ",".join(filters), "-c:v", entry.name, *options, "-f", "null", "-"),
    ]
    try:
        with Child(argv, stall_s=TRIAL_STALL_S) as child:
            child.stdout.read()
            child.finish(f"a trial of {entry.name}")
    except (ChildFailedError, StalledError):
        return False  # that is the answer: it does not run here
    return True


def _flag(name: str, value: str) -> tuple[str, str]:
    return f"-{name}", value


def _cache_key(ffmpeg: Ffmpeg) -> str:
    binary = Path(ffmpeg.path).stat()
    drivers = sorted(str(path) for path in Path("/dev").glob("dri/render*"))
    drivers += sorted(str(path) for path in Path("/dev").glob("nvidia*"))
    version = Path("/proc/driver/nvidia/version")
    drivers += [version.read_text()] if version.exists() else []
    text = json.dumps(
        [ffmpeg.path, binary.st_size, binary.st_mtime_ns, platform.release(), drivers]
    )
    import hashlib  # takes a while, and only what has no copy asks

    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _read(cache: Path) -> dict[str, list[str]]:
    try:
        known: dict[str, list[str]] = json.loads(cache.read_text())
    except (OSError, ValueError):
        return {}  # a cache that is not there or is damaged is made again
    return known


def _write(cache: Path, known: dict[str, list[str]]) -> None:
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        part = cache.with_suffix(f".{os.getpid()}.part")
        part.write_text(json.dumps(known))
        part.replace(cache)
    except OSError:
        return  # a state folder that cannot be written only costs the next trial
