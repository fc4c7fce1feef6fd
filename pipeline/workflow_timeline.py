"""An edit becomes a verified file on this machine, as a stream of updates."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Mapping
from contextlib import closing
from pathlib import Path

from avpipe.codecs import isolate
from avpipe.files import require_files, require_output
from avpipe.media import MediaInfo
from avpipe.montage.values import Montage, TrackKind
from avpipe.plan.plain import plain_merge
from avpipe.plan.scene import make_scene
from avpipe.plan.supported import require_supported
from avpipe.recipe import Quality
from avpipe.render.montage import render_montage
from avpipe.scene import Scene
from avpipe.settings import Settings
from avpipe.updates import Done, OutputFacts, Started, Update
from avpipe.workflow import merge


def render_timeline(
    montage: Montage,
    sources: Mapping[str, str],
    output: str,
    settings: Settings,
    *,
    overwrite: bool = False,
    quality: Quality = Quality.STANDARD,
    resolution: str = "1080p",
) -> Generator[Update]:
    """Render an edit into `output`; the last update is `Done`.

    `sources` has the absolute path of each source of the edit, by the id that its clips name.
    Raises RequestError where the edit or the output is wrong, MediaError where a file is,
    RenderError where the work fails; then nothing new stands under the output's name.
    """
    began = time.monotonic()
    files = _probed(montage, sources)
    require_output(Path(output), [info.path for info in files.values()], overwrite=overwrite)
    scene = make_scene(montage, files, quality=quality, resolution=resolution)
    merged = plain_merge(montage, files, output, quality=quality, resolution=resolution)
    if merged is not None:
        yield from merge(merged, settings, overwrite=overwrite)
        return
    yield _started(montage, files, output)
    steps = render_montage(montage, scene, Path(output), settings, overwrite=overwrite)
    with closing(steps):
        checks = yield from steps
    facts = _facts(scene, output)
    yield Done.of_edit(facts, checks, route="local", elapsed_s=time.monotonic() - began)


def _probed(montage: Montage, sources: Mapping[str, str]) -> dict[str, MediaInfo]:
    """The facts of every file that the edit uses, by its id."""
    paths = {source: sources[source] for source in montage.sources if source in sources}
    require_files(list(paths.values()))
    files = dict(zip(paths, isolate.probe_files(list(paths.values())), strict=True))
    for info in files.values():
        require_supported(info)
    return files


def _started(montage: Montage, files: Mapping[str, MediaInfo], output: str) -> Started:
    def first(kind: TrackKind) -> str | None:
        clips = (clip for track in montage.of(kind) for clip in track.clips)
        return next((files[str(c.source)].path for c in clips if c.source in files), None)

    return Started(video=first(TrackKind.VIDEO), audio=first(TrackKind.AUDIO), output=output)


def _facts(scene: Scene, output: str) -> OutputFacts:
    return OutputFacts(
        path=output,
        size_bytes=os.stat(output).st_size,  # noqa: PTH116
        duration_s=float(scene.duration),
        width=scene.width,
        height=scene.height,
    )
