"""The parallel AAC encoder: exact lengths, the same bytes by any count, joints nobody can hear."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import threading
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
from numpy.typing import NDArray

from avpipe.codecs import aac
from avpipe.codecs.aac import FRAME, encode_stream
from avpipe.errors import DiskFullError, RenderError

Samples = NDArray[np.float32]

RATE = 48000
CHUNK = 12 * FRAME
"""Short chunks, so that few samples have many joints."""
MEDIA = Path(__file__).resolve().parents[2] / "shared" / "media"
BUNDLED = imageio_ffmpeg.get_ffmpeg_exe()
DEBIAN = "/usr/bin/ffmpeg"


@pytest.fixture
def short_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aac, "CHUNK_FRAMES", CHUNK // FRAME)


def music(seconds: float) -> Samples:
    """Chords that swell and drum hits, in stereo."""
    rng = np.random.default_rng(3)
    t = np.arange(round(seconds * RATE)) / RATE
    swell = 0.5 + 0.5 * np.sin(2 * np.pi * 0.9 * t)
    chord = sum(0.1 * swell * np.sin(2 * np.pi * f * t) for f in (220, 277, 330, 2200, 5000))
    hits = rng.standard_normal((len(t), 2)) * 0.1 * np.exp(-(t % 0.5) * 90)[:, None]
    floor = rng.standard_normal((len(t), 2)) * 1e-3
    return (np.asarray(chord)[:, None] * [1.0, 0.7] + hits + floor).astype(np.float32)


def pure_tone(seconds: float) -> Samples:
    t = np.arange(round(seconds * RATE)) / RATE
    return np.repeat(0.5 * np.sin(2 * np.pi * 440 * t)[:, None], 2, axis=1).astype(np.float32)


def read_wide(path: Path, seconds: float) -> Samples:
    """A recording as 48 kHz stereo."""
    resampler = av.AudioResampler(format="flt", layout="stereo", rate=RATE)
    parts = []
    with av.open(str(path)) as file:
        for frame in file.decode(audio=0):
            parts += [part.to_ndarray() for part in resampler.resample(frame)]
            if sum(part.shape[1] for part in parts) >= 2 * seconds * RATE:
                break
    samples: Samples = np.concatenate(parts, axis=1, dtype=np.float32).reshape(-1, 2)
    return samples[: round(seconds * RATE)]


def signal(name: str, folder: Path) -> Samples:
    if name in ("music", "tone"):
        return {"music": music, "tone": pure_tone}[name](8)
    if name == "guitar":
        path = MEDIA / "audio" / "guitar.wav"
        if not path.exists():
            pytest.skip("no shared/media folder: the guitar was not tried")
        return read_wide(path, 8)
    if shutil.which("espeak-ng") is None:
        pytest.skip("espeak-ng is not installed: speech was not tried")
    said = "She had your dark suit in greasy wash water all year. The birch canoe slid on. " * 3
    wav = folder / "speech.wav"
    subprocess.run(["espeak-ng", "-w", wav, said], check=True)
    return read_wide(wav, 8)


def encode(samples: Samples, target: Path, workers: int = 2) -> aac.Encoded:
    return encode_stream(io.BytesIO(samples.tobytes()), str(target), workers=workers)


def encode_whole(samples: Samples, target: Path) -> None:
    """The reference: one encoder, as `ffmpeg -c:a aac -b:a 192k`, cut to whole frames."""
    with av.open(str(target), "w", format="ipod") as file:
        stream = file.add_stream("aac", rate=RATE)
        stream.layout = "stereo"
        stream.bit_rate = 192_000
        for at in range(0, len(samples), 32 * FRAME):
            block = np.ascontiguousarray(samples[at : at + 32 * FRAME]).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(block, format="flt", layout="stereo")
            frame.sample_rate, frame.pts = RATE, at
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))


def decode(path: Path) -> Samples:
    with av.open(str(path)) as file:
        parts = [frame.to_ndarray() for frame in file.decode(audio=0)]
    if not parts:
        return np.zeros((0, 2), np.float32)
    samples: Samples = np.concatenate(parts, axis=1, dtype=np.float32).T
    return samples


def decode_by(ffmpeg: str, path: Path) -> Samples:
    argv = [ffmpeg, "-v", "error", "-nostdin", "-i", str(path), "-map", "0:a", "-f", "f32le", "-"]
    run = subprocess.run(argv, stdout=subprocess.PIPE, check=True)
    return np.frombuffer(run.stdout, np.float32).reshape(-1, 2)


def generation(ffmpeg: str) -> int:
    """The major version of its libavformat."""
    shown = subprocess.run([ffmpeg, "-version"], stdout=subprocess.PIPE, check=True, text=True)
    line = next(line for line in shown.stdout.splitlines() if line.startswith("libavformat"))
    return int(line.split()[1].split(".")[0])


def told_lengths(path: Path) -> tuple[int, int, int]:
    """Samples as the track tells them, as the packets do, and where the first is."""
    with av.open(str(path)) as file:
        stream = file.streams.audio[0]
        assert Fraction(stream.time_base or 0) == Fraction(1, RATE)
        packets = [packet for packet in file.demux(stream) if packet.size]
        end = max((packet.pts or 0) + (packet.duration or 0) for packet in packets)
        first = packets[1].pts if len(packets) > 1 else packets[0].pts
        return stream.duration or 0, end, first or 0


def frame_snr(source: Samples, decoded: Samples) -> NDArray[np.float64]:
    """In dB, of each 1024 samples."""
    size = min(len(source), len(decoded)) // FRAME * FRAME
    wanted = source[:size].astype(np.float64).reshape(-1, FRAME * 2)
    wrong = wanted - decoded[:size].reshape(-1, FRAME * 2)
    ratio: NDArray[np.float64] = ((wanted**2).sum(1) + 1e-7) / ((wrong**2).sum(1) + 1e-7)
    return 10 * np.log10(ratio)


def snr(source: Samples, decoded: Samples) -> float:
    """In dB, of the whole."""
    wrong = source.astype(np.float64) - decoded[: len(source)]
    return float(10 * np.log10((source.astype(np.float64) ** 2).sum() / (wrong**2).sum()))


LENGTHS = [
    1, 500, FRAME, FRAME + 1, CHUNK - 1, CHUNK, CHUNK + 1, CHUNK + FRAME - 1, CHUNK + FRAME,
    CHUNK + FRAME + 1, 2 * CHUNK, 3 * CHUNK + 5 * FRAME, 77_777,
]  # fmt: skip


@pytest.mark.usefixtures("short_chunks")
@pytest.mark.parametrize("size", LENGTHS)
def test_the_file_is_as_long_as_what_was_read(size: int, tmp_path: Path) -> None:
    target = tmp_path / "a.m4a"
    source = pure_tone(2)[:size]
    done = encode(source, target)
    assert (done.samples, done.duration) == (size, Fraction(size, RATE))
    assert done.packets == -(-size // FRAME) + 1
    assert told_lengths(target) == (size, size, 0)
    decoded = decode(target)
    assert len(decoded) == -(-size // FRAME) * FRAME  # the last frame whole
    if size > CHUNK:
        assert snr(source, decoded) > 40  # a sample too early or late is 25 dB
    if generation(BUNDLED) >= 63:
        assert len(decode_by(BUNDLED, target)) == size


def test_an_empty_sound_is_a_track_without_samples(tmp_path: Path) -> None:
    done = encode(np.zeros((0, 2), np.float32), tmp_path / "a.m4a")
    assert (done.samples, done.packets) == (0, 1)
    with av.open(str(tmp_path / "a.m4a")) as file:
        assert not file.streams.audio[0].duration
    assert len(decode(tmp_path / "a.m4a")) == 0


@pytest.mark.usefixtures("short_chunks")
@pytest.mark.parametrize("ffmpeg", [BUNDLED, DEBIAN], ids=["bundled", "debian"])
@pytest.mark.parametrize("size", [FRAME, CHUNK + 1, 77_777])
def test_the_length_survives_a_copy_beside_a_video(ffmpeg: str, size: int, tmp_path: Path) -> None:
    if not Path(ffmpeg).exists():
        pytest.skip(f"no {ffmpeg}: only the bundled one was tried")
    sound, video, target = (tmp_path / name for name in ("a.m4a", "v.mp4", "out.mp4"))
    source = pure_tone(2)[:size]
    encode(source, sound)
    lavfi = ("-f", "lavfi", "-i", "testsrc=d=2:s=64x64:r=25", "-c:v", "mpeg4")
    subprocess.run([ffmpeg, "-v", "error", *lavfi, video], check=True)
    # Without the time scale ffmpeg 5.1 rounds the edit list to milliseconds and cuts samples.
    copy = ("-map", "0:v", "-map", "1:a", "-c", "copy", "-movie_timescale", "48000")
    argv = [ffmpeg, "-v", "error", "-i", str(video), "-i", str(sound), *copy]
    subprocess.run([*argv, "-movflags", "+faststart", target], check=True)
    assert told_lengths(target) == (size, size, 0)
    if size > CHUNK:
        assert snr(source, decode(target)) > 40
    exact = generation(ffmpeg) >= 63
    assert len(decode_by(ffmpeg, target)) == (size if exact else -(-size // FRAME) * FRAME)


@pytest.mark.usefixtures("short_chunks")
def test_the_bytes_do_not_depend_on_the_workers(tmp_path: Path) -> None:
    source = music(2)
    files = []
    for workers in (1, 2, 5):
        target = tmp_path / f"{workers}.m4a"
        encode(source, target, workers)
        files.append(target.read_bytes())
    assert files[0] == files[1] == files[2]


def joint_loss(source: Samples, folder: Path, patch: pytest.MonkeyPatch) -> tuple[float, float]:
    """What the joints of short chunks lose, and what the whole gains, in dB.

    The joints are compared with the same frames in one long chunk, and so, whatever the sound
    does, with the frames between them; the whole with one plain encoder.
    """
    patch.setattr(aac, "CHUNK_FRAMES", 100_000)
    encode(source, folder / "long.m4a")
    patch.setattr(aac, "CHUNK_FRAMES", 24)
    encode(source, folder / "short.m4a")
    encode_whole(source, folder / "plain.m4a")
    long, short, plain = (decode(folder / f"{name}.m4a") for name in ("long", "short", "plain"))
    gain = frame_snr(source, short) - frame_snr(source, long)
    place = np.arange(len(gain)) % 24
    # A joint is heard in the last frame of a chunk and the first of the next.
    at_joint = ((place <= 2) | (place == 23)) & (np.arange(len(gain)) > 2)
    loss = float(gain[~at_joint].mean() - gain[at_joint].mean())
    return loss, snr(source, short) - snr(source, plain)


@pytest.mark.parametrize("name", ["speech", "guitar", "music", "tone"])
def test_the_joints_are_as_good_as_the_rest(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss, gain = joint_loss(signal(name, tmp_path), tmp_path, monkeypatch)
    assert loss < 0.5
    assert gain > -0.3


def test_without_preroll_the_joints_would_be_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The measure above sees a bad joint."""
    monkeypatch.setattr(aac, "PREROLL_FRAMES", 0)
    loss, _ = joint_loss(music(6), tmp_path, monkeypatch)
    assert loss > 3


def test_without_the_silence_the_rate_control_would_be_cold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fails once the encoder finds its place without it, and the silence can go."""
    source = pure_tone(4)
    encode_whole(source, tmp_path / "whole.m4a")
    late = source[90 * FRAME :]
    encode_whole(late, tmp_path / "late.m4a")
    encode(late, tmp_path / "silence.m4a")
    warm = frame_snr(source, decode(tmp_path / "whole.m4a"))[90 + 8 : 90 + 24].mean()
    cold = frame_snr(late, decode(tmp_path / "late.m4a"))[8:24].mean()
    conditioned = frame_snr(late, decode(tmp_path / "silence.m4a"))[8:24].mean()
    assert cold < warm - 3
    assert conditioned > warm - 0.5


@pytest.mark.parametrize("channels", [1, 6])
def test_other_channel_counts(channels: int, tmp_path: Path) -> None:
    source = np.repeat(pure_tone(1)[:, :1], channels, axis=1)
    target = tmp_path / "a.m4a"
    encode_stream(
        io.BytesIO(source.tobytes()), str(target), channels=channels, bit_rate=64_000 * channels,
        workers=2,
    )  # fmt: skip
    with av.open(str(target)) as file:
        assert file.streams.audio[0].channels == channels
    assert told_lengths(target) == (RATE, RATE, 0)


@pytest.mark.usefixtures("short_chunks")
@pytest.mark.parametrize("size", [3, 8 * 100 + 1, 8 * (CHUNK + FRAME) + 5])
def test_an_end_within_a_sample_is_an_error(size: int, tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="within a sample"):
        encode_stream(io.BytesIO(bytes(size)), str(tmp_path / "a.m4a"), workers=2)


@pytest.mark.usefixtures("short_chunks")
def test_progress_is_told_as_it_is_written(tmp_path: Path) -> None:
    told: list[int] = []
    source = io.BytesIO(music(1).tobytes())
    encode_stream(source, str(tmp_path / "a.m4a"), workers=2, report=told.append)
    assert told == [*range(CHUNK, RATE, CHUNK), RATE]


class Watched(io.RawIOBase):
    """Sound in pieces of odd sizes, that knows how much was taken of it; may fail in the middle."""

    def __init__(self, size: int, *, fails_at: int | None = None) -> None:
        self.left = size
        self.taken = 0
        self.fails_at = fails_at

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        if self.fails_at is not None and self.taken >= self.fails_at:
            raise ConnectionResetError("the source went away")
        size = min(size, 9973, self.left)
        self.left -= size
        self.taken += size
        return bytes(size)


@pytest.mark.usefixtures("short_chunks")
def test_few_chunks_are_held_whatever_the_length(tmp_path: Path) -> None:
    source = Watched(8 * 60 * CHUNK)
    ahead: list[int] = []
    encode_stream(
        source,  # type: ignore[arg-type]
        str(tmp_path / "a.m4a"), workers=2,
        report=lambda done: ahead.append(source.taken - 8 * done),
    )  # fmt: skip
    assert max(ahead) <= 8 * (3 * CHUNK + FRAME)
    assert source.left == 0


@pytest.mark.usefixtures("short_chunks")
def test_errors_of_the_source_are_the_callers(tmp_path: Path) -> None:
    source = Watched(8 * 60 * CHUNK, fails_at=8 * 20 * CHUNK)
    with pytest.raises(ConnectionResetError):
        encode_stream(source, str(tmp_path / "a.m4a"), workers=2)  # type: ignore[arg-type]


@pytest.mark.usefixtures("short_chunks")
def test_errors_in_a_thread_end_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encode_chunk, calls = aac._encode_chunk, iter(range(100))

    def fail(chunk: aac._Chunk, form: aac._Format) -> list[bytes]:
        if next(calls) == 4:
            raise RenderError("the fifth")
        return encode_chunk(chunk, form)

    monkeypatch.setattr(aac, "_encode_chunk", fail)
    before = threading.active_count()
    with pytest.raises(RenderError, match="the fifth"):
        encode(music(4), tmp_path / "a.m4a")
    assert threading.active_count() == before


def test_no_folder_and_no_room_are_our_errors(tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="could not be encoded"):
        encode(pure_tone(0.1), tmp_path / "nowhere" / "a.m4a")
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full: a full disk was not tried")
    with pytest.raises(DiskFullError):
        encode(pure_tone(3), Path("/dev/full"))


def test_a_pipe_is_read_to_its_end(tmp_path: Path) -> None:
    source = pure_tone(1)
    read_end, write_end = os.pipe()

    def feed() -> None:
        with os.fdopen(write_end, "wb") as sink:
            sink.write(source.tobytes())

    feeder = threading.Thread(target=feed)
    feeder.start()
    with os.fdopen(read_end, "rb") as pipe:
        done = encode_stream(pipe, str(tmp_path / "a.m4a"), workers=1)
    feeder.join()
    assert done.samples == RATE


def test_a_layout_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="5 channels"):
        encode_stream(io.BytesIO(), str(tmp_path / "a.m4a"), channels=5, workers=1)
