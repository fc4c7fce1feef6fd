"""The report of a bench as one HTML file that needs no other: values in, text out."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import PurePath

from avpipe.benchmarks.break_even import BreakEven, in_a_sentence
from avpipe.benchmarks.sitting import Result, Sitting
from avpipe.benchmarks.stages import Stage
from avpipe.plot.bench import Bar, Border, Point, draw_break_even, draw_quality, draw_time

_LENGTHS_S = (10.0, 4 * 3600.0)
COLUMNS = (
    *("way", "backend", "runs", "wall s: min", "median", "max", "CPU s", "peak MB"),
    *("MB", "VMAF", "SSIM", "sync ms", "credits"),
)


def draw_page(
    sitting: Sitting,
    machine: Mapping[str, str],
    found: BreakEven | None,
    bound: BreakEven | None,
) -> str:
    """The whole page; `bound` is the break-even with a cloud that takes no time itself."""
    inputs = sitting.plan.inputs
    names = " and ".join(PurePath(info.path).name for info in (inputs.video, inputs.audio))
    sections = [
        "<h1>avpipe bench</h1>",
        f'<p class="soft">{escape(names)}, {float(sitting.plan.timeline.duration):.1f} s</p>',
        *_verdict(sitting, found, bound),
        *_figures(sitting.results),
        _skipped(sitting),
        _machine(machine),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>avpipe bench</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(sections)}</main></body></html>\n"
    )


def _verdict(sitting: Sitting, found: BreakEven | None, bound: BreakEven | None) -> list[str]:
    if found is None:
        return ['<p class="verdict">No encode was measured here: there is nothing to compare.</p>']
    sentence = in_a_sentence(found, sitting)
    borders = [Border(name=_who(found), uplink_bytes_s=found.uplink_bytes_s)]
    if bound is not None and found.backend is not None:
        name = "a cloud that takes no time to render"
        borders.append(Border(name=name, uplink_bytes_s=bound.uplink_bytes_s))
    return [
        f'<p class="verdict">{escape(sentence)}</p>',
        _picture("Where the cloud is quicker", draw_break_even(borders, _LENGTHS_S)),
    ]


def _who(found: BreakEven) -> str:
    return (
        "a cloud that takes no time" if found.backend is None else f"{found.backend}, as measured,"
    )


def _figures(results: Sequence[Result]) -> list[str]:
    if not results:
        return []
    bars = [
        Bar(name=one.lane.name, spent_s={stage.value: one.stage_s(stage) for stage in Stage})
        for one in results
    ]
    points = [
        Point(name=one.lane.name, size_bytes=one.last.size_bytes, vmaf=one.last.quality.vmaf)
        for one in results
        if one.last.quality.vmaf is not None
    ]
    return [
        _picture("Where the time goes", draw_time(bars)),
        *([_picture("Quality over size", draw_quality(points))] if points else []),
        _table(results),
    ]


def _picture(title: str, svg: bytes) -> str:
    data = base64.b64encode(svg).decode()
    image = f'<img src="data:image/svg+xml;base64,{data}" alt="{escape(title)}">'
    return f"<section><h2>{escape(title)}</h2>{image}</section>"


def _table(results: Sequence[Result]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in COLUMNS)
    rows = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells_of(result)) + "</tr>"
        for result in results
    )
    table = f'<div class="wide"><table><tr>{head}</tr>{rows}</table></div>'
    return f"<section><h2>All figures</h2>{table}</section>"


def cells_of(result: Result) -> tuple[str, ...]:
    """One way's row, as text."""
    (least, median, most) = result.walls_s
    quality = result.last.quality
    peak = max((run.usage.peak_bytes or 0 for run in result.runs), default=0)
    cpu_s = sorted(run.usage.cpu_s for run in result.runs)[len(result.runs) // 2]
    return (
        *(result.lane.name, result.lane.backend.value, str(len(result.runs))),
        *(f"{wall:.2f}" for wall in (least, median, most)),
        *(f"{cpu_s:.2f}", f"{peak / 1e6:.0f}" if peak else "?"),
        f"{result.last.size_bytes / 1e6:.2f}",
        *(_told(quality.vmaf, 1), _told(quality.ssim, 4), _told(quality.sync_error_ms, 3)),
        _told(result.last.credits, 0),
    )


def _told(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{round(value, digits) + 0.0:.{digits}f}"


def _skipped(sitting: Sitting) -> str:
    if not sitting.skipped:
        return ""
    rows = ((one.name, one.reason) for one in sitting.skipped)
    return f"<section><h2>Not measured</h2>{_listed(rows)}</section>"


def _machine(machine: Mapping[str, str]) -> str:
    return f"<section><h2>The machine</h2>{_listed(machine.items())}{_NOTES}</section>"


def _listed(rows: Iterable[tuple[str, str]]) -> str:
    cells = "".join(f"<dt>{escape(key)}</dt><dd>{escape(text)}</dd>" for key, text in rows)
    return f"<dl>{cells}</dl>"


_NOTES = """<p class="soft">Wall times are those of the whole command, its start included. The
order of the ways is turned with every round, after rounds that do not count. CPU and memory
are those of all processes of the command, not of a server. VMAF and SSIM compare the first minute;
a copy has less than 100. Sync is how late the sound is beside its picture, both laid beside the
camera's own. A server that was started for the bench is this machine: its upload takes no time,
and it renders with these cores. The break-even counts what would be sent over the uplink.</p>"""
_STYLE = """
:root{color-scheme:light dark;--ground:#f6f6f4;--card:#fff;--ink:#1d1f21;--soft:#5f656b;
--line:#dcdcd6}
@media(prefers-color-scheme:dark){:root{--ground:#16181a;--card:#202326;--ink:#e6e6e3;
--soft:#9aa1a8;--line:#363a3e}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.45 system-ui,sans-serif}
main{max-width:1000px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:22px;margin:0}h2{font-size:16px;margin:0 0 10px}
.soft{color:var(--soft);margin:4px 0 14px;overflow-wrap:anywhere}
.verdict{font-size:18px;margin:0 0 18px}
section{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px;
margin-bottom:14px}
img{display:block;max-width:100%;margin:auto;background:#fff;border-radius:6px}
.wide{overflow-x:auto}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;width:100%}
th,td{padding:5px 5px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th:first-child,td:first-child,th:nth-child(2),td:nth-child(2){text-align:left}
th{color:var(--soft);font-weight:600}
dl{display:grid;grid-template-columns:auto 1fr;gap:2px 14px;margin:0;font-size:13.5px}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
"""
