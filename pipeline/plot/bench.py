"""The pictures of a bench: where the time goes, what quality costs, and where a cloud is quicker.

Each is an SVG of its own, with the letters drawn as paths.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_COLORS = (
    *("#8c9aa8", "#1f5fa8", "#6ea8e6", "#c8641e", "#e8b06a"),
    *("#d9d4c7", "#2e7d4f", "#8a5aa8", "#404448"),
)
_BAR_IN = 0.42
_WIDTH_IN = 8.6
_HERE, _THERE = "#dce8f5", "#f8e3d0"
_MARKS = "osD^vP*X"


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """One way to merge, and how its time is split."""

    name: str
    spent_s: Mapping[str, float]
    """By stage, in the order in which they are drawn; every bar has the same stages."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One file: what it takes and how it looks."""

    name: str
    size_bytes: int
    vmaf: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Border:
    """Where two ways take the same time."""

    name: str
    uplink_bytes_s: Callable[[float], float | None]
    """By the length in seconds; None where no uplink is fast enough."""


def draw_time(bars: Sequence[Bar]) -> bytes:
    """Stacked bars of the seconds that each stage took."""

    def draw(axes: Axes) -> None:
        left = np.zeros(len(bars))
        places = np.arange(len(bars))[::-1]
        for number, stage in enumerate(bars[0].spent_s):
            width = np.array([bar.spent_s[stage] for bar in bars])
            if width.max() > 0:
                axes.barh(places, width, 0.62, left, color=_COLORS[number], label=stage)
            left += width
        for place, total in zip(places, left, strict=True):
            axes.text(float(total), float(place), f"  {total:.1f} s", va="center", fontsize=9)
        axes.set_yticks(places, [bar.name for bar in bars])
        axes.set_xlim(0, float(left.max()) * 1.12)
        axes.set_xlabel("seconds: the median of each stage")
        axes.legend(ncols=5, loc="lower left", bbox_to_anchor=(0, 1.01), frameon=False, fontsize=9)

    return _svg(draw, 1.5 + _BAR_IN * len(bars))


def draw_quality(points: Sequence[Point]) -> bytes:
    """VMAF over size."""

    def draw(axes: Axes) -> None:
        for number, point in enumerate(points):
            color, mark = _COLORS[1 + number % 7], _MARKS[number % len(_MARKS)]
            size = point.size_bytes / 1e6
            width = 15 - 8 * number / len(points)  # what lies on another is seen on it
            axes.plot(size, point.vmaf, mark, color=color, markersize=width, label=point.name)
        axes.set_xlabel("size of the output in MB")
        axes.set_ylabel("VMAF beside the source")
        axes.margins(0.12)
        axes.grid(visible=True, color="#e4e4e0", linewidth=0.6)
        beside: dict[str, Any] = {"loc": "center left", "bbox_to_anchor": (1.01, 0.5)}
        axes.legend(**beside, frameon=False, fontsize=9, labelspacing=1.0)

    return _svg(draw, 3.4)


def draw_break_even(borders: Sequence[Border], lengths_s: tuple[float, float]) -> bytes:
    """Lengths against uplinks: above the first border the cloud is quicker, below it this machine.

    Further borders are drawn as lines.
    """
    lengths = np.geomspace(*lengths_s, 200)
    curves = [np.array([_mbit_s(border, length) for length in lengths]) for border in borders]
    finite = np.concatenate([curve[np.isfinite(curve)] for curve in curves])
    (low, high) = (0.1, 1000.0)
    if finite.size:
        (low, high) = (min(low * 10, finite.min() / 4), max(high / 10, finite.min() * 40))

    def draw(axes: Axes) -> None:
        edge = np.where(np.isfinite(curves[0]), curves[0], high)
        axes.fill_between(lengths, low, np.minimum(edge, high), color=_HERE)
        axes.fill_between(lengths, np.minimum(edge, high), high, color=_THERE)
        for number, (border, curve) in enumerate(zip(borders, curves, strict=True)):
            style = "-" if number == 0 else "--"
            axes.plot(lengths, curve, style, color=_COLORS[3 if number == 0 else 8])
            if np.isfinite(curve).any():
                _name(axes, border.name, lengths, curve, others=curves)
        axes.set(xscale="log", yscale="log", ylim=(low, high), xlim=lengths_s)
        ticks = [s for s in _LENGTHS if lengths_s[0] <= s <= lengths_s[1]]
        axes.set_xticks(ticks, [_LENGTHS[s] for s in ticks])
        axes.set_xticks([], minor=True)
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axes.set_xlabel("length of the video")
        axes.set_ylabel("uplink in Mbit/s")
        inside: dict[str, Any] = {"transform": axes.transAxes, "fontsize": 10}
        axes.text(0.98, 0.04, "this machine is quicker", ha="right", color="#1f5fa8", **inside)
        if (edge < high).any():
            axes.text(
                0.98, 0.93, f"{borders[0].name} is quicker", ha="right", color="#a04a10", **inside
            )

    return _svg(draw, 3.8)


_LENGTHS = {10: "10 s", 60: "1 min", 600: "10 min", 3600: "1 h", 14400: "4 h"}


def _mbit_s(border: Border, length_s: float) -> float:
    rate = border.uplink_bytes_s(length_s)
    return np.inf if rate is None else rate * 8 / 1e6


def _name(
    axes: Axes, name: str, lengths: np.ndarray, curve: np.ndarray, *, others: Sequence[np.ndarray]
) -> None:
    """Write a border's name along it, where it is flattest: over the highest, else under it."""
    at = int(len(lengths) * 0.55)
    if np.isfinite(curve[at]):
        over = curve[at] >= max(other[at] for other in others if np.isfinite(other[at]))
        axes.annotate(
            name,
            (float(lengths[at]), float(curve[at])),
            (0, 5 if over else -5),
            textcoords="offset points",
            ha="center",
            va="bottom" if over else "top",
            fontsize=9,
        )


def _svg(draw: Callable[[Axes], None], height_in: float) -> bytes:
    import matplotlib  # takes a quarter of a second: not where nothing is drawn
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    logging.getLogger("matplotlib").setLevel(logging.CRITICAL)  # it tells of its font cache
    style: dict[Any, Any] = {
        "font.family": "DejaVu Sans",
        "font.size": 10,
        "svg.hashsalt": "avpipe",
    }
    with matplotlib.rc_context(style):
        figure = Figure(figsize=(_WIDTH_IN, height_in), layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.subplots()
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        draw(axes)
        out = io.BytesIO()
        figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()
