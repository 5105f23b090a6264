"""The tables of a run's evaluation: their columns."""

# a method's row: accuracies in percent, multiply-accumulates in 10^9, means over the test videos
TABLE1_COLUMNS = ("method", "top1", "map", "gmacs_per_video", "moments", "index_gmacs_per_video")
# what a method says of a video
PREDICTION_COLUMNS = ("video", "label", "method", "predicted", "probability")
# a student, or the teacher, on single clips
CLIP_COLUMNS = ("model", "modalities", "distilled", "top1", "gmacs_per_clip")
# what the skimmer selects in a step for the next, by modality
SELECTION_COLUMNS = ("video", "moments", "step", "modality", "moment", "weight", "modality_score")
