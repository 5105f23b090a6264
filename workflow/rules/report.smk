# in:  a run's tables and scores, the target's pictures and sound, the source's media, the status of
#      every file
# out: results/{run}/report.html          one self-contained page
#      results/{run}/figures/<table>.svg  its plots


rule write_report:
    """The page for people: tables, plots, film strips and the status of every file."""
    input:
        tables=expand("results/{{run}}/evaluation/{table}.tsv", table=[t.name for t in TABLES]),
        videos=f"results/{{run}}/media/{CONFIG.target}/videos.tsv",
        source_videos=f"results/{{run}}/media/{CONFIG.source}/videos.tsv",
        media=shard_files("media", CONFIG.target, parts=["test"]),
        mels=shard_files("mels", CONFIG.target, parts=["test"]),
        source_media=shard_files("media", CONFIG.source),
        scores="results/{run}/evaluation/scores.h5",
    output:
        report=in_snakemakes_report("results/{run}/report.html", "The page", "the whole report"),
        figures=[
            in_snakemakes_report(f"results/{{run}}/figures/{table.name}.svg", table.title, "plot")
            for table in PLOTTED
        ],
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
        media=shard_ranges("media", CONFIG.target, parts=["test"]),
        mels=shard_ranges("mels", CONFIG.target, parts=["test"]),
        source_media=shard_ranges("media", CONFIG.source),
        figures=lambda wildcards, output: os.path.dirname(output.figures[0]),
        config=section(CONFIG.report),
        settings=section(CONFIG.of_chain, (*SCSAMPLER_SECTIONS, "apply")),
        version=8,
    shell:
        """
        python -P -m l2l write_report \
            --tables {input.tables:q} \
            --videos {input.videos:q} \
            --source-videos {input.source_videos:q} \
            --media {params.media:q} \
            --mels {params.mels:q} \
            --source-media {params.source_media:q} \
            --scores {input.scores:q} \
            --figures {params.figures:q} \
            --report {output.report:q} \
            --config {params.config:q} \
            --settings {params.settings:q} 2>{log:q}
        """
