# in:  the tables of the same chain run with several seeds: other drawings, splits, weights and
#      draws
# out: results/{run}/study/table1.tsv, clips.tsv   mean, standard deviation, least and most over the
#                                                  runs
#      results/{run}/study/scsampler.tsv           the same of SCSampler's tables
#      results/{run}/study/scsampler_relations.tsv in how many runs each relation of its poster
#                                                  holds

STUDY_RUNS = [
    CONFIG.run if s == CONFIG.seed else f"{CONFIG.run}-seed{s}" for s in CONFIG.study.seeds
]


rule summarise_study:
    """Mean and spread over the study's seeds."""
    input:
        table1=expand("results/{run}/evaluation/table1.tsv", run=STUDY_RUNS),
        clips=expand("results/{run}/evaluation/clips.tsv", run=STUDY_RUNS),
    output:
        table1=f"results/{CONFIG.run}/study/table1.tsv",
        clips=f"results/{CONFIG.run}/study/clips.tsv",
    log:
        f"logs/{CONFIG.run}/summarise_study.log",
    benchmark:
        f"benchmarks/results/{CONFIG.run}/summarise_study.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(1000),
        runtime=escalating_minutes(30),
    shell:
        """
        python -P -m l2l summarise_study \
            --table1 {input.table1:q} \
            --clips {input.clips:q} \
            --table1-summary {output.table1:q} \
            --clips-summary {output.clips:q} 2>{log:q}
        """


rule study:
    """Everything, once for each of the study's seeds."""
    input:
        rules.summarise_study.output,
    localrule: True


rule summarise_scsampler:
    """SCSampler's mean and spread over the study's seeds."""
    input:
        tables=expand("results/{run}/evaluation/scsampler.tsv", run=STUDY_RUNS),
    output:
        summary=f"results/{CONFIG.run}/study/scsampler.tsv",
        relations=f"results/{CONFIG.run}/study/scsampler_relations.tsv",
    log:
        f"logs/{CONFIG.run}/summarise_scsampler.log",
    benchmark:
        f"benchmarks/results/{CONFIG.run}/summarise_scsampler.tsv"
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(1000),
        runtime=escalating_minutes(30),
    params:
        version=1,
    shell:
        """
        python -P -m l2l summarise_scsampler \
            --tables {input.tables:q} \
            --summary {output.summary:q} \
            --relations {output.relations:q} 2>{log:q}
        """


rule scsampler_study:
    """SCSampler's branch, once for each of the study's seeds; a plain study does not make it."""
    input:
        rules.summarise_scsampler.output,
    localrule: True
