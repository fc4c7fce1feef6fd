"""A scene becomes a verified file on this machine."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from avpipe.codecs import isolate
from avpipe.codecs.edit_list import end_tracks_at
from avpipe.codecs.ffmpeg import Ffmpeg, run_ffmpeg
from avpipe.codecs.graph import source_url
from avpipe.codecs.lettering import draw_text
from avpipe.codecs.measure import Measured
from avpipe.codecs.scene_graph import (
    SceneFiles,
    joined_arguments,
    meter_arguments,
    scene_arguments,
    sound_arguments,
)
from avpipe.errors import RenderError
from avpipe.render.checks import checks_of_scene, require_passed
from avpipe.render.local import DECODE_S
from avpipe.render.pace import paced
from avpipe.render.sound import SoundJob, encode_at
from avpipe.render.splice import SplicePlan, splice_picture
from avpipe.render.workspace import flushing, publish, require_space, told_when_full, workspace
from avpipe.scene import Scene
from avpipe.updates import Check, Progress

LEAST_BYTES_A_SECOND = 20_000
"""Of any output; with less room none is begun."""
COPIED_FRAMES, COPIED_SOUND = "copied_frames", "copied_sound"
"""The checks that tell what was not encoded."""


def render_scene(
    scene: Scene,
    output: Path,
    ffmpeg: Ffmpeg,
    *,
    workers: int,
    overwrite: bool,
    splice: SplicePlan | None = None,
) -> Generator[Progress, None, tuple[Check, ...]]:
    """Render a scene; gives the checks when the output has its name.

    With a plan to splice, the frames that nothing is changed of are copied, if that decodes well.
    Raises RenderError or OutputExistsError; then nothing new stands under the output's name.
    """
    require_space(output.parent, int(scene.duration * LEAST_BYTES_A_SECOND))
    with told_when_full(output.parent), workspace(output) as folder:
        made = folder / "output.mp4"
        (files, levels) = yield from _prepare(scene, ffmpeg, folder, workers)
        spliced = None
        if splice is not None:
            spliced = yield from splice_picture(scene, splice, files, ffmpeg, folder)
        if spliced is None:
            arguments = scene_arguments(scene, files, source_url(str(made)))
        else:
            sound = splice.sound if splice is not None else None
            if sound is None:
                made_sound = yield from _sound(scene, files, ffmpeg, folder, workers)
                files = replace(files, sound=made_sound)
            arguments = joined_arguments(scene, spliced, files, sound, source_url(str(made)))
        found = yield from _write(scene, arguments, ffmpeg, made)
        checks = (*checks_of_scene(scene, found), *levels, *_copied(scene, splice, spliced))
        require_passed(checks)
        yield Progress(stage="verify", done=1.0)
        publish(made, output, overwrite=overwrite)
    return checks


def files_of_pictures(
    scene: Scene, ffmpeg: Ffmpeg, folder: Path
) -> Generator[Progress, None, SceneFiles]:
    """What has to be made in a folder before the picture of a scene can be drawn."""
    (files, _) = yield from _prepare(replace(scene, loudness_lufs=None), ffmpeg, folder, 1)
    return files


def _prepare(
    scene: Scene, ffmpeg: Ffmpeg, folder: Path, workers: int
) -> Generator[Progress, None, tuple[SceneFiles, tuple[Check, ...]]]:
    """What the graph cannot do: pictures of any kind, letters, and a loudness."""
    used = {layer.source for layer in scene.pictures}
    pictures = {}
    for number, info in enumerate(scene.inputs):
        if number in used and info.picture is not None:
            pictures[number] = str(folder / f"picture-{number}.mov")
            isolate.draw_picture(info.path, pictures[number])
    size = (scene.width, scene.height)
    texts = tuple(
        draw_text(layer.text, layer.style, size, str(folder / f"text-{number}.png"))
        for number, layer in enumerate(scene.texts)
    )
    sound = None
    checks: tuple[Check, ...] = ()
    if scene.loudness_lufs is not None:
        sound = str(folder / "sound.m4a")
        job = _sound_job(scene, ffmpeg, sound, workers)
        checks = yield from encode_at(scene.loudness_lufs, meter_arguments(scene), job)
    return SceneFiles(pictures=pictures, texts=texts, sound=sound), checks


def _sound(
    scene: Scene, files: SceneFiles, ffmpeg: Ffmpeg, folder: Path, workers: int
) -> Generator[Progress, None, str]:
    """The encoded sound, made now where it is not there yet."""
    if files.sound is not None:
        return files.sound
    target = str(folder / "sound.m4a")
    yield from _sound_job(scene, ffmpeg, target, workers).encode()
    return target


def encode_sound(
    scene: Scene, ffmpeg: Ffmpeg, target: Path, *, workers: int
) -> Generator[Progress]:
    """The sound of a scene, at the level that it comes out with, in one AAC file.

    Raises ChildFailedError or StalledError.
    """
    yield from _sound_job(scene, ffmpeg, str(target), workers).encode()


def _sound_job(scene: Scene, ffmpeg: Ffmpeg, target: str, workers: int) -> SoundJob:
    return SoundJob(
        ffmpeg=ffmpeg,
        arguments=partial(sound_arguments, scene, "pipe:1"),
        target=target,
        workers=workers,
        duration_s=float(scene.duration),
    )


def _copied(scene: Scene, splice: SplicePlan | None, spliced: str | None) -> tuple[Check, ...]:
    """What was copied, where something could be."""
    if splice is None:
        return ()
    count = 0 if spliced is None else scene.frames - splice.encoded
    checks = (Check(name=COPIED_FRAMES, ok=True, value=count),)
    if spliced is None or splice.sound is None:
        return checks
    return (*checks, Check(name=COPIED_SOUND, ok=True, value=True))


def _write(
    scene: Scene, arguments: Sequence[str], ffmpeg: Ffmpeg, made: Path
) -> Generator[Progress, None, Measured]:
    """Make the file and measure it."""
    with isolate.ready_measurer(str(made), decode_s=DECODE_S) as measure:
        written = run_ffmpeg(ffmpeg, arguments, "making the video")
        yield from paced("video", float(scene.duration), written)
        if not made.is_file():
            raise RenderError(f"{ffmpeg.path} ended without an error and made nothing")
        end_tracks_at(str(made), scene.duration)
        yield Progress(stage="verify", done=0.0)
        with flushing(made):
            return measure()
