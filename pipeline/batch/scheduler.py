"""A connection to a Dask scheduler, and what its workers must be."""

from __future__ import annotations

from concurrent.futures import CancelledError
from typing import Any

from avpipe import __version__
from avpipe.errors import RequestError, ToolMissingError, UnreachableError

CONNECT_S = 5.0
GONE = (OSError, TimeoutError, CancelledError, RuntimeError)
"""What Dask raises when the scheduler is not there."""
LOST = ("lost", "cancelled")
"""How a future ends whose scheduler went away, or that was cancelled."""
RENDER, GPU = "render", "gpu"
"""The resources that a worker may offer: `dask worker --resources "render=2 gpu=1"`."""


def require_same_version(client: Any, address: str) -> None:
    """Raise RequestError where a worker has another avpipe: its outputs would differ."""
    try:
        found = client.run(_version)
    except Exception as error:
        raise RequestError(
            f"a worker of {address} does not have avpipe: {error}",
            hint=f"install avpipe {__version__} on every worker",
        ) from error
    others = sorted({version for version in found.values() if version != __version__})
    if others:
        raise RequestError(
            f"a worker of {address} has avpipe {others[0]}, and this is {__version__}"
        )


def connected(address: str) -> Any:
    """A client of a scheduler. Raises ToolMissingError or UnreachableError."""
    try:
        from distributed import Client
    except ImportError as error:
        raise ToolMissingError(
            "--cluster needs Dask, which is not installed", hint="pip install 'avpipe[cluster]'"
        ) from error
    try:
        return Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise UnreachableError(
            f"no Dask scheduler answers at {address}", hint="dask scheduler starts one"
        ) from error


def _version() -> str:
    return __version__
