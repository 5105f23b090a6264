"""From the published features and checkpoints to Table 1 and Fig. 6, by one command."""

import json

import numpy as np
import pytest
import reference
import torch
from reference_world import HEAD, Release, theirs
from sklearn.metrics import average_precision_score

from l2l.__main__ import main
from l2l.config import EvaluationConfig
from l2l.evaluation.artifact import read_evaluation_table
from l2l.evaluation.videos.methods import METHODS, uniform
from l2l.reference.stage import import_checkpoint, import_features
from l2l.student.artifact import load_start, student_around
from l2l.tools.evaluate_release import rows_of

PAPER_ROWS = [method.label for method in METHODS if method.paper]
PAIR_GMACS = 1.0968  # a frame and a second of sound by two ResNet-18, as the paper counts them
BRIEF = {
    "lstm_width": 16,
    "key_width": 8,
    "query_width": 8,
    "steps": 3,
    "training": {"epochs": 1, "batch_size": 4, "learning_rate": 0.01},
}
EVALUATION = {"random_draws": 2, "moments": 4}


class Published:
    """A release of seven test videos and six training videos of three classes, and its files."""

    def __init__(self, folder):
        self.state = reference.two_modalities_state(3, 512, psi=16, hidden=16, key=8, query=8)
        for name in ("skimmer.pth", "head.pth", "train.txt", "test.txt"):
            setattr(self, name.partition(".")[0], folder / name)
        torch.save(reference.checkpoint(self.state, 5), self.skimmer)
        head = {name: x for name, x in self.state.items() if name.startswith(HEAD)}
        torch.save(head, self.head)
        self.videos = Release(folder / "t", (12, 25, 31, 10, 22, 14, 17))
        self.train = Release(folder / "r", (12, 5, 31, 10, 22, 14), seed=1).pickled()
        self.test = self.videos.pickled()
        self.labels = np.array(self.videos.labels)

    def moment_probabilities(self):
        """Of each test video, by the published classifier: (moments, classes)."""
        weight, bias = (self.state[f"net_classifier.classifier.{n}"] for n in ("weight", "bias"))
        return [
            (torch.from_numpy(video["imageAudio_features"]) @ weight.T + bias)
            .double()
            .softmax(1)
            .numpy()
            for video in self.videos.videos.values()
        ]

    def skimmed(self, factor=1):
        """The class probabilities of each test video, by the public code's formula."""
        videos = [
            {m: torch.from_numpy(video[f"{m}_features"]) for m in ("image", "audio")}
            for video in self.videos.videos.values()
        ]
        logits = theirs("two", self.state, videos, 5, factor=factor, accidents=False)
        return logits.softmax(1).numpy()

    def metrics(self, probabilities):
        """Top-1 and mAP in percent, by scikit-learn."""
        top1 = (probabilities.argmax(1) == self.labels).mean()
        precisions = [
            average_precision_score(self.labels == c, probabilities[:, c])
            for c in np.unique(self.labels)
        ]
        return 100 * top1, 100 * np.mean(precisions)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return Published(tmp_path_factory.mktemp("published"))


def command(published, out, *options):
    return [
        *("evaluate_release", str(published.test), str(out), "--head", str(published.head)),
        *("--evaluation", json.dumps(EVALUATION), *map(str, options)),
    ]


def test_one_command_gives_every_row_of_table_1_and_fig_6(published, tmp_path, capsys):
    given = ("--skimmer", published.skimmer, "--train", published.train)
    assert main(command(published, tmp_path, *given, "--config", json.dumps(BRIEF))) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line.split("  ")[0] for line in printed] == ["ActivityNet", *PAPER_ROWS]
    assert printed[-1].split()[-1] == "71.1"  # the paper's own
    rows = {row["method"]: row for row in read_evaluation_table(tmp_path / "evaluation/table1.tsv")}

    each = published.moment_probabilities()
    counts = [len(x) for x in each]
    expected = {
        "dense": np.stack([x.mean(0) for x in each]),
        "uniform": np.stack([x[uniform(len(x), 4)].mean(0) for x in each]),
        "front": np.stack([x[:4].mean(0) for x in each]),
        "ours_dense": published.skimmed(),
        "ours_sparse": published.skimmed(5),
    }
    for name, probabilities in expected.items():
        found = [float(rows[name][column]) for column in ("top1", "map")]
        assert found == pytest.approx(published.metrics(probabilities), abs=0.01), name
        assert float(rows[name]["map_interpolated"]) >= float(rows[name]["map"])
        assert rows[name]["pictures_decoded"] == ""  # no video
    assert len({(row["top1"], row["map"]) for row in rows.values()}) > 3
    dense = float(rows["dense"]["gmacs_per_video"])
    assert dense == pytest.approx(np.mean(counts) * PAIR_GMACS, rel=1e-3)

    tradeoff = read_evaluation_table(tmp_path / "evaluation/tradeoff.tsv")
    assert [int(row["factor"]) for row in tradeoff[::5]] == list(range(1, 21))
    for factor, name in ((1, "ours_dense"), (5, "ours_sparse")):
        (row,) = (r for r in tradeoff if (r["factor"], r["steps"]) == (str(factor), "5"))
        assert {c: rows[name][c] for c in row if c in rows[name]} == {
            c: row[c] for c in row if c in rows[name]
        }
    assert {path.stem for path in (tmp_path / "figures").iterdir()} >= {"tradeoff", "table1"}


def test_without_a_training_list_the_rows_that_are_trained_are_left_out():
    possible, left_out = rows_of(EvaluationConfig(), can_train=False)
    assert [method.label for method in left_out] == ["LSTM", "Non-Recurrent"]
    assert [method.label for method in possible] == [
        label for label in PAPER_ROWS if label not in ("LSTM", "Non-Recurrent")
    ]
    assert rows_of(EvaluationConfig(), can_train=True)[1] == []


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ([], "expected --skimmer, a checkpoint, or --train"),
        (
            ["--skimmer", "none.pth", "--evaluation", '{"methods": ["uniform", "lstm"]}'],
            "evaluation.methods: found lstm, which is trained; give --train",
        ),
        (["--skimmer", "none.pth"], "none.pth: no such file; expected a checkpoint of the public"),
    ],
)
def test_what_is_missing_is_answered_in_one_line(published, options, line, tmp_path, capsys):
    assert main(command(published, tmp_path, *options)) == 1
    assert line in capsys.readouterr().err
    assert not (tmp_path / "evaluation").exists()


def test_a_head_of_other_widths_has_no_costs(published, tmp_path):
    state = reference.two_modalities_state(3, 6, psi=16, hidden=16, key=8, query=8)
    torch.save({name: x for name, x in state.items() if name.startswith(HEAD)}, tmp_path / "n.pth")
    import_checkpoint(tmp_path / "n.pth", tmp_path / "head.pt")
    with pytest.raises(Exception, match="reads 12 channels, expected 1024"):
        student_around(tmp_path / "head.pt", load_start(tmp_path / "head.pt"))


def test_score_prints_accuracy_of_each_split(published, tmp_path, capsys):
    ours, store = tmp_path / "ours.pt", tmp_path / "store"
    import_checkpoint(published.skimmer, ours)
    import_features(published.train, store, split="train", checkpoint=ours)
    import_features(published.test, store, split="test", checkpoint=ours)
    scores = ["--scores", str(tmp_path / "scores.tsv")]
    asked = ["score", "--checkpoint", str(ours), "--features", str(store), *scores]
    assert main(asked) == 0
    train, test = capsys.readouterr().out.splitlines()
    top1, precision = published.metrics(published.skimmed())
    assert train.startswith("train: 6 videos, top-1 ")
    assert test.startswith(f"test: 7 videos, top-1 {top1:.2f} %, mAP {precision:.2f} %, interpol")
    (tmp_path / "store.videos.tsv").unlink()
    assert main(asked) == 0
    assert capsys.readouterr().out == ""  # no labels
    assert main([*asked, "--videos", str(tmp_path / "none.tsv")]) == 1
