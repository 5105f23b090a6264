# in:  results/{run}/features/{target}/   features of every moment; the fine-tuned student, whose
#                                         Psi and classifier it starts from
#      for variants that read them, the teacher's descriptors of every moment
# out: results/{run}/skimmer/{model}.pt   ImgAud-Skimming; the LSTM and the non-recurrent baseline;
#                                         the skimmer's variants


rule train_skimmer:
    """Train what turns a video's features into an answer."""
    input:
        student=MAIN_STUDENT_FILE,
        # what it reads of both are these shards' videos
        videos=ancient(training_table(CONFIG.target)),
        features=ancient(f"results/{{run}}/features/{CONFIG.target}/zarr.json"),
        shards=shard_files("features", CONFIG.target, suffix=ZARR_MARK, parts=["train_val"]),
        descriptors=descriptors_to_fit_on,
    output:
        skimmer="results/{run}/skimmer/{model}.pt",
    log:
        "logs/{run}/train_skimmer/{model}.log",
    benchmark:
        "benchmarks/results/{run}/train_skimmer/{model}.tsv"
    wildcard_constraints:
        model="|".join(dict.fromkeys([*NETWORKS_OF_METHODS, *VARIANTS])),
    priority: lambda wildcards: 7 if wildcards.model in TRAINED_NETWORKS else 0
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(8000),
        runtime=escalating_minutes(720),
        gpu=gpus,
    params:
        features=lambda wildcards, input: os.path.dirname(input.features),
        config=skimmer_section,
        model=model_options,
        seed=seed,
        python=launcher,
        version=2,
    shell:
        """
        {params.python} -m l2l train_skimmer {params.model} \
            --student {input.student:q} \
            --videos {input.videos:q} \
            --features {params.features:q} \
            --skimmer {output.skimmer:q} \
            --config {params.config:q} \
            --seed {params.seed} \
            --threads {threads} 2>{log:q}
        """
