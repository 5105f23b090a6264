# What the rules of SCSampler are written with: which networks are trained, and on which files.

from l2l.sampler.rows import JOINT, joint_networks, joint_start, single_networks

SAMPLERS = [*single_networks(SAMPLER_ROWS), *joint_networks(SAMPLER_ROWS)]
# Of the section, what training and scoring read: another K trains nothing again.
SAMPLER_TRAINING = CONFIG.sampler.model_copy(
    update={"rows": None, "clips": 10, "seen": 8, "visual_weight": 0}
)
# The same, with the rows by name: which there are depends on what the run trains for Table 1.
SAMPLER_EVALUATION = CONFIG.sampler.model_copy(
    update={"rows": tuple(row.name for row in SAMPLER_ROWS)}
)
# The run's trained networks by whose weights rows choose.
CHOOSING_NETWORKS = list(dict.fromkeys(row.trained for row in SAMPLER_ROWS if row.trained)) or [
    "skimmer"  # the option takes at least one
]
ALL_MOMENTS_DESCRIBED = CONFIG.source == CONFIG.target or READS_TEACHER
DESCRIBED = f"teacher/{CONFIG.target}" if ALL_MOMENTS_DESCRIBED else "sampler/clips"


def clip_files(parts=PARTS):
    """What the teacher says of every moment of the target, one file per shard."""
    names = [name for part in parts for name in CONFIG.videos[CONFIG.target].shard_names(part)]
    return [f"results/{{run}}/{DESCRIBED}/{name}.h5" for name in names]


def clip_ranges(parts=PARTS):
    """The same as a command line takes them."""

    def of_job(wildcards):
        return [
            os.path.join(f"results/{wildcards.run}", DESCRIBED, os.path.basename(path))
            for path in shard_ranges("teacher", CONFIG.target, parts=parts)(wildcards)
        ]

    return of_job


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


def longest_training_first(wildcards):
    """Priority of a network's training: the joint one waits for some, those on sound take long."""
    network = wildcards.network
    if network == JOINT or network in joint_start():
        return 3
    return 2 if inputs_of_network(network) == {"audio"} else 0


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
