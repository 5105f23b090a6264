"""The ranked sampler: what it chooses, how it answers, and its loss in plain loops."""

import numpy as np
import pytest
import torch
from skimmer_world import made_up, small_network

from l2l.ranking import ranking_loss
from l2l.skimmer.padding import pad_videos


def test_the_mean_probabilities_of_the_best_scored_moments_are_the_answer():
    network = small_network("ranked")
    videos = made_up([7, 2])
    output = network(*pad_videos(videos))
    for i, video in enumerate(videos):
        with torch.no_grad():
            fused, scores = network.fused_and_scores(*pad_videos([video]))
            probabilities = network.classifier(fused).softmax(1)
        best = sorted(range(len(scores)), key=lambda k: -float(scores[k]))[:3]
        torch.testing.assert_close(output.logits[i].exp(), probabilities[best].mean(0))
        expected = torch.zeros(7)
        expected[best] = 1 / len(best)
        torch.testing.assert_close(output.weights[i], expected)


@pytest.mark.parametrize("least_gap", [0.0, 0.3])
def test_the_ranking_loss_is_the_mean_hinge_over_pairs_of_one_video_far_enough_apart(least_gap):
    random = np.random.default_rng(4)
    scores, truth = random.normal(size=9), random.random(9)
    truth[3] = truth[2]
    video = np.array([0, 0, 0, 0, 1, 1, 1, 2, 2])
    hinges = [
        max(0, 0.5 - (scores[i] - scores[j]))
        for i in range(9)
        for j in range(9)
        if video[i] == video[j] and truth[i] - truth[j] > least_gap
    ]
    given = (torch.from_numpy(each) for each in (scores, truth, video))
    loss = ranking_loss(*given, margin=0.5, least_gap=least_gap)
    assert float(loss) == pytest.approx(np.mean(hinges))


def test_a_training_step_ranks_by_the_classifiers_own_answers_and_changes_the_scores_alone():
    network = small_network("ranked")
    features, present = pad_videos(made_up([6, 4]))
    labels = torch.tensor([1, 3])
    with torch.no_grad():
        fused, scores = network.fused_and_scores(features, present)
        probabilities = network.classifier(fused).softmax(1)
    video = torch.tensor([0] * 6 + [1] * 4)
    truth = probabilities[torch.arange(10), labels[video]]
    loss = network.loss(features, present, labels, 1.0, 0.0)
    torch.testing.assert_close(loss, ranking_loss(scores, truth, video, 1.0))
    loss.backward()
    assert network.classifier.weight.grad is None
    assert network.scorer[0].weight.grad.abs().sum() > 0
