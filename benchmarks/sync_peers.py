"""`python -m avpipe.benchmarks sync-peers`: other tools that find offsets, on the same files."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import click

from avpipe.benchmarks.cases import AVPIPE
from avpipe.benchmarks.inputs import Inputs
from avpipe.benchmarks.meter import Usage, run
from avpipe.benchmarks.peers import Peer, installed
from avpipe.benchmarks.truth.figures import markdown
from avpipe.benchmarks.truth.pairs import Device, Expected, Pair
from avpipe.benchmarks.truth.sounds import Kind, Sound
from avpipe.codecs.ffmpeg import find

_BBC = """
import json, sys
from audio_offset_finder.audio_offset_finder import find_offset_between_files as find
found = find(sys.argv[1], sys.argv[2])
told = "score %.1f" % found["standard_score"]
print(json.dumps({"offset_s": float(found["time_offset"]), "told": told}))
"""
_SYNCSTART = """
import json, sys
import matplotlib
matplotlib.use("Agg")
import syncstart
camera, recorder = sys.argv[1:]
sys.argv[1:] = [camera, recorder, "-s", "-q", "-t", "7200"]
file, offset = syncstart.file_offset()
print(json.dumps({"offset_s": offset if file == camera else -offset, "told": ""}))
"""
_AUDALIGN = """
import json, os, sys
import audalign
found = audalign.align_files(*sys.argv[1:], recognizer=audalign.CorrelationRecognizer())
camera, recorder = (os.path.basename(path) for path in sys.argv[1:])
offset = found[recorder] - found[camera] if found else None
print(json.dumps({"offset_s": offset, "told": "" if found else "refused"}))
"""
# Each takes the camera's and the recorder's file, and prints `offset_s` and `told`.
PEERS = (
    Peer(name="audio-offset-finder", requirement="audio-offset-finder==0.5.5", program=_BBC),
    Peer(name="syncstart", requirement="syncstart==1.1.1", program=_SYNCSTART),
    Peer(name="audalign", requirement="audalign==1.3.1", program=_AUDALIGN),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What a tool said of a pair, and what it took."""

    offset_s: float | None
    drift_ppm: float
    told: str
    usage: Usage


def _pair(
    name: str, seconds: tuple[int, int], offset: str, drift: int, snr_db: float, **more: object
) -> Pair:
    plain: dict[str, object] = {
        "sound": Sound(Kind.TALKER, 3),
        "camera": Device(snr_db=snr_db, rt60_s=0.7, direct_to_reverb_db=-4.0),
    }
    return Pair(
        name=name,
        camera_s=Fraction(seconds[0]),
        recorder_s=Fraction(seconds[1]),
        offset_s=Fraction(offset),
        drift_ppm=Fraction(drift),
        **{**plain, **more},  # type: ignore[arg-type]
    )


PAIRS = (
    _pair("speech 5 min, 20 dB", (300, 300), "3.2171", 0, 20),
    _pair("speech 5 min, 0 dB", (300, 310), "-7.5318", 40, 0),
    _pair("speech 5 min, -10 dB", (300, 310), "-7.5318", 40, -10),
    _pair("song 3 min, 3 dB", (180, 110), "-5.2713", 40, 3, sound=Sound(Kind.SONG, 5, 1)),
    _pair("20 s common in 5 + 5 min", (300, 300), "280.4427", 40, 10),
    _pair("60 s in 10 min, 0 dB", (600, 60), "401.7713", 40, 0),
    _pair("speech 20 min, 5 dB, 100 ppm", (1200, 1200), "11.3079", 100, 5),
    _pair(
        *("another talker", (120, 120), "0", 0, 20),
        recorder_sound=Sound(Kind.TALKER, 5),
        expected=Expected.UNRELATED,
    ),
)


@click.command("sync-peers")
@click.option("--work", type=click.Path(path_type=Path), help="Keeps inputs and tools.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all answers.")
def main(work: Path | None, json_file: Path | None) -> None:
    """Let avpipe and other tools from PyPI align the same pairs; needs ffmpeg and ffprobe."""
    folder = work or Path(tempfile.gettempdir(), "avpipe-benchmarks")
    folder.mkdir(parents=True, exist_ok=True)
    inputs = Inputs(folder=folder, ffmpeg=find(os.environ.get("AVPIPE_FFMPEG")))
    others = installed(PEERS, folder / "peers", lambda line: click.echo(line, err=True))
    tools: dict[str, tuple[str, ...]] = {"avpipe": (*AVPIPE, "sync", "--json")}
    tools |= {peer.name: argv for peer, argv in others}
    rows: list[tuple[str, ...]] = [("pair", *tools)]
    kept = []
    for pair in PAIRS:
        files = tuple(map(str, inputs.recorded(pair, "wav")))
        cells = []
        for tool, argv in tools.items():
            click.echo(f"{pair.name}: {tool}", err=True)
            answer = _ask((*argv, *files), folder)
            cells.append(answer if isinstance(answer, str) else _cell(pair, answer))
            kept.append({"pair": pair.name, "tool": tool, "answer": cells[-1]})
        rows.append((pair.name, *cells))
    click.echo(markdown(rows))
    if json_file is not None:
        json_file.write_text(json.dumps(kept, indent=2) + "\n")


def _ask(argv: Sequence[str], folder: Path) -> Answer | str:
    """Run a tool; says why where it gives no answer."""
    log = folder / "peer-log.txt"
    try:
        usage = run(argv, log)
    except RuntimeError as error:
        return f"failed: {str(error).strip().splitlines()[-1][:60]}"
    lines = [line for line in log.read_text(errors="replace").splitlines() if line[:1] == "{"]
    if not lines:
        return "failed: no answer"
    answer = json.loads(lines[-1])
    told = answer.get("told", answer.get("verdict", ""))
    return Answer(
        offset_s=answer["offset_s"],
        drift_ppm=answer.get("drift_ppm") or 0.0,
        told=str(told),
        usage=usage,
    )


def _cell(pair: Pair, answer: Answer) -> str:
    """The errors at the head and the tail of the overlap, the time and the memory."""
    cost = f"{answer.usage.wall_s:.1f} s, {(answer.usage.peak_bytes or 0) / 1e6:.0f} MB"
    if answer.offset_s is None:
        return f"{answer.told}; {cost}"
    if not pair.related:
        return f"{answer.offset_s:.1f} s {answer.told}; {cost}"
    (true,) = pair.pieces
    head, tail = (
        answer.offset_s
        + moment / (1 + answer.drift_ppm / 1e6)
        - true.offset_s
        - moment / (1 + true.drift_ppm / 1e6)
        for moment in (true.audio_start_s, true.audio_end_s)
    )
    return f"{_shown(head)} / {_shown(tail)}; {cost}"


def _shown(error_s: float) -> str:
    return f"**{error_s:.1f} s**" if abs(error_s) > 0.5 else f"{error_s * 1e3:.3f} ms"
