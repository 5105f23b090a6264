# in:  results/{run}/manifest/{dataset}/{shard}.tsv and the video files it names
#      results/{run}/media/{dataset}/{shard}.h5    which videos are usable, their length, the crop
# out: results/{run}/motion/{dataset}/{shard}.h5   displacement (pictures, 2, rows, columns) int8,
#                                                  half pixels; residual (pictures, 3, rows,
#                                                  columns) int8, half levels; gop_position
#                                                  (pictures,) uint8
#
# Only the target scsampler asks for it.


rule extract_motion:
    """How each 16 x 16 pixels of a shard's videos moved, as MPEG-4 codes them."""
    input:
        manifest=ancient("results/{run}/manifest/{dataset}/{shard}.tsv"),  # see manifest.smk
        media="results/{run}/media/{dataset}/{shard}.h5",
    output:
        motion="results/{run}/motion/{dataset}/{shard}.h5",
    log:
        "logs/{run}/extract_motion/{dataset}/{shard}.log",
    benchmark:
        "benchmarks/results/{run}/extract_motion/{dataset}/{shard}.tsv"
    priority: trained_on_first
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(2000),
        runtime=escalating_minutes(480),
    params:
        config=section(CONFIG.motion),
        version=2,
    shell:
        """
        python -P -m l2l extract_motion \
            --manifest {input.manifest:q} \
            --media {input.media:q} \
            --motion {output.motion:q} \
            --config {params.config:q} 2>{log:q}
        """
