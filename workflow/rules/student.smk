# in:  a data set's media (first frames), mels, and the teacher's descriptors and scores of the
#      source
# out: results/{run}/student/distilled/{modalities}.pt            imitates the teacher on the source
#      results/{run}/student/finetuned/{modalities}-{origin}.pt   trained on the target's labels,
#                                                                 from there or from nothing


rule distil_student:
    """Distil a student from the teacher's descriptors (paper, section 3.2)."""
    input:
        # what it reads of it are these shards' rows
        videos=ancient(training_table(CONFIG.source)),
        media=shard_files("media", CONFIG.source, parts=["train_val"]),
        mels=shard_files("mels", CONFIG.source, parts=["train_val"]),
        descriptors=shard_files("teacher", CONFIG.source, parts=["train_val"]),
        weights=student_weights,
    output:
        student="results/{run}/student/distilled/{modalities}.pt",
    log:
        "logs/{run}/distil_student/{modalities}.log",
    benchmark:
        "benchmarks/results/{run}/distil_student/{modalities}.tsv"
    priority: main_student_first
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(8000),
        runtime=escalating_minutes(2880),
        gpu=gpus,
    params:
        media=shard_ranges("media", CONFIG.source, parts=["train_val"]),
        mels=shard_ranges("mels", CONFIG.source, parts=["train_val"]),
        descriptors=shard_ranges("teacher", CONFIG.source, parts=["train_val"]),
        modalities=modality_names,
        config=section(CONFIG.student),
        seed=seed,
        python=launcher,
        acceleration=section(CONFIG.acceleration),
        version=1,
    shell:
        """
        {params.python} -m l2l distil_student \
            --videos {input.videos:q} \
            --media {params.media:q} \
            --mels {params.mels:q} \
            --descriptors {params.descriptors:q} \
            --student {output.student:q} \
            --modalities {params.modalities:q} \
            --config {params.config:q} \
            --seed {params.seed} \
            --acceleration {params.acceleration:q} \
            --threads {threads} 2>{log:q}
        """


rule finetune_student:
    """Train a student on the target's labelled moments."""
    input:
        videos=ancient(training_table(CONFIG.target)),
        media=shard_files("media", CONFIG.target, parts=["train_val"]),
        mels=shard_files("mels", CONFIG.target, parts=["train_val"]),
        distilled=distilled_student,
        weights=student_weights,
    output:
        student="results/{run}/student/finetuned/{modalities}-{origin}.pt",
    log:
        "logs/{run}/finetune_student/{modalities}-{origin}.log",
    benchmark:
        "benchmarks/results/{run}/finetune_student/{modalities}-{origin}.tsv"
    priority: main_student_first
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(8000),
        runtime=escalating_minutes(1440),
        gpu=gpus,
    params:
        distilled=lambda wildcards, input: (
            f"--distilled {input.distilled}" if input.distilled else ""
        ),
        media=shard_ranges("media", CONFIG.target, parts=["train_val"]),
        mels=shard_ranges("mels", CONFIG.target, parts=["train_val"]),
        classes=classes_of(CONFIG.target),
        modalities=modality_names,
        config=section(CONFIG.student),
        seed=seed,
        python=launcher,
        acceleration=section(CONFIG.acceleration),
        version=1,
    shell:
        """
        {params.python} -m l2l finetune_student {params.distilled} \
            --videos {input.videos:q} \
            --media {params.media:q} \
            --mels {params.mels:q} \
            --student {output.student:q} \
            --modalities {params.modalities:q} \
            --config {params.config:q} \
            --seed {params.seed} \
            --acceleration {params.acceleration:q} \
            --threads {threads} 2>{log:q}
        """
