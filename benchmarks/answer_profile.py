"""Where the CPU time of an answer goes, and how much of it there may be: a table in markdown.

    python benchmarks/answer_profile.py [--runs N]

The video, the networks and the columns are those of `ratios/predicting.py`. Each stage runs alone,
on one thread; a figure is the median of its runs. The last rows are what an answer takes as a
whole, and what it may take: the teacher's time on all clips, divided by the ratio that is wanted.
"""

import argparse
import statistics
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from bench import machine, seconds
from ratios.predicting import ALONE, FACTORS, SECONDS, full_size, teacher_on_clips, untrained_run
from ratios.sparse_pictures import drawn_video, full_decode

from l2l.apply.predictor import Answer, Options, Predictor
from l2l.apply.reading import Request
from l2l.manifest.probe import probe_files
from l2l.manifest.source import Source
from l2l.media.decode import decode
from l2l.media.decoded import cut_windows
from l2l.mels.spectrogram import log_mel


class Column(NamedTuple):
    """One way to read the video."""

    name: str
    predictor: Predictor
    factor: int
    at_least: float  # the ratio that is wanted


def stages(source: Source, column: Column) -> Iterator[tuple[str, Callable[[], object]]]:
    """The stages of an answer, each alone, and all of them."""
    networks, factor = column.predictor.networks, column.factor
    media, every = networks.media, slice(None, None, factor)

    def pictures() -> object:
        source.path.touch()  # it is read again
        return decode(source, media, "moments", media.jpeg_quality, moments=every, sound=False)

    yield "examine the file", lambda: list(probe_files([source.path], keep=True))
    yield "decode, scale and code the pictures", pictures
    answer = answered(source, column)
    if networks.hears:
        heard = decode(source, media, "none")
        windows = cut_windows(heard.waveform, answer.read.read)
        yield "decode the sound", lambda: decode(source, media, "none")
        yield "mels", lambda: log_mel(windows, networks.mels)
    yield "student", lambda: list(networks.describe([answer.read]))
    yield "skimmer", lambda: networks.answer(answer.read, answer.features, 5)

    def whole() -> object:
        source.path.touch()
        return column.predictor.predict(source.path, factor=factor)

    yield "as a whole", whole


def answered(source: Source, column: Column) -> Answer:
    """The answer, with what it was made from."""
    request = Request.of_file(source.path, next(probe_files([source.path])))
    (answer,) = column.predictor.answers([request], Options(column.factor))
    return answer


def columns(folder: Path) -> list[Column]:
    """Those of `ratios/predicting.py`."""
    config = full_size()
    both = Predictor(untrained_run(folder / "both", config, ("image", "audio")), threads=1)
    alone = Predictor(untrained_run(folder / "alone", config, ("image",)), threads=1)
    asked = [Column(f"1 in {factor}", both, factor, least) for factor, least in FACTORS.items()]
    return [*asked, Column(f"1 in {ALONE[0]}, no sound", alone, *ALONE)]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("--runs", type=int, default=5, help="of each stage; default 5")
    runs = parser.parse_args().runs
    torch.set_num_threads(1)

    def median(call: Callable[[], object]) -> float:
        call()
        return statistics.median(seconds(call) for _ in range(runs))

    with tempfile.TemporaryDirectory(prefix="l2l-profile-") as name:
        folder = Path(name)
        source = drawn_video(folder / "v.mp4", 640, 360, seconds=SECONDS)
        asked = columns(folder)
        clips, watch = teacher_on_clips()
        moments = answered(source, asked[0]).read.moments
        teacher = median(watch) * moments / clips
        table: dict[str, dict[str, str]] = {}
        counts = "pictures decoded, of all"
        for column in asked:
            prediction = answered(source, column).prediction
            cells = {stage: f"{median(call):.2f}" for stage, call in stages(source, column)}
            cells |= {"it may take": f"{teacher / column.at_least:.2f}"}
            cells |= {counts: f"{prediction.decoded_pictures} of {SECONDS * 30}"}
            for stage, cell in cells.items():
                table.setdefault(stage, {})[column.name] = cell
        decoded = median(lambda: full_decode(source, "-an"))
    print(f"{machine()}; medians of {runs} runs, CPU seconds.")
    print(
        f"The teacher takes {teacher:.0f} s for {moments} clips, a full decode {decoded:.2f} s.\n"
    )
    names = [column.name for column in asked]
    print(f"| stage | {' | '.join(names)} |")
    print(f"|---|{'---|' * len(names)}")
    for stage, cells in table.items():
        print(f"| {stage} | {' | '.join(cells.get(name, '') for name in names)} |")


if __name__ == "__main__":
    main()
