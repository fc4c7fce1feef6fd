"""Pieces of ffmpeg's filter graph that work on sound: counted in whole samples, stereo, 48 kHz."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import Any

from avpipe.media import AudioStream
from avpipe.recipe import AUDIO_RATE

PEAK_LIMIT = 0.98
"""Where a sum of sounds or channels is held, linear."""
RESAMPLER: dict[str, Any] = {
    "linear_interp": 1,
    "filter_size": 80,
    "cutoff": 0.97,
    "kaiser_beta": 11,
}
"""For ratios that no small fractions are. Of a tone up to 20 kHz it leaves at least 110 dB to noise
(float samples, 44.1, 48 and 96 kHz, 100 ppm; ffmpeg 5.1 and 9); the defaults leave 25 at 44.1 kHz,
and 61 without the interpolation."""
RESAMPLER_MARGIN_S = Fraction(1, 20)
"""What is resampled before and after a stretch, so that its ends know their neighbours."""
RESAMPLER_PHASES = 1024
"""Of its filter. Its step is a fraction of these, whose terms must not reach 2^30."""
LEAST_RATE, MOST_RATE = 8000, 400_000_000
"""Of the rates that are declared; days of samples times them still fit into 64 bits."""


def stereo(stream: Any, facts: AudioStream) -> Any:
    """Two channels of however many."""
    if facts.channels == 1:
        # ffmpeg's own way from mono to stereo costs 3 dB.
        return stream.filter("pan", args="stereo|c0=c0|c1=c0")
    if facts.layout is None and facts.channels > 2:
        # No order is known: the tracks of a recorder, evenly on both sides.
        share = " + ".join(f"{1 / facts.channels:.6f}*c{n}" for n in range(facts.channels))
        return stream.filter("pan", args=f"stereo|c0={share}|c1={share}")
    node = stream.filter("aformat", sample_fmts="fltp", channel_layouts="stereo")
    # In floats ffmpeg keeps the level of the front channels, so that the sum may be too high.
    return limited(node) if facts.channels > 2 else node


def limited(node: Any) -> Any:
    """Held under full level; nothing changes below."""
    return node.filter("alimiter", limit=PEAK_LIMIT, level=0, latency=1)


def exactly(node: Any, samples: int) -> Any:
    """Cut or padded with silence to that many samples."""
    padded = node.filter("apad", whole_len=samples).filter("atrim", end_sample=samples)
    return padded.filter("aformat", sample_fmts="fltp", channel_layouts="stereo")


def as_one_piece(node: Any, facts: AudioStream) -> Any:
    """Samples that are counted from the first; declared holes become silence, at 48 kHz."""
    if facts.gaps:
        shifted = node.filter("asetpts", expr="PTS-STARTPTS")
        return shifted.filter(
            "aresample", sample_rate=AUDIO_RATE, **{"async": 1}, first_pts=0, min_hard_comp=0.01
        )
    return node.filter("asetpts", expr="N/SR/TB")


def resampled(
    node: Any, *, source_in: Fraction, source_out: Fraction, rate: int, by: Fraction
) -> Any:
    """Samples of that rate, from `source_in` on, at the output's rate and played `by` times faster.

    `asetrate` takes whole rates, in steps of 20 ppm at 48 kHz. So both rates of the resampling are
    declared in a finer unit: after two hours the sound was in place to 0.01 us.
    """
    begin = max(0, floor((source_in - RESAMPLER_MARGIN_S) * rate))
    end = ceil((source_out + RESAMPLER_MARGIN_S) * rate)
    (declared, wanted) = _scaled_rates(by * rate / AUDIO_RATE)
    node = node.filter("atrim", start_sample=begin, end_sample=end)
    node = node.filter("asetrate", sample_rate=declared)
    node = node.filter("aresample", sample_rate=wanted, **RESAMPLER)
    node = node.filter("asetrate", sample_rate=AUDIO_RATE).filter("asetpts", expr="N/SR/TB")
    first = round((source_in - Fraction(begin, rate)) / by * AUDIO_RATE)
    return node.filter("atrim", start_sample=first).filter("asetpts", expr="N/SR/TB")


def _scaled_rates(ratio: Fraction) -> tuple[int, int]:
    """Two whole rates of that ratio, to 1e-8: one whose step the resampler can hold exactly."""
    most = int(MOST_RATE / max(ratio, Fraction(1))) // RESAMPLER_PHASES
    near = (ratio * RESAMPLER_PHASES).limit_denominator(most)
    (declared, wanted) = (near.numerator, near.denominator * RESAMPLER_PHASES)
    scale = ceil(LEAST_RATE / min(declared, wanted))
    return declared * scale, wanted * scale
