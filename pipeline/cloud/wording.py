"""The agent's talk of buttons and panels, put into what avpipe does. Pure.

The service believes that its user sits before a screen. A clause that tells to click, drag or open
something is replaced by the command that does it; what is said about the video stays.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_EXPORT = "`avpipe cloud export` makes the file."
_STATE = "`avpipe cloud state` shows the tracks."
_EDIT = '`avpipe cloud send "…"` makes further changes.'
_CREDITS = "`avpipe cloud credits` shows the account."
_UPLOAD = "`avpipe cloud upload FILE` adds files."

_WIDGET = r"(?:buttons?|panels?|tabs?|menus?|icons?|sidebar|toolbar|drop-?down|checkbox|slider)"
_GUI = re.compile(
    rf"""
    \b(?:double-?|right-?|left-?)?(?:click|tap|press|hit)(?:ing|s)?\s+
        (?:on\b|the\b|here\b|["'“‘`\[*]|export|download|upload|save|play|preview|generate|render)
    | \b(?:the|an?|your)\s+[\w\s"'“”‘’*-]{{0,30}}{_WIDGET}\b
    | \b(?:export|download|upload|save|play|preview)\s+button\b
    | \b(?:open|go\ to|navigate\ to|switch\ to|head\ to)\s+
        [\w\s"'“”‘’*\[\]-]{{0,40}}(?:{_WIDGET}|settings|dashboard|editor|timeline|library|billing)\b
    | \bdrag(?:ging|s)?(?:\s+and\s+drop|[-/\s]*(?:and[-\s]*)?drop)?\b(?!\s+queen)
    | \bpreview\b[\w\s]{{0,20}}\b(?:timeline|player|window)\b
    | \b(?:check|see|visit|view)\s+(?:out\s+)?your\s+(?:account|billing|dashboard|subscription)\b
    | 点击 | 點擊 | 打开 | 打開 | 拖拽 | 拖动 | 拖放 | 导出按钮 | 单击 | 双击 | 按钮
    | 时间线(?:中|里|上)预览 | (?:查看|检查)(?:您的|你的)?(?:账户|账单)
    """,
    re.IGNORECASE | re.VERBOSE,
)
_MEANINGS: tuple[tuple[str, str], ...] = (
    (r"account|billing|subscription|dashboard|settings|账户|账单|积分", _CREDITS),
    (r"export|download|导出|下载|save", _EXPORT),
    (r"upload|上传", _UPLOAD),
    (r"drag|拖拽|拖动|拖放", _EDIT),
    (r"preview|timeline|panel|tab|open|打开|打開|预览|时间线|editor|library", _STATE),
)
_SENTENCE = re.compile(r"(?<=[.!?])(?=\s)|(?<=[。！？\n])")
_CLAUSE = re.compile(r"(?<=[,;，；、])|(?=\s[–—-]\s)|(?=\b(?:and|(?<!and\s)then|or|but)\s)")
_DANGLING = re.compile(
    r"^\s*(?:(?:to|if|when|once|now|then|and|or|but|just|simply|please|also|next)\b[^.,;]*"
    r"|you\s+(?:can|may|could|should)\b[^.,;]*|如果.*|要.*|请.*|您可以.*|你可以.*)?[\s,;，；、.]*$",
    re.IGNORECASE,
)


def translated(text: str) -> str:
    """A text of the agent as avpipe says it; each command is named once, at the end."""
    said: list[str] = []
    commands: list[str] = []
    for sentence in _SENTENCE.split(text):
        if not _GUI.search(sentence):
            said.append(sentence)
            continue
        commands.append(_meaning(sentence))
        rest = "".join(_kept(sentence))
        if rest:
            said.append(rest)
    kept = re.sub(r"\n{2,}", "\n", "".join(said)).strip()
    return "\n".join(filter(None, (kept, " ".join(dict.fromkeys(commands)))))


def _meaning(sentence: str) -> str:
    """The command for what a sentence tells to do."""
    for pattern, command in _MEANINGS:
        if re.search(pattern, sentence, re.IGNORECASE):
            return command
    return _EDIT


def _kept(sentence: str) -> Iterator[str]:
    """What a sentence says beside its talk of the screen."""
    clauses = [part for part in _CLAUSE.split(sentence) if part and not _GUI.search(part)]
    rest = "".join(clauses)
    if not _DANGLING.match(rest):
        lead = " " if sentence[:1].isspace() else ""
        yield (
            lead
            + rest.strip().rstrip(",;，；、")
            + ("" if rest.rstrip()[-1:] in ".!?。！？" else ".")
        )
