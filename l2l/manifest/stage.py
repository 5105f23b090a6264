"""List the videos of a data set, with what each declares of itself, in shards."""

from collections import Counter
from pathlib import Path

from l2l.config import ManifestConfig
from l2l.datasets import PARTS, AnyDataset
from l2l.errors import BadInput
from l2l.manifest.artifact import Video, shard_names, write_videos
from l2l.manifest.examine import mark_duplicates, with_facts
from l2l.manifest.limit import check_usable
from l2l.manifest.listing import list_dataset
from l2l.manifest.unmatched import write_unmatched
from l2l.stores import remove


def list_videos(
    videos: Path,
    shards: Path,
    dataset: AnyDataset,
    config: ManifestConfig,
    seed: int,
    folder: Path | None = None,
) -> None:
    """List a data set's videos, and each shard's in `shards`/shard-000.tsv, `shards`/test-000.tsv
    and so on.

    Args:
        videos: the table of all videos to write; beside it, with `.unmatched` in its name, what
            lists and files do not agree on.
        shards: the folder of the shards' tables to write; a shard without videos has an empty
            table.
        dataset: which videos, with what adapter.
        config: how many videos may be unusable.
        seed: of the split, where the data set brings none.
        folder: where the videos were drawn, for the demo.

    Raises:
        BadInput: if the data set is not laid out as its adapter expects, or has no videos to train
            on or, being a target, to test on; or if more videos are unusable than `config` allows,
            the table then being written beside, with `.refused` in its name.
    """
    listed = list_dataset(dataset, seed, folder)
    _check_splits(listed, dataset.role)
    write_unmatched(dataset, listed, videos)
    known = mark_duplicates(with_facts(listed))
    check_usable(known, videos, config, "before decoding")
    parts: dict[str, list[Video]] = {
        name: [] for part in PARTS for name in dataset.shard_names(part)
    }
    for name, video in shard_names(known, dataset):
        parts[name].append(video)
    for table in [*shards.glob("shard-*.tsv"), *shards.glob("test-*.tsv")]:
        if table.stem not in parts:  # of a time when there were more
            remove(table)
    for name, rows in parts.items():
        write_videos(shards / f"{name}.tsv", rows)
    write_videos(videos, known)


def _check_splits(videos: list[Video], role: str) -> None:
    """Stop before the first training rather than after the last."""
    have = Counter(video.split for video in videos)
    for split in ("train",) if role == "source" else ("train", "test"):
        if videos and not have[split]:
            told = ", ".join(f"{count} {name}" for name, count in sorted(have.items()))
            raise BadInput(
                f"no {split} videos, which a data set of role {role} needs; its lists or folders "
                f"have {told}"
            )
