# in:  results/{run}/manifest/{dataset}/{shard}.tsv and the video files it names
# out: results/{run}/media/{dataset}/{shard}.h5   pictures (JPEG or raw bytes, flat, with offsets),
#                                                 int16 sound at 16 kHz
#      results/{run}/media/{dataset}/videos.tsv   the manifest with every video's state after
#                                                 decoding


rule decode_videos:
    """Decode a shard's videos, pictures and sound in one pass each."""
    input:
        manifest=ancient("results/{run}/manifest/{dataset}/{shard}.tsv"),
        state="results/{run}/manifest/{dataset}/{shard}.fingerprint",
    output:
        media="results/{run}/media/{dataset}/{shard}.h5",
    log:
        "logs/{run}/decode_videos/{dataset}/{shard}.log",
    benchmark:
        "benchmarks/results/{run}/decode_videos/{dataset}/{shard}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(2000),
        runtime=escalating_minutes(240),
    params:
        config=as_json(CONFIG.media),
        role=lambda wildcards: CONFIG.videos[wildcards.dataset].role,
        version=2,
    shell:
        """
        python -m l2l decode_videos \
            --manifest {input.manifest:q} \
            --media {output.media:q} \
            --config {params.config:q} \
            --role {params.role} \
            --threads {threads} 2>{log:q}
        """


rule collect_statuses:
    """Write what became of every video, and stop where too many are unusable."""
    input:
        manifest="results/{run}/manifest/{dataset}/videos.tsv",
        media=media_of_dataset,
        leaks=ancient(leaks_checked),
    output:
        videos=update("results/{run}/media/{dataset}/videos.tsv"),
    log:
        "logs/{run}/collect_statuses/{dataset}.log",
    benchmark:
        "benchmarks/results/{run}/collect_statuses/{dataset}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(1000),
        runtime=escalating_minutes(30),
    params:
        media=spans("media"),
        config=as_json(CONFIG.manifest),
        version=1,
    shell:
        """
        python -m l2l collect_statuses \
            --manifest {input.manifest:q} \
            --media {params.media:q} \
            --videos {output.videos:q} \
            --config {params.config:q} 2>{log:q}
        """
