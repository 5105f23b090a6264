# in:  results/{run}/media/{dataset}/{shard}.h5   int16 sound at 16 kHz
# out: results/{run}/mels/{dataset}/{shard}.h5    mel (moments, 101 windows, 40 bands) float16,
#                                                 ln(power); has_sound


rule compute_mels:
    """The log-mel spectrogram of each moment's second."""
    input:
        media="results/{run}/media/{dataset}/{shard}.h5",
    output:
        mels="results/{run}/mels/{dataset}/{shard}.h5",
    log:
        "logs/{run}/compute_mels/{dataset}/{shard}.log",
    benchmark:
        "benchmarks/results/{run}/compute_mels/{dataset}/{shard}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(4000),
        runtime=escalating_minutes(60),
    params:
        config=section(CONFIG.mels),
        version=2,
    shell:
        """
        python -P -m l2l compute_mels \
            --media {input.media:q} \
            --mels {output.mels:q} \
            --config {params.config:q} \
            --threads {threads} 2>{log:q}
        """
