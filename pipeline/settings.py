"""What can be set, once, from the environment and a TOML file; nothing below reads either."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from avpipe.errors import RequestError

_KEYS = {"ffmpeg": str, "state_dir": str, "jobs": int}


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The settings of one run; the defaults live here."""

    state_dir: Path
    """Caches and, later, the journal."""
    ffmpeg: str | None = None
    """The ffmpeg binary; None for the one that came with the install."""
    jobs: int | None = None
    """How many cores to use; None for all."""


def load(environ: Mapping[str, str], *, config: Path, state_dir: Path) -> Settings:
    """The settings of the environment over those of the file at `config` over the defaults.

    `config` and `state_dir` are this machine's default places. A file that `AVPIPE_CONFIG` names
    must be there. Raises RequestError where a setting or the file cannot be understood.
    """
    named = environ.get("AVPIPE_CONFIG")
    values = _read(Path(named) if named else config, required=bool(named))
    for key in _KEYS:
        if text := environ.get(f"AVPIPE_{key.upper()}"):
            values[key] = text
    jobs = values.get("jobs")
    try:
        count = None if jobs is None else int(str(jobs))
    except ValueError as error:
        raise RequestError(f"the setting jobs is not a number: {jobs}") from error
    if count is not None and count < 1:
        raise RequestError(f"the setting jobs must be at least 1: {count}")
    ffmpeg = values.get("ffmpeg")
    return Settings(
        state_dir=Path(str(values.get("state_dir", state_dir))).expanduser(),
        ffmpeg=None if ffmpeg is None else str(ffmpeg),
        jobs=count,
    )


def _read(path: Path, *, required: bool) -> dict[str, object]:
    try:
        text = path.read_text(encoding="utf-8")
        import tomllib  # most have no config file

        values: dict[str, object] = tomllib.loads(text)
    except FileNotFoundError as error:
        if required:
            raise RequestError(f"the config file {path} does not exist") from error
        return {}
    except (OSError, ValueError) as error:
        raise RequestError(f"the config file {path} cannot be read: {error}") from error
    for key, value in values.items():
        if key not in _KEYS:
            raise RequestError(
                f"the config file {path} has an unknown setting: {key}",
                hint=f"the settings are {', '.join(_KEYS)}",
            )
        if type(value) is not _KEYS[key]:
            kind = "text" if _KEYS[key] is str else "a number"
            raise RequestError(f"the config file {path} has {key} = {value}, which is not {kind}")
    return values
