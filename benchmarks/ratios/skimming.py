"""A training step of the skimmer against the same network as the public code computes it."""

from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F
from bench import Row
from torch import Tensor, nn

from l2l.skimmer.network import Skimmer
from l2l.training import device

VIDEOS, MOMENTS, STEPS, CLASSES, WIDTH, LSTM = 256, 220, 10, 200, 512, 1024
MASKED = -1e35  # what the public code gives a score that is masked


class PlainSkimmer(nn.Module):
    """The network of the public code, plainly written: each modality is read by each query, a
    score is masked by arithmetic, and the LSTM's weights have weight norm. In tests,
    tests/support/reference.py restates it video by video.
    """

    def __init__(self) -> None:
        super().__init__()
        self.psi = nn.Sequential(nn.Linear(2 * WIDTH, LSTM), nn.ReLU(), nn.Linear(LSTM, WIDTH))
        self.keys = nn.ModuleList(
            nn.Sequential(nn.Conv1d(WIDTH, WIDTH, 1), nn.BatchNorm1d(WIDTH), nn.ReLU())
            for _ in range(2)
        )
        self.queries = nn.ModuleList(
            nn.Sequential(
                nn.Linear(LSTM, LSTM), nn.BatchNorm1d(LSTM), nn.ReLU(), nn.Linear(LSTM, WIDTH)
            )
            for _ in range(2)
        )
        self.rnn = nn.LSTMCell(WIDTH, LSTM)
        for name in ("weight_ih", "weight_hh"):
            nn.utils.parametrizations.weight_norm(self.rnn, name)
        self.modality_attention = nn.Linear(LSTM, 2)
        self.classifier = nn.Linear(WIDTH, CLASSES)

    def forward(self, features: list[Tensor], mask: Tensor) -> Tensor:
        """Logits (videos, classes) of features (videos, moments, channel)."""
        keys = [net(x.transpose(1, 2)) for net, x in zip(self.keys, features, strict=True)]
        seen = [(x * mask[..., None]).sum(1) / mask.sum(1, keepdim=True) for x in features]
        free = [mask.clone(), mask.clone()]
        h = c = features[0].new_zeros(len(mask), LSTM)
        fused = []
        for _ in range(STEPS):
            z = self.psi(torch.cat(seen, 1))
            h, c = self.rnn(z, (h, c))
            weights = []
            for i, query in enumerate(self.queries):
                scores = torch.bmm(query(h)[:, None], keys[i])[:, 0] / WIDTH**0.5
                weights.append(torch.softmax(scores * free[i] + (1 - free[i]) * MASKED, 1))
                free[i] = free[i].scatter(1, weights[i].argmax(1, keepdim=True), 0)
            trust = self.modality_attention(h).softmax(1)
            read = [[torch.bmm(w[:, None], x)[:, 0] for w in weights] for x in features]
            seen = [trust[:, :1] * a + trust[:, 1:] * b for a, b in read]
            fused.append(z)
        return self.classifier(torch.stack(fused, 1).mean(1))


def rows(_: Path, videos: int = VIDEOS) -> Iterator[Row]:
    """Forward, backward and the update on a batch of whole videos, full size."""
    where = device()
    torch.manual_seed(0)
    features = [torch.randn(videos, MOMENTS, WIDTH, device=where).relu_() for _ in range(2)]
    labels = torch.randint(CLASSES, (videos,), device=where)
    present = torch.ones(videos, MOMENTS, dtype=torch.bool, device=where)
    ours = Skimmer({"image": WIDTH, "audio": WIDTH}, CLASSES).to(where)
    plain = PlainSkimmer().to(where)
    named = dict(zip(("image", "audio"), features, strict=True))

    def step_of(network: nn.Module, *inputs: object) -> None:
        logits = network(*inputs)
        loss = F.cross_entropy(getattr(logits, "logits", logits), labels)
        network.zero_grad()
        loss.backward()
        optimizers[network].step()

    optimizers = {
        each: torch.optim.SGD(each.parameters(), 0.01, momentum=0.9) for each in (ours, plain)
    }
    yield Row(
        f"skimmer, training step, batch {videos}, {MOMENTS} moments, {STEPS} steps",
        "the public code's computation, plainly written",
        lambda: step_of(ours, named, present, STEPS),
        lambda: step_of(plain, features, present.float()),
        1.5,
    )
