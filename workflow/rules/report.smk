# in:  a run's tables, the target's pictures and every file's state
# out: results/{run}/report.html   one self-contained page


rule write_report:
    """The page for people."""
    input:
        table1="results/{run}/evaluation/table1.tsv",
        clips="results/{run}/evaluation/clips.tsv",
        predictions="results/{run}/evaluation/predictions.tsv",
        selections="results/{run}/evaluation/selections.tsv",
        tradeoff="results/{run}/evaluation/tradeoff.tsv",
        frontier="results/{run}/evaluation/frontier.tsv",
        recognition="results/{run}/evaluation/recognition.tsv",
        ablations="results/{run}/evaluation/ablations.tsv",
        classes="results/{run}/evaluation/classes.tsv",
        audio_helps="results/{run}/evaluation/audio_helps.tsv",
        videos=f"results/{{run}}/media/{CONFIG.target}/videos.tsv",
        source_videos=f"results/{{run}}/media/{CONFIG.source}/videos.tsv",
        media=shard_files("media", CONFIG.target, parts=["test"]),
    output:
        report="results/{run}/report.html",
    log:
        "logs/{run}/write_report.log",
    benchmark:
        "benchmarks/results/{run}/write_report.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(2000),
        runtime=escalating_minutes(30),
    params:
        media=spans("media", CONFIG.target, parts=["test"]),
        config=as_json(CONFIG.report),
        settings=as_json(CONFIG),
        version=3,
    shell:
        """
        python -P -m l2l write_report \
            --table1 {input.table1:q} \
            --clips {input.clips:q} \
            --predictions {input.predictions:q} \
            --selections {input.selections:q} \
            --tradeoff {input.tradeoff:q} \
            --frontier {input.frontier:q} \
            --recognition {input.recognition:q} \
            --ablations {input.ablations:q} \
            --classes {input.classes:q} \
            --audio-helps {input.audio_helps:q} \
            --videos {input.videos:q} \
            --source-videos {input.source_videos:q} \
            --media {params.media:q} \
            --report {output.report:q} \
            --config {params.config:q} \
            --settings {params.settings:q} 2>{log:q}
        """
