"""What a cloud makes of a video and a sound: what was asked for, or something else."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import imageio_ffmpeg
from measure import level_db

Renderer = Callable[[dict[str, bytes]], bytes]


def renderer(
    folder: Path,
    *,
    sound_late_s: float = 0.0,
    picture_late_s: float = 0.0,
    volume: float = 1.0,
    length_s: Fraction | float | None = None,
    filters: str = "null",
    sound_filters: str = "anull",
    map_sound: str = "1:a",
    sound_codec: str = "aac",
) -> Renderer:
    """What renders the files of a session; the defaults lay both together as they are."""

    def render(bodies: dict[str, bytes]) -> bytes:
        folder.mkdir(exist_ok=True)
        for kind, body in bodies.items():
            (folder / kind).write_bytes(body)
        held = f"tpad=start_duration={picture_late_s}:start_mode=clone"
        delays = f"adelay={max(0, round(sound_late_s * 1000))}:all=1"
        cut = f"atrim=start={max(0.0, -sound_late_s)},asetpts=PTS-STARTPTS"
        argv = [
            *(imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y"),
            *("-i", str(folder / "video"), "-i", str(folder / "audio")),
            *("-map", "0:v", "-vf", f"{held},{filters}"),
            *("-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p"),
        ]
        if map_sound:
            sound = f"{delays},{cut},volume={volume},{sound_filters}"
            argv += ["-map", map_sound, "-af", sound, "-c:a", sound_codec]
        if length_s is not None:
            argv += ["-t", str(float(length_s))]
        subprocess.run([*argv, "-f", "mp4", str(folder / "out")], check=True)
        return (folder / "out").read_bytes()

    return render


def filled(video: str, sound: str) -> list[dict[str, Any]]:
    """The tracks of a merge of 2 s: the sound ends at 1.2 s, and the video's own goes on."""
    return [
        {"tt": 0, "sg": [{"d": 2000, "src": video, "volume": 0}]},
        {"tt": 1, "role": "speech", "sg": [{"d": 1200, "src": sound}]},
        {"tt": 1, "role": "speech", "sg": [{"start": 1200, "d": 800, "in": 1200, "src": video}]},
    ]


def assert_filled_alike(path: Path) -> None:
    """The sound and what fills it are as loud as each other, and cross-faded where they meet."""
    spans = [(0.1, 1.0), (1.3, 1.9), (1.16, 1.22)]
    (sound, fill, joint) = (level_db(path, first, last) for first, last in spans)
    assert abs(fill - sound) < 1, (sound, fill)
    assert joint > sound - 6
