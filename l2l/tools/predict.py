"""Answer for single files: what is done in them, and the few moments that told."""

import json as json_text
from pathlib import Path
from typing import Any

import numpy as np
import torch

from l2l.errors import BadInput
from l2l.evaluation.cost import Prices
from l2l.evaluation.methods import class_probabilities, skim
from l2l.features.extract import extract_video_features
from l2l.manifest.artifact import USABLE
from l2l.manifest.probe import ProbeResult, probe_files
from l2l.media.decode import decode
from l2l.mels.spectrogram import log_mel
from l2l.moments import start_seconds
from l2l.skimmer.artifact import TrainedSkimmer, check_student, load_skimmer
from l2l.student.artifact import digest_of, load_student, media_of, mels_of
from l2l.student.network import Student

_DID = {"image": "looked_at_seconds", "audio": "listened_to_seconds"}


def predict(video: list[Path], /, run: Path, json: bool = False) -> int:
    """Name the action in each video by skimming it with a run's student and skimmer.

    Args:
        video: files to answer for.
        run: a finished run's folder, such as results/demo.
        json: print one JSON object a file instead of a line for people.

    Raises:
        BadInput: if there is no such run, it is not done, or its student and skimmer do not belong
            together.

    Returns:
        0 when every file was answered for, 1 when one could not be read.
    """
    if not run.is_dir():
        raise BadInput(
            f"{run}: no such folder; expected a finished run's, such as results/demo, which `make "
            "demo` makes"
        )
    skimmer = load_skimmer(fitted := run / "skimmer" / "skimmer.pt")
    student = load_student(
        maker := run
        / "student"
        / "finetuned"
        / f"{'-'.join(skimmer.network.modalities)}-distilled.pt"
    )
    check_student(fitted, skimmer, maker, digest_of(student))
    prices = Prices(student, {"skimmer": skimmer})
    answers = [
        _answer(path, facts, student, skimmer, prices)
        for path, facts in zip(video, probe_files(video), strict=True)
    ]
    for answer in answers:
        print(json_text.dumps(answer) if json else _line(answer))
    return int(any("label" not in answer for answer in answers))


def _answer(
    path: Path, facts: ProbeResult, student: Student, skimmer: TrainedSkimmer, prices: Prices
) -> dict[str, Any]:
    """What can be said of one file.

    Without a label where it cannot be used, and then with the reason.
    """
    answer: dict[str, Any] = {"video": str(path), "status": facts.status, "reason": facts.reason}
    if facts.status not in USABLE:
        return answer
    media = media_of(student.settings)
    streams = facts.video_stream, facts.audio_stream
    decoded = decode(path, media, *streams, facts.duration_seconds, "moments", facts.fingerprint)
    answer |= {"status": decoded.status, "reason": decoded.reason}
    if decoded.status not in USABLE:
        return answer
    frames = np.stack([decoded.frame(k) for k in range(decoded.moments)])
    mels = log_mel(decoded.windows(), mels_of(student.settings))
    read = extract_video_features(student, frames, mels, decoded.has_sound(), torch.device("cpu"))
    skimming = skim(skimmer, read)
    probabilities = class_probabilities(skimming.logits.numpy())[0]
    macs = decoded.moments * prices.features_macs + prices.network_macs("skimmer", decoded.moments)
    answer |= {
        "label": skimmer.class_names[int(probabilities.argmax())],
        "probability": round(float(probabilities.max()), 6),
        "duration_seconds": round(decoded.duration_seconds, 3),
        "moments": decoded.moments,
        "gmacs": round(macs / 1e9, 6),
    }
    for i, modality in enumerate(skimmer.network.modalities):
        chosen = [
            k
            for k in skimming.selected[0, :, i].tolist()
            if modality == "image" or read.has_sound[k]
        ]
        answer[_DID[modality]] = [round(float(start_seconds(k)), 3) for k in chosen]
    return answer


def _line(answer: dict[str, Any]) -> str:
    name = "".join(
        char if char.isprintable() else ascii(char)[1:-1] for char in answer["video"]
    )  # it may hold anything
    if "label" not in answer:
        return f"{name}: {answer['status']}: {answer['reason']}"
    said = f"{name}: {answer['label']} ({answer['probability']:.2f})"
    for key, verb in (("looked_at_seconds", "looked at"), ("listened_to_seconds", "listened to")):
        if answer.get(key):
            said += f"; {verb} " + ", ".join(f"{seconds:.1f}" for seconds in answer[key]) + " s"
    remark = f" [{answer['status']}: {answer['reason']}]" if answer["reason"] else ""
    return f"{said}; {answer['gmacs']:.3g} GMACs{remark}"
