"""The samplers of SCSampler: losses, choices and networks."""

import itertools
import math
import re
from typing import ClassVar

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from l2l.config import MediaConfig, MotionConfig, SamplerConfig
from l2l.errors import BadInput
from l2l.motion.artifact import Motion, read_motion, write_motion
from l2l.ranking import ranking_loss
from l2l.sampler.choice import (
    best,
    convex_list,
    convex_score,
    empirical,
    histogram_of_oracle,
    intersection_list,
    spread,
    union_list,
)
from l2l.sampler.examples import Pictures, Target, VideoClips
from l2l.sampler.loss import class_loss, right_loss
from l2l.sampler.network import CHANNELS, build_network
from l2l.sampler.rows import (
    POSTER_CLASSIFIERS,
    ROWS,
    chosen_rows,
    joint_start,
    quote,
    single_networks,
)

SMALL = SamplerConfig(
    widths=(4, 4, 8, 8),
    blocks=(1, 1, 1, 1),
    shuffle_widths=(36, 48, 60),
    audio_widths=(4, 4, 8, 8, 8),
    audio_layers=(1, 1, 1, 1, 1),
)
# few values, so that many are equal
saliencies = st.lists(st.integers(0, 9), min_size=1, max_size=20).map(
    lambda values: np.array(values) / 10
)


def some_silent(saliency, silent):
    return np.where([i in silent for i in range(len(saliency))], -np.inf, saliency)


# ---- losses --------------------------------------------------------------------------------------


def plain_ranking_loss(logits, truth, video, margin):
    losses = []
    for i, j in itertools.combinations(range(len(logits)), 2):
        if video[i] == video[j] and truth[i] != truth[j]:
            z = 1 if truth[i] > truth[j] else -1
            losses.append(max(0.0, margin - z * (logits[i] - logits[j])))
    return sum(losses) / len(losses) if losses else 0.0


@given(
    st.lists(
        st.tuples(st.integers(-20, 20), st.integers(0, 4), st.integers(0, 2)),
        min_size=1,
        max_size=12,
    ),
    st.sampled_from([0.0, 0.5, 1.0]),
)
def test_the_ranking_loss_is_that_of_two_plain_loops(clips, margin):
    logits, truth, video = (torch.tensor(values) for values in zip(*clips, strict=True))
    logits = logits.double() / 10
    expected = plain_ranking_loss(logits.tolist(), truth.tolist(), video.tolist(), margin)
    assert float(ranking_loss(logits, truth.double(), video, margin)) == pytest.approx(expected)


def test_the_ranking_loss_is_torchs_own_on_one_pair():
    logits, truth = torch.tensor([0.2, 0.5]), torch.tensor([0.9, 0.1])
    ours = ranking_loss(logits, truth, torch.zeros(2, dtype=torch.long), 0.5)
    theirs = nn.functional.margin_ranking_loss(logits[:1], logits[1:], torch.ones(1), margin=0.5)
    assert float(ours) == pytest.approx(float(theirs)) == pytest.approx(0.8)


def test_the_ranking_loss_is_that_of_ar_nets_own_example():
    """Two videos of three clips: their probabilities of the true class, and two saliencies."""
    truth = torch.tensor([0.4, 0.2, 0.1, 0.1, 0.5, 0.3])
    saliency = torch.tensor([0.3, 0.2, 0.3, 0.1, 0.3, 0.2])
    video = torch.tensor([0, 0, 0, 1, 1, 1])
    assert float(ranking_loss(truth, truth, video, 0)) == 0
    assert float(ranking_loss(saliency, truth, video, 0)) == pytest.approx(0.1 / 6)
    assert float(ranking_loss(saliency, truth, video, 1)) == pytest.approx(5.6 / 6)


def test_a_batch_cut_into_parts_has_the_gradient_of_the_whole_where_pairs_are_equally_many():
    random = torch.Generator().manual_seed(0)
    logits, truth = torch.rand(2, 20, generator=random)
    video = torch.arange(20) // 5

    def gradient(parts):
        x = logits.clone().requires_grad_()
        for part in parts:
            share = len(part) / 20
            (ranking_loss(x[part], truth[part], video[part], 0.5) * share).backward()
        return x.grad

    halves = gradient([torch.arange(10), torch.arange(10, 20)])
    torch.testing.assert_close(halves, gradient([torch.arange(20)]))


def test_pairs_of_different_videos_or_of_equal_truth_teach_nothing():
    logits = torch.tensor([0.0, 3.0, 1.0], requires_grad=True)
    loss = ranking_loss(logits, torch.tensor([0.5, 0.5, 0.1]), torch.tensor([0, 0, 1]), 1.0)
    loss.backward()
    assert float(loss.detach()) == 0
    assert logits.grad.tolist() == [0, 0, 0]


def test_the_other_losses_are_their_formulas():
    scores, label = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.tensor([0, 0])
    expected = -(math.log(math.e / (math.e + 1)) + math.log(1 / (1 + math.exp(2)))) / 2
    assert float(class_loss(scores, label)) == pytest.approx(expected)
    logits, right = torch.tensor([0.3, -0.7]), torch.tensor([True, False])
    likely = 1 / (1 + np.exp([-0.3, 0.7]))
    expected = -(math.log(likely[0]) + math.log(1 - likely[1])) / 2
    assert float(right_loss(logits, right)) == pytest.approx(expected)


# ---- choices -------------------------------------------------------------------------------------


@given(saliencies, st.integers(1, 12), st.sets(st.integers(0, 19)))
def test_the_best_are_at_least_as_salient_as_the_others(saliency, clips, silent):
    said = some_silent(saliency, silent)
    chosen = best(said, clips)
    assert chosen == sorted(set(chosen))
    assert len(chosen) == min(clips, len(said))
    others = [said[i] for i in range(len(said)) if i not in chosen]
    assert not others or min(said[chosen]) >= max(others)


def test_among_equals_the_earlier_clip_is_chosen():
    assert best(np.array([1.0, 2, 2, 2]), 2) == [1, 2]


def test_where_few_clips_have_sound_the_rest_is_spread():
    silent = np.full(10, -np.inf)
    assert best(silent, 2) == spread(range(10), 2) == [2, 7]
    silent[4] = 0.1
    assert best(silent, 3) == [2, 4, 7]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=20),
    st.integers(2, 12),
    st.integers(1, 11),
    st.sets(st.integers(0, 19)),
)
def test_the_union_is_the_best_by_eye_then_the_best_others_by_ear(pairs, clips, seen, silent):
    seen = min(seen, clips - 1)
    visual, audio = (np.array(values, float) for values in zip(*pairs, strict=True))
    audio = some_silent(audio, silent)
    chosen = union_list(visual, audio, clips, seen)
    by_eye = best(visual, seen)
    assert set(by_eye) <= set(chosen)
    assert len(set(chosen)) == len(chosen) == min(clips, len(pairs))
    others = [i for i in range(len(pairs)) if i not in by_eye]
    heard = [i for i in others if audio[i] > -np.inf]
    rest = [others[j] for j in best(audio[others], clips - seen)] if others else []
    if len(heard) >= clips - seen:
        assert chosen == sorted([*by_eye, *rest])
    else:  # the eye gives the rest
        assert set(heard) <= set(chosen)


def test_without_any_sound_the_eye_gives_all():
    visual, silent = np.arange(8.0), np.full(8, -np.inf)
    assert union_list(visual, silent, 4, 2) == best(visual, 4) == [4, 5, 6, 7]


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=20),
    st.integers(2, 8),
)
def test_lists_do_not_change_where_a_saliency_is_stretched(pairs, clips):
    visual, audio = (np.array(values, float) for values in zip(*pairs, strict=True))
    for choose in (
        lambda v, a: convex_list(v, a, clips, 0.8),
        lambda v, a: intersection_list(v, a, clips),
        lambda v, a: union_list(v, a, clips, 1),
    ):
        assert choose(visual, audio) == choose(np.exp(visual), 3 * audio - 7)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=20),
    st.integers(2, 8),
)
def test_a_convex_choice_of_one_alone_is_its_best(pairs, clips):
    visual, audio = (np.array(values, float) for values in zip(*pairs, strict=True))
    for convex in (convex_score, convex_list):
        assert convex(visual, audio, clips, 1) == best(visual, clips)
        assert convex(visual, audio, clips, 0) == best(audio, clips)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=2, max_size=20),
    st.integers(2, 8),
)
def test_a_convex_score_changes_only_where_one_saliency_is_stretched_and_not_the_other(
    pairs, clips
):
    visual, audio = (np.array(values, float) for values in zip(*pairs, strict=True))
    chosen = convex_score(visual, audio, clips, 0.75)
    assert convex_score(4 * visual, 4 * audio, clips, 0.75) == chosen
    assert convex_score(np.array([0.0, 1, 3]), np.array([2.0, 1, 0]), 1, 0.5) == [2]
    assert convex_score(np.array([0.0, 1, 3]), np.array([8.0, 1, 0]), 1, 0.5) == [0]


@given(st.permutations(range(9)), st.permutations(range(9)), st.integers(2, 8))
def test_the_intersection_holds_what_both_have_among_their_first(visual, audio, clips):
    visual, audio = np.array(visual, float), np.array(audio, float)
    m = next(m for m in range(10) if len({*best(visual, m)} & {*best(audio, m)}) >= clips)
    both = {*best(visual, m)} & {*best(audio, m)}
    chosen = set(intersection_list(visual, audio, clips))
    assert len(chosen) == clips
    assert chosen <= both
    assert {*best(visual, m - 1)} & {*best(audio, m - 1)} <= chosen


def test_no_choice_has_more_of_the_true_class_than_the_oracle():
    truth = np.random.default_rng(0).random(6)
    sums = [truth[list(each)].sum() for each in itertools.combinations(range(6), 3)]
    assert truth[best(truth, 3)].sum() == pytest.approx(max(sums))


def test_the_empirical_choice_draws_where_the_oracle_found_clips():
    truths = [np.eye(10)[i] for i in (7, 7, 7, 2)]
    shares = histogram_of_oracle(truths, 1, 10)
    assert shares.tolist() == [0, 0, 0.25, 0, 0, 0, 0, 0.75, 0, 0]
    generator = np.random.default_rng(0)
    drawn = [empirical(shares, 10, 1, generator) for _ in range(2000)]
    assert 0.72 < np.mean([each == [7] for each in drawn]) < 0.78
    assert {tuple(each) for each in drawn} == {(2,), (7,)}
    assert len(set(empirical(shares, 10, 4, generator))) == 4
    assert empirical(shares, 3, 10, generator) == [0, 1, 2]


# ---- networks ------------------------------------------------------------------------------------


def weighted_layers(network):
    return sum(isinstance(each, nn.Conv2d | nn.Linear) for each in network.modules())


def macs(network, kind, *shape):
    from l2l.evaluation.cost import count_macs

    picture = torch.zeros(1, CHANNELS[kind], *shape)
    return count_macs(lambda: network.eval()(picture, torch.zeros(1, dtype=torch.long), 1))


def test_networks_of_full_size_have_the_layers_and_costs_that_are_known():
    config = SamplerConfig()
    resnet = build_network("displacement", "resnet18", 487, config)
    assert macs(resnet, "displacement", 14, 14) / 1e6 == pytest.approx(15.5, abs=0.05)
    # torchvision's resnet18 without its head, and its first convolution for 2 channels instead of 3
    of_trunk = sum(x.numel() for x in resnet.trunk.parameters())
    assert of_trunk == 11_689_512 - 1000 * 513 - 64 * 49
    assert sum(x.numel() for x in resnet.parameters()) - of_trunk == 487 * 513 + 2 * 2
    shuffle = build_network("displacement", "shufflenet26", 487, config)
    assert weighted_layers(shuffle) == 26
    assert macs(shuffle, "displacement", 14, 14) / 1e6 == pytest.approx(0.97, abs=0.01)
    assert weighted_layers(build_network("audio", "vgg", 1, config)) == 18


@pytest.mark.parametrize(
    ("kind", "network", "shape"),
    [
        ("displacement", "resnet18", (8, 8)),
        ("residual", "shufflenet26", (8, 8)),
        ("frame", "resnet18", (24, 24)),
        ("audio", "vgg", (33, 20)),
    ],
)
def test_a_clip_gives_the_mean_of_its_pictures_with_any_other_clips(kind, network, shape):
    torch.manual_seed(0)
    built = build_network(kind, network, 3, SMALL).eval()
    pictures = torch.randn(6, CHANNELS[kind], *shape)
    clip = torch.tensor([0, 0, 1, 2, 2, 2])
    with torch.inference_mode():
        together = built(pictures, clip, 3)
        one = torch.zeros(1, dtype=torch.long)
        single = torch.cat([built(picture[None], one, 1) for picture in pictures])
        last = built(pictures[3:], clip[3:] - 2, 1)
    means = torch.stack([single[clip == i].mean(0) for i in range(3)])
    torch.testing.assert_close(together, means, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(together[2:], last, atol=1e-5, rtol=1e-4)


def test_a_network_of_another_input_is_refused():
    with pytest.raises(ValueError, match="vgg does not read frame"):
        build_network("frame", "vgg", 1, SMALL)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"seen": 10}, "seen 10 must be less than clips 10"),
        ({"clips": 4, "seen": 6}, "seen 6 must be less than clips 4"),
        ({"shuffle_widths": (30, 60, 96)}, "multiples of 12"),
        ({"shuffle_widths": (48, 36, 60)}, "that rise from more than 24"),
        ({"visual_weight": 1.5}, "visual_weight"),
        ({"margin": -0.1}, "margin"),
    ],
)
def test_a_section_that_cannot_be_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        SamplerConfig(**values)


# ---- rows ----------------------------------------------------------------------------------------


POSTER = {  # top-1 in percent, minutes
    "visual_class": (73.05, ""),
    "visual_right": (63.17, ""),
    "visual_ranking": (64.77, ""),
    "audio_class": (66.37, ""),
    "audio_right": (58.73, ""),
    "audio_ranking": (67.82, ""),
    "displacement": (63.5, "19.8 min"),
    "residual": (68.0, "20.4 min"),
    "motion": (73.1, "20.9 min"),
    "motion_frame": (74.9, "27.3 min"),
    "motion_shufflenet": (67.9, "19.1 min"),
    "motion_frame_shufflenet": (69.9, "23.8 min"),
    "union": (75.98, "23.4 min"),
    "joint": (75.53, "23.4 min"),
    "visual": (73.05, "20.9 min"),
    "audio": (67.82, "22.0 min"),
}


def test_the_rows_quote_the_poster():
    quotes = {row.name: quote(row, "mvit_v2_s") for row in ROWS}
    found = {name: each[:2] for name, each in quotes.items() if each.dataset == "miniSports"}
    assert {name: each for name, each in found.items() if each != (None, "")} == POSTER
    of_others = {row.name: quote(row, "mc3_18") for row in ROWS if row.table == "classifier"}
    assert of_others["scsampler"] == (72.8, "0.8 days", "Sports1M, MC3-18")
    assert of_others["dense"] == (66.6, "12.9 days", "Sports1M, MC3-18")
    assert of_others["ours_dense"].top1 is of_others["confidence"].top1 is None
    assert quotes["oracle"] == (87.0, "", "Sports1M, R(2+1)D-18"), "there is no line of MViT"
    assert len({row.name for row in ROWS}) == len(ROWS)
    assert len(single_networks(ROWS)) == 13  # and the joint one


def test_every_recogniser_of_the_poster_is_quoted_as_printed(media):
    poster = media.parent / "paper/scsampler-poster.txt"
    if not poster.is_file():
        pytest.skip(f"needs the poster's text, {poster}")
    lines = iter(
        line
        for line in poster.read_text(encoding="utf-8").splitlines()
        if re.match(r"(MC3|R\(2|R3D|ir-CSN|I3D)[^ ]*\t", line)
    )
    for each in POSTER_CLASSIFIERS:
        name, *cells = next(lines).split("\t")
        name = name.rstrip("*").replace("+1D)", "+1)D")  # a slip of the text
        assert name == each.name.partition(",")[0]
        sampler, days, drawn, drawn_days, *rest = (*cells, "", "")
        quoted = [each.top1[row] for row in ("random", "uniform", "empirical")]
        assert [float(sampler), *map(float, drawn.split("/"))] == [each.top1["scsampler"], *quoted]
        if each.dataset == "Sports1M":
            whole = [each.top1["dense"], each.days["dense"], each.top1["oracle"]]
            assert list(map(float, filter(None, rest))) == whole
            assert [float(days), float(drawn_days)] == [each.days["scsampler"], each.days["random"]]
    assert next(lines, None) is None


def test_only_networks_that_a_chosen_row_reads_are_trained():
    assert single_networks(chosen_rows(["audio", "uniform"])) == ("audio-ranking-vgg",)
    assert single_networks(chosen_rows(["joint"])) == joint_start()
    with pytest.raises(BadInput, match=r"sampler\.rows: found 'sound', expected some of visual_c"):
        chosen_rows(["sound"])


def test_what_is_kept_is_read_before_the_training_begins_for_all_processes_that_load():
    class Counted(Pictures):
        read: ClassVar[list[str]] = []

        def _read(self, video):
            self.read.append(video)
            return [np.zeros((1, 1, 2, 2), np.float32)] * 2  # 32 bytes

    videos = ["a", "b", "c", "d"]
    pictures = Counted("audio", {}, 64)
    targets = {video: Target(0, np.ones(2, np.float32), np.ones(2, bool)) for video in videos}
    has_sound = dict.fromkeys(videos, np.ones(2, bool))
    train, val = (
        VideoClips(some, {"audio": pictures}, targets, has_sound, 2, 1, False, False)
        for some in (videos[:3], videos[3:])
    )
    Counted.read.clear()
    for number, video in enumerate(videos[:3]):
        assert len(train[number, number].video) == 2
        assert Counted.read == ([] if number < 2 else [video])
    assert len(val[0, 0].video) == 2
    assert Counted.read == ["c", "d"]


def test_a_moment_of_key_pictures_alone_gives_one_picture_of_zeros(tmp_path):
    section = MotionConfig(pixels=32, stride=4)
    for count, moving in ((1, [1]), (5, [3, 1]), (13, [3, 4, 4, 1])):
        motion = Motion(
            np.ones((count, 2, 2, 2), np.int8),
            np.ones((count, 3, 2, 2), np.int8),
            (np.arange(count) % 12).astype(np.uint8),
        )
        with write_motion(tmp_path / "m.h5", section, MediaConfig()) as writer:
            writer.add("v", motion)
        with read_motion(tmp_path / "m.h5") as reader:
            for kind in ("displacement", "residual"):
                moments = Pictures(kind, {"v": reader}, 0).moments("v")
                assert [len(each) for each in moments] == moving
                assert all(each.all() for each in moments[:-1])
                assert moments[-1].any() == (count == 5)
