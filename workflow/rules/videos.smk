# in:  nothing
# out: results/{run}/videos/{dataset}/   drawn H.264/AAC files, split/class/number.mp4, and
#                                        segments.tsv (seconds)


rule render_demo:
    """Draw the demo's videos and write them as real files."""
    output:
        videos=directory("results/{run}/videos/{dataset}"),
    log:
        "logs/{run}/render_demo/{dataset}.log",
    benchmark:
        "benchmarks/results/{run}/render_demo/{dataset}.tsv"
    priority: source_first  # its clips are decoded before the target is drawn
    conda:
        "../../environment.yml"
    threads: 2  # trainings wait for both data sets: two jobs of one thread leave one drawing alone
    resources:
        mem_mb=escalating_memory(2000),
        runtime=escalating_minutes(30),
    params:
        dataset=dataset_section,
        seed=seed,
        version=1,
    shell:
        """
        python -P -m l2l render_demo \
            --videos {output.videos:q} \
            --dataset {params.dataset:q} \
            --seed {params.seed} \
            --threads {threads} 2>{log:q}
        """
