"""A merge as `avpipe merge --route cloud` orders it: the sound is prepared, and only laid in. Pure.

What it says beside that (the lengths, that nothing is to be added) is a help for those who might
do otherwise. An order that also cuts or holds the picture is not one of these: that is done
neither before nor after the sound, and the words of people have no name for it.
"""

from __future__ import annotations

import re

_NUMBER = r"\d+(?:\.\d+)? s"
_ORDER = re.compile(
    r"merge this audio and video into a single MP4 file: "
    rf"the video has {_NUMBER}; "
    rf"the audio has {_NUMBER} and is in sync already: begin both at 0, do not move it; "
    r"mute the video's own sound, and leave the audio at its volume; "
    r"(?:the picture is (?P<how>letterboxed into|cropped to) a (?P<aspect>\d+:\d+) frame; )?"
    rf"the result has {_NUMBER} and \d+x\d+ pixels; add nothing else\."
)
_HOW = {"letterboxed into": "with black bars", "cropped to": "cropped"}


def plain_order(sentence: str) -> str | None:
    """The order in the words of people; None where the sentence is not one.

    Its sound lies beside the picture from the start on, and is not to be compared with it.
    """
    match = _ORDER.fullmatch(sentence.strip())
    if match is None:
        return None
    frame = f", then make it {match['aspect']} {_HOW[match['how']]}" if match["how"] else ""
    return f"merge this audio and video{frame}"
