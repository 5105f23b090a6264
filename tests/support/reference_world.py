"""Small networks of the public code and ours, a release as it was published, and their scores."""

import os
import pickle
import random

import numpy as np
import reference
import torch

from l2l.reference.checkpoint import skimmer_of
from l2l.reference.preset import (
    PAPER,
    SINGLE_MODALITY,
    TWO_MODALITIES,
    skim_videos,
)

SMALL = {"classes": 5, "features": 6, "hidden": 9, "key": 7, "query": 8}
LENGTHS = [13, 10, 21, 17]


def small(variant, seed=0):
    """A small network, ours and as a state dict of the public code's."""
    state = reference.two_modalities_state(**SMALL, psi=11, seed=seed)
    if variant == "single":
        state = reference.single_modality_state(**SMALL, seed=seed)
    return skimmer_of("small.pth", state, "image")[0], state


def made_up(lengths, channels=6, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return [
        {m: torch.randn(n, channels, generator=generator) for m in ("image", "audio")}
        for n in lengths
    ]


def ours(network, videos, steps, preset, seed=0, **how):
    torch.manual_seed(seed)
    videos = [{m: video[m] for m in network.modalities} for video in videos]
    with torch.inference_mode():
        return skim_videos(
            network, videos, steps, reference=preset, filler=random.Random(seed), **how
        ).double()


def theirs(variant, state, videos, steps, seed=0, **how):
    torch.manual_seed(seed)
    random.seed(seed)
    if variant == "single":
        return reference.single_modality(state, [video["image"] for video in videos], steps, **how)
    return reference.two_modalities(
        state, [(video["image"], video["audio"]) for video in videos], steps, **how
    )


def preset_of(variant, accidents):
    if not accidents:
        return PAPER
    return SINGLE_MODALITY if variant == "single" else TWO_MODALITIES


def assert_same(found, expected, within=1e-5):
    torch.testing.assert_close(found, expected, rtol=0, atol=within)


def full_size_networks():
    """Networks of the published sizes, ours and as a state dict of the public code's."""
    states = {"two": reference.two_modalities_state(), "single": reference.single_modality_state()}
    return {
        variant: (skimmer_of("full.pth", state, "image")[0], state)
        for variant, state in states.items()
    }


HEAD = ("net_imageAudio.", "net_classifier.")


# ---- lists and features --------------------------------------------------------------------------


class Release:
    """A folder like the published one: three folders of features, and lists."""

    def __init__(self, folder, lengths=(12, 5, 31, 10), channels=512, seed=0):
        self.folder, self.random = folder, np.random.default_rng(seed)
        self.videos, self.labels = {}, []
        for i, length in enumerate(lengths):
            name = f"{folder.name}_{i}"
            kinds = ("imageAudio_features", "image_features", "audio_features")
            self.videos[name] = {
                kind: self.random.normal(size=(length, channels)).astype(np.float32)
                for kind in kinds
            }
            for kind, features in self.videos[name].items():
                (folder / kind).mkdir(exist_ok=True, parents=True)
                np.save(folder / kind / f"{name}.npy", features)
            self.labels.append(i % 3)
        self.paths = [str(folder / "imageAudio_features" / f"{name}.npy") for name in self.videos]

    def pickled(self, protocol=2):
        path = self.folder / "list.pkl"
        path.write_bytes(pickle.dumps((self.paths, self.labels), protocol))
        return path

    def text(self, names=None):
        path = self.folder / "list.txt"
        lines = (
            f"{p} {names[label] if names else label}\n"
            for p, label in zip(self.paths, self.labels, strict=True)
        )
        path.write_text("".join(lines), encoding="utf-8")
        return path


class Trap:
    """What makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)
