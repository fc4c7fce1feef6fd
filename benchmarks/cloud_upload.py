"""How fast and in how much memory a large file is uploaded, beside curl's multipart.

`python -m avpipe.benchmarks.cloud_upload [--size 500MB] [--runs 7]`: pairs of runs, in turns, to a
server on the loopback that only reads. Ratios within a pair mean something on a busy machine;
seconds do not. A first pair, while the file is still being written to the disk, is not counted. It
ends with exit code 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from avpipe.cloud.connection import connection, new_session
from avpipe.cloud.upload import LocalFile, upload
from avpipe.settings import CloudSettings, Settings, parse_size

LEAST_RATIO = 0.8
"""Of curl's throughput."""
MOST_GROWTH_MB = 32.0
"""How much more memory an upload may take, whatever its size."""
ANSWERS = {
    "anonymous-token": {"token": "nmv_usr_x", "user_id": "anon_1"},
    "with-session": {"session_id": "1", "task_id": "1"},
    "upload-video": {"files": [{"filename": "big.mp4", "file_type": "video"}]},
    "": {"state": {"video_infos": [], "draft": {}}},
}


def main() -> None:
    """Run the pairs and print them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=parse_size, default=parse_size("500MB"))
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--client", nargs=2, metavar=("URL", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.client:
        _upload(*given.client)
        return
    if shutil.which("curl") is None:
        raise SystemExit("curl is not installed (apt-get install curl)")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "big.mp4"
        with file.open("wb") as made:
            for _ in range(given.size // 1_000_000):
                made.write(os.urandom(1_000_000))
        url = f"http://127.0.0.1:{_serve()}"
        _pair(url, str(file))
        pairs = [_pair(url, str(file)) for _ in range(given.runs)]
    ratios = sorted(ratio for ratio, _ in pairs)
    growth_mb = max(growth for _, growth in pairs)
    median = statistics.median(ratios)
    print(
        f"throughput over curl's: median {median:.2f} of {given.runs} "
        f"({ratios[0]:.2f} to {ratios[-1]:.2f}); at most {growth_mb:.1f} MB more memory"
    )
    if median < LEAST_RATIO or growth_mb >= MOST_GROWTH_MB:
        raise SystemExit(f"MISS: {LEAST_RATIO:g} and {MOST_GROWTH_MB:g} MB are the bars")


def _pair(url: str, file: str) -> tuple[float, float]:
    """Upload by both; gives the ratio of the throughputs, and by how many MB ours grew."""
    argv = [sys.executable, "-m", "avpipe.benchmarks.cloud_upload", "--client", url, file]
    ours = json.loads(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)
    curl = ["curl", "--silent", "--output", os.devnull, "--write-out", "%{time_total}"]
    curl += ["--form", f"files=@{file}", f"{url}/upload-video"]
    theirs = float(subprocess.run(curl, check=True, capture_output=True, text=True).stdout)
    print(
        f"avpipe {ours['wall_s']:.3f} s, {ours['cpu_s']:.3f} CPU-s, "
        f"{ours['growth_mb']:.1f} MB more memory; curl {theirs:.3f} s"
    )
    return theirs / float(ours["wall_s"]), float(ours["growth_mb"])


def _upload(url: str, file: str) -> None:
    """Upload a file in this process, after a small one has brought in all code."""
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.mp4"
        small.write_bytes(b"small")
        settings = Settings(state_dir=Path(folder), cloud=CloudSettings(api_url=url))
        with connection(settings, tell=lambda note: None) as cloud:
            session = new_session(cloud).session_id
            list(upload(cloud, session, LocalFile(path=str(small))))
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            (wall, cpu) = (time.perf_counter(), time.process_time())
            list(upload(cloud, session, LocalFile(path=file)))
            found = {
                "wall_s": time.perf_counter() - wall,
                "cpu_s": time.process_time() - cpu,
                "growth_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024,
            }
    print(json.dumps(found))


def _serve() -> int:
    """Start a server that reads and throws away; gives its port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def accept() -> None:
        while True:
            (connected, _) = listening.accept()
            threading.Thread(target=_answer, args=(connected,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    port: int = listening.getsockname()[1]
    return port


def _answer(connected: socket.socket) -> None:
    """Answer request after request of one connection."""
    buffer = bytearray(1 << 20)
    with connected, connected.makefile("rb") as lines:
        while head := lines.readline().decode():
            left = 0
            while (line := lines.readline().lower()) not in (b"\r\n", b""):
                if match := re.match(rb"content-length: (\d+)", line):
                    left = int(match[1])
                if line.startswith(b"expect: 100-continue"):
                    connected.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            while left and (got := lines.readinto(memoryview(buffer)[: min(left, len(buffer))])):
                left -= got
            data = next(data for words, data in ANSWERS.items() if words in head)
            body = json.dumps({"code": 0, "data": data}).encode()
            told = (
                f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
            )
            connected.sendall(told.encode() + b"\r\n\r\n" + body)


if __name__ == "__main__":
    main()
