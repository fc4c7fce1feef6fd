"""How a service is reached: in time, however its name is looked up, and as this machine allows."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cloud_world import World
from fake_nemo import FakeNemo

from avpipe.cloud import contact
from avpipe.cloud.connection import was_unreachable
from avpipe.cloud.job import FALLBACK


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with FakeNemo() as nemo:
        yield World(nemo=nemo, folder=tmp_path)


def test_a_name_that_nobody_looks_up_is_given_up_in_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And nothing is sent when it is found after all. As a host with many silent addresses."""
    (found, real) = (threading.Event(), socket.getaddrinfo)
    asked: list[threading.Thread] = []

    def slow(*arguments: Any, **named: Any) -> Any:
        asked.append(threading.current_thread())
        assert found.wait(60)
        return real(*arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    world.more["idle_s"] = 0.2
    outcome = world.run()
    assert (outcome.code, outcome.exit_code) == ("unreachable", 7)
    assert asked
    assert not found.is_set()
    found.set()
    for thread in asked:
        thread.join(60)
    assert world.nemo.requests == []
    with world.cloud() as cloud:
        assert was_unreachable(cloud)
        world.more["idle_s"] = 5.0
    assert world.run().error is None


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ALL_PROXY", "socks5://user:geheim@127.0.0.1:9", "socksio is not installed"),
        ("HTTP_PROXY", "gopher://user:geheim@127.0.0.1:9", "the proxy that is set"),
        ("SSL_CERT_FILE", "/nothing/here.pem", "the certificates cannot be read"),
    ],
)
def test_settings_of_the_machine_that_allow_no_connection(
    world: World, monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    """Told as such, at once and without a secret; a merge is made here then."""
    contact._trusted.cache_clear()
    monkeypatch.setenv(name, value)
    outcome = world.run()
    assert (outcome.code, outcome.exit_code) == ("unreachable", 7)
    assert isinstance(outcome.error, FALLBACK)
    assert words in outcome.error.message
    assert "geheim" not in outcome.error.message
    assert outcome.error.hint
    assert world.time.slept == []
    assert world.nemo.requests == []
    with world.cloud() as cloud:  # it is not the service that was not there
        assert not was_unreachable(cloud)
    monkeypatch.delenv(name)
    assert world.run().error is None
