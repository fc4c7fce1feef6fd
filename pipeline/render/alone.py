"""A file that is copied as it is, and one that has no picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Generator
from pathlib import Path

from avpipe import fit
from avpipe.codecs import graph, isolate
from avpipe.codecs.ffmpeg import Ffmpeg, run_ffmpeg
from avpipe.errors import OverLimitError
from avpipe.media import MediaInfo
from avpipe.plan.values import Plan
from avpipe.recipe import AUDIO_RATE, Action, SizeFit
from avpipe.render.checks import checks_of_sound, require_passed
from avpipe.render.fitting import content_of
from avpipe.render.pace import paced
from avpipe.render.workspace import flushing, publish, require_space, workspace
from avpipe.updates import Check, Progress

MP4_NAMES = (".mp4", ".m4v", ".m4a")
BLOCK_BYTES = 16 << 20
MOST_TRIES = 3
DECODE_S = 5.0
"""How much of the sound is decoded when the output is verified."""


def is_mp4(info: MediaInfo) -> bool:
    """Whether a file is an MP4 already, by its content and its name."""
    return info.container == "mov" and Path(info.path).suffix.lower() in MP4_NAMES


def copy_file(plan: Plan, *, overwrite: bool) -> Generator[Progress | tuple[Check, ...]]:
    """Copy a plan's file as it is; yields progress and, last, the checks. Raises RenderError."""
    (source, output) = (Path(plan.inputs.video.path), Path(plan.output.path))
    size_bytes = source.stat().st_size
    require_space(output.parent, size_bytes)
    with workspace(output) as folder:
        made = folder / "output.mp4"
        with source.open("rb") as reading, made.open("wb") as writing:
            while block := reading.read(BLOCK_BYTES):
                writing.write(block)
                yield Progress(stage="video", done=round(writing.tell() / max(1, size_bytes), 4))
        checks = _sized(plan, made)
        require_passed(checks)
        publish(made, output, overwrite=overwrite)
    yield checks


def render_sound(
    plan: Plan, ffmpeg: Ffmpeg, *, workers: int, overwrite: bool
) -> Generator[Progress | tuple[Check, ...]]:
    """Make an MP4 of a plan that has no picture; yields progress and, last, the checks.

    Raises RenderError or OutputExistsError; then nothing new stands under the output's name.
    """
    output = Path(plan.output.path)
    require_space(output.parent, int(plan.output.estimated_bytes * 0.9))
    with workspace(output) as folder:
        made = folder / "output.mp4"
        yield from _write(plan, ffmpeg, folder, made, workers)
        yield Progress(stage="verify", done=0.0)
        with flushing(made):
            found = isolate.measure_file(str(made), decode_s=DECODE_S)
        checks = (*checks_of_sound(plan, found), *_sized(plan, made))
        require_passed(checks)
        yield Progress(stage="verify", done=1.0)
        publish(made, output, overwrite=overwrite)
    yield checks


def _write(
    plan: Plan, ffmpeg: Ffmpeg, folder: Path, made: Path, workers: int
) -> Generator[Progress]:
    """Make the file, again where it is too large or wastes its size."""
    if plan.audio is Action.COPY or plan.fit is None:
        _join(plan, ffmpeg, (), made)
        return
    (found, tracks) = (plan.fit, len(plan.timeline.audio_tracks))
    for number in range(MOST_TRIES):
        stage = "audio" if number == 0 else "correct"
        yield from _encode(plan, found, ffmpeg, folder, workers, stage)
        _join(plan, ffmpeg, tuple(_track(folder, track) for track in range(tracks)), made)
        better = _better_rate(plan, found, made.stat().st_size)
        if better is None or (number > 0 and made.stat().st_size <= found.limit_bytes):
            return
        found = dataclasses.replace(found, sound_rate=better)
    raise OverLimitError(f"the sound could not be held under {found.limit_bytes} bytes")


def _encode(
    plan: Plan, found: SizeFit, ffmpeg: Ffmpeg, folder: Path, workers: int, stage: str
) -> Generator[Progress]:
    for track in range(len(plan.timeline.audio_tracks)):
        samples = isolate.encode_audio(
            ffmpeg,
            graph.audio_arguments(plan.recipe, track, "pipe:1"),
            _track(folder, track),
            workers=workers,
            bit_rate=found.sound_rate,
        )
        yield from paced(stage, plan.output.duration_s, (done / AUDIO_RATE for done in samples))


def _better_rate(plan: Plan, found: SizeFit, made: int) -> int | None:
    """The rate of another try; None where the size is right, or the sound has all it needs."""
    content = content_of(plan)
    asked = fit.sound_bytes(content, found.sound_rate)
    wanted = fit.next_bytes(asked, made, found.limit_bytes)
    if wanted is None:
        return None
    rate = min(fit.SOUND_RATES[0], found.sound_rate * wanted // max(1, asked))
    return None if rate == found.sound_rate else rate


def _track(folder: Path, number: int) -> str:
    return str(folder / f"audio-{number}.m4a")


def _join(plan: Plan, ffmpeg: Ffmpeg, tracks: tuple[str, ...], made: Path) -> None:
    arguments = graph.sound_file_arguments(plan.recipe, tracks, str(made))
    list(run_ffmpeg(ffmpeg, arguments, "writing the sound"))


def _sized(plan: Plan, made: Path) -> tuple[Check, ...]:
    size_bytes = made.stat().st_size
    ok = plan.fit is None or size_bytes <= plan.fit.limit_bytes
    return (Check(name="size_bytes", ok=ok, value=size_bytes),)
