"""A copied picture and finished sound in one MP4, without ffmpeg.

ffmpeg takes each packet apart and puts it together again, and holds an index of its own of all of
them. Where both files are plain MP4s (of one edit, one form, in themselves) nothing of that is
needed: their bytes are moved in half of the time, and their tables of samples are most of the new
index. Whatever is not plain is left to ffmpeg.
"""

from __future__ import annotations

import errno
import heapq
import struct
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from io import FileIO
from itertools import pairwise
from math import ceil

from avpipe.codecs.mp4_boxes import BoxError, Parts, bytes_of, size_of
from avpipe.codecs.mp4_entries import plain_picture_entry, plain_sound_entry
from avpipe.codecs.mp4_index import FILE_TYPE, IndexedTrack, Labels, lasting, movie_box
from avpipe.codecs.mp4_track import (
    MOST_INDEX_BYTES,
    Movie,
    Mp4Track,
    read_movie,
    read_track,
    spans_of,
)
from avpipe.errors import DiskFullError, RenderError
from avpipe.media import AudioStream, MediaInfo, VideoStream
from avpipe.recipe import AUDIO_RATE, Action, Recipe

CHUNK_S = Fraction(1, 2)
"""How much of a track lies together, so that a player need not go far for the other one."""
PIECE_BYTES = 256 * 1024
"""How much is read and written at once: it stays in the processor's cache."""
TAGS_NOT_AS_TEXT = frozenset(
    ("track", "disc", "tmpo", "compilation", "gapless_playback", "hd_video", "media_type",
     "season_number", "episode_sort", "timecode")
)  # fmt: skip
"""Tags that ffmpeg keeps in other ways than as text."""
TOLD_BYTES = 16 * 1024 * 1024
"""How much is written between two words on the progress."""
_Chunk = tuple[float, int, int]
"""When it begins in seconds, its track's number and its own."""
_UNTOLD = 0x55C4
"""The language `und`."""
_MOST_BEFORE_WIDE = (1 << 32) - 1 - MOST_INDEX_BYTES
"""What media may have where none of their chunks begins beyond what 32 bits tell."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """A track of the output."""

    track: Mp4Track
    samples: int
    """How many of its samples, from the first on."""
    duration: Fraction
    """How long it is shown or heard, in seconds."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Join:
    """What is put together."""

    parts: tuple[Part, ...]
    """The picture first."""
    labels: Labels


def join_of(recipe: Recipe, tracks: Sequence[str]) -> Join | None:
    """How a recipe is carried out here; None where one of the files is not plain.

    `tracks` are the files of encoded sound, one a track; empty where the sound is copied.
    """
    if not _is_plain(recipe) or not (tracks or recipe.audio is Action.COPY):
        return None
    try:
        movie = read_movie(recipe.camera.path)
        sounds = [_encoded(path, recipe) for path in tracks] or [_copied(recipe)]
        return Join(parts=(_picture(movie, recipe), *sounds), labels=_labels(movie, recipe.camera))
    except (BoxError, OSError):
        return None  # ffmpeg knows more forms, and says better what is wrong


def write_join(join: Join, target: str) -> Iterator[float]:
    """Write it; yields how many seconds of the output are written.

    Raises RenderError where an input ends too soon or cannot be read, DiskFullError.
    """
    layouts = [_Layout.of(part) for part in join.parts]
    with ExitStack() as files:
        sources = [files.enter_context(_source(part.track.path)) for part in join.parts]
        try:
            output = files.enter_context(open(target, "wb", buffering=0))  # noqa: PTH123
            for piece in bytes_of(_head(join.labels, layouts)):
                _write(output, piece)
            yield from _moved(layouts, sources, _Sink(output))
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFullError(f"no room for {target}") from error
            raise RenderError(f"cannot write {target}: {error.strerror}") from error


def _is_plain(recipe: Recipe) -> bool:
    """Whether the whole picture is shown as it is, from the start to the end."""
    camera, shown = recipe.camera, recipe.timeline.video
    facts = camera.video[0]
    return (
        recipe.video is Action.COPY
        and camera.container == "mov"
        and not any(stream.text for stream in camera.subtitles)
        and not camera.chapters
        and not TAGS_NOT_AS_TEXT & camera.metadata.keys()
        and facts.duration is not None
        and shown.start == 0
        and shown.source_in == 0
        and abs(recipe.timeline.duration - facts.duration) <= _rounding(facts)
    )


def _picture(movie: Movie, recipe: Recipe) -> Part:
    facts = recipe.camera.video[0]
    track = _track(movie, facts, b"vide")
    begin = track.shown_from
    if not 0 <= track.media_time <= begin:
        raise BoxError("its edit list hides frames")
    shown = track.shown_until - begin
    if abs(Fraction(shown, track.scale) - recipe.timeline.duration) > _rounding(facts):
        raise BoxError("its last frame is told to last in another way")
    entry = plain_picture_entry(track.entry, full_range=facts.color_range == "pc")
    return Part(
        track=replace(track, entry=entry, media_time=begin),
        samples=len(track.sizes),
        duration=recipe.timeline.duration,
    )


def _rounding(facts: VideoStream) -> Fraction:
    """How far the output's duration may be from the picture's own, in seconds."""
    return facts.time_base + Fraction(1, AUDIO_RATE)


def _encoded(path: str, recipe: Recipe) -> Part:
    """A track of sound that was made for this output."""
    track = read_track(read_movie(path), 0)
    track = replace(track, entry=plain_sound_entry(track.entry), language=_UNTOLD)
    return _heard(track, Fraction(track.ticks - track.media_time, track.scale), recipe)


def _copied(recipe: Recipe) -> Part:
    """The recording's own track; it is copied from its first sample on."""
    (part,) = recipe.timeline.audio
    info = recipe.source(part.source)
    facts = next(stream for stream in info.audio if stream.index == part.stream)
    if info.container != "mov" or part.start or part.source_in or facts.duration is None:
        raise BoxError("the recording does not lie as it is in an MP4")
    movie = read_movie(info.path)
    track = _track(movie, facts, b"soun")
    if not track.media_time and movie.texts is not None and b"iTunSMPB" in bytes(movie.texts):
        raise BoxError("its first samples are told by a tag")
    track = replace(track, entry=plain_sound_entry(track.entry))
    return _heard(track, facts.duration, recipe)


def _heard(track: Mp4Track, length: Fraction, recipe: Recipe) -> Part:
    """A track of sound, as much of it as the output lasts."""
    duration = min(length, recipe.timeline.duration)
    left = ceil(track.media_time + duration * track.scale)
    samples = 0
    for count, delta in track.deltas:
        taken = min(count, ceil(Fraction(left, delta))) if delta else count
        samples += max(taken, 0)
        left -= taken * delta
        if left <= 0:
            return Part(track=track, samples=samples, duration=duration)
    raise BoxError("its samples last less than it does")


def _track(movie: Movie, facts: VideoStream | AudioStream, handler: bytes) -> Mp4Track:
    """The track of a stream that ffmpeg reads as it stands in the index."""
    track = read_track(movie, facts.index)
    told = (track.handler, len(track.sizes), Fraction(1, track.scale))
    if told != (handler, facts.packets, facts.time_base):
        raise BoxError("ffmpeg reads it in another way")
    return track


def _labels(movie: Movie, camera: MediaInfo) -> Labels:
    created = movie.created if "creation_time" in camera.metadata else 0
    return Labels(created=created, texts=camera.metadata)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Layout:
    """How a track lies in the output: chunk by chunk."""

    part: Part
    bounds: array[int]
    """The first sample of each chunk, and the one behind the last chunk."""
    begins: array[int]
    """When each chunk begins, in ticks."""
    sizes: array[int]
    """How large each chunk is, in bytes."""

    @classmethod
    def of(cls, part: Part) -> _Layout:
        """The layout of a track."""
        (bounds, begins) = _chunked(part)
        sizes = (sum(part.track.sizes[first:end]) for first, end in pairwise(bounds))
        return cls(part=part, bounds=bounds, begins=begins, sizes=array("Q", sizes))

    def order(self, number: int) -> Iterator[_Chunk]:
        """Its chunks as those of the track of that number: when each begins, and its own number."""
        for chunk, ticks in enumerate(self.begins):
            yield ticks / self.part.track.scale, number, chunk


def _chunked(part: Part) -> tuple[array[int], array[int]]:
    """The bounds of a track's chunks, and when each begins."""
    step = int(CHUNK_S * part.track.scale)
    (bounds, begins) = (array("I", [0]), array("Q", [0]))
    sample, ticks, following = 0, 0, step
    for run, delta in part.track.deltas:
        left = min(run, part.samples - sample)
        while left > 0:
            count = min(left, max(1, -(-(following - ticks) // delta))) if delta else left
            (sample, ticks, left) = (sample + count, ticks + count * delta, left - count)
            if ticks >= following and sample < part.samples:
                bounds.append(sample)
                begins.append(ticks)
                following = ticks + step
    bounds.append(part.samples)
    return bounds, begins


def _order(layouts: Sequence[_Layout]) -> Iterator[_Chunk]:
    """The chunks of all tracks as they lie in the output."""
    return heapq.merge(*(layout.order(number) for number, layout in enumerate(layouts)))


def _head(labels: Labels, layouts: Sequence[_Layout]) -> Parts:
    """Everything before the media, which begin where it ends."""
    media_bytes = sum(sum(layout.sizes) for layout in layouts)
    is_wide = media_bytes > _MOST_BEFORE_WIDE
    opening = struct.pack(">I4sQ", 1, b"mdat", 16 + media_bytes)
    if not is_wide:
        opening = struct.pack(">I4s", 8 + media_bytes, b"mdat")
    index = partial(movie_box, _indexed(layouts), labels, scale=AUDIO_RATE, is_wide=is_wide)
    begin = len(FILE_TYPE) + size_of(index(begin=0)) + len(opening)
    return [FILE_TYPE, *index(begin=begin), opening]


def _indexed(layouts: Sequence[_Layout]) -> list[IndexedTrack]:
    """The tracks with their chunks' places in the media."""
    places = [array("Q", bytes(8 * len(layout.begins))) for layout in layouts]
    begin = 0
    for _, number, chunk in _order(layouts):
        places[number][chunk] = begin
        begin += layouts[number].sizes[chunk]
    return [
        _as_indexed(layout, where, is_default=number < 2)
        for number, (layout, where) in enumerate(zip(layouts, places, strict=True))
    ]


def _as_indexed(layout: _Layout, places: array[int], *, is_default: bool) -> IndexedTrack:
    part = layout.part
    # Not from the first time of decoding to the last of showing: a track that is told to last
    # longer than it is shown tells less frames a second than there are.
    length = round(part.duration * part.track.scale)
    return IndexedTrack(
        source=part.track,
        samples=part.samples,
        duration=round(part.duration * AUDIO_RATE),
        deltas=lasting(part.track.deltas.first(part.samples), length),
        chunks=array("I", (after - before for before, after in pairwise(layout.bounds))),
        places=places,
        is_default=is_default,
    )


def _moved(layouts: Sequence[_Layout], sources: Sequence[FileIO], sink: _Sink) -> Iterator[float]:
    spans = [spans_of(layout.part.track, layout.bounds) for layout in layouts]
    for begin, number, _ in _order(layouts):
        for place, size in next(spans[number]):
            sink.take(sources[number], place, size)
        if sink.is_due:
            yield begin
    sink.flush()


class _Sink:
    """Gathers pieces of the inputs, and writes them when there are enough."""

    def __init__(self, output: FileIO) -> None:
        self._output = output
        self._piece = memoryview(bytearray(PIECE_BYTES))
        self._filled = 0
        self._untold = 0

    def take(self, source: FileIO, place: int, size: int) -> None:
        """Add `size` bytes of an input from a place on. Raises RenderError where that cannot be."""
        source.seek(place)
        while size:
            count = min(size, PIECE_BYTES - self._filled)
            try:
                got = source.readinto(self._piece[self._filled : self._filled + count])
            except OSError as error:  # of the input, which is not what cannot be written
                raise RenderError(f"cannot read {source.name}: {error.strerror}") from error
            if not got:
                raise RenderError(f"{source.name} ends sooner than its index says")
            self._filled += got
            size -= got
            if self._filled == PIECE_BYTES:
                self.flush()

    def flush(self) -> None:
        """Write what was gathered."""
        _write(self._output, self._piece[: self._filled])
        self._untold += self._filled
        self._filled = 0

    @property
    def is_due(self) -> bool:
        """Whether enough was written since the last time for a word on it."""
        if self._untold < TOLD_BYTES:
            return False
        self._untold = 0
        return True


def _write(output: FileIO, piece: bytes | memoryview) -> None:
    """Write all of it."""
    rest = memoryview(piece)
    while rest:
        rest = rest[output.write(rest) :]


def _source(path: str) -> FileIO:
    try:
        return open(path, "rb", buffering=0)  # noqa: PTH123
    except OSError as error:
        raise RenderError(f"cannot read {path}: {error.strerror}") from error
