"""Finds the pairs of a folder: facts, names, fingerprints, comparisons, in this order of cost."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from avpipe.batch.asking import Looks
from avpipe.batch.evidence import Evidence
from avpipe.batch.folder import is_picture, is_video_name
from avpipe.batch.pool import Pool
from avpipe.batch.state import BatchState
from avpipe.errors import RequestError
from avpipe.listen.hints import began
from avpipe.media import MediaInfo, Severity
from avpipe.pairing.content import are_neighbours, best_match, further_parts, is_covered
from avpipe.pairing.names import match_names
from avpipe.pairing.takes import join_parts
from avpipe.pairing.values import NameDoubt, NameMatch, NameRule, PairBy, Sound, Take
from avpipe.pairing.verdicts import Verdicts, is_heard

_ROUNDS = 40
"""Of looking for the parts beside those that are known."""
_CLOSED_WITHIN_S = 2.0
"""What a recorder's file system rounds times to, and how long it takes to close a file."""


@dataclass(kw_only=True)
class Pairing:
    """The pairs of some files, as far as they are found."""

    state: BatchState
    pool: Pool
    videos: list[str] = field(default_factory=list)
    sounds: list[str] = field(default_factory=list)
    evidence: Evidence = field(init=False)
    verdicts: Verdicts = field(init=False)

    def __post_init__(self) -> None:
        self.evidence = Evidence(state=self.state, pool=self.pool)
        self.verdicts = Verdicts(infos=self.evidence.infos, matches=self.evidence.matches)

    def find(self, paths: Sequence[str], by: PairBy) -> Looks:
        """Find all pairs among the files of these paths."""
        yield from self.probe(paths)
        self._sort()
        named: dict[str, NameMatch | NameDoubt] = {}
        if by is not PairBy.CONTENT:
            takes = list({id(take): take for take in self.verdicts.takes.values()}.values())
            named = match_names(self.videos, takes)
        if by is PairBy.NAME:
            for video, match in named.items():
                self.verdicts.take_name(video, match)
        else:
            yield from self._by_content(named)
        if by is not PairBy.CONTENT:
            self._pair_broken()
        self.verdicts.tell_rest(self.videos, self.sounds, by)

    def find_by_endings(self, paths: Sequence[str], by: PairBy) -> None:
        """Pairs of files that are elsewhere, by their names alone. Raises RequestError."""
        if by is PairBy.CONTENT:
            raise RequestError(
                "what is behind an address is paired by name, not by content",
                hint="leave --pair out, or name the pairs in a --manifest",
            )
        self.videos = [path for path in paths if is_video_name(path) and not is_picture(path)]
        self.sounds = [path for path in paths if not is_video_name(path)]
        self.verdicts.takes = {path: Take(parts=(path,)) for path in self.sounds}
        for video, match in match_names(self.videos, list(self.verdicts.takes.values())).items():
            self.verdicts.take_name(video, match)
        self.verdicts.tell_rest(self.videos, self.sounds, PairBy.NAME)

    def probe(self, paths: Sequence[str]) -> Looks:
        """Get the facts of files, those that are known from what is kept."""
        yield from self.evidence.probe(paths)
        for path in set(paths) - set(self.evidence.infos):
            self.verdicts.leave(path, "unreadable", "it cannot be read")

    def _sort(self) -> None:
        """Which files are videos, which are sounds, which are neither."""
        for path, info in sorted(self.evidence.infos.items()):
            if not info.supported:
                self.verdicts.leave(path, "unreadable", _problem(info))
            elif info.video:
                self.videos.append(path)
            elif info.audio:
                self.sounds.append(path)
            else:
                self.verdicts.leave(path, "wrong_media", "it has neither picture nor sound")
        for take in join_parts(_sound(self.evidence.infos[path]) for path in self.sounds):
            self.verdicts.takes |= dict.fromkeys(take.parts, take)
        stems = {_place(path) for path in self.videos if not is_picture(path)}
        for path in [path for path in self.videos if is_picture(path) and _place(path) in stems]:
            self.videos.remove(path)
            self.verdicts.leave(path, "picture", "it is the picture of a video of that name")

    def _by_content(self, named: Mapping[str, NameMatch | NameDoubt]) -> Looks:
        """Pairs that the content agrees to, or says by itself."""
        heard = [path for path in self.videos if is_heard(self.evidence.infos[path])]
        sure = {
            video: match.take
            for video, match in named.items()
            if isinstance(match, NameMatch)
            and match.rule is not NameRule.COUNTER
            and is_heard(self.evidence.infos[video])
        }
        yield from self._listen([*sure, *(part for take in sure.values() for part in take.parts)])
        yield from self.evidence.compare(
            [(video, take.parts[0]) for video, take in sure.items() if len(take.parts) == 1], True
        )
        for video in sure:
            self.verdicts.agree(video, named)
        left = [video for video in heard if video not in self.verdicts.pairs]
        if left and self.sounds:
            yield from self._listen([*left, *self.sounds])
            scores = yield from self.evidence.rank(left, self.sounds)
            yield from self.evidence.compare_best(left, scores)
            yield from self._find_parts(left)
        for video in self.videos:
            if video not in self.verdicts.pairs:
                self.verdicts.conclude(video, named.get(video), self.sounds)

    def _pair_broken(self) -> None:
        """A file that cannot be read is not passed over where its name says what it belongs to.

        It becomes a pair that fails, and not one that is missing.
        """
        broken = {path for path, one in self.verdicts.unpaired.items() if one.code == "unreadable"}
        videos = sorted(path for path in broken if is_video_name(path))
        lost = [path for path in self.videos if path not in self.verdicts.pairs]
        used = {path for pair in self.verdicts.pairs.values() for path in pair.audio}
        sounds = sorted({*self.sounds, *broken}.difference(videos))
        # A sound that serves another video too is still that of a broken one.
        matches = match_names(videos, [Take(parts=(path,)) for path in sounds])
        free = [path for path in sounds if path not in used]
        matches |= match_names(lost, [Take(parts=(path,)) for path in free])
        for video, match in matches.items():
            if isinstance(match, NameDoubt) or match.rule is NameRule.COUNTER:
                continue
            if {video, *match.take.parts} & broken:
                for path in (video, *match.take.parts):
                    self.verdicts.unpaired.pop(path, None)
                self.verdicts.take_name(video, match)

    def _listen(self, paths: Sequence[str]) -> Looks:
        """Take the fingerprints of files; those that cannot be listened to are told."""
        yield from self.evidence.listen(paths)
        for path in paths:
            if path in self.evidence.deaf:
                failure = self.evidence.deaf[path]
                self.verdicts.leave(path, failure.code, failure.message)

    def _find_parts(self, videos: Sequence[str]) -> Looks:
        """Where a recording ends within a video, compare the files beside it by their names."""
        for _ in range(_ROUNDS):
            wanted = [
                (video, other)
                for video in videos
                for other in self._beside(video)
                if other not in self.evidence.matches[video]
            ]
            if not wanted:
                return
            yield from self.evidence.compare(wanted, False)

    def _beside(self, video: str) -> Iterator[str]:
        """Files that may go on where the recordings of a video end."""
        matches = list(self.evidence.matches.get(video, {}).values())
        length_s = self.verdicts.length_s(video)
        best = best_match(matches, length_s)
        if best is None or is_covered(best, length_s):
            return
        parts = further_parts(best, matches, length_s)
        for other in self.sounds:
            beside = any(are_neighbours(other, part.audio) for part in parts)
            if beside and other not in self.evidence.deaf:
                yield other


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


def _place(path: str) -> tuple[str, str]:
    pure = PurePath(path)
    return str(pure.parent), pure.stem.casefold()


def _problem(info: MediaInfo) -> str:
    errors = [one.message for one in info.problems if one.severity is Severity.ERROR]
    return errors[0] if errors else "it is no file that can be used"
