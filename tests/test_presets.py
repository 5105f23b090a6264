"""The full-size configurations.

Each plans the whole chain with nothing but its annotation files in place.
"""

import shutil

import pytest
import yaml
from workflow_runs import ROOT, planned, snakemake, tiny_with

from l2l.config import merge_configs, read_config

pytestmark = pytest.mark.workflow

CHAIN = {
    *(
        "list_videos",
        "decode_videos",
        "collect_statuses",
        "compute_mels",
        "load_teacher",
        "extract_descriptors",
        "distil_student",
        "finetune_student",
    ),
    *(
        "extract_features",
        "complete_features",
        "train_skimmer",
        "evaluate_videos",
        "evaluate_clips",
        "write_report",
    ),
}
# by their names in the configurations; where one is not available, another list replaces it:
# a dry run reads none
PUBLISHED = {
    "activity_net.v1-3.min.json": "activitynet/anet_anno_action.json",
    "labels.txt": "sports1m/labels.txt",
    "train_partition.txt": "sports1m/labels.txt",
    "test_partition.txt": "sports1m/labels.txt",
    "train.csv": "kinetics/kinetics-400_val.csv",
    "val.csv": "kinetics/kinetics-400_val.csv",
    **{name: f"ucf101/{name}" for name in ("classInd.txt", "trainlist01.txt", "testlist01.txt")},
}


@pytest.mark.parametrize("preset", ["activitynet", "mini_sports1m", "kinetics_sounds", "ucf101"])
def test_a_full_size_configuration_plans_the_whole_chain_from_its_annotation_files_alone(
    preset, published, tmp_path
):
    files = [ROOT / f"workflow/configs/{name}.yaml" for name in ("paper", preset)]
    values = merge_configs(*files)
    # As many jobs as shards: a plan of 1400 takes a minute.
    few = {"videos": {name: {"shards": 2} for name in values["videos"]}}
    (tmp_path / "few.yaml").write_text(yaml.safe_dump(few))
    for dataset in read_config(*files).videos.values():
        for path in dataset.annotation_files:
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(published / PUBLISHED[path.name], tmp_path / path)
    plan = planned(snakemake(tmp_path, "--dry-run", configfile=[*files, tmp_path / "few.yaml"]))
    assert plan >= CHAIN
    # the sets that the paper recognises clip by clip alone
    assert ("finetune_teacher" in plan) == (preset in ("kinetics_sounds", "ucf101"))


def test_a_file_of_weights_that_is_not_there_is_named_before_anything_runs(tmp_path):
    config = tiny_with(tmp_path / "c.yaml", teacher={"weights": "teacher.pth", "training": None})
    stopped = snakemake(tmp_path, "--dry-run", "results/tiny/teacher/teacher.pt", configfile=config)
    assert stopped.returncode != 0
    assert "affected files:\n        teacher.pth" in stopped.stdout
