"""The tables of a run's evaluation: their columns."""

# a method's row: accuracies in percent, multiply-accumulates in 10^9, means over the test videos
TABLE1_COLUMNS = (
    *("method", "top1", "map", "gmacs_per_video", "moments", "index_gmacs_per_video"),
    *(
        "top5",
        "map_interpolated",
    ),  # map as ActivityNet's own evaluation has it, on all labels of a video
    *("top1_low", "top1_high", "map_low", "map_high"),  # 95 % intervals, bootstrap over the videos
    "videos",  # usable test videos, on which all columns before this are
    *(
        "top1_all",
        "map_all",
        "videos_all",
    ),  # all test videos; one that cannot be used counts as wrong, and last
)
# what a method says of a video
PREDICTION_COLUMNS = ("video", "label", "method", "predicted", "probability")
# a student, or the teacher, on single clips
CLIP_COLUMNS = (
    *("model", "modalities", "distilled", "top1", "gmacs_per_clip"),
    *(
        "top1_low",
        "top1_high",
        "clips",
        "videos",
    ),  # 95 % interval, bootstrap over the videos the clips are of
)
# what the skimmer selects in a step for the next, by modality
SELECTION_COLUMNS = ("video", "moments", "step", "modality", "moment", "weight", "modality_score")
# what every skimmer that is compared tells: percent, and means over the test videos
FOUND_COLUMNS = ("top1", "map", "gmacs_per_video", "index_gmacs_per_video", "recognition_moments")
# a line of the supplement's ablations, and what the paper prints for it (top-1, %)
ABLATION_COLUMNS = (
    *("ablation", "variant", "model", *FOUND_COLUMNS),
    *("quoted_activitynet_top1", "quoted_mini_sports1m_top1", "quoted_source"),
)
# Table 2: a skimmer by what it classifies and by what it finds it; `read` is weighed (over all
# moments) or selected; `features_of` names the networks that made these features
RECOGNITION_COLUMNS = (
    "quoted",
    "dataset",
    "model",
    "recognition",
    "indexing",
    "read",
    "features_of",
    *FOUND_COLUMNS,
    "source",
)
# a class: ours dense and uniform on its usable test videos, in percent, and the gain of the one
# over the other
CLASS_COLUMNS = (
    "class",
    "videos",
    *(f"{who}_{figure}" for figure in ("top1", "ap") for who in ("ours", "uniform", "gain")),
)
# ours, reading one moment in `factor` and stopping after `steps`
TRADEOFF_COLUMNS = ("factor", "steps", "top1", "map", "gmacs_per_video", "moments")
# points of mean average precision against cost: this run's, and published ones of other data sets
PUBLISHED_COLUMNS = (
    "method",
    "dataset",
    "index_features",
    "recognition_features",
    "map",
    "gmacs_per_video",
    "source",
)
FRONTIER_COLUMNS = (*PUBLISHED_COLUMNS[:6], "factor", "steps", "quoted", "source")
# a clip: distances (L1) of the students' descriptors to the teacher's, and how much nearer the
# sound brings the student
AUDIO_COLUMNS = (
    "video",
    "moment",
    "start_seconds",
    "label",
    "split",
    "has_sound",
    "image",
    "image_audio",
    "nearer",
)
