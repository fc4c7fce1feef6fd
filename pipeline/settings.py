"""What can be set, once, from the environment and a TOML file; nothing below reads either."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from avpipe.errors import RequestError

JOURNAL_NAME = "journal.sqlite3"
"""The file in the state folder that holds what must survive."""
TOKEN_NAME = "token.json"  # noqa: S105
"""The one that holds the cloud's token."""
_KEYS = {"ffmpeg": str, "state_dir": str, "jobs": int, "encoder": str}


class Secret:
    """A text that is shown nowhere: not by `repr`, `str` or a format, and it has no JSON form."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, kw_only=True, slots=True)
class CloudSettings:
    """How the cloud is reached, and how patiently."""

    api_url: str = "https://mega-api-prod.nemovideo.ai"
    web_url: str = "https://nemovideo.com"
    token: Secret | None = None
    """Of the environment alone."""
    client_id: str | None = None
    """None for the one that was made here and kept."""
    platform: str | None = None
    """What the attribution headers call this installation; None to find it out."""
    language: str | None = None
    """What the agent is to speak, such as `zh-CN`; None for what it speaks by itself."""
    poll_s: float = 30.0
    """Between two looks at a render."""
    upload_limit: int = 500_000_000
    """The largest file that is uploaded, in bytes."""
    uplink_bytes_s: int | None = None
    """How fast uploads go, for estimates; None for as fast as the last one was."""
    rate_limit_wait_s: float = 30.0
    """Before the one retry of a request that was refused for being one too many."""
    recovery_s: float = 30.0
    """The first wait after a cut stream; the further ones are twice as long."""
    idle_s: float = 120.0
    """How long nothing at all may arrive on a stream or transfer."""
    retry_s: float = 1.0
    """The first wait before a retry; each further one is twice as long."""
    render_timeout_s: float = 300.0
    """How long a render may stand still."""

    @property
    def connect_s(self) -> float:
        """How long it may take to get a connection."""
        return min(3.0, self.idle_s)


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerSettings:
    """What the operator of `avpipe serve` decides."""

    host: str = "127.0.0.1"
    port: int = 8484
    data: str | None = None
    """The folder of everything that the server keeps; None for `server` in the state folder."""
    base_url: str | None = None
    """How users reach it; None for what each request says."""
    tls_certificate: str | None = None
    """A file in PEM form; with `tls_key` the server speaks https."""
    tls_key: str | None = None
    trusted_proxy: str | None = None
    """The address of a proxy whose word on the client's address is believed."""
    signup: str = "open"
    """`open`, or `invited`: only the operator makes tokens."""
    token_days: float = 7.0
    tokens_per_address: int = 10
    """How many tokens one address is given in `token_days`."""
    credits: int = 100
    """Granted to a new user."""
    edit_credits: int = 1
    """What a message to the agent costs that changed something."""
    anonymous_export: bool = True
    """Whether users without an invitation may render."""
    upload_limit: int = 500_000_000
    """The largest file that is taken, in bytes."""
    user_quota: int = 20_000_000_000
    """How much one user may keep, uploads and renders together, in bytes."""
    retention_days: float = 7.0
    """How long a session that nobody looks at is kept, with its files."""
    url_uploads: bool = False
    """Whether the server fetches files by their address."""
    jobs: int | None = None
    """How many renders run at once; None for one, or as many as the cluster has threads."""
    cluster: str | None = None
    """The address of the Dask scheduler whose workers render; None for this machine."""
    memory_per_job: int = 4 << 30
    """What each process of a job may use, in bytes."""
    job_hours: float = 6.0
    """How long one render may take."""
    render_form: str = "A"
    """How a render is told: `A` (`output.url`) or `B` (`outputUrl`)."""
    heartbeat_s: float = 10.0
    """How often a stream says that it is alive."""
    requests_per_s: float = 50.0
    """Of one client, in the long run."""
    streams_per_user: int = 4
    """How many messages of one user may be open at once."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The settings of one run; the defaults live here."""

    state_dir: Path
    """Caches, the journal, and the cloud's token."""
    ffmpeg: str | None = None
    """The ffmpeg binary; None for the one that came with the install."""
    jobs: int | None = None
    """How many cores to use; None for all."""
    encoder: str | None = None
    """The only H.264 encoder to use, such as `libx264`; None for the best that works here."""
    cloud: CloudSettings = field(default_factory=CloudSettings)
    server: ServerSettings = field(default_factory=ServerSettings)


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
        encoder=None if values.get("encoder") is None else str(values["encoder"]),
        cloud=_cloud(environ, values.get("cloud", {})),
        server=ServerSettings(**_section("server", _SERVER, environ, values.get("server", {}))),
    )


def parse_size(text: str) -> int:
    """Bytes of `500MB` (10^6), `500MiB` (2^20), `1.5 GB` or `500`. Raises ValueError."""
    match = re.fullmatch(r"(\d+(?:\.\d*)?|\.\d+)\s*(?:([kmgt])(i?))?b?", text.strip().lower())
    if match is None:
        raise ValueError(f"{text!r} is not a size such as 500MB or 500MiB")
    (number, prefix, binary) = match.groups()
    power = " kmgt".index(prefix or " ")
    return int(float(number) * (1024 if binary else 1000) ** power)


def _read(path: Path, *, required: bool) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        import tomllib  # most have no config file

        values: dict[str, Any] = tomllib.loads(text)
    except FileNotFoundError as error:
        if required:
            raise RequestError(f"the config file {path} does not exist") from error
        return {}
    except (OSError, ValueError) as error:
        raise RequestError(f"the config file {path} cannot be read: {error}") from error
    for key, value in values.items():
        if key in ("cloud", "server") and isinstance(value, dict):
            _require_known(path, f"{key}.", value, _CLOUD if key == "cloud" else _SERVER)
            continue
        _require_known(path, "", {key: value}, _KEYS)
        if type(value) is not _KEYS[key]:
            kind = "text" if _KEYS[key] is str else "a number"
            raise RequestError(f"the config file {path} has {key} = {value}, which is not {kind}")
    return values


def _require_known(
    path: Path, section: str, values: Mapping[str, Any], known: Mapping[str, Any]
) -> None:
    for key in values:
        if key not in known:
            raise RequestError(
                f"the config file {path} has an unknown setting: {section}{key}",
                hint=f"the settings are {', '.join(section + name for name in known)}",
            )


def _cloud(environ: Mapping[str, str], values: Mapping[str, Any]) -> CloudSettings:
    token = environ.get("NEMO_TOKEN", "").strip()
    if not re.fullmatch(r"[!-~]*", token):
        raise RequestError("NEMO_TOKEN is not a token: it holds spaces or unusual characters")
    secret = Secret(token) if token else None
    found = _section("cloud", _CLOUD, environ, values)
    return CloudSettings(token=secret, **{"language": _language_of(environ), **found})


def _language_of(environ: Mapping[str, str]) -> str | None:
    """Chinese where this machine speaks it: the two languages whose talk of screens is known."""
    text = next((environ[key] for key in ("LC_ALL", "LC_MESSAGES", "LANG") if environ.get(key)), "")
    match = re.match(r"zh(?:[_-](\w+))?\b", text)
    return f"zh-{match[1] or 'CN'}" if match else None


def _section(
    name: str,
    parsers: Mapping[str, Callable[[str], object]],
    environ: Mapping[str, str],
    values: Mapping[str, Any],
) -> dict[str, Any]:
    """The settings of one table that the environment or the file has."""
    found: dict[str, Any] = {}
    for key, parse in parsers.items():
        names = (f"AVPIPE_{name.upper()}_{key.upper()}", _ALIASES.get(key, ""))
        text = next((environ[name] for name in names if environ.get(name)), values.get(key))
        if text is None:
            continue
        try:
            found[key] = parse(str(text).strip())
        except (ValueError, OverflowError) as error:
            raise RequestError(f"the setting {name}.{key} cannot be used: {error}") from error
    return found


def _seconds(text: str) -> float:
    seconds = float(text)
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{text} is not a time in seconds")
    return seconds


def _limit_s(text: str) -> float:
    seconds = _seconds(text)
    if seconds == 0:
        raise ValueError("it must be more than 0 seconds")
    return seconds


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError(f"{text} is less than 0")
    return number


def _some(text: str) -> int:
    number = _count(text)
    if number == 0:
        raise ValueError("it must be at least 1")
    return number


def _port(text: str) -> int:
    number = _count(text)
    if number > 65535:
        raise ValueError(f"{text} is no port")
    return number


def _switch(text: str) -> bool:
    known = {"on": True, "true": True, "1": True, "off": False, "false": False, "0": False}
    if text.lower() not in known:
        raise ValueError(f"{text!r} is neither on nor off")
    return known[text.lower()]


def _one_of(*values: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text not in values:
            raise ValueError(f"{text!r} is none of {', '.join(values)}")
        return text

    return parse


def _url(text: str) -> str:
    parts = urlsplit(text)
    host = parts.scheme in ("http", "https") and parts.hostname
    if not host or "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("it is not an address such as https://host")
    _ = parts.port  # raises where it is none
    return text.rstrip("/")


def _client_id(text: str) -> str:
    if not re.fullmatch(r"[!-~]{1,64}", text):
        raise ValueError("a client id is a text of 1 to 64 characters without spaces")
    return text


def _language(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", text):
        raise ValueError(f"{text!r} is not a language such as en or zh-CN")
    return text


def _platform(text: str) -> str:
    if not re.fullmatch(r"[!-~]{1,64}", text):
        raise ValueError("SKILL_SOURCE is one short word")
    return text


_ALIASES = {
    "api_url": "NEMO_API_URL",
    "web_url": "NEMO_WEB_URL",
    "client_id": "NEMO_CLIENT_ID",
    "platform": "SKILL_SOURCE",
}
_PARSERS: dict[str, Callable[[str], object]] = {
    "api_url": _url,
    "web_url": _url,
    "client_id": _client_id,
    "platform": _platform,
    "language": _language,
    "upload_limit": parse_size,
    "uplink_bytes_s": parse_size,
    "idle_s": _limit_s,
    "render_timeout_s": _limit_s,
}
_CLOUD: dict[str, Callable[[str], object]] = {
    entry.name: _PARSERS.get(entry.name, _seconds)
    for entry in fields(CloudSettings)
    if entry.name != "token"
}
_SERVER: dict[str, Callable[[str], object]] = {
    "host": str,
    "port": _port,
    "data": str,
    "base_url": _url,
    "tls_certificate": str,
    "tls_key": str,
    "trusted_proxy": str,
    "signup": _one_of("open", "invited"),
    "token_days": _limit_s,
    "tokens_per_address": _count,
    "credits": _count,
    "edit_credits": _count,
    "anonymous_export": _switch,
    "upload_limit": parse_size,
    "user_quota": parse_size,
    "retention_days": _limit_s,
    "url_uploads": _switch,
    "jobs": _some,
    "cluster": str,
    "memory_per_job": parse_size,
    "job_hours": _limit_s,
    "render_form": _one_of("A", "B"),
    "heartbeat_s": _limit_s,
    "requests_per_s": _limit_s,
    "streams_per_user": _some,
}
