"""`python -m avpipe.benchmarks batch`: many pairs, planned, found by content, and made."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import click

from avpipe.benchmarks.cases import AVPIPE
from avpipe.benchmarks.inputs import Inputs
from avpipe.benchmarks.meter import Usage, run
from avpipe.benchmarks.shoots import Clip, make_shoot
from avpipe.benchmarks.truth.figures import markdown
from avpipe.codecs.encoders import X264
from avpipe.codecs.ffmpeg import find
from avpipe.codecs.process import usable_cores
from avpipe.recipe import Quality

PLAN_CPU_MS, PLAN_BYTES = 30.0, 300e6
PEER_RATIO = 1.05
PLACED_WITHIN_S = 0.02
_KINDS = ("plan", "content", "copy", "encode")
_X264 = (
    *("-c:v", "libx264", "-pix_fmt", "yuv420p"),
    *(
        text
        for name, value in X264.options[Quality.STANDARD].items()
        for text in (f"-{name}", value)
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One row of the table."""

    what: str
    found: str
    bar: str
    passed: bool


@click.command("batch")
@click.argument("kinds", nargs=-1, type=click.Choice(_KINDS))
@click.option("--pairs", type=click.IntRange(1), help="Of small files. [1000; 24 to make]")
@click.option("--seconds", type=click.IntRange(10), default=10, show_default=True)
@click.option("--clips", type=click.IntRange(1), default=100, show_default=True)
@click.option("--recordings", type=click.IntRange(1), default=20, show_default=True)
@click.option("--recording-seconds", type=click.IntRange(30), default=180, show_default=True)
@click.option("--runs", type=click.IntRange(1), default=3, show_default=True)
@click.option("--markdown", "markdown_file", type=click.Path(path_type=Path))
def main(
    kinds: tuple[str, ...],
    pairs: int | None,
    seconds: int,
    clips: int,
    recordings: int,
    recording_seconds: int,
    runs: int,
    markdown_file: Path | None,
) -> None:
    """Plan small pairs, find pairs by content, and make copies and encodes beside GNU parallel."""
    base = Path(tempfile.gettempdir(), "avpipe-benchmarks")
    base.mkdir(parents=True, exist_ok=True)
    inputs = Inputs(folder=base, ffmpeg=find(os.environ.get("AVPIPE_FFMPEG")))
    figures: list[Figure] = []
    for kind in kinds or _KINDS:
        click.echo(kind, err=True)
        with tempfile.TemporaryDirectory(prefix="batch-", dir=base) as name:
            work = Path(name)
            if kind == "plan":
                _small_pairs(work / "in", inputs, pairs or 1000, seconds)
                figures += _plan(work, pairs or 1000)
            elif kind == "content":
                truth = make_shoot(
                    work / "in",
                    inputs.ffmpeg,
                    clips=clips,
                    recordings=recordings,
                    strangers=max(clips // 20, 1),
                    seconds=recording_seconds,
                )
                figures += _content(work, truth)
            else:
                _small_pairs(work / "in", inputs, pairs or 24, seconds)
                figures.append(_made(work, inputs, kind, runs))
    rows = [("what", "found", "bar", "")]
    rows += [(f.what, f.found, f.bar, "pass" if f.passed else "MISS") for f in figures]
    text = markdown(rows)
    click.echo(text)
    if markdown_file is not None:
        markdown_file.write_text(text + "\n")
    if not all(figure.passed for figure in figures):
        raise SystemExit(1)


def _small_pairs(folder: Path, inputs: Inputs, count: int, seconds: int) -> None:
    """So many pairs of one content under their own names, each with a file of its own."""
    folder.mkdir()
    (video, audio) = (inputs.thin_video(seconds), inputs.music_wav(seconds))
    for number in range(count):
        shutil.copy(video, folder / f"p{number:04}.mp4")
        shutil.copy(audio, folder / f"p{number:04}.wav")


def _plan(work: Path, count: int) -> list[Figure]:
    """By name, nothing known of the files yet; and once more."""
    (work / "out").mkdir()
    argv = (*_batch(work), "--pair", "name", "--dry-run")
    figures = []
    for when in ("nothing known", "all remembered"):
        used = run(argv, work / "log")
        (cpu_ms, peak) = (1000 * used.cpu_s / count, used.peak_bytes or 0)
        figures.append(
            Figure(
                what=f"{count} pairs planned, {when}",
                found=f"{cpu_ms:.1f} ms of CPU a pair, {used.wall_s:.1f} s, {peak / 1e6:.0f} MB",
                bar=f"{PLAN_CPU_MS:.0f} ms, {PLAN_BYTES / 1e6:.0f} MB",
                passed=cpu_ms < PLAN_CPU_MS and peak < PLAN_BYTES,
            )
        )
    return figures


def _content(work: Path, truth: Sequence[Clip]) -> list[Figure]:
    """All clips against all recordings, whose names say nothing."""
    used = run((*_batch(work), "--pair", "content", "--dry-run"), work / "log")
    paired = {}
    for line in (work / "log").read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "item_paired":
            paired[event["item"]["video"]] = event
    theirs = [clip for clip in truth if clip.recording is not None]
    wrong = sum(_is_wrong(clip, paired.get(str(clip.path))) for clip in truth)
    missed = sum(str(clip.path) not in paired for clip in theirs)
    moved = sum(_is_moved(clip, paired.get(str(clip.path))) for clip in theirs)
    count = len({clip.recording for clip in theirs})
    return [
        Figure(
            what=f"{len(truth)} clips ({len(truth) - len(theirs)} of them strangers) "
            f"against {count} recordings",
            found=f"{used.wall_s:.0f} s, {used.cpu_s:.0f} s of CPU, {wrong} wrong, "
            f"{missed} not paired, {moved} elsewhere in the right recording",
            bar="minutes, 0 wrong",
            passed=wrong == 0 and used.wall_s < 3600,
        )
    ]


def _is_wrong(clip: Clip, event: Mapping[str, object] | None) -> bool:
    item = None if event is None else event["item"]
    return isinstance(item, dict) and item["audio"] != str(clip.recording)


def _is_moved(clip: Clip, event: Mapping[str, object] | None) -> bool:
    """Whether a clip is put to another place of its recording than the one that it heard."""
    found = None if event is None else event["alignments"]
    if not isinstance(found, list) or _is_wrong(clip, event):
        return False
    return bool(abs(found[0]["offset_s"] + clip.begin_s) > PLACED_WITHIN_S)


def _made(work: Path, inputs: Inputs, kind: str, runs: int) -> Figure:
    """The same pairs by a batch and by the bare command, in turn."""
    jobs = usable_cores(None)
    options = ("--video", "encode") if kind == "encode" else ()
    ours = (*_batch(work), "--pair", "name", "--sync", "start", *options)
    plain = (
        *(inputs.ffmpeg.path, "-hide_banner", "-nostdin", "-v", "error", "-y"),
        *("-i", f"{work / 'in'}/{{}}.mp4", "-i", f"{work / 'in'}/{{}}.wav"),
        *("-map", "0:v:0", "-map", "1:a:0", *(_X264 if kind == "encode" else ("-c:v", "copy"))),
        *("-c:a", "aac", "-b:a", "192k", "-shortest", "-movflags", "+faststart"),
        f"{work / 'out'}/{{}}.mp4",
    )
    stems = work / "stems"
    names = sorted(path.stem for path in (work / "in").glob("*.mp4"))
    stems.write_text("".join(f"{name}\n" for name in names))
    peer = ("parallel", "--will-cite", f"-j{jobs}", "-a", str(stems), *plain)
    if shutil.which("parallel") is None:
        peer = ("xargs", "-a", str(stems), f"-P{jobs}", "-I{}", *plain)
    used: dict[str, list[Usage]] = {"ours": [], "peer": []}
    for _ in range(runs):
        for who, argv in (("ours", ours), ("peer", peer)):
            shutil.rmtree(work / "out", ignore_errors=True)
            (work / "out").mkdir()
            used[who].append(run(argv, work / "log"))
            made = len(list((work / "out").glob("*.mp4")))
            if made != len(names):
                raise RuntimeError(f"{who}: {made} of {len(names)} outputs")
    (mine, theirs) = (median(one.wall_s for one in used[who]) for who in ("ours", "peer"))
    cpu = [median(one.cpu_s for one in used[who]) for who in ("ours", "peer")]
    return Figure(
        what=f"{len(names)} pairs, {kind}, beside {peer[0]} -j{jobs}",
        found=f"{mine:.2f} s / {theirs:.2f} s = {mine / theirs:.2f}; "
        f"CPU {cpu[0]:.1f} / {cpu[1]:.1f} s",
        bar=f"{PEER_RATIO} x",
        passed=mine <= PEER_RATIO * theirs,
    )


def _batch(work: Path) -> tuple[str, ...]:
    return (*AVPIPE, "batch", str(work / "in"), "-o", str(work / "out"), "--json")
