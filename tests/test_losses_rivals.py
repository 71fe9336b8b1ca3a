"""Every loss against plain loops: labels at any node, mixtures, any set of leaves; weights, reductions, numerics.

`HIERATK_TREES=1000` tries so many random trees of up to 200 nodes for each loss; by default a few small ones.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from hieratk.errors import ConfigError
from hieratk.losses import (
    NAMES,
    BHCCMLoss,
    CHMCNNLoss,
    ConditionalLoss,
    FlatCELoss,
    HXELoss,
    LabelSets,
    LevelBCELoss,
    LogicSegLoss,
    NodeLoss,
    SoftLabelsLoss,
    TreeMinLoss,
    TreeTripletLoss,
    probabilities,
)
from hieratk.losses.hssn import sample_by_class, triplet_weight
from hieratk.losses.logicseg import p_mean
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import IGNORE, TaxonomyTensors
from tests.loss_truth import TREES, TRUTHS, Label, Scene, conditional, label_of, random_tree, reduced, tree_of
from tests.oracle import Truth
from tests.packages import SoftmaxTree, branching_tree
from tests.test_losses import FUSED, as_rows, build, refused, value_and_gradient

NEW = tuple(name for name in NAMES if name not in FUSED)

RAGGED = Taxonomy.from_outline(
    {"water": 1, "plants": {"crops": {"rice": 2, "maize": 3}, "forest": 4}, "built": {"city": {"roof": 5}}},
    classes={"plants": {"pixel": 6}, "crops": {"pixel": 7}},
)


def case(
    seed: int, *, pixels: int = 6, small: bool = False
) -> tuple[Taxonomy, np.random.Generator, Tensor, Tensor, list[Label]]:
    """Random logits (1, N, P), label rows (1, P) of the tree itself, and what they mean."""
    random, taxonomy = tree_of(seed)
    if small:
        taxonomy = random_tree(random, most=8, levels=3)
    truth = Truth(taxonomy)
    rows = random.integers(0, len(truth.rows), pixels)
    # Mixtures are rare in a large tree: the last two rows are most often one.
    rows[-2:] = [r for r, id_ in enumerate(truth.rows) if id_.startswith("mixed")][-2:] or rows[-2:]
    logits = torch.tensor(random.normal(size=(1, len(truth.channels), pixels)) * random.choice([0.3, 3.0]))
    return taxonomy, random, logits, torch.tensor(rows).unsqueeze(0), [label_of(truth, truth.rows[r]) for r in rows]


def weights_for(random: np.random.Generator, truth: Truth) -> dict[str, float]:
    return {id_: float(random.choice([0.0, 0.5, 2.0])) for id_ in truth.predicted if random.random() < 0.5} | {
        truth.leaves[0]: 1.5
    }


def expect(found: Tensor, expected: list[float]) -> None:
    np.testing.assert_allclose(found.detach().flatten().numpy(), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("name", NAMES)
def test_every_loss_equals_plain_loops(name: str) -> None:
    for seed in TREES:
        taxonomy, random, logits, rows, labels = case(seed)
        truth, sets = Truth(taxonomy), LabelSets(taxonomy)
        for weights in ({}, weights_for(random, truth)):
            expected = TRUTHS[name](Scene(truth, as_rows(logits), labels, weights))
            for reduction in ("mean",) if name == "logicseg" else ("mean", "sum", "none"):
                loss = NAMES[name](taxonomy, class_weights=weights or None, reduction=reduction)
                expect(loss(logits, sets(rows)), reduced(expected, reduction))


@pytest.mark.parametrize("name", NAMES)
def test_any_set_of_leaves_is_a_label(name: str) -> None:
    """As a crosswalk's rows are: what `outside` leaves, or two leaves with shares."""
    for seed in TREES:
        taxonomy, random, logits, _, _ = case(seed)
        truth = Truth(taxonomy)
        v = len(truth.leaves)
        allowed = random.random((6, v)) < random.choice([0.2, 0.5, 0.9], size=(6, 1))
        allowed[0] = np.arange(v) != random.integers(v)  # all but one
        allowed[1] = False
        shares = np.where(random.random((6, 1)) < 0.5, random.random((6, v)), 0.0)
        labels = []
        for row, share in zip(allowed, shares, strict=True):
            leaves = [leaf for leaf, inside in zip(truth.leaves, row, strict=True) if inside]
            stated = dict(zip(leaves, share[row] / share[row].sum(), strict=True)) if share[row].sum() else {}
            labels.append(Label(frozenset(leaves), stated if len(leaves) > 1 else {}))
        sets = LabelSets(taxonomy, allowed=allowed, shares=shares)
        loss = NAMES[name](taxonomy)
        logits = logits.requires_grad_()
        value = loss(logits, sets(torch.arange(6)[None]))
        (gradient,) = torch.autograd.grad(value, logits)
        scene = Scene(truth, as_rows(logits.detach()), labels, {})
        expect(value, reduced(TRUTHS[name](scene), "mean"))
        void = torch.tensor([not label.leaves for label in scene.labels])
        assert gradient[..., void].abs().max() == 0


@pytest.mark.parametrize("name", FUSED)
def test_the_fused_path_equals_its_twin(name: str) -> None:
    """Value and gradient, with mixtures, class weights and sums; in float32 too."""
    for seed in TREES:
        taxonomy, random, logits, rows, _ = case(seed)
        labels = LabelSets(taxonomy)(rows)
        weights = weights_for(random, Truth(taxonomy)) if seed % 2 else None
        options = {"class_weights": weights, "reduction": ("mean", "sum")[seed // 2 % 2]}
        exact, of_exact = value_and_gradient(build(f"{name} plain", taxonomy, **options), logits, labels)
        for dtype, rtol, atol in ((torch.float64, 1e-9, 1e-11), (torch.float32, 1e-3, 1e-5)):
            value, gradient = value_and_gradient(build(name, taxonomy, **options), logits.to(dtype), labels)
            torch.testing.assert_close(value.double(), exact, rtol=rtol / 10, atol=atol)
            torch.testing.assert_close(gradient.double(), of_exact, rtol=rtol, atol=atol)


@pytest.mark.parametrize("name", NAMES)
def test_class_indices_and_rows_without_sets_are_the_same(name: str) -> None:
    tree, sets = TaxonomyTensors(RAGGED), LabelSets(RAGGED)
    torch.manual_seed(0)
    rows = tree.rows(torch.randint(0, 8, (2, 4, 4)))
    logits = torch.randn(2, tree.channels, 4, 4, dtype=torch.float64)
    loss = NAMES[name](RAGGED)
    torch.testing.assert_close(loss(logits, sets(rows)), loss(logits, tree.labels(rows)))


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("name", NAMES)
def test_gradcheck(name: str, reduction: str) -> None:
    taxonomy, random, logits, rows, _ = case(3, pixels=4, small=True)
    if name == "logicseg" and reduction == "sum":
        pytest.skip("logicseg joins all pixels: it has no sum")
    sets = LabelSets(taxonomy)
    loss = NAMES[name](taxonomy, class_weights=weights_for(random, Truth(taxonomy)), reduction=reduction)
    logits = logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(z, sets(rows)), (logits,))


@pytest.mark.parametrize("name", [*NAMES, "focal"])
def test_void_pixels_add_exactly_nothing(name: str) -> None:
    tree = TaxonomyTensors(RAGGED)
    loss = BHCCMLoss(RAGGED, tree_weight=1.0, focal=2.0) if name == "focal" else NAMES[name](RAGGED)
    torch.manual_seed(0)
    labels = tree.encode(torch.tensor([[[1, 0, 2, 0, 6, 99]]]))
    before = labels.clone()
    void = (labels < 0).all(1, keepdim=True).expand(-1, tree.channels, -1, -1)
    logits = torch.randn(1, tree.channels, 1, 6)
    value, gradient = value_and_gradient(loss, logits, labels)
    assert torch.equal(labels, before), "the labels were written to"
    assert gradient[void].abs().max() == 0
    assert gradient[~void].abs().max() > 0
    for filler in (1e30, math.inf, math.nan):
        other, of_other = value_and_gradient(loss, logits.masked_fill(void, filler), labels)
        assert torch.equal(other, value)
        assert torch.equal(of_other, gradient)
    kept, of_kept = value_and_gradient(loss, logits[..., [0, 2, 4]], labels[..., [0, 2, 4]])
    assert kept.item() == pytest.approx(value.item(), rel=1e-6)
    torch.testing.assert_close(of_kept, gradient[..., [0, 2, 4]])


@pytest.mark.parametrize("name", NAMES)
def test_nothing_labelled_is_zero_with_zero_gradient(name: str) -> None:
    tree, sets = TaxonomyTensors(RAGGED), LabelSets(RAGGED)
    for labels in (torch.full((2, tree.n_levels, 2, 2), IGNORE), sets(torch.zeros(2, 2, 2, dtype=torch.int64))):
        logits = torch.randn(2, tree.channels, 2, 2).requires_grad_()
        value = NAMES[name](RAGGED)(logits, labels)
        value.backward()
        assert value.item() == 0
        assert logits.grad is not None
        assert torch.equal(logits.grad, torch.zeros_like(logits))


@pytest.mark.parametrize("name", NAMES)
def test_one_labelled_pixel_counts_as_if_it_were_alone(name: str) -> None:
    tree, loss = TaxonomyTensors(RAGGED), NAMES[name](RAGGED)
    torch.manual_seed(0)
    logits = torch.randn(2, tree.channels, 30, 30, dtype=torch.float64)
    for pixel in (2, 7):  # a leaf, a class above leaves
        labels = torch.full((2, tree.n_levels, 30, 30), IGNORE)
        here = (slice(1, 2), slice(None), slice(7, 8), slice(20, 21))
        labels[here] = tree.encode(torch.tensor([[[pixel]]]))
        value, gradient = value_and_gradient(loss, logits, labels)
        alone, of_alone = value_and_gradient(loss, logits[here], labels[here])
        torch.testing.assert_close(value, alone)
        torch.testing.assert_close(gradient[here], of_alone)
        gradient[here] = 0
        assert torch.equal(gradient, torch.zeros_like(gradient))


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_logits_are_computed_in_float32(name: str, dtype: torch.dtype) -> None:
    tree, loss = TaxonomyTensors(RAGGED), NAMES[name](RAGGED)
    torch.manual_seed(0)
    labels = tree.encode(torch.randint(0, 8, (2, 4, 4)))
    logits = (torch.randn(2, tree.channels, 4, 4) * 30).to(dtype)
    expected, of_expected = value_and_gradient(loss, logits.float(), labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        value, gradient = value_and_gradient(loss, logits, labels)
    assert value.dtype == torch.float32
    assert value.item() == expected.item()
    assert gradient.dtype == dtype
    assert torch.equal(gradient, of_expected.to(dtype))


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_extreme_logits_stay_finite_and_right(name: str, dtype: torch.dtype) -> None:
    """Against the same loss in float64, which holds these numbers with eight more digits."""
    tree, loss = TaxonomyTensors(RAGGED), NAMES[name](RAGGED)
    labels = tree.encode(torch.tensor([[[1, 2, 3, 4, 5, 6, 7]]]))
    torch.manual_seed(0)
    sign = torch.where(torch.randn(1, tree.channels, 1, 7) > 0, 1.0, -1.0)
    logits = (sign * 1e4 + torch.randn_like(sign) * 50).to(dtype)
    value, gradient = value_and_gradient(loss, logits, labels)
    exact, of_exact = value_and_gradient(loss, logits.double(), labels)
    assert value.item() == pytest.approx(exact.item(), rel=1e-5)
    assert gradient.isfinite().all()
    tolerance = {torch.float32: 1e-5, torch.float16: 1e-3, torch.bfloat16: 1e-2}[dtype]
    torch.testing.assert_close(gradient.double(), of_exact, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize(
    "outline",
    [{"only": 1}, {"a": {"b": {"c": {"d": 1}}}}, {"a": {"b": {"c": 1}}, "x": 2}],
    ids=["one class", "one chain", "chain beside a leaf"],
)
def test_chains_and_levels_of_one_class(name: str, outline: dict[str, object]) -> None:
    taxonomy = Taxonomy.from_outline(outline)
    tree, truth = TaxonomyTensors(taxonomy), Truth(taxonomy)
    labels = tree.encode(torch.tensor([[[1, 0, 1]]]))
    logits = torch.randn(1, tree.channels, 1, 3, dtype=torch.float64)
    leaf = truth.leaves[0]
    scene = Scene(truth, as_rows(logits), [Label(frozenset({leaf})), Label(), Label(frozenset({leaf}))], {})
    value, gradient = value_and_gradient(NAMES[name](taxonomy), logits, labels)
    expect(value, reduced(TRUTHS[name](scene), "mean"))
    assert gradient.isfinite().all()


def test_focal_tree_min_is_a_product_and_fades_for_the_sure() -> None:
    """Where the factor is a power, as in one earlier code, a perfect prediction costs a negative number."""
    tree = TaxonomyTensors(RAGGED)
    labels = tree.encode(torch.tensor([[[2]]]))
    logits = torch.full((1, tree.channels, 1, 1), -30.0)
    for level, first in enumerate(tree.tables.offsets[:-1]):
        logits[0, int(first) + int(labels[0, level])] = 30.0
    sure = TreeMinLoss(RAGGED, focal=2.0)(logits, labels)
    assert 0 <= sure.item() < 1e-10
    half = torch.zeros_like(logits)
    with_focal = TreeMinLoss(RAGGED, focal=2.0)(half, labels) - TreeMinLoss(RAGGED, tree_weight=0.0)(half, labels)
    without = TreeMinLoss(RAGGED)(half, labels) - TreeMinLoss(RAGGED, tree_weight=0.0)(half, labels)
    assert with_focal.item() == pytest.approx(without.item() / 4, rel=1e-6)


@pytest.mark.parametrize("focal", [0.0, 2.0])
def test_the_tree_term_of_bhccm_is_that_of_tree_min(focal: float) -> None:
    tree = TaxonomyTensors(RAGGED)
    torch.manual_seed(0)
    labels = tree.encode(torch.randint(0, 8, (1, 8, 8)))
    logits = torch.randn(1, tree.channels, 8, 8, dtype=torch.float64)
    with_term, without = (BHCCMLoss(RAGGED, tree_weight=w, focal=focal)(logits, labels) for w in (3.0, 0.0))
    expected = TreeMinLoss(RAGGED, focal=focal)(logits, labels) - TreeMinLoss(RAGGED, tree_weight=0.0)(logits, labels)
    torch.testing.assert_close(with_term - without, 3 * expected)


def test_probabilities_of_every_level_sum_up_the_tree() -> None:
    for seed in TREES:
        taxonomy, _, logits, _, _ = case(seed)
        tree = TaxonomyTensors(taxonomy)
        for of in (probabilities.of_leaves, probabilities.of_siblings, probabilities.of_path_sums):
            levels = of(tree, logits)
            for i, log_p in enumerate(levels):
                torch.testing.assert_close(log_p.exp().sum(1), torch.ones_like(log_p[:, 0]))
                if i:
                    torch.testing.assert_close(probabilities.log_sum_up(tree, log_p, i), levels[i - 1])


def test_relations_between_the_losses() -> None:
    tree = TaxonomyTensors(RAGGED)
    torch.manual_seed(0)
    labels = tree.encode(torch.randint(1, 8, (1, 5, 5)))
    logits = torch.randn(1, tree.channels, 5, 5, dtype=torch.float64)
    # Without a discount the chain of conditionals is the likelihood of the label.
    flat_ce = FlatCELoss(RAGGED, reduction="none")
    flat_ce.stratified = False
    hxe = HXELoss(RAGGED, alpha=0.0, reduction="none")
    torch.testing.assert_close(hxe(logits, labels), flat_ce(logits, labels))
    # Soft labels harden as beta grows.
    leaves = tree.encode(torch.randint(1, 6, (1, 5, 5)))
    torch.testing.assert_close(SoftLabelsLoss(RAGGED, beta=500.0)(logits, leaves), FlatCELoss(RAGGED)(logits, leaves))
    # On a tree of one level there is nothing to constrain, and nothing above to condition on.
    flat = Taxonomy.from_outline({"a": 1, "b": 2, "c": 3})
    labels = TaxonomyTensors(flat).encode(torch.randint(0, 4, (1, 5, 5)))
    logits = torch.randn(1, 3, 5, 5, dtype=torch.float64)
    torch.testing.assert_close(ConditionalLoss(flat)(logits, labels), FlatCELoss(flat)(logits, labels))
    torch.testing.assert_close(CHMCNNLoss(flat, ce_weight=1.0)(logits, labels), LevelBCELoss(flat)(logits, labels))


def test_conditional_softmax_equals_the_package_hierarchicalsoftmax() -> None:
    hierarchicalsoftmax = pytest.importorskip("hierarchicalsoftmax")
    for seed in TREES:
        random = np.random.default_rng(seed)
        taxonomy = branching_tree(random)
        theirs, tree = SoftmaxTree(taxonomy), TaxonomyTensors(taxonomy)
        truth = theirs.truth
        logits = torch.tensor(random.normal(size=(1, len(truth.channels), 8)))
        ids = [truth.predicted[i] for i in random.integers(0, len(truth.predicted), 8)]
        targets = torch.tensor([theirs.root.node_to_id[theirs.nodes[id_]] for id_ in ids])
        expected = hierarchicalsoftmax.HierarchicalSoftmaxLoss(root=theirs.root)(theirs.packed(logits), targets)
        rows = torch.tensor([[truth.rows.index(id_) for id_ in ids]])
        torch.testing.assert_close(ConditionalLoss(taxonomy)(logits, tree.labels(rows)), expected.double())


def test_one_way_to_the_conditional_of_a_discount() -> None:
    taxonomy, _, logits, rows, labels = case(5)
    truth = Truth(taxonomy)
    expected = reduced(conditional(Scene(truth, as_rows(logits), labels, {}), 0.4), "mean")
    expect(ConditionalLoss(taxonomy, alpha=0.4)(logits, LabelSets(taxonomy)(rows)), expected)


def test_p_mean() -> None:
    """Of numbers whose fifth power is no float32."""
    expected = torch.tensor([((1 + 3**5) / 2) ** 0.2 * 1e-12])
    torch.testing.assert_close(p_mean(torch.tensor([[1e-12, 3e-12]]), 5.0), expected, rtol=1e-5, atol=0)
    zero = torch.zeros(1, 3, requires_grad=True)
    p_mean(zero, 5.0).sum().backward()
    assert zero.grad is not None
    assert torch.equal(zero.grad, torch.zeros(1, 3))


def test_tree_distances_of_the_triplets() -> None:
    for seed in TREES:
        _, taxonomy = tree_of(seed)
        truth, loss = Truth(taxonomy), TreeTripletLoss(taxonomy)
        tree = TaxonomyTensors(taxonomy)
        classes = torch.tensor(np.array([tree.tables.level_of_leaf(i) for i in range(truth.depth)]).T)
        for a, one in enumerate(truth.leaves):
            for b, other in enumerate(truth.leaves[:20]):
                common = len(set(truth.path(one)) & set(truth.path(other)))
                expected = len(truth.path(one)) + len(truth.path(other)) - 2 * common
                assert loss.edges(classes[a : a + 1], classes[b : b + 1]).item() == expected
        assert loss.height == max(len(truth.path(leaf)) for leaf in truth.leaves)


def test_tree_triplets_equal_plain_loops() -> None:
    tree, truth = TaxonomyTensors(RAGGED), Truth(RAGGED)
    loss = TreeTripletLoss(RAGGED, per_class=5, draws=3)
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 8, (1, 8, 8), generator=random)
    labels = tree.encode(pixels)
    features = torch.randn(1, 4, 8, 8, generator=random, dtype=torch.float64)
    torch.manual_seed(1)
    value = loss(features, labels)
    torch.manual_seed(1)
    chosen = sample_by_class(labels[:, -1].flatten(), 5).tolist()
    draws = torch.randint(len(chosen), (2, 3 * len(chosen)))
    leaf = [truth.leaves[int(labels[0, -1].flatten()[p])] for p in chosen]
    assert max(leaf.count(name) for name in leaf) == 5
    unit = features[0].flatten(1).T[chosen]
    unit = unit / unit.norm(dim=1, keepdim=True)

    def psi(a: int, b: int) -> int:
        common = len(set(truth.path(leaf[a])) & set(truth.path(leaf[b])))
        return len(truth.path(leaf[a])) + len(truth.path(leaf[b])) - 2 * common

    found = []
    for k in range(3 * len(chosen)):
        anchor, pair = k // 3, sorted(draws[:, k].tolist(), key=lambda at, a=k // 3: psi(a, at))
        near, far = pair
        if psi(anchor, near) < psi(anchor, far) and near != anchor:
            margin = 0.1 + 0.5 * (psi(anchor, far) - psi(anchor, near)) / (2 * 3)
            similar = [0.5 * (1 - float(unit[anchor] @ unit[at])) for at in (near, far)]
            found.append(max(0.0, similar[0] - similar[1] + margin))
    assert len(found) > 10
    assert value.item() == pytest.approx(sum(found) / len(found))


def test_tree_triplets_read_labelled_leaves_only() -> None:
    tree, loss = TaxonomyTensors(RAGGED), TreeTripletLoss(RAGGED)
    labels = tree.encode(torch.tensor([[[1, 2, 3, 0, 6, 7, 4, 5]]]))
    features = torch.randn(1, 3, 1, 8)
    features[..., 3:6] = math.nan
    features.requires_grad_()
    torch.manual_seed(0)
    value = loss(features, labels)
    value.backward()
    assert value.isfinite()
    assert features.grad is not None
    assert features.grad[..., 3:6].abs().max() == 0
    assert features.grad.abs().max() > 0
    nothing = loss(features, torch.full_like(labels, IGNORE))
    assert nothing.item() == 0
    refused(lambda: loss(features, labels[..., :4]), ValueError, "(1, 3, 1, 8)")


def test_the_weight_of_the_triplets_climbs() -> None:
    assert triplet_weight(0, 100) == 0
    assert triplet_weight(50, 100) == pytest.approx(0.25)
    assert triplet_weight(100, 100) == triplet_weight(200, 100) == pytest.approx(0.5)


def test_class_weights_weigh_pixels_as_torch_does() -> None:
    tree = TaxonomyTensors(RAGGED)
    torch.manual_seed(0)
    labels = tree.encode(torch.randint(0, 6, (2, 5, 5)))
    logits = torch.randn(2, tree.channels, 5, 5)
    weights = {"rice": 3.0, "water": 0.25, "roof": 0.0}
    of_leaf = torch.tensor([weights.get(id_, 1.0) for id_ in tree.tables.leaves])
    expected = torch.nn.functional.cross_entropy(tree.split(logits)[-1], labels[:, -1], of_leaf, ignore_index=IGNORE)
    torch.testing.assert_close(FlatCELoss(RAGGED, class_weights=weights)(logits, labels), expected)


def test_bad_options_are_refused() -> None:
    refused(lambda: BHCCMLoss(RAGGED, class_weights={"rise": 2.0}), ConfigError, "`rise`", "did you mean `rice`")
    refused(lambda: BHCCMLoss(RAGGED, class_weights={"rice": -1.0}), ConfigError, "class_weights[rice] is -1")
    for wrong in (3.0, "rice", ["rice"]):
        refused(lambda wrong=wrong: BHCCMLoss(RAGGED, class_weights=wrong), ConfigError, "class ids with their weights")
    refused(lambda: BHCCMLoss(RAGGED, class_weights={"rice": "x"}), ConfigError, "class_weights[rice] is x")  # type: ignore[dict-item]
    refused(lambda: BHCCMLoss(RAGGED, level_weights=2.0), ConfigError, "level_weights is 2.0; give a list")  # type: ignore[arg-type]
    zero = dict.fromkeys(TaxonomyTensors(RAGGED).tables.ids, 0.0)
    refused(lambda: BHCCMLoss(RAGGED, class_weights=zero), ConfigError, "0 for every class")
    refused(lambda: FlatCELoss(RAGGED, reduction="avg"), ConfigError, "`avg`", "mean, sum, none")  # type: ignore[arg-type]
    refused(lambda: LogicSegLoss(RAGGED, reduction="sum"), ConfigError, "logicseg has no reduction `sum`", "use mean")
    refused(lambda: LogicSegLoss(RAGGED, p=0.5), ConfigError, "p is 0.5")
    refused(lambda: HXELoss(RAGGED, alpha=-1.0), ConfigError, "alpha is -1")


def test_label_sets_of_another_shape_are_refused() -> None:
    v = len(TaxonomyTensors(RAGGED).tables.leaves)
    refused(lambda: LabelSets(RAGGED, allowed=np.ones((2, v + 1), bool)), ValueError, f"(R, {v})")
    refused(lambda: LabelSets(RAGGED, allowed=np.ones((2, v))), ValueError, "must be bool")
    one = np.ones((2, v), bool)
    refused(lambda: LabelSets(RAGGED, allowed=one, shares=-np.ones((2, v))), ValueError, "0 or more")
    mine = TaxonomyTensors(RAGGED)
    logits, row = torch.zeros(1, mine.channels, 1), torch.zeros(1, 1, dtype=torch.int64)
    shallow = LabelSets(Taxonomy.from_outline({"a": {"c": 1, "d": 2}}), allowed=np.array([[True, False]]))
    refused(lambda: BHCCMLoss(RAGGED)(logits, shallow(row)), ValueError, "(1, 3, 1)")
    as_deep = LabelSets(Taxonomy.from_outline({"a": {"b": {"c": 1, "d": 2}}}), allowed=np.array([[True, False]]))
    refused(lambda: BHCCMLoss(RAGGED)(logits, as_deep(row)), ValueError, "another tree")


def test_a_large_tree_takes_memory_linear_in_its_nodes() -> None:
    """Nothing of N x N: for 10,000 nodes that alone would be 400 MB."""
    outline = {f"a{i}": {f"a{i}b{j}": {f"a{i}b{j}c{k}": None for k in range(12)} for j in range(25)} for i in range(30)}
    taxonomy = Taxonomy.from_outline(outline)
    tree = TaxonomyTensors(taxonomy)
    torch.manual_seed(0)
    logits = torch.randn(1, tree.channels, 4)
    labels = tree.labels(torch.tensor([[3, 4, 0, 1]]))
    for name, kind in NAMES.items():
        loss = kind(taxonomy)
        assert isinstance(loss, NodeLoss)
        largest = max((buffer.numel() for buffer in loss.buffers()), default=0)
        assert largest <= 8 * tree.channels, name
        sizes: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda x, sizes=sizes: sizes.append(x.numel()) or x, lambda x: x):
            value, gradient = value_and_gradient(loss, logits, labels)
        assert max(sizes, default=0) <= 8 * logits.numel(), name
        exact, of_exact = value_and_gradient(loss, logits.double(), labels)
        assert value.item() == pytest.approx(exact.item(), rel=1e-5), name
        torch.testing.assert_close(gradient.double(), of_exact, rtol=1e-3, atol=1e-6, msg=name)
        if name in FUSED:
            plain, of_plain = value_and_gradient(build(f"{name} plain", taxonomy), logits.double(), labels)
            torch.testing.assert_close(exact, plain)
            torch.testing.assert_close(of_exact, of_plain)
