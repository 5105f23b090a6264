# in:  a data set's folder, lists and annotations
# out: results/{run}/manifest/{dataset}/videos.tsv         one row a video: split, labels, segments
#                                                          (s), declared facts, status
#      results/{run}/manifest/{dataset}/{shard}.tsv        the rows of one shard, by a stable hash
#                                                          of the video's id
#      results/{run}/manifest/{dataset}/{shard}.fingerprint
#                                                          a hash of what is listed of them, and of
#                                                          their files' versions
#      results/{run}/manifest/leaks.txt                    written once no test video of the target
#                                                          is a training video of the source
# When a video is added, removed or changed, list_videos writes the tables of all shards again. So
# rules that read them take them as `ancient`, and run again when the shard's fingerprint changes.
# Tables are `update`d, not deleted first: a missing one would redo its shard.
# One rule per data set, since each has its own number of shards and Snakemake needs the name of
# every shard's file; and per run, since Snakemake finds the rule of a file without wildcards at
# once, but compares a file with all rules that have wildcards: with 2,000 shards that is half of
# the time of a dry run.
for run, dataset in product(RUNS, CONFIG.videos):

    rule:
        name:
            f"list_videos_{dataset}" + run.removeprefix(CONFIG.run).replace("-", "_")
        input:
            folder=in_run(run, videos_folder(dataset)),
            annotations=config_files(CONFIG.videos[dataset].annotation_files),
        output:
            videos=update(f"results/{run}/manifest/{dataset}/videos.tsv"),
            shards=update(in_run(run, shard_files("manifest", dataset, suffix=".tsv"))),
        log:
            f"logs/{run}/list_videos/{dataset}.log",
        benchmark:
            f"benchmarks/results/{run}/list_videos/{dataset}.tsv"
        conda:
            "../../environment.yml"
        threads: 1
        resources:
            mem_mb=escalating_memory(2000),
            runtime=escalating_minutes(240),
        params:
            folder=lambda wildcards, input: f"--folder {input.folder}" if input.folder else "",
            shards=lambda wildcards, output: os.path.dirname(output.videos),
            dataset=as_json(CONFIG.videos[dataset]),
            config=as_json(CONFIG.manifest),
            seed=seed_of(run),
            record=file_record(dataset, run),
            listing=listed(dataset, run),
            version=4,
        shell:
            """
            python -m l2l list_videos {params.folder} \
                --videos {output.videos:q} \
                --shards {params.shards:q} \
                --dataset {params.dataset:q} \
                --config {params.config:q} \
                --record {params.record:q} \
                --seed {params.seed} 2>{log:q}
            """


rule write_shard_fingerprint:
    """Write the fingerprint of a shard's videos."""
    output:
        fingerprint="results/{run}/manifest/{dataset}/{shard}.fingerprint",
    log:
        "logs/{run}/write_shard_fingerprint/{dataset}/{shard}.log",
    localrule: True
    conda:
        "../../environment.yml"
    params:
        fingerprint=shard_fingerprint,
    shell:
        """
        echo {params.fingerprint:q} >{output.fingerprint:q} 2>{log:q}
        """


rule check_leaks:
    """Stop if a test video of the target is also a training video of the source."""
    input:
        source=f"results/{{run}}/manifest/{CONFIG.source}/videos.tsv",
        target=f"results/{{run}}/manifest/{CONFIG.target}/videos.tsv",
    output:
        checked="results/{run}/manifest/leaks.txt",
    log:
        "logs/{run}/check_leaks.log",
    benchmark:
        "benchmarks/results/{run}/check_leaks.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(2000),
        runtime=escalating_minutes(30),
    params:
        version=1,
    shell:
        """
        python -m l2l check_leaks \
            --source {input.source:q} \
            --target {input.target:q} \
            --checked {output.checked:q} 2>{log:q}
        """
