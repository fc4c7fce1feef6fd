"""A video's own sound in the gaps of a recording, brought to the level of that."""

from __future__ import annotations

from collections.abc import Mapping

from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.media import MediaInfo
from avpipe.montage.values import Montage
from avpipe.plan.own_sound import Shared, shared_sounds, with_own_sound
from avpipe.plan.scene import make_scene
from avpipe.scene import Scene


def scene_as_heard(
    montage: Montage, files: Mapping[str, MediaInfo], ffmpeg: Ffmpeg
) -> tuple[Montage, Scene]:
    """The edit with its videos' own sounds as in `with_own_sounds`, and its scene.

    Raises RequestError, before anything is read, where it cannot be made; else as that.
    """
    make_scene(montage, files)
    montage = with_own_sounds(montage, files, ffmpeg)
    return montage, make_scene(montage, files)


def with_own_sounds(montage: Montage, files: Mapping[str, MediaInfo], ffmpeg: Ffmpeg) -> Montage:
    """The edit with videos as loud as their recordings where they fill gaps of these.

    `files` has the facts of each source. Raises MediaError where one cannot be read.
    """
    for shared in shared_sounds(montage):
        (video, audio) = (files[shared.camera], files[shared.recorder])
        if video.audio and audio.audio:
            montage = with_own_sound(montage, shared.camera, _gain_db(shared, video, audio, ffmpeg))
    return montage


def _gain_db(shared: Shared, video: MediaInfo, audio: MediaInfo, ffmpeg: Ffmpeg) -> float:
    if not shared.moments:
        return 0.0
    from avpipe.codecs.excerpts import read_excerpts  # NumPy
    from avpipe.plan.levels import MOMENT_S, match_gain_db

    (ours, theirs) = zip(*shared.moments, strict=True)
    origin = video.video[0].start
    camera = read_excerpts(ffmpeg, video, video.audio[0], ours, MOMENT_S, origin=origin)
    return match_gain_db(camera, read_excerpts(ffmpeg, audio, audio.audio[0], theirs, MOMENT_S))
