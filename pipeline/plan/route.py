"""Which route a plan takes, and what the cloud would be asked for. Pure."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from fractions import Fraction
from pathlib import PurePath

from avpipe import jsonform
from avpipe.errors import RequestError
from avpipe.plan import estimate
from avpipe.plan.request import (
    NAMED_RESOLUTIONS,
    Request,
    RouteChoice,
    VideoMode,
    resolution_bound,
)
from avpipe.plan.values import (
    CloudFacts,
    CloudOrder,
    Plan,
    Reason,
    Route,
    RouteEstimate,
    Step,
    StepKind,
)
from avpipe.recipe import Action, Frame

TASK = "merge this audio and video into a single MP4 file"
"""The words that the service's own document recommends."""
_FRAMING = {Frame.FIT: "letterboxed into", Frame.FILL: "cropped to"}
_LEAST_TOLD = Fraction(1, 1000)
"""A shorter cut or hold is not told to the agent, in seconds."""


def routed(plan: Plan, request: Request, cloud: CloudFacts) -> Plan:
    """A plan that was made for this machine, on the route that the request and the cloud allow.

    Raises RequestError where the cloud was asked for and cannot make what else was.
    """
    steps = _cloud_steps(plan, cloud)
    estimates = (
        RouteEstimate(route=Route.LOCAL, estimate_s=_whole_s(plan.steps)),
        RouteEstimate(route=Route.CLOUD, estimate_s=_whole_s(steps)),
    )
    impossible = next(_contradictions(plan, request), None)
    if request.route is RouteChoice.CLOUD and impossible is not None:
        raise RequestError(
            f"this cannot be made in the cloud: {impossible}",
            hint="leave out --route cloud, and it is made here",
        )
    why_here = _why_here(plan, request, cloud) or impossible
    if why_here is not None:
        reason = Reason(code="route_local", message=f"{why_here}, so it is made here")
        reasons = (*plan.reasons, reason)
        possible = estimates[:1] if impossible is not None else estimates
        return dataclasses.replace(plan, estimates=possible, reasons=reasons)
    return dataclasses.replace(
        plan,
        route=Route.CLOUD,
        cloud=_order(plan, request),
        estimates=estimates,
        steps=steps,
        fallback=plan.steps if request.fallback else (),
        reasons=(*plan.reasons, *_cloud_reasons(plan, request)),
    )


def _why_here(plan: Plan, request: Request, cloud: CloudFacts) -> str | None:
    """Why the cloud is not used where it could be; None where it is."""
    match request.route:
        case RouteChoice.CLOUD:
            return None
        case RouteChoice.LOCAL:
            return "this machine was asked for"
    if not cloud.connected:
        return "no cloud is connected"
    if plan.video is Action.COPY:
        return "the video can be copied without rendering"
    return next(_refusals(plan, cloud), None)


def _contradictions(plan: Plan, request: Request) -> Iterator[str]:
    """What the cloud never does."""
    if request.video_mode is VideoMode.COPY:
        yield "the cloud renders every video, and --video copy forbids that"
    if plan.recipe.audio_tracks > 1:
        yield "the cloud makes one sound track, and --audio-mode add wants more"


def _refusals(plan: Plan, cloud: CloudFacts) -> Iterator[str]:
    """Why the cloud would not take the video."""
    if needs_compression(plan, cloud):
        return
    info = plan.inputs.video
    suffix = PurePath(info.path).suffix.lower().removeprefix(".")
    if cloud.formats is not None and suffix not in (*cloud.formats, "jpeg"):
        yield f"the cloud does not take {f'.{suffix} files' if suffix else 'a file of no type'}"
    if _is_too_large(plan, cloud):
        yield f"the video cannot be brought under the {cloud.upload_limit:,} bytes of an upload"


def needs_compression(plan: Plan, cloud: CloudFacts) -> bool:
    """Whether the video has to be compressed, and can be, before it is sent."""
    return cloud.compresses and _is_too_large(plan, cloud) and plan.inputs.video.picture is None


def _is_too_large(plan: Plan, cloud: CloudFacts) -> bool:
    size_bytes = plan.inputs.video.size_bytes or 0
    return cloud.upload_limit is not None and size_bytes > cloud.upload_limit


def with_sent(plan: Plan, sent: Plan, cloud: CloudFacts) -> Plan:
    """A plan for the cloud, with how its video is compressed before it is sent."""
    plan = dataclasses.replace(plan, sent=sent)
    steps = _cloud_steps(plan, cloud)
    there = RouteEstimate(route=Route.CLOUD, estimate_s=_whole_s(steps))
    others = tuple(one for one in plan.estimates if one.route is not Route.CLOUD)
    return dataclasses.replace(plan, steps=steps, estimates=(*others, there))


def _cloud_reasons(plan: Plan, request: Request) -> Iterator[Reason]:
    asked = request.route is RouteChoice.CLOUD
    yield Reason(
        code="route_cloud",
        message="the cloud was asked for"
        if asked
        else "a cloud is connected and the video has to be rendered",
    )
    if any(stream.text for stream in plan.inputs.video.subtitles):
        yield Reason(code="subtitles_dropped", message="the cloud keeps no subtitles", note=True)


def _cloud_steps(plan: Plan, cloud: CloudFacts) -> tuple[Step, ...]:
    duration = plan.timeline.duration
    compressed = needs_compression(plan, cloud)
    sent = _video_bytes(plan, cloud) + estimate.audio_bytes(duration, 1)
    uplink = cloud.uplink_bytes_s or estimate.UPLINK_BYTES_S
    known = "as measured" if cloud.uplink_bytes_s else "assumed"
    return (
        _step(
            StepKind.PREPARE_AUDIO,
            "one AAC file of the sound as it will be heard, so that both have the same length",
            estimate.audio_seconds(duration, 1, 1),
        ),
        *((_compression(plan, cloud),) if compressed else ()),
        _step(
            StepKind.UPLOAD,
            f"{sent / 1e6:.1f} MB at {uplink / 1e6:.1f} MB/s, {known}",
            estimate.upload_seconds(sent, uplink),
        ),
        _step(
            StepKind.CLOUD_RENDER,
            "both are laid together and rendered",
            estimate.cloud_seconds(duration),
        ),
        _step(
            StepKind.VERIFY,
            "what comes back is held against the inputs before it gets its name",
            estimate.download_seconds(plan.output.estimated_bytes),
        ),
    )


def _compression(plan: Plan, cloud: CloudFacts) -> Step:
    """The step that brings the video under the limit; what samples of it foretell, if known."""
    why = f"the video is larger than the {cloud.upload_limit:,} bytes that the cloud takes"
    if plan.sent is None:
        return _step(StepKind.COMPRESS, why, _whole_s(plan.steps))
    told = (reason.message for reason in plan.sent.reasons if reason.code.startswith("fit_"))
    words = ", ".join(message.rpartition(": ")[2] for message in told)
    why = f"{why}; made about {plan.sent.output.estimated_bytes / 1e6:.2f} MB, {words}"
    return _step(StepKind.COMPRESS, why, _whole_s(plan.sent.steps))


def _video_bytes(plan: Plan, cloud: CloudFacts) -> int:
    """How much of the video is sent."""
    if plan.sent is not None:
        return plan.sent.output.estimated_bytes
    size_bytes = plan.inputs.video.size_bytes or 0
    limit = cloud.upload_limit
    return min(size_bytes, limit) if limit and needs_compression(plan, cloud) else size_bytes


def _step(kind: StepKind, why: str, estimate_s: float) -> Step:
    return Step(kind=kind, why=why, estimate_s=round(estimate_s, 2))


def _whole_s(steps: tuple[Step, ...]) -> float:
    return round(sum(step.estimate_s for step in steps), 2)


def _order(plan: Plan, request: Request) -> CloudOrder:
    (longer, shorter) = resolution_bound(request.resolution) or (None, None)
    return CloudOrder(
        key=_key(plan, request),
        instruction=_instruction(plan, request),
        longer_side=longer,
        shorter_side=shorter,
        resolution=request.resolution if request.resolution in NAMED_RESOLUTIONS else None,
    )


def _key(plan: Plan, request: Request) -> str:
    """A digest of what was asked for and of the files it was asked of; not of what was found."""
    defaults = {"output": "", "route": RouteChoice.AUTO, "fallback": True}
    wanted = dataclasses.replace(request, **defaults)  # type: ignore[arg-type]
    files = [
        [info.path, info.size_bytes, info.modified_ns]
        for info in (plan.inputs.video, *plan.inputs.recorders)
    ]
    text = jsonform.dumps([jsonform.encode(wanted), files])
    return hashlib.sha256(text.encode()).hexdigest()


def _instruction(plan: Plan, request: Request) -> str:
    """One concrete instruction, with every length in it."""
    return f"{TASK}: {'; '.join(_clauses(plan, request))}."


def _clauses(plan: Plan, request: Request) -> Iterator[str]:
    (video, shown) = (plan.inputs.video, plan.timeline.video)
    duration = _seconds(plan.timeline.duration)
    if video.picture is not None:
        yield f"the picture is shown for {duration}"
    else:
        yield f"the video has {_seconds(video.video[0].duration or shown.duration)}"
        yield from _cuts(plan)
    yield f"the audio has {duration} and is in sync already: begin both at 0, do not move it"
    yield "mute the video's own sound, and leave the audio at its volume"
    if plan.encode is not None and plan.encode.frame is not None and request.aspect is not None:
        yield f"the picture is {_FRAMING[plan.encode.frame]} a {request.aspect} frame"
    yield f"the result has {duration} and {plan.output.width}x{plan.output.height} pixels"
    if request.max_bytes is not None:
        yield f"the file has less than {request.max_bytes:,} bytes"
    yield "add nothing else"


def _cuts(plan: Plan) -> Iterator[str]:
    shown = plan.timeline.video
    whole = plan.inputs.video.video[0].duration or shown.source_out
    if shown.source_in > _LEAST_TOLD:
        yield f"cut its first {_seconds(shown.source_in)}"
    if whole - shown.source_out > _LEAST_TOLD:
        yield f"cut its last {_seconds(whole - shown.source_out)}"
    if shown.start > _LEAST_TOLD:
        yield f"hold its first frame for {_seconds(shown.start)}"
    if plan.recipe.held_s > _LEAST_TOLD:
        yield f"hold its last frame for {_seconds(plan.recipe.held_s)}"


def _seconds(value: Fraction) -> str:
    return f"{float(value):.3f} s"
