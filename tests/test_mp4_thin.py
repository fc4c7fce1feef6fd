"""What a long MP4 is told to be by an index of a few stretches is what its whole index tells."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from media_factory import make_audio, make_video

from avpipe.codecs import measure as measuring
from avpipe.codecs import mp4_thin, probe, thin_choice
from avpipe.codecs.measure import Measured
from avpipe.codecs.mp4_thin import ThinMovie
from avpipe.media import MediaInfo

FRAMES = 420
SMALL: dict[str, Any] = {"frames": FRAMES, "size": (64, 36), "gop": 25, "flashes": ()}
VARIABLE = [Fraction(number, 30) + Fraction(number % 7, 300) for number in range(FRAMES)]
FILES: dict[str, dict[str, Any]] = {
    "frames in order": {"b_frames": 0},
    "reordered frames": {"b_frames": 3},
    "23.976 frames": {"rate": Fraction(24000, 1001)},
    "a variable rate": {"times": VARIABLE},
    "a picture that begins late": {"start": Fraction(1, 2), "audio_start": 0},
    "shifts below zero": {"options": {"movflags": "negative_cts_offsets"}},
    "no edit list": {"options": {"use_editlist": "0"}},
    "all key frames": {"gop": 1},
    "one key frame": {"gop": FRAMES, "codec_options": {"sc_threshold": "0"}},
    "an index at the front": {"options": {"movflags": "faststart"}},
    "a coarse clock": {"options": {"video_track_timescale": "600"}},
    "no sound": {"audio": None},
    "two tracks of sound": {"audio": ["tone", "noise"]},
}

THIN = mp4_thin.thin


class Looks:
    """Looks at a file with its index thinned, and with the whole of it."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.patch = patch
        self.thinned: list[ThinMovie | None] = []

    def both(self, path: Path, decode_s: float) -> tuple[tuple[MediaInfo, Measured], ...]:
        """(probed, measured) by the thinned index, then by the whole one."""
        found = []
        for make in (self._thin, lambda *_: None):
            for module in (probe, mp4_thin):
                self.patch.setattr(module, "thin", make)
            found.append((probe.probe(str(path)), measuring.measure(str(path), decode_s=decode_s)))
        return tuple(found)

    def _thin(self, *arguments: Any) -> ThinMovie | None:
        self.thinned.append(THIN(*arguments))
        return self.thinned[-1]


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Looks:
    """With limits that a short file is over."""
    monkeypatch.setattr(mp4_thin, "THIN_FROM_BYTES", 0)
    monkeypatch.setattr(thin_choice, "EDGE", 66)  # fewer than 65 packets are looked at one by one
    monkeypatch.setattr(thin_choice, "AROUND", 8)
    return Looks(monkeypatch)


def left_out(movie: ThinMovie | None) -> list[int]:
    """How many samples are left out of each track."""
    tracks = movie.tracks.values() if movie is not None else ()
    return [sum(one.samples for one in track.omissions) for track in tracks]


@pytest.mark.parametrize("case", FILES)
def test_it_is_told_what_the_whole_index_tells(case: str, looks: Looks, tmp_path: Path) -> None:
    path = make_video(tmp_path / "long.mp4", **(SMALL | FILES[case])).path
    (thinned, whole) = looks.both(path, 1.0)
    assert thinned == whole
    (probed, measured) = looks.thinned
    # Where nothing is left out, nothing is learnt.
    assert left_out(probed)[0] in (FRAMES - 2 * 66, FRAMES - 2 * 66 - 1)
    assert left_out(measured)[0] > 0


@pytest.mark.parametrize("suffix", ["m4a", "mov"])
def test_a_recording_is_told_so_too(suffix: str, looks: Looks, tmp_path: Path) -> None:
    path = make_audio(tmp_path / f"long.{suffix}", duration=20, tone_hz=440, codec="aac")
    (thinned, whole) = looks.both(path, 1.0)
    assert thinned == whole
    assert min(left_out(looks.thinned[0])) > 700


def test_packets_past_the_end_are_counted_in_what_is_left_out(looks: Looks, tmp_path: Path) -> None:
    options = {"movflags": "faststart"}
    path = make_video(tmp_path / "cut.mp4", **(SMALL | {"options": options})).path
    beyond = 0
    content = path.read_bytes()
    for share in (0.6, 0.9):
        path.write_bytes(content[: round(len(content) * share)])
        (thinned, whole) = looks.both(path, 0.2)
        assert thinned == whole
        assert thinned[0].problems[0].code == "truncated"
        tracks = [track for movie in looks.thinned if movie for track in movie.tracks.values()]
        beyond += sum(one.beyond_end for track in tracks for one in track.omissions)
    assert beyond > 100
