"""The answers of a published network, without a run: R(2+1)D-18 names Kinetics' 400 actions."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from l2l.apply.artifact import ClassProbability, Prediction
from l2l.apply.predictor import usable_cores
from l2l.config import NOT_ACCELERATED, AccelerationConfig, MediaConfig, TeacherConfig
from l2l.errors import BadInput
from l2l.evaluation.cost import count_macs
from l2l.evaluation.measures.probabilities import check_finite, class_probabilities
from l2l.evaluation.videos.methods import uniform
from l2l.manifest.artifact import USABLE
from l2l.manifest.probe import ProbeResult, probe_files
from l2l.media.decode import decode
from l2l.media.decoded import Decoded
from l2l.media.ffmpeg import check_ffmpeg
from l2l.teacher.artifact import published_teacher
from l2l.teacher.inference import for_inference
from l2l.teacher.network import as_input, example_clip
from l2l.training import seed_and_pick_device

SECTION = TeacherConfig()  # R(2+1)D-18
MEDIA = MediaConfig()  # the clips that its weights were trained on
ACTIONS = 400  # of Kinetics-400
_BATCH_CLIPS = 16  # changes no answer on a CPU, where clips are computed one by one


class TeacherPredictor:
    """R(2+1)D-18 with its published weights, loaded once, which answers for files: the mean of the
    class probabilities of a video's clips. It only looks; nothing is trained.

    Args:
        weights: KINETICS400_V1, which torchvision downloads once; or a file with such a state dict.
        threads: of PyTorch; default: one per core that this process may use.
        acceleration: precision and compilation on a GPU.

    Raises:
        BadInput: if the weights are not available or are others, or ffmpeg does not work.
    """

    def __init__(
        self,
        weights: str,
        threads: int | None = None,
        acceleration: AccelerationConfig = NOT_ACCELERATED,
    ) -> None:
        check_ffmpeg()
        self._device = seed_and_pick_device(0, threads or usable_cores())
        self._weights = weights
        teacher, self.class_names = published_teacher("teacher", weights, SECTION)
        if len(self.class_names) != ACTIONS:
            raise BadInput(
                f"{weights}: {SECTION.network} with {len(self.class_names)} classes, expected the "
                f"{ACTIONS} of Kinetics"
            )
        clip = example_clip(teacher.eval(), MEDIA.clip_frames, MEDIA.frame_pixels)
        self._clip_macs = count_macs(lambda: teacher(*clip))
        self._network = for_inference(teacher, self._device, acceleration, _BATCH_CLIPS)

    def predict(self, path: str | Path, *, moments: int | None = None, top: int = 5) -> Prediction:
        """The answer for one file; see `predict_many`."""
        (prediction,) = self.predict_many([path], moments=moments, top=top)
        return prediction

    def predict_many(
        self, paths: Iterable[str | Path], *, moments: int | None = None, top: int = 5
    ) -> Iterator[Prediction]:
        """The answers for files, in the order given, as soon as they are known.

        Args:
            paths: the files.
            moments: so many uniform moments of each video are looked at; None: every one.
            top: how many classes are named, the most probable first.

        Raises:
            BadInput: if a number is out of bounds.
            MachineError: if the machine did not give the decoder what it needs.
        """
        for name, value in (("moments", moments), ("top", top)):
            if value is not None and value < 1:
                raise BadInput(f"{name} {value}: expected 1 or more")
        files = list(map(Path, paths))
        for path, probed in zip(files, probe_files(files), strict=True):
            yield self._predict(path, probed, moments, top)

    def __repr__(self) -> str:
        return f"TeacherPredictor({self._weights!r}, {len(self.class_names)} classes)"

    def _predict(
        self, path: Path, probed: ProbeResult, moments: int | None, top: int
    ) -> Prediction:
        video = str(path)
        if probed.status not in USABLE:
            return Prediction(video, probed.status, probed.reason)
        decoded = decode(probed.source(path), MEDIA, "clips", MEDIA.jpeg_quality, sound=False)
        reason = "; ".join(filter(None, [decoded.reason, probed.reason]))
        if decoded.status not in USABLE:
            return Prediction(video, decoded.status, reason)
        count = decoded.moments
        looked_at = range(count) if moments is None else uniform(count, moments)
        probabilities = self._probabilities(decoded, looked_at).mean(0)
        check_finite(probabilities, f"{video}: class probabilities")
        best = np.argsort(-probabilities, kind="stable")[:top]
        return Prediction(
            video,
            decoded.status,
            reason,
            tuple(
                ClassProbability(self.class_names[i], round(float(probabilities[i]), 6))
                for i in best
            ),
            duration_seconds=round(decoded.duration_seconds, 3),
            moments=count,
            moments_read=len(looked_at),
            factor=1 if len(looked_at) == count else 0,
            gmacs=round(len(looked_at) * self._clip_macs / 1e9, 6),
            decoded_pictures=decoded.frames_decoded,
        )

    def _probabilities(
        self, decoded: Decoded, moments: Sequence[int]
    ) -> Float[np.ndarray, "moments classes"]:
        """The class probabilities of the clips of some moments."""
        parts = []
        for first in range(0, len(moments), _BATCH_CLIPS):
            clips = np.stack([decoded.clip(k) for k in moments[first : first + _BATCH_CLIPS]])
            with torch.inference_mode():
                pictures = torch.from_numpy(clips).to(self._device)
                _, scores = self._network(as_input(pictures, SECTION.network))
            parts.append(class_probabilities(scores.float().cpu().numpy()))
        return np.concatenate(parts)
