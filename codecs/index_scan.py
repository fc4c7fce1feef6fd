"""What an MP4's own index tells of its packets, and a few packets at both of its ends."""

from __future__ import annotations

import itertools
from collections import Counter

from av.container import InputContainer
from av.stream import Stream

from avpipe.codecs import packet_read
from avpipe.codecs.frame_rate import in_order, measure
from avpipe.codecs.mp4_boxes import BoxError
from avpipe.codecs.mp4_thin import Omission
from avpipe.codecs.packet_read import Deadline, Scan, new_track, only, read
from avpipe.codecs.packet_track import DECODE_PACKETS, GAP, Track

_SHORT = 64
"""An index of that many entries is not worth two seeks."""
_TAIL_PACKETS = 24
"""More than frames are ever reordered by."""
_REORDERED = frozenset(("h264", "hevc"))
"""Codecs whose decoders wait for frames that may be shown earlier."""


def has_index(container: InputContainer, streams: list[Stream]) -> bool:
    """Whether the file begins with an index of all of these streams."""
    return container.format.name.startswith("mov") and all(
        stream.frames and len(stream.index_entries) for stream in streams
    )


def scan_index(
    container: InputContainer, result: Scan, size_bytes: int, deadline: Deadline
) -> bool:
    """Read the index and the edges; False where the index turns out not to be all (fragments)."""
    entries = [len(track.stream.index_entries) for track in result.tracks]
    edges = []
    for track in result.tracks:
        _take_index(track, size_bytes, deadline)
        entire = size_bytes <= packet_read.SCAN_LIMIT and _index_varies(track)
        if entire and track.thinned:
            raise BoxError("all of its packets are needed")
        edges.append(_read_edges(container, track, deadline, entire=entire))
    only(container, [track.stream for track in result.tracks])
    if entries != [len(track.stream.index_entries) for track in result.tracks]:
        return False
    for track, edge in zip(result.tracks, edges, strict=True):
        _join(track, edge)
    return True


def _take_index(track: Track, size_bytes: int, deadline: Deadline) -> None:
    """Fill in what the index tells; its times are DTS, moved by the edit list.

    A million entries may be gone through here: what the loop touches is kept in local names.
    """
    track.open_window()
    (shown, hidden, is_video) = (track.windows[-1], track.hidden, track.is_video)
    left_out = {one.resumes_at: one for one in (track.thinned.omissions if track.thinned else ())}
    steps = track.steps
    latest = 0
    count = falls = total = reach = 0
    for count, entry in enumerate(track.stream.index_entries, 1):
        (stamp, size) = (entry.timestamp, entry.size)
        if left_out and (omission := left_out.pop(entry.pos, None)) is not None:
            latest = _take_omission(track, omission, latest, stamp)
        if count > 1:
            falls += stamp <= latest
            if not is_video:
                steps[stamp - latest] += 1
        latest = stamp
        total += size
        reach = max(reach, entry.pos + size)
        if is_video:
            (hidden if entry.is_discard else shown).append(stamp)
        if count % 4096 == 0:
            deadline.check()
    if left_out:
        raise BoxError("its index has not the samples that were kept")
    track.latest_dts = latest if count else None
    track.count += count
    track.falls += falls
    track.size_bytes += total
    track.cut |= reach > size_bytes
    track.whole = True


def _take_omission(track: Track, omission: Omission, latest: int, following: int) -> int:
    """Fill in what an index leaves out between two DTS; gives the last one of that."""
    (runs,) = omission.deltas.split((0, omission.samples))
    if latest + omission.deltas.total != following:
        raise BoxError("its index has other times than its tables")
    for count, delta in runs:
        track.falls += 0 if delta else count
        if not track.is_video:
            track.steps[delta] += count
        elif delta:
            track.windows[-1].extend(range(latest + delta, latest + count * delta + 1, delta))
        else:
            track.windows[-1].extend([latest] * count)
        latest += count * delta
    track.count += omission.samples
    track.size_bytes += omission.size_bytes
    track.cut |= omission.beyond_end > 0
    return latest


def _index_varies(track: Track) -> bool:
    """Whether the DTS come at a variable rate, so that the PTS have to be looked at."""
    return track.is_video and bool(
        measure([in_order(track.windows[0], track.hidden)], track.tick).variable
    )


def _read_edges(
    container: InputContainer, track: Track, deadline: Deadline, *, entire: bool
) -> Track:
    """The packets of one stream at the start and at the end of the file, or all of them."""
    index = track.stream.index_entries
    only(container, [track.stream])
    whole = entire or len(index) <= _SHORT
    alone = not whole and track.codec in _REORDERED
    edge = _read_head(container, track, deadline, whole=whole, alone=alone)
    if alone and (edge.first_frame is None or edge.first_frame.pts != edge.first_kept):
        # Others are shown before the first key frame, if they can be decoded.
        track.stream.codec_context.flush_buffers()
        edge = _read_head(container, track, deadline, whole=whole, alone=False)
    if not whole and not track.cut:
        last = max(len(index) - _tail_length(track), 0)
        container.seek(index[last].timestamp, stream=track.stream, any_frame=True)
        read(container, Scan(tracks=[edge]), deadline)
    return edge


def _read_head(
    container: InputContainer, track: Track, deadline: Deadline, *, whole: bool, alone: bool
) -> Track:
    """The packets of one stream from its start to its first frame, or all of them."""
    edge = new_track(track.stream)
    (edge.whole, edge.alone) = (whole, alone)
    container.seek(track.stream.index_entries[0].timestamp, stream=track.stream, any_frame=True)
    lone = Scan(tracks=[edge])
    read(container, lone, deadline, enough=None if whole else lambda: _edge_seen(edge))
    return edge


def _edge_seen(edge: Track) -> bool:
    if edge.count >= DECODE_PACKETS:
        return True
    return edge.first_frame is not None and (not edge.alone or edge.count >= _TAIL_PACKETS)


def _tail_length(track: Track) -> int:
    """How many packets at the end can hold the one that is shown last."""
    reordered = track.is_video and bool(getattr(track.stream.codec_context, "has_b_frames", True))
    discarded = 0
    index = track.stream.index_entries
    for place in range(len(index) - 1, max(len(index) - 300, 0), -1):
        if not index[place].is_discard:
            break
        discarded += 1
    return discarded + (_TAIL_PACKETS if reordered else 3)


def _join(track: Track, edge: Track) -> None:
    """Add what the edges told to what the index told."""
    track.first_kept, track.last_kept = edge.first_kept, edge.last_kept
    track.last_length, track.end = edge.last_length, edge.end
    track.first_frame, track.tail = edge.first_frame, edge.tail
    track.unstamped, track.untimed, track.padding = edge.unstamped, edge.untimed, edge.padding
    track.damaged = edge.damaged
    if not track.is_video:
        track.gaps = edge.gaps if edge.whole else _has_gap(track)
    elif edge.whole:
        track.windows, track.hidden = edge.windows, edge.hidden


def _has_gap(track: Track) -> bool:
    """Whether a step between index entries is longer than the usual one.

    The index tells no durations; a step of PCM is a chunk of any length, and tells nothing.
    """
    if track.codec.startswith("pcm") or not track.steps:
        return False
    usual = _median(track.steps)
    return (max(track.steps) - usual) * track.tick > GAP


def _median(steps: Counter[int]) -> int:
    """The one in the middle, of all of them in order."""
    ends = itertools.accumulate(count for _, count in sorted(steps.items()))
    middle = steps.total() // 2
    return next(step for step, end in zip(sorted(steps), ends, strict=True) if end > middle)
