"""How often `l2l hear` names the event of a video that `l2l lay_events` drew, and where.
The events are those of ESC-10; nothing is trained.

    l2l hear FOLDER/test --weights FILE --json --top 527 --least-probability 0 >heard.jsonl
    python benchmarks/heard_events.py FOLDER heard.jsonl

The answer for a video is the class of ESC-10 whose names of AudioSet are the most probable in any
range, and its place is the middle of that range.
"""

import json
import sys
from pathlib import Path

from l2l.stores import read_table

NAMES = {
    "baby_cry": ("Baby cry, infant cry",),
    "chainsaw": ("Chainsaw",),
    "clock_tick": ("Tick-tock", "Tick", "Clock"),
    "dog_bark": ("Bark", "Dog"),
    "fire_crackling": ("Fire", "Crackle"),
    "helicopter": ("Helicopter",),
    "person_sneeze": ("Sneeze",),
    "rain": ("Rain",),
    "rooster": ("Crowing, cock-a-doodle-doo", "Chicken, rooster"),
    "sea_waves": ("Waves, surf",),
}


def surest(ranges: list[dict], label: str) -> tuple[float, float]:
    """The largest probability of a class in any range, and the middle of that range in seconds."""
    return max(
        (name["probability"], (each["start_seconds"] + each["end_seconds"]) / 2)
        for each in ranges
        for name in each["names"]
        if name["name"] in NAMES[label]
    )


def main(folder: Path, heard: Path) -> None:
    """Print the shares of the videos.

    Args:
        folder: what `l2l lay_events` wrote.
        heard: what `l2l hear --json` printed for some of its videos, with all names.
    """
    columns = ("file", "label", "start_seconds", "end_seconds")
    events = {row["file"]: row for row in read_table(folder / "segments.tsv", columns)}
    named = placed = true_placed = 0
    lines = heard.read_text(encoding="utf-8").splitlines()
    for line in lines:
        video = json.loads(line)
        event = events[Path(video["video"]).resolve().relative_to(folder.resolve()).as_posix()]
        label = event["label"]
        span = float(event["start_seconds"]), float(event["end_seconds"])
        best = {each: surest(video["ranges"], each) for each in NAMES}
        named += max(best, key=lambda each: best[each]) == label
        placed += span[0] <= max(best.values())[1] < span[1]
        true_placed += span[0] <= best[label][1] < span[1]
    print(f"{len(lines)} videos: class {named / len(lines):.3f}", end=", ")
    print(f"its place {placed / len(lines):.3f}", end=", ")
    print(f"place of the true class {true_placed / len(lines):.3f}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
