# in:  a data set's folder, lists and annotations
# out: results/{run}/manifest/{dataset}/videos.tsv         one row per video: split, labels,
#                                                          segments (seconds), declared properties,
#                                                          status
#      results/{run}/manifest/{dataset}/shards/            the same rows, one table per shard
#      results/{run}/manifest/{dataset}/{shard}.tsv        a copy of the shard's table: what the
#                                                          jobs of the shard read
#      results/{run}/manifest/{dataset}/{shard}.fingerprint
#                                                          a hash of what is listed of its videos,
#                                                          and of their files' versions
#      results/{run}/manifest/leaks.txt                    written once no test video of the target
#                                                          is a training video of the source
#
# A job that fails leaves no output behind, so the next run plans it again. list_videos lists all
# videos of a data set; if the jobs of a shard read its output directly, each listing, and each
# failed one, would redo every shard. They read the copy instead, as `ancient`, and run again when
# the fingerprint of their shard's videos changes. The fingerprint is a file of a rule without
# input. l2l/jobs/planning.py has Snakemake look at it, and at the params of these jobs, also where
# the listing has to run.

LISTING_VERSION = 7  # raise it when the numbers of list_videos change


rule list_videos:
    """List a data set's videos, and what each file declares about itself."""
    input:
        folder=folder_of_drawn_videos,
        annotations=annotation_files,
    output:
        videos="results/{run}/manifest/{dataset}/videos.tsv",
        shards=directory("results/{run}/manifest/{dataset}/shards"),
    log:
        "logs/{run}/list_videos/{dataset}.log",
    benchmark:
        "benchmarks/results/{run}/list_videos/{dataset}.tsv"
    priority: 10
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(2000),
        runtime=escalating_minutes(240),
    params:
        folder=lambda wildcards, input: f"--folder {input.folder}" if input.folder else "",
        dataset=dataset_section,
        config=section(CONFIG.manifest),
        seed=seed,
        record=lambda wildcards: file_record(wildcards.dataset, wildcards.run),
        fingerprint=listing_fingerprint,
        version=LISTING_VERSION,
    shell:
        """
        python -P -m l2l list_videos {params.folder} \
            --videos {output.videos:q} \
            --shards {output.shards:q} \
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
        version=LISTING_VERSION,
    shell:
        """
        echo {params.fingerprint:q} {params.version} >{output.fingerprint:q} 2>{log:q}
        """


rule copy_shard_table:
    """Copy the table of a shard's videos to where the jobs of the shard read it."""
    input:
        shards="results/{run}/manifest/{dataset}/shards",
    output:
        table="results/{run}/manifest/{dataset}/{shard}.tsv",
    log:
        "logs/{run}/copy_shard_table/{dataset}/{shard}.log",
    priority: source_first
    localrule: True
    conda:
        "../../environment.yml"
    shell:
        """
        rm -f {output.table:q}.sha256
        cp {input.shards:q}/{wildcards.shard}.tsv {output.table:q} 2>{log:q}
        if [ -e {input.shards:q}/{wildcards.shard}.tsv.sha256 ]; then
            cp {input.shards:q}/{wildcards.shard}.tsv.sha256 {output.table:q}.sha256 2>>{log:q}
        fi
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
    priority: 10
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
        python -P -m l2l check_leaks \
            --source {input.source:q} \
            --target {input.target:q} \
            --checked {output.checked:q} 2>{log:q}
        """
