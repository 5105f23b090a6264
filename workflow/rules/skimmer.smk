# in:  results/{run}/features/{target}/   features of every moment; the fine-tuned student, whose Psi and classifier it starts from
# out: results/{run}/skimmer/{model}.pt   ImgAud-Skimming; the LSTM and the non-recurrent baseline

SKIMMERS = ("skimmer", "lstm", "non_recurrent")


rule fit_skimmer:
    """Train what turns a video's features into an answer."""
    input:
        student=MAIN_STUDENT_FILE,
        videos=f"results/{{run}}/media/{CONFIG.target}/videos.tsv",
        features=f"results/{{run}}/features/{CONFIG.target}/zarr.json",
        shards=shard_files("features", CONFIG.target, suffix=ZARR_MARK),
    output:
        skimmer="results/{run}/skimmer/{model}.pt",
    log:
        "logs/{run}/fit_skimmer/{model}.log",
    benchmark:
        "benchmarks/results/{run}/fit_skimmer/{model}.tsv"
    wildcard_constraints:
        model="|".join(SKIMMERS),
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=grown(8000),
        runtime=grown(720),
        gpu=gpus,
    params:
        features=lambda wildcards, input: os.path.dirname(input.features),
        config=as_json(CONFIG.skimmer),
        seed=seed,
        version=1,
    shell:
        """
        python -m l2l fit_skimmer \
            --student {input.student:q} \
            --videos {input.videos:q} \
            --features {params.features:q} \
            --skimmer {output.skimmer:q} \
            --config {params.config:q} \
            --model {wildcards.model} \
            --seed {params.seed} \
            --threads {threads} 2>{log:q}
        """
