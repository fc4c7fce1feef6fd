"""How a server holds out: sessions that poll, streams, and renders, all at once; a large upload.

`python -m avpipe.benchmarks.server_load VIDEO [--seconds 60] [--upload 2GB]` starts `avpipe serve`
on this machine. With `--upload` it is only sent a file of that size: the video with a free box
behind it, so that the disk of whoever sends holds nothing of it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from avpipe.settings import parse_size

SESSIONS, STREAMS, RENDERS = 200, 20, 4
POLL_S = 2.0
"""How often each session looks."""
HEADERS = {"X-Skill-Source": "bench", "X-Skill-Version": "1", "X-Skill-Platform": "bench"}


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--upload", type=parse_size, metavar="SIZE")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        argv = [sys.executable, "-m", "avpipe", "serve", "--port", "0", "--data", folder, "--json"]
        env = {
            "PATH": "/usr/bin:/bin",
            "AVPIPE_STATE_DIR": folder,
            "AVPIPE_SERVER_TOKENS_PER_ADDRESS": "1000",
            "AVPIPE_SERVER_REQUESTS_PER_S": "1000",
            "AVPIPE_SERVER_UPLOAD_LIMIT": "100GB",
            "AVPIPE_SERVER_USER_QUOTA": "100GB",
        }
        with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=env) as server:
            try:
                assert server.stdout is not None
                url = json.loads(server.stdout.readline())["url"]
                if given.upload:
                    work = _uploaded(url, server.pid, given.video, given.upload)
                else:
                    work = _measured(url, server.pid, given.video, given.seconds)
                figures = asyncio.run(work)
            finally:
                server.terminate()
        print(json.dumps(figures))


async def _measured(url: str, pid: int, video: Path, seconds: float) -> dict[str, Any]:
    limits = httpx.Limits(max_connections=SESSIONS + STREAMS)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:
        users = [await _user(client) for _ in range(SESSIONS)]
        with video.open("rb") as file:
            body = file.read()
        for headers, session in users[:STREAMS]:
            path = f"/api/upload-video/nemo_agent/me/{session}"
            answer = await client.post(path, headers=headers, files={"files": (video.name, body)})
            answer.raise_for_status()
        renders = [await _render(client, *user) for user in users[:RENDERS]]
        end = time.monotonic() + seconds
        cpu_s = _cpu_s(pid)
        held: list[float] = []
        times: list[float] = []
        errors: list[str] = []
        work = [
            _poll(client, *user, renders[number % RENDERS] if number < RENDERS else None,
                  (times, errors), end)
            for number, user in enumerate(users)
        ]  # fmt: skip
        work += [_talk(client, *user, errors, end) for user in users[:STREAMS]]
        await asyncio.gather(*work, _watch_memory(pid, seconds, held))
        states = [await client.get(f"/api/render/proxy/lambda/{render}", headers=users[n][0])
                  for n, render in enumerate(renders)]  # fmt: skip
        (p50, p99) = (float(np.quantile(times, share)) * 1000 for share in (0.5, 0.99))
        return {
            "requests": len(times),
            "errors": errors[:5],
            "cpu_ms_per_request": round((_cpu_s(pid) - cpu_s) * 1000 / len(times), 2),
            "p50_ms": round(p50, 1),
            "p99_ms": round(p99, 1),
            "renders": [state.json()["status"] for state in states],
            "memory_mb": held,
        }


async def _uploaded(url: str, pid: int, video: Path, size: int) -> dict[str, Any]:
    """What a large upload adds to the server's memory at most, after a small one."""
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "large.mp4"
        content = video.read_bytes()
        rest = size - len(content)
        with large.open("wb") as file:
            file.write(content + b"\0\0\0\1free" + rest.to_bytes(8, "big"))
            file.truncate(size)
        async with httpx.AsyncClient(base_url=url, timeout=600) as client:
            (headers, session) = await _user(client)
            path = f"/api/upload-video/nemo_agent/me/{session}"
            for sent in (video, large):
                before = _memory_bytes(pid)
                Path(f"/proc/{pid}/clear_refs").write_text("5", encoding="ascii")
                began = time.monotonic()
                with sent.open("rb") as file:
                    files = {"files": (sent.name, file)}
                    answer = await client.post(path, headers=headers, files=files)
                answer.raise_for_status()
            return {
                "uploaded_mb": round(large.stat().st_size / 1e6),
                "seconds": round(time.monotonic() - began, 1),
                "grown_mb": round((_memory_bytes(pid, "VmHWM") - before) / 1e6, 1),
            }


async def _watch_memory(pid: int, seconds: float, held: list[float]) -> None:
    """What the server holds in MB: at the beginning, and after each fifth of the time."""
    for _ in range(6):
        held.append(round(_memory_bytes(pid) / 1e6, 1))
        if len(held) < 6:
            await asyncio.sleep(seconds / 5)


async def _user(client: httpx.AsyncClient) -> tuple[dict[str, str], str]:
    made = await client.post(
        "/api/auth/anonymous-token", headers={"X-Client-Id": str(uuid.uuid4())}
    )
    headers = {**HEADERS, "Authorization": f"Bearer {made.json()['data']['token']}"}
    path = "/api/tasks/me/with-session/nemo_agent"
    made = await client.post(path, headers=headers, json={"task_name": "bench"})
    return headers, made.json()["data"]["session_id"]


async def _render(client: httpx.AsyncClient, headers: dict[str, str], session: str) -> str:
    await _say(client, headers, session, 'add the title "Bench" at the top')
    state = await client.get(f"/api/state/nemo_agent/me/{session}/latest", headers=headers)
    draft = state.json()["data"]["state"]["draft"]
    name = f"render_{uuid.uuid4().hex}"
    form = {"id": name, "sessionId": session, "draft": draft}
    (await client.post("/api/render/proxy/lambda", headers=headers, json=form)).raise_for_status()
    return name


async def _say(
    client: httpx.AsyncClient, headers: dict[str, str], session: str, text: str
) -> httpx.Response:
    form = {"session_id": session, "new_message": {"parts": [{"text": text}]}}
    return await client.post("/run_sse", headers=headers, json=form)


async def _poll(
    client: httpx.AsyncClient,
    headers: dict[str, str],
    session: str,
    render: str | None,
    found: tuple[list[float], list[str]],
    end: float,
) -> None:
    (times, errors) = found
    path = f"/api/state/nemo_agent/me/{session}/latest"
    if render is not None:
        path = f"/api/render/proxy/lambda/{render}"
    await asyncio.sleep(POLL_S * float(np.random.default_rng().random()))
    while time.monotonic() < end:
        began = time.monotonic()
        answer = await client.get(path, headers=headers)
        times.append(time.monotonic() - began)
        if answer.status_code != 200:
            errors.append(f"{path}: {answer.status_code}")
        await asyncio.sleep(max(POLL_S - (time.monotonic() - began), 0))


async def _talk(
    client: httpx.AsyncClient, headers: dict[str, str], session: str, errors: list[str], end: float
) -> None:
    while time.monotonic() < end:
        answer = await _say(client, headers, session, "show tracks")
        if answer.status_code != 200:
            errors.append(f"run_sse: {answer.status_code}")
        await asyncio.sleep(POLL_S)


def _cpu_s(pid: int) -> float:
    """What a process itself has taken of the processors, in seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory_bytes(pid: int, what: str = "VmRSS") -> int:
    """What a process holds, in bytes; with `VmHWM` the most that it held."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith(what))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
