"""Draws an alignment: both wave forms before and after, the measured places, the verdict."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from avpipe.media import Alignment, Piece, Verdict

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.floating[Any]]

VIDEO_COLOR, AUDIO_COLOR = "#1f5fa8", "#c8641e"
_LINE_COLOR, _FAINT, _OUTLIER_COLOR = "#202020", "#808080", "#b0b0b0"
_BANDS = ("#dcebd8", "#e8e2f2", "#fbeecb", "#d9eef2")
_VERDICT_COLORS = {
    Verdict.MATCHED: "#1f6b2e",
    Verdict.UNCERTAIN: "#9a5b00",
    Verdict.UNRELATED: "#9b1c1c",
}
_BINS = 2400
"""Of a wave form, at most: more would not be seen."""
_WIDTH_IN, _DPI = 12.0, 110
_STEPS_S = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14_400, 28_800)
_TICKS = 9
_AT_ONCE_S = 0.5e-4
"""Less is not told: it would be rounded to 0."""
_LAST_LETTER = 0x500
"""The font that comes with matplotlib has Latin, Greek and Cyrillic."""
_LONGEST_NAME = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Envelope:
    """A wave form as the least and the greatest sample of each step, in full scale."""

    step_s: float
    low: Floats
    """(steps,) from -1 on."""
    high: Floats
    """(steps,) up to 1."""
    start_s: float = 0.0
    """Where the first step begins: of the video's sound on the video's time line, else 0."""

    @property
    def end_s(self) -> float:
        """Where the last step ends."""
        return self.start_s + self.low.size * self.step_s


def _none() -> Floats:
    return np.zeros(0)


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """What single moments say of the fitted lines."""

    video_s: Floats = field(default_factory=_none)
    """(moments,) on the video's time line."""
    residual_s: Floats = field(default_factory=_none)
    """(moments,) how much later in the audio the same was heard than its piece's line says."""
    used: NDArray[np.bool_] | None = None
    """(moments,) whether the fit went by it; None where it went by all."""


def draw_alignment(
    alignment: Alignment,
    video: Envelope,
    audio: Envelope,
    measured: Measured | None = None,
    names: tuple[str, str] = ("video", "audio"),
) -> bytes:
    """Give a PNG of both wave forms, before and after, and of what the fit rests on.

    `alignment` without an `offset_s` is drawn as two wave forms that have no place to each other.
    """
    import matplotlib  # takes a quarter of a second: not where nothing is drawn
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    logging.getLogger("matplotlib").setLevel(logging.CRITICAL)  # it tells of its font cache
    placed = _pieces(alignment, audio)
    moments = _shown(measured) if placed else Measured()
    rows = [1.5, *([1.5] if placed else []), *([1.2, 1.0] if moments.video_s.size else [])]
    with matplotlib.rc_context({"font.family": "DejaVu Sans", "font.size": 10}):
        figure = Figure(figsize=(_WIDTH_IN, 1.6 + 1.55 * sum(rows)), layout="constrained")
        FigureCanvasAgg(figure)
        axes = list(figure.subplots(len(rows), 1, height_ratios=rows, squeeze=False)[:, 0])
        labels = (_legible(names[0]), _legible(names[1]))
        _write_title(figure, alignment)
        _draw_before(axes[0], video, audio, labels)
        if placed:
            _draw_after(axes[1], alignment, placed, video, audio)
        if moments.video_s.size:
            _draw_places(axes[2], placed, moments)
            _draw_residuals(axes[3], moments)
            begin, end = float(moments.video_s.min()), float(moments.video_s.max())
            for one in axes[2:]:
                _set_span(one, begin - 0.02 * (end - begin), end + 0.02 * (end - begin))
        out = io.BytesIO()
        figure.savefig(out, format="png", dpi=_DPI)
    return out.getvalue()


def in_words(alignment: Alignment) -> tuple[str, str]:
    """Give the verdict, and what was found, as two lines for people."""
    verdict = alignment.verdict
    head = "the sounds were not compared" if verdict is None else str(verdict)
    if alignment.reason is not None:
        head += f": {alignment.reason.in_words}"
    if alignment.confidence is not None and verdict is not Verdict.UNRELATED:
        head += f", {min(alignment.confidence, 0.999) * 100:.1f} % sure"
    if alignment.offset_s is None or alignment.drift_ppm is None:
        return head, "no place was found"
    found = f"the audio starts {_start(alignment.offset_s)} the video"
    if alignment.offset_error_s is not None:
        found += f" (± {_small(alignment.offset_error_s)})"
    found += f", drift {alignment.drift_ppm:+.2f} ppm"
    if alignment.drift_error_ppm is not None:
        found += f" (± {alignment.drift_error_ppm:.2g})"
    if alignment.inverted:
        found += ", polarity inverted"
    if len(alignment.pieces) > 1:
        found += f", {len(alignment.pieces)} pieces"
    if verdict is Verdict.UNCERTAIN:
        found = f"best guess: {found}"
    return head, found


def _start(offset_s: float) -> str:
    """When the audio starts, set against the video."""
    if abs(offset_s) < _AT_ONCE_S:
        return "with"
    return f"{_duration(abs(offset_s))} {'after' if offset_s > 0 else 'before'}"


def _pieces(alignment: Alignment, audio: Envelope) -> tuple[Piece, ...]:
    """The pieces, or all of the audio as one; none where there is no place."""
    if alignment.offset_s is None or alignment.drift_ppm is None:
        return ()
    if len(alignment.pieces) > 1:
        return alignment.pieces
    return (
        Piece(
            audio_start_s=0.0,
            audio_end_s=audio.end_s,
            offset_s=alignment.offset_s,
            drift_ppm=alignment.drift_ppm,
        ),
    )


def _place(piece: Piece, audio_s: Any) -> Any:
    """Where moments of the audio belong on the video's time line."""
    return piece.offset_s + audio_s / (1 + piece.drift_ppm / 1e6)


def _shown(measured: Measured | None) -> Measured:
    """What can be drawn of the measured moments: pairs of finite times."""
    if measured is None:
        return Measured()
    finite = np.isfinite(measured.video_s) & np.isfinite(measured.residual_s)
    return Measured(
        video_s=measured.video_s[finite],
        residual_s=measured.residual_s[finite],
        used=_used(measured)[finite],
    )


def _write_title(figure: Figure, alignment: Alignment) -> None:
    head, found = in_words(alignment)
    color = _LINE_COLOR if alignment.verdict is None else _VERDICT_COLORS[alignment.verdict]
    figure.suptitle(head, color=color, fontsize=15, fontweight="bold")
    figure.axes[0].set_title(f"{found}\n", fontsize=11)


def _draw_before(axes: Axes, video: Envelope, audio: Envelope, names: tuple[str, str]) -> None:
    """Both from their own starts."""
    _draw_wave(axes, video, 1.0, VIDEO_COLOR)
    _draw_wave(axes, audio, -1.0, AUDIO_COLOR)
    _frame(axes, "before: each from its own start")
    end = max(video.end_s, audio.end_s)
    _set_span(axes, min(video.start_s, 0.0), end)
    for name, top, color in zip(names, (1.0, 0.0), (VIDEO_COLOR, AUDIO_COLOR), strict=True):
        axes.text(
            *(0.006, 0.5 + top / 2 - 0.03, name),
            transform=axes.transAxes,
            va="top",
            color=color,
            fontsize=9,
            fontweight="bold",
            parse_math=False,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5},
        )


def _draw_after(
    axes: Axes,
    alignment: Alignment,
    pieces: Sequence[Piece],
    video: Envelope,
    audio: Envelope,
) -> None:
    """Both on the video's time line; the pieces as bands, other places as dotted lines."""
    _draw_wave(axes, video, 1.0, VIDEO_COLOR)
    for number, piece in enumerate(pieces):
        _draw_wave(axes, audio, -1.0, AUDIO_COLOR, piece)
        begin = max(_place(piece, piece.audio_start_s), video.start_s)
        end = min(_place(piece, piece.audio_end_s), video.end_s)
        if end > begin:
            axes.axvspan(begin, end, color=_BANDS[number % len(_BANDS)], zorder=0)
    title = "after: on the video's time line, what they share in colour"
    if alignment.candidates:
        title += "; dotted: where the audio may start as well"
    for other in alignment.candidates:
        axes.axvline(other.offset_s, color=_FAINT, linestyle=":", linewidth=1.2)
    _frame(axes, title)
    starts = [_place(piece, piece.audio_start_s) for piece in pieces]
    ends = [_place(piece, piece.audio_end_s) for piece in pieces]
    _set_span(axes, min(0.0, video.start_s, *starts), max(video.end_s, *ends))


def _draw_wave(
    axes: Axes, envelope: Envelope, middle: float, color: str, piece: Piece | None = None
) -> None:
    """Draw a wave form of height 2 around `middle`, of a piece where it belongs."""
    first, last = 0, envelope.low.size
    if piece is not None:
        first = max(int((piece.audio_start_s - envelope.start_s) / envelope.step_s), 0)
        last = min(int(np.ceil((piece.audio_end_s - envelope.start_s) / envelope.step_s)), last)
    if last <= first:
        return
    group = max(-(-(last - first) // _BINS), 1)
    edges = np.arange(first, last, group)
    peak = _peak(envelope)
    low = np.minimum.reduceat(np.nan_to_num(envelope.low[:last]), edges) / peak
    high = np.maximum.reduceat(np.nan_to_num(envelope.high[:last]), edges) / peak
    time = envelope.start_s + np.append(edges, last) * envelope.step_s
    where = time if piece is None else _place(piece, time)
    low, high = (np.clip(np.append(side, side[-1]), -1, 1) for side in (low, high))
    axes.fill_between(
        *(where, middle + 0.92 * low, middle + 0.92 * high),
        step="post",
        color=color,
        linewidth=0.4,
    )


def _peak(envelope: Envelope) -> float:
    """What is drawn at full height: nearly the loudest, so that a click does not hide the rest."""
    if envelope.low.size == 0:
        return 1.0
    loud = np.maximum(np.abs(np.nan_to_num(envelope.low)), np.abs(np.nan_to_num(envelope.high)))
    return max(float(np.quantile(loud, 0.998)), 1e-6)


def _frame(axes: Axes, title: str) -> None:
    axes.set_ylim(-2.05, 2.05)
    axes.set_yticks([])
    axes.axhline(0, color=_FAINT, linewidth=0.6)
    axes.set_title(title, loc="left", fontsize=10)


def _draw_places(axes: Axes, pieces: Sequence[Piece], moments: Measured) -> None:
    """What each moment says of its piece's offset, against the fitted lines: a slope is drift."""
    used = _used(moments)
    nearest = _nearest(pieces, moments.video_s)
    offset = np.array([piece.offset_s for piece in pieces])[nearest]
    scale = 1 + 1e-6 * np.array([piece.drift_ppm for piece in pieces])[nearest]
    audio_s = (moments.video_s - offset) * scale + moments.residual_s
    shift = moments.video_s - audio_s - offset
    ends = [np.array([piece.audio_start_s, piece.audio_end_s]) for piece in pieces]
    places = [_place(piece, end) for piece, end in zip(pieces, ends, strict=True)]
    lines = [
        place - end - piece.offset_s for piece, end, place in zip(pieces, ends, places, strict=True)
    ]
    per, unit = _unit([*abs(shift[used]), *(abs(y) for line in lines for y in line)])
    for place, line in zip(places, lines, strict=True):
        axes.plot(place, line * per, color=_LINE_COLOR, linewidth=1.2)
    axes.plot(moments.video_s[used], shift[used] * per, "o", color=AUDIO_COLOR, markersize=3.5)
    _draw_outliers(axes, moments.video_s[~used], shift[~used] * per)
    axes.set_ylabel(unit)
    title = "measured places, less the offset, and the fitted line"
    if len(pieces) > 1:
        title = "measured places, less the offset of each piece, and the fitted lines"
    axes.set_title(title, loc="left", fontsize=10)
    axes.grid(visible=True, color="#d8d8d8", linewidth=0.5)
    _draw_bands(axes, pieces, places)


def _draw_bands(axes: Axes, pieces: Sequence[Piece], places: Sequence[Floats]) -> None:
    """A band for each piece, its offset on top where there is room."""
    whole = max(place[1] for place in places) - min(place[0] for place in places)
    for number, (piece, place) in enumerate(zip(pieces, places, strict=True)):
        axes.axvspan(*place, color=_BANDS[number % len(_BANDS)], zorder=0, alpha=0.7)
        if len(pieces) > 1 and place[1] - place[0] > 0.1 * whole:
            axes.text(
                *(float(place.mean()), 0.96, f"offset {piece.offset_s:+.4f} s"),
                transform=axes.get_xaxis_transform(),
                ha="center",
                va="top",
                fontsize=8.5,
                bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 1.5},
            )


def _draw_outliers(axes: Axes, where: Floats, values: Floats) -> None:
    """Grey crosses for what was not used, at the edge where they are beyond it."""
    low, high = axes.get_ylim()
    edge = 0.04 * (high - low)
    clipped = np.clip(values, low + edge, high - edge)
    axes.plot(where, clipped, "x", color=_OUTLIER_COLOR, markersize=4, zorder=1)
    axes.set_ylim(low, high)


def _draw_residuals(axes: Axes, moments: Measured) -> None:
    """How far each moment is from its piece's line, on the video's time line."""
    used = _used(moments)
    error: Floats = -moments.residual_s
    inside = np.abs(error[used]) if used.any() else np.abs(error)
    bound = max(2.5 * float(np.quantile(inside, 0.9)), 1e-7)
    scale, unit = _unit([bound])
    axes.set_ylim(-1.08 * bound * scale, 1.08 * bound * scale)
    axes.axhline(0, color=_LINE_COLOR, linewidth=1.0)
    near = np.clip(error[used], -bound, bound) * scale
    axes.plot(moments.video_s[used], near, "o", color=AUDIO_COLOR, markersize=3.5)
    _draw_outliers(axes, moments.video_s[~used], error[~used] * scale)
    axes.set_ylabel(unit)
    spread = float(np.median(inside)) * scale
    title = f"residuals: half of them under {spread:.2g} {unit}"
    if not used.all():
        title += f"; {np.count_nonzero(~used)} of {used.size} not used (grey)"
    axes.set_title(title, loc="left", fontsize=10)
    axes.grid(visible=True, color="#d8d8d8", linewidth=0.5)
    axes.set_xlabel("time of the video")


def _used(moments: Measured) -> NDArray[np.bool_]:
    return np.ones(moments.video_s.size, bool) if moments.used is None else moments.used


def _nearest(pieces: Sequence[Piece], video_s: Floats) -> NDArray[np.intp]:
    """(moments,) the piece that a moment of the video lies in, or is nearest to."""
    distance = [
        np.maximum(
            _place(piece, piece.audio_start_s) - video_s, video_s - _place(piece, piece.audio_end_s)
        )
        for piece in pieces
    ]
    return np.asarray(np.argmin(np.maximum(np.stack(distance), 0.0), axis=0))


def _set_span(axes: Axes, begin: float, end: float) -> None:
    """Show a span of time, however short."""
    axes.set_xlim(begin, max(end, begin + 1e-3))
    _set_ticks(axes)


def _set_ticks(axes: Axes) -> None:
    """Ticks at whole seconds, minutes, hours, written as times."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator, MultipleLocator

    low, high = axes.get_xlim()
    step = next((step for step in _STEPS_S if (high - low) / step <= _TICKS), None)
    near = high - low < 3 * _STEPS_S[0]
    axes.xaxis.set_major_locator(MaxNLocator(6) if step is None or near else MultipleLocator(step))
    fine, long = near or (step or 1) < 1, high >= 3600
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _clock(value, fine, long)))


def _clock(seconds: float, fine: bool, long: bool) -> str:
    """A time as 0.50 s, 12:30 or, where all of them are `long`, 0:12:30."""
    sign = "−" if seconds < -1e-9 else ""
    if fine:
        return f"{sign}{abs(seconds):.2f} s"
    minutes, rest = divmod(round(abs(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours}:{minutes:02d}:{rest:02d}" if long else f"{sign}{minutes}:{rest:02d}"


def _duration(seconds: float) -> str:
    """A length of time, to a tenth of a millisecond."""
    if seconds < 60:
        return f"{seconds:.4f} s"
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{rest:07.4f}" if hours else f"{minutes}:{rest:07.4f}"


def _small(seconds: float) -> str:
    """A short time in ms or µs."""
    return f"{seconds * 1e3:.2g} ms" if seconds >= 1e-4 else f"{max(seconds * 1e6, 0.1):.2g} µs"


def _unit(values: Sequence[float]) -> tuple[float, str]:
    """What seconds are multiplied with to be legible, and the unit."""
    top = max(values, default=0.0)
    if top < 2e-3:
        return 1e6, "µs"
    return (1e3, "ms") if top < 2 else (1.0, "s")


def _legible(name: str) -> str:
    """A file's name in letters that the font has, on one line."""
    letters = "".join(_letters(name))
    if len(letters) <= _LONGEST_NAME:
        return letters
    half = _LONGEST_NAME // 2
    return f"{letters[:half]}…{letters[-half:]}"


def _letters(name: str) -> Iterator[str]:
    for letter in name:
        yield letter if letter.isprintable() and ord(letter) < _LAST_LETTER else "?"
