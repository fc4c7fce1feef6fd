"""ffmpeg's arguments for a recipe: pure, built with ffmpeg-python's graph half.

Times: every input is shifted (`-copyts -itsoffset`) so that zero is the start of the output.
Sound is placed by whole samples at the output's rate: cut, delayed and padded to an exact count.
Filter arguments go by keyword only; ffmpeg-python escapes positional ones once too often.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, pairwise
from typing import Any

import ffmpeg

from avpipe.codecs.encoders import Encoder, encoder
from avpipe.codecs.index_room import index_options
from avpipe.codecs.loudness import UNCHANGED, Level, levelled, meter
from avpipe.codecs.rate import PictureRate
from avpipe.codecs.sound_nodes import as_one_piece, exactly, limited, resampled, stereo
from avpipe.codecs.stretches import Chunk
from avpipe.codecs.timing import CUT_SUBTITLES, UNTIMED, camera_shift, frame_timing, track_time_base
from avpipe.media import AudioStream, Hdr, MediaInfo, PictureKind, VideoStream
from avpipe.recipe import AUDIO_RATE, CAMERA, Action, Frame, PictureEncode, Quality, Recipe
from avpipe.timeline import Segment, Timeline, Track

WRITE_BYTES = 1 << 20
"""How much is written at once: ffmpeg's own 32 KiB take a copy of 1 GB a tenth longer."""
SCALE_MATRICES = {
    "bt470bg": "bt470",
    "bt2020c": "bt2020",
    "bt2020nc": "bt2020",
} | {name: name for name in ("bt709", "fcc", "smpte170m", "smpte240m")}
"""The colour matrices that the scale filter can be told, and its own names of them."""
GOP_S = 5
"""The longest way between two key frames, so that players can seek."""
NO_SEEK = Fraction(0)
SEEK_AHEAD_S = 2
"""How long before a chunk its source is decoded from, at least: frames come in another order."""

# ffmpeg-python takes no name that is not UTF-8, which Python spells with lone surrogates: inside
# its graph they are private characters of plane 16.
_AS_TEXT = {0xDC00 + byte: 0x10DC00 + byte for byte in range(0x80, 0x100)}
_AS_BYTES = {there: here for here, there in _AS_TEXT.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Prepared:
    """Files that were made on the way to the output."""

    picture: str | None = None
    """A picture that was made readable for every ffmpeg; None where the video is used itself."""
    encoded: str | None = None
    """The whole picture as the output has it, to be copied; None where that is still to be made."""
    tracks: tuple[str, ...] = ()
    """Encoded audio, one file a track; empty where the audio is taken from its source."""


def source_url(path: str) -> str:
    """A file's name as ffmpeg cannot take it for an option or a protocol."""
    return f"file:{path}".translate(_AS_TEXT)


def audio_arguments(recipe: Recipe, track: int, target: str, level: Level = UNCHANGED) -> list[str]:
    """The arguments that write one audio track of a recipe as interleaved 32-bit float samples."""
    inputs = _Inputs(recipe, Prepared())
    sound = _tracks(recipe, inputs)[track]
    if level != UNCHANGED:
        sound = exactly(levelled(sound, level), recipe.audio_samples)
    node = ffmpeg.output(sound, target, f="f32le", **{"c:a": "pcm_f32le"})
    return _arguments(node)


def meter_arguments(recipe: Recipe, track: int) -> list[str]:
    """The arguments that meter the loudness of one audio track, for `measure_loudness`."""
    sound = _tracks(recipe, _Inputs(recipe, Prepared()))[track]
    return arguments_of(meter(sound).global_args("-copyts"))


def first_pass_arguments(recipe: Recipe, prepared: Prepared, rate: PictureRate) -> list[str]:
    """The arguments of a pass over the picture alone that writes no more than its log."""
    if recipe.encode is None:
        raise ValueError("a copied picture needs no pass")
    chosen = encoder(recipe.encode.encoder)
    picture = _draw(recipe, recipe.encode, chosen, _Inputs(recipe, prepared))
    options = _options(recipe, recipe.encode, chosen, rate)
    node = ffmpeg.output(
        picture, "-", f="null", t=seconds_text(recipe.timeline.duration), **options
    )
    return _arguments(node)


def chunk_arguments(recipe: Recipe, chunk: Chunk, target: str, rate: PictureRate) -> list[str]:
    """The arguments that encode some frames of a recipe's picture into a file of their own.

    The recipe's frames last the same, and the first one is that of its source.
    """
    how = recipe.encode
    if how is None or how.frame_ticks is None:
        raise ValueError("only frames of one length can be counted")
    ahead_s = max(NO_SEEK, chunk.first * how.frame_ticks * how.time_base - SEEK_AHEAD_S)
    chosen = encoder(how.encoder)
    picture = _draw(recipe, how, chosen, _Inputs(recipe, Prepared(), ahead_s), chunk)
    options: dict[str, Any] = {
        "f": "mp4",
        "frames:v": chunk.count,
        "map_metadata": -1,
        "map_chapters": -1,
        "video_track_timescale": how.time_base.denominator,
        **_options(recipe, how, chosen, rate),
    }
    # Otherwise the headers tell the quality, and those of chunks could not be one.
    more = options.get("x264-params")
    options["x264-params"] = f"{more}:stitchable=1" if more else "stitchable=1"
    return _arguments(ffmpeg.output(picture, target, **options))


def merge_arguments(
    recipe: Recipe, prepared: Prepared, target: str, rate: PictureRate | None = None
) -> list[str]:
    """The arguments that make the output of a recipe from its inputs and what was prepared.

    An encoded picture gets its usual quality, or the rate that is given.
    """
    inputs = _Inputs(recipe, prepared)
    before: dict[str, str] = {}
    options: dict[str, Any] = {
        "f": "mp4",
        "t": seconds_text(recipe.timeline.duration),
        "blocksize": WRITE_BYTES,
        **index_options(recipe),
        "movie_timescale": AUDIO_RATE,
        "map_metadata": CAMERA,
        "map_chapters": CAMERA,
        "video_track_timescale": track_time_base(recipe).denominator,
        "bsf:v": frame_timing(recipe),
    }
    if prepared.encoded is not None:
        picture = ffmpeg.input(source_url(prepared.encoded), f="mov")["v:0"]
        options["c:v"] = "copy"
    elif recipe.video is Action.COPY or recipe.encode is None:
        picture = inputs.stream(CAMERA, recipe.timeline.video.stream)
        options["c:v"] = "copy"
    else:
        chosen = encoder(recipe.encode.encoder)
        before = dict(chosen.before)
        picture = _draw(recipe, recipe.encode, chosen, inputs)
        options |= _options(recipe, recipe.encode, chosen, rate)
    if prepared.tracks or recipe.audio is Action.COPY:
        options["c:a"] = "copy"
    else:
        options |= {"c:a": "aac", "b:a": recipe.audio_bit_rate}
    sounds = inputs.prepared_tracks() or _tracks(recipe, inputs)
    subtitles = [
        inputs.stream(CAMERA, stream.index) for stream in recipe.camera.subtitles if stream.text
    ]
    if subtitles:
        options["c:s"] = "mov_text"
        if recipe.timeline.video.source_in > 0:
            options["bsf:s"] = CUT_SUBTITLES
    node = ffmpeg.output(picture, *sounds, *subtitles, target, **options)
    arguments = [text for pair in before.items() for text in (f"-{pair[0]}", pair[1])]
    arguments += _arguments(node)
    return arguments if prepared.encoded is None else _told_by_camera(arguments, recipe, inputs)


def _told_by_camera(arguments: list[str], recipe: Recipe, inputs: _Inputs) -> list[str]:
    """The arguments with titles and chapters of the camera's file, which need give no stream.

    A graph has no input without one, so it is opened once more, after the others.
    """
    place = len(arguments) - arguments[::-1].index("-i") + 1
    number = str(arguments.count("-i"))
    camera = ["-f", recipe.camera.container or "", "-protocol_whitelist", "file"]
    camera += ["-itsoffset", seconds_text(inputs.shift(CAMERA)), "-i", f"file:{recipe.camera.path}"]
    whole = [*arguments[:place], *camera, *arguments[place:]]
    for option in ("-map_metadata", "-map_chapters"):
        whole[whole.index(option) + 1] = number
    return whole


def sound_file_arguments(recipe: Recipe, tracks: tuple[str, ...], target: str) -> list[str]:
    """The arguments that make an MP4 of prepared audio tracks, or of a source's own sound alone.

    Titles and chapters are the source's, which gives no stream where the sound was prepared; a
    graph cannot say that.
    """
    source = recipe.recorders[0]
    before = ["-f", source.container or "", "-protocol_whitelist", "file"]
    arguments = [*before, "-i", f"file:{source.path}"]
    for path in tracks:
        arguments += ["-f", "mov", "-i", f"file:{path}"]
    own = [f"0:{part.stream}" for part in recipe.timeline.audio]
    for stream in [f"{number}:a:0" for number in range(1, len(tracks) + 1)] or own:
        arguments += ["-map", stream]
    arguments += ["-map_metadata", "0", "-map_chapters", "0", "-c", "copy"]
    arguments += ["-movflags", "+faststart", "-movie_timescale", str(AUDIO_RATE)]
    return [*arguments, "-f", "mp4", "-y", f"file:{target}"]


def _arguments(node: Any) -> list[str]:
    return arguments_of(node.global_args("-copyts").overwrite_output())


def arguments_of(node: Any) -> list[str]:
    """The arguments of an output node, its files named as the system does (see `source_url`)."""
    arguments: list[str] = node.get_args()
    return [text.translate(_AS_BYTES) for text in arguments]


def _known_content(info: MediaInfo) -> dict[str, Any]:
    """What spares ffmpeg the search for a coded stream in a WAV file (see `wave_content`).

    It was looked for when the file was probed; ffmpeg takes 27 ms for it each time.
    """
    holds_samples = all((stream.codec or "").startswith("pcm_") for stream in info.audio)
    return {"max_probe_packets": 1} if info.container == "wav" and holds_samples else {}


class _Inputs:
    """The input nodes of one command, each opened once."""

    def __init__(self, recipe: Recipe, prepared: Prepared, ahead_s: Fraction = NO_SEEK) -> None:
        """With `ahead_s` the camera is read from a key frame on that is that far in, or before."""
        self._recipe = recipe
        self._prepared = prepared
        self._ahead_s = ahead_s
        self._nodes: dict[int, Any] = {}

    def stream(self, source: int, index: int) -> Any:
        """One stream of an input."""
        return self.node(source)[str(0 if self._is_picture(source) else index)]

    def node(self, source: int) -> Any:
        """An input."""
        if source not in self._nodes:
            self._nodes[source] = self._open(source)
        return self._nodes[source]

    def prepared_tracks(self) -> list[Any]:
        """The prepared audio tracks, each an input of its own."""
        return [ffmpeg.input(source_url(path), f="mov")["a:0"] for path in self._prepared.tracks]

    def _is_picture(self, source: int) -> bool:
        return source == CAMERA and self._prepared.picture is not None

    def _open(self, source: int) -> Any:
        if self._is_picture(source):
            path = source_url(str(self._prepared.picture))
            if self._recipe.camera.picture is PictureKind.STILL:
                return ffmpeg.input(path, f="mov")
            return ffmpeg.input(path, f="mov", stream_loop=-1)
        info = self._recipe.source(source)
        options: dict[str, Any] = {"itsoffset": seconds_text(self.shift(source))}
        if self._ahead_s and source == CAMERA:
            options |= {"ss": seconds_text(self._ahead_s), "noaccurate_seek": None}
        return ffmpeg.input(
            source_url(info.path),
            f=info.container,
            protocol_whitelist="file",
            **_known_content(info),
            **options,
        )

    def shift(self, source: int) -> Fraction:
        """What is added to a file's own times, so that zero is the start of the output."""
        if source == CAMERA:
            return camera_shift(self._recipe)[0]
        segment = next(part for part in self._recipe.timeline.audio if part.source == source)
        own_start = self._recipe.source(source).audio[0].start or 0
        return segment.start - segment.source_in - own_start


def _tracks(recipe: Recipe, inputs: _Inputs) -> list[Any]:
    """The sound of each audio track of the output."""
    timeline = recipe.timeline
    if recipe.audio is Action.COPY:
        return [inputs.stream(part.source, part.stream) for part in timeline.audio]
    streams = _Streams(recipe, inputs)
    sounds = [_track(recipe, track, streams) for track in timeline.audio_tracks]
    if not timeline.mix:
        return sounds
    mixed = ffmpeg.filter(sounds, "amix", inputs=len(sounds), normalize=0, duration="longest")
    return [
        exactly(
            limited(mixed) if _is_sum(timeline) and recipe.loudness_lufs is None else mixed,
            recipe.audio_samples,
        )
    ]


class _Streams:
    """The sound streams of one command, each prepared once and given out to every segment."""

    def __init__(self, recipe: Recipe, inputs: _Inputs) -> None:
        self._recipe = recipe
        self._inputs = inputs
        self._wanted = Counter((part.source, part.stream) for part in recipe.timeline.audio)
        self._ready: dict[tuple[int, int], list[Any]] = {}

    def take(self, part: Segment) -> Any:
        """The stream of a segment, stereo: the camera's on the output's time, others as counted."""
        key = (part.source, part.stream)
        if key not in self._ready:
            node = self._prepared(part)
            count = self._wanted[key]
            split = node.filter_multi_output("asplit", count) if count > 1 else [node]
            self._ready[key] = [split[number] for number in range(count)]
        return self._ready[key].pop()

    def _prepared(self, part: Segment) -> Any:
        facts = _audio_facts(self._recipe, part)
        sound = stereo(self._inputs.stream(part.source, part.stream), facts)
        if part.source != CAMERA:
            return as_one_piece(sound, facts)
        # The camera's sound belongs to its picture: it is placed by its time stamps.
        rest = camera_shift(self._recipe)[1]
        return sound.filter("asetpts", expr=f"PTS+{float(rest):.7f}/TB").filter(
            "aresample", sample_rate=AUDIO_RATE, **{"async": 1}, first_pts=0, min_hard_comp=0.01
        )


def _is_sum(timeline: Timeline) -> bool:
    """Whether tracks are heard together, and not only while the one is faded to the other."""
    parts = [(number, p) for number, t in enumerate(timeline.audio_tracks) for p in t.segments]
    return any(
        min(one.end, other.end) - max(one.start, other.start) > _longest_fade(one, other)
        for (track, one), (beside, other) in combinations(parts, 2)
        if track != beside
    )


def _longest_fade(one: Segment, other: Segment) -> Fraction:
    return max(one.fade_in, one.fade_out, other.fade_in, other.fade_out)


def _track(recipe: Recipe, track: Track, streams: _Streams) -> Any:
    """The sound of a track, stereo, as many samples as the output has."""
    first = track.segments[0]
    node = _sound(recipe, first, streams)
    if _covers_all(recipe, first):
        return exactly(node, recipe.audio_samples)
    if _position(first.start):
        node = node.filter("adelay", delays=f"{_position(first.start)}S", all=1)
    for before, after in pairwise(track.segments):
        node = _joined(node, _sound(recipe, after, streams), before, after)
    # What concat and, in ffmpeg 9, adelay tell of times is not that of the samples.
    return exactly(node.filter("asetpts", expr="N/SR/TB"), recipe.audio_samples)


def _joined(node: Any, following: Any, before: Segment, after: Segment) -> Any:
    """What was joined so far and the next segment, with silence between them, or overlapping."""
    gap = _position(after.start) - _position(before.end)
    if gap < 0:
        return ffmpeg.filter(
            [node, following], "acrossfade", nb_samples=-gap, curve1="nofade", curve2="nofade"
        )
    if gap > 0:
        node = node.filter("apad", pad_len=gap)
    return ffmpeg.filter([node, following], "concat", n=2, v=0, a=1)


def _position(time: Fraction) -> int:
    """A time of the output in its samples."""
    return round(time * AUDIO_RATE)


def _sound(recipe: Recipe, part: Segment, streams: _Streams) -> Any:
    """One stretch of sound, stereo, at the output's rate; it begins with its first sample."""
    node = streams.take(part)
    (first, end) = (_position(part.start), _position(part.end))
    if part.source == CAMERA:
        if part.gain_db:
            node = node.filter("volume", volume=f"{part.gain_db}dB")
        if _covers_all(recipe, part):
            return node
        node = node.filter("atrim", start_sample=first).filter("asetpts", expr="N/SR/TB")
    else:
        node = _corrected(part, _audio_facts(recipe, part), node)
    if len(recipe.timeline.audio) == 1:
        return node  # it is cut with the whole
    return _faded(exactly(node, end - first), part, end - first)


def _covers_all(recipe: Recipe, part: Segment) -> bool:
    """Whether it is the camera's sound for as long as its picture is seen, and where it is longer.

    Its samples are counted from the output's start.
    """
    if part.source != CAMERA:
        return False
    shown = recipe.timeline.video
    return (part.start, part.end) == (shown.start, shown.end)


def _corrected(part: Segment, facts: AudioStream, node: Any) -> Any:
    """Samples at the output's rate from the first one of the segment on, its drift taken out."""
    if part.speed == 1:
        first = round(part.source_in * AUDIO_RATE)
        node = node.filter("aresample", sample_rate=AUDIO_RATE)
        return node.filter("atrim", start_sample=first).filter("asetpts", expr="N/SR/TB")
    rate = AUDIO_RATE if facts.gaps else facts.sample_rate
    (source_in, source_out) = (part.source_in, part.source_out)
    return resampled(node, source_in=source_in, source_out=source_out, rate=rate, by=part.speed)


def _faded(node: Any, part: Segment, size: int) -> Any:
    (rise, fall) = (_position(part.fade_in), _position(part.fade_out))
    if rise:
        node = node.filter("afade", type="in", start_sample=0, nb_samples=rise)
    if fall:
        node = node.filter("afade", type="out", start_sample=size - fall, nb_samples=fall)
    return node


def _audio_facts(recipe: Recipe, part: Segment) -> AudioStream:
    streams = recipe.source(part.source).audio
    return next(stream for stream in streams if stream.index == part.stream)


def _draw(
    recipe: Recipe,
    how: PictureEncode,
    chosen: Encoder,
    inputs: _Inputs,
    chunk: Chunk | None = None,
) -> Any:
    part = recipe.timeline.video
    node = inputs.stream(CAMERA, part.stream)
    if recipe.camera.picture is None:
        node = _placed(node, recipe, how)
    if recipe.camera.picture is PictureKind.ANIMATION:
        node = _in_rounds(node, recipe.camera.video[0])
    if how.deinterlace:
        node = node.filter("bwdif", mode="send_frame", parity="auto", deint="all")
    if how.tone_map is not None:
        node = tone_mapped(node, how.tone_map, how.transfer)
    if recipe.camera.picture is PictureKind.STILL:
        return _repeated(_framed(node, recipe, how, chosen), how)
    if how.frame_ticks is not None:
        node = node.filter("settb", expr=ratio_text(how.time_base))
        node = node.filter("setpts", expr=f"round(PTS/{how.frame_ticks})*{how.frame_ticks}")
        if chunk is not None:
            begin = chunk.first * how.frame_ticks
            node = node.filter(
                "trim", start_pts=begin, end_pts=begin + chunk.count * how.frame_ticks
            )
            node = node.filter("setpts", expr=f"PTS-{begin}")
    return _framed(node, recipe, how, chosen)


def sampled_picture(node: Any, recipe: Recipe, how: PictureEncode) -> Any:
    """Frames of a stretch of the source, whatever their times, as the encoder would get them."""
    if how.deinterlace:
        node = node.filter("bwdif", mode="send_frame", parity="auto", deint="all")
    if how.tone_map is not None:
        node = tone_mapped(node, how.tone_map, how.transfer)
    return _framed(node, recipe, how, encoder(how.encoder))


def _in_rounds(node: Any, facts: VideoStream) -> Any:
    """Each round of an animation begins when the last frame of the one before has had its time.

    ffmpeg 5 gives that frame the average time of all.
    """
    if not facts.packets or facts.duration is None:
        return node
    (count, seconds) = (facts.packets, float(facts.duration))
    begin = f"if(eq(mod(N,{count}),0),st(0,PTS))"
    return node.filter("setpts", expr=f"{begin};floor(N/{count})*{seconds:.6f}/TB+PTS-ld(0)")


def _repeated(node: Any, how: PictureEncode) -> Any:
    """One frame, decoded and scaled once, as long as it is wanted."""
    forever = node.filter("loop", loop=-1, size=1).filter("settb", expr=ratio_text(how.time_base))
    return forever.filter("setpts", expr=f"N*{how.frame_ticks}")


def _framed(node: Any, recipe: Recipe, how: PictureEncode, chosen: Encoder) -> Any:
    """Frames of the output's size, pixel shape and pixel format."""
    node = _scaled(node, recipe, how)
    node = node.filter("setsar", sar="1").filter("format", pix_fmts=chosen.pixel_format)
    # ffmpeg 9 takes what the frames tell, even "unknown", over the options of the encoder.
    node = node.filter(
        "setparams", color_primaries="bt709", color_trc="bt709", colorspace="bt709", range="tv"
    )
    for name, arguments in chosen.filters:
        node = node.filter(name, **arguments)
    return node


def _moved(node: Any, recipe: Recipe, how: PictureEncode) -> Any:
    """Frames at the times that the ticks of their file cannot tell."""
    (ticks, rest) = camera_shift(recipe)
    if recipe.camera.container in UNTIMED:
        # From here on the first frame's time is that of the shift, whatever ffmpeg guessed.
        node = node.filter("setpts", expr="PTS-STARTPTS")
        rest += ticks
    if not rest:
        return node
    node = node.filter("settb", expr=ratio_text(how.time_base))
    return node.filter("setpts", expr=f"PTS+{round(rest / how.time_base)}")


def _placed(node: Any, recipe: Recipe, how: PictureEncode) -> Any:
    """The frames that are seen, each at its time; the first one from the very start."""
    facts = recipe.camera.video[0]
    node = _moved(node, recipe, how)
    if recipe.timeline.video.source_in <= 0:
        return node.filter("setpts", expr="if(eq(N,0),0,PTS)")
    if facts.frame_rate and facts.variable_frame_rate is False:
        # The frame that stands at the cut is kept: the frame rate tells which that is.
        lead = f"{1e-6 - float(1 / facts.frame_rate):.6f}"
        return node.filter("select", expr=f"gt(t,{lead})").filter("setpts", expr="max(PTS,0)")
    # Only the next frame tells how long one stands, so each comes with the time of the next.
    late = node.filter("tpad", stop=1, stop_mode="clone").filter("tmix", frames=2, weights="1 0")
    return late.filter("select", expr="gt(t,0)").filter("setpts", expr="if(eq(N,0),0,PREV_INPTS)")


def tone_mapped(node: Any, kind: Hdr, transfer: str | None) -> Any:
    """An HDR picture as SDR."""
    transfer = transfer or ("arib-std-b67" if kind is Hdr.HLG else "smpte2084")
    linear = node.filter(
        "zscale",
        transferin=transfer,
        matrixin="bt2020nc",
        primariesin="bt2020",
        transfer="linear",
        npl=203,
    )
    mapped = linear.filter("format", pix_fmts="gbrpf32le").filter("zscale", primaries="bt709")
    mapped = mapped.filter("tonemap", tonemap="mobius", desat=0)
    return mapped.filter("zscale", transfer="bt709", matrix="bt709", range="limited")


def _scaled(node: Any, recipe: Recipe, how: PictureEncode) -> Any:
    arguments: dict[str, Any] = {
        "width": how.scaled_width,
        "height": how.scaled_height,
        "flags": "bicubic+accurate_rnd",
        "out_color_matrix": "bt709",
        "out_range": "tv",
    }
    if how.tone_map is None and recipe.camera.picture is None and how.matrix in SCALE_MATRICES:
        arguments["in_color_matrix"] = SCALE_MATRICES[how.matrix]
    node = node.filter("scale", **arguments)
    (width, height) = (recipe.timeline.width, recipe.timeline.height)
    if how.frame is Frame.FIT:
        return node.filter("pad", width=width, height=height, x="(ow-iw)/2", y="(oh-ih)/2")
    if how.frame is Frame.FILL:
        return node.filter("crop", w=width, h=height)
    return node


def _options(
    recipe: Recipe, how: PictureEncode, chosen: Encoder, rate: PictureRate | None
) -> dict[str, Any]:
    """The output options of a recipe's picture: of its usual quality, or of the rate given."""
    if rate is None:
        return encode_options(chosen, how.quality, how.time_base)
    common = _common_options(chosen, how.time_base)
    return common | rate.options(how.quality, _frames_a_second(recipe, how))


def _frames_a_second(recipe: Recipe, how: PictureEncode) -> float:
    if how.frame_ticks is not None:
        return float(1 / (how.frame_ticks * how.time_base))
    return float(recipe.camera.video[0].frame_rate or 30)


def encode_options(chosen: Encoder, quality: Quality, time_base: Fraction) -> dict[str, Any]:
    """The output options of an encoded picture."""
    keys = {"force_key_frames": f"expr:gte(t,n_forced*{GOP_S})"}
    return _common_options(chosen, time_base) | keys | chosen.options[quality]


def _common_options(chosen: Encoder, time_base: Fraction) -> dict[str, Any]:
    options: dict[str, Any] = {"c:v": chosen.name, "fps_mode": "vfr"}
    options["enc_time_base:v"] = ratio_text(time_base)
    options |= {
        "color_primaries": "bt709",
        "color_trc": "bt709",
        "colorspace": "bt709",
        "color_range": "tv",
        "profile:v": "high",
    }
    return options


def seconds_text(value: Fraction) -> str:
    """Seconds as ffmpeg reads them: it keeps microseconds."""
    return f"{float(value):.6f}"


def ratio_text(value: Fraction) -> str:
    """A fraction as ffmpeg reads it."""
    return f"{value.numerator}/{value.denominator}"
