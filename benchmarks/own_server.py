"""A server of one's own, started on the loopback for as long as it is measured."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from avpipe.benchmarks.cases import AVPIPE
from avpipe.benchmarks.meter import SILENCE_S
from avpipe.codecs.process import Child
from avpipe.errors import ToolMissingError

INSTALL = 'pip install "avpipe[server]"'
_PLENTY = "1000000"
"""Of credits: a bench is not to be stopped by them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OwnServer:
    """A running server."""

    url: str
    pid: int


@contextmanager
def own_server(folder: Path, environ: Mapping[str, str]) -> Iterator[OwnServer]:
    """Serve from a folder that is thrown away. Raises AvpipeError where that does not begin."""
    if importlib.util.find_spec("uvicorn") is None:
        raise ToolMissingError("the server is not installed", hint=INSTALL)
    argv = (*AVPIPE, "serve", "--port", "0", "--data", str(folder / "server"), "--json")
    plain = {n: v for n, v in environ.items() if not n.startswith("AVPIPE_SERVER_")}
    settings = {"AVPIPE_SERVER_CREDITS": _PLENTY, "AVPIPE_SERVER_UPLOAD_LIMIT": "1TB"}
    with Child(argv, stall_s=SILENCE_S * 24, env={**plain, **settings}) as child:
        for line in child.lines():
            yield OwnServer(url=json.loads(line)["url"], pid=child.pid)
            return
        child.finish("starting a server")
        raise ToolMissingError("the server ended before it began")
