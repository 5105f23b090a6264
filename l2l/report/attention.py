"""The stores that show a test video."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from l2l.evaluation.videos.artifact import Attention, Scores, read_scores
from l2l.manifest.artifact import Video, shard_of
from l2l.media.artifact import MediaReader, read_listed_media
from l2l.mels.artifact import MelReader, read_mels
from l2l.shards import read_shards


@dataclass(frozen=True)
class Stores:
    """Stores of the target that hold test videos, and the skimmer.

    Attributes:
        media: of the test shards.
        mels: of the test shards; none: no spectrograms are shown.
        scores: of the test videos; None: no attention is shown.
    """

    media: Sequence[Path]
    mels: Sequence[Path] = ()
    scores: Path | None = None


class OpenStores(NamedTuple):
    """The readers of each shown video, and of the attention over its moments."""

    media: Mapping[str, MediaReader]
    mels: Mapping[str, MelReader]
    scores: Scores | None

    def attention(self, video: str) -> Attention | None:
        """The attention over all moments of a video; None without scores."""
        return self.scores.attention(video) if self.scores else None


def shards_with(paths: Sequence[Path], videos: Sequence[Video]) -> list[Path]:
    """Of the stores of all shards of a kind, `test-000.h5` or `shard-000.h5`, those that hold the
    videos; so that no others are opened.
    """
    named: dict[str, list[Path]] = {"test": [], "shard": []}
    for path in sorted(paths, key=lambda path: path.name):
        named.get(path.stem.partition("-")[0], []).append(path)
    wanted = set()
    for video in videos:
        of_part = named["test" if video.split == "test" else "shard"]
        if of_part:
            wanted.add(of_part[shard_of(video.video, len(of_part))])
    return [path for path in paths if path in wanted]


@contextlib.contextmanager
def open_stores(
    stores: Stores, listed: Sequence[Video], shown: Sequence[Video]
) -> Iterator[OpenStores]:
    """Open what is needed to show some of the videos.

    Args:
        stores: of the data set.
        listed: all its videos, as decoded.
        shown: those that will be shown.
    """
    usable = {video.video for video in listed if video.usable}
    ids = {video.video for video in shown}
    with contextlib.ExitStack() as stack:
        media = stack.enter_context(
            read_shards(shards_with(stores.media, shown), read_listed_media(listed), usable, ids)
        )
        mels = stack.enter_context(
            read_shards(shards_with(stores.mels, shown), read_mels, usable, ids)
        )
        scores = stack.enter_context(read_scores(stores.scores)) if stores.scores else None
        yield OpenStores(media, mels, scores)
