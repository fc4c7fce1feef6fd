"""Short samples of a picture: taken once without loss, encoded at some rates, and compared.

They have no container, so that stretches can be put one after the other and their frames be
counted: frames as they are where those are few, else H.264 without loss, which of noise takes as
long to read as to encode.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from filecmp import cmp
from fractions import Fraction
from pathlib import Path
from typing import Any

import ffmpeg

from avpipe.codecs.ffmpeg import Ffmpeg, run_ffmpeg
from avpipe.codecs.graph import arguments_of, sampled_picture, source_url
from avpipe.codecs.rate import PictureRate
from avpipe.recipe import Quality, Recipe

KEY_UNIT, OTHER_UNIT = 5, 1
"""The types of H.264's units (7.4.1) that hold a key frame, and another one."""
SETTLED = 6
"""As many frames after a key frame the picture is as fine as it gets."""
EVERY_NTH = 3
"""Of the frames that are compared: a third of them tells the same to 0.2 of 100."""
VMAF = "libvmaf"
AFTER_KEY_S = 1.0
"""How long after a key frame of the source a stretch begins: all that is between them is decoded,
and of a stretch in the middle of ten seconds that is ten times what is taken."""
SPARSE_S = 6.0
"""How far apart stretches are, at least, that need not begin just where they should."""
MOST_PLAIN_BYTES = 100_000_000
"""What samples may take as plain frames: 1 s of 1080p30."""
_USUAL_RATE = Fraction(30)


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """How frames stand in a file of samples."""

    size: tuple[int, int]
    frame_rate: Fraction
    """Of frames that come at no constant rate, the mean."""
    plain: bool
    """Whether they are as they are, and not H.264."""

    @property
    def frame_bytes(self) -> int:
        """What a plain frame takes, of 8 bits and 4:2:0; its sides are even."""
        return self.size[0] * self.size[1] * 3 // 2

    @property
    def written(self) -> dict[str, Any]:
        """What ffmpeg is told to write it."""
        if self.plain:
            return {"f": "rawvideo", "pix_fmt": "yuv420p", "fps_mode": "passthrough"}
        lossless = {"c:v": "libx264", "preset": "ultrafast", "qp": 0, "fps_mode": "passthrough"}
        return {"f": "h264", **lossless}

    @property
    def read(self) -> dict[str, Any]:
        """The same to read it."""
        rate = {"framerate": f"{self.frame_rate.numerator}/{self.frame_rate.denominator}"}
        if self.plain:
            return {"f": "rawvideo", "pixel_format": "yuv420p", "video_size": self.size, **rate}
        return {"f": "h264", **rate}

    def frames_in(self, path: Path) -> int:
        """How many there are in a file."""
        return path.stat().st_size // self.frame_bytes if self.plain else _counted(path).frames


@dataclass(frozen=True, kw_only=True, slots=True)
class Samples:
    """Stretches of a picture, without loss, one after the other."""

    path: Path
    form: Form
    quality: Quality
    begins: tuple[int, ...]
    """The number of the first frame of each stretch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedSamples:
    """The same, encoded."""

    path: Path
    frames: int
    key_frames: int
    key_bytes: int
    other_bytes: int


def take_samples(
    ffmpeg_found: Ffmpeg,
    recipe: Recipe,
    windows: Sequence[tuple[float, float]],
    folder: Path,
) -> Iterator[int | Samples]:
    """Take stretches of a recipe's picture, as they would be encoded.

    `windows` are starts and lengths in seconds of the source. Yields how many are taken, and last
    the samples. Raises ChildFailedError or StalledError.
    """
    if recipe.encode is None:
        raise ValueError("a copied picture has no samples")
    form = _form(recipe, sum(length for _, length in windows))
    (whole, part, before) = (folder / "samples", folder / "part", folder / "before")
    before.touch()
    (begins, frames) = ([], 0)
    sparse = len(windows) > 1 and windows[1][0] - windows[0][0] >= SPARSE_S
    with whole.open("wb") as file:
        for number, window in enumerate(windows, 1):
            if sparse:
                _take(ffmpeg_found, recipe, window, part, form, near_key=True)
            # There may be no key frame since the last one, or none at all.
            if not sparse or not part.stat().st_size or cmp(part, before, shallow=False):
                _take(ffmpeg_found, recipe, window, part, form, near_key=False)
            with part.open("rb") as taken:
                shutil.copyfileobj(taken, file)
            begins.append(frames)
            frames += form.frames_in(part)
            part.replace(before)
            yield number
    before.unlink()
    yield Samples(path=whole, form=form, quality=recipe.encode.quality, begins=tuple(begins))


def encode_samples(
    ffmpeg_found: Ffmpeg, samples: Samples, size: tuple[int, int], crf: float
) -> EncodedSamples:
    """Encode samples at a size and a constant quality. Errors as those of `take_samples`."""
    target = samples.path.with_name(f"{size[0]}x{size[1]}-{crf:.2f}.h264")
    form = samples.form
    node = _read(samples.path, form)
    if size != form.size:
        node = _scaled(node, size)
    rate = PictureRate(crf=crf).options(samples.quality, float(form.frame_rate))
    options: dict[str, Any] = {"c:v": "libx264", "profile:v": "high", "f": "h264", **rate}
    # Where one stretch looks like the next, x264 sees no cut, and what is new counts as motion.
    keys = [(begin - 0.5) / float(form.frame_rate) for begin in samples.begins if begin]
    if keys:
        options["force_key_frames"] = ",".join(f"{key:.6f}" for key in keys)
    arguments = _arguments(ffmpeg.output(node, source_url(str(target)), **options))
    list(run_ffmpeg(ffmpeg_found, arguments, "encoding samples of the video"))
    return _counted(target)


def compare_samples(
    ffmpeg_found: Ffmpeg, samples: Samples, encoded: EncodedSamples, *, threads: int
) -> float:
    """The VMAF of encoded samples, seen at the full size. Errors as those of `take_samples`."""
    log = encoded.path.with_suffix(".json")
    form = samples.form
    (made, true) = (
        # Frames are paired by their number: raw H.264 has no times.
        _read(path, read).filter("setpts", expr=f"N/({float(form.frame_rate)}*TB)")
        for path, read in ((encoded.path, replace(form, plain=False)), (samples.path, form))
    )
    made = _scaled(made, form.size)
    score = ffmpeg.filter(
        [made, true],
        VMAF,
        log_fmt="json",
        log_path=str(log),
        n_threads=threads,
        n_subsample=EVERY_NTH,
    )
    arguments = _arguments(ffmpeg.output(score, "-", f="null"))
    list(run_ffmpeg(ffmpeg_found, arguments, "comparing samples of the video"))
    return float(json.loads(log.read_bytes())["pooled_metrics"]["vmaf"]["mean"])


def _take(
    ffmpeg_found: Ffmpeg,
    recipe: Recipe,
    window: tuple[float, float],
    target: Path,
    form: Form,
    *,
    near_key: bool,
) -> None:
    """Take a stretch: just where it should be, or near the key frame before."""
    arguments = _window_arguments(recipe, *window, target, form, near_key=near_key)
    list(run_ffmpeg(ffmpeg_found, arguments, "taking samples of the video"))


def _window_arguments(
    recipe: Recipe, start: float, length: float, target: Path, form: Form, *, near_key: bool
) -> list[str]:
    (camera, how) = (recipe.camera, recipe.encode)
    if how is None:
        raise ValueError("a copied picture has no samples")
    place = {"noaccurate_seek": None} if near_key else {"t": f"{length:.6f}"}
    source = ffmpeg.input(
        source_url(camera.path),
        f=camera.container,
        protocol_whitelist="file",
        ss=f"{start:.6f}",
        **place,
    )
    node = source[str(recipe.timeline.video.stream)]
    if near_key:
        node = node.filter("setpts", expr="PTS-STARTPTS")
        node = node.filter("trim", start=AFTER_KEY_S, duration=f"{length:.6f}")
    node = sampled_picture(node, recipe, how)
    return _arguments(ffmpeg.output(node, source_url(str(target)), **form.written))


def _form(recipe: Recipe, seconds: float) -> Form:
    """How samples of so many seconds are kept."""
    size = (recipe.timeline.width, recipe.timeline.height)
    frame_rate = recipe.camera.video[0].frame_rate or _USUAL_RATE
    plain = Form(size=size, frame_rate=frame_rate, plain=True)
    few = seconds * float(frame_rate) * plain.frame_bytes <= MOST_PLAIN_BYTES
    return plain if few else replace(plain, plain=False)


def _read(path: Path, form: Form) -> Any:
    return ffmpeg.input(source_url(str(path)), **form.read)["v:0"]


def _scaled(node: Any, size: tuple[int, int]) -> Any:
    return node.filter("scale", width=size[0], height=size[1], flags="bicubic+accurate_rnd")


def _arguments(node: Any) -> list[str]:
    return arguments_of(node.overwrite_output())


def _counted(path: Path) -> EncodedSamples:
    """What the key frames and the others of raw H.264 take; x264 writes one unit a frame."""
    units = path.read_bytes().split(b"\x00\x00\x01")[1:]
    kinds = (KEY_UNIT, OTHER_UNIT)
    frames = [(unit[0] & 31, len(unit) + 4) for unit in units if unit and unit[0] & 31 in kinds]
    keys = [size for kind, size in frames if kind == KEY_UNIT]
    others = sum(size for _, size in frames) - sum(keys)
    after = _bytes_after_keys(frames)
    return EncodedSamples(
        path=path,
        frames=len(frames),
        key_frames=len(keys),
        key_bytes=sum(keys) + after,
        other_bytes=others - after,
    )


def _bytes_after_keys(frames: Sequence[tuple[int, int]]) -> int:
    """What the frames next to key frames take more than the others do: it comes with the key frame.

    The next ones make it finer. Where nothing moves that is all there is, and samples begin with
    key frames far more often than the whole has them.
    """
    near: list[int] = []
    far: list[int] = []
    since = SETTLED
    for kind, size in frames:
        since = 0 if kind == KEY_UNIT else since + 1
        if since:
            (near if since < SETTLED else far).append(size)
    if not far:
        return 0
    return max(0, sum(near) - round(len(near) * sum(far) / len(far)))
