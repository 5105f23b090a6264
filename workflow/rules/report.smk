# in:  a run's tables, the target's pictures and the status of every file
# out: results/{run}/report.html   one self-contained page


rule write_report:
    """The page for people: tables, plots, film strips and the status of every file."""
    input:
        tables=expand("results/{{run}}/evaluation/{table}.tsv", table=[t.name for t in TABLES]),
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
        media=shard_ranges("media", CONFIG.target, parts=["test"]),
        config=section(CONFIG.report),
        settings=section(CONFIG.of_chain, (*SCSAMPLER_SECTIONS, "apply")),
        version=4,
    shell:
        """
        python -P -m l2l write_report \
            --tables {input.tables:q} \
            --videos {input.videos:q} \
            --source-videos {input.source_videos:q} \
            --media {params.media:q} \
            --report {output.report:q} \
            --config {params.config:q} \
            --settings {params.settings:q} 2>{log:q}
        """
