# in:  the target's media and mels, and the fine-tuned student
# out: results/{run}/features/{dataset}/{shard}/    Zarr v3: image_feature, audio_feature,
#                                                   fused_feature (moments, channels),
#                                                   score (moments, classes), has_sound, offset;
#                                                   video_index, moment, start_seconds (moments,)
#      results/{run}/features/{dataset}/zarr.json   marks the data set's features as complete; the
#                                                   folder opens as one group

MAIN_STUDENT_FILE = f"results/{{run}}/student/finetuned/{MAIN_STUDENT}-distilled.pt"


rule extract_features:
    """What the student makes of every moment of a shard."""
    input:
        media="results/{run}/media/{dataset}/{shard}.h5",
        mels="results/{run}/mels/{dataset}/{shard}.h5",
        student=MAIN_STUDENT_FILE,
    output:
        features="results/{run}/features/{dataset}/{shard}/zarr.json",
    log:
        "logs/{run}/extract_features/{dataset}/{shard}.log",
    benchmark:
        "benchmarks/results/{run}/extract_features/{dataset}/{shard}.tsv"
    priority: 8
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(4000),
        runtime=escalating_minutes(240),
        gpu=gpus,
    params:
        features=store_folder,
        config=section(CONFIG.features),
        acceleration=section(CONFIG.acceleration),
        version=2,
    shell:
        """
        python -P -m l2l extract_features \
            --media {input.media:q} \
            --mels {input.mels:q} \
            --student {input.student:q} \
            --features {params.features:q} \
            --config {params.config:q} \
            --acceleration {params.acceleration:q} \
            --threads {threads} 2>{log:q}
        """


rule complete_features:
    """Mark a data set's features as complete."""
    input:
        shards=features_of_dataset,
    output:
        features="results/{run}/features/{dataset}/zarr.json",
    log:
        "logs/{run}/complete_features/{dataset}.log",
    benchmark:
        "benchmarks/results/{run}/complete_features/{dataset}.tsv"
    priority: 8
    conda:
        "../../environment.yml"
    threads: 1
    resources:
        mem_mb=escalating_memory(1000),
        runtime=escalating_minutes(30),
    params:
        shards=shard_ranges("features", suffix=""),
        version=2,
    shell:
        """
        python -P -m l2l complete_features \
            --shards {params.shards:q} \
            --features {output.features:q} 2>{log:q}
        """
