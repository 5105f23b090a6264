# Jobs that outgrow what they asked for, or never end, with the workflow's own way to ask for more.


include: "../../Snakefile"


rule take_memory:
    """Takes 500 MiB and asks for as many with Snakemake's own."""
    output:
        "results/memory.txt",
    resources:
        mem_mb=escalating_memory(500),
    shell:
        """
        python -c 'import time; taken = bytearray(500 << 20); time.sleep(10)'
echo {resources.mem_mb} >{output}
        """


rule take_time:
    """Is not done within a minute."""
    output:
        "results/time.txt",
    resources:
        mem_mb=500,
        runtime=escalating_minutes(1),
    shell:
        """
        test {resources.runtime} -gt 1 || sleep 600
        echo {resources.runtime} >{output}
        """


rule sleep:
    """Is never done."""
    output:
        "results/{number}.txt",
    shell:
        "sleep 600"
