# in:  the target's test videos: features, student, trained networks; the teacher's descriptors of
#      labelled moments
# out: results/{run}/evaluation/<name>.tsv   the tables of l2l/evaluation/artifact.py; TABLES there
#                                            has their columns, units and captions
#      results/{run}/evaluation/scores.h5    each method's probability of each class for each test
#                                            video, and the skimmer's attention over all moments
# The methods of Table 1 are those of l2l/evaluation/videos/methods.py.


rule evaluate_videos:
    """Every method of Table 1 on the target's test videos."""
    input:
        student=MAIN_STUDENT_FILE,
        trained=expand("results/{{run}}/skimmer/{model}.pt", model=TRAINED_NETWORKS),
        videos=f"results/{{run}}/media/{CONFIG.target}/videos.tsv",
        media=shard_files("media", CONFIG.target, parts=["test"]),
        features=f"results/{{run}}/features/{CONFIG.target}/zarr.json",
        shards=shard_files("features", CONFIG.target, suffix=ZARR_MARK),
    output:
        table=evaluation_table("table1"),
        classes=evaluation_table("classes"),
        predictions=evaluation_table("predictions"),
        scores="results/{run}/evaluation/scores.h5",
        selections=evaluation_table("selections"),
        picks=evaluation_table("picks"),
        selection=evaluation_table("selection"),
    log:
        "logs/{run}/evaluate_videos.log",
    benchmark:
        "benchmarks/results/{run}/evaluate_videos.tsv"
    priority: 7
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(8000),
        runtime=escalating_minutes(240),
    params:
        media=shard_ranges("media", CONFIG.target, parts=["test"]),
        features=lambda wildcards, input: os.path.dirname(input.features),
        config=TABLE1_SECTION,
        seed=seed,
        version=8,
    shell:
        """
        python -P -m l2l evaluate_videos \
            --student {input.student:q} \
            --trained {input.trained:q} \
            --videos {input.videos:q} \
            --media {params.media:q} \
            --features {params.features:q} \
            --table {output.table:q} \
            --classes {output.classes:q} \
            --predictions {output.predictions:q} \
            --scores {output.scores:q} \
            --selections {output.selections:q} \
            --picks {output.picks:q} \
            --selection {output.selection:q} \
            --config {params.config:q} \
            --seed {params.seed} \
            --threads {threads} 2>{log:q}
        """


rule evaluate_tradeoff:
    """The skimmer at every factor and step (Figs. 6 and 11), and published costs (Fig. 7)."""
    input:
        student=MAIN_STUDENT_FILE,
        skimmer="results/{run}/skimmer/skimmer.pt",
        one_look=ONE_LOOK,
        videos=f"results/{{run}}/media/{CONFIG.target}/videos.tsv",
        features=f"results/{{run}}/features/{CONFIG.target}/zarr.json",
        shards=shard_files("features", CONFIG.target, suffix=ZARR_MARK),
        table1="results/{run}/evaluation/table1.tsv",
    output:
        tradeoff=evaluation_table("tradeoff"),
        frontier=evaluation_table("frontier"),
    log:
        "logs/{run}/evaluate_tradeoff.log",
    benchmark:
        "benchmarks/results/{run}/evaluate_tradeoff.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(8000),
        runtime=escalating_minutes(240),
    params:
        features=lambda wildcards, input: os.path.dirname(input.features),
        one_look=one_look_option,
        dataset=CONFIG.target,
        version=3,
    shell:
        """
        python -P -m l2l evaluate_tradeoff {params.one_look} \
            --student {input.student:q} \
            --skimmer {input.skimmer:q} \
            --videos {input.videos:q} \
            --features {params.features:q} \
            --table1 {input.table1:q} \
            --dataset {params.dataset:q} \
            --tradeoff {output.tradeoff:q} \
            --frontier {output.frontier:q} \
            --threads {threads} 2>{log:q}
        """


rule evaluate_clips:
    """The clip-level table: the teacher, and students of each modality, distilled and not."""
    input:
        teacher="results/{run}/teacher/teacher.pt",
        finetuned=["results/{run}/teacher/finetuned.pt"] if CONFIG.teacher.finetune else [],
        descriptors=shard_files("teacher", CONFIG.target),
        students=expand(
            "results/{{run}}/student/finetuned/{modalities}-{origin}.pt",
            modalities=STUDENTS,
            origin=ORIGINS,
        ),
        videos=f"results/{{run}}/media/{CONFIG.target}/videos.tsv",
        media=shard_files("media", CONFIG.target),
        mels=shard_files("mels", CONFIG.target),
    output:
        table=evaluation_table("clips"),
    log:
        "logs/{run}/evaluate_clips.log",
    benchmark:
        "benchmarks/results/{run}/evaluate_clips.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(8000),
        runtime=escalating_minutes(240),
        gpu=gpus,
    params:
        finetuned=finetuned_option,
        seed=seed,
        descriptors=shard_ranges("teacher", CONFIG.target),
        media=shard_ranges("media", CONFIG.target),
        mels=shard_ranges("mels", CONFIG.target),
        version=3,
    shell:
        """
        python -P -m l2l evaluate_clips {params.finetuned} \
            --teacher {input.teacher:q} \
            --descriptors {params.descriptors:q} \
            --students {input.students:q} \
            --videos {input.videos:q} \
            --media {params.media:q} \
            --mels {params.mels:q} \
            --table {output.table:q} \
            --seed {params.seed} \
            --threads {threads} 2>{log:q}
        """


rule evaluate_audio:
    """Where sound helps: distances of the distilled students' descriptors to the teacher's, for
    each clip of the source.
    """
    input:
        image="results/{run}/student/distilled/image.pt",
        image_audio="results/{run}/student/distilled/image-audio.pt",
        descriptors=shard_files("teacher", CONFIG.source),
        videos=f"results/{{run}}/media/{CONFIG.source}/videos.tsv",
        media=shard_files("media", CONFIG.source),
        mels=shard_files("mels", CONFIG.source),
    output:
        table=evaluation_table("audio_helps"),
    log:
        "logs/{run}/evaluate_audio.log",
    benchmark:
        "benchmarks/results/{run}/evaluate_audio.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(8000),
        runtime=escalating_minutes(240),
        gpu=gpus,
    params:
        descriptors=shard_ranges("teacher", CONFIG.source),
        media=shard_ranges("media", CONFIG.source),
        mels=shard_ranges("mels", CONFIG.source),
        version=2,
    shell:
        """
        python -P -m l2l evaluate_audio \
            --image {input.image:q} \
            --image-audio {input.image_audio:q} \
            --descriptors {params.descriptors:q} \
            --videos {input.videos:q} \
            --media {params.media:q} \
            --mels {params.mels:q} \
            --table {output.table:q} \
            --threads {threads} 2>{log:q}
        """


rule evaluate_variants:
    """The skimmer compared with its variants."""
    input:
        student=MAIN_STUDENT_FILE,
        skimmers=expand("results/{{run}}/skimmer/{model}.pt", model=["skimmer", *CONFIG.compared]),
        videos=f"results/{{run}}/media/{CONFIG.target}/videos.tsv",
        features=f"results/{{run}}/features/{CONFIG.target}/zarr.json",
        shards=shard_files("features", CONFIG.target, suffix=ZARR_MARK),
        teacher=["results/{run}/teacher/teacher.pt"] if READS_TEACHER else [],
        descriptors=shard_files("teacher", CONFIG.target) if READS_TEACHER else [],
    output:
        ablations=evaluation_table("ablations"),
        recognition=evaluation_table("recognition"),
    log:
        "logs/{run}/evaluate_variants.log",
    benchmark:
        "benchmarks/results/{run}/evaluate_variants.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(8000),
        runtime=escalating_minutes(240),
    params:
        features=lambda wildcards, input: os.path.dirname(input.features),
        teacher=teacher_options,
        version=5,
    shell:
        """
        python -P -m l2l evaluate_variants {params.teacher} \
            --student {input.student:q} \
            --skimmers {input.skimmers:q} \
            --videos {input.videos:q} \
            --features {params.features:q} \
            --ablations {output.ablations:q} \
            --recognition {output.recognition:q} \
            --threads {threads} 2>{log:q}
        """
