"""A merge as `avpipe merge --route cloud` orders it: the sound is prepared, and only laid in. Pure.

What it says beside that (the lengths, that nothing is to be added) is a help for those who might
do otherwise. Where the picture is cut, that is done first: the sound is as long as what is left of
it. So is a frame held of which the sound goes on, or has begun before.
"""

from __future__ import annotations

import re

_NUMBER = r"\d+(?:\.\d+)? s"
_ENDS = ("first", "last")
_ORDER = re.compile(
    r"merge this audio and video into a single MP4 file: "
    rf"the (?:video has|picture is shown for) {_NUMBER}; "
    rf"(?:cut its first (?P<first>{_NUMBER}); )?(?:cut its last (?P<last>{_NUMBER}); )?"
    rf"(?:hold its first frame for (?P<held_first>{_NUMBER}); )?"
    rf"(?:hold its last frame for (?P<held_last>{_NUMBER}); )?"
    rf"the audio has {_NUMBER} and is in sync already: begin both at 0, do not move it; "
    r"mute the video's own sound, and leave the audio at its volume; "
    r"(?:the picture is (?P<how>letterboxed into|cropped to) a (?P<aspect>\d+:\d+) frame; )?"
    rf"the result has {_NUMBER} and \d+x\d+ pixels; "
    r"(?:the file has less than (?P<limit>[\d,]+) bytes; )?add nothing else\."
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
    cuts = [f"the {end} {match[end]}" for end in _ENDS if match[end]]
    steps = [f"cut {' and '.join(cuts)}"] if cuts else []
    steps += [
        f"hold the {end} frame for {match[f'held_{end}']}" for end in _ENDS if match[f"held_{end}"]
    ]
    if match["limit"]:
        frame += f", then keep the file under {match['limit'].replace(',', '')} bytes"
    if not steps:
        return f"merge this audio and video{frame}"
    return f"{', '.join(steps)}, mute the video's sound, then add the audio track{frame}"
