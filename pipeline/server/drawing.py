"""A timeline of a session rendered into a file, in the child process that does nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from avpipe.cloud.draft_codec import read_draft
from avpipe.errors import RequestError
from avpipe.montage.values import Montage, TrackKind
from avpipe.recipe import Quality
from avpipe.settings import Settings
from avpipe.updates import Done, Progress
from avpipe.workflow_timeline import render_timeline

RESOLUTIONS = ("1080p", "720p", "source")
_SHARES = {"audio": (0.0, 0.3), "video": (0.3, 0.9), "verify": (0.9, 0.99)}
"""Which part of the whole a stage is, from and to."""


def draw(spec: Mapping[str, Any], tell: Callable[[float], None]) -> dict[str, Any]:
    """Render what a spec says; gives the length of the file. Raises AvpipeError."""
    montage = read_draft(spec["draft"])
    require_own_fonts(montage)
    settings = Settings(
        state_dir=Path(spec["state_dir"]),
        ffmpeg=spec["ffmpeg"],
        encoder=spec["encoder"],
        jobs=spec["jobs"],
    )
    updates = render_timeline(
        montage,
        spec["files"],
        spec["output"],
        settings,
        quality=quality_of(spec["wanted"]),
        resolution=resolution_of(spec["wanted"]),
    )
    reached = 0.0
    duration_s = 0.0
    for update in updates:
        if isinstance(update, Progress):
            (begin, end) = _SHARES.get(update.stage, (reached, reached))
            reached = max(reached, begin + (end - begin) * update.done)
            tell(round(reached, 4))
        elif isinstance(update, Done):
            duration_s = update.output.duration_s
    return {"duration_s": duration_s}


def quality_of(wanted: Mapping[str, Any]) -> Quality:
    """The quality that a client asks for. The API's usual word is `high`: that is ours."""
    return Quality.DRAFT if wanted.get("quality") in ("draft", "low") else Quality.STANDARD


def resolution_of(wanted: Mapping[str, Any]) -> str:
    """The bound on the size that a client asks for."""
    told = wanted.get("resolution")
    return told if told in RESOLUTIONS else RESOLUTIONS[0]


def require_own_fonts(montage: Montage) -> None:
    """Raise RequestError where a text names a file of this machine as its font."""
    for track in montage.of(TrackKind.TEXT):
        for clip in track.clips:
            font = clip.style.font or ""
            if "/" in font or "\\" in font or "." in font:
                raise RequestError("a font is named by its family, not by a file")
