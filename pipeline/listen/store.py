"""Where decoded samples are kept until the exact fit has read them: few in memory, many on disk."""

from __future__ import annotations

import tempfile
import threading
from copy import copy

import numpy as np
from numpy.typing import NDArray

from avpipe.codecs.listening import LISTEN_RATE, Raw, SampleType, floats

Samples = NDArray[np.float32]
Codes = NDArray[np.int8]

IN_MEMORY_BYTES = 24_000_000
"""Of one store; what is more goes into a file that has no name, and is gone with the process."""


class Store:
    """Mono sounds of one length at LISTEN_RATE, written and read anywhere; what is not is 0."""

    def __init__(self, rows: int, kind: SampleType, expected_s: float | None) -> None:
        self._kind = kind
        self._codes: list[KeptCodes] = []
        self._lock = threading.Lock()
        self._rows = [
            tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES // rows)  # noqa: SIM115 - closed below
            for _ in range(rows)
        ]
        if (expected_s or 0.0) * LISTEN_RATE * self._kind.itemsize * rows > IN_MEMORY_BYTES:
            for row in self._rows:
                row.rollover()

    def write(self, row: int, first: int, samples: Raw) -> None:
        """Keep (n,) samples from number `first` on."""
        with self._lock:
            self._rows[row].seek(first * self._kind.itemsize)
            self._rows[row].write(samples.tobytes())

    def read(self, row: int, start_s: float, duration_s: float) -> Samples:
        """Give (round(duration_s * LISTEN_RATE),) samples."""
        (first, size) = (round(start_s * LISTEN_RATE), round(duration_s * LISTEN_RATE))
        out = np.zeros(max(size, 0), np.float32)
        skipped = max(-first, 0)
        if skipped < size:
            with self._lock:
                self._rows[row].seek((first + skipped) * self._kind.itemsize)
                data = self._rows[row].read((size - skipped) * self._kind.itemsize)
            part = floats(np.frombuffer(data, self._kind))
            out[skipped : skipped + part.size] = part
        return out

    def codes(self, frames: int, bands: int) -> KeptCodes:
        """Codes that are kept on disk until this is closed."""
        self._codes.append(KeptCodes(frames, bands))
        return self._codes[-1]

    def close(self) -> None:
        """Let go of what was kept."""
        for row in self._rows:
            row.close()
        for codes in self._codes:
            codes.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class KeptCodes:
    """The codes of features on disk, read like an array: of a day they are 70 MB a channel."""

    def __init__(self, frames: int, bands: int) -> None:
        """All of them are 0 until they are written."""
        self.shape = (frames, bands)
        self._first = 0
        self._lock = threading.Lock()
        self._file = tempfile.TemporaryFile()  # noqa: SIM115 - closed below
        self._file.truncate(frames * bands)

    def __getitem__(self, frames: slice) -> Codes:
        """(n, bands) of frames in a row."""
        (begin, end, _) = frames.indices(self.shape[0])
        bands = self.shape[1]
        with self._lock:
            self._file.seek((self._first + begin) * bands)
            data = self._file.read(max(end - begin, 0) * bands)
        return np.frombuffer(data, np.int8).reshape(-1, bands)

    def __setitem__(self, frames: slice, codes: Codes) -> None:
        """Keep (n, bands) of frames in a row."""
        with self._lock:
            self._file.seek((self._first + (frames.start or 0)) * self.shape[1])
            self._file.write(codes.tobytes())

    def part(self, first: int, frames: int) -> KeptCodes:
        """Some frames in a row as codes of their own."""
        part = copy(self)
        (part.shape, part._first) = ((frames, self.shape[1]), self._first + first)
        return part

    def close(self) -> None:
        """Let go of them, and of all that are parts of them."""
        self._file.close()
