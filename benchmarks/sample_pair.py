"""A drawn interview as two files: what the camera recorded, and what the recorder did."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from avpipe.benchmarks.picture import Image8, Stage, loudness_per_frame
from avpipe.benchmarks.scene import Samples, Scene, camera_sound, recorder_sound, world_sound
from avpipe.benchmarks.voice import speak


def make_pair(
    scene: Scene, voice: str, size: tuple[int, int], camera: Path, recorder: Path
) -> None:
    """Write both recordings of one scene."""
    speech, room, close = np.random.default_rng(scene.seed).spawn(3)
    spoken = speak(float(scene.world_seconds), scene.sample_rate, speech, voice)
    world = world_sound(scene, spoken)
    stage = Stage(scene, size, loudness_per_frame(scene, spoken))
    frames = (stage.frame(index) for index in range(scene.frame_count))
    write_video(camera, scene, size, frames, camera_sound(scene, world, room))
    write_sound(recorder, scene.sample_rate, recorder_sound(scene, world, close))


def write_video(
    path: Path,
    scene: Scene,
    size: tuple[int, int],
    frames: Iterator[Image8],
    sound: Samples,
) -> None:
    """H.264 in closed groups of two seconds with mono AAC, both from 0."""
    options = {"crf": "25", "preset": "slow", "x264-params": "open-gop=0"}
    with av.open(f"file:{path.absolute()}", "w", options={"movflags": "+faststart"}) as file:
        video = file.add_stream("libx264", rate=scene.frame_rate, options=options)
        video.width, video.height, video.pix_fmt = *size, "yuv420p"
        video.gop_size = round(2 * scene.frame_rate)
        video.color_range = ColorRange.MPEG
        video.colorspace = Colorspace.ITU709
        video.color_primaries = ColorPrimaries.BT709
        video.color_trc = ColorTrc.BT709
        audio = file.add_stream("aac", rate=scene.sample_rate, layout="mono")
        audio.bit_rate = 96_000
        packets: list[av.Packet[Any]] = []
        for index, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
                format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG
            )
            frame.pts, frame.time_base = index, 1 / scene.frame_rate
            packets += video.encode(frame)
        packets += video.encode(None)
        packets += _encode_sound(audio, sound, scene.sample_rate)
        for packet in sorted(packets, key=lambda p: (p.dts or 0) * (p.time_base or 1)):
            file.mux(packet)


def write_sound(path: Path, rate: int, sound: Samples) -> None:
    """Mono, 16 bits, in the container that the name's ending says."""
    codec = {"wav": "pcm_s16le", "flac": "flac"}[path.suffix[1:]]
    with av.open(f"file:{path.absolute()}", "w") as file:
        audio = file.add_stream(codec, rate=rate, layout="mono", format="s16")
        assert isinstance(audio, av.AudioStream)
        file.mux(_encode_sound(audio, sound, rate))


def _encode_sound(audio: av.AudioStream, sound: Samples, rate: int) -> list[av.Packet[Any]]:
    """All packets of a mono stream from 0; a 16-bit codec gets rounded samples."""
    packets: list[av.Packet[Any]] = []
    whole = np.round(np.clip(sound, -1, 1) * 32767).astype(np.int16)
    for begin in range(0, sound.size, 48_000):
        frame = av.AudioFrame.from_ndarray(whole[None, begin : begin + 48_000], "s16", "mono")
        frame.sample_rate, frame.pts, frame.time_base = rate, begin, Fraction(1, rate)
        packets += audio.encode(frame)
    return packets + audio.encode(None)
