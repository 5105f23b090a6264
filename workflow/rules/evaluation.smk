# in:  the target's test videos: features, student, skimmers; teacher's descriptors of labelled moments
# out: results/{run}/evaluation/table1.tsv       method, top1 (%), map (%), gmacs_per_video, moments, index_gmacs_per_video
#      results/{run}/evaluation/predictions.tsv  what each method says of each video
#      results/{run}/evaluation/selections.tsv   the moments ours selects, step by step
#      results/{run}/evaluation/clips.tsv        model, modalities, distilled, top1 (%), gmacs_per_clip


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
        mem_mb=grown(8000),
        runtime=grown(240),
    params:
        features=lambda wildcards, input: os.path.dirname(input.features),
        config=as_json(CONFIG.evaluation),
        seed=seed,
        version=1,
    shell:
        """
        python -m l2l evaluate_videos \
            --student {input.student:q} \
            --skimmer {input.skimmer:q} \
            --lstm {input.lstm:q} \
            --non-recurrent {input.non_recurrent:q} \
            --videos {input.videos:q} \
            --features {params.features:q} \
            --table {output.table:q} \
            --predictions {output.predictions:q} \
            --selections {output.selections:q} \
            --config {params.config:q} \
            --seed {params.seed} \
            --threads {threads} 2>{log:q}
        """


rule evaluate_clips:
    """The clip-level table: the teacher, and students of each modality, distilled and not."""
    input:
        teacher="results/{run}/teacher/teacher.pt",
        descriptors=shard_files("teacher", CONFIG.target),
        students=expand("results/{{run}}/student/finetuned/{modalities}-{origin}.pt", modalities=STUDENTS, origin=ORIGINS),
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
        mem_mb=grown(8000),
        runtime=grown(240),
        gpu=gpus,
    params:
        version=1,
    shell:
        """
        python -m l2l evaluate_clips \
            --teacher {input.teacher:q} \
            --descriptors {input.descriptors:q} \
            --students {input.students:q} \
            --videos {input.videos:q} \
            --media {input.media:q} \
            --mels {input.mels:q} \
            --table {output.table:q} \
            --threads {threads} 2>{log:q}
        """
