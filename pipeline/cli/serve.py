"""`avpipe serve`."""

from __future__ import annotations

import dataclasses
import importlib.util
import logging
from typing import TYPE_CHECKING, Any

import click

from avpipe.cli.output import print_json, printable, settings, tell
from avpipe.cli.switches import json_option
from avpipe.errors import RequestError, ToolMissingError
from avpipe.settings import parse_size

if TYPE_CHECKING:  # starlette is imported by a server that runs, not by its help
    from avpipe.settings import Settings

SCHEMA = "avpipe.serve/1"
INSTALL = 'pip install "avpipe[server]"'
_NEEDED = ("starlette", "uvicorn", "prometheus_client", "python_multipart")


@click.command("serve")
@click.option("--host", help="The address to listen at.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="0 for any.  [default: 8484]")
@click.option("--data", metavar="DIR", help="Where everything is kept.")
@click.option(
    "--jobs",
    type=click.IntRange(1),
    help="How many renders run at once.",
)
@click.option("--cluster", metavar="ADDRESS", help="Of a Dask scheduler: render there.")
@click.option("--memory-per-job", metavar="SIZE", help="Of each process of one.  [default: 4GiB]")
@click.option("--invite", is_flag=True, help="Make a token for a new user, print it, and end.")
@click.option("--days", default=365.0, show_default=True, help="How long that token lasts.")
@json_option
def command(invite: bool, days: float, as_json: bool, debug: bool, **options: Any) -> None:
    """Be the cloud: the API, a queue of renders, and a page to drop files on."""
    _require_installed()
    chosen = _with(settings(), options)
    logging.basicConfig(level=logging.WARNING, format="warning: %(message)s")
    if invite:
        _invite(chosen, days, as_json)
        return
    _warn(chosen)
    from avpipe.server.run import serve

    def told(address: str) -> None:
        if as_json:
            print_json({"schema": SCHEMA, "event": "serving", "url": address})
        else:
            click.echo(f"serving at {address}")

    serve(chosen, told)


def _require_installed() -> None:
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise ToolMissingError(f"{', '.join(missing)} is not installed", hint=INSTALL)


def _with(chosen: Settings, options: dict[str, Any]) -> Settings:
    """The settings with what the command line says instead."""
    memory = options["memory_per_job"]
    if memory is not None:
        try:
            options["memory_per_job"] = parse_size(memory)
        except ValueError as error:
            raise RequestError(f"--memory-per-job: {error}") from error
    given = {name: value for name, value in options.items() if value is not None}
    server = dataclasses.replace(chosen.server, **given)
    if (server.tls_certificate is None) != (server.tls_key is None):
        raise RequestError("tls_certificate and tls_key go together")
    return dataclasses.replace(chosen, server=server)


def _warn(chosen: Settings) -> None:
    from avpipe.server.guard import is_loopback

    server = chosen.server
    if not is_loopback(server.host) and server.tls_certificate is None:
        tell("warning", f"{printable(server.host)} is reached by others, and nothing is encrypted")
        tell("hint", "AVPIPE_SERVER_TLS_CERTIFICATE and AVPIPE_SERVER_TLS_KEY name files in PEM")


def _invite(chosen: Settings, days: float, as_json: bool) -> None:
    from avpipe.server.accounts import Accounts
    from avpipe.server.database import Database
    from avpipe.server.service import SteadyClock, data_folder

    database = Database(data_folder(chosen) / "server.sqlite3")
    try:
        granted = Accounts(database, chosen.server, SteadyClock().now).invite(days=days)
    finally:
        database.close()
    if as_json:
        form = {"user_id": granted.user_id, "token": granted.token}
        print_json({"schema": SCHEMA, **form})
    else:
        click.echo(granted.token)
