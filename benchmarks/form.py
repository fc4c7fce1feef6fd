"""A sitting as JSON, schema `avpipe.bench/1`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from avpipe.benchmarks.break_even import LENGTHS_S, BreakEven, in_a_sentence
from avpipe.benchmarks.sitting import Result, Run, Sitting
from avpipe.benchmarks.stages import Stage

SCHEMA = "avpipe.bench/1"


def as_form(
    sitting: Sitting, machine: Mapping[str, str], found: BreakEven | None
) -> dict[str, Any]:
    """The figures: medians, and every single run below them."""
    (video, audio) = (sitting.plan.inputs.video, sitting.plan.inputs.audio)
    return {
        "schema": SCHEMA,
        "machine": dict(machine),
        "inputs": {
            "video": video.path,
            "audio": audio.path,
            "duration_s": float(sitting.plan.timeline.duration),
            "size_bytes": (video.size_bytes or 0) + (audio.size_bytes or 0),
        },
        "cases": [_case(result) for result in sitting.results],
        "skipped": [{"name": one.name, "reason": one.reason} for one in sitting.skipped],
        "break_even": None if found is None else _break_even(sitting, found),
    }


def _case(result: Result) -> dict[str, Any]:
    (least, median, most) = result.walls_s
    lane = result.lane
    return {
        "name": lane.name,
        "route": "cloud" if lane.in_cloud else "local",
        "backend": lane.backend.value,
        "runs": len(result.runs),
        "wall_s": {"min": least, "median": median, "max": most},
        **{f"{stage}_s": _sent(result, stage) for stage in Stage},
        "cpu_s": _median(run.usage.cpu_s for run in result.runs),
        "server_cpu_s": _median(run.server_cpu_s for run in result.runs),
        "peak_bytes": max((run.usage.peak_bytes or 0 for run in result.runs), default=0) or None,
        "size_bytes": result.last.size_bytes,
        "vmaf": result.last.quality.vmaf,
        "ssim": result.last.quality.ssim,
        "sync_error_ms": result.last.quality.sync_error_ms,
        "credits": _median(run.credits for run in result.runs),
        "each": [_run(run) for run in result.runs],
    }


_OF_CLOUD = {Stage.UPLOAD, Stage.EDIT, Stage.QUEUE, Stage.DOWNLOAD}


def _sent(result: Result, stage: Stage) -> float | None:
    """The median of a stage; None of what a merge here does not have."""
    return None if stage in _OF_CLOUD and not result.lane.in_cloud else result.stage_s(stage)


def _run(run: Run) -> dict[str, Any]:
    return {
        "wall_s": run.usage.wall_s,
        "cpu_s": run.usage.cpu_s,
        "peak_bytes": run.usage.peak_bytes,
        "stages_s": {stage.value: seconds for stage, seconds in run.spent_s.items()},
        "load": run.load,
    }


def _median(values: Iterable[float | None]) -> float | None:
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    (low, high) = (known[(len(known) - 1) // 2], known[len(known) // 2])
    return low if low == high else (low + high) / 2


def _break_even(sitting: Sitting, found: BreakEven) -> dict[str, Any]:
    return {
        "backend": None if found.backend is None else found.backend.value,
        "sentence": in_a_sentence(found, sitting),
        "uplink_bytes_s": {str(length): found.uplink_bytes_s(length) for length in LENGTHS_S},
    }
