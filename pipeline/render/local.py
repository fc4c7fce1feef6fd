"""A plan becomes a verified file on this machine."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path

from avpipe.codecs import graph, isolate
from avpipe.codecs.edit_list import end_tracks_at
from avpipe.codecs.ffmpeg import Ffmpeg, running
from avpipe.codecs.measure import Measured
from avpipe.codecs.mp4_join import join_of, write_join
from avpipe.codecs.plain_samples import plain_sound
from avpipe.codecs.process import give_back_memory
from avpipe.codecs.standby import let_go
from avpipe.errors import RenderError
from avpipe.media import AlignmentMethod
from avpipe.plan.values import Plan
from avpipe.recipe import Action, Method
from avpipe.render.checks import checks_of_plan, require_passed
from avpipe.render.chunking import Fitted
from avpipe.render.pace import paced
from avpipe.render.sound import SoundJob, encode_at
from avpipe.render.workspace import flushing, publish, require_space, told_when_full, workspace
from avpipe.updates import Check, Progress

DECODE_S = 5.0
"""How much of each stream is decoded when the output is verified; a shorter one is whole."""
COPIED_DECODE_S = 0.2
"""The same of a copied video: 20 s of it took 3.5 s, and ffmpeg copies 1 GB in 1 s."""

MOST_RESIDUAL_MS = 1.0
"""How far the sound may be from where it belongs."""
MANY_PACKETS = 200_000
"""Of the picture, two hours: ffmpeg holds 180 bytes of each until its end."""


def render(
    plan: Plan, ffmpeg: Ffmpeg, *, workers: int, overwrite: bool
) -> Generator[Progress | tuple[Check, ...]]:
    """Carry out a plan; yields its progress and, when the output has its name, the checks.

    Raises RenderError or OutputExistsError; then nothing new stands under the output's name.
    """
    output = Path(plan.output.path)
    require_space(output.parent, _least_bytes(plan))
    with told_when_full(output.parent), workspace(output) as folder:
        made = folder / "output.mp4"
        (prepared, levels) = yield from _prepare(plan, ffmpeg, folder, workers)
        (found, fitted) = yield from _write(plan, ffmpeg, prepared, made, workers)
        checks = (*checks_of_plan(plan, found), *_sync_checks(plan, made, ffmpeg, workers))
        checks += (*_size_checks(plan, made, fitted), *_chunk_checks(fitted, found), *levels)
        require_passed(checks)
        yield Progress(stage="verify", done=1.0)
        publish(made, output, overwrite=overwrite, flushed=True)
    yield checks


def _write(
    plan: Plan, ffmpeg: Ffmpeg, prepared: graph.Prepared, made: Path, cores: int
) -> Generator[Progress, None, tuple[Measured, Fitted]]:
    """Make the file and measure it; gives how it was held under a size, too."""
    decode_s = COPIED_DECODE_S if plan.video is Action.COPY else DECODE_S
    with (
        _writing(plan, ffmpeg, prepared, made, cores) as (updates, holds_index),
        _measurer(str(made), decode_s, alone=holds_index) as measure,
    ):
        fitted = yield from updates
        if not made.is_file():
            raise RenderError(f"{ffmpeg.path} ended without an error and made nothing")
        give_back_memory()
        end_tracks_at(str(made), plan.timeline.duration)
        yield Progress(stage="verify", done=0.0)
        with flushing(made):
            return measure(), fitted


@contextmanager
def _writing(
    plan: Plan, ffmpeg: Ffmpeg, prepared: graph.Prepared, made: Path, cores: int
) -> Iterator[tuple[Generator[Progress, None, Fitted], bool]]:
    """What makes the file, and whether it needs much memory; a single ffmpeg is started now."""
    if plan.fit is not None and plan.video is Action.ENCODE:
        from avpipe.render.fitting import write_fitted  # only where a size is asked for

        yield write_fitted(plan, ffmpeg, prepared, made, cores), False
        return
    if (join := join_of(plan.recipe, prepared.tracks)) is not None:
        updates = _at_once(paced("video", plan.output.duration_s, write_join(join, str(made))))
        del join  # its tables are gone when all is written
        yield updates, False
        return
    arguments = graph.merge_arguments(plan.recipe, prepared, graph.source_url(str(made)))
    stall_s = isolate.patience_s(plan.output.estimated_bytes)
    many = (plan.inputs.video.video[0].packets or 0) > MANY_PACKETS
    with running(ffmpeg, arguments, "making the video", stall_s=stall_s) as written:
        yield _at_once(paced("video", plan.output.duration_s, written)), many


def _at_once(updates: Iterator[Progress]) -> Generator[Progress, None, Fitted]:
    yield from updates
    return Fitted(method=Method.COPY)


def _sync_checks(plan: Plan, made: Path, ffmpeg: Ffmpeg, cores: int) -> tuple[Check, ...]:
    """Whether the sound is where its content put it, in the output as it is."""
    alignments = (plan.alignment, *plan.more_alignments)
    if all(one.method is not AlignmentMethod.CONTENT for one in alignments):
        return ()
    from avpipe.render.residual import residual_s  # NumPy, and only where it was used already

    off_s = residual_s(plan, str(made), ffmpeg, cores=cores)
    off_ms = None if off_s is None else round(off_s * 1000, 4)
    ok = off_ms is None or off_ms <= MOST_RESIDUAL_MS
    return (Check(name="sync_residual_ms", ok=ok, value=off_ms),)


def _chunk_checks(fitted: Fitted, found: Measured) -> tuple[Check, ...]:
    """Whether a picture that was encoded in chunks has all its frames."""
    if fitted.layout is None:
        return ()
    (frames, chunks) = ([stream.packets for stream in found.video], fitted.layout.chunks)
    whole = frames == [fitted.layout.frames]
    counted = Check(name="video_packets", ok=whole, value=sum(frames))
    return (Check(name="chunks", ok=True, value=len(chunks)), counted)


def _size_checks(plan: Plan, made: Path, fitted: Fitted) -> tuple[Check, ...]:
    """Whether the file is under its size, and how it came there."""
    if plan.fit is None:
        return ()
    size_bytes = made.stat().st_size
    ok = size_bytes <= plan.fit.limit_bytes
    size = Check(name="size_bytes", ok=ok, value=size_bytes)
    return (size, Check(name="method", ok=True, value=fitted.method.value))


def _measurer(
    made: str, decode_s: float, *, alone: bool
) -> AbstractContextManager[Callable[[], Measured]]:
    """What measures the file, started now, or only later where the memory is needed until then."""
    if not alone:
        return isolate.ready_measurer(made, decode_s=decode_s)
    let_go()
    return nullcontext(partial(isolate.measure_file, made, decode_s=decode_s))


def _prepare(
    plan: Plan, ffmpeg: Ffmpeg, folder: Path, workers: int
) -> Generator[Progress, None, tuple[graph.Prepared, tuple[Check, ...]]]:
    picture = None
    if plan.inputs.video.picture is not None:
        picture = str(folder / "picture.mov")
        isolate.draw_picture(plan.inputs.video.path, picture)
    tracks: list[str] = []
    levels: tuple[Check, ...] = ()
    loudness = plan.loudness_lufs
    first = plan.video is Action.COPY or plan.fit is not None or loudness is not None
    if plan.audio is Action.ENCODE and first:
        # One AAC encoder holds one core, and a copied video needs none: the sound goes first,
        # in chunks on all of them. So it does where its loudness is measured as encoded, and under
        # a limit, where the picture gets what the sound has left.
        for track in range(plan.recipe.audio_tracks):
            target = str(folder / f"audio-{track}.m4a")
            sound = SoundJob(
                ffmpeg=ffmpeg,
                arguments=partial(graph.audio_arguments, plan.recipe, track, "pipe:1"),
                target=target,
                workers=workers,
                duration_s=plan.output.duration_s,
                bit_rate=plan.recipe.audio_bit_rate,
                plain=plain_sound(plan.recipe),
            )
            if loudness is None:
                yield from sound.encode()
            else:
                metered = graph.meter_arguments(plan.recipe, track)
                levels += yield from encode_at(loudness, metered, sound)
            tracks.append(target)
    return graph.Prepared(picture=picture, tracks=tuple(tracks)), levels


def _least_bytes(plan: Plan) -> int:
    """What the output takes at the very least: a copy is known, an encode only guessed."""
    share = 0.95 if plan.video is Action.COPY else 0.2
    return int(plan.output.estimated_bytes * share)
