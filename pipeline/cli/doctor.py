"""`avpipe doctor`."""

from __future__ import annotations

import sys

import click

from avpipe import jsonform
from avpipe.cli.output import print_json, settings, tell
from avpipe.cli.switches import json_option
from avpipe.diagnosis import diagnose


@click.command("doctor")
@json_option
def command(as_json: bool, debug: bool) -> None:
    """Say what is installed and what works on this machine."""
    findings = diagnose(settings())
    ok = all(finding.ok for finding in findings if finding.needed)
    if as_json:
        rows = [jsonform.encode(finding) for finding in findings]
        print_json({"schema": "avpipe.doctor/1", "ok": ok, "checks": rows})
    else:
        for finding in findings:
            mark = "ok  " if finding.ok else "FAIL" if finding.needed else "--  "
            click.echo(f"{mark} {finding.name}: {finding.value}")
    for finding in findings:
        if finding.needed and not finding.ok:
            tell("error", f"{finding.name}: {finding.value}")
            if finding.hint:
                tell("hint", finding.hint)
    if not ok:
        sys.exit(3)
