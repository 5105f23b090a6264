# l2l: from videos on disk to the paper's tables.
# `snakemake --cores N`, or `snakemake --profile slurm`.
# The includes are in the order of the chain; each rule file opens with what comes in and what
# goes out.

import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.0")

# A --configfile replaces config.yaml; it is not mixed with the demo's.
if not workflow.config_settings.configfiles:
    if not Path("config.yaml").is_file():
        sys.exit(
            f"l2l: config.yaml: no such file in {Path.cwd()}, where no --configfile is given; run "
            f"snakemake in {workflow.basedir}, or give --configfile FILE, which `l2l init FOLDER` "
            "writes"
        )

    configfile: "config.yaml"


include: "workflow/rules/common.smk"
include: "workflow/rules/cluster.smk"
include: "workflow/rules/videos.smk"
include: "workflow/rules/manifest.smk"
include: "workflow/rules/media.smk"
include: "workflow/rules/mels.smk"
include: "workflow/rules/motion.smk"
include: "workflow/rules/teacher.smk"
include: "workflow/rules/student.smk"
include: "workflow/rules/features.smk"
include: "workflow/rules/skimmer.smk"
include: "workflow/rules/sampler_common.smk"
include: "workflow/rules/sampler.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/report.smk"
include: "workflow/rules/study.smk"
include: "workflow/rules/apply_common.smk"
include: "workflow/rules/apply.smk"


for custom_rules in custom_rules_files():

    include: custom_rules


onstart:  # of a run: not of a dry run, nor in a job
    if line := unwritable_results() or abandoned_slurm_jobs(Path.cwd()):
        raise WorkflowError(line)
    try:
        record_configuration()
    except BadInput as error:
        raise WorkflowError(str(error)) from None


onsuccess:  # of a run that made something
    for line in closing_lines():
        logger.info(line)


onerror:  # also after Ctrl-C
    logger.info("What is finished is kept: run the same command again to go on.")


rule all:
    """The whole chain for one run."""
    default_target: True
    input:
        f"results/{CONFIG.run}/report.html",
        f"results/{CONFIG.run}/evaluation/ablations.tsv",
        f"results/{CONFIG.run}/evaluation/recognition.tsv",
    localrule: True


for stage, paths in files_of_stages().items():

    rule:
        """One stage of the chain, and what it needs: `snakemake media`."""
        name:
            stage
        input:
            paths,
        localrule: True
