# SCSampler, a branch that a plain run does not make: `snakemake --cores N scsampler`.
# in:  the target's motion, media (frames) and mels; what the teacher says of every moment
# out: results/{run}/sampler/clips/{shard}.h5           the teacher's descriptors and scores of every
#                                                       moment, where the chain has only the labelled
#      results/{run}/sampler/{network}.pt               one network: input, objective, trunk; or
#                                                       joint.pt, all trained together
#      results/{run}/sampler/saliency/{shard}.h5        what each says of every clip of test videos
#      results/{run}/evaluation/scsampler.tsv           the tables; rows are those of
#                                                       l2l/sampler/rows.py
#      results/{run}/evaluation/scsampler_clips.tsv     the chosen clips

from l2l.sampler.rows import JOINT, chosen_rows, joint_networks, joint_start, single_networks

try:
    SAMPLER_ROWS = chosen_rows(CONFIG.sampler.rows)
except BadInput as error:
    raise WorkflowError(str(error)) from None
SAMPLERS = [*single_networks(SAMPLER_ROWS), *joint_networks(SAMPLER_ROWS)]
# Of the section, what training and scoring read: another K trains nothing again.
SAMPLER_TRAINING = CONFIG.sampler.model_copy(
    update={"rows": None, "clips": 10, "seen": 8, "visual_weight": 0}
)
ALL_MOMENTS_DESCRIBED = CONFIG.source == CONFIG.target or READS_TEACHER
DESCRIBED = f"teacher/{CONFIG.target}" if ALL_MOMENTS_DESCRIBED else "sampler/clips"


def clip_files(parts=PARTS):
    """What the teacher says of every moment of the target, one file per shard."""
    names = [name for part in parts for name in CONFIG.videos[CONFIG.target].shard_names(part)]
    return [f"results/{{run}}/{DESCRIBED}/{name}.h5" for name in names]


def clip_ranges(parts=PARTS):
    """The same as a command line takes them."""
    ranges = shard_ranges("teacher", CONFIG.target, parts=parts)
    chain, here = f"/teacher/{CONFIG.target}/", f"/{DESCRIBED}/"
    return lambda wildcards: [path.replace(chain, here) for path in ranges(wildcards)]


def inputs_of_network(network):
    """The kinds of input that a network reads."""
    names = joint_start() if network == JOINT else [network]
    return {name.partition("-")[0] for name in names}


def sampler_stages(kinds):
    """The stages that these kinds of input come from, besides mels: option and shards' stage."""
    return [
        stage
        for stage, of_stage in (("motion", {"displacement", "residual"}), ("media", {"frame"}))
        if kinds & of_stage
    ]


def sampler_inputs(wildcards):
    """What a network is trained on: motion and media, what the teacher says, and a start."""
    network = wildcards.network
    files = [
        path
        for stage in sampler_stages(inputs_of_network(network))
        for path in shard_files(stage, CONFIG.target, parts=["train_val"])
    ]
    if "-class-" not in network:
        files += clip_files(["train_val"])
    if network == JOINT:
        files += [f"results/{{run}}/sampler/{name}.pt" for name in joint_start()]
    return [path.format(run=wildcards.run) for path in files]


def sampler_options(wildcards):
    """The same as the command line takes it."""
    network, options = wildcards.network, []
    for stage in sampler_stages(inputs_of_network(network)):
        options += [
            f"--{stage}",
            *shard_ranges(stage, CONFIG.target, parts=["train_val"])(wildcards),
        ]
    if "-class-" not in network:
        options += ["--descriptors", *clip_ranges(["train_val"])(wildcards)]
    if network == JOINT:
        options += ["--start"]
        options += [f"results/{wildcards.run}/sampler/{name}.pt" for name in joint_start()]
    return shlex.join(options)


ALL_SAMPLER_STAGES = sampler_stages(set().union(*map(inputs_of_network, SAMPLERS)))


def scored_files(wildcards):
    """The motion and media of a shard that the samplers score."""
    stages = ALL_SAMPLER_STAGES
    folder = f"results/{wildcards.run}"
    return [f"{folder}/{stage}/{CONFIG.target}/{wildcards.shard}.h5" for stage in stages]


def scored_options(wildcards, input):
    """The same as the command line takes it."""
    options = [f"--{stage}" for stage in ALL_SAMPLER_STAGES]
    return shlex.join([part for pair in zip(options, input.scored) for part in pair])


rule describe_all_clips:
    """The teacher's descriptor and class scores of every clip of a shard of the target."""
    input:
        manifest=ancient(f"results/{{run}}/manifest/{CONFIG.target}/{{shard}}.tsv"),
        media=f"results/{{run}}/media/{CONFIG.target}/{{shard}}.h5",
        teacher="results/{run}/teacher/teacher.pt",
    output:
        descriptors="results/{run}/sampler/clips/{shard}.h5",
    log:
        "logs/{run}/describe_all_clips/{shard}.log",
    benchmark:
        "benchmarks/results/{run}/describe_all_clips/{shard}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(8000),
        runtime=escalating_minutes(720),
        gpu=gpus,
    params:
        config=section(CONFIG.teacher),
        version=1,
    shell:
        """
        python -P -m l2l extract_descriptors \
            --manifest {input.manifest:q} \
            --media {input.media:q} \
            --teacher {input.teacher:q} \
            --descriptors {output.descriptors:q} \
            --part all \
            --config {params.config:q} \
            --threads {threads} 2>{log:q}
        """


rule train_sampler:
    """Train one network of a sampler, or all of them together."""
    input:
        # what it reads of both are these shards' rows
        videos=ancient(training_table(CONFIG.target)),
        mels=shard_files("mels", CONFIG.target, parts=["train_val"]),
        read=sampler_inputs,
    output:
        sampler="results/{run}/sampler/{network}.pt",
    log:
        "logs/{run}/train_sampler/{network}.log",
    benchmark:
        "benchmarks/results/{run}/train_sampler/{network}.tsv"
    wildcard_constraints:
        network=r"[a-z]+(-[a-z]+-[a-z0-9]+)?",
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(8000),
        runtime=escalating_minutes(1440),
        gpu=gpus,
    params:
        mels=shard_ranges("mels", CONFIG.target, parts=["train_val"]),
        read=sampler_options,
        classes=classes_of(CONFIG.target),
        config=section(SAMPLER_TRAINING),
        seed=seed,
        python=launcher,
        version=1,
    shell:
        """
        {params.python} -m l2l train_sampler {params.read} \
            --network {wildcards.network} \
            --videos {input.videos:q} \
            --mels {params.mels:q} \
            --sampler {output.sampler:q} \
            --config {params.config:q} \
            --seed {params.seed} \
            --threads {threads} 2>{log:q}
        """


rule score_clips:
    """What each sampler says of every clip of a shard's test videos."""
    input:
        samplers=expand("results/{{run}}/sampler/{network}.pt", network=SAMPLERS),
        videos=f"results/{{run}}/media/{CONFIG.target}/videos.tsv",
        mels=f"results/{{run}}/mels/{CONFIG.target}/{{shard}}.h5",
        scored=scored_files,
    output:
        saliency="results/{run}/sampler/saliency/{shard}.h5",
    log:
        "logs/{run}/score_clips/{shard}.log",
    benchmark:
        "benchmarks/results/{run}/score_clips/{shard}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(4000),
        runtime=escalating_minutes(480),
        gpu=gpus,
    params:
        scored=scored_options,
        config=section(SAMPLER_TRAINING),
        version=1,
    shell:
        """
        python -P -m l2l score_clips {params.scored} \
            --samplers {input.samplers:q} \
            --videos {input.videos:q} \
            --mels {input.mels:q} \
            --saliency {output.saliency:q} \
            --config {params.config:q} \
            --threads {threads} 2>{log:q}
        """


rule evaluate_scsampler:
    """Which clips each row of scsampler.tsv chooses, and what the teacher makes of them."""
    input:
        teacher="results/{run}/teacher/teacher.pt",
        descriptors=clip_files(),
        saliency=[
            f"results/{{run}}/sampler/saliency/{name}.h5"
            for name in CONFIG.videos[CONFIG.target].shard_names("test")
        ],
        videos=f"results/{{run}}/media/{CONFIG.target}/videos.tsv",
        student=MAIN_STUDENT_FILE,
        skimmer="results/{run}/skimmer/skimmer.pt",
        features=f"results/{{run}}/features/{CONFIG.target}/zarr.json",
        shards=shard_files("features", CONFIG.target, suffix=ZARR_MARK, parts=["test"]),
    output:
        table=evaluation_table("scsampler"),
        clips=evaluation_table("scsampler_clips"),
    log:
        "logs/{run}/evaluate_scsampler.log",
    benchmark:
        "benchmarks/results/{run}/evaluate_scsampler.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(4000),
        runtime=escalating_minutes(240),
    params:
        descriptors=clip_ranges(),
        features=lambda wildcards, input: os.path.dirname(input.features),
        config=section(CONFIG.sampler),
        evaluation=section(CONFIG.evaluation),
        clip_stride=CONFIG.media.clip_stride,
        seed=seed,
        version=1,
    shell:
        """
        python -P -m l2l evaluate_scsampler \
            --teacher {input.teacher:q} \
            --descriptors {params.descriptors:q} \
            --saliency {input.saliency:q} \
            --videos {input.videos:q} \
            --student {input.student:q} \
            --skimmer {input.skimmer:q} \
            --features {params.features:q} \
            --table {output.table:q} \
            --clips {output.clips:q} \
            --config {params.config:q} \
            --evaluation {params.evaluation:q} \
            --clip-stride {params.clip_stride} \
            --seed {params.seed} \
            --threads {threads} 2>{log:q}
        """


rule scsampler:
    """SCSampler's four tables for one run."""
    input:
        f"results/{CONFIG.run}/evaluation/scsampler.tsv",
    localrule: True
