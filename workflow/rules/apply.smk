# in:  the videos of each data set of role `apply`; the student and the skimmer of a finished run
# out: results/{run}/apply/{dataset}/predictions.tsv        one row per video: the most probable
#                                                           classes, status, cost
#      results/{run}/apply/{dataset}/moments.jsonl          one object per video: selected moments
#      results/{run}/apply/{dataset}/report.html            the page, with film strips
#      results/{run}/apply/{dataset}/shards/{shard}.jsonl   all that is known of a shard's answers
#      results/{run}/apply/{dataset}/{store}/{shard}        what `apply.keep` names: media, mels,
#                                                           features
#
# Nothing is trained. The networks are those that the run's folder has, or the one file that it was
# exported to: they are given by absolute paths, which no rule makes, so Snakemake does not look at
# what they depend on.

# What an answer depends on, and what the page does.
ANSWER_SECTION = section(CONFIG.apply, ("run", "keep", "film_strips", "pictures"))
PAGE_SECTION = section(CONFIG.apply, ("run", "keep"))


rule apply_videos:
    """Answer for the videos of a shard: decode, hear, describe, skim."""
    input:
        networks=networks_of_applied_run,
        manifest=ancient("results/{run}/manifest/{dataset}/{shard}.tsv"),  # see manifest.smk
        fingerprint="results/{run}/manifest/{dataset}/{shard}.fingerprint",
    output:
        **{
            name: f"results/{{run}}/apply/{{dataset}}/{name}/{{shard}}{KEPT_STORES[name]}"
            for name in CONFIG.apply.keep
        },
        predictions="results/{run}/apply/{dataset}/shards/{shard}.jsonl",
    log:
        "logs/{run}/apply_videos/{dataset}/{shard}.log",
    benchmark:
        "benchmarks/results/{run}/apply_videos/{dataset}/{shard}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(4000),
        runtime=escalating_minutes(240),
        gpu=gpus,
    params:
        run=lambda wildcards: str(APPLIED_RUN),
        kept=kept_stores,
        config=ANSWER_SECTION,
        features_config=section(CONFIG.features),
        acceleration=section(CONFIG.acceleration),
        version=3,
    shell:
        """
        python -P -m l2l apply_videos {params.kept} \
            --manifest {input.manifest:q} \
            --run {params.run:q} \
            --predictions {output.predictions:q} \
            --config {params.config:q} \
            --features-config {params.features_config:q} \
            --acceleration {params.acceleration:q} \
            --threads {threads} 2>{log:q}
        """


rule collect_predictions:
    """Write the answers of all shards of a data set as tables."""
    input:
        shards=answered_shards,
        videos=ancient("results/{run}/manifest/{dataset}/videos.tsv"),
    output:
        predictions="results/{run}/apply/{dataset}/predictions.tsv",
        moments="results/{run}/apply/{dataset}/moments.jsonl",
    log:
        "logs/{run}/collect_predictions/{dataset}.log",
    benchmark:
        "benchmarks/results/{run}/collect_predictions/{dataset}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(1000),
        runtime=escalating_minutes(30),
    params:
        shards=answered_shard_range,
        config=ANSWER_SECTION,
        version=1,
    shell:
        """
        python -P -m l2l collect_predictions \
            --shards {params.shards:q} \
            --videos {input.videos:q} \
            --predictions {output.predictions:q} \
            --moments {output.moments:q} \
            --config {params.config:q} >{log:q} 2>&1
        """


rule write_predictions_page:
    """The page of a data set's answers, with film strips of some videos."""
    input:
        shards=answered_shards,
        videos=ancient("results/{run}/manifest/{dataset}/videos.tsv"),
    output:
        page="results/{run}/apply/{dataset}/report.html",
    log:
        "logs/{run}/write_predictions_page/{dataset}.log",
    benchmark:
        "benchmarks/results/{run}/write_predictions_page/{dataset}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(2000),
        runtime=escalating_minutes(60),
    params:
        shards=answered_shard_range,
        run=lambda wildcards: str(APPLIED_RUN),
        config=PAGE_SECTION,
        version=1,
    shell:
        """
        python -P -m l2l write_predictions_page \
            --shards {params.shards:q} \
            --videos {input.videos:q} \
            --run {params.run:q} \
            --page {output.page:q} \
            --config {params.config:q} 2>{log:q}
        """


rule apply:
    """A finished run on every data set of role `apply`; nothing is trained."""
    input:
        pages_of_applied,
    localrule: True
