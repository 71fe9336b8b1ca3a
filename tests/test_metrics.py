"""Metrics against pixel-by-pixel counting, and against scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from hieratk.decoding import best_path, paths_of
from hieratk.errors import DataError, TaxonomyError
from hieratk.metrics import LevelMetrics
from hieratk.taxonomy.tables import IGNORE
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors
from tests import oracle
from tests.oracle import Truth
from tests.strategies import label_rows, rng, taxonomies

MANY = settings(max_examples=60, deadline=None)
SHAPE = (2, 3, 5)

RAGGED = Taxonomy.from_outline(
    {"water": 1, "plants": {"crops": {"rice": 2, "maize": 3}, "forest": 4}, "built": {"city": {"roof": 5}}},
    classes={"plants": {"pixel": 6}, "crops": {"pixel": 7}},
)


def draw_batch(taxonomy: Taxonomy, data: st.DataObject, *, legal: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Predictions, at times abstaining and no path, and labels at any node."""
    tree, random = TaxonomyTensors(taxonomy), rng(data.draw)
    labels = tree.labels(torch.tensor(data.draw(label_rows(len(tree.index), SHAPE))))
    if legal:
        return paths_of(torch.tensor(random.integers(0, len(tree.paths), SHAPE)), tree), labels
    low = -1 if data.draw(st.booleans()) else 0
    return torch.tensor(np.stack([random.integers(low, size, SHAPE) for size in tree.sizes], 1)), labels


def by_pixel(x: torch.Tensor) -> list[list[int]]:
    return x.movedim(1, -1).flatten(0, -2).tolist()


def same(found: float, expected: float) -> bool:
    return (math.isnan(found) and math.isnan(expected)) or found == pytest.approx(expected, abs=1e-12)


@MANY
@given(taxonomies(), st.data(), st.booleans())
def test_scores_equal_the_slow_truth(taxonomy: Taxonomy, data: st.DataObject, legal: bool) -> None:
    truth, metrics = Truth(taxonomy), LevelMetrics(taxonomy)
    predictions, labels = draw_batch(taxonomy, data, legal=legal)
    metrics.update(predictions[:1], labels[:1])
    metrics.update(predictions[1:], labels[1:])
    pairs = list(zip(by_pixel(predictions), by_pixel(labels), strict=True))
    for i, (name, scores) in enumerate(metrics.compute().items()):
        assert name == taxonomy.level_names[i]
        expected = oracle.scores_of_level([p[i] for p, _ in pairs], [t[i] for _, t in pairs], len(truth.levels[i]))
        for key in ("oa", "miou", "f1", "kappa", "pixels"):
            assert same(getattr(scores, key), expected[key]), key
        assert list(scores.iou) == list(scores.support) == truth.levels[i]
        assert all(same(a, b) for a, b in zip(scores.iou.values(), expected["iou"], strict=True))
        assert list(scores.support.values()) == expected["support"]
        for t, p in np.ndindex(len(truth.levels[i]), len(truth.levels[i])):
            assert metrics.confusion(i)[t, p] == sum(a[i] == p and b[i] == t for a, b in pairs)
        for t in range(len(truth.levels[i])):
            assert metrics.abstained(i)[t] == sum(a[i] < 0 and b[i] == t for a, b in pairs)


@MANY
@given(taxonomies(), st.data(), st.booleans())
def test_consistency_and_hierarchical_scores(taxonomy: Taxonomy, data: st.DataObject, legal: bool) -> None:
    truth, metrics = Truth(taxonomy), LevelMetrics(taxonomy)
    predictions, labels = draw_batch(taxonomy, data, legal=legal)
    metrics.update(predictions, labels)
    pairs = [(p, t) for p, t in zip(by_pixel(predictions), by_pixel(labels), strict=True) if max(t) >= 0]
    paths = [oracle.is_path(truth, p) for p, _ in pairs]
    assert same(metrics.consistency(), sum(paths) / len(paths) if paths else math.nan)
    if legal and pairs:
        assert metrics.consistency() == 1.0
    sets = [oracle.node_sets(truth, p, t) for p, t in pairs]
    both, predicted, true = (
        sum(len(p & t) for p, t in sets),
        sum(len(p) for p, _ in sets),
        sum(len(t) for _, t in sets),
    )
    found = metrics.hierarchical()
    assert same(found.precision, both / predicted if predicted else math.nan)
    assert same(found.recall, both / true if true else math.nan)
    assert same(found.f1, 2 * both / (predicted + true) if predicted + true else math.nan)


def test_scores_equal_scikit_learn() -> None:
    tree, metrics = TaxonomyTensors(RAGGED), LevelMetrics(RAGGED)
    torch.manual_seed(0)
    labels = tree.encode(torch.randint(1, 6, (2, 16, 16)))
    predictions = best_path(torch.randn(2, tree.channels, 16, 16), tree)
    metrics.update(predictions, labels)
    for i, scores in enumerate(metrics.compute().values()):
        t, p = labels[:, i].flatten().numpy(), predictions[:, i].flatten().numpy()
        assert scores.oa == pytest.approx(sk.accuracy_score(t, p))
        assert scores.kappa == pytest.approx(sk.cohen_kappa_score(t, p))
        assert scores.miou == pytest.approx(sk.jaccard_score(t, p, average="macro"))
        assert scores.f1 == pytest.approx(sk.f1_score(t, p, average="macro"))
        assert list(scores.iou.values()) == pytest.approx(sk.jaccard_score(t, p, average=None))
        np.testing.assert_array_equal(metrics.confusion(i), sk.confusion_matrix(t, p))


def test_a_class_that_is_only_predicted_does_not_enter_the_mean() -> None:
    """Truth: three pixels of a. Predicted: a, a, b. c occurs nowhere."""
    metrics = LevelMetrics(Taxonomy.from_outline({"a": 1, "b": 2, "c": 3}))
    metrics.update(torch.tensor([[[0, 0, 1]]]), torch.tensor([[[0, 0, 0]]]))
    scores = metrics.compute()["level1"]
    assert scores.iou["a"] == pytest.approx(2 / 3)
    assert scores.iou["b"] == 0
    assert math.isnan(scores.iou["c"])
    assert scores.miou == pytest.approx(2 / 3)
    assert scores.f1 == pytest.approx(4 / 5)
    assert scores.kappa == pytest.approx(0)
    assert scores.support == {"a": 3, "b": 0, "c": 0}


def test_nothing_scored_is_nan_and_not_zero() -> None:
    metrics = LevelMetrics(RAGGED)
    metrics.update(torch.zeros(1, 3, 2, 2, dtype=torch.int64), torch.full((1, 3, 2, 2), IGNORE))
    metrics.update(torch.zeros(1, 3, 0, 0, dtype=torch.int64), torch.zeros(1, 3, 0, 0, dtype=torch.int64))
    for scores in metrics.compute().values():
        assert scores.pixels == 0
        assert all(math.isnan(value) for value in (scores.oa, scores.miou, scores.f1, scores.kappa))
    assert math.isnan(metrics.consistency())
    assert math.isnan(metrics.hierarchical().f1)


def test_kappa_of_one_class_in_truth_and_prediction_is_nan() -> None:
    metrics = LevelMetrics(Taxonomy.from_outline({"a": 1, "b": 2}))
    metrics.update(torch.zeros(1, 1, 4, dtype=torch.int64), torch.zeros(1, 1, 4, dtype=torch.int64))
    assert metrics.compute()["level1"].oa == 1
    assert math.isnan(metrics.compute()["level1"].kappa)


@settings(max_examples=20, deadline=None)
@given(st.data(), st.integers(1, 5))
def test_merging_parts_equals_counting_all(data: st.DataObject, parts: int) -> None:
    whole, merged, total = LevelMetrics(RAGGED), LevelMetrics(RAGGED), 0
    for _ in range(parts):
        predictions, labels = draw_batch(RAGGED, data, legal=False)
        whole.update(predictions, labels)
        part = LevelMetrics(RAGGED)
        part.update(predictions, labels)
        merged.merge(part)
        total = total + part.state()
    assert torch.equal(whole.state(), merged.state())
    assert torch.equal(whole.state(), total)
    again = LevelMetrics.from_state(RAGGED, whole.state())
    assert repr(again.compute()) == repr(whole.compute())
    again.update(predictions, labels)
    assert not torch.equal(again.state(), whole.state()) or (labels < 0).all(), "the state is shared, not copied"


def test_other_integer_dtypes_count_the_same() -> None:
    tree = TaxonomyTensors(RAGGED)
    labels = tree.encode(torch.randint(0, 8, (1, 8, 8)))
    predictions = best_path(torch.randn(1, tree.channels, 8, 8), tree)
    one, two = LevelMetrics(RAGGED), LevelMetrics(RAGGED)
    one.update(predictions, labels)
    two.update(predictions.to(torch.uint8), labels.to(torch.int16))
    assert torch.equal(one.state(), two.state())


def test_bad_input_is_refused_and_counts_nothing() -> None:
    metrics = LevelMetrics(RAGGED)
    good = torch.zeros(1, 3, 2, 2, dtype=torch.int64)
    with pytest.raises(DataError, match=r"must both be \(B, 3, ...\)"):
        metrics.update(good[:, :2], good)
    with pytest.raises(DataError, match=r"class index 3 at level `level1`, which has 3 classes \(0 to 2\)"):
        metrics.update(good + torch.tensor([3, 0, 0]).view(1, 3, 1, 1), good)
    with pytest.raises(DataError, match="class index 9 at level `level3`"):
        metrics.update(good, good + torch.tensor([0, 0, 9]).view(1, 3, 1, 1))
    assert metrics.state().sum() == 0
    with pytest.raises(TaxonomyError, match=r"different trees: missing: .*; score both with one taxonomy"):
        metrics.merge(LevelMetrics(Taxonomy.from_outline({"a": {"b": {"c": 1}}})))
    state = metrics.state()
    with pytest.raises(DataError, match="this tree needs int64"):
        LevelMetrics.from_state(RAGGED, state[:-1])
    with pytest.raises(DataError, match="this tree needs int64"):
        LevelMetrics.from_state(RAGGED, state.float())
    with pytest.raises(DataError, match="counts below 0"):
        LevelMetrics.from_state(RAGGED, state - 1)
