"""Decoders against plain loops over paths."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hieratk.decoding import (
    LEVELS,
    UNDECIDED,
    Posterior,
    abstaining,
    best_path,
    decoder,
    expected_cost,
    heaviest_path,
    hf1_optimal,
    independent,
    is_path,
    leaf_first,
    leaf_posterior,
    least_distance,
    path_posterior,
    paths_of,
    sibling_path,
    sibling_posterior,
    tempered,
    top_down,
)
from hieratk.errors import ConfigError
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors
from tests import oracle
from tests.loss_truth import TREES, Label, Scene, sibling_leaves, tree_of
from tests.oracle import Truth
from tests.packages import SoftmaxTree, branching_tree
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
def test_the_most_probable_class_of_every_level_where_logits_add_up(taxonomy: Taxonomy, data: st.DataObject) -> None:
    truth, tree = Truth(taxonomy), TaxonomyTensors(taxonomy)
    logits = draw_logits(data, tree.channels, ties=False)
    found = by_pixel(independent(logits, tree, levels=LEVELS["path_sum"]))
    for pixel, z in enumerate(by_pixel(logits)):
        leaves = oracle.softmax(oracle.path_scores(truth, z, [1.0] * truth.depth))
        for i, classes in enumerate(truth.levels):
            sums = dict.fromkeys(classes, 0.0)
            for leaf, p in zip(truth.leaves, leaves, strict=True):
                sums[truth.class_at(leaf, i)] += p
            assert sums[classes[found[pixel][i]]] >= max(sums.values()) * (1 - 1e-6)


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


# Decoders that weigh risks, against plain loops over all nodes of the tree.

POSTERIORS: tuple[Posterior, ...] = (path_posterior, leaf_posterior, sibling_posterior)


def mass(truth: Truth, leaves: list[float], id_: str | None) -> float:
    return math.fsum(p for p, leaf in zip(leaves, truth.leaves, strict=True) if id_ is None or id_ in truth.path(leaf))


def path(truth: Truth, id_: str | None) -> list[str]:
    return [] if id_ is None else truth.path(id_)


def distance(truth: Truth, a: str | None, b: str | None) -> int:
    return len(set(path(truth, a)) ^ set(path(truth, b)))


def hf1(truth: Truth, a: str, b: str) -> float:
    both = set(truth.path(a)) & set(truth.path(b))
    return 2 * len(both) / (len(truth.path(a)) + len(truth.path(b)))


def rows(truth: Truth, id_: str | None) -> list[int]:
    """Class index at each level of a decision for a node: where all the leaves below it agree."""
    found = []
    for level in range(truth.depth):
        leaves = truth.leaves if id_ is None else truth.leaves_below(id_)
        classes = {truth.class_at(leaf, level) for leaf in leaves}
        found.append(truth.levels[level].index(classes.pop()) if len(classes) == 1 else UNDECIDED)
    return found


def check(truth: Truth, found: list[int], scores: dict[str | None, float]) -> None:
    """The decision is among the best: the highest score, within rounding, of the nodes that read as `found`."""
    meant = [score for id_, score in scores.items() if rows(truth, id_) == found]
    assert meant, f"{found} is no node"
    assert max(meant) == pytest.approx(max(scores.values()), abs=1e-9)


def softmax_of_paths(truth: Truth, z: np.ndarray, weights: list[float]) -> list[float]:
    return oracle.softmax(oracle.path_scores(truth, z, weights))


def of_siblings(truth: Truth, z: np.ndarray) -> list[float]:
    """Down the levels: each class against the others with the same class above."""
    found = []
    for leaf in truth.leaves:
        p = 1.0
        for level in range(truth.depth):
            rivals = [
                c
                for c, id_ in enumerate(truth.levels[level])
                if level == 0
                or any(
                    truth.class_at(v, level) == id_ and truth.class_at(v, level - 1) == truth.class_at(leaf, level - 1)
                    for v in truth.leaves
                )
            ]
            scores = oracle.softmax([float(z[truth.channel(level, c)]) for c in rivals])
            p *= scores[rivals.index(truth.levels[level].index(truth.class_at(leaf, level)))]
        found.append(p)
    return found


@MANY
@given(taxonomies(), st.data())
def test_posteriors_are_what_they_say(taxonomy: Taxonomy, data: st.DataObject) -> None:
    truth, tree = Truth(taxonomy), TaxonomyTensors(taxonomy)
    logits = draw_logits(data, tree.channels, ties=False)
    temperatures = [data.draw(st.sampled_from([0.5, 1.0, 4.0])) for _ in range(truth.depth)]
    found = [by_pixel(f(logits, tree)) for f in (*POSTERIORS, tempered(temperatures))]
    for pixel, z in enumerate(by_pixel(logits)):
        leaves = oracle.softmax([float(z[truth.channel(truth.depth - 1, v)]) for v in range(len(truth.leaves))])
        expected = [
            softmax_of_paths(truth, z, [1.0] * truth.depth),
            leaves,
            of_siblings(truth, z),
            softmax_of_paths(truth, z, [1 / t for t in temperatures]),
        ]
        for i in range(4):
            assert found[i][pixel].tolist() == pytest.approx(expected[i], abs=1e-12)


@MANY
@given(taxonomies(), st.data(), st.sampled_from(POSTERIORS))
def test_abstaining_gives_the_finest_class_above_the_threshold(
    taxonomy: Taxonomy, data: st.DataObject, posterior: Posterior
) -> None:
    truth, tree = Truth(taxonomy), TaxonomyTensors(taxonomy)
    logits = draw_logits(data, tree.channels, ties=False)
    threshold = data.draw(st.sampled_from([0.5, 0.6, 0.9, 0.99]))
    found = by_pixel(abstaining(logits, tree, threshold=threshold, posterior=posterior))
    median = by_pixel(abstaining(logits, tree, threshold=0.5, posterior=posterior))
    for pixel, p in enumerate(by_pixel(posterior(logits, tree))):
        above = [id_ for id_ in truth.predicted if mass(truth, p, id_) > threshold]
        finest = max(above, key=lambda id_: len(truth.path(id_)), default=None)
        assert found[pixel].tolist() == rows(truth, finest)
        scores = {
            id_: -math.fsum(q * distance(truth, id_, leaf) for q, leaf in zip(p, truth.leaves, strict=True))
            for id_ in (*truth.predicted, None)
        }
        check(truth, median[pixel].tolist(), scores)


@MANY
@given(taxonomies(), st.data())
def test_heaviest_path_and_its_probabilities(taxonomy: Taxonomy, data: st.DataObject) -> None:
    truth, tree = Truth(taxonomy), TaxonomyTensors(taxonomy)
    logits = draw_logits(data, tree.channels, ties=False)
    classes, probabilities = heaviest_path(logits, tree)
    assert is_path(classes, tree).all()
    assert (probabilities.diff(dim=1) <= 0).all()
    for pixel, leaves in enumerate(by_pixel(path_posterior(logits, tree))):
        chosen = by_pixel(classes)[pixel].tolist()
        remaining = list(truth.leaves)
        for level in range(truth.depth):
            masses = {
                id_: math.fsum(
                    p
                    for p, leaf in zip(leaves, truth.leaves, strict=True)
                    if leaf in remaining and truth.class_at(leaf, level) == id_
                )
                for id_ in truth.levels[level]
            }
            named = truth.levels[level][chosen[level]]
            assert masses[named] == pytest.approx(max(masses.values()), abs=1e-12)
            assert float(by_pixel(probabilities)[pixel, level]) == pytest.approx(masses[named], abs=1e-12)
            remaining = [leaf for leaf in remaining if truth.class_at(leaf, level) == named]


@MANY
@given(taxonomies(), st.data(), st.sampled_from(POSTERIORS))
def test_expected_cost_distance_and_f1_are_the_best_of_all_nodes(
    taxonomy: Taxonomy, data: st.DataObject, posterior: Posterior
) -> None:
    truth, tree = Truth(taxonomy), TaxonomyTensors(taxonomy)
    logits = draw_logits(data, tree.channels, ties=False)
    choices: list[str | None] = data.draw(
        st.sampled_from([[*truth.leaves], [*truth.predicted], [*truth.predicted, None]])
    )
    cost = rng(data.draw).normal(size=(len(truth.leaves), len(choices)))
    costly = by_pixel(expected_cost(logits, tree, cost=torch.tensor(cost), posterior=posterior))
    near = by_pixel(least_distance(logits, tree, posterior=posterior))
    best = by_pixel(hf1_optimal(logits, tree, posterior=posterior))
    for pixel, p in enumerate(by_pixel(posterior(logits, tree))):
        pairs = list(zip(p, truth.leaves, strict=True))
        check(truth, costly[pixel].tolist(), {id_: -float(p @ cost[:, k]) for k, id_ in enumerate(choices)})
        check(
            truth,
            near[pixel].tolist(),
            {v: -math.fsum(q * distance(truth, v, leaf) for q, leaf in pairs) for v in truth.leaves},
        )
        check(
            truth,
            best[pixel].tolist(),
            {id_: math.fsum(q * hf1(truth, id_, leaf) for q, leaf in pairs) for id_ in truth.predicted},
        )


class Costs:
    """What each decision costs on each leaf and how it reads, by loops over paths; once a tree, as there may be 200 x
    200."""

    def __init__(self, truth: Truth) -> None:
        self.truth = truth
        self.class_at = {(leaf, i): truth.class_at(leaf, i) for leaf in truth.leaves for i in range(truth.depth)}
        self.choices: list[str | None] = [*truth.predicted, None]
        paths = {id_: frozenset(path(truth, id_)) for id_ in self.choices}
        leaves = [paths[v] for v in truth.leaves]
        self.distance = np.array([[len(paths[c] ^ v) for v in leaves] for c in self.choices], float)
        self.hf1 = np.array([[2 * len(paths[c] & v) / (len(paths[c]) + len(v)) for v in leaves] for c in self.choices])
        self.below = np.array([[c is None or c in v for v in leaves] for c in self.choices])
        self.depth = [len(paths[c]) for c in self.choices]
        self.reads = [self._reads(below) for below in self.below]

    def _reads(self, below: np.ndarray) -> list[int]:
        leaves = [leaf for leaf, inside in zip(self.truth.leaves, below, strict=True) if inside]
        classes = [{self.class_at[leaf, i] for leaf in leaves} for i in range(self.truth.depth)]
        return [self.truth.levels[i].index(c.pop()) if len(c) == 1 else UNDECIDED for i, c in enumerate(classes)]

    def check(self, found: list[int], scores: np.ndarray, choices: Sequence[int]) -> None:
        """`found` reads as one of the choices whose score is the highest, within rounding."""
        meant = [scores[k] for k, c in enumerate(choices) if self.reads[c] == found]
        assert meant, f"{found} is no choice"
        assert max(meant) == pytest.approx(scores.max(), abs=1e-9)

    def finest(self, leaves: np.ndarray, threshold: float) -> list[int]:
        above = [c for c in range(len(self.choices)) if self.below[c] @ leaves > threshold]
        return self.reads[max(above, key=lambda c: self.depth[c], default=len(self.choices) - 1)]


def test_every_decoder_equals_plain_loops() -> None:
    """On `HIERATK_TREES` random trees of up to 200 nodes; by default on a few small ones."""
    for seed in TREES:
        random, taxonomy = tree_of(seed)
        truth, tree = Truth(taxonomy), TaxonomyTensors(taxonomy)
        costs = Costs(truth)
        logits = torch.tensor(random.normal(size=(1, tree.channels, 2)) * random.choice([1.0, 4.0]))
        simple = [by_pixel(decode(logits, tree)) for decode in (*DECODERS, sibling_path)]
        heaviest = by_pixel(heaviest_path(logits, tree)[0])
        posteriors = [by_pixel(posterior(logits, tree)) for posterior in POSTERIORS]
        leaf_choices = [costs.choices.index(leaf) for leaf in truth.leaves]
        every = range(len(costs.choices))
        table = random.normal(size=(len(truth.leaves), len(costs.choices)))
        weighed = [
            [
                by_pixel(decode(logits, tree, posterior=posterior))
                for decode in (
                    partial(abstaining, threshold=0.5),
                    partial(abstaining, threshold=0.8),
                    partial(expected_cost, cost=torch.tensor(table)),
                    partial(expected_cost, cost=torch.tensor(costs.distance.T.copy())),
                    least_distance,
                    hf1_optimal,
                )
            ]
            for posterior in POSTERIORS
        ]
        scene = Scene(truth, by_pixel(logits), [Label()] * 2, {})
        for pixel, z in enumerate(by_pixel(logits)):
            of_paths = softmax_of_paths(truth, z, [1.0] * truth.depth)
            expected = [of_paths] + [
                [found[leaf] for leaf in truth.leaves]
                for found in (scene.level_softmax(pixel, scene.last), sibling_leaves(scene, pixel))
            ]
            of_leaves, siblings = (np.array(found) for found in expected[1:])
            best, leaf, greedy, single, sibling = (found[pixel].tolist() for found in simple)
            costs.check(best, np.array(of_paths), leaf_choices)
            costs.check(leaf, of_leaves, leaf_choices)
            costs.check(sibling, siblings, leaf_choices)
            assert greedy == oracle.top_down(truth, z)
            assert single == oracle.independent(truth, z)
            assert costs.finest(np.array(of_paths), 0.5)[0] in (heaviest[pixel, 0], UNDECIDED)
            for leaves, found, decided in zip(expected, posteriors, weighed, strict=True):
                p = np.array(leaves)
                np.testing.assert_allclose(found[pixel], p, atol=1e-12)
                half, sure, costly, median, near, f1 = (one[pixel].tolist() for one in decided)
                assert half == costs.finest(p, 0.5)
                assert sure == costs.finest(p, 0.8)
                costs.check(costly, -(p @ table), every)
                costs.check(median, -(costs.distance @ p), every)
                costs.check(near, -(costs.distance @ p)[leaf_choices], leaf_choices)
                costs.check(f1, (costs.hf1 @ p)[:-1], every[:-1])


def test_decoders_equal_the_package_hierarchicalsoftmax() -> None:
    """Its greedy predictions are `top_down`, its node probabilities `sibling_posterior`; it computes in float32."""
    inference = pytest.importorskip("hierarchicalsoftmax.inference")
    for seed in TREES:
        random = np.random.default_rng(seed)
        taxonomy = branching_tree(random)
        theirs, tree = SoftmaxTree(taxonomy), TaxonomyTensors(taxonomy)
        truth = theirs.truth
        logits = torch.tensor(random.normal(size=(1, tree.channels, 4)) * 3, dtype=torch.float32)
        packed = theirs.packed(logits)
        for found, node in zip(
            by_pixel(top_down(logits, tree)), inference.greedy_predictions(packed, theirs.root), strict=True
        ):
            assert found.tolist() == oracle.path_of(truth, theirs.ids[node])
        expected = inference.node_probabilities(packed, theirs.root)[:, [theirs.place(v) for v in truth.leaves]]
        torch.testing.assert_close(sibling_posterior(logits, tree)[0].t(), expected, rtol=1e-4, atol=1e-6)


@MANY
@given(taxonomies(), st.data())
def test_a_higher_threshold_moves_up_and_never_sideways(taxonomy: Taxonomy, data: st.DataObject) -> None:
    """What makes the risk monotone in the threshold."""
    tree = TaxonomyTensors(taxonomy)
    logits = draw_logits(data, tree.channels, ties=data.draw(st.booleans())).float()
    before = abstaining(logits, tree, threshold=0.0)
    for threshold in (0.1, 0.3, 0.5, 0.9, 1.0):
        now = abstaining(logits, tree, threshold=threshold)
        assert ((now == before) | (now == UNDECIDED)).all()
        decided = now != UNDECIDED
        assert (decided[:, 1:] <= decided[:, :-1]).all(), "decided below an undecided level"
        before = now
    assert (before == UNDECIDED).all()


def test_logits_that_give_no_number_decide_nothing() -> None:
    tree = TaxonomyTensors(TWO)
    logits = torch.zeros(1, 5, 2, 2)
    logits[:, 0, 0, 0] = torch.nan
    logits[:, 2, 0, 1] = torch.inf
    found = abstaining(logits, tree, threshold=0.0)
    assert (found[..., 0, :] == UNDECIDED).all()
    assert (found[..., 1, :] != UNDECIDED).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_risk_decoders_take_any_dtype_and_huge_logits(dtype: torch.dtype) -> None:
    tree = TaxonomyTensors(TWO)
    torch.manual_seed(0)
    logits = (torch.randn(2, tree.channels, 3, 700) * 1e4).to(dtype)
    cost = 1 - torch.eye(3)
    sure = path_posterior(logits, tree).amax(1) > 0.99  # not so where rounding has made two paths equal
    assert sure.float().mean() > 0.9
    for decided in (
        abstaining(logits, tree, threshold=0.5),
        expected_cost(logits, tree, cost=cost),
        least_distance(logits, tree),
        hf1_optimal(logits, tree),
    ):
        assert decided.shape == (2, 2, 3, 700)
        found = decided.movedim(1, -1)
        assert torch.equal(found[sure], best_path(logits.float(), tree).movedim(1, -1)[sure])


def test_known_decisions() -> None:
    """b 0.4, c 0.15, e 0.45: e is the best leaf, `a` holds 0.55."""
    tree = TaxonomyTensors(TWO)
    logits = torch.tensor([0.0, 0.0, 0.4, 0.15, 0.45]).clamp(min=1e-9).log().view(1, 5, 1)
    logits[:, :2] = 0
    assert best_path(logits, tree).flatten().tolist() == [1, 2]
    assert heaviest_path(logits, tree)[0].flatten().tolist() == [0, 0]
    assert abstaining(logits, tree, threshold=0.5).flatten().tolist() == [0, UNDECIDED]
    assert abstaining(logits, tree, threshold=0.6).flatten().tolist() == [UNDECIDED, UNDECIDED]
    assert least_distance(logits, tree).flatten().tolist() == [0, 0]


def test_a_cost_of_the_wrong_shape_is_refused() -> None:
    tree = TaxonomyTensors(TWO)
    with pytest.raises(ConfigError, match=r"cost has shape \(3, 4\); it must be \(3, 3\) to choose among leaves"):
        expected_cost(torch.zeros(1, 5, 1), tree, cost=torch.zeros(3, 4))
    with pytest.raises(ConfigError, match="not finite"):
        expected_cost(torch.zeros(1, 5, 1), tree, cost=torch.full((3, 3), torch.inf))


@pytest.mark.parametrize("threads", [1, 3])
def test_pieces_and_threads_change_nothing(threads: int) -> None:
    """Of many pieces, in inference mode too, where what a thread writes must not be an inference tensor."""
    tree = TaxonomyTensors(Taxonomy.from_outline({f"a{i}": {f"b{i}_{j}": None for j in range(i)} for i in range(20)}))
    torch.manual_seed(0)
    logits = torch.randn(2, tree.channels, 30, 70, requires_grad=True)
    decoders = (*DECODERS, sibling_path, partial(abstaining, threshold=0.5), least_distance, hf1_optimal)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for decode in decoders:
            found = decode(logits, tree)
            with torch.inference_mode():
                assert torch.equal(decode(logits.detach().clone(), tree), found)
            assert torch.equal(decode(logits[:1, :, 20:22, 7:9], tree), found[:1, :, 20:22, 7:9])
        _, probabilities = heaviest_path(logits, tree)
        assert not probabilities.requires_grad
        assert probabilities.dtype == torch.float32
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("decode", DECODERS)
def test_no_pixels_and_no_pixel_axes(decode: type[best_path]) -> None:
    tree = TaxonomyTensors(TWO)
    for shape in ((0, 5, 3, 4), (2, 5, 0, 4)):
        assert decode(torch.zeros(shape), tree).shape == (shape[0], 2, *shape[2:])
    logits = torch.randn(3, 5)
    assert torch.equal(decode(logits, tree), decode(logits.unsqueeze(2), tree).squeeze(2))


def test_memory_of_a_large_tree_is_linear() -> None:
    """10,000 leaves: tables or costs of nodes times nodes would be gigabytes."""
    outline = {f"a{i}": {f"b{i}_{j}": None for j in range(100)} for i in range(100)}
    tree = TaxonomyTensors(Taxonomy.from_outline(outline))
    torch.manual_seed(0)
    logits = torch.randn(1, tree.channels, 2)
    for decode in (heaviest_path, least_distance, hf1_optimal):
        found = decode(logits, tree)
        classes = found[0] if isinstance(found, tuple) else found
        assert classes.shape == (1, 2, 2)


def test_a_sibling_path_hears_siblings_only() -> None:
    """`e` is an only child: its logit, however large, says nothing; `best_path` takes it at its word."""
    logits = torch.tensor([1.0, 0.0, 0.0, 2.0, 100.0]).view(1, 5, 1)
    tree = TaxonomyTensors(TWO)
    assert sibling_path(logits, tree).flatten().tolist() == [0, 1]
    assert best_path(logits, tree).flatten().tolist() == [1, 2]


def test_decoders_by_word() -> None:
    assert decoder("leaf_first") is leaf_first
    with pytest.raises(
        ConfigError, match="no decoding `leaves`; there are best_path, path_sum, leaf_first, sibling_path"
    ):
        decoder("leaves")
