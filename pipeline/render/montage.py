"""An edit becomes a verified file on this machine."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from avpipe.codecs import encoders
from avpipe.codecs.ffmpeg import Ffmpeg, find
from avpipe.codecs.typefaces import choose_fonts
from avpipe.montage.summary import one_line
from avpipe.montage.values import Clip, Montage, TrackKind
from avpipe.recipe import Quality
from avpipe.render.local import usable_cores
from avpipe.render.scene import render_scene
from avpipe.render.splice import SplicePlan, plan_splice
from avpipe.scene import Scene
from avpipe.settings import Settings
from avpipe.updates import Check, Note, Progress


def render_montage(
    montage: Montage, scene: Scene, output: Path, settings: Settings, *, overwrite: bool
) -> Generator[Note | Progress, None, tuple[Check, ...]]:
    """Render an edit that was made a scene; gives the checks when the output has its name.

    Raises RequestError where a font cannot be used, RenderError or OutputExistsError; then nothing
    new stands under the output's name.
    """
    ffmpeg = find(settings.ffmpeg)
    yield from timeline_notes(montage)
    scene = _with_encoder(scene, ffmpeg, settings)
    splice = plan_splice(scene)
    if splice is not None:
        yield _splice_note(scene, splice)
    workers = usable_cores(settings.jobs)
    steps = render_scene(scene, output, ffmpeg, workers=workers, overwrite=overwrite, splice=splice)
    with closing(steps):
        return (yield from steps)


def timeline_notes(montage: Montage) -> tuple[Note, ...]:
    """What a user should know of an edit before it is rendered: missing glyphs, unknown tracks.

    Raises RequestError where a font file cannot be used.
    """
    clips = [clip for track in montage.of(TrackKind.TEXT) for clip in track.clips]
    notes = [note for clip in clips for note in _text_notes(clip)]
    unknown = sum(1 for track in montage.of(TrackKind.OTHER) if track.clips)
    if unknown:
        said = f"{unknown} track{'s' if unknown > 1 else ''} of a kind that is not known here"
        notes.append(Note(code="unknown_track", message=f"{said}: left out"))
    return tuple(notes)


def _text_notes(clip: Clip) -> Generator[Note]:
    fonts = choose_fonts(clip.name, clip.style)
    named = f"the text '{one_line(clip.name)}'"
    if fonts.replaced is not None:
        message = f"{named}: the font {fonts.replaced} is not installed; another is used"
        yield Note(code="missing_font", message=message)
    if fonts.missing:
        characters = " ".join(f"{one} (U+{ord(one):04X})" for one in fonts.missing[:10])
        message = f"{named}: no font here has {characters}; left out"
        yield Note(code="missing_glyph", message=message)


def _with_encoder(scene: Scene, ffmpeg: Ffmpeg, settings: Settings) -> Scene:
    """With the best encoder that works here for the quality."""
    if scene.quality is Quality.HIGH:
        return scene
    found = encoders.working_hardware(ffmpeg, settings.state_dir, only=settings.encoder)
    return replace(scene, encoder=found[0]) if found else scene


def _splice_note(scene: Scene, splice: SplicePlan) -> Note:
    """Which frames are encoded."""
    runs = [run for run in splice.runs if run.source_first is None]
    spans = ", ".join(f"{run.first}-{run.end - 1}" for run in runs[:5])
    more = f" and {len(runs) - 5} more stretches" if len(runs) > 5 else ""
    told = f"frames {spans}{more}" if runs else "no frames"
    copied = "the others are copied" if splice.sound is None else "all else is copied"
    message = f"{told} of {scene.frames} are encoded, {copied}"
    return Note(code="smart_render", message=message)
