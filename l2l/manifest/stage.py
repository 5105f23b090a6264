"""Lists the videos of a data set, with what each file declares, in shards."""

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from l2l.config import ManifestConfig
from l2l.datasets import PARTS, AnyDataset, DemoDataset
from l2l.errors import BadInput
from l2l.manifest.artifact import Video, read_videos, shard_names, write_videos
from l2l.manifest.examine import mark_duplicates, same_bytes, with_facts
from l2l.manifest.labels import check_labels, label_warnings
from l2l.manifest.limit import check_usable
from l2l.manifest.listing import list_dataset
from l2l.manifest.seen import read_seen, stamp_of, write_seen
from l2l.manifest.unmatched import write_unmatched
from l2l.stores import remove, write_text


def list_videos(
    videos: Path,
    shards: Path,
    dataset: AnyDataset,
    config: ManifestConfig,
    seed: int,
    folder: Path | None = None,
    record: Path | None = None,
) -> None:
    """List a data set's videos, and each shard's in `shards`/shard-000.tsv, `shards`/test-000.tsv
    and so on.

    Args:
        videos: the table of all videos to write. Where lists and files do not agree, a table next
            to it with `.unmatched` in its name says how.
        shards: the folder of the shards' tables to write; a shard without videos has an empty
            table.
        dataset: the section of the data set.
        config: how many videos may be unusable; not read for a data set of role `apply`.
        seed: of the splits, where the data set brings none.
        folder: where the videos of the demo are.
        record: what is remembered of the files, to write: see `l2l.manifest.seen`. None: nothing.

    Raises:
        BadInput: if the data set is not laid out as its adapter expects, its labels or splits make
            a right answer impossible, or more videos are unusable than `config` allows. In the
            last case a table next to `videos`, with `.refused` in its name, says why.
    """
    listed = list_dataset(dataset, seed, folder, record)
    labelled = dataset.role != "apply"
    if labelled:
        _check_splits(listed, dataset.role)
        check_labels(listed, dataset.role)
        for warning in label_warnings(listed):
            print(f"warning: {warning}", file=sys.stderr)
    write_unmatched(dataset, listed, videos)
    stamps = {video.file: stamp_of(video.file) for video in listed if video.usable}
    probed = with_facts(listed)
    if labelled:  # otherwise every file gets its answer or its status, however many are unusable
        probed = mark_duplicates(probed)
        check_usable(probed, videos, config, "before decoding")
    rows: dict[str, list[Video]] = {
        name: [] for part in PARTS for name in dataset.shard_names(part)
    }
    for name, video in shard_names(probed, dataset):
        rows[name].append(video)
    for table in [*shards.glob("shard-*.tsv"), *shards.glob("test-*.tsv")]:
        if table.stem not in rows:  # from a run with more shards
            remove(table)
    for name, of_shard in rows.items():
        write_videos(shards / f"{name}.tsv", of_shard)
    write_videos(videos, probed)
    usable = sum(video.usable for video in probed)
    print(f"{usable:,} of {len(probed):,} listed videos can be used", file=sys.stderr)
    if record is not None and not isinstance(dataset, DemoDataset):
        write_seen(record, probed, stamps, dataset.folder, read_seen(record))


def check_leaks(source: Path, target: Path, checked: Path) -> None:
    """Stop if a test video of the target is also a training video of the source.

    Args:
        source: the table of all videos of the data set that is distilled from.
        target: the table of the data set that is evaluated on.
        checked: the text to write when there is none.

    Raises:
        BadInput: naming the videos with the same bytes.
    """
    trained = {
        video.fingerprint: video
        for video in read_videos(source)
        if video.usable and video.split != "test"
    }
    tested = [video for video in read_videos(target) if video.usable and video.split == "test"]
    leaks = [
        (trained[video.fingerprint], video)
        for video in tested
        if video.fingerprint in trained and same_bytes(trained[video.fingerprint].path, video.path)
    ]
    if leaks:
        one, other = leaks[0]
        raise BadInput(
            f"{len(leaks)} test videos of {target} have the same bytes as a train or val video of "
            f"{source}: the first is {other.video!r}, which is {one.split} video {one.video!r} "
            "there; remove one of the two, or change its split"
        )
    write_text(checked, f"{len(tested)} test videos, none of them among {len(trained)} others\n")


def _check_splits(videos: Sequence[Video], role: str) -> None:
    """Stop before the first training, not after the last."""
    counts = Counter(video.split for video in videos)
    for split in ("train",) if role == "source" else ("train", "test"):
        if videos and not counts[split]:
            listed = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
            raise BadInput(
                f"no {split} videos, which a data set of role {role} needs; its lists or folders "
                f"have {listed}"
            )
