"""From which uplink on a cloud is quicker than this machine, told by what was measured. Pure.

A merge of `T` seconds takes here `own * T`, and in the cloud `fixed + T * (own_share + sent / u)`,
with `u` the uplink in bytes a second: lining up and verifying are the same for both and left out.
"""

from __future__ import annotations

from dataclasses import dataclass

from avpipe.benchmarks.lanes import Backend
from avpipe.benchmarks.sitting import Result, Sitting
from avpipe.benchmarks.stages import Stage
from avpipe.recipe import AUDIO_BIT_RATE, Quality

LENGTHS_S = (60, 600, 3600, 4 * 3600)
"""For which the break-even is told."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rendering:
    """How long a way takes, as far as it differs from the others."""

    fixed_s: float
    per_second_s: float
    """For each second of the video."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BreakEven:
    """The comparison of one local encode with one cloud."""

    backend: Backend | None
    """None where no cloud was measured: then the cloud is one that takes no time itself."""
    here: Rendering
    there: Rendering
    sent_bytes_s: float
    """What is sent for each second of the video."""

    def uplink_bytes_s(self, length_s: float) -> float | None:
        """The least uplink at which the cloud is quicker; None where none is fast enough."""
        saved_s = self.here.fixed_s - self.there.fixed_s
        saved_s += (self.here.per_second_s - self.there.per_second_s) * length_s
        return self.sent_bytes_s * length_s / saved_s if saved_s > 0 else None


def breaks_even(sitting: Sitting) -> tuple[BreakEven | None, BreakEven | None]:
    """With the cloud that was measured, the vendor's before others; and with one without a cost.

    Here counts the encode that is quickest at the standard quality, or at another where that was
    not measured. None where nothing was encoded here.
    """
    encodes = [one for one in sitting.results if not one.lane.in_cloud and not one.lane.copies]
    if not encodes:
        return None, None
    standard = [one for one in encodes if Quality.STANDARD in one.lane.options]
    here = min(standard or encodes, key=lambda one: one.walls_s[1])
    clouds = [one for one in sitting.results if one.lane.in_cloud]
    clouds.sort(key=lambda one: one.lane.backend is not Backend.NEMO)
    length_s = float(sitting.plan.timeline.duration)
    size = sitting.plan.inputs.video.size_bytes or 0
    (found, bound) = (
        _break_even(here, there, length_s=length_s, video_bytes=size)
        for there in (clouds[0] if clouds else None, None)
    )
    return found, bound


def _break_even(
    here: Result, there: Result | None, *, length_s: float, video_bytes: int
) -> BreakEven:
    """Compare an encode here with a cloud, by the medians of their stages."""
    local = here.stage_s(Stage.PREPARE) + here.stage_s(Stage.RENDER)
    fixed_s = per_second_s = 0.0
    if there is not None:
        fixed_s = there.stage_s(Stage.EDIT) + there.stage_s(Stage.QUEUE)
        grows = (Stage.PREPARE, Stage.RENDER, Stage.DOWNLOAD)
        per_second_s = sum(map(there.stage_s, grows)) / length_s
    return BreakEven(
        backend=None if there is None else there.lane.backend,
        here=Rendering(fixed_s=0.0, per_second_s=local / length_s),
        there=Rendering(fixed_s=fixed_s, per_second_s=per_second_s),
        sent_bytes_s=video_bytes / length_s + AUDIO_BIT_RATE / 8,
    )


def in_a_sentence(found: BreakEven, sitting: Sitting) -> str:
    """What a user decides by."""
    copied_s = copy_s(sitting)
    if copied_s is None:
        text = f"{_WHO[found.backend]} is {_when_quicker(found)}"
    else:
        text = f"this video can be copied here, in {copied_s:.1f} s; if it had to be encoded, "
        text += f"{_WHO[found.backend]} would be {_when_quicker(found)}"
        if _copied_there(sitting):
            text += " (it copied the picture too, and did not encode it)"
    return text[0].upper() + text[1:] + "."


def copy_s(sitting: Sitting) -> float | None:
    """What a copy takes, where the pair was copied."""
    return next((one.walls_s[1] for one in sitting.results if one.lane.copies), None)


def _copied_there(sitting: Sitting) -> bool:
    """Whether what came out of a cloud looks as a copy does, to the last digit."""
    copies = [one.last.quality.ssim for one in sitting.results if one.lane.copies]
    clouds = [one.last.quality.ssim for one in sitting.results if one.lane.in_cloud]
    return any(ssim is not None and ssim in copies for ssim in clouds)


def _when_quicker(found: BreakEven) -> str:
    (short, long) = (found.uplink_bytes_s(LENGTHS_S[1]), found.uplink_bytes_s(LENGTHS_S[2]))
    if long is None:
        return "slower than this machine at any uplink"
    if short is None:
        return (
            f"quicker than this machine from {_rate(long)} of uplink for an hour of video, "
            "and never for ten minutes"
        )
    if _rate(short) == _rate(long):
        return f"quicker than this machine from {_rate(long)} of uplink"
    return (
        f"quicker than this machine from {_rate(short)} of uplink for ten minutes of video, "
        f"and from {_rate(long)} for an hour"
    )


def _rate(bytes_s: float) -> str:
    return f"{bytes_s * 8 / 1e6:.1f} Mbit/s"


_WHO = {
    Backend.NEMO: "the cloud",
    Backend.SELF_HOSTED: "the self-hosted server",
    None: "a cloud that took no time to render (none was measured)",
}
