"""ffmpeg's arguments for a scene: one command that draws, sounds and encodes it. Pure.

Each stretch is an input of its own, opened near where it begins: streams that are taken from twice
would be held in memory between. Pictures are brought to the output's frames one by one (`fps`),
and lie over each other; sounds are cut, delayed and summed by whole samples.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations, count
from typing import Any

import ffmpeg
from ffmpeg.nodes import InputNode

from avpipe.codecs.encoders import encoder
from avpipe.codecs.graph import (
    SCALE_MATRICES,
    arguments_of,
    encode_options,
    ratio_text,
    seconds_text,
    source_url,
    tone_mapped,
)
from avpipe.codecs.lettering import Drawn
from avpipe.codecs.loudness import UNCHANGED, Level, levelled, meter
from avpipe.codecs.sound_nodes import as_one_piece, exactly, limited, resampled, stereo
from avpipe.media import AudioStream, MediaInfo, PictureKind, VideoStream
from avpipe.recipe import AUDIO_BIT_RATE, AUDIO_RATE
from avpipe.scene import PictureLayer, Scene, SoundLayer, Span, TextLayer

SEEKABLE = ("mov", "matroska")
"""Containers whose index leads to the key frame before a time."""
LEAD_S = Fraction(1)
"""How long before its start a stretch is opened, so that decoders have found their way."""
MANY_INPUTS = 16
"""From here on each decoder has one thread: each thread holds frames."""
BLUR_SHARE = 8
"""The blurred background is made of a picture so many times smaller."""
DUCKING: dict[str, Any] = {"threshold": 0.02, "ratio": 8, "attack": 40, "release": 500}


@dataclass(frozen=True, kw_only=True, slots=True)
class SceneFiles:
    """Files that were made on the way to the output."""

    pictures: dict[int, str]
    """By the number of the input: pictures that were made readable for every ffmpeg."""
    texts: tuple[Drawn, ...] = ()
    sound: str | None = None
    """The encoded sound, where it was made before."""


def scene_arguments(scene: Scene, files: SceneFiles, target: str) -> list[str]:
    """The arguments that make the output of a scene."""
    chosen = encoder(scene.encoder)
    options: dict[str, Any] = {
        "f": "mp4",
        "t": seconds_text(scene.duration),
        "movflags": "+faststart",
        "movie_timescale": AUDIO_RATE,
        "map_metadata": -1,
        "map_chapters": -1,
        "video_track_timescale": scene.time_base.denominator,
        "bsf:v": f"setts=pts=PTS:dts=DTS:duration={scene.frame_ticks}",
        **encode_options(chosen, scene.quality, scene.time_base),
    }
    if scene.title:
        options["metadata"] = f"title={scene.title}"
    opener = _Opener()
    node = _Canvas(scene, files, opener).node()
    for name, arguments in chosen.filters:
        node = node.filter(name, **arguments)
    if files.sound is None:
        sound = _sound(scene, UNCHANGED, opener)
        options |= {"c:a": "aac", "b:a": AUDIO_BIT_RATE}
    else:
        sound = ffmpeg.input(source_url(files.sound), f="mov")["a:0"]
        options["c:a"] = "copy"
    output = ffmpeg.output(node, sound, target, **options)
    before = [text for name, value in chosen.before.items() for text in (f"-{name}", value)]
    return before + arguments_of(output.global_args("-copyts").overwrite_output())


def stretch_arguments(scene: Scene, files: SceneFiles, parameter_id: int, target: str) -> list[str]:
    """The arguments that encode the picture of a scene to stand beside packets of another file.

    Its parameter sets have that id.
    """
    chosen = encoder(scene.encoder)
    options: dict[str, Any] = {
        "f": "mp4",
        "frames:v": scene.frames,
        "map_metadata": -1,
        "map_chapters": -1,
        "video_track_timescale": scene.time_base.denominator,
        "x264-params": f"sps-id={parameter_id}",
        **encode_options(chosen, scene.quality, scene.time_base),
    }
    node = _Canvas(scene, files, _Opener()).node()
    output = ffmpeg.output(node, target, **options)
    return arguments_of(output.global_args("-copyts").overwrite_output())


def glimpse_arguments(
    scene: Scene, files: SceneFiles, size: tuple[int, int], rate: int, target: str
) -> list[str]:
    """The arguments that write what a scene shows as grey pixels, so many frames a second."""
    node = _Canvas(scene, files, _Opener()).node()
    node = node.filter("scale", w=size[0], h=size[1], flags="area")
    node = node.filter("format", pix_fmts="gray").filter("fps", fps=rate, start_time=0)
    output = ffmpeg.output(node, target, f="rawvideo")
    return arguments_of(output.global_args("-copyts"))


def joined_arguments(
    scene: Scene, picture: str, files: SceneFiles, copied: SoundLayer | None, target: str
) -> list[str]:
    """The arguments that put a finished picture and its sound into the output.

    The sound is that of a source, which begins where the output does, or was made before.
    """
    options: dict[str, Any] = {
        "f": "mp4",
        "c": "copy",
        "t": seconds_text(scene.duration),
        "movflags": "+faststart",
        "movie_timescale": AUDIO_RATE,
        "video_track_timescale": scene.time_base.denominator,
        "map_metadata": -1,
    }
    if scene.title:
        options["metadata"] = f"title={scene.title}"
    streams = (
        ffmpeg.input(source_url(picture), f="mov")["v:0"],
        _finished_sound(scene, files, copied),
    )
    node = ffmpeg.output(*streams, target, **options).global_args("-copyts")
    return arguments_of(node.overwrite_output())


def _finished_sound(scene: Scene, files: SceneFiles, copied: SoundLayer | None) -> Any:
    """The encoded sound of the output, from its start on."""
    if copied is None:
        return ffmpeg.input(source_url(str(files.sound)), f="mov")["a:0"]
    info = scene.inputs[copied.source]
    audio = next(stream for stream in info.audio if stream.index == copied.stream)
    shift = seconds_text(-(audio.start or Fraction(0)))
    node = ffmpeg.input(source_url(info.path), f=info.container, itsoffset=shift)
    return node[str(copied.stream)]


def sound_arguments(scene: Scene, target: str, level: Level) -> list[str]:
    """The arguments that write the sound of a scene as interleaved 32-bit float samples."""
    sound = _sound(scene, level, _Opener())
    node = ffmpeg.output(sound, target, f="f32le", **{"c:a": "pcm_f32le"})
    return arguments_of(node.global_args("-copyts").overwrite_output())


def meter_arguments(scene: Scene) -> list[str]:
    """The arguments that meter the loudness of a scene, for `measure_loudness`."""
    return arguments_of(meter(_sound(scene, UNCHANGED, _Opener())).global_args("-copyts"))


class _Opener:
    """The inputs of one command. ffmpeg-python takes two that are alike for one; these are not."""

    def __init__(self) -> None:
        self._serial = count()

    def open(self, name: str, container: str | None, **options: Any) -> Any:
        """An input of its own."""
        given = {"filename": name, "format": container, **options}
        return InputNode("input", args=[next(self._serial)], kwargs=given).stream()


class _Canvas:
    """The picture of a scene."""

    def __init__(self, scene: Scene, files: SceneFiles, opener: _Opener) -> None:
        self._scene = scene
        self._files = files
        self._opener = opener
        self._frame = Fraction(1) / scene.frame_rate
        many = len(scene.pictures) + len(scene.sounds) > MANY_INPUTS
        self._threads: dict[str, Any] = {"threads": 1} if many else {}

    def node(self) -> Any:
        """All layers, as frames of the output."""
        layers = list(self._scene.pictures)
        if layers and self._covers_all(layers[0]):
            node = self._placed(layers.pop(0))
        else:
            node = self._background(self._scene.frames)
        for layer in layers:
            node = _over(node, self._placed(layer), layer.x, layer.y, filled=layer.filled)
        for text, drawn in zip(self._scene.texts, self._files.texts, strict=True):
            if text.span.first < self._scene.frames and text.span.end > 0:
                node = _over(node, self._text(text, drawn), drawn.x, drawn.y, filled=False)
        node = _tagged(node.filter("format", pix_fmts=encoder(self._scene.encoder).pixel_format))
        return node.filter("settb", expr=ratio_text(self._scene.time_base))

    def _covers_all(self, layer: PictureLayer) -> bool:
        """Whether nothing is seen beside or below it, from the first frame to the last."""
        (span, scene) = (layer.span, self._scene)
        whole = span.first <= 0 and span.end >= scene.frames
        full = layer.filled or (layer.width, layer.height) == (scene.width, scene.height)
        return whole and full and not (span.appear or span.vanish)

    def _background(self, frames: int) -> Any:
        """The background, as long as is wanted."""
        (scene, rate) = (self._scene, self._scene.frame_rate)
        colour = f"0x{scene.background[1:]}"
        source = f"color=c={colour}:s={scene.width}x{scene.height}:r={ratio_text(rate)}:d=1"
        node = self._opener.open(source, "lavfi").filter("format", pix_fmts="gbrp")
        return self._repeated(_as_video(node.filter("trim", end_frame=1)), frames)

    def _placed(self, layer: PictureLayer) -> Any:
        """A picture at its place in time, with what is drawn beside it."""
        node = self._beside(layer, self._scaled(layer, self._frames(layer)))
        return self._timed(node, layer.span)

    def _beside(self, layer: PictureLayer, node: Any) -> Any:
        if not layer.filled:
            return node
        if layer.blurred:
            split = node.filter_multi_output("split", 2)
            return _over(self._blurred(split[0]), split[1], layer.x, layer.y, filled=False)
        return _over(self._background(layer.span.count), node, layer.x, layer.y, filled=False)

    def _blurred(self, node: Any) -> Any:
        """A picture that fills the canvas, so blurred that only its colours are left."""
        (width, height) = (self._scene.width, self._scene.height)
        small = [max(2, round(side / BLUR_SHARE / 2) * 2) for side in (width, height)]
        node = node.filter("scale", w=small[0], h=small[1], force_original_aspect_ratio="increase")
        node = node.filter("crop", w=small[0], h=small[1])
        node = node.filter("gblur", sigma=max(1, small[1] / 20))
        return _tagged(node.filter("scale", w=width, h=height, flags="bilinear"))

    def _frames(self, layer: PictureLayer) -> Any:
        """The frames that are seen of a source, each at the output's pace, exactly counted."""
        info = self._scene.inputs[layer.source]
        if info.picture is PictureKind.STILL:
            return self._opened_picture(layer.source)
        if info.picture is PictureKind.ANIMATION:
            node = _in_rounds(self._opened_picture(layer.source), info.video[0])
        else:
            node = self._opened(layer, info)
        if layer.deinterlace:
            node = node.filter("bwdif", mode="send_frame", parity="auto", deint="all")
        begin = f"(PTS-{float(layer.source_in):.9f}/TB)/{float(layer.speed):.12f}"
        node = node.filter("setpts", expr=begin)
        rate = ratio_text(self._scene.frame_rate)
        node = node.filter("fps", fps=rate, start_time=0, round="near")
        node = node.filter("tpad", stop=-1, stop_mode="clone")
        return node.filter("trim", end_frame=layer.span.count)

    def _opened(self, layer: PictureLayer, info: MediaInfo) -> Any:
        video = next(stream for stream in info.video if stream.index == layer.stream)
        origin = video.start or Fraction(0)
        opened = _open(self._opener, info, layer.source_in, origin, self._threads)
        node = opened[str(layer.stream)]
        lead = 2 / (video.frame_rate or 1) if video.variable_frame_rate is False else None
        if lead is not None and layer.source_in > lead:
            node = node.filter("trim", start=float(layer.source_in - lead))
        return node

    def _opened_picture(self, source: int) -> Any:
        path = source_url(self._files.pictures[source])
        if self._scene.inputs[source].picture is PictureKind.STILL:
            return self._opener.open(path, "mov")["0"]
        return self._opener.open(path, "mov", stream_loop=-1)["0"]

    def _scaled(self, layer: PictureLayer, node: Any) -> Any:
        info = self._scene.inputs[layer.source]
        video = next(stream for stream in info.video if stream.index == layer.stream)
        if layer.tone_map is not None:
            node = tone_mapped(node, layer.tone_map, video.color_transfer)
        crop = layer.crop
        if any((crop.left, crop.top, crop.right, crop.bottom)):
            node = node.filter(
                "crop",
                w=f"iw*{1 - crop.left - crop.right:.6f}",
                h=f"ih*{1 - crop.top - crop.bottom:.6f}",
                x=f"iw*{crop.left:.6f}",
                y=f"ih*{crop.top:.6f}",
            )
        matrix = video.color_matrix if info.picture is None and layer.tone_map is None else None
        node = _as_video(node, layer.width, layer.height, matrix)
        if info.picture is PictureKind.STILL:
            node = self._repeated(node, layer.span.count)
        return node

    def _text(self, layer: TextLayer, drawn: Drawn) -> Any:
        node = self._opener.open(source_url(drawn.path), "png_pipe").filter(
            "format", pix_fmts="rgba"
        )
        node = node.filter("scale", w="iw", h="ih", out_color_matrix="bt709", out_range="tv")
        node = _tagged(node.filter("format", pix_fmts="yuva420p"))
        return self._timed(self._repeated(node, layer.span.count), layer.span)

    def _repeated(self, node: Any, frames: int) -> Any:
        """One frame, made once, as long as it is wanted."""
        node = node.filter("loop", loop=-1, size=1).filter("settb", expr=ratio_text(self._frame))
        return node.filter("setpts", expr="N").filter("trim", end_frame=frames)

    def _timed(self, node: Any, span: Span) -> Any:
        """A layer that comes and goes, at its place in time."""
        if span.appear or span.vanish:
            node = node.filter("format", pix_fmts="yuva420p")
        if span.appear:
            node = node.filter("fade", type="in", start_frame=0, nb_frames=span.appear, alpha=1)
        if span.vanish:
            begin = max(0, span.count - span.vanish)
            node = node.filter(
                "fade", type="out", start_frame=begin, nb_frames=span.vanish, alpha=1
            )
        node = node.filter("settb", expr=ratio_text(self._frame))
        if span.skipped:
            node = node.filter("trim", start_frame=span.skipped)
        return node.filter("setpts", expr=f"N+{span.first + span.skipped}")


def _over(below: Any, above: Any, x: int, y: int, *, filled: bool) -> Any:
    """One picture over another; where it has ended, only what is below."""
    place = {"x": 0, "y": 0} if filled else {"x": x, "y": y}
    return ffmpeg.filter(
        [below, above], "overlay", **place, eof_action="pass", repeatlast=0, format="yuv420"
    )


def _as_video(
    node: Any, width: int | None = None, height: int | None = None, matrix: str | None = None
) -> Any:
    """Frames of a size in the output's pixel format and colours."""
    arguments: dict[str, Any] = {"w": width or "iw", "h": height or "ih"}
    arguments |= {"flags": "bicubic+accurate_rnd", "out_color_matrix": "bt709", "out_range": "tv"}
    if matrix in SCALE_MATRICES:
        arguments["in_color_matrix"] = SCALE_MATRICES[str(matrix)]
    node = node.filter("scale", **arguments).filter("setsar", sar="1")
    return _tagged(node.filter("format", pix_fmts="yuv420p"))


def _tagged(node: Any) -> Any:
    return node.filter(
        "setparams", color_primaries="bt709", color_trc="bt709", colorspace="bt709", range="tv"
    )


def _in_rounds(node: Any, facts: VideoStream) -> Any:
    """Each round of an animation begins when the last frame of the one before has had its time."""
    if not facts.packets or facts.duration is None:
        return node
    (count, seconds) = (facts.packets, float(facts.duration))
    begin = f"if(eq(mod(N,{count}),0),st(0,PTS))"
    return node.filter("setpts", expr=f"{begin};floor(N/{count})*{seconds:.6f}/TB+PTS-ld(0)")


def _open(
    opener: _Opener, info: MediaInfo, source_in: Fraction, origin: Fraction, more: dict[str, Any]
) -> Any:
    """A file as an input whose times count from `origin`, opened shortly before a time in it."""
    options = dict(more)
    seek = source_in - LEAD_S
    if info.container in SEEKABLE and seek > LEAD_S:
        options |= {
            "noaccurate_seek": None,
            "ss": seconds_text(seek + origin - (info.start or 0)),
        }
    options |= {"protocol_whitelist": "file", "itsoffset": seconds_text(-origin)}
    return opener.open(source_url(info.path), info.container, **options)


def _sound(scene: Scene, level: Level, opener: _Opener) -> Any:
    """Everything that is heard, as many samples as the output has."""
    speaking = [_heard(scene, layer, opener) for layer in scene.sounds if not layer.ducked]
    music = [_heard(scene, layer, opener) for layer in scene.sounds if layer.ducked]
    if not scene.sounds:
        silence = opener.open(f"anullsrc=r={AUDIO_RATE}:cl=stereo", "lavfi")
        return exactly(silence.filter("atrim", end_sample=scene.samples), scene.samples)
    if speaking and music:
        node = _ducked(scene, _sum(speaking), _sum(music))
    else:
        node = _sum([*speaking, *music])
    if _may_be_loud(scene) and scene.loudness_lufs is None:
        node = limited(node)
    return exactly(levelled(node, level), scene.samples)


def _ducked(scene: Scene, speech: Any, music: Any) -> Any:
    """Music that is lowered while something else is heard."""
    split = exactly(speech, scene.samples).filter_multi_output("asplit", 2)
    lowered = ffmpeg.filter(
        [exactly(music, scene.samples), split[0]], "sidechaincompress", **DUCKING
    )
    return _sum([split[1], lowered])


def _sum(nodes: list[Any]) -> Any:
    if len(nodes) == 1:
        return nodes[0]
    return ffmpeg.filter(nodes, "amix", inputs=len(nodes), normalize=0, duration="longest")


def _may_be_loud(scene: Scene) -> bool:
    """Whether it may come over full level: what is heard together, or louder than recorded."""
    together = any(
        min(one.end, other.end) - max(one.first, other.first)
        > max(one.crossed_in, one.crossed_out, other.crossed_in, other.crossed_out)
        for one, other in combinations(scene.sounds, 2)
    )
    return together or any(layer.volume > 1 for layer in scene.sounds)


def _heard(scene: Scene, layer: SoundLayer, opener: _Opener) -> Any:
    """A stretch of sound at its place in time."""
    info = scene.inputs[layer.source]
    facts = next(stream for stream in info.audio if stream.index == layer.stream)
    counted = _of_picture if _is_timed(info) else _counted
    node = counted(opener, info, layer, facts)
    for tempo in _tempos(layer.speed):
        node = node.filter("atempo", tempo=tempo)
    node = exactly(node, layer.count)
    if layer.volume != 1:
        node = node.filter("volume", volume=f"{layer.volume:.6f}")
    node = _faded(node, layer)
    if layer.first:
        node = node.filter("adelay", delays=f"{layer.first}S", all=1)
    # What adelay (in ffmpeg 9) and atempo tell of times is not that of the samples.
    return node.filter("asetpts", expr="N/SR/TB")


def _is_timed(info: MediaInfo) -> bool:
    """Whether its sound belongs to a picture, and is placed by its time stamps."""
    return bool(info.video) and info.picture is None


def _of_picture(opener: _Opener, info: MediaInfo, layer: SoundLayer, facts: AudioStream) -> Any:
    """The sound of a video from `source_in` on, counted from its first frame shown."""
    origin = info.video[0].start or Fraction(0)
    seeks = info.container in SEEKABLE and layer.source_in > 2 * LEAD_S
    first = round((layer.source_in - LEAD_S / 2) * AUDIO_RATE) if seeks else 0
    node = _open(opener, info, layer.source_in, origin, {"vn": None})[str(layer.stream)]
    node = stereo(node, facts).filter(
        "aresample", sample_rate=AUDIO_RATE, **{"async": 1}, first_pts=first, min_hard_comp=0.01
    )
    node = node.filter("asetpts", expr="N/SR/TB")
    inside = replace(layer, source_in=layer.source_in - Fraction(first, AUDIO_RATE))
    return _from(node, inside, AUDIO_RATE)


def _counted(opener: _Opener, info: MediaInfo, layer: SoundLayer, facts: AudioStream) -> Any:
    """The sound of a recording from `source_in` on, counted from its first sample."""
    opened = opener.open(source_url(info.path), info.container, protocol_whitelist="file")
    node = opened[str(layer.stream)]
    node = as_one_piece(stereo(node, facts), facts)
    if layer.clock == 1:
        node = node.filter("aresample", sample_rate=AUDIO_RATE)
        return _from(node, layer, AUDIO_RATE)
    return _from(node, layer, AUDIO_RATE if facts.gaps else facts.sample_rate)


def _from(node: Any, layer: SoundLayer, rate: int) -> Any:
    """Samples from `source_in` on, the clock of the recorder set right."""
    if layer.clock != 1:
        source_out = layer.source_in + Fraction(layer.count, AUDIO_RATE) * layer.clock * layer.speed
        return resampled(
            node, source_in=layer.source_in, source_out=source_out, rate=rate, by=layer.clock
        )
    first = round(layer.source_in * AUDIO_RATE)
    return node.filter("atrim", start_sample=first).filter("asetpts", expr="N/SR/TB")


def _tempos(speed: Fraction) -> list[str]:
    """Steps between a half and two, within which `atempo` loses nothing."""
    steps: list[str] = []
    left = speed
    while left > 2:
        (left, step) = (left / 2, Fraction(2))
        steps.append(f"{float(step):.9f}")
    while left < Fraction(1, 2):
        (left, step) = (left * 2, Fraction(1, 2))
        steps.append(f"{float(step):.9f}")
    return [*steps, f"{float(left):.9f}"] if left != 1 else steps


def _faded(node: Any, layer: SoundLayer) -> Any:
    """The fades that were asked for, and those between neighbours that overlap."""
    for kind, size, curve in (
        ("in", layer.fade_in, "tri"),
        ("in", layer.crossed_in, "qsin"),
        ("out", layer.fade_out, "tri"),
        ("out", layer.crossed_out, "qsin"),
    ):
        if size:
            begin = 0 if kind == "in" else max(0, layer.count - size)
            node = node.filter("afade", type=kind, start_sample=begin, nb_samples=size, curve=curve)
    return node
