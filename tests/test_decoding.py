"""Decoders against plain loops over paths."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hieratk.decoding import best_path, independent, is_path, leaf_first, paths_of, top_down
from hieratk.errors import ConfigError
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors
from tests import oracle
from tests.oracle import Truth
from tests.strategies import rng, taxonomies

MANY = settings(max_examples=60, deadline=None)
SHAPE = (2, 1, 3)
DECODERS = (best_path, leaf_first, top_down, independent)
LEGAL = (best_path, leaf_first, top_down)

TWO = Taxonomy.from_outline({"a": {"b": 1, "c": 2}, "d": {"e": 3}})  # channels a d | b c e


def draw_logits(data: st.DataObject, channels: int, *, ties: bool) -> torch.Tensor:
    random = rng(data.draw)
    shape = (SHAPE[0], channels, *SHAPE[1:])
    return torch.tensor(random.integers(-2, 3, shape).astype(float) if ties else random.normal(size=shape) * 4)


def by_pixel(x: torch.Tensor) -> np.ndarray:
    return x.movedim(1, -1).flatten(0, -2).numpy()


@MANY
@given(taxonomies(), st.data())
def test_best_path_is_the_best_of_all_paths(taxonomy: Taxonomy, data: st.DataObject) -> None:
    truth, tree = Truth(taxonomy), TaxonomyTensors(taxonomy)
    logits = draw_logits(data, tree.channels, ties=False)
    weights = data.draw(
        st.none() | st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0]), min_size=truth.depth, max_size=truth.depth)
    )
    found = by_pixel(best_path(logits, tree, level_weights=weights))
    for pixel, z in enumerate(by_pixel(logits)):
        scores = oracle.path_scores(truth, z, weights or [1.0] * truth.depth)
        paths = [oracle.path_of(truth, leaf) for leaf in truth.leaves]
        chosen = paths.index(found[pixel].tolist())  # a ValueError here is a path that does not exist
        assert scores[chosen] == pytest.approx(max(scores), abs=1e-9)
        if sorted(scores)[-2:][0] < max(scores) - 1e-9:
            assert chosen == oracle.first_best(scores)


@MANY
@given(taxonomies(), st.data(), st.booleans())
def test_leaf_first_top_down_and_independent(taxonomy: Taxonomy, data: st.DataObject, ties: bool) -> None:
    truth, tree = Truth(taxonomy), TaxonomyTensors(taxonomy)
    logits = draw_logits(data, tree.channels, ties=ties)
    leaf, greedy, single = (by_pixel(decode(logits, tree)) for decode in (leaf_first, top_down, independent))
    for pixel, z in enumerate(by_pixel(logits)):
        of_leaves = [float(z[truth.channel(truth.depth - 1, v)]) for v in range(len(truth.leaves))]
        assert leaf[pixel].tolist() == oracle.path_of(truth, truth.leaves[oracle.first_best(of_leaves)])
        assert greedy[pixel].tolist() == oracle.top_down(truth, z)
        assert single[pixel].tolist() == oracle.independent(truth, z)


@MANY
@given(taxonomies(), st.data())
def test_ties_go_to_the_first_path(taxonomy: Taxonomy, data: st.DataObject) -> None:
    """Small integers add up without rounding, so equal scores are equal."""
    truth, tree = Truth(taxonomy), TaxonomyTensors(taxonomy)
    logits = draw_logits(data, tree.channels, ties=True)
    found = by_pixel(best_path(logits, tree))
    for pixel, z in enumerate(by_pixel(logits)):
        sums = [sum(z[truth.channel(i, c)] for i, c in enumerate(oracle.path_of(truth, leaf))) for leaf in truth.leaves]
        assert found[pixel].tolist() == oracle.path_of(truth, truth.leaves[oracle.first_best(sums)])


@MANY
@given(taxonomies(), st.data())
def test_is_path(taxonomy: Taxonomy, data: st.DataObject) -> None:
    truth, tree = Truth(taxonomy), TaxonomyTensors(taxonomy)
    random = rng(data.draw)
    classes = np.stack([random.integers(-1, size, (1, 6)) for size in tree.sizes], 1)
    leaves = torch.tensor(random.integers(0, len(truth.leaves), (1, 6)))
    for predictions in (torch.tensor(classes), paths_of(leaves, tree)):
        found = is_path(predictions, tree)[0]
        for pixel, path in enumerate(by_pixel(predictions)):
            assert bool(found[pixel]) == oracle.is_path(truth, path.tolist())


@pytest.mark.parametrize("decode", LEGAL)
@pytest.mark.parametrize("value", [float("nan"), float("-inf"), float("inf")])
def test_broken_logits_still_give_a_path(decode: type[best_path], value: float) -> None:
    tree = TaxonomyTensors(TWO)
    for broken in range(tree.channels):
        logits = torch.zeros(1, tree.channels, 1, 1)
        logits[:, broken] = value
        assert is_path(decode(logits, tree), tree).all()
    logits = torch.full((1, tree.channels, 1, 1), value)
    assert is_path(decode(logits, tree), tree).all()


def test_a_child_of_logit_minus_infinity_beats_a_class_that_is_no_child() -> None:
    tree = TaxonomyTensors(TWO)
    logits = torch.tensor([0.0, 1.0, 5.0, 5.0, -torch.inf]).view(1, 5, 1)
    assert top_down(logits, tree).flatten().tolist() == [1, 2]
    assert top_down(torch.where(logits == 5.0, -torch.inf, logits), tree).flatten().tolist() == [1, 2]


@pytest.mark.parametrize("decode", DECODERS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_any_float_dtype(decode: type[best_path], dtype: torch.dtype) -> None:
    tree = TaxonomyTensors(TWO)
    logits = (torch.randn(2, tree.channels, 3, 4) * 3).to(dtype)
    before = logits.clone()
    found = decode(logits, tree)
    assert found.shape == (2, 2, 3, 4)
    assert found.dtype == torch.int64
    assert torch.equal(found, decode(logits.double(), tree))
    assert torch.equal(logits, before), "the logits were written to"


def test_the_four_answers_differ_where_they_should() -> None:
    tree = TaxonomyTensors(TWO)
    logits = torch.tensor([1.0, 0.9, 0.0, 0.1, 0.5]).view(1, 5, 1)
    assert independent(logits, tree).flatten().tolist() == [0, 2]
    assert top_down(logits, tree).flatten().tolist() == [0, 1]
    assert leaf_first(logits, tree).flatten().tolist() == [1, 2]
    assert best_path(logits, tree).flatten().tolist() == [1, 2]
    assert best_path(logits, tree, level_weights=[10, 1]).flatten().tolist() == [0, 1]
    assert not is_path(independent(logits, tree), tree).any()


def test_half_scores_add_up_in_float32() -> None:
    """2048 + 1 is 2048 in float16: a sum in the logits' own dtype would lose the second level."""
    tree = TaxonomyTensors(TWO)
    logits = torch.tensor([2048.0, 0.0, 0.0, 1.0, 0.0], dtype=torch.float16).view(1, 5, 1)
    assert best_path(logits, tree).flatten().tolist() == [0, 1]


def test_wrong_number_of_weights_is_refused() -> None:
    tree = TaxonomyTensors(TWO)
    with pytest.raises(ConfigError, match=r"3 level_weights for 2 levels \(level1, level2\); give one a level"):
        best_path(torch.zeros(1, 5, 1), tree, level_weights=[1, 1, 1])
