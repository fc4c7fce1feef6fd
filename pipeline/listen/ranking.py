"""Which of many recordings a video may belong to: fingerprints compared coarsely, then exactly."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.listening import MIX
from avpipe.listen.align import align_files, as_alignment
from avpipe.listen.crew import Crew
from avpipe.listen.fingerprint import Fingerprint, track_of
from avpipe.listen.hearing import Hearing
from avpipe.listen.store import Store
from avpipe.media import Alignment, MediaInfo, Verdict
from avpipe.sync.consensus import find_lines
from avpipe.sync.engine import Source, align
from avpipe.sync.features import Features
from avpipe.sync.search import Searched, block_seconds

_BLOCKS = 12
"""Of each video, evenly spread: enough to tell which recordings are worth a closer look."""
_LEAST_BLOCK_S = 5.0
_SHORT_S = 600.0
"""Of longer ones two frames are taken together, which takes half the time."""
_AT_ONCE_S = 600.0
"""What is not longer is decoded whole: a process for each window would take more time."""


def coarse_scores(recorder: Features, cameras: Sequence[Features]) -> list[float]:
    """How well each camera's sound fits somewhere in the recorder's; 0 where nothing does.

    The recorder is prepared once for all cameras whose blocks have one length.
    """
    searched: dict[tuple[float, int], Searched] = {}
    scores = []
    for camera in cameras:
        key = (_block_s(camera, recorder), 1 if recorder.duration_s < _SHORT_S else 2)
        if key not in searched:
            if len(searched) > 1:  # of hours each takes a hundred megabytes
                searched.clear()
            searched[key] = Searched(recorder, block_s=key[0], pool=key[1])
        scores.append(_score(searched[key], camera))
    return scores


def _block_s(camera: Features, recorder: Features) -> float:
    """The length of a block, one of a few."""
    wanted = block_seconds(camera, recorder)
    return float(_LEAST_BLOCK_S * 2 ** math.floor(math.log2(wanted / _LEAST_BLOCK_S)))


def _score(searched: Searched, camera: Features) -> float:
    blocks = searched.blocks_of(camera)
    if blocks.size > _BLOCKS:
        blocks = blocks[np.linspace(0, blocks.size - 1, _BLOCKS).astype(np.intp)]
    if blocks.size == 0:
        return 0.0
    lines = find_lines(searched.find(camera, blocks), 1)
    return round(lines[0].score, 3) if lines else 0.0


def align_known(
    video: MediaInfo,
    audio: MediaInfo,
    fingerprints: tuple[Fingerprint, Fingerprint],
    *,
    ffmpeg: Ffmpeg,
    cores: int,
    thorough: bool = True,
) -> Alignment:
    """Where the audio belongs, by what is known of both; of what can be sought little is read.

    What does not match that way is compared channel by channel, where `thorough`. Errors as those
    of `align_files`.
    """
    began = time.monotonic()
    tracks = (track_of(video), track_of(audio))
    if all(track.sought for track in tracks):
        stores = [Store(1, track.sample_type, None) for track in tracks]
        with stores[0], stores[1], Crew(ffmpeg, cores) as crew:
            hearings = [
                Hearing(track, (MIX,), crew, store)
                for track, store in zip(tracks, stores, strict=True)
            ]
            for hearing in hearings:
                if hearing.duration_s <= _AT_ONCE_S:
                    hearing.fetch([(0.0, hearing.duration_s)])
            (camera, recorder) = (
                _source(hearing, one.features)
                for hearing, one in zip(hearings, fingerprints, strict=True)
            )
            found = align(camera, recorder)
        if found.verdict is Verdict.MATCHED or not thorough:
            alignment = as_alignment(found, tracks[0].lead_s)
            return replace(alignment, elapsed_s=round(time.monotonic() - began, 3))
    return align_files(video, audio, ffmpeg=ffmpeg, cores=cores)


def _source(hearing: Hearing, features: Features) -> Source:
    """What the engine takes; samples are decoded as it asks for them."""
    return Source(
        channels=(features,), read=lambda _, start_s, length_s: hearing.read(start_s, length_s)
    )
