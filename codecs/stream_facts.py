"""From a container's stream and its packets to the frozen facts of `avpipe.media`."""

from __future__ import annotations

import contextlib
from array import array
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av
from av.stream import Stream

from avpipe.codecs.frame_rate import Rhythm, in_order, measure
from avpipe.codecs.packet_track import GAP, Track
from avpipe.media import AudioStream, Hdr, SubtitleStream, VideoStream

_RANGES = {1: "tv", 2: "pc"}
_PRIMARIES = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "film",
    9: "bt2020", 10: "smpte428", 11: "smpte431", 12: "smpte432", 22: "ebu3213",
}  # fmt: skip
_TRANSFERS = {
    1: "bt709", 4: "bt470m", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "linear", 9: "log100",
    10: "log316", 11: "iec61966-2-4", 12: "bt1361e", 13: "iec61966-2-1", 14: "bt2020-10",
    15: "bt2020-12", 16: "smpte2084", 17: "smpte428", 18: "arib-std-b67",
}  # fmt: skip
_MATRICES = {
    0: "gbr", 1: "bt709", 4: "fcc", 5: "bt470bg", 6: "smpte170m", 7: "smpte240m", 8: "ycgco",
    9: "bt2020nc", 10: "bt2020c", 11: "smpte2085", 12: "chroma-derived-nc",
    13: "chroma-derived-c", 14: "ictcp",
}  # fmt: skip
_TEXT_SUBTITLES = frozenset(("subrip", "ass", "ssa", "mov_text", "webvtt", "text"))
_DOLBY_TAGS = frozenset(("dvh1", "dvhe", "dav1", "dva1", "dvav"))
_FIXED_FRAMES = frozenset(("aac", "mp3", "mp2", "opus", "ac3", "eac3"))
"""Codecs whose packets all decode to the same number of samples."""
_REORDER = 24
_LOST_PADDING_S = Fraction(1, 5)
"""More than that at the end is not padding, so a header that says so is wrong."""


def video_stream(track: Track, container: str) -> VideoStream:
    """The facts of a picture stream."""
    stream: Any = track.stream
    context, frame, start = stream.codec_context, track.first_frame, _video_start(track)
    rhythm = _rhythm(track, container)
    end, length = _video_end(track, rhythm, start)
    duration = None if end is None or start is None or end <= start else end - start
    if rhythm.variable and duration and track.whole:
        rhythm = _counted(track, rhythm, duration)
    elif track.hidden and track.whole:
        rhythm = Rhythm(rate=rhythm.rate, variable=_all_vary(track))
    ratio = stream.sample_aspect_ratio or context.sample_aspect_ratio
    return VideoStream(
        index=stream.index,
        codec=track.codec,
        profile=stream.profile,
        pixel_format=context.pix_fmt,
        width=context.width,
        height=context.height,
        rotation_deg=_rotation(frame),
        sample_aspect_ratio=Fraction(ratio.numerator, ratio.denominator) if ratio else None,
        frame_rate=rhythm.rate,
        variable_frame_rate=rhythm.variable,
        interlaced=_interlaced(context, frame),
        hdr=_hdr(context, frame),
        color_primaries=_color(_PRIMARIES, "color_primaries", context, frame),
        color_transfer=_color(_TRANSFERS, "color_trc", context, frame),
        color_matrix=_color(_MATRICES, "colorspace", context, frame),
        color_range=_color(_RANGES, "color_range", context, frame),
        bit_rate=_bit_rate(track, duration),
        time_base=track.tick,
        start_pts=start,
        duration_ts=duration,
        packets=track.count if track.whole else None,
        last_frame_ts=length,
        dts_rises=(not track.falls and not track.unstamped) if track.whole else None,
    )


def audio_stream(track: Track, container: str) -> AudioStream:
    """The facts of a sound stream."""
    stream: Any = track.stream
    context = stream.codec_context
    start, end = _audio_start(track), _audio_end(track, container)
    if container == "asf":  # its decoders give a frame the time of the packet after
        start, end = track.first_kept, track.end
    if container == "mov" and start is not None and end is not None and stream.duration:
        listed = start + int(stream.duration)
        if 0 < (end - listed) * track.tick < _LOST_PADDING_S:
            end = listed
    duration = None if start is None or end is None or end <= start else end - start
    return AudioStream(
        index=stream.index,
        codec=track.codec,
        profile=stream.profile,
        sample_rate=context.sample_rate,
        channels=context.channels,
        layout=_layout(context),
        bit_rate=_bit_rate(track, duration),
        time_base=track.tick,
        start_pts=start,
        duration_ts=duration,
        packets=track.count if track.whole else None,
        gaps=_has_gaps(track) if track.whole else None,
    )


def _has_gaps(track: Track) -> bool:
    """Whether packets leave holes; a packet that is told longer than others hides one behind it."""
    if track.gaps or track.shortest is None or track.codec not in _FIXED_FRAMES:
        return track.gaps
    return (track.longest - track.shortest) * track.tick > GAP


def subtitle_stream(stream: Stream) -> SubtitleStream:
    """The facts of a subtitle stream."""
    codec = stream.codec_context.codec.canonical_name if stream.codec_context else None
    return SubtitleStream(
        index=stream.index,
        codec=codec,
        language=stream.metadata.get("language"),
        text=codec in _TEXT_SUBTITLES,
    )


# Times


def _rhythm(track: Track, container: str) -> Rhythm:
    stream: Any = track.stream
    told = track.thinned.rates if track.thinned else (stream.base_rate, stream.average_rate)
    hints = [Fraction(rate.numerator, rate.denominator) for rate in told if rate]
    if container == "avi":  # its ticks are frames; a missing one repeats the frame before
        return Rhythm(rate=1 / track.tick, variable=False)
    reordered = bool(stream.codec_context.has_b_frames)
    windows = [
        _steady(window, cut_head=place > 0, cut_tail=not track.whole, reordered=reordered)
        for place, window in enumerate(track.windows)
    ]
    return measure(windows, track.tick, hints)


def _counted(track: Track, rhythm: Rhythm, duration: int) -> Rhythm:
    """The average rate of variable frames with the last one counted, which steps leave out."""
    shown = sum(map(len, track.windows))
    return Rhythm(rate=Fraction(shown) / (duration * track.tick), variable=True)


def _all_vary(track: Track) -> bool:
    """Whether the frames vary with those that an edit list hides, which a copy carries over."""
    return bool(measure([in_order(track.hidden, *track.windows)], track.tick).variable)


def _steady(
    window: array[int], *, cut_head: bool, cut_tail: bool, reordered: bool
) -> Sequence[int]:
    """The times in order, without those near a cut, where frames in between are missing."""
    times = in_order(window)
    if reordered and (cut_head or cut_tail) and len(times) > 4 * _REORDER:
        times = times[_REORDER if cut_head else 0 : -_REORDER if cut_tail else None]
    return times


def _video_start(track: Track) -> int | None:
    """The time of the first frame that a decoder shows, which is not always the first sent."""
    first = getattr(track.first_frame, "pts", None)
    if first is not None and track.first_kept is not None:
        return max(int(first), track.first_kept)
    return track.first_kept


def _video_end(track: Track, rhythm: Rhythm, start: int | None) -> tuple[int | None, int | None]:
    """The end of the frame shown last, and how long that frame stands."""
    last, length = track.last_kept, track.last_length
    if last is None or track.end is None:
        return None, None
    if length <= 0:
        if not rhythm.rate:
            return last, None
        length = round(1 / (rhythm.rate * track.tick))
    duration = track.stream.duration
    if duration and start is not None and last < start + duration < last + length:
        length = start + duration - last  # the edit list ends within the frame
    return last + length, length


def _audio_start(track: Track) -> int | None:
    first = getattr(track.first_frame, "pts", None)
    return track.first_kept if first is None else int(first)


def _audio_end(track: Track, container: str) -> int | None:
    """The end of the last sample, without the padding that the file declares."""
    rate = track.stream.codec_context.sample_rate  # type: ignore[attr-defined]
    if track.end is None or not rate:
        return track.end
    if container in ("mov", "ogg"):  # the last packet's duration counts the padding off
        return track.end
    padding = round(Fraction(track.padding, rate) / track.tick)
    if track.tick * rate <= 1:
        return track.end - padding
    return _counted_end(track, rate) or _decoded_end(track, rate) or track.end - padding


def _counted_end(track: Track, rate: int) -> int | None:
    """The end by counting samples, where all packets have the same number and join."""
    short = track.shortest
    if not track.whole or track.gaps or short is None or track.codec not in _FIXED_FRAMES:
        return None
    context: Any = track.stream.codec_context
    samples = context.frame_size or round(short * track.tick * rate)
    exact = Fraction(samples, rate) / track.tick
    if track.longest - short > 1 or not short - 1 < exact < track.longest + 1:
        return None
    heard = track.count * samples - track.skip - track.padding
    first = _audio_start(track)
    return round(first + Fraction(heard, rate) / track.tick) if first is not None else None


def _decoded_end(track: Track, rate: int) -> int | None:
    """The end by decoding the last packets, where ticks are coarser than samples."""
    context: Any = track.stream.codec_context
    last = None
    with contextlib.suppress(av.FFmpegError):
        context.flush_buffers()
        for packet in (*track.tail, None):
            for frame in context.decode(packet):
                if frame.pts is not None:
                    last = frame.pts + Fraction(frame.samples, rate) / track.tick
    return None if last is None else round(last)


def _bit_rate(track: Track, duration: int | None) -> int | None:
    stated = track.thinned.bit_rate if track.thinned else getattr(track.stream, "bit_rate", None)
    if stated:
        return int(stated)
    if not track.whole or not duration:
        return None
    return round(track.size_bytes * 8 / (duration * track.tick)) or None


# Pictures and colours


def _rotation(frame: Any) -> int:
    """Degrees clockwise to be shown upright; the display matrix counts the other way."""
    return 0 if frame is None else round(-frame.rotation / 90) * 90 % 360


def _interlaced(context: Any, frame: Any) -> bool | None:
    order = context.field_order
    if order > 1 or (frame is not None and frame.interlaced_frame):
        return True
    return False if order == 1 or frame is not None else None


def _color(names: dict[int, str], name: str, context: Any, frame: Any) -> str | None:
    stated = names.get(int(getattr(context, name)))
    return stated if stated or frame is None else names.get(int(getattr(frame, name)))


def _hdr(context: Any, frame: Any) -> Hdr | None:
    data = () if frame is None else frame.side_data.keys()
    if str(context.codec_tag).lower() in _DOLBY_TAGS or any(
        "DOVI" in str(getattr(kind, "type", kind)) for kind in data
    ):
        return Hdr.DOLBY_VISION
    transfer = _color(_TRANSFERS, "color_trc", context, frame)
    return {"smpte2084": Hdr.PQ, "arib-std-b67": Hdr.HLG}.get(transfer or "")


def _layout(context: Any) -> str | None:
    """ffmpeg's name of the layout; `2 channels` is how it says that there is none."""
    name = context.layout.name
    return None if not name or name.endswith("channels") else str(name)
