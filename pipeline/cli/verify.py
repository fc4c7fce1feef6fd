"""`avpipe verify`."""

from __future__ import annotations

import sys

import click

from avpipe import jsonform
from avpipe.cli.output import print_json, shown_path
from avpipe.cli.switches import json_option
from avpipe.workflow import verify_file


@click.command("verify")
@click.argument("output", type=click.Path())
@click.option("--video", type=click.Path(), help="The video it was made from.")
@click.option("--audio", type=click.Path(), help="The audio it was made from.")
@json_option
def command(output: str, video: str | None, audio: str | None, as_json: bool, debug: bool) -> None:
    """Decode OUTPUT from end to end and check what every MP4 of avpipe has to be."""
    checks = verify_file(output, video=video, audio=audio)
    ok = all(check.ok for check in checks)
    if as_json:
        print_json(
            {
                "schema": "avpipe.verify/1",
                "path": output,
                "ok": ok,
                "checks": [jsonform.encode(check) for check in checks],
            }
        )
    else:
        for check in checks:
            click.echo(f"{'ok  ' if check.ok else 'FAIL'} {check.name}: {check.value}")
        click.echo(f"{shown_path(output)}: {'verified' if ok else 'rejected'}")
    if not ok:
        sys.exit(1)
