"""What a plan will cost: rough seconds and bytes, told before anything is started."""

from __future__ import annotations

from fractions import Fraction

from avpipe.media import MediaInfo, VideoStream
from avpipe.recipe import AUDIO_BIT_RATE, Quality

COPY_BYTES_A_SECOND = 400e6
"""A stream-copy mux is bound by bytes."""
AAC_CPU_SHARE = 1 / 60
"""CPU seconds that a second of sound costs to encode."""
X264_PIXELS_A_CPU_SECOND = {Quality.DRAFT: 48e6, Quality.STANDARD: 28e6, Quality.HIGH: 14e6}
"""Measured: 600 frames of 1080p30 took 26, 45 and 87 CPU seconds."""
TONE_MAP_PIXELS_A_CPU_SECOND = 15e6
"""Of the source, in floating point. Measured: 117 and 160 million of HDR took 8 and 11 more."""
BITS_A_PIXEL = {Quality.DRAFT: 0.06, Quality.STANDARD: 0.1, Quality.HIGH: 0.15}

UPLINK_BYTES_S, DOWNLINK_BYTES_S = 1.25e6, 5e6
"""Of a usual line, where nothing was measured."""
CLOUD_LEAST_S, CLOUD_SHARE = 30.0, 0.2
"""The service's document: 20 to 40 s for a clip of 30 s, a render in 30 to 90 s."""


def copied_bytes(video: VideoStream, info: MediaInfo, share: Fraction) -> int:
    """The size of a share (0 to 1) of a copied video stream."""
    if video.bit_rate is not None and video.duration is not None:
        return int(video.bit_rate * video.duration * share / 8)
    return int((info.size_bytes or 0) * share)


def encoded_bytes(pixels: int, frames: float, quality: Quality) -> int:
    """The size of that many encoded frames of that many pixels."""
    return int(pixels * frames * BITS_A_PIXEL[quality] / 8)


def audio_bytes(duration: Fraction, tracks: int) -> int:
    """The size of that many tracks of encoded sound."""
    return int(duration * AUDIO_BIT_RATE / 8) * tracks


def encode_seconds(pixels: int, frames: float, quality: Quality, cores: int) -> float:
    """How long a video encode on the CPU takes."""
    return pixels * frames / X264_PIXELS_A_CPU_SECOND[quality] / cores


def tone_map_seconds(picture: VideoStream, frames: float, cores: int) -> float:
    """How long it takes to make that many frames SDR; 0 where they are."""
    if picture.hdr is None:
        return 0.0
    return picture.width * picture.height * frames / TONE_MAP_PIXELS_A_CPU_SECOND / cores


def audio_seconds(duration: Fraction, tracks: int, cores: int) -> float:
    """How long an audio encode takes on all cores."""
    return float(duration) * AAC_CPU_SHARE * tracks / cores


def copy_seconds(size_bytes: int) -> float:
    """How long it takes to write that many bytes."""
    return size_bytes / COPY_BYTES_A_SECOND


def upload_seconds(size_bytes: int, uplink_bytes_s: float) -> float:
    """How long an upload takes."""
    return size_bytes / uplink_bytes_s


def cloud_seconds(duration: Fraction) -> float:
    """How long the cloud takes to edit and render that much."""
    return CLOUD_LEAST_S + CLOUD_SHARE * float(duration)


def download_seconds(size_bytes: int) -> float:
    """How long a result takes to arrive and to be measured."""
    return 1 + size_bytes / DOWNLINK_BYTES_S
