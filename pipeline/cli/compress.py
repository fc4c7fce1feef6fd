"""`avpipe compress`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from avpipe.cli.merge import show_updates
from avpipe.cli.options import QUALITY, RESOLUTION, Size
from avpipe.cli.output import settings
from avpipe.cli.plan import show_plan
from avpipe.cli.switches import json_option
from avpipe.files import require_files, require_output
from avpipe.plan.request import Request, resolution_bound
from avpipe.recipe import Quality


@click.command("compress")
@click.argument("file", type=click.Path())
@click.option(
    "--max-size",
    "limit_bytes",
    type=Size(),
    required=True,
    metavar="SIZE",
    help="What the output may take: 500MB (10^6), 500MiB (2^20).",
)
@click.option("-o", "--output", type=click.Path(), help="[default: FILE.compressed.mp4 here]")
@QUALITY
@RESOLUTION
@click.option("--dry-run", is_flag=True, help="Say what would be done, and why.")
@click.option("-y", "--overwrite", is_flag=True, help="Replace an output that is there.")
@json_option
def command(
    file: str,
    limit_bytes: int,
    output: str | None,
    quality: str,
    resolution: str,
    dry_run: bool,
    overwrite: bool,
    as_json: bool,
    debug: bool,
) -> None:
    """Make an MP4 of FILE, a video or a sound, that is not over a size."""
    from avpipe.compress import compress, plan_compress

    resolution_bound(resolution)
    source = os.path.abspath(file)  # noqa: PTH100 - `resolve` would follow links
    request = Request(
        video=source,
        audio=source,
        output=os.path.abspath(output or f"{Path(file).stem}.compressed.mp4"),  # noqa: PTH100
        quality=Quality(quality),
        resolution=resolution,
    )
    require_files([source])
    if dry_run:
        show_plan(plan_compress(request, limit_bytes, settings()), as_json=as_json)
        return
    require_output(Path(request.output), [source], overwrite=overwrite)
    show_updates(compress(request, limit_bytes, settings(), overwrite=overwrite), as_json)
