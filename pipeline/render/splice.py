"""The picture of an edit with only those frames encoded that it changes; the others are copied."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from avpipe.codecs import isolate
from avpipe.codecs.ffmpeg import Ffmpeg, run_ffmpeg
from avpipe.codecs.graph import source_url
from avpipe.codecs.scene_graph import SceneFiles, stretch_arguments
from avpipe.codecs.stretches import Stretch
from avpipe.errors import ChildFailedError
from avpipe.plan.splice import FrameRun, copied_sound, frame_runs, splice_source
from avpipe.recipe import Action
from avpipe.scene import Scene, SoundLayer, window
from avpipe.updates import Progress


@dataclass(frozen=True, kw_only=True, slots=True)
class SplicePlan:
    """What is copied of which input, and which frames are encoded."""

    source: int
    runs: tuple[FrameRun, ...]
    parameter_id: int
    sound: SoundLayer | None
    """What is copied of the sound; None where that is encoded."""

    @property
    def audio(self) -> Action:
        """Whether the sound is copied or encoded."""
        return Action.ENCODE if self.sound is None else Action.COPY

    @property
    def encoded(self) -> int:
        """How many frames are encoded."""
        return sum(run.count for run in self.runs if run.source_first is None)


def plan_splice(scene: Scene) -> SplicePlan | None:
    """How parts of the picture are copied; None where the whole is to be encoded.

    Raises ChildFailedError where the file cannot be read.
    """
    source = splice_source(scene)
    if source is None:
        return None
    video = scene.inputs[source].video[0]
    start = video.start or Fraction(0)
    found = isolate.index_frames(scene.inputs[source].path, video.index, scene.frame_rate, start)
    if not found.steady or found.parameter_id is None:
        return None
    runs = frame_runs(scene, found.key_frames)
    if all(run.source_first is None for run in runs):
        return None
    return SplicePlan(
        source=source, runs=runs, parameter_id=found.parameter_id, sound=copied_sound(scene)
    )


def splice_picture(
    scene: Scene, plan: SplicePlan, files: SceneFiles, ffmpeg: Ffmpeg, folder: Path
) -> Generator[Progress, None, str | None]:
    """Make the picture; None where its joints do not decode to what their sides are.

    Raises ChildFailedError or StalledError where an encode fails.
    """
    stretches = []
    done = 0
    for number, run in enumerate(plan.runs):
        if run.source_first is not None:
            info = scene.inputs[plan.source]
            stretches.append(_stretch(info.path, info.video[0].index, run.source_first, run))
            continue
        target = str(folder / f"stretch-{number}.mp4")
        part = window(scene, run.first, run.count)
        arguments = stretch_arguments(part, files, plan.parameter_id, source_url(target))
        for seconds in run_ffmpeg(ffmpeg, arguments, "encoding what the edit changes"):
            frames = done + min(run.count, seconds * float(scene.frame_rate))
            yield Progress(stage="video", done=min(1.0, frames / plan.encoded))
        done += run.count
        stretches.append(_stretch(target, 0, 0, run))
    joined = str(folder / "joined.mp4")
    try:
        damaged = isolate.splice(stretches, scene.frame_rate, joined)
    except ChildFailedError:
        return None  # what does not go together is encoded as a whole
    return None if damaged else joined


def _stretch(path: str, stream: int, first: int, run: FrameRun) -> Stretch:
    return Stretch(path=path, stream=stream, first=first, count=run.count)
