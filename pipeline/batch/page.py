"""The report as one HTML file that needs no other: text in, text out."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from avpipe.batch.values import Outcome, State, Summary
from avpipe.media import Alignment, AlignmentMethod


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """An item as the page shows it."""

    outcome: Outcome
    picture: bytes | None
    """JPEG."""
    outline: str
    """SVG; empty where nothing was heard."""
    links: Mapping[str, str]
    """By `video`, `audio 1` …, `output`: the path from the page's folder, or an absolute one."""


def draw_page(
    summary: Summary, items: Sequence[Shown], unpaired: Sequence[Mapping[str, str]]
) -> str:
    """The whole page, failures first."""
    ordered = sorted(items, key=lambda one: one.outcome.state is not State.FAILED)
    sections = [
        _header(summary, items),
        '<section class="items">' + "".join(_item(one) for one in ordered) + "</section>",
        _unpaired(unpaired),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>avpipe batch</title><style>{_STYLE}</style></head>"
        f"<body><main>{''.join(sections)}</main></body></html>\n"
    )


def _header(summary: Summary, items: Sequence[Shown]) -> str:
    made = [one.outcome.done for one in items if one.outcome.done is not None]
    figures = [
        (str(summary.total), "pairs"),
        (str(summary.done), "made"),
        (str(summary.skipped), "unchanged"),
        (str(summary.failed), "failed"),
        (str(len(summary.unpaired)), "files not paired"),
        (_size(sum(done.output.size_bytes for done in made)), "of outputs"),
        (_clock(summary.elapsed_s), "in all"),
    ]
    cells = "".join(
        f'<div class="{"bad" if label == "failed" and value != "0" else ""}">'
        f"<b>{escape(value)}</b><span>{label}</span></div>"
        for value, label in figures
    )
    return f'<header><h1>avpipe batch</h1><div class="totals">{cells}</div></header>'


def _item(one: Shown) -> str:
    outcome = one.outcome
    failed = outcome.state is State.FAILED
    picture = '<div class="none"></div>'
    if one.picture is not None:
        data = base64.b64encode(one.picture).decode()
        picture = f'<img src="data:image/jpeg;base64,{data}" alt="" loading="lazy">'
    badge = "failed" if failed else "unchanged" if outcome.skipped else "made"
    return (
        f'<article class="{badge}"><div class="picture">{picture}</div><div class="text">'
        f'<h2>{_link(one, "output")}<i class="badge">{badge}</i></h2>'
        f'<p class="files">{_files(one)}</p><p>{escape(outcome.why)}</p>'
        f"{_error(outcome)}{_notes(outcome)}</div>"
        f'<div class="sync">{one.outline}{_facts(outcome)}</div></article>'
    )


def _files(one: Shown) -> str:
    names = [name for name in one.links if name != "output"]
    return " + ".join(_link(one, name) for name in names)


def _link(one: Shown, name: str) -> str:
    path = one.links[name]
    text = escape(path.replace("\\", "/").rsplit("/", 1)[-1])
    made = name != "output" or one.outcome.done is not None
    address = quote(path.encode("utf-8", "surrogateescape"), safe="/:")
    return f'<a href="{address}">{text}</a>' if made else f"<span>{text}</span>"


def _error(outcome: Outcome) -> str:
    if outcome.error is None:
        return ""
    hint = f" <em>{escape(outcome.error.hint)}</em>" if outcome.error.hint else ""
    return f'<p class="error">{escape(outcome.error.message)}{hint}</p>'


def _notes(outcome: Outcome) -> str:
    return "".join(f'<p class="note">{escape(note)}</p>' for note in outcome.notes)


def _facts(outcome: Outcome) -> str:
    done = outcome.done
    if done is None:
        return ""
    facts = placing(done.alignment) if done.alignment is not None else []
    route = done.route if done.fallback is None else f"{done.route}, after {done.fallback.reason}"
    residual = next((c.value for c in done.checks if c.name == "sync_residual_ms"), None)
    if residual is not None:
        facts.append(("sync of the output", f"± {residual:.3f} ms"))
    facts += [
        ("route", f"{route}: video {_PAST[done.video]}, audio {_PAST[done.audio]}"),
        ("size", f"{_size(done.output.size_bytes)}, {done.output.width}x{done.output.height}"),
        ("length", _clock(done.output.duration_s)),
        ("made in", f"{done.elapsed_s:.1f} s"),
    ]
    rows = "".join(f"<dt>{label}</dt><dd>{escape(value)}</dd>" for label, value in facts)
    return f"<dl>{rows}</dl>"


def placing(alignment: Alignment) -> list[tuple[str, str]]:
    """Offset, drift and certainty."""
    if alignment.method is AlignmentMethod.START:
        return [("offset", "0 s, by the starts")]
    error = alignment.offset_error_s
    within = "" if error is None else f" ± {max(error * 1e3, 0.001):.3f} ms"
    facts = [("offset", f"{_rounded(alignment.offset_s or 0.0, 4):+.4f} s{within}")]
    if alignment.drift_ppm is not None:
        spread = alignment.drift_error_ppm
        within = "" if spread is None else f" ± {spread:.2f}"
        facts.append(("drift", f"{_rounded(alignment.drift_ppm, 2):+.2f}{within} ppm"))
    if alignment.confidence is not None:
        facts.append(("certainty", f"{min(alignment.confidence, 0.999):.1%}"))
    return facts


def _unpaired(unpaired: Sequence[Mapping[str, str]]) -> str:
    if not unpaired:
        return ""
    rows = "".join(
        f"<tr><td>{escape(one['path'])}</td><td>{escape(one['reason'])}</td></tr>"
        for one in unpaired
    )
    return f'<section><h2>Not paired</h2><table class="unpaired">{rows}</table></section>'


def _size(size_bytes: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size_bytes < 1000 or unit == "GB":
            return f"{size_bytes:.0f} {unit}" if unit == "bytes" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    raise AssertionError


def _clock(seconds: float) -> str:
    (minutes, rest) = divmod(round(seconds, 1), 60)
    (hours, minutes) = divmod(int(minutes), 60)
    return f"{hours}:{minutes:02d}:{int(rest):02d}" if hours else f"{minutes}:{rest:04.1f}"


_PAST = {"copy": "copied", "encode": "encoded"}
_STYLE = """
:root{color-scheme:light dark;--ground:#f6f6f4;--card:#fff;--ink:#1d1f21;--soft:#5f656b;
--line:#dcdcd6;--camera:#1f5fa8;--sound:#c8641e;--bad:#b3261e;--badcard:#fdecea;--good:#1f6b2e;
--warn:#7a4b00}
@media(prefers-color-scheme:dark){:root{--ground:#16181a;--card:#202326;--ink:#e6e6e3;
--soft:#9aa1a8;--line:#363a3e;--camera:#6ea8e6;--sound:#e8935a;--bad:#ff8a80;--badcard:#33201f;
--good:#7fce8f;--warn:#e0b060}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:15px/1.45 system-ui,sans-serif}
main{max-width:1180px;margin:0 auto;padding:28px 20px 60px}
h1{font-size:22px;margin:0 0 14px}
.totals{display:flex;flex-wrap:wrap;gap:10px;margin-bottom:22px}
.totals div{background:var(--card);border:1px solid var(--line);border-radius:8px;
padding:8px 16px;min-width:96px}
.totals b{display:block;font-size:20px}.totals span{color:var(--soft);font-size:13px}
.totals .bad b{color:var(--bad)}
article{display:grid;grid-template-columns:192px minmax(0,1fr) 380px;gap:18px;
background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px;
margin-bottom:12px;content-visibility:auto;contain-intrinsic-size:auto 190px}
article.failed{border-color:var(--bad);background:var(--badcard)}
.picture img{display:block;margin:auto;max-width:192px;max-height:140px;border-radius:4px}
.none{height:108px;border:1px dashed var(--line);border-radius:4px}
h2{font-size:16px;margin:0 0 4px;overflow-wrap:anywhere}
p{margin:4px 0;overflow-wrap:anywhere}
a{color:var(--camera)}
.badge{font:600 12px system-ui,sans-serif;margin-left:8px;color:var(--good)}
.failed .badge{color:var(--bad)}.unchanged .badge{color:var(--soft)}
.files,dt{color:var(--soft)}
.error{color:var(--bad);font-weight:600}.note{color:var(--warn)}
.wave{display:block;width:100%;height:64px;background:var(--ground);border-radius:4px}
.wave .camera{fill:var(--camera)}.wave .sound{fill:var(--sound)}
.wave .middle{stroke:var(--line);fill:none}
dl{display:grid;grid-template-columns:auto 1fr;gap:1px 12px;margin:8px 0 0;font-size:13.5px}
dd{margin:0;font-variant-numeric:tabular-nums}
.unpaired{border-collapse:collapse;width:100%;background:var(--card)}
.unpaired td{border:1px solid var(--line);padding:6px 10px;overflow-wrap:anywhere}
@media(max-width:900px){article{grid-template-columns:1fr}}
"""


def _rounded(value: float, digits: int) -> float:
    """So many digits, and never -0."""
    return round(value, digits) + 0.0
