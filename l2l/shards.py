"""The stores of a data set, one per shard, opened together.

Each video is in one of them, and they hold what its table has.
"""

import contextlib
import resource
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

from l2l.errors import BadInput


class HoldsVideos(Protocol):
    """A reader of a shard's store."""

    @property
    def videos(self) -> tuple[str, ...]:
        """Ids of the videos in it."""


ShardReader = TypeVar("ShardReader", bound=HoldsVideos)


@contextlib.contextmanager
def read_shards(
    paths: Sequence[Path],
    read: Callable[[Path], contextlib.AbstractContextManager[ShardReader]],
    videos: Collection[str],
    needed: Collection[str] | None = None,
) -> Iterator[dict[str, ShardReader]]:
    """Open every shard's store and give, for each video, the reader that holds it.

    Args:
        paths: the stores.
        read: opens one.
        videos: ids of those that the stores may hold.
        needed: of those that they have to hold; default: all of `videos`.

    Raises:
        BadInput: if they hold another video, one of them twice, or lack one that is needed.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(
        ValueError, OSError
    ):  # some systems call the limit infinite and refuse it
        resource.setrlimit(
            resource.RLIMIT_NOFILE, (most, most)
        )  # a thousand shards are more than most allow unasked
    with contextlib.ExitStack() as stack:
        held: dict[str, ShardReader] = {}
        for path in paths:
            reader = stack.enter_context(read(path))
            check_videos(path, set(reader.videos), set(videos) - held.keys(), whole=False)
            held |= dict.fromkeys(reader.videos, reader)
        if paths:
            check_videos(
                paths[0].parent, held, held.keys() | (videos if needed is None else needed)
            )
        yield held


def check_videos(
    store: Path, held: Collection[str], wanted: Collection[str], whole: bool = True
) -> None:
    """Refuse a store that holds other videos than the table of its data set has.

    Args:
        store: a file or folder, for the complaint.
        held: ids of the videos in it.
        wanted: of the usable ones of the table.
        whole: also refuse it if it lacks one of them.

    Raises:
        BadInput: naming the first video that is one too many or missing.
    """
    for what, ids in (
        ("without", set(wanted) - set(held) if whole else ()),
        ("with", set(held) - set(wanted)),
    ):
        if ids:
            raise BadInput(
                f"{store}: made of another table of videos: {len(held)} videos, {what} "
                f"{min(ids)!r}; run snakemake again"
            )
