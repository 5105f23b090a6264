"""A run's student and skimmer, and what they say about one file."""

from pathlib import Path
from typing import Any

import torch

from l2l.evaluation.cost import CostModel
from l2l.evaluation.measures.probabilities import check_finite, class_probabilities
from l2l.evaluation.videos.predictions import skim
from l2l.features.extract import extract_video_features
from l2l.manifest.artifact import USABLE
from l2l.manifest.probe import ProbeResult
from l2l.media.decode import decode
from l2l.media.ffmpeg import check_ffmpeg
from l2l.mels.spectrogram import log_mel
from l2l.moments import start_seconds
from l2l.skimmer.artifact import check_student, load_skimmer
from l2l.student.artifact import digest_of, load_student, media_of, mels_of


class Predictor:
    """The trained networks of a finished run.

    Raises:
        BadInput: if the run is not finished, its student and skimmer do not belong together, or
            ffmpeg does not work.
    """

    def __init__(self, run: Path) -> None:
        check_ffmpeg()
        skimmer_path = run / "skimmer" / "skimmer.pt"
        self._skimmer = load_skimmer(skimmer_path)
        modalities = "-".join(self._skimmer.network.modalities)
        student_path = run / "student" / "finetuned" / f"{modalities}-distilled.pt"
        self._student = load_student(student_path)
        check_student(skimmer_path, self._skimmer, student_path, digest_of(self._student))
        self._costs = CostModel(self._student)

    def predict(self, path: Path, declared: ProbeResult) -> dict[str, Any]:
        """What the networks say about one file; a file that cannot be used has no label, and a
        reason.
        """
        prediction: dict[str, Any] = {
            "video": str(path),
            "status": declared.status,
            "reason": declared.reason,
        }
        if declared.status not in USABLE:
            return prediction
        decoded = decode(declared.source(path), media_of(self._student.settings), "moments")
        prediction |= {"status": decoded.status, "reason": decoded.reason}
        if decoded.status not in USABLE:
            return prediction
        frames = decoded.pictures.select(range(decoded.moments))
        mels = log_mel(decoded.windows(), mels_of(self._student.settings))
        features = extract_video_features(
            self._student, frames, mels, decoded.has_sound(), torch.device("cpu")
        )
        output = skim(self._skimmer, str(path), features)
        probabilities = class_probabilities(output.logits.numpy())[0]
        check_finite(probabilities, f"{path}: class probabilities")
        macs = self._costs.network(self._skimmer, decoded.moments).macs
        prediction |= {
            "label": self._skimmer.class_names[int(probabilities.argmax())],
            "probability": round(float(probabilities.max()), 6),
            "duration_seconds": round(decoded.duration_seconds, 3),
            "moments": decoded.moments,
            "gmacs": round(macs / 1e9, 6),
        }
        for i, modality in enumerate(self._skimmer.network.modalities):
            selected = [
                moment
                for moment in output.selected[0, :, i].tolist()
                if modality == "image" or features.has_sound[moment]
            ]
            prediction[f"{modality}_selected_seconds"] = [
                round(float(start_seconds(moment)), 3) for moment in selected
            ]
        return prediction
