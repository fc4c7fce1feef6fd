"""How good a merged file is: its picture beside the source's, and its sound beside its picture."""

from __future__ import annotations

import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass

from avpipe.alignment import align_paths
from avpipe.codecs.ffmpeg import find
from avpipe.codecs.isolate import probe_files
from avpipe.codecs.process import run
from avpipe.listen.align import Heard
from avpipe.media import MediaInfo, Verdict
from avpipe.plan.showing import shown_in_plan
from avpipe.plan.values import Plan
from avpipe.render.likeness import picture_matches
from avpipe.settings import Settings
from avpipe.updates import Progress

MOST_S = 60
"""How much of a video is compared, from its start."""
_PATIENCE_S = 3600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Quality:
    """What was measured on one file; None where it cannot be told."""

    vmaf: float | None
    """From 0 to 100, the mean of the frames."""
    ssim: float | None
    """From 0 to 1."""
    sync_error_ms: float | None
    """How far the sound is from its picture at worst; positive where it is late."""


def judge(plan: Plan, made: str, settings: Settings) -> Quality:
    """Measure a file against the inputs of its plan, and not against what the plan says."""
    (vmaf, ssim) = _likeness(plan.inputs.video, made, settings)
    return Quality(vmaf=vmaf, ssim=ssim, sync_error_ms=_sync_error_ms(plan, made, settings))


def _likeness(
    source: MediaInfo, made: str, settings: Settings
) -> tuple[float | None, float | None]:
    """VMAF and SSIM at the source's size; of HDR, stills and an ffmpeg without libvmaf none."""
    ffmpeg = find(settings.ffmpeg)
    stream = source.video[0]
    if source.picture is not None or stream.hdr is not None:
        return None, None
    if "libvmaf" not in ffmpeg.filters():
        return None, None
    (width, height) = stream.upright_size
    same = f"scale={width}:{height}:flags=bicubic,setsar=1,format=yuv420p"
    same += ",settb=AVTB,setpts=PTS-STARTPTS"
    score = "libvmaf=log_fmt=json:n_threads=2:n_subsample=3:feature=name=float_ssim"
    score += ":log_path=/dev/stdout"
    graph = f"[0:v:0]{same}[a];[1:v:0]{same}[b];[a][b]{score}"
    argv = [ffmpeg.path, "-hide_banner", "-nostdin", "-v", "error"]
    for path in (made, source.path):
        argv += ["-t", str(MOST_S), "-i", f"file:{path}"]
    argv += ["-lavfi", graph, "-f", "null", "-"]
    printed = run(argv, "comparing the pictures", stall_s=_PATIENCE_S)
    pooled = json.loads(printed)["pooled_metrics"]
    return round(pooled["vmaf"]["mean"], 2), round(pooled["float_ssim"]["mean"], 5)


def _sync_error_ms(plan: Plan, made: str, settings: Settings) -> float | None:
    """The file's sound is laid beside the camera's own, and its picture beside the camera's."""
    camera = plan.inputs.video
    if not camera.audio:
        return None
    late_s = _sound_late_s(camera.path, made, settings)
    if not late_s:
        return None
    (info,) = probe_files([made])
    matches = picture_matches(shown_in_plan(plan), info, find(settings.ffmpeg))
    seen = [match.late_s for match in matches] or [0.0]
    return round(_worst(late_s, seen) * 1000, 3)


def _worst(heard: Sequence[float], seen: Sequence[float]) -> float:
    """How late the sound is beside its picture, where that is the most."""
    (late, early) = (max(heard) - min(seen), min(heard) - max(seen))
    return late if abs(late) >= abs(early) else early


def _sound_late_s(video: str, made: str, settings: Settings) -> tuple[float, ...]:
    """How late a file's sound is beside the camera's own, at each end of its pieces."""
    alignment = _heard(align_paths(video, made, settings)).alignment
    if alignment.verdict is not Verdict.MATCHED:
        return ()
    (info,) = probe_files([made])
    (picture, sound) = (info.video[0].start or 0, info.audio[0].start or 0)
    own_start = float(sound - picture)
    return tuple(
        own_start + at - piece.offset_s - at / (1 + piece.drift_ppm / 1e6)
        for piece in alignment.pieces
        for at in (piece.audio_start_s, piece.audio_end_s)
    )


def _heard(steps: Generator[Progress, None, Heard]) -> Heard:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            heard: Heard = end.value
            return heard
