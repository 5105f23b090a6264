# in:  results/{run}/manifest/{dataset}/{shard}.tsv and the video files it names
# out: results/{run}/media/{dataset}/{shard}.h5            pictures (JPEG or raw bytes, flat, with
#                                                          offsets), int16 sound at 16 kHz
#      results/{run}/media/{dataset}/videos.tsv            the manifest with the status of each
#                                                          video after decoding
#      results/{run}/media/{dataset}/training/videos.tsv   a copy of it: what the trainings read


STATUSES_VERSION = 2  # raise it when the numbers of collect_statuses change


rule decode_videos:
    """Decode the pictures and the sound of a shard's videos, one pass per video."""
    input:
        manifest=ancient("results/{run}/manifest/{dataset}/{shard}.tsv"),  # see manifest.smk
        fingerprint="results/{run}/manifest/{dataset}/{shard}.fingerprint",
    output:
        media="results/{run}/media/{dataset}/{shard}.h5",
    log:
        "logs/{run}/decode_videos/{dataset}/{shard}.log",
    benchmark:
        "benchmarks/results/{run}/decode_videos/{dataset}/{shard}.tsv"
    priority: source_first
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(2000),
        runtime=escalating_minutes(240),
    params:
        config=section(CONFIG.media),
        role=role_for_media,
        version=7,
    shell:
        """
        python -P -m l2l decode_videos \
            --manifest {input.manifest:q} \
            --media {output.media:q} \
            --config {params.config:q} \
            --role {params.role} \
            --threads {threads} 2>{log:q}
        """


rule collect_statuses:
    """Write the status of each video after decoding; stop if too many are unusable."""
    input:
        manifest="results/{run}/manifest/{dataset}/videos.tsv",
        media=media_of_dataset,
        leaks=ancient(leaks_checked),
    output:
        videos="results/{run}/media/{dataset}/videos.tsv",
    log:
        "logs/{run}/collect_statuses/{dataset}.log",
    benchmark:
        "benchmarks/results/{run}/collect_statuses/{dataset}.tsv"
    priority: source_first
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(1000),
        runtime=escalating_minutes(30),
    params:
        media=shard_ranges("media"),
        config=section(CONFIG.manifest),
        version=STATUSES_VERSION,
    shell:
        """
        python -P -m l2l collect_statuses \
            --manifest {input.manifest:q} \
            --media {params.media:q} \
            --videos {output.videos:q} \
            --config {params.config:q} 2>{log:q}
        """


rule copy_training_table:
    """Copy the table of videos to where the trainings read it.

    They take it as `ancient`: the rows that a training uses are those of its shards, which are its
    other inputs. A failed collect_statuses leaves this copy alone, so no network is trained again.
    """
    input:
        videos="results/{run}/media/{dataset}/videos.tsv",
    output:
        videos="results/{run}/media/{dataset}/training/videos.tsv",
    log:
        "logs/{run}/copy_training_table/{dataset}.log",
    priority: source_first
    localrule: True
    conda:
        "../../environment.yml"
    shell:
        """
        rm -f {output.videos:q}.sha256
        cp {input.videos:q} {output.videos:q} 2>{log:q}
        if [ -e {input.videos:q}.sha256 ]; then
            cp {input.videos:q}.sha256 {output.videos:q}.sha256 2>>{log:q}
        fi
        """
