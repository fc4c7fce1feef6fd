"""From a folder or a manifest to the items of a batch: nothing is made yet."""

from __future__ import annotations

import hashlib
import json
import os
from collections import defaultdict
from collections.abc import Collection, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from avpipe import __version__, jsonform
from avpipe.batch.folder import media_files
from avpipe.batch.ledger import Ledger
from avpipe.batch.outputs import check_template, output_name, require_apart
from avpipe.batch.pairs import Pairing
from avpipe.batch.places import join, stamp_of
from avpipe.batch.state import BatchState
from avpipe.batch.stores import is_address, media_at
from avpipe.batch.values import Item, Looking, Row, Surveyed, Wanted
from avpipe.errors import RequestError
from avpipe.media import MediaInfo
from avpipe.pairing.values import Basis, Pair, PairBy
from avpipe.plan.request import Request, Sync


@dataclass(kw_only=True)
class Survey:
    """What one run over one folder has to make."""

    wanted: Wanted
    state: BatchState
    pairing: Pairing
    ledger: Ledger
    rows: Sequence[Row] | None = None
    """Of a manifest; None to find the pairs."""
    without: Collection[str] = ()
    """Files that are left out: they are still being written."""
    tried: Collection[str] = ()
    """The keys of items that are not tried again as they are."""

    def items(self) -> Generator[Looking, None, Surveyed]:
        """Find the pairs and what has to be made of them. Raises RequestError."""
        self.ledger.drop_left_over()
        if self.rows is None:
            if is_address(self.wanted.folder):
                self.pairing.find_by_endings(self._paths(), self.wanted.pair)
            else:
                yield from self.pairing.find(self._paths(), self._pair_by())
            found = self.pairing.verdicts.pairs
            pairs = [found[video] for video in sorted(found)]
            requests = [self._request(pair) for pair in pairs]
        else:
            requests = [row.request for row in self.rows]
            files = dict.fromkeys(path for one in requests for path in inputs_of(one))
            yield from self.pairing.probe([path for path in files if not is_address(path)])
            pairs = [
                Pair(
                    video=one.video,
                    audio=one.recordings,
                    basis=Basis.MANIFEST,
                    why=f"line {row.line} of the manifest",
                )
                for row, one in zip(self.rows, requests, strict=True)
            ]
        items = [self._item(*each) for each in zip(range(1, 1 + len(pairs)), pairs, requests)]  # noqa: B905
        self._require_outputs(items)
        skipped = {item.number: item for item in items if self.ledger.is_done(item)}
        left = [item for item in items if item.number not in skipped]
        unpaired = self.pairing.verdicts.unpaired
        return Surveyed(
            items=tuple(item for item in left if item.key not in self.tried),
            skipped=tuple(skipped.values()),
            unpaired=tuple(unpaired[path] for path in sorted(unpaired)),
        )

    def _pair_by(self) -> PairBy:
        """Where the starts are lined up no content is read, unless that is asked for."""
        deaf = self.wanted.request.sync in (Sync.START, Sync.NONE)
        return PairBy.NAME if deaf and self.wanted.pair is PairBy.AUTO else self.wanted.pair

    def _paths(self) -> list[str]:
        found = folder_media(self.wanted)
        outputs = {join(self.wanted.outdir, name): kept for name, kept in self.state.all_kept()}
        ours = {path for path in found if path in outputs and outputs[path].is_ours(stamp_of(path))}
        return [path for path in found if path not in ours and path not in self.without]

    def _request(self, pair: Pair) -> Request:
        more = pair.audio[1:] if self.wanted.request.offset_s is None else ()
        return replace(
            self.wanted.request,
            video=pair.video,
            audio=pair.audio[0],
            more_audio=tuple(more),
            output="",
        )

    def _item(self, number: int, pair: Pair, request: Request) -> Item:
        infos = self.pairing.evidence.infos
        video = infos.get(request.video) or _unknown(request.video)
        output = request.output
        if not output:
            name = output_name(
                self.wanted.template,
                info=video,
                audio=request.audio,
                index=number,
                root=self.wanted.folder,
            )
            output = join(self.wanted.outdir, name)
        request = replace(request, output=output)
        sizes = [infos[path].size_bytes or 0 for path in inputs_of(request) if path in infos]
        sound = infos.get(request.audio)
        lasting = sound if video.picture is not None else video
        return Item(
            number=number,
            pair=pair,
            request=request,
            key=_key(request),
            size_bytes=sum(sizes),
            duration_s=0.0 if lasting is None else lasting.duration_s or 0.0,
        )

    def _require_outputs(self, items: Sequence[Item]) -> None:
        """Raise RequestError where outputs would meet, or meet an input."""
        made_of: dict[str, list[str]] = defaultdict(list)
        for item in items:
            told = f" ({item.pair.why})" if item.pair.basis is Basis.MANIFEST else ""
            made_of[item.request.output].append(f"{item.request.video}{told}")
        require_apart(made_of, [path for item in items for path in inputs_of(item.request)])


def folder_media(wanted: Wanted) -> list[str]:
    """The media of a batch's folder; what lies in the output folder is none of it."""
    if is_address(wanted.folder):
        return media_at(wanted.folder, recursive=wanted.recursive)
    (folder, outdir) = (Path(wanted.folder), Path(wanted.outdir))
    elsewhere = is_address(wanted.outdir) or folder.resolve() == outdir.resolve()
    return media_files(folder, recursive=wanted.recursive, without=[] if elsewhere else [outdir])


def require_possible(wanted: Wanted, *, dry_run: bool) -> None:
    """Check what can be told before anything is read or made. Raises RequestError."""
    check_template(wanted.template)
    outdir = Path(wanted.outdir)
    if dry_run or is_address(wanted.outdir) or not os.path.lexists(outdir):
        return
    if not outdir.is_dir():
        raise RequestError(f"the output folder {outdir} is not a folder")
    if not os.access(outdir, os.W_OK | os.X_OK):
        raise RequestError(f"the output folder {outdir} cannot be written")


def inputs_of(request: Request) -> tuple[str, ...]:
    """The paths of what a merge reads, the video first."""
    return (request.video, *request.recordings)


def _key(request: Request) -> str:
    """What says that an output would be made again as it is."""
    options: Mapping[str, Any] = jsonform.encode(replace(request, output=""))
    files = [(path, stamp_of(path)) for path in inputs_of(request)]
    text = json.dumps([__version__, options, files], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _unknown(path: str) -> MediaInfo:
    return MediaInfo(path=path, container=None, size_bytes=None, modified_ns=None)
