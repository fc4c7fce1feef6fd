"""The ways in which a pair can be merged, and which of them can be measured here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from urllib.parse import urlsplit

from avpipe.cloud.reach import is_connected
from avpipe.codecs import encoders
from avpipe.codecs.ffmpeg import find
from avpipe.errors import RequestError
from avpipe.plan.request import Request, RouteChoice, Sync, VideoMode
from avpipe.recipe import Quality
from avpipe.settings import CloudSettings, Settings
from avpipe.workflow import plan_merge

POLL_S = "0.25"
"""How often a server of one's own is asked for a render: the vendor's wish is 30 s."""


class Backend(StrEnum):
    """Who renders."""

    LOCAL = "local"
    NEMO = "nemo"
    SELF_HOSTED = "self-hosted"


@dataclass(frozen=True, kw_only=True, slots=True)
class Lane:
    """One way to merge a pair."""

    name: str
    """For people; of a server of one's own it says so."""
    backend: Backend
    options: tuple[str, ...]
    """Of `avpipe merge`."""
    environ: Mapping[str, str]
    """Of the process, all of it."""
    copies: bool = False
    """Whether the video is not encoded at all."""
    starts_server: bool = False
    """Whether there is a server only once one was started for it."""

    @property
    def in_cloud(self) -> bool:
        """Whether the files are sent."""
        return self.backend is not Backend.LOCAL


@dataclass(frozen=True, kw_only=True, slots=True)
class Skipped:
    """A way that was not measured."""

    name: str
    reason: str


def local_lanes(
    video: str,
    audio: str,
    settings: Settings,
    qualities: Sequence[Quality],
    environ: Mapping[str, str],
) -> Iterator[Lane | Skipped]:
    """A copy, and an encode by each encoder that works here."""
    options = ("--route", "local")
    copied = (*options, "--video", "copy")
    name = "local copy"
    try:
        plan_merge(copy_request(video, audio, VideoMode.COPY), settings)
    except RequestError as error:
        yield Skipped(name=name, reason=error.message)
    else:
        yield Lane(name=name, backend=Backend.LOCAL, options=copied, environ=environ, copies=True)
    found = encoders.working_hardware(find(settings.ffmpeg), settings.state_dir)
    for encoder in (encoders.X264.name, *found):
        for quality in qualities:
            name = f"local {encoder} {quality}"
            if quality not in encoders.encoder(encoder).options:
                yield Skipped(name=name, reason=f"{encoder} is not used for {quality}")
                continue
            yield Lane(
                name=name,
                backend=Backend.LOCAL,
                options=(*options, "--video", "encode", "--quality", quality.value),
                environ={**environ, "AVPIPE_ENCODER": encoder},
            )


def copy_request(video: str, audio: str, mode: VideoMode = VideoMode.AUTO) -> Request:
    """A merge by the starts, which reads no content: for what can be told without."""
    return Request(
        video=video,
        audio=audio,
        output="bench.mp4",
        sync=Sync.START,
        route=RouteChoice.LOCAL,
        video_mode=mode,
    )


def cloud_lanes(
    settings: Settings, environ: Mapping[str, str], *, may_spend: bool
) -> Iterator[Lane | Skipped]:
    """A server of one's own, and the vendor's service where the user said so.

    The first is the one that the settings name, else one that is started for the bench.
    """
    connected = is_nemo(settings.cloud.api_url)
    if connected:
        yield _cloud_lane("self-hosted, started here", environ, starts_server=True)
    else:
        patient = {"AVPIPE_CLOUD_POLL_S": POLL_S, **environ}
        host = urlsplit(settings.cloud.api_url).netloc
        yield _cloud_lane(f"self-hosted, {host}", patient)
    if not may_spend:
        yield Skipped(
            name="nemo", reason="it uploads the files and spends credits; --nemo allows it"
        )
    elif not connected:
        yield Skipped(name="nemo", reason=f"{settings.cloud.api_url} is set instead of it")
    elif not is_connected(settings):
        yield Skipped(name="nemo", reason="not connected; avpipe cloud connect does that")
    else:
        yield _cloud_lane("nemo", environ, Backend.NEMO)


def _cloud_lane(
    name: str,
    environ: Mapping[str, str],
    backend: Backend = Backend.SELF_HOSTED,
    *,
    starts_server: bool = False,
) -> Lane:
    options = ("--route", "cloud", "--no-fallback")
    return Lane(
        name=name, backend=backend, options=options, environ=environ, starts_server=starts_server
    )


def at_own_server(lane: Lane, url: str, state: str) -> Lane:
    """The lane at a server that was started for it: its user is new, and it is asked often."""
    kept = {n: v for n, v in lane.environ.items() if not n.startswith(("NEMO_", "AVPIPE_CLOUD_"))}
    own = {"NEMO_API_URL": url, "AVPIPE_STATE_DIR": state, "AVPIPE_CLOUD_POLL_S": POLL_S}
    return replace(lane, environ={**kept, **own, "AVPIPE_CLOUD_UPLOAD_LIMIT": "1TB"})


def is_nemo(api_url: str) -> bool:
    """Whether an address is the vendor's service, and no server of one's own."""
    host = urlsplit(api_url).hostname or ""
    vendor = (urlsplit(CloudSettings().api_url).hostname or "").split(".", 1)[-1]
    return host == vendor or host.endswith(f".{vendor}")
