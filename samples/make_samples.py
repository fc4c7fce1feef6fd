"""Draws and speaks a clip and its separately recorded sound, with the truth written down.

python samples/make_samples.py OUTDIR --seconds 20 --offset -1.25 --drift 40 --snr 10
"""

from __future__ import annotations

import argparse
import json
import platform
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


def main(arguments: list[str] | None = None) -> None:
    """Write the camera's file, the recorder's file and the truth into a folder."""
    options = _parse(arguments)
    scene = Scene(
        seconds=options.seconds,
        frame_rate=options.rate,
        recorder_seconds=options.recorder_seconds or options.seconds + 2,
        offset_s=options.offset,
        drift_ppm=options.drift,
        snr_db=options.snr,
        rt60_s=options.rt60,
        seed=options.seed,
    )
    options.outdir.mkdir(parents=True, exist_ok=True)
    camera = options.outdir / f"{options.camera_name}.mp4"
    recorder = options.outdir / f"{options.recorder_name}.{options.recorder_format}"
    truth = options.outdir / "truth.json"
    make_pair(scene, options.voice, options.size, camera, recorder)
    truth.write_text(json.dumps(truth_of(scene, camera, recorder), indent=2) + "\n", "utf-8")
    for path in (camera, recorder, truth):
        print(f"{path}  {path.stat().st_size / 1e6:.2f} MB")


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the options; times and rates are exact."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    add = parser.add_argument
    add("outdir", type=Path, metavar="OUTDIR")
    add("--seconds", type=Fraction, default=Fraction(20), help="length of the video")
    add("--recorder-seconds", type=Fraction, help="by the recorder's clock (default: 2 s more)")
    add("--offset", type=Fraction, default=Fraction(0), help="where the recording starts, s")
    add("--drift", type=Fraction, default=Fraction(0), help="how much too long it runs, ppm")
    add("--snr", type=float, default=15.0, help="room's sound over noise at the camera, dB")
    add("--rt60", type=float, default=0.5, help="reverberation time of the room, s")
    add("--voice", choices=("auto", "espeak", "synth"), default="auto")
    add("--size", type=_size, default=(1280, 720), metavar="WxH")
    add("--rate", type=Fraction, default=Fraction(30), help="frames a second, as 30000/1001")
    add("--seed", type=int, default=1)
    add("--camera-name", default="camera", help="file name without its ending")
    add("--recorder-name", default="recorder", help="file name without its ending")
    add("--recorder-format", choices=("wav", "flac"), default="wav")
    return parser.parse_args(arguments)


def _size(text: str) -> tuple[int, int]:
    """Width and height, both even."""
    width, height = (int(part) for part in text.lower().split("x"))
    if width % 2 or height % 2:
        raise argparse.ArgumentTypeError("width and height must be even")
    return width, height


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


def truth_of(scene: Scene, camera: Path, recorder: Path) -> dict[str, object]:
    """Tell what was made; `offset_s` and `drift_ppm` mean what `avpipe sync` means by them."""
    return {
        "camera": camera.name,
        "recorder": recorder.name,
        "offset_s": float(scene.offset_s),
        "drift_ppm": float(scene.drift_ppm),
        "frame_rate": str(scene.frame_rate),
        "video_s": float(scene.video_seconds),
        "recorder_s": float(scene.recorder_seconds),
        "flash_s": [float(time) for time in scene.flash_times],
        "click_s": [float(time) for time in scene.flash_times],
        "snr_db": scene.snr_db,
        "seed": scene.seed,
        "made_with": {
            "python": platform.python_version(),
            "numpy": np.__version__,
            "av": av.__version__,
        },
    }


if __name__ == "__main__":
    main()
