"""A finished run's answer for a video of 117 s at 640x360 against our own teacher on every clip."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from bench import Row
from ratios.sparse_pictures import drawn_video

from l2l.apply.predictor import Predictor
from l2l.config import Config, Modality, check_config, merge_configs
from l2l.skimmer.artifact import TrainedSkimmer, build, save_skimmer
from l2l.student.artifact import build_student, digest_of, load_student, save_student
from l2l.teacher.inference import for_inference
from l2l.teacher.network import R2Plus1D
from l2l.training import device

CONFIGS = Path(__file__).parents[2] / "workflow/configs"
SECONDS, CLIPS = 117, 2
CLASSES = [f"class {i}" for i in range(200)]
WIDTH = 512
# One moment in so many, and the ratio that is wanted.
FACTORS = {1: 35.0, 5: 80.0, 10: 115.0}
ALONE = 16, 250.0  # as many pictures as x264's groups have key frames


def full_size() -> Config:
    """The paper's configuration."""
    paths = [CONFIGS / f"{name}.yaml" for name in ("paper", "activitynet")]
    return check_config(merge_configs(*paths), "paper.yaml")


def untrained_run(folder: Path, config: Config, modalities: Sequence[Modality]) -> Path:
    """The networks of a finished run, full size, as they were drawn."""
    torch.manual_seed(1)
    path = folder / f"student/finetuned/{'-'.join(modalities)}-distilled.pt"
    bands = config.mels.bands
    student = build_student(config.student, modalities, len(CLASSES), WIDTH, bands)
    save_student(path, student, config.student, CLASSES, True, config.media, config.mels)
    widths = dict.fromkeys(modalities, WIDTH)
    network = build("skimmer", widths, len(CLASSES), 2 * WIDTH, WIDTH, config.skimmer)
    trained = TrainedSkimmer(
        network,
        "skimmer",
        CLASSES,
        config.skimmer.steps,
        student_digest=digest_of(load_student(path)),
    )
    save_skimmer(folder / "skimmer/skimmer.pt", trained, widths, config.skimmer)
    return folder


def teacher_on_clips() -> tuple[int, Callable[[], object]]:
    """How many clips, and a call that describes them."""
    where = device()
    describe = for_inference(R2Plus1D(400).eval(), where)
    clips = torch.randn(CLIPS, 3, 16, 112, 112, device=where)

    @torch.inference_mode()
    def watch() -> None:
        describe(clips)

    return CLIPS, watch


def rows(folder: Path) -> Iterator[Row]:
    """Dense, sparse, and few pictures without sound.

    The teacher computes two clips, of which all others take the same; their decoding, one more
    hundredth of its time, is left out, which makes the ratios smaller.
    """
    config = full_size()
    source = drawn_video(folder / "v.mp4", 640, 360, seconds=SECONDS)
    clips, watch = teacher_on_clips()

    def answer(predictor: Predictor, factor: int) -> None:
        source.path.touch()  # it is read again
        predictor.predict(source.path, factor=factor)

    both = Predictor(untrained_run(folder / "both", config, ("image", "audio")), threads=1)
    moments = both.predict(source.path, factor=16).moments
    against = f"the teacher on {moments} clips"
    asked = [(both, factor, "", at_least) for factor, at_least in FACTORS.items()]
    alone = Predictor(untrained_run(folder / "alone", config, ("image",)), threads=1)
    for predictor, factor, kind, at_least in [*asked, (alone, ALONE[0], ", no sound", ALONE[1])]:
        yield Row(
            f"predict, 1 moment in {factor}{kind}",
            against,
            partial(answer, predictor, factor),
            watch,
            at_least,
            moments / clips,
        )
