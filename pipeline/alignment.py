"""`avpipe sync` from two paths to the result.

Little is imported here, so that the files are being probed while the rest is still loaded.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import TYPE_CHECKING

from avpipe.codecs import isolate
from avpipe.codecs.ffmpeg import find
from avpipe.codecs.process import usable_cores
from avpipe.errors import WrongMediaError
from avpipe.media import MediaInfo
from avpipe.plan.supported import require_supported
from avpipe.settings import Settings
from avpipe.updates import Progress

if TYPE_CHECKING:
    from avpipe.listen.align import Heard


def align_paths(
    video: str, audio: str, settings: Settings, *, waves: bool = False
) -> Generator[Progress, None, Heard]:
    """Where the audio belongs on the video's time line; tells on the way how far it is.

    With `waves` the result has what a picture of it shows.

    Raises MediaError where a file cannot be read, WrongMediaError where the one has no picture or
    the other no sound.
    """
    ffmpeg = find(settings.ffmpeg)
    paths = [os.path.abspath(path) for path in (video, audio)]  # noqa: PTH100
    # NumPy takes as long to import as two files to probe, and the one is done in a child.
    (picture, sound) = isolate.probe_files(paths, meanwhile=_import_listening)
    require_pair(picture, sound)
    from avpipe.listen.align import listen

    cores = usable_cores(settings.jobs)
    return (yield from listen(picture, sound, ffmpeg=ffmpeg, cores=cores, waves=waves))


def require_pair(video: MediaInfo, audio: MediaInfo) -> None:
    """Raise where the one cannot be the video, or the other not the audio."""
    for info in (video, audio):
        require_supported(info)
    if not video.video:
        raise WrongMediaError(
            f"{video.path} has no picture, so it cannot be the video",
            hint="give the video first and the audio second: avpipe sync VIDEO AUDIO",
        )
    if not audio.audio:
        raise WrongMediaError(
            f"{audio.path} has no sound, so it cannot be the audio",
            hint="give the video first and the audio second: avpipe sync VIDEO AUDIO",
        )


def _import_listening() -> None:
    import avpipe.listen.align  # noqa: F401
