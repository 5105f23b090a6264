"""The tables of a run's evaluation: their columns."""

# a method's row: accuracies in percent, multiply-accumulates in 10^9, means over the test videos
TABLE1_COLUMNS = ("method", "top1", "map", "gmacs_per_video", "moments", "index_gmacs_per_video")
# what a method says of a video
PREDICTION_COLUMNS = ("video", "label", "method", "predicted", "probability")
# a student, or the teacher, on single clips
CLIP_COLUMNS = ("model", "modalities", "distilled", "top1", "gmacs_per_clip")
# what the skimmer selects in a step for the next, by modality
SELECTION_COLUMNS = ("video", "moments", "step", "modality", "moment", "weight", "modality_score")
# what every skimmer that is compared tells: percent, and means over the test videos
FOUND_COLUMNS = ("top1", "map", "gmacs_per_video", "index_gmacs_per_video", "recognition_moments")
# a line of the supplement's ablations, and what the paper prints for it (top-1, %)
ABLATION_COLUMNS = (
    *("ablation", "variant", "model", *FOUND_COLUMNS),
    *("quoted_activitynet_top1", "quoted_mini_sports1m_top1", "quoted_source"),
)
# Table 2: a skimmer by what it classifies and by what it finds it; `read` is weighed (over all moments) or selected
RECOGNITION_COLUMNS = ("quoted", "dataset", "model", "recognition", "indexing", "read", *FOUND_COLUMNS, "source")
