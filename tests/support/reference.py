"""The public code's forward pass, said again: slow, literal, in float64, on raw tensors by the
public code's names.

Written from a description of what it computes (which features, which mask, what is averaged), not
from its text. With `accidents=False` each of its departures from the paper is put right, where it
stands, so that both can be asked for.
"""

import argparse
import math
import random

import torch
import torch.nn.functional as F

MASKED = -1e35
FEWEST = 10


# ---- checkpoints of its shape, in its order ------------------------------------------------------


def two_modalities_state(
    classes=200, features=512, psi=1024, hidden=1024, key=512, query=1024, seed=0
):
    """A state dict with two modalities.

    Numbers as after some training, so that attention is choosy.
    """
    fused = 512 if features == 512 else features + 1
    shapes = {
        **linear("net_imageAudio.imageAudio_fc1", psi, 2 * features),
        **linear("net_imageAudio.imageAudio_fc2", fused, psi),
        **linear("net_classifier.classifier", classes, fused),
        **query_shapes("image_queryfeature_mlp", hidden, query, key),
        **query_shapes("audio_queryfeature_mlp", hidden, query, key),
        **linear("prediction_fc", classes, hidden),
        **key_shapes("image_key_conv1x1", features, key),
        **key_shapes("audio_key_conv1x1", features, key),
        **lstm_shapes(fused, hidden),
        **linear("modality_attention", 2, hidden),
    }
    return drawn(shapes, seed)


def single_modality_state(classes=200, features=2048, hidden=1024, key=512, query=1024, seed=0):
    """A state dict of the single-modality variant."""
    shapes = {
        **linear("net_classifier.classifier", classes, features),
        **query_shapes("queryfeature_mlp", hidden, query, key),
        **linear("prediction_fc", classes, hidden),
        **key_shapes("key_conv1x1", features, key),
        **lstm_shapes(features, hidden),
    }
    return drawn(shapes, seed)


def linear(name, width_out, *width_in):
    return {f"{name}.weight": (width_out, *width_in), f"{name}.bias": (width_out,)}


def norm_shapes(name, width):
    parts = {
        f"{name}.{part}": (width,) for part in ("weight", "bias", "running_mean", "running_var")
    }
    return parts | {f"{name}.num_batches_tracked": ()}


def query_shapes(name, hidden, query, key):
    return (
        linear(f"{name}.0", query, hidden)
        | norm_shapes(f"{name}.1", query)
        | linear(f"{name}.3", key, query)
    )


def key_shapes(name, features, key):
    return linear(f"{name}.0", key, features, 1, 1) | norm_shapes(f"{name}.1", key)


def lstm_shapes(features, hidden):
    shapes = {"rnn.bias_ih": (4 * hidden,), "rnn.bias_hh": (4 * hidden,)}
    for which, width in (("hh", hidden), ("ih", features)):
        shapes |= {
            f"rnn.weight_{which}_g": (4 * hidden, 1),
            f"rnn.weight_{which}_v": (4 * hidden, width),
        }
    return shapes


def drawn(shapes, seed):
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in shapes.items():
        uniform = torch.rand(shape, generator=generator)
        fan_in = math.prod(shape[1:])
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(250)
        elif name.endswith(("running_var", "weight_hh_g", "weight_ih_g")):
            state[name] = uniform + 0.5
        elif len(shape) == 1:
            state[name] = (uniform + 0.5) if name.endswith(".1.weight") else uniform - 0.5
        else:
            state[name] = (uniform - 0.5) * 4 / math.sqrt(fan_in)
    return state


def parameters(state):
    """Those tensors that are no buffers of batch norm."""
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    return {name: value for name, value in state.items() if not name.endswith(buffers)}


def checkpoint(state, steps=10):
    """A whole checkpoint, as the public code's training leaves it."""
    momentum = {0: {"momentum_buffer": torch.zeros(3)}}
    return {
        "epoch": 24,
        "model": state,
        "optimizer": {
            "state": momentum,
            "param_groups": [{"lr": 0.01, "nesterov": True, "params": [0]}],
        },
        "scheduler": {"milestones": [15, 20], "base_lrs": [0.01], "last_epoch": 975},
        "namespace": argparse.Namespace(
            num_classes=200, episode_length=steps, milestones=[15, 20], logger=None, lr=0.01
        ),
    }


# ---- pieces --------------------------------------------------------------------------------------


def layer(state, name, x):
    weight = state[f"{name}.weight"].double()
    return weight.reshape(weight.shape[0], -1) @ x + state[f"{name}.bias"].double()


def batch_norm(state, name, x):
    mean, variance = state[f"{name}.running_mean"].double(), state[f"{name}.running_var"].double()
    return (x - mean) / torch.sqrt(variance + 1e-5) * state[f"{name}.weight"].double() + state[
        f"{name}.bias"
    ].double()


def query_of(state, name, h):
    return layer(
        state, f"{name}.3", torch.relu(batch_norm(state, f"{name}.1", layer(state, f"{name}.0", h)))
    )


def key_of(state, name, feature):
    return torch.relu(batch_norm(state, f"{name}.1", layer(state, f"{name}.0", feature)))


def psi_of(state, image, audio):
    between = torch.relu(layer(state, "net_imageAudio.imageAudio_fc1", torch.cat([image, audio])))
    return layer(state, "net_imageAudio.imageAudio_fc2", between)


def lstm_weight(state, which):
    """Weight norm: each row has the direction of v and the length g."""
    g, v = state[f"rnn.weight_{which}_g"].double(), state[f"rnn.weight_{which}_v"].double()
    return g * v / torch.sqrt((v * v).sum(1, keepdim=True))


def lstm_step(weights, state, x, h, c):
    gates = (
        weights["ih"] @ x
        + state["rnn.bias_ih"].double()
        + weights["hh"] @ h
        + state["rnn.bias_hh"].double()
    )
    i, f, g, o = gates.chunk(4)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def weights_over(query, keys, mask):
    """Softmax over every position of the batch.

    A masked one has a score so low that it gets nothing, unless all have.
    """
    scores = torch.stack([query @ key for key in keys]) / math.sqrt(len(query))
    return torch.softmax(scores * mask + (1 - mask) * MASKED, 0)


# ---- from videos to a batch ----------------------------------------------------------------------


def filled(features, how):
    """A short video with copies of its last moment, or of moments drawn by Python's generator.

    `how` holds their numbers.
    """
    return torch.cat([features, features[how]]) if how else features


def positions_to_copy(length, kind):
    missing = range(FEWEST - length)
    return (
        [length - 1 for _ in missing]
        if kind == "last"
        else [random.randint(0, length - 1) for _ in missing]
    )


def batch_of(videos):
    longest = max(len(video) for video in videos)
    batch, mask = (
        torch.zeros(len(videos), longest, videos[0].shape[1], dtype=torch.double),
        torch.zeros(len(videos), longest),
    )
    for i, video in enumerate(videos):
        batch[i, : len(video)] = video
        mask[i, : len(video)] = 1
    return batch, mask


def between(batch, mask, factor, accidents):
    """Features of every factor-th position, interpolated to all.

    On half pixels over the padding, or on the true time axis.
    """
    if accidents:
        read = batch[:, ::factor].permute(0, 2, 1)
        return (
            F.interpolate(read, size=batch.shape[1], mode="linear").permute(0, 2, 1)
            * mask[..., None]
        )
    out = torch.zeros_like(batch)
    for i in range(len(batch)):
        length = int(mask[i].sum())
        for k in range(length):
            before = k // factor * factor
            after = before + factor if before + factor < length else before
            share = (k - before) / factor
            out[i, k] = (1 - share) * batch[i, before] + share * batch[i, after]
    return out


def mask_out(mask, index, valid, accidents):
    """The mask less one position.

    Used up, it stays so in the public code, and starts again in ours.
    """
    mask = mask.clone()
    mask[index] = 0
    return valid.clone() if not accidents and mask.sum() == 0 else mask


# ---- the two variants ----------------------------------------------------------------------------


def two_modalities(state, videos, steps, factor=1, hard=False, repeats=False, accidents=True):
    """Logits (videos, classes) of a list of (image features, audio features)."""
    pairs = []
    for image, audio in videos:
        copies = positions_to_copy(len(image), "last") if accidents else []
        pairs.append((filled(image, copies), filled(audio, copies)))
    images, mask = batch_of([image for image, _ in pairs])
    audios, _ = batch_of([audio for _, audio in pairs])
    image_bank, audio_bank = (between(x, mask, factor, accidents) for x in (images, audios))
    start_index = torch.argmax(torch.rand(mask.shape) + mask, 1) if accidents else None
    weights = {which: lstm_weight(state, which) for which in ("ih", "hh")}
    logits = []
    for i in range(len(videos)):
        image_keys = [key_of(state, "image_key_conv1x1", x) for x in image_bank[i]]
        audio_keys = [key_of(state, "audio_key_conv1x1", x) for x in audio_bank[i]]
        image, audio = image_bank[i].sum(0) / mask[i].sum(), audio_bank[i].sum(0) / mask[i].sum()
        image_mask, audio_mask, image_index, audio_index = (
            mask[i].double(),
            mask[i].double(),
            None,
            None,
        )
        if accidents:
            image_index = audio_index = start_index[i]
        h = c = torch.zeros(state["rnn.weight_hh_v"].shape[1], dtype=torch.double)
        inputs = []
        for _ in range(steps):
            if not repeats and image_index is not None:
                image_mask = mask_out(image_mask, image_index, mask[i].double(), accidents)
                audio_mask = mask_out(audio_mask, audio_index, mask[i].double(), accidents)
            z = psi_of(state, image, audio)
            h, c = lstm_step(weights, state, z, h, c)
            image_weights = weights_over(
                query_of(state, "image_queryfeature_mlp", h), image_keys, image_mask
            )
            audio_weights = weights_over(
                query_of(state, "audio_queryfeature_mlp", h), audio_keys, audio_mask
            )
            image_index, audio_index = image_weights.argmax(), audio_weights.argmax()
            a = torch.softmax(layer(state, "modality_attention", h), 0)
            image = a[0] * (image_weights @ image_bank[i]) + a[1] * (audio_weights @ image_bank[i])
            audio = a[0] * (image_weights @ audio_bank[i]) + a[1] * (audio_weights @ audio_bank[i])
            inputs.append(z)
            if hard:
                image, audio = (
                    image_bank[i, image_index],
                    audio_bank[i, image_index if accidents else audio_index],
                )
        logits.append(layer(state, "net_classifier.classifier", torch.stack(inputs).mean(0)))
    return torch.stack(logits)


def single_modality(state, videos, steps, factor=1, hard=False, repeats=False, accidents=True):
    """Logits (videos, classes) of a list of features."""
    videos = [filled(x, positions_to_copy(len(x), "random") if accidents else []) for x in videos]
    raw, mask = batch_of(videos)
    bank = between(raw, mask, factor, accidents)
    indexed = raw if accidents else bank
    start_index = torch.argmax(torch.rand(mask.shape) + mask, 1) if accidents else None
    weights = {which: lstm_weight(state, which) for which in ("ih", "hh")}
    logits = []
    for i in range(len(videos)):
        keys = [key_of(state, "key_conv1x1", x) for x in indexed[i]]
        x = indexed[i].sum(0) / mask[i].sum()
        left, index = mask[i].double(), start_index[i] if accidents else None
        h = c = torch.zeros(state["rnn.weight_hh_v"].shape[1], dtype=torch.double)
        averaged = []
        for _ in range(steps):
            if not repeats and index is not None:
                left = mask_out(left, index, mask[i].double(), accidents)
            if not accidents:
                averaged.append(x)
            h, c = lstm_step(weights, state, x, h, c)
            attention = weights_over(query_of(state, "queryfeature_mlp", h), keys, left)
            index = attention.argmax()
            x = attention @ bank[i]
            if accidents:
                averaged.append(x)
            if hard:
                x = bank[i, index]
        logits.append(layer(state, "net_classifier.classifier", torch.stack(averaged).mean(0)))
    return torch.stack(logits)
