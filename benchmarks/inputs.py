"""The files that are measured on: made once, kept in a folder, the same on every machine."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from avpipe.benchmarks.scene import Samples
from avpipe.benchmarks.truth.pairs import Device, Pair
from avpipe.benchmarks.truth.record import Studio, write_wav
from avpipe.benchmarks.truth.sounds import Kind, Library, Sound
from avpipe.codecs.ffmpeg import Ffmpeg
from avpipe.codecs.process import run

RATE = 48_000
CLIP_S = 10
"""How long the clip is that longer videos repeat."""
BEAT_S = 0.5
_MAKING_S = 3600.0
"""How long one of them may take: hours of AAC are encoded on one core."""
_CHORDS = ((0, 4, 7, 12), (-3, 0, 4, 9), (5, 9, 12, 17), (-5, -1, 2, 7))
"""Semitones from A below the middle C."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """A folder of input files, each made when it is asked for the first time."""

    folder: Path
    ffmpeg: Ffmpeg

    def busy_video(self, megabytes: int) -> Path:
        """A 1080p30 H.264 video of 16 Mbit/s of that size: a noisy clip, repeated."""
        clip = self._clip("busy", "1920x1080", noise=12, bit_rate="16M")
        repeats = max(1, round(megabytes * 1e6 / clip.stat().st_size))
        return self._repeated(clip, f"busy-{megabytes}MB.mp4", repeats)

    def plain_video(self, seconds: int) -> Path:
        """A 1080p30 H.264 video of a few Mbit/s."""
        clip = self._clip("plain", "1920x1080", noise=3, bit_rate="4M")
        return self._repeated(clip, f"plain-{seconds}s.mp4", seconds // CLIP_S)

    def sounding_video(self, seconds: int) -> Path:
        """The plain video with the music as its sound."""
        (video, music) = (self.plain_video(seconds), self.music_aac(seconds))

        def write(part: Path) -> None:
            self._ffmpeg(
                *("-i", f"file:{video}", "-i", f"file:{music}", "-map", "0:v", "-map", "1:a"),
                *("-c", "copy", "-shortest", "-movflags", "+faststart", f"file:{part}"),
            )

        return self._made(f"sounding-{seconds}s.mp4", write)

    def thin_video(self, seconds: int) -> Path:
        """A small H.264 video of a low bit rate: much index for few bytes."""
        clip = self._clip("thin", "320x180", noise=0, bit_rate="60k")
        return self._repeated(clip, f"thin-{seconds}s.mp4", seconds // CLIP_S)

    def music_wav(self, seconds: int) -> Path:
        """Stereo music as 16-bit WAV."""

        def write(part: Path) -> None:
            raw = part.with_suffix(".s16")
            with raw.open("wb") as file:
                for sound in music(seconds):
                    file.write(sound.tobytes())
            source = ("-f", "s16le", "-ar", str(RATE), "-ac", "2", "-i", f"file:{raw}")
            self._ffmpeg(*source, "-f", "wav", f"file:{part}")
            raw.unlink()

        return self._made(f"music-{seconds}s.wav", write)

    def music_aac(self, seconds: int) -> Path:
        """The same music as AAC in MP4; a clip of it repeated, since an encode takes minutes."""
        clip = self.music_wav(min(seconds, 60))

        def write(part: Path) -> None:
            adts = part.with_suffix(".aac")
            self._ffmpeg(
                *("-i", f"file:{clip}", "-c:a", "aac", "-b:a", "192k"),
                *("-f", "adts", f"file:{adts}"),
            )
            once = adts.read_bytes()
            with adts.open("ab") as file:
                for _ in range(seconds // 60):
                    file.write(once)
            options = ("-c", "copy", "-f", "ipod", f"file:{part}")
            self._ffmpeg("-f", "aac", "-i", f"file:{adts}", *options)
            adts.unlink()

        return self._made(f"music-{seconds}s.m4a", write)

    def recorded(self, pair: Pair, ending: str) -> tuple[Path, Path]:
        """What the camera and the recorder of a pair wrote.

        H.264 of a low bit rate with stereo AAC in MP4, and 48 kHz stereo in a `wav`, or AAC in an
        `m4a`.
        """
        video, audio = f"{pair.name}-camera.mp4", f"{pair.name}-recorder.{ending}"
        paths = (self.folder / video, self.folder / audio)
        if not all(path.exists() for path in paths):
            with tempfile.TemporaryDirectory(dir=self.folder) as name:
                self._record(pair, ending, Path(name), paths)
        return paths

    def _record(self, pair: Pair, ending: str, folder: Path, paths: tuple[Path, Path]) -> None:
        """Record a pair and write both files, by way of a folder for what comes between."""
        picture = self.thin_video(int(pair.camera_s))
        studio = Studio(library=Library(folder=self.folder / "sounds"), folder=folder)
        recording = studio.record(pair)
        aac = ("-c:a", "aac", "-aac_coder", "fast", "-b:a", "128k")
        with_picture = ("-i", f"file:{picture}", "-map", "0:a", "-map", "1:v", "-c:v", "copy")
        jobs = (
            (recording.camera, (*with_picture, *aac)),
            (recording.recorder, () if ending == "wav" else aac),
        )
        for (take, options), path in zip(jobs, paths, strict=True):
            plain, part = folder / "plain.wav", folder / f"part{path.suffix}"
            write_wav(take, plain)
            self._ffmpeg(
                *("-i", f"file:{plain}", *options, "-ar", str(RATE), "-ac", "2", f"file:{part}")
            )
            part.replace(path)

    def _clip(self, name: str, size: str, *, noise: int, bit_rate: str) -> Path:
        source = f"testsrc2=size={size}:rate=30:duration={CLIP_S}"
        if noise:
            source += f",noise=alls={noise}:allf=t:all_seed=1"

        def write(part: Path) -> None:
            self._ffmpeg(
                *("-f", "lavfi", "-i", source, "-c:v", "libx264", "-preset", "veryfast"),
                *("-b:v", bit_rate, "-maxrate", bit_rate, "-bufsize", bit_rate, "-g", "150"),
                *("-pix_fmt", "yuv420p", "-color_primaries", "bt709", "-color_trc", "bt709"),
                *("-colorspace", "bt709", "-f", "mp4", f"file:{part}"),
            )

        return self._made(f"{name}-clip.mp4", write)

    def _repeated(self, clip: Path, name: str, times: int) -> Path:
        def write(part: Path) -> None:
            self._ffmpeg(
                *("-stream_loop", str(times - 1), "-i", f"file:{clip}", "-c", "copy"),
                *("-movflags", "+faststart", "-f", "mp4", f"file:{part}"),
            )

        return self._made(name, write)

    def _made(self, name: str, write: Callable[[Path], None]) -> Path:
        path = self.folder / name
        if not path.exists():
            part = self.folder / f"{path.stem}.part{path.suffix}"
            write(part)
            part.replace(path)
        return path

    def _ffmpeg(self, *arguments: str) -> None:
        argv = [self.ffmpeg.path, "-hide_banner", "-nostdin", "-v", "error", "-y", *arguments]
        run(argv, "making an input", stall_s=_MAKING_S)


def conversation(seconds: int) -> Pair:
    """A talk in a room that a camera and a recorder hear for that time, 90 % of it both."""
    return Pair(
        name=f"conversation-{seconds}s",
        sound=Sound(Kind.TALKER, 1),
        camera_s=Fraction(seconds),
        recorder_s=Fraction(seconds),
        offset_s=Fraction(-seconds, 10) + Fraction("0.123456"),
        drift_ppm=Fraction(30),
        camera=Device(snr_db=5.0, rt60_s=0.6, direct_to_reverb_db=0.0),
        recorder=Device(),
    )


def music(seconds: int) -> list[NDArray[np.int16]]:
    """(samples, 2) sounds that follow each other: plucked chords, a bass and a drum."""
    generator = np.random.default_rng(7)
    bars = [_bar(chord, generator) for chord in _CHORDS for _ in range(2)]
    length = round(seconds / (4 * BEAT_S))
    return [bars[number % len(bars)] for number in range(length)]


def _bar(chord: tuple[int, ...], generator: np.random.Generator) -> NDArray[np.int16]:
    """Four beats of one chord, broken on the sides and drummed in the middle."""
    beat = round(BEAT_S * RATE)
    time_s = np.arange(beat) / RATE
    drum = generator.standard_normal(beat) * np.exp(-time_s * 30)
    beats = []
    for number in range(4):
        (left, right) = (_pluck(chord[(number + side) % len(chord)], time_s) for side in (0, 2))
        bass = _pluck(chord[0] - 24, time_s)
        middle = 0.6 * bass + 0.25 * drum * (1 + number % 2)
        beats.append(np.stack((left + middle, right + middle), axis=1))
    sound = np.concatenate(beats)
    return np.asarray(np.round(sound / np.abs(sound).max() * 24_000), np.int16)


def _pluck(semitones: int, time_s: NDArray[np.float64]) -> Samples:
    """One note with its harmonics, which fade the faster the higher they are."""
    tone = np.zeros_like(time_s)
    for harmonic in range(1, 9):
        fade = np.exp(-time_s * 3 * harmonic)
        pitch_hz = 220 * 2 ** (semitones / 12) * harmonic
        tone += np.sin(2 * np.pi * pitch_hz * time_s) * fade / harmonic
    return tone.astype(np.float32)
