"""Where an MP4's index goes: before the media, so that playing can begin at once.

`+faststart` writes the file, and then moves all of it to make room. Where the index is known to be
small beside the media, room is left for it instead: of a copy of 1 GB that saves a fifth of the
time.
"""

from __future__ import annotations

import math

from avpipe.recipe import AAC_FRAME, AUDIO_RATE, Action, Recipe

PACKET_BYTES = 48
"""The most that one packet takes in the tables stts, ctts, stsz, stss, stsc and co64: 44."""
SPARE_BYTES = 128 * 1024
"""For what does not grow with the packets: headers, edit lists, parameter sets."""
MOST_SHARE = 0.005
"""How much of a file may be room that was left for the index."""


def index_options(recipe: Recipe) -> dict[str, str]:
    """The muxer's options that put the index of a recipe's output first."""
    room = _room_bytes(recipe)
    size_bytes = recipe.camera.size_bytes or 0
    if room is None or room > MOST_SHARE * size_bytes:
        return {"movflags": "+faststart"}
    return {"moov_size": str(room)}


def _room_bytes(recipe: Recipe) -> int | None:
    """What the index takes at the most; None where that cannot be told before."""
    camera = recipe.camera
    packets = camera.video[0].packets
    if recipe.video is not Action.COPY or packets is None or camera.subtitles or camera.chapters:
        return None
    part = recipe.timeline.duration / (camera.video[0].duration or recipe.timeline.duration)
    if part < 1 / 2:  # most of the copy may be left out
        return None
    sound = math.ceil(recipe.timeline.duration * AUDIO_RATE / AAC_FRAME) * recipe.audio_tracks
    texts = sum(len(f"{name}{text}".encode()) for name, text in camera.metadata.items())
    return (packets + sound) * PACKET_BYTES + 4 * texts + SPARE_BYTES
