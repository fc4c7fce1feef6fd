"""Draws and speaks a clip and its separately recorded sound, with the truth written down.

python samples/make_samples.py OUTDIR --seconds 20 --offset -1.25 --drift 40 --snr 10
"""

from __future__ import annotations

import argparse
import json
import platform
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from avpipe.benchmarks.sample_pair import make_pair
from avpipe.benchmarks.scene import Scene


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
