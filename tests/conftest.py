"""What every test stands on: a clean environment, no network, and a word on missing tools."""

from __future__ import annotations

import ipaddress
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from commands import CommandLine

TOOLS = {
    "ffmpeg": "ffmpeg",
    "ffprobe": "ffmpeg",
    "chromium": "chromium",
    "espeak-ng": "espeak-ng",
    "fc-match": "fontconfig",
}
"""Programs that some tests use, with the Debian package that holds each."""

hypothesis.settings.register_profile(
    "avpipe", deadline=None, derandomize="CI" in os.environ, print_blob=True
)
hypothesis.settings.load_profile("avpipe")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "needs(tool): is skipped where that program is missing")


def pytest_report_header() -> str:
    return ", ".join(f"{tool}: {shutil.which(tool) or 'missing'}" for tool in TOOLS)


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("needs"):
        (tool,) = mark.args
        if shutil.which(tool) is None:
            pytest.skip(f"{tool} is not installed (apt-get install {TOOLS.get(tool, tool)})")


@pytest.fixture(scope="session", autouse=True)
def clean_environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No setting of whoever runs the tests reaches them, or the programs that they start."""
    home = tmp_path_factory.mktemp("home")
    config = home / "config.toml"
    config.touch()
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("AVPIPE_", "NEMO_", "SKILL_")) or name == "NO_COLOR":
                patch.delenv(name)
        patch.setenv("AVPIPE_STATE_DIR", str(home / "state"))
        patch.setenv("AVPIPE_CONFIG", str(config))
        yield


@pytest.fixture
def avpipe(tmp_path: Path) -> Iterator[CommandLine]:
    """The command line in an empty folder; none of its processes is left at the end."""
    folder = tmp_path / "work"
    folder.mkdir()
    line = CommandLine(folder=folder)
    yield line
    line.assert_alone()


class NetworkReachedError(RuntimeError):
    """A test tried to leave this machine."""


@pytest.fixture(scope="session", autouse=True)
def no_network() -> Iterator[None]:
    """No test reaches beyond the loopback, by name or by address."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
        resolve = socket.getaddrinfo

        def guarded_resolve(host: Any, *args: Any, **kwargs: Any) -> Any:
            _require_loopback(host)
            return resolve(host, *args, **kwargs)

        patch.setattr(socket, "getaddrinfo", guarded_resolve)
        yield


def _guarded(connect: Any) -> Any:
    def guarded_connect(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6):
            _require_loopback(address[0])
        return connect(self, address)

    return guarded_connect


def _require_loopback(host: Any) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "", "localhost"):
        return
    try:
        if ipaddress.ip_address(name).is_loopback:
            return
    except ValueError:
        pass
    raise NetworkReachedError(f"a test tried to reach {name}")
