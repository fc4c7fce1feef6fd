"""Finds the pairs of a folder: facts, names, fingerprints, comparisons, in this order of cost."""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from avpipe.batch.folder import is_picture, is_video_name
from avpipe.batch.places import stamp_of
from avpipe.batch.pool import Pool
from avpipe.batch.state import BatchState
from avpipe.batch.tasks import Compare, Listen, Probe, Rank, Result, Task
from avpipe.batch.values import Looking
from avpipe.errors import RequestError
from avpipe.listen.hints import began
from avpipe.media import Alignment, MediaInfo, Severity
from avpipe.pairing.content import (
    CANDIDATES,
    LEAST_SCORE,
    WORTH,
    are_neighbours,
    best_match,
    further_parts,
    is_covered,
    is_sure,
    speaks_against,
    with_neighbours,
)
from avpipe.pairing.names import match_names
from avpipe.pairing.takes import join_parts
from avpipe.pairing.values import (
    Basis,
    Match,
    NameDoubt,
    NameMatch,
    NameRule,
    Pair,
    PairBy,
    Sound,
    Take,
    Unpaired,
)
from avpipe.updates import Failed, Failure

_LOOK_S = 0.5
_PROBED_AT_ONCE = 40
_RANKED_AT_ONCE = 40
_ROUNDS = 40
"""Of looking for the parts beside those that are known."""
_SHORT_S = 120.0
"""Of pairs this short the samples themselves are searched, whatever the fingerprints say."""

Looks = Generator[Looking, None, Any]


@dataclass(kw_only=True)
class Pairing:
    """The pairs of some files, as far as they are found."""

    state: BatchState
    pool: Pool
    infos: dict[str, MediaInfo] = field(default_factory=dict)
    pairs: dict[str, Pair] = field(default_factory=dict)
    """By the video."""
    unpaired: dict[str, Unpaired] = field(default_factory=dict)
    """By the path."""
    videos: list[str] = field(default_factory=list)
    sounds: list[str] = field(default_factory=list)
    takes: dict[str, Take] = field(default_factory=dict)
    """By each part's path."""
    matches: dict[str, dict[str, Match]] = field(default_factory=dict)
    """What was compared: by the video, then by the audio file."""
    deaf: set[str] = field(default_factory=set)
    """Files that cannot be listened to."""

    def find(self, paths: Sequence[str], by: PairBy) -> Looks:
        """Find all pairs among the files of these paths."""
        yield from self.probe(paths)
        self._sort()
        named: dict[str, NameMatch | NameDoubt] = {}
        if by is not PairBy.CONTENT:
            takes = list({id(take): take for take in self.takes.values()}.values())
            named = match_names(self.videos, takes)
        if by is PairBy.NAME:
            for video, match in named.items():
                self._take_name(video, match)
        else:
            yield from self._by_content(named)
        if by is not PairBy.CONTENT:
            self._pair_broken()
        self._tell_rest(by)

    def find_by_endings(self, paths: Sequence[str], by: PairBy) -> None:
        """Pairs of files that are elsewhere, by their names alone. Raises RequestError."""
        if by is PairBy.CONTENT:
            raise RequestError(
                "what is behind an address is paired by name, not by content",
                hint="leave --pair out, or name the pairs in a --manifest",
            )
        self.videos = [path for path in paths if is_video_name(path) and not is_picture(path)]
        self.sounds = [path for path in paths if not is_video_name(path)]
        self.takes = {path: Take(parts=(path,)) for path in self.sounds}
        for video, match in match_names(self.videos, list(self.takes.values())).items():
            self._take_name(video, match)
        self._tell_rest(PairBy.NAME)

    def probe(self, paths: Sequence[str]) -> Looks:
        """Get the facts of files, those that are known from what is kept."""
        stamps = {path: stamp_of(path) or "" for path in paths}
        left = []
        for path in paths:
            info = self.state.info(path, stamps[path])
            if info is None:
                left.append(path)
            else:
                self.infos[path] = info
        tasks = [Probe(paths=some) for some in _chunks(left, _PROBED_AT_ONCE)]
        for answer in (yield from answers(tasks, self.pool, "probe", _PROBED_AT_ONCE)):
            if isinstance(answer, Failure):
                continue  # a file that went away: what is not known is not used
            self.infos |= {info.path: info for info in answer}
            self.state.keep_infos([(stamps[info.path], info) for info in answer])
        for path in set(paths) - set(self.infos):
            self._leave(path, "unreadable", "it cannot be read")

    def _sort(self) -> None:
        """Which files are videos, which are sounds, which are neither."""
        for path, info in sorted(self.infos.items()):
            if not info.supported:
                self._leave(path, "unreadable", _problem(info))
            elif info.video:
                self.videos.append(path)
            elif info.audio:
                self.sounds.append(path)
            else:
                self._leave(path, "wrong_media", "it has neither picture nor sound")
        for take in join_parts(_sound(self.infos[path]) for path in self.sounds):
            self.takes |= dict.fromkeys(take.parts, take)
        stems = {_place(path) for path in self.videos if not is_picture(path)}
        for path in [path for path in self.videos if is_picture(path) and _place(path) in stems]:
            self.videos.remove(path)
            self._leave(path, "picture", "it is the picture of a video of that name")

    def _by_content(self, named: Mapping[str, NameMatch | NameDoubt]) -> Looks:
        """Pairs that the content agrees to, or says by itself."""
        heard = [path for path in self.videos if self._is_heard(path)]
        sure = {
            video: match.take
            for video, match in named.items()
            if isinstance(match, NameMatch)
            and match.rule is not NameRule.COUNTER
            and self._is_heard(video)
        }
        yield from self._listen([*sure, *(part for take in sure.values() for part in take.parts)])
        yield from self._compare(
            [(video, take.parts[0]) for video, take in sure.items() if len(take.parts) == 1], True
        )
        for video in sure:
            self._agree(video, named)
        left = [video for video in heard if video not in self.pairs]
        if left and self.sounds:
            yield from self._listen([*left, *self.sounds])
            scores = yield from self._rank(left)
            yield from self._compare_best(left, scores)
            yield from self._find_parts(left)
        for video in self.videos:
            if video not in self.pairs:
                self._conclude(video, named.get(video))

    def _pair_broken(self) -> None:
        """A file that cannot be read is not passed over where its name says what it belongs to.

        It becomes a pair that fails, and not one that is missing.
        """
        broken = {path for path, one in self.unpaired.items() if one.code == "unreadable"}
        videos = [path for path in broken if is_video_name(path)]
        lost = [path for path in self.videos if path not in self.pairs]
        used = {path for pair in self.pairs.values() for path in pair.audio}
        sounds = [path for path in self.sounds if path not in used]
        sounds += [path for path in broken if path not in videos]
        matches = match_names([*videos, *lost], [Take(parts=(path,)) for path in sorted(sounds)])
        for video, match in matches.items():
            if isinstance(match, NameDoubt) or match.rule is NameRule.COUNTER:
                continue
            if {video, *match.take.parts} & broken:
                for path in (video, *match.take.parts):
                    self.unpaired.pop(path, None)
                self._take_name(video, match)

    def _is_heard(self, path: str) -> bool:
        """Whether a file has sound that can be compared."""
        return bool(self.infos[path].audio) and self.infos[path].picture is None

    def _listen(self, paths: Iterable[str]) -> Looks:
        """Take the fingerprints of files, but of those that have one."""
        wanted = [path for path in dict.fromkeys(paths) if path not in self.deaf]
        left = [path for path in wanted if not self._kept(path).exists()]
        tasks = [Listen(info=self.infos[path], kept=str(self._kept(path))) for path in left]
        found = yield from answers(tasks, self.pool, "listen")
        for path, answer in zip(left, found, strict=True):
            if isinstance(answer, Failure):
                self.deaf.add(path)
                self._leave(path, answer.code, answer.message)

    def _kept(self, path: str) -> Any:
        info = self.infos[path]
        name = hashlib.sha256(f"{path}\0{_stamp(info)}".encode("utf-8", "surrogateescape"))
        return self.state.fingerprints / f"{name.hexdigest()[:32]}.npz"

    def listen_all(self, paths: Iterable[str]) -> Looks:
        """Take the fingerprints of those that have sound."""
        heard = [path for path in paths if path in self.infos and self._is_heard(path)]
        yield from self._listen(heard)

    def fingerprint(self, path: str) -> Any:
        """Where a file's fingerprint is kept, where it has one."""
        return self._kept(path) if path in self.infos else None

    def _rank(self, videos: Sequence[str]) -> Looks:
        """How well each recording fits each video, by fingerprints: scores by video and audio."""
        scores: dict[str, dict[str, float]] = {video: {} for video in videos}
        tasks, about = [], []
        for audio in self.sounds:
            unknown = []
            for video in videos:
                score = self.state.score(video, audio, self._stamps(video, audio))
                if score is not None:
                    scores[video][audio] = score
                elif not {video, audio} & self.deaf:
                    unknown.append(video)
            for some in _chunks(unknown, _RANKED_AT_ONCE):
                kept = tuple(str(self._kept(video)) for video in some)
                tasks.append(Rank(recorder=str(self._kept(audio)), cameras=kept))
                about.append((audio, some))
        found = yield from answers(tasks, self.pool, "rank")
        for (audio, some), answer in zip(about, found, strict=True):
            if isinstance(answer, Failure):
                continue
            fitting = list(zip(some, answer, strict=True))
            for video, score in fitting:
                scores[video][audio] = score
            self.state.keep_scores(
                [(video, audio, self._stamps(video, audio), score) for video, score in fitting]
            )
        return scores

    def _compare_best(self, videos: Sequence[str], scores: Mapping[str, Any]) -> Looks:
        """Compare each video with the recordings that fit best: one first, then its rivals."""
        ranked = {
            video: sorted(scores[video], key=lambda a, v=video: (-scores[v][a], a))  # type: ignore[misc]
            for video in videos
        }
        best = []
        for video, audios in ranked.items():
            worth = [a for a in audios if scores[video][a] >= LEAST_SCORE][:CANDIDATES]
            # Of short ones the exact comparison finds what the fingerprints do not show.
            ranked[video] = worth or [a for a in audios[:1] if self._is_short(video, a)]
            best += [(video, audio) for audio in ranked[video][:1]]
        yield from self._compare(best, True)
        further = []
        for video, audios in ranked.items():
            found = any(is_sure(match) for match in self.matches.get(video, {}).values())
            bound = WORTH * scores[video][audios[0]] if audios and found else 0.0
            further += [(video, audio) for audio in audios[1:] if scores[video][audio] >= bound]
        yield from self._compare(further, False)

    def _is_short(self, *paths: str) -> bool:
        return all((self.infos[path].duration_s or 0.0) <= _SHORT_S for path in paths)

    def _compare(self, wanted: Sequence[tuple[str, str]], thorough: bool) -> Looks:
        """Compare videos with audio files exactly."""
        left = []
        for video, audio in wanted:
            if {video, audio} & self.deaf or audio in self.matches.get(video, {}):
                continue
            found = self.state.alignment(video, audio, self._stamps(video, audio))
            if found is None:
                left.append((video, audio))
            else:
                self._match(video, audio, found)
        tasks = [
            Compare(
                video=self.infos[video],
                audio=self.infos[audio],
                kept=(str(self._kept(video)), str(self._kept(audio))),
                thorough=thorough,
            )
            for video, audio in left
        ]
        told = yield from answers(tasks, self.pool, "compare")
        for (video, audio), answer in zip(left, told, strict=True):
            if not isinstance(answer, Failure):
                self._match(video, audio, answer)
                self.state.keep_alignment(video, audio, self._stamps(video, audio), answer)

    def _match(self, video: str, audio: str, found: Alignment) -> None:
        length_s = float(self.infos[audio].audio[0].duration or 0)
        match = Match(audio=audio, duration_s=length_s, alignment=found)
        self.matches.setdefault(video, {})[audio] = match

    def _stamps(self, *paths: str) -> str:
        return " ".join(_stamp(self.infos[path]) for path in paths)

    def _find_parts(self, videos: Sequence[str]) -> Looks:
        """Where a recording ends within a video, compare the files beside it by their names."""
        for _ in range(_ROUNDS):
            wanted = [
                (video, other)
                for video in videos
                for other in self._beside(video)
                if other not in self.matches[video]
            ]
            if not wanted:
                return
            yield from self._compare(wanted, False)

    def _beside(self, video: str) -> Iterator[str]:
        """Files that may go on where the recordings of a video end."""
        matches = self.matches.get(video, {})
        best = best_match(list(matches.values()), self._length_s(video))
        if best is None or is_covered(best, self._length_s(video)):
            return
        parts = further_parts(best, list(matches.values()), self._length_s(video))
        for other in self.sounds:
            if other not in self.deaf and any(are_neighbours(other, part.audio) for part in parts):
                yield other

    def _length_s(self, video: str) -> float:
        return float(self.infos[video].video[0].duration or 0)

    def _agree(self, video: str, named: Mapping[str, NameMatch | NameDoubt]) -> None:
        """Take a pair by its name where the content agrees."""
        name = named[video]
        assert isinstance(name, NameMatch)
        matches = self.matches.get(video, {})
        match = matches.get(name.take.parts[0])
        if len(name.take.parts) == 1 and match is not None and is_sure(match):
            self._take_match(video, (match,), name)

    def _conclude(self, video: str, name: NameMatch | NameDoubt | None) -> None:
        """What is made of a video: by content, by its name, or nothing."""
        matches = list(self.matches.get(video, {}).values())
        length_s = self._length_s(video)
        best = best_match(matches, length_s)
        if best is not None:
            self._take_match(video, self._whole(best, matches, length_s), name)
        elif isinstance(name, NameMatch):
            self._take_name_without_content(video, name)
        elif video in self.unpaired:
            return
        elif not self._is_heard(video):
            self._leave(video, "no_audio", "it has no sound, and no recording goes by its name")
        elif not self.sounds:
            self._leave(video, "no_recording", "there is no recording")
        else:
            self._leave(video, "unrelated", self._doubt(matches))

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
            self._leave(
                video,
                "contradicted",
                f"it goes by the name of {other}, and nothing of the one is heard in the other; "
                "--pair name merges them all the same",
            )
        elif name.rule is NameRule.COUNTER and self._is_heard(video):
            other = PurePath(name.take.parts[0]).name
            self._leave(
                video,
                "unconfirmed",
                f"its number is that of {other}, and what they hold does not tell whether they "
                "belong together; --pair name merges them all the same",
            )
        else:
            self._take_name(video, name)

    def _take_name(self, video: str, name: NameMatch | NameDoubt) -> None:
        if isinstance(name, NameDoubt):
            names = ", ".join(PurePath(take.parts[0]).name for take in name.takes)
            self._leave(video, "ambiguous", f"more than one recording goes by its name: {names}")
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

    def _leave(self, path: str, code: str, reason: str) -> None:
        self.unpaired.setdefault(path, Unpaired(path=path, code=code, reason=reason))

    def _tell_rest(self, by: PairBy) -> None:
        """Say of each file that nothing is made of why that is."""
        used = {path for pair in self.pairs.values() for path in pair.audio}
        for video in self.videos:
            if video not in self.pairs:
                self._leave(video, "no_recording", "no recording goes by its name")
        for sound in self.sounds:
            if sound not in used:
                by_name = by is PairBy.NAME
                why = "no video goes by its name" if by_name else "no video needs it"
                self._leave(sound, "unused", why)


_RULES = {
    NameRule.STEM: "they have the same name",
    NameRule.SUFFIX: "they have the same name but for a usual ending",
    NameRule.COUNTER: "camera and recorder count the same number",
}


def _joint(audio: Sequence[str], why: str) -> str:
    if len(audio) < 2:
        return ""
    return f"; {len(audio)} files are one recording" + (f": {why}" if why else "")


def answers(tasks: Sequence[Task], pool: Pool, stage: str, each: int = 1) -> Looks:
    """What came of each task, in order: its value, or a Failure."""
    places = {pool.submit(task): place for place, task in enumerate(tasks)}
    answers: list[Any] = [None] * len(tasks)
    left = len(tasks)
    while left:
        yield Looking(stage=stage, done=(len(tasks) - left) * each, total=len(tasks) * each)
        told = pool.next(_LOOK_S)
        if told is None or told.number not in places or not told.is_last:
            continue
        update = told.update
        answers[places[told.number]] = update.error if isinstance(update, Failed) else None
        if isinstance(update, Result):
            answers[places[told.number]] = update.value
        left -= 1
    return answers


def _chunks(entries: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(entries[at : at + size]) for at in range(0, len(entries), size)]


def _sound(info: MediaInfo) -> Sound:
    """An audio file as pairing looks at it."""
    stream = info.audio[0]
    length_s = float(stream.duration or 0)
    tagged = began(info)
    closed_s = (info.modified_ns or 0) / 1e9
    return Sound(
        path=info.path,
        duration_s=length_s,
        form=(info.container, stream.codec, stream.sample_rate, stream.channels),
        size_bytes=info.size_bytes or 0,
        began_s=closed_s - length_s if tagged is None else tagged.offset_s,
        within_s=_CLOSED_WITHIN_S if tagged is None else tagged.within_s,
        told=tagged is not None,
    )


_CLOSED_WITHIN_S = 2.0
"""What a recorder's file system rounds times to, and how long it takes to close a file."""


def _stamp(info: MediaInfo) -> str:
    return f"{info.size_bytes}:{info.modified_ns}"


def _place(path: str) -> tuple[str, str]:
    pure = PurePath(path)
    return str(pure.parent), pure.stem.casefold()


def _problem(info: MediaInfo) -> str:
    errors = [one.message for one in info.problems if one.severity is Severity.ERROR]
    return errors[0] if errors else "it is no file that can be used"
