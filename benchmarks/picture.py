"""The drawn picture of a scene: a presenter who talks, a dial, the time, and a flash.

All coordinates are those of a 1280x720 picture.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from avpipe.benchmarks.scene import Samples, Scene

Image8 = NDArray[np.uint8]

_LARGE = 2  # drawn at twice the size and averaged down: Pillow's shapes have hard edges
_SKIN, _SHADE, _HAIR = "#f0c6a0", "#d9a67e", "#3b2a23"
_SHIRT, _SHIRT_DARK = "#0f766e", "#115e59"
_INK, _PALE, _ACCENT, _TEAL = "#e2e8f0", "#94a3b8", "#fbbf24", "#2dd4bf"
_HEAD = (290, 150, 510, 440)
_DIAL = (760, 70, 1080, 390)
_BARS = 64


def loudness_per_frame(scene: Scene, voice: Samples) -> NDArray[np.float64]:
    """(frames,) loudness in 0..1 of a voice that begins at `world_start`."""
    edges = [
        round((frame / scene.frame_rate - scene.world_start) * scene.sample_rate)
        for frame in range(scene.frame_count + 1)
    ]
    power = np.add.reduceat(np.square(voice[: edges[-1]], dtype=np.float64), edges[:-1])
    level = np.sqrt(power / np.diff(edges))
    loudness = np.clip(level / (np.percentile(level, 97) + 1e-9), 0, 1) ** 0.7
    return np.asarray(loudness, np.float64)


class Pen:
    """Draws on an image that may be a part of a larger picture, in that picture's coordinates."""

    def __init__(self, image: Image.Image, unit: float, origin: tuple[int, int] = (0, 0)) -> None:
        self._draw = ImageDraw.Draw(image)
        self._unit = unit
        self._origin = origin

    def _at(self, points: tuple[float, ...]) -> list[float]:
        return [value * self._unit - self._origin[i % 2] for i, value in enumerate(points)]

    def ellipse(self, *box: float, fill: str) -> None:
        """Fill an ellipse in a box of left, top, right, bottom."""
        self._draw.ellipse(self._at(box), fill=fill)

    def rounded(self, *box: float, radius: float, fill: str) -> None:
        """Fill a rectangle with round corners."""
        self._draw.rounded_rectangle(self._at(box), radius * self._unit, fill=fill)

    def chord(self, *box: float, start: float, end: float, fill: str) -> None:
        """Fill the part of an ellipse between two angles, cut straight."""
        self._draw.chord(self._at(box), start, end, fill=fill)

    def arc(self, *box: float, start: float, end: float, fill: str, width: float) -> None:
        """Draw a part of an ellipse's outline."""
        self._draw.arc(self._at(box), start, end, fill=fill, width=round(width * self._unit))

    def polygon(self, *points: float, fill: str) -> None:
        """Fill a polygon of x, y, x, y and so on."""
        self._draw.polygon(self._at(points), fill=fill)

    def line(self, *points: float, fill: str, width: float) -> None:
        """Draw a line through x, y, x, y and so on."""
        self._draw.line(self._at(points), fill=fill, width=max(round(width * self._unit), 1))

    def text(self, x: float, y: float, text: str, size: float, fill: str) -> None:
        """Write one line of text, centred on x, standing on y."""
        font = ImageFont.load_default(size=size * self._unit)
        at = self._at((x, y))
        self._draw.text((at[0], at[1]), text, fill=fill, font=font, anchor="ms")


class Stage:
    """Draws frames of a scene of any size; the parts that stand still are drawn once."""

    def __init__(self, scene: Scene, size: tuple[int, int], loudness: NDArray[np.float64]) -> None:
        self._scene = scene
        self._loudness = loudness
        self._unit = min(size[0] / 1280, size[1] / 720)
        self._large = {lit: self._still(size, lit=lit) for lit in (False, True)}
        self._small = {lit: image.reduce(_LARGE) for lit, image in self._large.items()}
        self._flashes = frozenset(scene.flash_frames)

    def frame(self, index: int) -> Image8:
        """(height, width, 3) RGB of one frame."""
        lit = index in self._flashes
        picture = self._small[lit].copy()
        level = float(self._loudness[index])
        seconds = index / self._scene.frame_rate
        turn = float(seconds / self._scene.flash_every % 1)
        for box in (_HEAD, _DIAL):
            left, top, right, bottom = (int(edge * self._unit) for edge in box)
            part = (left * _LARGE, top * _LARGE, right * _LARGE, bottom * _LARGE)
            patch = self._large[lit].crop(part)
            pen = Pen(patch, self._unit * _LARGE, part[:2])
            if box is _HEAD:
                _face(pen, level, blink=float(seconds % Fraction(31, 10)) < 0.12)
            else:
                _pointer(pen, turn)
            picture.paste(patch.reduce(_LARGE), (left, top))
        pen = Pen(picture, self._unit)
        _time(pen, seconds, index, "#0f172a" if lit else _INK)
        self._bars(pen, index)
        return np.asarray(picture)

    def _still(self, size: tuple[int, int], *, lit: bool) -> Image.Image:
        """Draw the wall, the presenter, the dial's face and the panel, at the large size."""
        image = Image.fromarray(_wall(size[0] * _LARGE, size[1] * _LARGE, lit=lit))
        pen = Pen(image, self._unit * _LARGE)
        _presenter(pen)
        _dial(pen, lit=lit)
        pen.polygon(0, 600, 9999, 600, 9999, 9999, 0, 9999, fill="#0b1120")
        pen.line(0, 601, 9999, 601, fill="#1e293b", width=3)
        every = float(self._scene.flash_every)
        pen.text(640, 700, f"made by avpipe - flash and click every {every:g} s", 20, "#64748b")
        return image

    def _bars(self, pen: Pen, index: int) -> None:
        """Draw the loudness of the last frames, this one's at the right in another colour."""
        for bar in range(_BARS):
            source = index - (_BARS - 1 - bar)
            half = 2 + 22 * (float(self._loudness[source]) if source >= 0 else 0.0)
            left = 68 + bar * 18
            colour = _ACCENT if bar == _BARS - 1 else _TEAL
            pen.line(left + 5, 642 - half, left + 5, 642 + half, fill=colour, width=9)


def _wall(width: int, height: int, *, lit: bool) -> Image8:
    """(height, width, 3): a dark wall with a soft light behind the head, or a white one."""
    if lit:
        return np.full((height, width, 3), 255, np.uint8)
    y, x = np.mgrid[0:height, 0:width].astype(np.float32)
    unit = min(width / 1280, height / 720)
    distance = ((x / unit - 400) / 420) ** 2 + ((y / unit - 290) / 360) ** 2
    glow = np.exp(-distance)[..., None]
    dark, light = np.array([17, 24, 39], np.float32), np.array([58, 78, 110], np.float32)
    return np.asarray(dark + (light - dark) * glow + 0.5, np.uint8)


def _presenter(pen: Pen) -> None:
    """Draw shoulders, neck, ears, head, hair and the clipped-on microphone."""
    pen.rounded(195, 470, 605, 900, radius=110, fill=_SHIRT)
    pen.polygon(346, 470, 400, 566, 454, 470, fill=_SHIRT_DARK)
    pen.polygon(362, 470, 400, 536, 438, 470, fill=_SHADE)
    pen.rounded(360, 380, 440, 490, radius=34, fill=_SHADE)
    pen.ellipse(284, 266, 318, 326, fill=_SHADE)
    pen.ellipse(482, 266, 516, 326, fill=_SHADE)
    pen.rounded(292, 140, 508, 330, radius=100, fill=_HAIR)
    pen.rounded(303, 172, 497, 428, radius=96, fill=_SKIN)
    pen.chord(298, 142, 502, 300, start=180, end=360, fill=_HAIR)
    pen.polygon(297, 216, 420, 216, 352, 250, 306, 274, 297, 274, fill=_HAIR)
    pen.line(447, 548, 452, 620, fill="#111827", width=3)
    pen.rounded(440, 516, 454, 552, radius=6, fill="#111827")


def _face(pen: Pen, level: float, *, blink: bool) -> None:
    """Draw brows, eyes, nose, and a mouth as open as it is loud."""
    lift, open_eye = 4 * level, 0.12 if blink else 1.0
    for x in (355, 445):
        pen.line(x - 20, 266 - lift, x + 20, 266 - lift, fill=_HAIR, width=7)
        pen.ellipse(x - 14, 296 - 14 * open_eye, x + 14, 296 + 14 * open_eye, fill="#ffffff")
        pen.ellipse(x - 8, 296 - 9 * open_eye, x + 8, 296 + 9 * open_eye, fill="#1f2937")
    pen.arc(384, 308, 416, 344, start=20, end=160, fill=_SHADE, width=6)
    tall, wide = 3 + 22 * level, 38 - 9 * level
    mouth = (400 - wide, 380 - tall, 400 + wide, 380 + tall)
    pen.ellipse(*mouth, fill="#7f1d1d")
    if level > 0.35:
        pen.chord(*mouth, start=215, end=325, fill="#f8fafc")


def _dial(pen: Pen, *, lit: bool) -> None:
    """Draw a ring with twelve marks; the pointer stands at the top one when it flashes."""
    pen.ellipse(765, 75, 1075, 385, fill="#cbd5e1" if lit else "#334155")
    pen.ellipse(775, 85, 1065, 375, fill="#ffffff" if lit else "#0f172a")
    for mark in range(12):
        inner = 112 if mark % 3 == 0 else 122
        ends = (*_around(mark / 12, inner), *_around(mark / 12, 134))
        pen.line(*ends, fill=_ACCENT if mark == 0 else _PALE, width=5)


def _around(turn: float, radius: float) -> tuple[float, float]:
    """Find the dial's point at a part of a turn, clockwise from the top."""
    angle = 2 * np.pi * turn
    return 920 + radius * float(np.sin(angle)), 230 - radius * float(np.cos(angle))


def _pointer(pen: Pen, turn: float) -> None:
    """Draw the pointer, which turns once from flash to flash."""
    pen.line(*_around(turn, -26), *_around(turn, 116), fill=_ACCENT, width=9)
    pen.ellipse(904, 214, 936, 246, fill=_ACCENT)


def _time(pen: Pen, seconds: Fraction, index: int, ink: str) -> None:
    """Write the frame's time and number."""
    whole, rest = divmod(int(seconds * 1000), 1000)
    clock = f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}.{rest:03d}"
    _columns(pen, 920, 470, clock, 66, ink)
    pen.text(860, 530, "frame", 32, _PALE)
    _columns(pen, 968, 530, f"{index:05d}", 32, _PALE)


def _columns(pen: Pen, x: float, y: float, text: str, size: int, ink: str) -> None:
    """Write text whose digits stay in their places, centred on x."""
    widths = [size * (0.3 if character in ":." else 0.6) for character in text]
    left = x - sum(widths) / 2
    for character, width in zip(text, widths, strict=True):
        pen.text(left + width / 2, y, character, size, ink)
        left += width
