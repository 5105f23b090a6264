# in:  the target's test videos: features, student, skimmers; teacher's descriptors of labelled
#      moments
# out: results/{run}/evaluation/table1.tsv       method, top1 (%), map (%), gmacs_per_video,
#                                                moments, index_gmacs_per_video, intervals
#      results/{run}/evaluation/classes.tsv      ours and uniform on each class
#      results/{run}/evaluation/predictions.tsv  what each method says of each video
#      results/{run}/evaluation/selections.tsv   the moments ours selects, step by step
#      results/{run}/evaluation/tradeoff.tsv     ours by factor and steps: top1 (%), map (%),
#                                                gmacs_per_video, moments
#      results/{run}/evaluation/frontier.tsv     map (%) against gmacs_per_video: this run's points
#                                                and published ones
#      results/{run}/evaluation/ablations.tsv    the supplement's G.1 to G.3, with what the paper
#                                                prints
#      results/{run}/evaluation/recognition.tsv  recognition features by indexing features, with
#                                                published points
#      results/{run}/evaluation/clips.tsv        model, modalities, distilled, top1 (%),
#                                                gmacs_per_clip, interval
#      results/{run}/evaluation/audio_helps.tsv  the source's test clips by how much nearer sound
#                                                brings the student to the teacher


rule evaluate_videos:
    """Every method of the paper's Table 1 on the target's test videos."""
    input:
        student=MAIN_STUDENT_FILE,
        skimmer="results/{run}/skimmer/skimmer.pt",
        lstm="results/{run}/skimmer/lstm.pt",
        non_recurrent="results/{run}/skimmer/non_recurrent.pt",
        videos=f"results/{{run}}/media/{CONFIG.target}/videos.tsv",
        features=f"results/{{run}}/features/{CONFIG.target}/zarr.json",
        shards=shard_files("features", CONFIG.target, suffix=ZARR_MARK),
    output:
        table="results/{run}/evaluation/table1.tsv",
        classes="results/{run}/evaluation/classes.tsv",
        predictions="results/{run}/evaluation/predictions.tsv",
        selections="results/{run}/evaluation/selections.tsv",
    log:
        "logs/{run}/evaluate_videos.log",
    benchmark:
        "benchmarks/results/{run}/evaluate_videos.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(8000),
        runtime=escalating_minutes(240),
    params:
        features=lambda wildcards, input: os.path.dirname(input.features),
        config=as_json(CONFIG.evaluation),
        seed=seed,
        version=3,
    shell:
        """
        python -P -m l2l evaluate_videos \
            --student {input.student:q} \
            --skimmer {input.skimmer:q} \
            --lstm {input.lstm:q} \
            --non-recurrent {input.non_recurrent:q} \
            --videos {input.videos:q} \
            --features {params.features:q} \
            --table {output.table:q} \
            --classes {output.classes:q} \
            --predictions {output.predictions:q} \
            --selections {output.selections:q} \
            --config {params.config:q} \
            --seed {params.seed} \
            --threads {threads} 2>{log:q}
        """


rule evaluate_tradeoff:
    """Ours at every factor and step (Figs. 6 and 11), and its cost beside others' (Fig. 7)."""
    input:
        student=MAIN_STUDENT_FILE,
        skimmer="results/{run}/skimmer/skimmer.pt",
        videos=f"results/{{run}}/media/{CONFIG.target}/videos.tsv",
        features=f"results/{{run}}/features/{CONFIG.target}/zarr.json",
        shards=shard_files("features", CONFIG.target, suffix=ZARR_MARK),
        table1="results/{run}/evaluation/table1.tsv",
    output:
        tradeoff="results/{run}/evaluation/tradeoff.tsv",
        frontier="results/{run}/evaluation/frontier.tsv",
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
        dataset=CONFIG.target,
        version=2,
    shell:
        """
        python -P -m l2l evaluate_tradeoff \
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
        table="results/{run}/evaluation/clips.tsv",
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
        seed=seed,
        descriptors=spans("teacher", CONFIG.target),
        media=spans("media", CONFIG.target),
        mels=spans("mels", CONFIG.target),
        version=3,
    shell:
        """
        python -P -m l2l evaluate_clips \
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
    """Where sound helps: the distilled students' descriptors beside the teacher's, clip by clip of
    the source.
    """
    input:
        image="results/{run}/student/distilled/image.pt",
        image_audio="results/{run}/student/distilled/image-audio.pt",
        descriptors=shard_files("teacher", CONFIG.source),
        videos=f"results/{{run}}/media/{CONFIG.source}/videos.tsv",
        media=shard_files("media", CONFIG.source),
        mels=shard_files("mels", CONFIG.source),
    output:
        table="results/{run}/evaluation/audio_helps.tsv",
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
        descriptors=spans("teacher", CONFIG.source),
        media=spans("media", CONFIG.source),
        mels=spans("mels", CONFIG.source),
        version=1,
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
    """The skimmer and its variants side by side."""
    input:
        student=MAIN_STUDENT_FILE,
        skimmers=expand("results/{{run}}/skimmer/{model}.pt", model=["skimmer", *CONFIG.compared]),
        videos=f"results/{{run}}/media/{CONFIG.target}/videos.tsv",
        features=f"results/{{run}}/features/{CONFIG.target}/zarr.json",
        shards=shard_files("features", CONFIG.target, suffix=ZARR_MARK),
        teacher=["results/{run}/teacher/teacher.pt"] if READS_TEACHER else [],
        descriptors=shard_files("teacher", CONFIG.target) if READS_TEACHER else [],
    output:
        ablations="results/{run}/evaluation/ablations.tsv",
        recognition="results/{run}/evaluation/recognition.tsv",
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
        version=3,
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
