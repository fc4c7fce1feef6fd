"""What is made of each video: a pair, by its name or by what was heard, or none, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from avpipe.media import MediaInfo
from avpipe.pairing.content import (
    best_match,
    further_parts,
    is_sure,
    speaks_against,
    with_neighbours,
)
from avpipe.pairing.values import (
    Basis,
    Match,
    NameDoubt,
    NameMatch,
    NameRule,
    Pair,
    PairBy,
    Take,
    Unpaired,
)

_RULES = {
    NameRule.STEM: "they have the same name",
    NameRule.SUFFIX: "they have the same name but for a usual ending",
    NameRule.COUNTER: "camera and recorder count the same number",
}


@dataclass(kw_only=True)
class Verdicts:
    """The pairs of some files as they are decided, and the files that are in none."""

    infos: Mapping[str, MediaInfo]
    matches: Mapping[str, Mapping[str, Match]]
    """What was compared: by the video, then by the audio file."""
    takes: dict[str, Take] = field(default_factory=dict)
    """By each part's path."""
    pairs: dict[str, Pair] = field(default_factory=dict)
    """By the video."""
    unpaired: dict[str, Unpaired] = field(default_factory=dict)
    """By the path."""

    def leave(self, path: str, code: str, reason: str) -> None:
        """Say why a file is in no pair, where that is not said yet."""
        self.unpaired.setdefault(path, Unpaired(path=path, code=code, reason=reason))

    def tell_rest(self, videos: Sequence[str], sounds: Sequence[str], by: PairBy) -> None:
        """Say of each file that nothing is made of why that is."""
        used = {path for pair in self.pairs.values() for path in pair.audio}
        for video in videos:
            if video not in self.pairs:
                self.leave(video, "no_recording", "no recording goes by its name")
        for sound in sounds:
            if sound not in used:
                by_name = by is PairBy.NAME
                why = "no video goes by its name" if by_name else "no video needs it"
                self.leave(sound, "unused", why)

    def agree(self, video: str, named: Mapping[str, NameMatch | NameDoubt]) -> None:
        """Take a pair by its name where the content agrees."""
        name = named[video]
        assert isinstance(name, NameMatch)
        matches = self.matches.get(video, {})
        match = matches.get(name.take.parts[0])
        if len(name.take.parts) == 1 and match is not None and is_sure(match):
            self._take_match(video, (match,), name)

    def conclude(
        self, video: str, name: NameMatch | NameDoubt | None, sounds: Sequence[str]
    ) -> None:
        """What is made of a video: by content, by its name, or nothing."""
        matches = list(self.matches.get(video, {}).values())
        length_s = self.length_s(video)
        best = best_match(matches, length_s)
        if best is not None:
            self._take_match(video, self._whole(best, matches, length_s), name)
        elif isinstance(name, NameMatch):
            self._take_name_without_content(video, name)
        elif video in self.unpaired:
            return
        elif not is_heard(self.infos[video]):
            self.leave(video, "no_audio", "it has no sound, and no recording goes by its name")
        elif not sounds:
            self.leave(video, "no_recording", "there is no recording")
        else:
            self.leave(video, "unrelated", self._doubt(matches))

    def _whole(self, best: Match, matches: Sequence[Match], length_s: float) -> tuple[Match, ...]:
        """The best recording, with its further parts."""
        take = self.takes[best.audio]
        if len(take.parts) == 1:
            return further_parts(best, matches, length_s)
        lengths = {part: float(self.infos[part].audio[0].duration or 0) for part in take.parts}
        return with_neighbours(best, take, lengths.__getitem__, length_s)

    def _doubt(self, matches: Sequence[Match]) -> str:
        guesses = [match for match in matches if match.alignment.offset_s is not None]
        if not guesses:
            return "nothing of it is heard in any recording"
        guess = max(guesses, key=lambda match: match.alignment.confidence or 0.0)
        reason = guess.alignment.reason
        why = "" if reason is None else f": {reason.in_words}"
        return f"it may belong to {PurePath(guess.audio).name}, which is not certain{why}"

    def _take_name_without_content(self, video: str, name: NameMatch) -> None:
        """A pair by its name that the content does not confirm."""
        matches = self.matches.get(video, {})
        against = [part for part in name.take.parts if part in matches]
        if against and all(speaks_against(matches[part]) for part in against):
            other = PurePath(name.take.parts[0]).name
            self.leave(
                video,
                "contradicted",
                f"it goes by the name of {other}, and nothing of the one is heard in the other; "
                "--pair name merges them all the same",
            )
        elif name.rule is NameRule.COUNTER and is_heard(self.infos[video]):
            other = PurePath(name.take.parts[0]).name
            self.leave(
                video,
                "unconfirmed",
                f"its number is that of {other}, and what they hold does not tell whether they "
                "belong together; --pair name merges them all the same",
            )
        else:
            self.take_name(video, name)

    def take_name(self, video: str, name: NameMatch | NameDoubt) -> None:
        """Take a pair as its names say, or leave a video whose name does not tell."""
        if isinstance(name, NameDoubt):
            names = ", ".join(PurePath(take.parts[0]).name for take in name.takes)
            self.leave(video, "ambiguous", f"more than one recording goes by its name: {names}")
            return
        found = tuple(
            match.alignment
            for part in name.take.parts
            if (match := self.matches.get(video, {}).get(part))
        )
        doubt = ""
        if found and found[0].reason is not None:
            doubt = f"; their content does not tell: {found[0].reason.in_words}"
        self.unpaired.pop(video, None)
        self.pairs[video] = Pair(
            video=video,
            audio=name.take.parts,
            basis=Basis.NAME,
            why=_RULES[name.rule] + doubt + _joint(name.take.parts, name.take.why),
            rule=name.rule,
            found=found if len(found) == len(name.take.parts) else (),
        )

    def _take_match(
        self, video: str, parts: Sequence[Match], name: NameMatch | NameDoubt | None
    ) -> None:
        audio = tuple(part.audio for part in parts)
        agrees = isinstance(name, NameMatch) and set(audio) & set(name.take.parts)
        surest = max(part.alignment.confidence or 0.0 for part in parts)
        sure = f"{min(surest, 0.999):.1%} sure"
        if agrees:
            assert isinstance(name, NameMatch)
            why = f"{_RULES[name.rule]}, and what they hold agrees ({sure})"
        else:
            why = f"the same is heard in both ({sure})"
        if isinstance(name, NameMatch) and not agrees:
            why += f"; by its name it would be {PurePath(name.take.parts[0]).name}"
        others = [
            PurePath(match.audio).name
            for match in self.matches.get(video, {}).values()
            if is_sure(match) and match.audio not in audio
        ]
        if others:
            why += f"; also heard in {', '.join(sorted(others))}"
        self.unpaired.pop(video, None)
        self.pairs[video] = Pair(
            video=video,
            audio=audio,
            basis=Basis.NAME if agrees else Basis.CONTENT,
            why=why + _joint(audio, self.takes[audio[0]].why),
            rule=name.rule if agrees and isinstance(name, NameMatch) else None,
            found=tuple(part.alignment for part in parts),
        )

    def length_s(self, video: str) -> float:
        """Of a video's picture."""
        return float(self.infos[video].video[0].duration or 0)


def _joint(audio: Sequence[str], why: str) -> str:
    if len(audio) < 2:
        return ""
    return f"; {len(audio)} files are one recording" + (f": {why}" if why else "")


def is_heard(info: MediaInfo) -> bool:
    """Whether a file has sound that can be compared."""
    return bool(info.audio) and info.picture is None
