# in:  a data set's folder, lists and annotations
# out: results/{run}/manifest/{dataset}/videos.tsv         one row a video: split, labels, segments
#                                                          (s), declared facts, status
#      results/{run}/manifest/{dataset}/{shard}.tsv        the rows of one shard, by a stable hash
#                                                          of the video's id
#      results/{run}/manifest/{dataset}/{shard}.fingerprint      a hash of what is listed of them, and of
#                                                          their files' sizes and times
# When one video came, went or changed, list_videos writes every shard's table anew; so what reads
# those takes them as `ancient`,
# and is redone when the shard's state changes. Tables are `update`d, not deleted first: one that is
# missing would redo its shard.
# One rule a data set, since each has its own number of shards and Snakemake has to know every
# shard's file by name; and a run,
# since of a file that a rule names without wildcards Snakemake finds the rule at once, and else
# compares all: with 2,000
# shards half of the time of a dry run.
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
            listing=listed(dataset, run),
            version=4,
        shell:
            """
            python -m l2l list_videos {params.folder} \
                --videos {output.videos:q} \
                --shards {params.shards:q} \
                --dataset {params.dataset:q} \
                --config {params.config:q} \
                --seed {params.seed} 2>{log:q}
            """


rule write_shard_fingerprint:
    """Note the state of a shard's videos."""
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
