"""A file that somebody else rendered: whether it is a whole video, and of what it was to be."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from avpipe.codecs import isolate
from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.measure import Measured
from avpipe.errors import (
    AvpipeError,
    ChildFailedError,
    DiskFullError,
    RenderError,
    VerificationError,
)
from avpipe.media import MediaInfo
from avpipe.plan.showing import composed_in_scene, heard_in_scene, shown_in_scene
from avpipe.render.likeness import (
    Match,
    Stretch,
    content_checks,
    draw_stretches,
    drawn_matches,
    picture_matches,
    sound_matches,
)
from avpipe.render.scene import encode_sound, files_of_pictures
from avpipe.render.workspace import told_when_full
from avpipe.scene import Scene
from avpipe.updates import Check, Note, Progress

DECODE_S = 20.0
"""How much of each stream is decoded, besides what is compared."""
SHAPE_TOLERANCE = 0.02
"""How far the ratio of the sides may be from the wanted one, of 1."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Original:
    """An edit of files that are here, which somebody else was to render."""

    scene: Scene
    whole: bool
    """Whether the scene is all of the edit; else there are parts that are not known here."""
    shaped: bool
    """Whether the edit says what shape it has; else that was left to who renders it."""


def measure_received(path: Path) -> Measured:
    """What a file holds. Raises VerificationError where that cannot be found out."""
    try:
        return isolate.measure_file(str(path), decode_s=DECODE_S)
    except ChildFailedError as error:
        raise VerificationError("the cloud's render cannot be read as a video") from error


def require_accepted(checks: tuple[Check, ...]) -> None:
    """Raise VerificationError where a check fails."""
    failed = [f"{check.name} is {check.value}" for check in checks if not check.ok]
    if failed:
        raise VerificationError(f"the cloud's render was rejected: {', '.join(failed)}")


def file_checks(found: Measured) -> tuple[Check, ...]:
    """What has to be true of every render: streams that players take, whole."""
    lost = sum(stream.beyond_end for stream in found.streams)
    errors = sum(stream.errors for stream in found.streams)
    decoded = [stream.decoded for stream in found.video]
    return (
        *(Check(name="video_codec", value=s.codec, ok=s.codec == "h264") for s in found.video),
        *(Check(name="audio_codec", value=s.codec, ok=s.codec == "aac") for s in found.audio),
        Check(name="packets_beyond_end", value=lost, ok=lost == 0),
        Check(name="decode_errors", value=errors, ok=errors == 0),
        Check(name="frames_decoded", value=sum(decoded), ok=all(decoded)),
    )


def has_shape(found: tuple[int, int], wanted: tuple[int, int]) -> bool:
    """Whether a size in pixels has the aspect of another one."""
    ratio = found[0] * wanted[1] / max(1, found[1] * wanted[0])
    return abs(ratio - 1) <= SHAPE_TOLERANCE


def probe_received(path: Path) -> MediaInfo:
    """The facts of a file. Raises VerificationError where it is no video."""
    (made,) = isolate.probe_files([str(path)])
    if not (made.supported and made.video):
        raise VerificationError("the cloud's render cannot be read as a video")
    return made


def checks_beside(
    original: Original, path: Path, ffmpeg: Ffmpeg, scratch: Path, *, workers: int
) -> Generator[Progress | Note, None, tuple[Check, ...]]:
    """A render held against the files of its edit; raises VerificationError where a check fails.

    The edit's sound is made in the folder `scratch` for that. Raises RenderError where it cannot.
    """
    made = probe_received(path)
    checks = tuple(_shape_checks(original, made))
    require_accepted(checks)
    sounds: tuple[Match, ...] = ()
    if original.scene.sounds:
        sound = yield from _sound_of(original.scene, ffmpeg, scratch, workers)
        if original.whole:
            sounds = sound_matches(sound, made, ffmpeg, heard_in_scene(original.scene))
        if not sounds:  # how it is stretched, or mixed with what, is not known here
            others = sound_matches(sound, made, ffmpeg)
            heard = any(match.likeness > 0 for match in others)
            checks += (Check(name="sound_heard", value=heard, ok=heard),) if others else ()
    if original.whole:
        pictures = yield from _pictures(original.scene, made, ffmpeg, scratch)
        checks += content_checks(sounds, pictures)
    require_accepted(checks)
    return checks


def _pictures(
    scene: Scene, made: MediaInfo, ffmpeg: Ffmpeg, scratch: Path
) -> Generator[Progress | Note, None, tuple[Match, ...]]:
    """Pictures that are seen alone beside their files, all others beside what is drawn here."""
    shown = shown_in_scene(scene)
    stretches: tuple[Stretch, ...] = ()
    try:
        with _room_in(scratch):
            files = yield from files_of_pictures(scene, ffmpeg, scratch)
            composed = composed_in_scene(scene, shown)
            stretches = draw_stretches(scene, composed, files, ffmpeg)
    except DiskFullError:
        raise
    except AvpipeError as error:  # that this machine cannot draw it says nothing of the cloud
        message = f"pictures beside or over others were not compared: {error.message}"
        yield Note(code="not_compared", message=message)
    return (*picture_matches(shown, made, ffmpeg), *drawn_matches(stretches, made, ffmpeg))


def _shape_checks(original: Original, made: MediaInfo) -> Iterator[Check]:
    (width, height) = made.video[0].upright_size
    wanted = (original.scene.width, original.scene.height)
    ok = not original.shaped or has_shape((width, height), wanted)
    yield Check(name="size", value=f"{width}x{height}", ok=ok)
    if original.scene.sounds:
        yield Check(name="audio_streams", value=len(made.audio), ok=len(made.audio) >= 1)


def _sound_of(
    scene: Scene, ffmpeg: Ffmpeg, scratch: Path, workers: int
) -> Generator[Progress, None, MediaInfo]:
    """The sound of an edit as one file."""
    target = scratch / "expected.m4a"
    with _room_in(scratch):
        yield from encode_sound(scene, ffmpeg, target, workers=workers)
    (info,) = isolate.probe_files([str(target)])
    return info


@contextmanager
def _room_in(folder: Path) -> Iterator[None]:
    """Make files in a folder. Raises RenderError where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with told_when_full(folder):
            yield
    except OSError as error:
        raise RenderError(f"cannot write in {folder}: {error.strerror}") from error
