"""Clips of the source where sound helps the student most and least, to be looked at and heard."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from l2l.manifest.artifact import Video
from l2l.media.artifact import read_listed_media
from l2l.moments import WINDOW_SAMPLES, start_sample
from l2l.report.attention import shards_with
from l2l.report.digits import significant
from l2l.report.figures import picture_address
from l2l.report.sound import sound_address
from l2l.shards import read_shards

Rows = Sequence[Mapping[str, str]]
_OF_EACH_END = 3


def clips_to_hear(
    rows: Rows, listed: Sequence[Video], media: Sequence[Path]
) -> list[dict[str, object]]:
    """Some clips of each end of audio_helps.tsv: picture, sound and both distances.

    Args:
        rows: of audio_helps.tsv, the largest gain first.
        listed: the source's videos, as decoded.
        media: the source's media; none: no clips are shown.
    """
    heard = [row for row in rows if row["has_sound"] == "yes"]
    most = heard[:_OF_EACH_END]
    least = heard[max(len(most), len(heard) - _OF_EACH_END) :]
    if not media or not heard:
        return []
    wanted = {row["video"] for row in (*most, *least)}
    shown = [video for video in listed if video.video in wanted]
    usable = {video.video for video in listed if video.usable}
    with read_shards(
        shards_with(media, shown), read_listed_media(listed), usable, wanted
    ) as shards:
        by_id: dict[str, Video] = {video.video: video for video in shown}
        groups: list[dict[str, object]] = []
        for title, group in (("helps most", most), ("helps least", least)):
            clips = []
            for row in group:
                shard, moment = shards[row["video"]], int(row["moment"])
                start = start_sample(moment)
                second = shard.waveform(row["video"])[start : start + WINDOW_SAMPLES]
                clips.append(
                    {
                        "address": picture_address(shard.frame(row["video"], moment)),
                        "sound": sound_address(second),
                        "label": ", ".join(by_id[row["video"]].labels),
                        "video": f"{row['video']}, {float(row['start_seconds']):.1f} s",
                        "distances": f"L1 {significant(float(row['image']))} by the picture, "
                        f"{significant(float(row['image_audio']))} with sound",
                    }
                )
            if clips:
                groups.append({"title": title, "clips": clips})
    return groups
