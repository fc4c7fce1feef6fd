"""What is kept of a file's sound so that many files can be compared: its features and outline.

Made once of a file and kept on disk; an hour takes 3 MB.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.listening import MIX, Decoder, Track, camera_track, floats, recorder_track
from avpipe.listen.halving import Halver
from avpipe.media import MediaInfo
from avpipe.sync.features import PCM_RATE, Features, FeatureStream

PEAK_STEP_S = 0.02
_PEAK_SIZE = round(PCM_RATE * PEAK_STEP_S)
_LOUDEST = 255


@dataclass(frozen=True, kw_only=True, slots=True)
class Fingerprint:
    """How a file sounds: the mean of its channels."""

    features: Features
    peaks: NDArray[np.uint8]
    """(steps,) the loudest sample of each PEAK_STEP_S, in 1/255 of full scale."""
    lead_s: float
    """Where the first sample is on the time line of the picture; 0 of a recording."""


def track_of(info: MediaInfo) -> Track:
    """The sound that a file is compared by: a video's on the time line of its picture."""
    return camera_track(info, info.audio[0]) if info.video else recorder_track(info)


def take_fingerprint(info: MediaInfo, ffmpeg: Ffmpeg) -> Fingerprint:
    """Listen to all of a file. Raises ChildFailedError or StalledError."""
    track = track_of(info)
    (stream, halver, outline) = (FeatureStream(), Halver(), _Outline())
    with Decoder(ffmpeg, track, (MIX,)) as decoder:
        for block in decoder.blocks():
            samples = halver.push(floats(block[0]))
            stream.push(samples)
            outline.push(samples)
    return Fingerprint(features=stream.finish(), peaks=outline.finish(), lead_s=track.lead_s)


def save(fingerprint: Fingerprint, path: Path) -> None:
    """Write a fingerprint; it is there whole or not at all."""
    made = path.with_name(f".{path.stem}-{os.urandom(4).hex()}.npz")
    try:
        with made.open("wb") as file:
            np.savez(
                file,
                codes=fingerprint.features.codes[:],
                figures=np.array(
                    [
                        fingerprint.features.duration_s,
                        fingerprint.features.active_s,
                        fingerprint.lead_s,
                    ]
                ),
                peaks=fingerprint.peaks,
            )
        made.replace(path)
    finally:
        made.unlink(missing_ok=True)


def load(path: Path) -> Fingerprint:
    """Read what `save` wrote."""
    with np.load(path) as kept:
        (duration_s, active_s, lead_s) = (float(figure) for figure in kept["figures"])
        features = Features(codes=kept["codes"], duration_s=duration_s, active_s=active_s)
        return Fingerprint(features=features, peaks=kept["peaks"], lead_s=lead_s)


class _Outline:
    """The loudest sample of each step of a sound that comes in blocks."""

    def __init__(self) -> None:
        self._rest = np.zeros(0, np.float32)
        self._done: list[NDArray[np.uint8]] = []

    def push(self, samples: NDArray[np.float32]) -> None:
        """Add (samples,) of any number."""
        pending = np.concatenate([self._rest, np.abs(samples)])
        whole = pending.size - pending.size % _PEAK_SIZE
        self._keep(pending[:whole].reshape(-1, _PEAK_SIZE))
        self._rest = pending[whole:]

    def finish(self) -> NDArray[np.uint8]:
        """All peaks; a last step that is not full counts."""
        if self._rest.size:
            self._keep(self._rest[None])
        self._rest = self._rest[:0]
        return np.concatenate([np.zeros(0, np.uint8), *self._done])

    def _keep(self, steps: NDArray[np.float32]) -> None:
        if steps.size:
            peaks = np.minimum(steps.max(axis=1) * _LOUDEST, _LOUDEST)
            self._done.append(np.asarray(np.rint(peaks), np.uint8))
