"""What is installed and what works on this machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass

from avpipe import __version__
from avpipe.codecs import encoders
from avpipe.codecs.ffmpeg import Ffmpeg, find
from avpipe.codecs.process import usable_cores
from avpipe.errors import AvpipeError
from avpipe.settings import Settings

NEEDED_ENCODERS = ("libx264", "aac")
NEEDED_FILTERS = ("zscale", "tonemap", "bwdif", "aresample", "apad", "amix", "alimiter")
PACKAGES = (
    *("av", "numpy", "pillow", "click", "rich", "ffmpeg-python", "imageio-ffmpeg"),
    *("httpx", "httpx-sse", "matplotlib"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that was looked at."""

    name: str
    ok: bool
    value: str
    needed: bool = True
    """Whether avpipe cannot work without it."""
    hint: str | None = None


def diagnose(settings: Settings) -> tuple[Finding, ...]:
    """Look at everything that avpipe stands on."""
    return tuple(_findings(settings))


def _findings(settings: Settings) -> Iterator[Finding]:
    yield Finding(name="avpipe", ok=True, value=__version__)
    yield Finding(name="python", ok=True, value=platform.python_version())
    yield from (_package(name) for name in PACKAGES)
    try:
        ffmpeg = find(settings.ffmpeg)
        yield Finding(name="ffmpeg", ok=True, value=f"{ffmpeg.version()} ({ffmpeg.path})")
    except AvpipeError as error:
        yield Finding(name="ffmpeg", ok=False, value=error.message, hint=error.hint)
    else:
        yield from _abilities(ffmpeg)
        yield _hardware(ffmpeg, settings)
    yield Finding(name="cores", ok=True, value=str(usable_cores(settings.jobs)))
    yield _state(settings)
    yield Finding(
        name="free disk space",
        ok=True,
        value=f"{shutil.disk_usage(os.getcwd()).free / 1e9:.1f} GB here",  # noqa: PTH109
    )


def _package(name: str) -> Finding:
    try:
        return Finding(name=name, ok=True, value=importlib.metadata.version(name))
    except importlib.metadata.PackageNotFoundError:
        return Finding(
            name=name, ok=False, value="not installed", hint=f"install it with: pip install {name}"
        )


def _abilities(ffmpeg: Ffmpeg) -> Iterator[Finding]:
    for kind, needed, here in (
        ("encoders", NEEDED_ENCODERS, ffmpeg.encoders()),
        ("filters", NEEDED_FILTERS, ffmpeg.filters()),
    ):
        missing = [name for name in needed if name not in here]
        yield Finding(
            name=f"ffmpeg {kind}",
            ok=not missing,
            value=f"lacks {', '.join(missing)}" if missing else ", ".join(needed),
            hint="unset AVPIPE_FFMPEG to use the ffmpeg that came with avpipe",
        )


def _hardware(ffmpeg: Ffmpeg, settings: Settings) -> Finding:
    names = encoders.working_hardware(ffmpeg, settings.state_dir)
    return Finding(
        name="hardware encoders",
        ok=bool(names),
        value=", ".join(names) or "none works here; encodes use the CPU",
        needed=False,
    )


def _state(settings: Settings) -> Finding:
    folder = settings.state_dir
    try:
        folder.mkdir(parents=True, exist_ok=True)
        ok = os.access(folder, os.W_OK)
    except OSError as error:
        return Finding(name="state folder", ok=False, value=f"{folder}: {error.strerror}")
    return Finding(
        name="state folder",
        ok=ok,
        value=str(folder) if ok else f"{folder} cannot be written",
        hint="AVPIPE_STATE_DIR names another",
    )
