"""A file, or a planned merge, brought under a size."""

from __future__ import annotations

import dataclasses
import math
import os
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from pathlib import Path

from avpipe import fit
from avpipe.codecs import isolate, samples
from avpipe.codecs.encoders import X264
from avpipe.codecs.ffmpeg import Ffmpeg, find
from avpipe.codecs.process import usable_cores
from avpipe.errors import DoesNotFitError
from avpipe.media import MediaInfo
from avpipe.plan.alone import plan_alone
from avpipe.plan.request import USUAL_RESOLUTION, Request, VideoMode
from avpipe.plan.values import Machine, Plan, Reason, Route, Step
from avpipe.recipe import Action, Method, Quality, SizeFit
from avpipe.render.alone import copy_file, is_mp4, render_sound
from avpipe.render.fitting import content_of, copied_sound_bytes
from avpipe.render.local import render
from avpipe.settings import Settings
from avpipe.updates import (
    Check,
    Compressed,
    Note,
    OutputFacts,
    Progress,
    Started,
    Update,
    result_of,
)

STAGE = "fit"
"""The stage in which samples are taken and encoded."""
TAKING_SHARE = 0.3
"""What taking the samples is of that stage."""
COPY_SAFETY = 1.005
"""How much more a copy may take than its streams tell."""

Again = Callable[[str | None], Plan]
"""Makes a plan again with its picture encoded on the CPU, within a resolution or as it was."""


def compress_file(
    source: str,
    target: Path,
    limit_bytes: int,
    settings: Settings,
    *,
    quality: Quality = Quality.STANDARD,
) -> Generator[Progress, None, Compressed]:
    """Make an MP4 of a file that is not over a size, replacing `target`; gives what came of it.

    What fits as it is, is copied. Raises DoesNotFitError with the smallest size that would do,
    MediaError or RenderError, and then leaves nothing behind.
    """
    request = Request(
        video=os.path.abspath(source),  # noqa: PTH100 - `resolve` would follow links
        audio=os.path.abspath(source),  # noqa: PTH100
        output=os.path.abspath(target),  # noqa: PTH100
        quality=quality,
    )
    with closing(compress(request, limit_bytes, settings, overwrite=True)) as updates:
        for update in updates:
            if isinstance(update, Progress):
                yield update
            elif isinstance(update, Compressed):
                return update
    raise AssertionError("the last update is what came of it")


def compress(
    request: Request, limit_bytes: int, settings: Settings, *, overwrite: bool
) -> Generator[Update]:
    """Bring the file that is both video and audio of a request under a size; last is `Compressed`.

    Errors as those of `compress_file`, and OutputExistsError.
    """
    began = time.monotonic()
    yield Started(video=request.video, audio=request.audio, output=request.output)
    plan = yield from plan_steps(request, limit_bytes, settings)
    yield from _carried_out(plan, settings, began, overwrite=overwrite)


def plan_compress(request: Request, limit_bytes: int, settings: Settings) -> Plan:
    """What `compress` would do. Errors as those of `compress_file`."""
    return result_of(plan_steps(request, limit_bytes, settings))


def plan_steps(
    request: Request, limit_bytes: int, settings: Settings
) -> Generator[Progress, None, Plan]:
    """The plan of `compress`, and on the way how far the samples are."""
    (info,) = isolate.probe_files([request.video])
    return (yield from _alone_steps(request, info, limit_bytes, settings))


def picture_steps(
    info: MediaInfo, limit_bytes: int, settings: Settings, *, resolution: str
) -> Generator[Progress, None, Plan]:
    """The plan of an MP4 of a video's picture alone, under a size, and how far its samples are.

    It begins with the first frame and ends with the last. Errors as those of `compress_file`.
    """
    name = f"{Path(info.path).stem}.mp4"
    request = Request(video=info.path, audio=info.path, output=name, resolution=resolution)
    silent = dataclasses.replace(info, audio=(), subtitles=())
    return (yield from _alone_steps(request, silent, limit_bytes, settings))


def _alone_steps(
    request: Request, info: MediaInfo, limit_bytes: int, settings: Settings
) -> Generator[Progress, None, Plan]:
    machine = Machine(cores=usable_cores(settings.jobs))
    base = plan_alone(request, info, machine)
    small = (info.size_bytes or math.inf) <= limit_bytes
    if small and is_mp4(info) and not _is_wanted_smaller(base, request):
        return _as_it_is(base, limit_bytes)

    def again(resolution: str | None) -> Plan:
        wanted = dataclasses.replace(request, video_mode=VideoMode.ENCODE)
        if resolution is not None:
            wanted = dataclasses.replace(wanted, resolution=resolution)
        return plan_alone(wanted, info, machine)

    return (yield from fit_plan(base, limit_bytes, again, find(settings.ffmpeg), machine.cores))


def fit_plan(
    plan: Plan, limit_bytes: int, again: Again, ffmpeg: Ffmpeg, cores: int
) -> Generator[Progress, None, Plan]:
    """A plan whose output stays under a size: as it is where it fits, else with another picture.

    Raises DoesNotFitError with the smallest size that would do; whatever `again` raises.
    """
    copied = _copied(plan, limit_bytes)
    if copied is not None:
        return copied
    if not plan.recipe.has_picture:
        return _sound_alone(plan, limit_bytes)
    whole = again(None)
    content = content_of(whole)
    budget = fit.share_out(content, limit_bytes)
    if budget.sound_rate == fit.ROOMY_SOUND_RATE and _hears_speech_alone(whole, ffmpeg):
        content = dataclasses.replace(content, speech=True)
        budget = fit.share_out(content, limit_bytes)
    whole = _with_sound(whole, budget)
    if content.still or whole.inputs.video.picture is not None:
        return _finished(whole, content, budget, _unseen(whole, budget))
    choice = yield from _sampled(whole, content, budget, ffmpeg, cores)
    if choice.size != (content.width, content.height):
        smaller = again(f"{choice.size[0]}x{choice.size[1]}")
        whole = dataclasses.replace(smaller, audio=whole.audio)
    return _finished(whole, content, budget, choice)


def _hears_speech_alone(plan: Plan, ffmpeg: Ffmpeg) -> bool:
    from avpipe.listen.speech import hears_speech_alone  # NumPy, and only where bits are scarce

    return hears_speech_alone(plan.recipe, ffmpeg)


def _is_wanted_smaller(plan: Plan, request: Request) -> bool:
    """Whether a smaller picture was asked for than the file has."""
    larger = any(reason.code == "encode_size" for reason in plan.reasons)
    return larger and request.resolution != USUAL_RESOLUTION


def _as_it_is(plan: Plan, limit_bytes: int) -> Plan:
    """The plan of a file that is under the size already, and an MP4."""
    size_bytes = plan.inputs.video.size_bytes or 0
    (width, height) = (0, 0)
    if plan.inputs.video.video:
        (width, height) = plan.inputs.video.video[0].upright_size
    why = f"it fits already: {_in_mb(size_bytes)} of {_in_mb(limit_bytes)}"
    (step, *rest) = plan.steps
    return dataclasses.replace(
        plan,
        video=Action.COPY,
        audio=Action.COPY,
        encode=None,
        fit=_copy_fit(plan, limit_bytes, size_bytes),
        steps=(dataclasses.replace(step, why=why, estimate_s=round(size_bytes / 4e8, 2)), *rest),
        reasons=(Reason(code="fits", message=why),),
        output=dataclasses.replace(
            plan.output, width=width, height=height, estimated_bytes=size_bytes
        ),
    )


def _copied(plan: Plan, limit_bytes: int) -> Plan | None:
    """The plan with its picture copied, and sound beside it; None where that does not fit."""
    if plan.video is not Action.COPY:
        return None
    content = content_of(plan)
    fixed = fit.container_bytes(content) + _picture_bytes(plan)
    if plan.audio is Action.COPY:
        whole = math.ceil((fixed + copied_sound_bytes(plan)) * COPY_SAFETY)
        if whole <= limit_bytes:
            return _planned(plan, _copy_fit(plan, limit_bytes, whole), "it fits as it is")
    if not plan.recipe.has_picture:
        return None
    rate = fit.sound_within(content, math.floor(limit_bytes / COPY_SAFETY) - fixed)
    if rate is None:
        return None
    found = _copy_fit(plan, limit_bytes, fixed + fit.sound_bytes(content, rate), rate)
    encoded = dataclasses.replace(plan, audio=Action.ENCODE)
    words = f"its picture fits as it is, with sound of {rate // 1000} kbit/s"
    return _planned(encoded, found, words)


def _picture_bytes(plan: Plan) -> int:
    """What the plan's copied picture takes; all of its file where that is not told."""
    info = plan.inputs.video
    if not plan.recipe.has_picture:
        return 0
    picture = info.video[0]
    if picture.bit_rate is None or picture.duration is None:
        return info.size_bytes or 0
    return math.ceil(picture.bit_rate * picture.duration / 8)


def _sound_alone(plan: Plan, limit_bytes: int) -> Plan:
    """The plan of sound that is encoded to fit."""
    content = content_of(plan)
    rate = fit.share_out(content, limit_bytes).sound_rate
    predicted = fit.container_bytes(content) + fit.sound_bytes(content, rate)
    found = SizeFit(
        limit_bytes=limit_bytes,
        method=Method.TWO_PASS,
        sound_rate=rate,
        crf=None,
        predicted_bytes=min(limit_bytes, predicted),
        predicted_vmaf=None,
    )
    encoded = dataclasses.replace(plan, audio=Action.ENCODE)
    return _planned(encoded, found, f"sound of {rate / 1000:.0f} kbit/s")


def _with_sound(plan: Plan, budget: fit.Budget) -> Plan:
    """The plan with its sound encoded where it takes more than its share as it is."""
    if plan.audio is Action.ENCODE or not plan.recipe.audio_tracks:
        return plan
    share = plan.recipe.audio_tracks * plan.timeline.duration * budget.sound_rate / 8
    if copied_sound_bytes(plan) <= share * fit.SAME_SOUND:
        return plan
    return dataclasses.replace(plan, audio=Action.ENCODE)


def _unseen(plan: Plan, budget: fit.Budget) -> fit.Choice:
    """What becomes of a drawn picture, which has no samples: its quality, if that fits."""
    shown_s = float(plan.timeline.duration)
    pixels = plan.timeline.width * plan.timeline.height
    guess = int(pixels * fit.STILL_BITS_A_PIXEL / 8 * (1 + shown_s / fit.KEY_FRAMES_S))
    return fit.Choice(
        method=Method.CRF,
        size=(plan.timeline.width, plan.timeline.height),
        crf=_wanted_crf(plan),
        picture_bytes=min(guess, int(budget.picture_bytes / fit.SAFETY)),
        vmaf=None,
    )


def _sampled(
    plan: Plan, content: fit.Content, budget: fit.Budget, ffmpeg: Ffmpeg, cores: int
) -> Generator[Progress, None, fit.Choice]:
    """What becomes of the picture, by samples of it."""
    part = plan.timeline.video
    windows = fit.sample_windows(part.source_out - part.source_in)
    moved = [(start + float(part.source_in), length) for start, length in windows]
    yield Progress(stage=STAGE, done=0.0)
    with tempfile.TemporaryDirectory(prefix="avpipe-samples-") as folder:
        taken = None
        for step in samples.take_samples(ffmpeg, plan.recipe, moved, Path(folder)):
            if isinstance(step, int):
                yield Progress(stage=STAGE, done=round(TAKING_SHARE * step / len(moved), 3))
            else:
                taken = step
        if taken is None:
            raise AssertionError("the last step is the samples")
        seconds = sum(length for _, length in windows)
        bench = _Bench(ffmpeg, taken, seconds, len(windows), cores)
        choice = yield from bench.choose(content, budget, _wanted_crf(plan))
    yield Progress(stage=STAGE, done=1.0)
    return choice


class _Bench:
    """Where samples are encoded and compared."""

    def __init__(
        self, ffmpeg: Ffmpeg, taken: samples.Samples, seconds: float, windows: int, cores: int
    ) -> None:
        self._ffmpeg = ffmpeg
        self._taken = taken
        self._seconds = seconds
        self._windows = windows
        self._cores = cores
        self._made: dict[tuple[tuple[int, int], float], samples.EncodedSamples] = {}

    def choose(
        self, content: fit.Content, budget: fit.Budget, wanted_crf: float
    ) -> Generator[Progress, None, fit.Choice]:
        """Carry out the trials of a choice."""
        sees = samples.VMAF in self._ffmpeg.filters()
        trials = fit.choose_picture(content, budget, wanted_crf, sees=sees)
        left = 1 - TAKING_SHARE
        try:
            trial = next(trials)
            while True:
                sampled = self._carry_out(trial)
                left *= 0.6  # how many there will be is not known
                yield Progress(stage=STAGE, done=round(1 - left, 3))
                trial = trials.send(sampled)
        except StopIteration as end:
            choice: fit.Choice = end.value
            return choice

    def _carry_out(self, trial: fit.Trial) -> fit.Sampled:
        key = (trial.size, trial.crf)
        if key not in self._made:
            self._made[key] = samples.encode_samples(self._ffmpeg, self._taken, *key)
        made = self._made[key]
        vmaf = None
        if trial.compared and made.frames:
            vmaf = samples.compare_samples(self._ffmpeg, self._taken, made, threads=self._cores)
        return fit.Sampled(
            seconds=self._seconds,
            windows=self._windows,
            key_frames=made.key_frames,
            key_bytes=made.key_bytes,
            other_bytes=made.other_bytes,
            vmaf=vmaf,
        )


def _wanted_crf(plan: Plan) -> float:
    """What an encode of the plan's quality has without a limit."""
    quality = plan.encode.quality if plan.encode else Quality.STANDARD
    return float(X264.options[quality]["crf"])


def _finished(plan: Plan, content: fit.Content, budget: fit.Budget, choice: fit.Choice) -> Plan:
    rate = budget.sound_rate
    if choice.method is Method.CRF:
        rate = fit.sound_beside(content, budget, choice.picture_bytes)
    sound = (
        copied_sound_bytes(plan) if plan.audio is Action.COPY else fit.sound_bytes(content, rate)
    )
    predicted = budget.container_bytes + choice.picture_bytes + sound
    found = SizeFit(
        limit_bytes=budget.limit_bytes,
        method=choice.method,
        sound_rate=rate,
        crf=choice.crf,
        first_crf=choice.crf if choice.steady else None,
        predicted_bytes=min(predicted, budget.limit_bytes),
        predicted_vmaf=None if choice.vmaf is None else round(choice.vmaf, 1),
    )
    passes = "one pass" if choice.method is Method.CRF else "two passes"
    words = [f"{passes} at {plan.timeline.width}x{plan.timeline.height}", f"CRF {choice.crf:.0f}"]
    if found.predicted_vmaf is not None:
        words.append(f"VMAF about {found.predicted_vmaf:.0f}")
    return _planned(plan, found, ", ".join(words))


def _planned(plan: Plan, found: SizeFit, words: str) -> Plan:
    """The plan with what holds it under its size, in its steps, reasons and estimates."""
    why = f"to stay under {_in_mb(found.limit_bytes)}: {words}"
    kept = tuple(reason for reason in plan.reasons if reason.code != "encode_asked")
    fitted = dataclasses.replace(
        plan,
        fit=found,
        reasons=(*kept, Reason(code=f"fit_{found.method}", message=why)),
        output=dataclasses.replace(plan.output, estimated_bytes=found.predicted_bytes),
    )
    if plan.route is Route.CLOUD:  # what is made here is what becomes of it without the cloud
        return dataclasses.replace(fitted, fallback=_fitted_steps(plan.fallback, found, why))
    return dataclasses.replace(fitted, steps=_fitted_steps(plan.steps, found, why))


def _fitted_steps(steps: Sequence[Step], found: SizeFit, why: str) -> tuple[Step, ...]:
    """The steps with what holds the file that the first of them makes under its size."""
    if not steps:
        return ()
    (step, *rest) = steps
    passes = 1.5 if found.method is Method.TWO_PASS else 1.0
    estimate_s = round(step.estimate_s * passes, 2)
    return (dataclasses.replace(step, why=f"{step.why}; {why}", estimate_s=estimate_s), *rest)


def _copy_fit(
    plan: Plan, limit_bytes: int, predicted_bytes: int, sound_rate: int | None = None
) -> SizeFit:
    return SizeFit(
        limit_bytes=limit_bytes,
        method=Method.COPY,
        sound_rate=sound_rate or plan.recipe.audio_bit_rate,
        crf=None,
        predicted_bytes=predicted_bytes,
        predicted_vmaf=None,
    )


def _carried_out(
    plan: Plan, settings: Settings, began: float, *, overwrite: bool
) -> Generator[Update]:
    for reason in plan.reasons:
        if reason.note:
            yield Note(code=reason.code, message=reason.message)
    checks: tuple[Check, ...] = ()
    with closing(execute(plan, settings, overwrite=overwrite)) as updates:
        for update in updates:
            if isinstance(update, Progress):
                yield update
            else:
                checks = update
    yield _done(plan, checks, time.monotonic() - began)


def execute(
    plan: Plan, settings: Settings, *, overwrite: bool
) -> Generator[Progress | tuple[Check, ...]]:
    """Make the file of a plan; yields its progress and, when it has its name, the checks.

    Raises RenderError or OutputExistsError; then nothing new stands under the output's name.
    """
    if any(reason.code == "fits" for reason in plan.reasons):
        return copy_file(plan, overwrite=overwrite)
    (ffmpeg, workers) = (find(settings.ffmpeg), usable_cores(settings.jobs))
    if not plan.recipe.has_picture:
        return render_sound(plan, ffmpeg, workers=workers, overwrite=overwrite)
    return render(plan, ffmpeg, workers=workers, overwrite=overwrite)


def _done(plan: Plan, checks: tuple[Check, ...], elapsed_s: float) -> Compressed:
    found = plan.fit
    if found is None:
        raise DoesNotFitError("nothing holds this plan under a size", least_bytes=0)
    told = {check.name: check.value for check in checks}
    return Compressed(
        output=OutputFacts(
            path=plan.output.path,
            size_bytes=Path(plan.output.path).stat().st_size,
            duration_s=plan.output.duration_s,
            width=plan.output.width,
            height=plan.output.height,
        ),
        limit_bytes=found.limit_bytes,
        method=str(told.get("method", found.method.value)),
        predicted_bytes=found.predicted_bytes,
        checks=checks,
        elapsed_s=round(elapsed_s, 3),
    )


def _in_mb(size_bytes: int) -> str:
    return f"{size_bytes / 1e6:.2f} MB"
