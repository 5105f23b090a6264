# SCSampler, a branch that a plain run does not make: `snakemake --cores N scsampler`.
# in:  the target's motion, media (frames) and mels; what the teacher says of every moment
# out: results/{run}/sampler/clips/{shard}.h5        the teacher's descriptors and scores of every
#                                                    moment, where the chain has only the labelled
#      results/{run}/sampler/{network}.pt            one network: input, objective, trunk; or
#                                                    joint.pt, all trained together
#      results/{run}/sampler/saliency/{shard}.h5     what each says of every clip of test videos
#      results/{run}/evaluation/scsampler.tsv        the tables; rows are those of
#                                                    l2l/sampler/rows.py
#      results/{run}/evaluation/scsampler_clips.tsv  the chosen clips
#      results/{run}/scsampler.html                  one self-contained page


rule describe_all_clips:
    """The teacher's descriptor and class scores of every clip of a shard of the target."""
    input:
        manifest=ancient(f"results/{{run}}/manifest/{CONFIG.target}/{{shard}}.tsv"),
        media=f"results/{{run}}/media/{CONFIG.target}/{{shard}}.h5",
        teacher="results/{run}/teacher/teacher.pt",
        mels=mels_for_teacher,
    output:
        descriptors="results/{run}/sampler/clips/{shard}.h5",
    log:
        "logs/{run}/describe_all_clips/{shard}.log",
    benchmark:
        "benchmarks/results/{run}/describe_all_clips/{shard}.tsv"
    priority: trained_on_first
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(8000),
        runtime=escalating_minutes(720),
        gpu=gpus,
    params:
        mels=mels_option,
        config=section(CONFIG.teacher, without=FINETUNING),
        version=2,
    shell:
        """
        python -P -m l2l extract_descriptors {params.mels} \
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
    priority: longest_training_first
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
        version=2,
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
        trained=expand("results/{{run}}/skimmer/{model}.pt", model=CHOOSING_NETWORKS),
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
        config=section(SAMPLER_EVALUATION),
        evaluation=section(CONFIG.evaluation),
        clip_stride=CONFIG.media.clip_stride,
        seed=seed,
        version=3,
    shell:
        """
        python -P -m l2l evaluate_scsampler \
            --teacher {input.teacher:q} \
            --descriptors {params.descriptors:q} \
            --saliency {input.saliency:q} \
            --videos {input.videos:q} \
            --student {input.student:q} \
            --trained {input.trained:q} \
            --features {params.features:q} \
            --table {output.table:q} \
            --clips {output.clips:q} \
            --config {params.config:q} \
            --evaluation {params.evaluation:q} \
            --clip-stride {params.clip_stride} \
            --seed {params.seed} \
            --threads {threads} 2>{log:q}
        """


rule write_scsampler_report:
    """The page of the branch: tables, plot, film strips and the poster's relations."""
    input:
        table="results/{run}/evaluation/scsampler.tsv",
        clips="results/{run}/evaluation/scsampler_clips.tsv",
        table1="results/{run}/evaluation/table1.tsv",
        videos=f"results/{{run}}/media/{CONFIG.target}/videos.tsv",
        media=shard_files("media", CONFIG.target, parts=["test"]),
    output:
        report="results/{run}/scsampler.html",
    log:
        "logs/{run}/write_scsampler_report.log",
    benchmark:
        "benchmarks/results/{run}/write_scsampler_report.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(2000),
        runtime=escalating_minutes(30),
    params:
        media=shard_ranges("media", CONFIG.target, parts=["test"]),
        config=section(CONFIG.report),
        version=2,
    shell:
        """
        python -P -m l2l write_scsampler_report \
            --table {input.table:q} \
            --clips {input.clips:q} \
            --table1 {input.table1:q} \
            --videos {input.videos:q} \
            --media {params.media:q} \
            --report {output.report:q} \
            --config {params.config:q} \
            --run {wildcards.run} 2>{log:q}
        """


rule scsampler:
    """SCSampler's four tables and their page, for one run."""
    input:
        f"results/{CONFIG.run}/evaluation/scsampler.tsv",
        f"results/{CONFIG.run}/scsampler.html",
    localrule: True
