"""`avpipe sync`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

from avpipe import jsonform
from avpipe.alignment import align_paths
from avpipe.cli.output import print_json, settings, shown_time
from avpipe.cli.switches import json_option
from avpipe.files import require_files, require_target
from avpipe.media import Alignment, Piece, Verdict
from avpipe.settings import Settings

if TYPE_CHECKING:
    from avpipe.listen.align import Heard
    from avpipe.listen.hearing import Wave
    from avpipe.plot.alignment import Envelope, Measured

SCHEMA = "avpipe.sync/1"
_KEYS = (
    *("verdict", "offset_s", "drift_ppm", "confidence", "offset_error_s", "drift_error_ppm"),
    *("overlap_s", "reason", "pieces", "candidates", "elapsed_s"),
)
_NO_DRIFT_SIGMAS = 2.0
_CLOCK = 150e-6
"""What a clock adds to the ratio of two rates."""
_MISTAKES = {
    44.1 / 48: "44.1 kHz were read as 48",
    48 / 44.1: "48 kHz were read as 44.1",
    25 / 24: "24 frames a second were shown as 25",
    24 / 25: "25 frames a second were shown as 24",
    25 / 24 * 1.001: "23.976 frames a second were shown as 25",
    24 / 25 / 1.001: "25 frames a second were shown as 23.976",
    1.001: "23.976 frames a second were shown as 24",
    1 / 1.001: "24 frames a second were shown as 23.976",
}
"""Seconds of the audio in one of the video, and what makes it so."""


@click.command("sync")
@click.argument("video", type=click.Path())
@click.argument("audio", type=click.Path())
@click.option("--plot", "picture", type=click.Path(), help="Draw it, as a PNG.")
@click.option("-y", "--overwrite", is_flag=True, help="Replace a picture that is there.")
@json_option
def command(
    video: str, audio: str, picture: str | None, overwrite: bool, as_json: bool, debug: bool
) -> None:
    """Find where AUDIO belongs on the time line of VIDEO, and how sure that is."""
    current = settings()
    require_files((video, audio))
    target = None if picture is None else Path(picture).absolute()
    if target is not None:
        require_target(target, (video, audio), overwrite=overwrite)
    heard = _listen(video, audio, current, waves=target is not None)
    if target is not None:
        from avpipe.render.workspace import write_whole  # only where something is written

        write_whole(target, _drawn(heard, video, audio), overwrite=overwrite)
    alignment = heard.alignment
    if as_json:
        form = jsonform.encode(alignment)
        print_json({"schema": SCHEMA, **{key: form[key] for key in _KEYS}})
        return
    for line in lines(alignment):
        click.echo(line)


def _listen(video: str, audio: str, current: Settings, *, waves: bool) -> Heard:
    """Align, with a bar on a terminal."""
    bar = None
    if sys.stderr.isatty():
        from avpipe.cli.bar import Bar  # rich is imported only where it is seen

        bar = Bar()
    try:
        with closing(align_paths(video, audio, current, waves=waves)) as steps:
            while True:
                update = next(steps)
                if bar is not None:
                    bar.show(update)
    except StopIteration as end:
        result: Heard = end.value
        return result
    finally:
        if bar is not None:
            bar.close()


def _drawn(heard: Heard, video: str, audio: str) -> bytes:
    """The picture of an alignment."""
    from avpipe.plot.alignment import (
        draw_alignment,
    )  # NumPy and matplotlib, only where it is asked for

    return draw_alignment(
        heard.alignment,
        _envelope(heard.camera),
        _envelope(heard.recorder),
        _measured(heard),
        names=(Path(video).name, Path(audio).name),
    )


def _envelope(wave: Wave | None) -> Envelope:
    """The outline of a sound; where there is none, of silence."""
    import numpy as np

    from avpipe.plot.alignment import Envelope

    if wave is None:
        return Envelope(step_s=1.0, low=np.zeros(1), high=np.zeros(1))
    return Envelope(step_s=wave.step_s, low=wave.low, high=wave.high, start_s=wave.start_s)


def _measured(heard: Heard) -> Measured:
    """The moments that were measured."""
    import numpy as np

    from avpipe.plot.alignment import Measured

    return Measured(
        video_s=np.array([one.time_s for one in heard.residuals]),
        residual_s=np.array([one.residual_s for one in heard.residuals]),
        used=np.array([one.inlier for one in heard.residuals], np.bool_),
    )


def lines(alignment: Alignment) -> Iterator[str]:
    """The result in words."""
    verdict = alignment.verdict or Verdict.UNRELATED
    why = "" if alignment.reason is None else f": {alignment.reason.in_words}"
    sure = f", {_percent(alignment.confidence)} sure" if verdict is Verdict.MATCHED else ""
    yield f"{verdict}{why}{sure}"
    if alignment.offset_s is None or alignment.drift_ppm is None:
        return
    error = "" if alignment.offset_error_s is None else f" (±{_milliseconds(alignment)} ms)"
    guess = "best guess: " if verdict is Verdict.UNCERTAIN else ""
    yield f"{guess}{_place(alignment.offset_s)}{error}"
    yield _drift(alignment)
    if alignment.inverted:
        yield "its polarity is the opposite of the camera's"
    yield f"they have {shown_time(alignment.overlap_s or 0.0)} in common"
    if len(alignment.pieces) > 1:
        yield f"they are not one take, there are {len(alignment.pieces)} pieces:"
        yield from (f"  {_piece(piece)}" for piece in alignment.pieces)
    if alignment.candidates:
        yield "other places that fit nearly as well:"
        yield from (f"  {_place(other.offset_s)}" for other in alignment.candidates)


def _place(offset_s: float) -> str:
    if abs(offset_s) < 0.5e-3:
        return "the audio starts with the video"
    return (
        f"the audio starts {abs(offset_s):.4f} s {'after' if offset_s > 0 else 'before'} the video"
    )


def _drift(alignment: Alignment) -> str:
    drift = alignment.drift_ppm or 0.0
    error = alignment.drift_error_ppm
    if error is not None and abs(drift) < _NO_DRIFT_SIGMAS * error:
        return "no drift that can be told from none"
    spread = "" if error is None else f" (±{max(error, 0.01):.2f})"
    hourly = f"{abs(drift) * 3.6:.1f} ms an hour too {'long' if drift > 0 else 'short'}"
    return f"drift {drift:+.2f} ppm{spread}: the audio runs {hourly}{_as_if(drift)}"


def _as_if(drift_ppm: float) -> str:
    """Which rate was told wrongly, where the drift is that of such a file."""
    for rate, mistake in _MISTAKES.items():
        if abs((1 + drift_ppm * 1e-6) / rate - 1) < _CLOCK:
            return f", as if {mistake}"
    return ""


def _piece(piece: Piece) -> str:
    span = f"{shown_time(piece.audio_start_s)} to {shown_time(piece.audio_end_s)} of the audio"
    return f"{span}: offset {piece.offset_s:+.4f} s, drift {piece.drift_ppm:+.2f} ppm"


def _milliseconds(alignment: Alignment) -> str:
    return f"{max((alignment.offset_error_s or 0.0) * 1e3, 0.001):.3f}"


def _percent(confidence: float | None) -> str:
    """Never 100: it is a probability."""
    return f"{min(confidence or 0.0, 0.999) * 100:.1f} %"
