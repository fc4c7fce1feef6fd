"""What is known of files: their facts, their fingerprints and how they compare, each found once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from avpipe.batch.asking import Looks, answers, chunks
from avpipe.batch.places import stamp_of
from avpipe.batch.pool import Pool
from avpipe.batch.state import BatchState
from avpipe.batch.tasks import Compare, Listen, Probe, Rank
from avpipe.media import Alignment, MediaInfo
from avpipe.pairing.content import CANDIDATES, LEAST_SCORE, WORTH, is_sure
from avpipe.pairing.values import Match
from avpipe.pairing.verdicts import is_heard
from avpipe.updates import Failure

_PROBED_AT_ONCE = 40
_RANKED_AT_ONCE = 40
_SHORT_S = 120.0
"""Of pairs this short the samples themselves are searched, whatever the fingerprints say."""


@dataclass(kw_only=True)
class Evidence:
    """What workers found out of some files, and what an output folder remembers of them."""

    state: BatchState
    pool: Pool
    infos: dict[str, MediaInfo] = field(default_factory=dict)
    matches: dict[str, dict[str, Match]] = field(default_factory=dict)
    """What was compared: by the video, then by the audio file."""
    deaf: dict[str, Failure] = field(default_factory=dict)
    """Files that cannot be listened to, and why."""

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
        # At least two for each worker, so that none is done long before the others.
        share = -(-len(left) // (2 * self.pool.slots))
        tasks = [Probe(paths=some) for some in chunks(left, max(1, min(share, _PROBED_AT_ONCE)))]
        sizes = [len(task.paths) for task in tasks]
        for answer in (yield from answers(tasks, self.pool, "probe", sizes)):
            if isinstance(answer, Failure):
                continue  # a file that went away: what is not known is not used
            self.infos |= {info.path: info for info in answer}
            self.state.keep_infos([(stamps[info.path], info) for info in answer])

    def listen(self, paths: Iterable[str]) -> Looks:
        """Take the fingerprints of files, but of those that have one."""
        wanted = [path for path in dict.fromkeys(paths) if path not in self.deaf]
        left = [path for path in wanted if not self._kept(path).exists()]
        tasks = [Listen(info=self.infos[path], kept=str(self._kept(path))) for path in left]
        found = yield from answers(tasks, self.pool, "listen")
        for path, answer in zip(left, found, strict=True):
            if isinstance(answer, Failure):
                self.deaf[path] = answer

    def listen_all(self, paths: Iterable[str]) -> Looks:
        """Take the fingerprints of those that have sound."""
        heard = [path for path in paths if path in self.infos and is_heard(self.infos[path])]
        yield from self.listen(heard)

    def fingerprint(self, path: str) -> Path | None:
        """Where a file's fingerprint is kept, where it has one."""
        return self._kept(path) if path in self.infos else None

    def rank(self, videos: Sequence[str], sounds: Sequence[str]) -> Looks:
        """How well each recording fits each video, by fingerprints: scores by video and audio."""
        scores: dict[str, dict[str, float]] = {video: {} for video in videos}
        tasks, about = [], []
        for audio in sounds:
            unknown = []
            for video in videos:
                score = self.state.score(video, audio, self._stamps(video, audio))
                if score is not None:
                    scores[video][audio] = score
                elif not {video, audio} & self.deaf.keys():
                    unknown.append(video)
            for some in chunks(unknown, _RANKED_AT_ONCE):
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

    def compare_best(self, videos: Sequence[str], scores: Mapping[str, Any]) -> Looks:
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
        yield from self.compare(best, True)
        further = []
        for video, audios in ranked.items():
            found = any(is_sure(match) for match in self.matches.get(video, {}).values())
            bound = WORTH * scores[video][audios[0]] if audios and found else 0.0
            further += [(video, audio) for audio in audios[1:] if scores[video][audio] >= bound]
        yield from self.compare(further, False)

    def _is_short(self, *paths: str) -> bool:
        return all((self.infos[path].duration_s or 0.0) <= _SHORT_S for path in paths)

    def compare(self, wanted: Sequence[tuple[str, str]], thorough: bool) -> Looks:
        """Compare videos with audio files exactly."""
        left = []
        for video, audio in wanted:
            if {video, audio} & self.deaf.keys() or audio in self.matches.get(video, {}):
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

    def _kept(self, path: str) -> Path:
        info = self.infos[path]
        name = hashlib.sha256(f"{path}\0{_stamp(info)}".encode("utf-8", "surrogateescape"))
        return self.state.fingerprints / f"{name.hexdigest()[:32]}.npz"


def _stamp(info: MediaInfo) -> str:
    return f"{info.size_bytes}:{info.modified_ns}"
