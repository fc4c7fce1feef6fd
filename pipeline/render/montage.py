"""An edit becomes a verified file on this machine."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from avpipe.codecs import encoders
from avpipe.codecs.ffmpeg import Ffmpeg, find
from avpipe.codecs.process import usable_cores
from avpipe.codecs.typefaces import choose_fonts
from avpipe.montage.summary import one_line, size, summarise
from avpipe.montage.values import Clip, Montage, TrackKind
from avpipe.plan.edit import EditOutput, EditPlan, FrameSpan, encoded_spans, encoded_words
from avpipe.recipe import Action, Quality
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
    (scene, splice) = _decided(scene, ffmpeg, settings)
    if splice is not None:
        yield _splice_note(scene, splice)
    workers = usable_cores(settings.jobs)
    steps = render_scene(scene, output, ffmpeg, workers=workers, overwrite=overwrite, splice=splice)
    with closing(steps):
        return (yield from steps)


def plan_montage(montage: Montage, scene: Scene, output: str, settings: Settings) -> EditPlan:
    """What `render_montage` would do. Raises as it does, but makes nothing."""
    notes = timeline_notes(montage)
    (scene, splice) = _decided(scene, find(settings.ffmpeg), settings)
    whole = (FrameSpan(first=0, count=scene.frames),)
    encoded = whole if splice is None else encoded_spans(splice.runs)
    return EditPlan(
        inputs=tuple(info.path for info in scene.inputs),
        summary=summarise(montage),
        video=Action.ENCODE if encoded else Action.COPY,
        audio=Action.ENCODE if splice is None else splice.audio,
        encoded=encoded,
        notes=notes,
        output=EditOutput(
            path=output,
            duration_s=float(scene.duration),
            width=scene.width,
            height=scene.height,
            frames=scene.frames,
        ),
    )


def timeline_notes(montage: Montage) -> tuple[Note, ...]:
    """What a user should know of an edit before it is rendered: missing glyphs, unknown tracks.

    Raises RequestError where a font file cannot be used.
    """
    clips = [clip for track in montage.of(TrackKind.TEXT) for clip in track.clips]
    notes = [note for clip in clips for note in _text_notes(clip)]
    if montage.max_bytes is not None:
        message = f"the file is brought {size(montage.max_bytes)} once it is whole"
        notes.append(Note(code="max_size", message=message))
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


def _decided(scene: Scene, ffmpeg: Ffmpeg, settings: Settings) -> tuple[Scene, SplicePlan | None]:
    """The scene with its encoder, and what of it is copied."""
    scene = _with_encoder(scene, ffmpeg, settings)
    return scene, plan_splice(scene)


def _with_encoder(scene: Scene, ffmpeg: Ffmpeg, settings: Settings) -> Scene:
    """With the best encoder that works here for the quality."""
    if scene.quality is Quality.HIGH:
        return scene
    found = encoders.working_hardware(ffmpeg, settings.state_dir, only=settings.encoder)
    return replace(scene, encoder=found[0]) if found else scene


def _splice_note(scene: Scene, splice: SplicePlan) -> Note:
    """Which frames are encoded."""
    message = encoded_words(encoded_spans(splice.runs), scene.frames, splice.audio)
    return Note(code="smart_render", message=message)
