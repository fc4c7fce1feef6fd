"""A file that stays under a size: the quality that is wanted, or two passes that spend the size."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Generator, Iterator
from fractions import Fraction
from pathlib import Path

from avpipe import fit
from avpipe.codecs import graph, isolate
from avpipe.codecs.ffmpeg import Ceiling, Ffmpeg, run_ffmpeg
from avpipe.codecs.process import machine_memory_bytes
from avpipe.codecs.rate import ANOTHER, KEY_FRAMES_S, PictureRate
from avpipe.errors import DoesNotFitError, OverLimitError
from avpipe.plan.values import Plan
from avpipe.recipe import Action, Method, SizeFit
from avpipe.render.chunked import ChunkedPicture
from avpipe.render.chunking import ChunkLayout, Fitted, chunk_layout
from avpipe.render.pace import as_part, paced
from avpipe.updates import Progress

FIRST_SHARE = 0.3
"""What the first of two passes takes of the time of both."""
MOST_TRIES = 4
"""How often the second pass is made: again where the file is over its size, or wastes it."""
JOIN_BEGINS = 0.95
"""How far the making of chunks is when they are put together."""
STOP = 1.5
"""How many times its size a pass may take before it is stopped: what it would tell the next one of
what the bytes went to is worth its end."""
AHEAD = 0.25
"""What share of its size a pass at one quality may be ahead of its time, besides a key frame's: one
that is further will be too large, and its whole way is not gone to see that."""
STEP_DOWN = 0.8
"""What is asked for after a pass that was stopped, since it is not known how far it would go."""
PEAK = 4
"""How many times the average a moment may take where a quality is kept."""


def content_of(plan: Plan) -> fit.Content:
    """What a plan's output holds, as `fit` asks for it."""
    camera = plan.inputs.video
    drawn = plan.recipe.has_picture
    source_rate = camera.video[0].bit_rate if drawn else None
    texts = sum(len(f"{key}{value}".encode()) + 64 for key, value in camera.metadata.items())
    return fit.Content(
        duration=plan.timeline.duration,
        width=plan.timeline.width if drawn else 0,
        height=plan.timeline.height if drawn else 0,
        frame_rate=_frame_rate(plan) if drawn else fit.NO_FRAMES,
        sound_tracks=plan.recipe.audio_tracks,
        still=camera.picture is not None,
        uneven=drawn and camera.video[0].variable_frame_rate is not False,
        source_bytes=int(plan.timeline.duration * (source_rate or 0) / 8),
        extra_bytes=texts + 512 * camera.chapters,
    )


def write_fitted(
    plan: Plan, ffmpeg: Ffmpeg, prepared: graph.Prepared, made: Path, cores: int
) -> Generator[Progress, None, Fitted]:
    """Encode a plan's picture so that its file stays under its size; gives how that was done.

    Raises OverLimitError or DoesNotFitError where it cannot be done, and RenderError.
    """
    layout = chunk_layout(plan.recipe, cores, machine_memory_bytes())
    if layout is not None:
        method = yield from _InChunks(plan, ffmpeg, prepared, made, layout).write()
        if method is not None:
            return Fitted(method=method, layout=layout)
        made.unlink(missing_ok=True)  # what does not go together is encoded as a whole
    return Fitted(method=(yield from _AsWhole(plan, ffmpeg, prepared, made).write()))


class _Work:
    """A file that is made under a size, and how far it is from that."""

    def __init__(self, plan: Plan, ffmpeg: Ffmpeg, prepared: graph.Prepared, made: Path) -> None:
        if plan.fit is None:
            raise ValueError("this plan has no size to stay under")
        self.size: SizeFit = plan.fit
        self._plan = plan
        self._ffmpeg = ffmpeg
        self._prepared = prepared
        self._made = made
        self._kept = made.with_name("kept.mp4")
        self._log = str(made.with_name("passes"))
        self._seconds = plan.timeline.video.duration
        self._fixed = fit.container_bytes(content_of(plan)) + _sound_bytes(plan, prepared)

    @property
    def is_under(self) -> bool:
        """Whether there is a file that is not too large."""
        return 0 < _size_of(self._made) <= self.size.limit_bytes

    @property
    def peak_rate(self) -> int:
        """What a moment may take where a quality is kept."""
        return max(PEAK * self._rate(self._room()), 100_000)

    def _keep_larger(self) -> None:
        """Put aside what was made, where it is the best so far."""
        if self.is_under and _size_of(self._made) > _size_of(self._kept):
            self._made.replace(self._kept)

    def _use_kept(self) -> None:
        """Take the best of what was made. Raises OverLimitError where all was too large."""
        if not self._kept.exists():
            raise OverLimitError(
                f"the video could not be held under {self.size.limit_bytes / 1e6:.2f} MB",
                hint="allow a larger size",
            )
        self._kept.replace(self._made)

    def _room(self) -> int:
        """What is left for the picture. Raises DoesNotFitError where that is nothing."""
        room = math.floor(self.size.limit_bytes * fit.AIM) - self._fixed
        if room <= 0:
            least = math.ceil(self._fixed / fit.AIM) + 1
            raise DoesNotFitError(
                f"the sound alone takes {self._fixed / 1e6:.2f} MB", least_bytes=least
            )
        return room

    def _rate(self, picture_bytes: int) -> int:
        return max(1000, int(picture_bytes * 8 / self._seconds))

    @property
    def _stall_s(self) -> float:
        return isolate.patience_s(self.size.limit_bytes)


class _AsWhole(_Work):
    """The passes over the whole picture."""

    def write(self) -> Generator[Progress, None, Method]:
        """Make the file."""
        if self.size.method is Method.CRF:
            yield from self.keep_quality()
            if self.is_under:
                return Method.CRF
        again = self.size.method is Method.CRF
        yield from self.spend_size("correct" if again else "video")
        return Method.TWO_PASS

    def keep_quality(self) -> Iterator[Progress]:
        """One pass at the quality that is wanted, which ends where it will be too large."""
        rate = PictureRate(crf=self.size.crf, peak_rate=self.peak_rate)
        whole_s = self._plan.output.duration_s
        head = min(1.0, AHEAD + KEY_FRAMES_S / whole_s)
        ceiling = Ceiling(most_bytes=self.size.limit_bytes, head=head, whole_s=whole_s)
        yield from self._write(rate, "video", ceiling)

    def spend_size(self, stage: str) -> Iterator[Progress]:
        """Two passes; the second one is made again where it missed.

        The first one is made at about the quality of the second, where that is known for certain:
        one that is held to the rate spends it otherwise, and of a page that is scrolled the second
        then misses it by 13 %. But where the CRF is somewhat off and noise falls away with it, the
        first pass tells nothing of the second: a phone's video then lost 6 of VMAF.

        Where the second one misses, what it found the bytes to go to is what the next one goes by,
        which is asked for the same: of a screen that scrolls in bursts it misses by nothing then,
        in place of 7 %.
        """
        asked = room = self._room()
        knows_better = False
        crf = self.size.first_crf
        held = None if crf is not None else self._rate(asked)
        first = PictureRate(crf=crf, bit_rate=held, number=1, log=self._log)
        arguments = graph.first_pass_arguments(self._plan.recipe, self._prepared, first)
        seconds = run_ffmpeg(self._ffmpeg, arguments, "looking at the video", stall_s=self._stall_s)
        whole_s = self._plan.output.duration_s
        yield from as_part(paced(stage, whole_s, seconds), 0.0, FIRST_SHARE)
        for number in range(MOST_TRIES):
            bit_rate = self._rate(asked)
            rate = PictureRate(bit_rate=bit_rate, number=ANOTHER, log=self._log, whole_s=whole_s)
            ceiling = Ceiling(most_bytes=int(self.size.limit_bytes * STOP))
            yield from self._write(rate, stage, ceiling, begin=0.0 if number else FIRST_SHARE)
            stage = "correct"
            wanted = self._next(asked)
            if self._made.exists() and not knows_better:
                (asked, knows_better) = (room, True)
            elif wanted is not None:
                asked = wanted
            self._keep_larger()
            if wanted is None:
                break
        self._use_kept()

    def _write(
        self, rate: PictureRate, stage: str, ceiling: Ceiling, begin: float = 0.0
    ) -> Iterator[Progress]:
        """Make the file; nothing is there where it became too large."""
        target = graph.source_url(str(self._made))
        arguments = graph.merge_arguments(self._plan.recipe, self._prepared, target, rate)
        seconds = run_ffmpeg(
            self._ffmpeg,
            arguments,
            "making the video",
            stall_s=self._stall_s,
            ceiling=ceiling,
        )
        try:
            whole_s = self._plan.output.duration_s
            yield from as_part(paced(stage, whole_s, seconds), begin, 1.0)
        except OverLimitError:
            self._made.unlink(missing_ok=True)

    def _next(self, asked: int) -> int | None:
        """What to ask for next; None where the file is as large as it should be."""
        if not self._made.exists():
            return math.floor(asked * STEP_DOWN)
        return fit.next_bytes(asked, _size_of(self._made), self.size.limit_bytes)


class _InChunks(_Work):
    """The passes over chunks of the picture, some at a time."""

    def __init__(
        self,
        plan: Plan,
        ffmpeg: Ffmpeg,
        prepared: graph.Prepared,
        made: Path,
        layout: ChunkLayout,
    ) -> None:
        super().__init__(plan, ffmpeg, prepared, made)
        self._picture = ChunkedPicture(plan.recipe, ffmpeg, layout, made.parent)
        self._joined = made.with_name("joined.mp4")

    def write(self) -> Generator[Progress, None, Method | None]:
        """Make the file; gives None where the chunks did not go together."""
        crf = self.size.crf
        if self.size.method is Method.CRF:
            seconds = self._picture.keep_quality(self.size.crf, self.peak_rate)
            yield from self._told("video", seconds, 0.0, JOIN_BEGINS)
            whole_bytes = self._picture.made_bytes + self._fixed
            if whole_bytes <= self.size.limit_bytes:
                if not (yield from self._join("video")):
                    return None
                if self.is_under:
                    return Method.CRF
            crf = fit.coarser(crf, whole_bytes / self.size.limit_bytes)
        stage = "correct" if self.size.method is Method.CRF else "video"
        yield from self._told(stage, self._picture.look(crf), 0.0, FIRST_SHARE)
        passed = self._picture.spend(self._room())
        yield from self._told(stage, passed, FIRST_SHARE, JOIN_BEGINS)
        for number in range(MOST_TRIES):
            if not (yield from self._join(stage)):
                return None
            missing = math.floor(self.size.limit_bytes * fit.AIM) - _size_of(self._made)
            right = fit.next_bytes(0, _size_of(self._made), self.size.limit_bytes) is None
            self._keep_larger()
            if right or number == MOST_TRIES - 1:
                break
            stage = "correct"
            yield from self._told(stage, self._picture.correct(missing), 0.0, JOIN_BEGINS)
        self._use_kept()
        return Method.TWO_PASS

    def _join(self, stage: str) -> Generator[Progress, None, bool]:
        """Put the chunks and the sound together; false where the chunks do not go together."""
        if not self._picture.join(self._joined):
            return False
        prepared = dataclasses.replace(self._prepared, encoded=str(self._joined))
        target = graph.source_url(str(self._made))
        arguments = graph.merge_arguments(self._plan.recipe, prepared, target)
        seconds = run_ffmpeg(self._ffmpeg, arguments, "making the video", stall_s=self._stall_s)
        yield from self._told(stage, seconds, JOIN_BEGINS, 1.0)
        self._joined.unlink()
        return True

    def _told(
        self, stage: str, seconds: Iterator[float], begin: float, end: float
    ) -> Iterator[Progress]:
        yield from as_part(paced(stage, self._plan.output.duration_s, seconds), begin, end)


def _size_of(path: Path) -> int:
    """The size of a file; 0 where there is none."""
    return path.stat().st_size if path.exists() else 0


def _frame_rate(plan: Plan) -> Fraction:
    how = plan.encode
    if how is not None and how.frame_ticks is not None:
        return 1 / (how.frame_ticks * how.time_base)
    return plan.inputs.video.video[0].frame_rate or fit.USUAL_FRAME_RATE


def _sound_bytes(plan: Plan, prepared: graph.Prepared) -> int:
    """What the sound takes in the output: as it was made, or as the copied streams have it."""
    if prepared.tracks:
        return sum(Path(path).stat().st_size for path in prepared.tracks)
    if plan.audio is Action.COPY:
        return copied_sound_bytes(plan)
    return plan.recipe.audio_tracks * int(plan.timeline.duration * plan.recipe.audio_bit_rate / 8)


def copied_sound_bytes(plan: Plan) -> int:
    """What the plan's sound takes as it is; a stream that does not tell counts as its file."""
    total = 0
    for part in plan.timeline.audio:
        info = plan.recipe.source(part.source)
        stream = next(stream for stream in info.audio if stream.index == part.stream)
        if stream.bit_rate is None:
            total += info.size_bytes or 0
        else:
            total += math.ceil(stream.bit_rate * part.duration / 8)
    return total
