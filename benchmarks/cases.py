"""What is measured: each case sets a command of avpipe against the plain one, with a bar."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from avpipe.benchmarks.inputs import Inputs, conversation
from avpipe.benchmarks.truth.pairs import Pair as TruePair
from avpipe.codecs.encoders import X264
from avpipe.codecs.graph import GOP_S
from avpipe.recipe import Quality

AVPIPE = (sys.executable, "-P", "-c", "from avpipe.cli import main; main()")
"""As the installed command starts it, whatever the path."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Bar:
    """How much avpipe may take: `ratio` times what the other command takes, and `plus_s`."""

    ratio: float | None = None
    """None where the time is only told; 0 where the bar is a time."""
    plus_s: float = 0.0
    peak_mb: int | None = None

    def __str__(self) -> str:
        parts = []
        if self.ratio == 0:
            parts.append(f"{self.plus_s:g} s")
        elif self.ratio is not None:
            parts.append(f"{self.ratio:g} x" + (f" + {self.plus_s:g} s" if self.plus_s else ""))
        if self.peak_mb is not None:
            parts.append(f"{self.peak_mb} MB")
        return ", ".join(parts)


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """Two commands that do the same job."""

    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    outputs: tuple[Path, Path] | None = None
    """What ours and theirs write."""
    require: Callable[[str], None] | None = None
    """Looks at what ours printed; raises RuntimeError where that is wrong."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One comparison."""

    name: str
    about: str
    bar: Bar
    runs: int
    pair: Callable[[Inputs, Path, bool], Pair]
    """Takes the inputs, a folder for the outputs, and whether small ones will do."""
    memory: bool = True


def _start_up(inputs: Inputs, folder: Path, quick: bool) -> Pair:
    return Pair(
        ours=(*AVPIPE, "--version"),
        theirs=(sys.executable, "-P", "-c", "import click"),
    )


def _copy_merge(inputs: Inputs, folder: Path, quick: bool) -> Pair:
    video = inputs.busy_video(20 if quick else 1000)
    audio = inputs.music_aac(60 if quick else 600)
    return _merge(inputs, folder, video, audio, ("-c", "copy"))


def _copy_merge_long(inputs: Inputs, folder: Path, quick: bool, *, hours: int) -> Pair:
    seconds = 120 if quick else hours * 3600
    video = inputs.thin_video(seconds)
    return _merge(inputs, folder, video, inputs.music_aac(seconds + 60), ("-c", "copy"))


def _copy_merge_wav(inputs: Inputs, folder: Path, quick: bool) -> Pair:
    seconds = 20 if quick else 600
    options = ("-c:v", "copy", "-c:a", "aac", "-b:a", "192k")
    return _merge(inputs, folder, inputs.plain_video(seconds), inputs.music_wav(seconds), options)


def _encode(inputs: Inputs, folder: Path, quick: bool) -> Pair:
    seconds = 10 if quick else 30
    quality = Quality.DRAFT if quick else Quality.STANDARD
    options = (*_x264(quality), "-c:a", "aac", "-b:a", "192k", "-ar", "48000")
    (video, audio) = (inputs.plain_video(seconds), inputs.music_wav(seconds))
    ours = ("--video", "encode", "--quality", quality.value)
    return _merge(inputs, folder, video, audio, options, *ours)


def _smart_render(inputs: Inputs, folder: Path, quick: bool) -> Pair:
    """A title over 3 s, and the same length encoded with something drawn over its first 3 s."""
    quality = Quality.STANDARD
    options = (
        *("-vf", "drawbox=w=300:h=90:t=fill:enable='lt(t,3)'", *_x264(quality)),
        *("-c:a", "aac", "-b:a", "192k", "-ar", "48000"),
    )
    seconds = 20 if quick else 600
    video = inputs.sounding_video(seconds)
    outputs = (folder / "ours.mp4", folder / "theirs.mp4")
    sentence = 'add the title "Ten minutes" for the first 3 seconds and export it'
    asked = ("ask", sentence, str(video), "--new", "--route", "local", "-y", "-o", str(outputs[0]))
    return Pair(
        ours=(*_apart(folder / "state"), *asked),
        theirs=(*_plain(inputs), "-i", f"file:{video}", *options, f"file:{outputs[1]}"),
        outputs=outputs,
    )


def _apart(state: Path) -> tuple[str, ...]:
    """avpipe with a state folder of its own: nobody's session becomes another."""
    setting = f"import os; os.environ['AVPIPE_STATE_DIR'] = {str(state)!r}"
    return (*AVPIPE[:-1], f"{setting}; {AVPIPE[-1]}")


def _x264(quality: Quality) -> tuple[str, ...]:
    """ffmpeg's options for our encode."""
    settings = X264.options[quality].items()
    return (
        *("-c:v", "libx264", *(text for name, value in settings for text in (f"-{name}", value))),
        *("-profile:v", "high", "-pix_fmt", "yuv420p"),
        *("-force_key_frames", f"expr:gte(t,n_forced*{GOP_S})"),
    )


def _plain(inputs: Inputs) -> tuple[str, ...]:
    return (inputs.ffmpeg.path, "-hide_banner", "-nostdin", "-v", "error", "-y")


def _merge(
    inputs: Inputs, folder: Path, video: Path, audio: Path, options: tuple[str, ...], *more: str
) -> Pair:
    """Our merge of two files, and the ffmpeg command that a person would write for it."""
    outputs = (folder / "ours.mp4", folder / "theirs.mp4")
    return Pair(
        ours=(
            *(*AVPIPE, "merge", str(video), str(audio), "-o", str(outputs[0])),
            *("-y", "--sync", "start", *more),
        ),
        theirs=(
            *(*_plain(inputs), "-i", f"file:{video}", "-i", f"file:{audio}"),
            *("-map", "0:v:0", "-map", "1:a:0", *options, "-shortest", f"file:{outputs[1]}"),
        ),
        outputs=outputs,
    )


def _sync(seconds: int, quick_seconds: int, ending: str) -> Callable[[Inputs, Path, bool], Pair]:
    """Line up a camera's video and a recorder's sound, against decoding both and no more."""

    def pair(inputs: Inputs, folder: Path, quick: bool) -> Pair:
        truth = conversation(quick_seconds if quick else seconds)
        video, audio = inputs.recorded(truth, ending)
        low = ("-ar", "8000", "-ac", "1", "-f", "s16le", "-y", os.devnull)
        return Pair(
            ours=(*AVPIPE, "sync", str(video), str(audio), "--json"),
            theirs=(
                *(inputs.ffmpeg.path, "-hide_banner", "-nostdin", "-v", "error"),
                *("-i", f"file:{video}", "-i", f"file:{audio}"),
                *("-map", "0:a", *low, "-map", "1:a", *low),
            ),
            require=lambda text: _require_place(text, truth),
        )

    return pair


def _require_place(text: str, truth: TruePair) -> None:
    """Raise RuntimeError where a `sync` object says another place than the true one."""
    answer = json.loads(next(line for line in text.splitlines() if line.startswith("{")))
    offset, drift = answer["offset_s"], answer["drift_ppm"]
    (true,) = truth.pieces
    if answer["verdict"] != "matched":
        raise RuntimeError(f"sync is not sure: {text}")
    for moment in (true.audio_start_s, true.audio_end_s):
        off = offset + moment / (1 + drift / 1e6) - true.offset_s
        off -= moment / (1 + true.drift_ppm / 1e6)
        if abs(off) > 1e-3:
            raise RuntimeError(f"sync is {off * 1e3:.3f} ms off at {moment:.0f} s: {text}")


CASES = {
    case.name: case
    for case in (
        Case(
            name="start-up",
            about="`avpipe --version` against `python -c 'import click'`",
            bar=Bar(ratio=1.0, plus_s=0.12),
            runs=15,
            pair=_start_up,
            memory=False,
        ),
        Case(
            name="copy-merge",
            about="1 GB of H.264 with an AAC file, against `ffmpeg -c copy`",
            bar=Bar(ratio=1.3, plus_s=0.4, peak_mb=200),
            runs=7,
            pair=_copy_merge,
        ),
        Case(
            name="copy-merge-3h",
            about="3 hours of H.264 of a low bit rate with AAC, against `ffmpeg -c copy`",
            bar=Bar(peak_mb=200),
            runs=3,
            pair=partial(_copy_merge_long, hours=3),
        ),
        Case(
            name="copy-merge-24h",
            about="the same of a day, of which ffmpeg's libraries would hold each packet",
            bar=Bar(peak_mb=200),
            runs=1,
            pair=partial(_copy_merge_long, hours=24),
        ),
        Case(
            name="copy-merge-wav",
            about="10 minutes of H.264 with a WAV, against `ffmpeg -c:v copy -c:a aac`",
            bar=Bar(ratio=0.65),
            runs=3,
            pair=_copy_merge_wav,
        ),
        Case(
            name="encode",
            about="30 s of 1080p30 encoded, against ffmpeg with the same settings",
            bar=Bar(ratio=1.05),
            runs=3,
            pair=_encode,
        ),
        Case(
            name="smart-render",
            about="a 3 s title on 10 minutes of 1080p30, against encoding all of it",
            bar=Bar(ratio=0.1),
            runs=1,
            pair=_smart_render,
        ),
        Case(
            name="sync-20s",
            about="`avpipe sync` on 20 s, beside ffmpeg that decodes both",
            bar=Bar(ratio=0.0, plus_s=0.6, peak_mb=350),
            runs=7,
            pair=_sync(20, 20, "wav"),
        ),
        Case(
            name="sync",
            about="`avpipe sync` on 1 h of AAC video and 1 h of WAV, against decoding both",
            bar=Bar(ratio=0.8, peak_mb=350),
            runs=3,
            pair=_sync(3600, 60, "wav"),
        ),
        Case(
            name="sync-3h",
            about="`avpipe sync` on 3 h of AAC video and 3 h of AAC, against decoding both",
            bar=Bar(ratio=1.0, peak_mb=350),
            runs=3,
            pair=_sync(3 * 3600, 120, "m4a"),
        ),
    )
}
"""By name, in the order in which they are measured."""
