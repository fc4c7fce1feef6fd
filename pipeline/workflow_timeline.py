"""An edit becomes a verified file on this machine, as a stream of updates."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from avpipe.alignment import align_paths
from avpipe.codecs import isolate
from avpipe.codecs.ffmpeg import find
from avpipe.edits.files import session_file
from avpipe.edits.merging import merge as merge_edit
from avpipe.edits.merging import merged_files
from avpipe.edits.placing import longest_sound, move_sound
from avpipe.edits.values import FileRef, Merge
from avpipe.errors import RequestError
from avpipe.files import require_files, require_output
from avpipe.media import Alignment, MediaInfo
from avpipe.montage.values import Clip, Montage, TrackKind
from avpipe.plan.edit import EditPlan
from avpipe.plan.plain import merge_by_content, plain_merge
from avpipe.plan.request import Request
from avpipe.plan.scene import make_scene
from avpipe.plan.supported import require_supported
from avpipe.plan.values import Plan
from avpipe.recipe import Method, Quality
from avpipe.render.montage import plan_montage, render_montage
from avpipe.render.own_sound import with_own_sounds
from avpipe.render.scene import COPIED_SOUND
from avpipe.render.workspace import workspace
from avpipe.scene import Scene
from avpipe.settings import Settings
from avpipe.updates import (
    Check,
    Compressed,
    Done,
    OutputFacts,
    Progress,
    Started,
    Update,
    result_of,
)
from avpipe.workflow import NOTHING_KNOWN, Known, merge, plan_merge

SAME_S = Fraction(1, 96_000)
"""Half a sample: times that differ by less are the same."""


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
    yield _started(montage, files, output)
    wanted = _Wanted(output=output, quality=quality, resolution=resolution)
    merged = yield from _merge_of(montage, files, wanted, settings)
    if merged is not None:
        (request, known) = merged
        with closing(merge(request, settings, overwrite=overwrite, known=known)) as updates:
            yield from (update for update in updates if not isinstance(update, Started))
        return
    montage = with_own_sounds(montage, files, find(settings.ffmpeg))
    scene = make_scene(montage, files, quality=quality, resolution=resolution)
    if montage.max_bytes is None:
        steps = render_montage(montage, scene, Path(output), settings, overwrite=overwrite)
        with closing(steps):
            checks = yield from steps
        facts = _facts(scene, output)
    else:
        (facts, checks) = yield from _rendered_under(
            montage.max_bytes, montage, scene, output, settings, overwrite=overwrite
        )
    done = Done.of_edit(facts, checks, route="local", elapsed_s=time.monotonic() - began)
    copied = any(check.name == COPIED_SOUND for check in checks)
    yield replace(done, audio="copy") if copied else done


def _rendered_under(
    max_bytes: int,
    montage: Montage,
    scene: Scene,
    output: str,
    settings: Settings,
    *,
    overwrite: bool,
) -> Generator[Update, None, tuple[OutputFacts, tuple[Check, ...]]]:
    """Render an edit as good as can be, and bring that under a size; its facts and checks.

    Raises DoesNotFitError with the smallest size that would do.
    """
    from avpipe.compress import compress  # only where it is asked for

    with workspace(Path(output)) as folder:
        whole = folder / "whole.mp4"
        scene = replace(scene, quality=Quality.HIGH)
        with closing(render_montage(montage, scene, whole, settings, overwrite=False)) as steps:
            checks = yield from steps
        request = Request(video=str(whole), audio=str(whole), output=output)
        with closing(compress(request, max_bytes, settings, overwrite=overwrite)) as updates:
            for update in updates:
                if isinstance(update, Compressed):
                    kept = checks if update.method == Method.COPY else ()
                    return update.output, (*kept, *update.checks)
                if not isinstance(update, Started):
                    yield update
    raise AssertionError("the last update is what came of it")


def plan_timeline(
    montage: Montage,
    sources: Mapping[str, str],
    output: str,
    settings: Settings,
    *,
    quality: Quality = Quality.STANDARD,
    resolution: str = "1080p",
) -> EditPlan | Plan:
    """What `render_timeline` would do; of an edit that is a plain merge the plan of that.

    Raises RequestError where the edit is wrong, MediaError where a file is.
    """
    files = _probed(montage, sources)
    scene = make_scene(montage, files, quality=quality, resolution=resolution)
    wanted = _Wanted(output=output, quality=quality, resolution=resolution)
    merged = result_of(_merge_of(montage, files, wanted, settings))
    if merged is not None:
        return plan_merge(merged[0], settings, known=merged[1])
    return plan_montage(montage, scene, output, settings)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Wanted:
    """What is to be made of an edit."""

    output: str
    quality: Quality
    resolution: str


def _merge_of(
    montage: Montage, files: Mapping[str, MediaInfo], wanted: _Wanted, settings: Settings
) -> Generator[Progress, None, tuple[Request, Known] | None]:
    """The merge that an edit is, and what is known of it; None where it is more than that.

    What was lined up by its content is listened to again: where that leads to the very same edit,
    it is that merge.
    """
    (output, quality, resolution) = (wanted.output, wanted.quality, wanted.resolution)
    listened = merge_by_content(montage, files, output, quality=quality, resolution=resolution)
    if listened is not None:
        heard = yield from align_paths(listened.video, listened.audio, settings)
        later = _moved_by(heard.alignment, montage, files)
        if later is not None:
            return replace(listened, later_s=float(later)), Known(found=(heard.alignment,))
    plain = plain_merge(montage, files, output, quality=quality, resolution=resolution)
    return None if plain is None else (plain, NOTHING_KNOWN)


def _moved_by(
    alignment: Alignment, montage: Montage, files: Mapping[str, MediaInfo]
) -> Fraction | None:
    """How much later a recording lies than where a merge by that alignment puts it, 0 mostly.

    None where the edit is something else than such a merge and a move by hand.
    """
    given = [session_file(source, info) for source, info in files.items()]
    alone = replace(montage, tracks=montage.of(TrackKind.VIDEO))
    shown = next(clip.source for track in alone.tracks for clip in track.clips)
    edit = Merge(files=tuple(FileRef(name=file.name) for file in given if file.source != shown))
    ((video,), sound) = merged_files(edit, alone, given)
    known = {(video.source, sound.source): alignment}
    (made, _) = merge_edit(alone, edit, given, known)
    later = _origin(montage, sound.source) - _origin(made, sound.source)
    if abs(later) < SAME_S:
        later = Fraction(0)
    else:
        length = longest_sound(files[sound.source])
        with suppress(RequestError):  # of a merge so moved nothing would be heard
            made = move_sound(made, sound.source, later, given, length=length, known=known)
    return later if _sounds_as(made, montage) else None


def _origin(montage: Montage, source: str) -> Fraction:
    """Where the first sample of a recording would be heard."""
    clips = (clip for track in montage.of(TrackKind.AUDIO) for clip in track.clips)
    first = next(clip for clip in clips if clip.source == source)
    return first.start - first.source_in / (first.speed * first.clock)


def _sounds_as(one: Montage, other: Montage) -> bool:
    """Whether two edits do the same with their sources: a draft has its times rounded."""
    (ours, theirs) = (_heard(one), _heard(other))
    return len(ours) == len(theirs) and all(map(_is_as, ours, theirs))


def _is_as(one: Clip, other: Clip) -> bool:
    pairs = zip(_times(one), _times(other), strict=True)
    near = all(abs(ours - theirs) < SAME_S for ours, theirs in pairs)
    return near and _without_times(one) == _without_times(other)


def _times(clip: Clip) -> tuple[Fraction, ...]:
    return clip.start, clip.source_in, clip.source_out


def _without_times(clip: Clip) -> Clip:
    nothing = Fraction(0)
    return replace(clip, start=nothing, source_in=nothing, source_out=nothing)


def _heard(montage: Montage) -> list[Clip]:
    """Every clip of the tracks, by what is done with its source alone."""
    tracks = [track for kind in (TrackKind.VIDEO, TrackKind.AUDIO) for track in montage.of(kind)]
    return [replace(clip, name="", kept=None) for track in tracks for clip in track.clips]


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
