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
    | \b(?:open|go(?:\ over)?\ to|navigate\ to|switch\ to|head(?:\ over)?\ to)\s+
        [\w\s"'“”‘’*\[\]-]{{0,40}}(?:{_WIDGET}|settings|dashboard|editor|timeline|library|billing)\b
    | \bdrag(?:ging|s)?(?:\s+and\s+drop|[-/\s]*(?:and[-\s]*)?drop)?\b(?!\s+(?:queen|rac))
    | \bpreview\b[\w\s]{{0,20}}\b(?:timeline|player|window)\b
    | \b(?:in|from|using|with)\s+(?:the\s+|your\s+)?(?:[\w-]+\s+)?editor\b(?!['’])
    | \b(?:check|see|visit|view)\s+(?:out\s+)?your\s+(?:account|billing|dashboard|subscription)\b
    | 点击 | 點擊 | 点选 | 點選 | 轻触 | 按下
    | 打开 | 打開 | 拖拽 | 拖动 | 拖放 | 导出按钮 | 单击 | 双击 | 按钮
    | 时间线(?:中|里|上)预览 | (?:查看|检查|前往|进入)(?:您的|你的)?(?:账户|账单|设置|控制台|面板)
    | 编辑器(?:中|里|上)
    | (?<!已)(?<!已经)(?<!成功)导出(?!了|完成|成功|完毕|的)
    """,
    re.IGNORECASE | re.VERBOSE,
)
_SAID = re.compile(
    r"""((?:title|text|caption|subtitle|headline|named|called|reads|says|标题|字幕|文字|名为|写着)
    \s*(?:of|to|:|：|is|as|为|是)?\s*)(["“'‘「《])([^"”'’」》\n]{1,200})(["”'’」》])""",
    re.IGNORECASE | re.VERBOSE,
)
"""A text that is in the video, whatever it speaks of."""
_NUMBER = re.compile(r"^\s*(?:\d+[.)]\s*)+(?=\d+[.)]|$)", re.MULTILINE)
"""Of a step in a list whose words are gone."""
_MEANINGS: tuple[tuple[str, str], ...] = (
    (r"account|billing|subscription|dashboard|settings|账户|账单|积分", _CREDITS),
    (r"export|download|导出|下载|save", _EXPORT),
    (r"\b(?:in|from|using|with)\s[\w\s]*\beditor\b|编辑器", _EDIT),
    (r"upload|上传|\bdrop\s+(?:your|a|the)\s+(?:files?|videos?|audio|clips?)\b", _UPLOAD),
    (r"drag|拖拽|拖动|拖放", _EDIT),
    (r"preview|timeline|panel|tab|open|打开|打開|预览|时间线|editor|library", _STATE),
)
_SENTENCE = re.compile(r"(?<=[.!?])(?=\s)|(?<=[。！？\n])")
_CLAUSE = re.compile(r"(?<=[,;，；、])|(?=\s[–—-]\s)|(?=\b(?:and|(?<!and\s)then|or|but)\s)")
_DANGLING = re.compile(
    r"^\s*(?:(?:to|if|when|once|now|then|and|or|but|just|simply|please|also|next)\b[^.,;]*"
    r"|\d+[.)]|you\s+(?:can|may|could|should)\b[^.,;]*|如果.*|要.*|请.*|您可以.*|你可以.*)?[\s,;，；、.]*$",
    re.IGNORECASE,
)


def translated(text: str) -> str:
    """A text of the agent as avpipe says it; each command is named once, at the end."""
    said: list[str] = []
    commands: list[str] = []
    quoted: list[str] = []

    def hidden(match: re.Match[str]) -> str:
        quoted.append(match[3])
        return f"{match[1]}{match[2]}\0{len(quoted) - 1}\0{match[4]}"

    for sentence in _SENTENCE.split(_SAID.sub(hidden, text.replace("\0", ""))):
        if not _GUI.search(sentence):
            said.append(sentence)
            continue
        commands.append(_meaning(sentence))
        rest = "".join(_kept(sentence))
        if rest:
            said.append(rest)
    kept = _NUMBER.sub("", "".join(said))
    kept = re.sub(r"\n{2,}", "\n", kept).strip()
    kept = re.sub("\0(\\d+)\0", lambda match: quoted[int(match[1])], kept)
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
        kept = rest.strip().rstrip(",;，；、")
        end = "。" if re.search(r"[\u4e00-\u9fff]$", kept) else "."
        yield lead + kept + ("" if kept[-1:] in ".!?。！？" else end)
