"""Footage of the kinds that people compress, generated: made once and kept in a folder."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from avpipe.benchmarks.picture import Stage, loudness_per_frame
from avpipe.benchmarks.scene import Scene
from avpipe.benchmarks.voice import speak
from avpipe.codecs.ffmpeg import Ffmpeg

SIZE = (1920, 1080)
RATE = 48_000
_TEXT = (
    "the limit of a file is what its picture and sound may take together when it is sent "
    "def return for value in found while frame import width height rate class None True print "
    "budget sample window encoder quality passes bytes second motion detail noise screen page"
)
_SHAKE = "crop=1840:1034:40+24*sin(t*7)+9*sin(t*19):23+15*sin(t*5)+7*sin(t*23),scale=1920:1080"


@dataclass(frozen=True, kw_only=True, slots=True)
class Footage:
    """A folder of footage, each made when it is asked for the first time."""

    folder: Path
    ffmpeg: Ffmpeg

    def talking_head(self, seconds: int) -> Path:
        """A presenter before a still wall."""

        def write(part: Path) -> None:
            scene = Scene(seconds=Fraction(seconds), flash_every=Fraction(10_000))
            rng = np.random.default_rng(1)
            voice = speak(float(scene.world_seconds), RATE, rng, "synth")
            stage = Stage(scene, SIZE, loudness_per_frame(scene, voice))
            raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{SIZE[0]}x{SIZE[1]}")
            argv = self._argv(seconds, part, (*raw, "-r", "30", "-i", "pipe:0"), "noise=alls=2")
            with subprocess.Popen(argv, stdin=subprocess.PIPE) as child:
                if child.stdin is None:
                    raise RuntimeError("no pipe to ffmpeg")
                for index in range(scene.frame_count):
                    child.stdin.write(stage.frame(index).tobytes())
                child.stdin.close()
                if child.wait():
                    raise RuntimeError("ffmpeg failed")

        return self._made(f"talking-head-{seconds}s.mp4", write)

    def screen(self, seconds: int) -> Path:
        """A page of text that is scrolled every three seconds."""

        def write(part: Path) -> None:
            page = part.with_suffix(".png")
            _draw_page(1080 + 240 * (seconds // 3 + 2)).save(page)
            scroll = "crop=1920:1080:0:'240*(floor(t/3)+min(1,mod(t,3)/0.4))'"
            source = ("-loop", "1", "-framerate", "30", "-i", f"file:{page}")
            self._run(self._argv(seconds, part, source, scroll))
            page.unlink()

        return self._made(f"screen-{seconds}s.mp4", write)

    def film(self, seconds: int) -> Path:
        """A slow flight into fine detail, with some grain."""

        def write(part: Path) -> None:
            size = f"{SIZE[0]}x{SIZE[1]}"
            source = ("-f", "lavfi", "-i", f"mandelbrot=size={size}:rate=24:end_scale=0.05")
            self._run(self._argv(seconds, part, source, "noise=alls=4:allf=t:all_seed=1"))

        return self._made(f"film-{seconds}s.mp4", write)

    def phone(self, seconds: int) -> Path:
        """The presenter, from a hand that shakes and a sensor that is noisy."""
        source = ("-i", f"file:{self.talking_head(seconds)}")
        grain = f"{_SHAKE},noise=alls=14:allf=t:all_seed=2"
        return self._made(
            f"phone-{seconds}s.mp4",
            lambda part: self._run(self._argv(seconds, part, source, grain)),
        )

    def _argv(
        self, seconds: int, part: Path, source: tuple[str, ...], filters: str
    ) -> tuple[str, ...]:
        """Both a picture as good as new and a sound."""
        return (
            *(self.ffmpeg.path, "-hide_banner", "-nostdin", "-v", "error", "-y", *source),
            *("-f", "lavfi", "-i", f"aevalsrc='0.2*sin(2*PI*t*(200+20*sin(t)))':s={RATE}:c=stereo"),
            *("-map", "0:v", "-map", "1:a", "-t", str(seconds), "-vf", f"{filters},format=yuv420p"),
            *("-c:v", "libx264", "-preset", "veryfast", "-crf", "10", "-c:a", "aac"),
            *("-b:a", "192k", "-color_primaries", "bt709", "-color_trc", "bt709"),
            *("-colorspace", "bt709", "-f", "mp4", f"file:{part}"),
        )

    def _run(self, argv: tuple[str, ...]) -> None:
        subprocess.run(argv, stdin=subprocess.DEVNULL, check=True)

    def _made(self, name: str, write: Callable[[Path], None]) -> Path:
        path = self.folder / name
        if not path.exists():
            part = self.folder / f"{path.stem}.{os.getpid()}.part.mp4"
            write(part)
            part.replace(path)
        return path


def _draw_page(height: int) -> Image.Image:
    """A dark page of lines of words in some colours."""
    rng = np.random.default_rng(3)
    words = _TEXT.split()
    page = Image.new("RGB", (SIZE[0], height), "#1e1e2e")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=24)
    for top in range(20, height - 40, 36):
        left = 60 + 40 * int(rng.integers(0, 6))
        while left < SIZE[0] - 400:
            word = words[int(rng.integers(len(words)))]
            colour = ("#cdd6f4", "#89b4fa", "#a6e3a1", "#f9e2af")[int(rng.integers(4))]
            draw.text((left, top), word, fill=colour, font=font)
            left += round(draw.textlength(word, font=font)) + 14
            if rng.random() < 0.08:
                break
    return page
