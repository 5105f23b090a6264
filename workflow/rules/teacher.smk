# in:  results/{run}/media/{dataset}/{shard}.h5     clips (16, 112, 112, 3) uint8, or the video
#                                                   files where clips are not stored
# out: results/{run}/teacher/teacher.pt             R(2+1)D, or another network, with its classes
#      results/{run}/teacher/{dataset}/{shard}.h5   descriptor (clips, 512; by network) and score
#                                                   (clips, classes), float16, of the
#                                                   source's every moment and of the target's
#                                                   moments inside labelled segments
#      results/{run}/teacher/finetuned.pt           with teacher.finetune: a copy, fine-tuned as a
#                                                   whole on the target; only evaluate_clips reads
#                                                   it

FINETUNING = {"finetune"}  # what only finetune_teacher reads


if CONFIG.teacher.network == "frames":

    rule fit_frame_teacher:
        """Take a frame teacher's networks from their weights, and fit its classifier."""
        input:
            # what it reads of it are these shards' rows
            videos=ancient(training_table(CONFIG.source)),
            media=shard_files("media", CONFIG.source, parts=["train_val"]),
            mels=shard_files("mels", CONFIG.source, parts=["train_val"]),
            weights=teacher_weights,
        output:
            teacher="results/{run}/teacher/teacher.pt",
        log:
            "logs/{run}/fit_frame_teacher.log",
        benchmark:
            "benchmarks/results/{run}/fit_frame_teacher.tsv"
        priority: 10
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            mem_mb=escalating_memory(8000),
            runtime=escalating_minutes(240),
            gpu=gpus,
        params:
            media=shard_ranges("media", CONFIG.source, parts=["train_val"]),
            mels=shard_ranges("mels", CONFIG.source, parts=["train_val"]),
            classes=classes_of(CONFIG.source),
            config=section(CONFIG.teacher, without=FINETUNING),
            version=1,
        shell:
            """
            python -P -m l2l fit_frame_teacher \
                --videos {input.videos:q} \
                --media {params.media:q} \
                --mels {params.mels:q} \
                --teacher {output.teacher:q} \
                --config {params.config:q} \
                --threads {threads} 2>{log:q}
            """

elif CONFIG.teacher.weights == "train":

    rule train_teacher:
        """Train the teacher on the source's labelled clips."""
        input:
            # what it reads of it are these shards' rows
            videos=ancient(training_table(CONFIG.source)),
            media=shard_files("media", CONFIG.source, parts=["train_val"]),
        output:
            teacher="results/{run}/teacher/teacher.pt",
        log:
            "logs/{run}/train_teacher.log",
        benchmark:
            "benchmarks/results/{run}/train_teacher.tsv"
        priority: 10
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            mem_mb=escalating_memory(8000),
            runtime=escalating_minutes(2880),
            gpu=gpus,
        params:
            media=shard_ranges("media", CONFIG.source, parts=["train_val"]),
            classes=classes_of(CONFIG.source),
            config=section(CONFIG.teacher, without=FINETUNING),
            seed=seed,
            python=launcher,
            acceleration=section(CONFIG.acceleration),
            version=1,
        shell:
            """
            {params.python} -m l2l train_teacher \
                --videos {input.videos:q} \
                --media {params.media:q} \
                --teacher {output.teacher:q} \
                --config {params.config:q} \
                --seed {params.seed} \
                --acceleration {params.acceleration:q} \
                --threads {threads} 2>{log:q}
            """

else:

    rule load_teacher:
        """Take the teacher from torchvision's weights or a local file."""
        input:
            weights=config_files(CONFIG.teacher.weights_files),
        output:
            teacher="results/{run}/teacher/teacher.pt",
        log:
            "logs/{run}/load_teacher.log",
        benchmark:
            "benchmarks/results/{run}/load_teacher.tsv"
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            mem_mb=escalating_memory(2000),
            runtime=escalating_minutes(60),
        params:
            config=section(CONFIG.teacher, without=FINETUNING),
            media_config=section(CONFIG.media),
            version=1,
        shell:
            """
            python -P -m l2l load_teacher \
                --teacher {output.teacher:q} \
                --config {params.config:q} \
                --media-config {params.media_config:q} 2>{log:q}
            """


rule extract_descriptors:
    """The teacher's descriptor and class scores of a shard's clips."""
    input:
        manifest=ancient("results/{run}/manifest/{dataset}/{shard}.tsv"),
        media="results/{run}/media/{dataset}/{shard}.h5",
        teacher="results/{run}/teacher/teacher.pt",
        mels=mels_for_teacher,
    output:
        descriptors="results/{run}/teacher/{dataset}/{shard}.h5",
    log:
        "logs/{run}/extract_descriptors/{dataset}/{shard}.log",
    benchmark:
        "benchmarks/results/{run}/extract_descriptors/{dataset}/{shard}.tsv"
    priority: source_first
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(8000),
        runtime=escalating_minutes(720),
        gpu=gpus,
    params:
        mels=mels_option,
        part=described_part,
        config=section(CONFIG.teacher, without=FINETUNING),
        acceleration=section(CONFIG.acceleration),
        version=3,
    shell:
        """
        python -P -m l2l extract_descriptors {params.mels} \
            --manifest {input.manifest:q} \
            --media {input.media:q} \
            --teacher {input.teacher:q} \
            --descriptors {output.descriptors:q} \
            --part {params.part} \
            --config {params.config:q} \
            --acceleration {params.acceleration:q} \
            --threads {threads} 2>{log:q}
        """


if CONFIG.teacher.finetune:

    rule finetune_teacher:
        """Fine-tune a copy of the teacher, all of it, on the target's labelled clips."""
        input:
            teacher="results/{run}/teacher/teacher.pt",
            # what it reads of it are these shards' rows
            videos=ancient(training_table(CONFIG.target)),
            media=shard_files("media", CONFIG.target, parts=["train_val"]),
        output:
            finetuned="results/{run}/teacher/finetuned.pt",
        log:
            "logs/{run}/finetune_teacher.log",
        benchmark:
            "benchmarks/results/{run}/finetune_teacher.tsv"
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            mem_mb=escalating_memory(8000),
            runtime=escalating_minutes(2880),
            gpu=gpus,
        params:
            media=shard_ranges("media", CONFIG.target, parts=["train_val"]),
            classes=classes_of(CONFIG.target),
            config=section(CONFIG.teacher),
            seed=seed,
            python=launcher,
            acceleration=section(CONFIG.acceleration),
            version=1,
        shell:
            """
            {params.python} -m l2l finetune_teacher \
                --teacher {input.teacher:q} \
                --videos {input.videos:q} \
                --media {params.media:q} \
                --finetuned {output.finetuned:q} \
                --config {params.config:q} \
                --seed {params.seed} \
                --acceleration {params.acceleration:q} \
                --threads {threads} 2>{log:q}
            """
