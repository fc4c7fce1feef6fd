"""What operators look at, the description of the API, and the page."""

from __future__ import annotations

import shutil
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from avpipe import __version__
from avpipe.errors import AvpipeError
from avpipe.server.answers import refused
from avpipe.server.description import description
from avpipe.server.meters import TYPE
from avpipe.server.service import Service

_PAGE_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}


def healthz(request: Request) -> Response:
    """Tell whether the server can do its work, and with what."""
    service: Service = request.app.state.service
    (store, counts) = _store(service)
    workers = service.workers.wanted
    cluster = None if service.cluster is None else {"threads": service.cluster.threads}
    ok = store == "ok" and service.workers.alive == workers
    ok = ok and (cluster is None or cluster["threads"] > 0)
    hardware = service.encoders
    form: dict[str, Any] = {
        "ok": ok,
        "version": __version__,
        "store": store,
        "workers": {"wanted": workers, "alive": service.workers.alive},
        "cluster": cluster,
        "renders": counts,
        "encoders": None if hardware is None else [*hardware, "libx264"],
        "free_bytes": shutil.disk_usage(service.folder).free,
        "uptime_s": round(service.now() - service.began_s, 1),
    }
    return JSONResponse(form, 200 if ok else 503)


def _store(service: Service) -> tuple[str, dict[str, int]]:
    try:
        return "ok", service.renders.counts()
    except AvpipeError as error:
        return error.message, {}


def metrics(request: Request) -> Response:
    """Tell Prometheus."""
    service: Service = request.app.state.service
    return Response(service.meters.text(service.renders.counts), media_type=TYPE)


def openapi(request: Request) -> Response:
    """Describe the API."""
    return JSONResponse(description())


def page(request: Request) -> Response:
    """Give the page."""
    return _page_file("index.html")


def page_part(request: Request) -> Response:
    """Give a part of the page."""
    return _page_file(request.path_params["name"])


def _page_file(name: str) -> Response:
    suffix = name.rpartition(".")[2]
    folder = files("avpipe.server") / "page"
    known = {entry.name: entry for entry in folder.iterdir()}
    if name not in known or suffix not in _PAGE_TYPES:
        return refused(404, "not found")
    headers = {"Cache-Control": "no-cache"}
    return Response(known[name].read_bytes(), media_type=_PAGE_TYPES[suffix], headers=headers)
