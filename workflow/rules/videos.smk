# in:  nothing
# out: results/{run}/videos/{dataset}/   drawn H.264/AAC files, split/class/number.mp4, and segments.tsv (seconds)

DRAWN = [name for name, dataset in CONFIG.videos.items() if dataset.adapter == "demo"]


def dataset_section(wildcards):
    """The configuration of one data set."""
    return as_json(CONFIG.videos[wildcards.dataset])


rule draw_demo:
    """Draw the demo's videos and write them as real files."""
    output:
        videos=directory("results/{run}/videos/{dataset}"),
    params:
        dataset=dataset_section,
        seed=seed,
        version=1,
    log:
        "logs/{run}/draw_demo/{dataset}.log",
    benchmark:
        "benchmarks/results/{run}/draw_demo/{dataset}.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=2000,
        runtime=30,
    shell:
        """
        python -m l2l draw_demo \
            --videos {output.videos:q} \
            --dataset {params.dataset:q} \
            --seed {params.seed} \
            --threads {threads} 2> {log:q}
        """
