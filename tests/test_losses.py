"""Losses against plain loops in float64: value and gradient, on random ragged trees with labels at any node."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from unittest.mock import patch

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hieratk.errors import ConfigError
from hieratk.kernels import leaf_marginal, level_loss
from hieratk.losses import NAMES, BHCCMLoss, FlatCELoss, LevelBCELoss, LevelCELoss, MarginalLoss, TreeMinLoss, by_name
from hieratk.losses.labels import Labels
from hieratk.losses.target import Target
from hieratk.losses.terms import Term, prepare, reduce
from hieratk.losses.terms import tree_min as tree_min_of_levels
from hieratk.taxonomy.tables import IGNORE
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors
from tests import oracle
from tests.oracle import Truth, Value
from tests.strategies import label_rows, rng, taxonomies

FUSED = ("bhccm", "tree-min", "level-ce", "level-bce", "flat-ce", "marginal")
CASES = (*FUSED, *(f"{name} plain" for name in FUSED))
MANY = settings(max_examples=30, deadline=None)
SHAPE = (2, 1, 3)

RAGGED = Taxonomy.from_outline(
    {"water": 1, "plants": {"crops": {"rice": 2, "maize": 3}, "forest": 4}, "built": {"city": {"roof": 5}}},
    classes={"plants": {"pixel": 6}, "crops": {"pixel": 7}},
)


def tree_min(tree: TaxonomyTensors, logits: Tensor, labels: Tensor) -> Tensor:
    """L_TM alone, as a mean."""
    target = Target(tree, labels, stratified=True)
    levels = enumerate(tree_min_of_levels(target, prepare(logits, target)))
    return reduce([Term(1.0, values, target.counts(i, target.known(i), values.dtype)) for i, values in levels], "mean")


def truth_of(name: str, truth: Truth, z: oracle.Floats, labels: oracle.Ints, coarse: str) -> Value:
    weights = oracle.default_weights(truth)
    name = name.removesuffix(" plain")
    if name == "bhccm":
        return oracle.bhccm(truth, z, labels, weights, tree_weight=0.0, coarse=coarse)
    if name == "tree-min":
        return oracle.tree_min(truth, z, labels, weights, coarse=coarse)
    if name == "level-ce":
        return oracle.level_cross_entropies(truth, z, labels, weights, coarse=coarse)
    if name == "level-bce":
        value = oracle.level_cross_entropies(truth, z, labels, weights, coarse=coarse)
        value.add(oracle.binary(truth, z, labels, constrained=False, coarse=coarse), 1.0)
        return value
    if name == "flat-ce":
        return oracle.set_cross_entropy(truth, z, labels, truth.depth - 1, coarse=coarse)
    assert name == "marginal"
    return oracle.marginal(truth, z, labels, weights, coarse=coarse)


def build(
    case: str, taxonomy: Taxonomy, coarse: str = "marginal", **options: object
) -> Callable[[Tensor, Labels], Tensor]:
    """The loss of a case: a name, which takes the fused path on the CPU where it has one, or `<name> plain`."""
    name, _, plain = case.partition(" ")
    if "coarse" in inspect.signature(NAMES[name]).parameters:
        options["coarse"] = coarse
    loss = NAMES[name](taxonomy, **options)

    def without_kernel(logits: Tensor, labels: Labels) -> Tensor:
        with (
            patch.object(level_loss, "usable", lambda _: False),
            patch.object(leaf_marginal, "usable", lambda _: False),
        ):
            return loss(logits, labels)

    return without_kernel if plain else loss


def value_and_gradient(
    loss: Callable[[Tensor, Labels], Tensor], logits: Tensor, labels: Labels
) -> tuple[Tensor, Tensor]:
    logits = logits.detach().requires_grad_()
    value = loss(logits, labels)
    (gradient,) = torch.autograd.grad(value, logits)
    return value.detach(), gradient


def as_rows(x: Tensor) -> np.ndarray:
    """(B, K, H, W) to (pixels, K)."""
    return x.movedim(1, -1).flatten(0, -2).numpy()


@pytest.mark.parametrize("coarse", ["marginal", "ignore"])
@pytest.mark.parametrize("name", CASES)
@MANY
@given(taxonomy=taxonomies(), data=st.data())
def test_value_and_gradient_equal_the_slow_truth(
    name: str, coarse: str, taxonomy: Taxonomy, data: st.DataObject
) -> None:
    truth, tree = Truth(taxonomy), TaxonomyTensors(taxonomy)
    labels = tree.labels(torch.tensor(data.draw(label_rows(len(truth.rows), SHAPE))))
    random = rng(data.draw)
    scale = data.draw(st.sampled_from([0.1, 3.0, 50.0]))
    logits = torch.tensor(random.normal(size=(SHAPE[0], tree.channels, *SHAPE[1:])) * scale)
    expected = truth_of(name, truth, as_rows(logits), as_rows(labels), coarse)
    value, gradient = value_and_gradient(build(name, taxonomy, coarse), logits, labels)
    assert value.dtype == torch.float64
    assert value.item() == pytest.approx(expected.value, rel=1e-9, abs=1e-12)
    np.testing.assert_allclose(as_rows(gradient), expected.gradient, rtol=1e-9, atol=1e-12)

    single, of_single = value_and_gradient(build(name, taxonomy, coarse), logits.float(), labels)
    assert single.dtype == torch.float32
    assert single.item() == pytest.approx(expected.value, rel=2e-5, abs=2e-6)
    np.testing.assert_allclose(as_rows(of_single), expected.gradient, rtol=1e-3, atol=1e-5)


@MANY
@given(taxonomy=taxonomies(), data=st.data())
def test_tree_min_value_is_right_at_ties(taxonomy: Taxonomy, data: st.DataObject) -> None:
    """Where logits are equal the winner is not unique, but the value is, and the gradient's sum a pixel is."""
    truth, tree = Truth(taxonomy), TaxonomyTensors(taxonomy)
    labels = tree.labels(torch.tensor(data.draw(label_rows(len(truth.rows), SHAPE))))
    logits = torch.tensor(rng(data.draw).integers(-1, 2, (SHAPE[0], tree.channels, *SHAPE[1:])).astype(float))
    expected = oracle.binary(truth, as_rows(logits), as_rows(labels), constrained=True, coarse="marginal")
    value, gradient = value_and_gradient(lambda z, y: tree_min(tree, z, y), logits, labels)
    assert value.item() == pytest.approx(expected.value, rel=1e-9, abs=1e-12)
    np.testing.assert_allclose(as_rows(gradient).sum(1), expected.gradient.sum(1), rtol=1e-9, atol=1e-12)


def test_tree_min_splits_a_tie_evenly() -> None:
    taxonomy = Taxonomy.from_outline({"a": {"b": 1, "c": 2}, "d": {"e": 3}})
    tree = TaxonomyTensors(taxonomy)
    labels = torch.tensor([1, IGNORE]).view(1, 2, 1)
    logits = torch.zeros(1, 5, 1, dtype=torch.float64)
    _, gradient = value_and_gradient(lambda z, y: tree_min(tree, z, y), logits, labels)
    # `a` is not true: its maximum over a, b, c is shared by three. `d` is true: its minimum is itself alone.
    np.testing.assert_allclose(gradient.flatten(), [0.25 / 3, -0.25, 0.25 / 3, 0.25 / 3, 0], atol=1e-12)


@pytest.mark.parametrize("coarse", ["marginal", "ignore"])
@pytest.mark.parametrize("name", CASES)
def test_gradcheck(name: str, coarse: str) -> None:
    tree = TaxonomyTensors(RAGGED)
    torch.manual_seed(0)
    labels = tree.encode(torch.tensor([[[1, 2, 6, 0], [7, 5, 4, 3]]]))
    logits = torch.randn(1, tree.channels, 2, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: build(name, RAGGED, coarse)(z, labels), (logits,))


@pytest.mark.parametrize("name", CASES)
def test_void_pixels_add_exactly_nothing(name: str) -> None:
    tree, loss = TaxonomyTensors(RAGGED), build(name, RAGGED)
    torch.manual_seed(0)
    labels = tree.encode(torch.tensor([[[1, 0, 2, 0, 6, 99]]]))
    before = labels.clone()
    void = (labels < 0).all(1, keepdim=True).expand(-1, tree.channels, -1, -1)
    logits = torch.randn(1, tree.channels, 1, 6)
    value, gradient = value_and_gradient(loss, logits, labels)
    assert torch.equal(labels, before), "the labels were written to"
    assert gradient[void].abs().max() == 0
    assert gradient[~void].abs().max() > 0
    for filler in (5.0, 1e30, math.inf, math.nan):
        other, of_other = value_and_gradient(loss, logits.masked_fill(void, filler), labels)
        assert torch.equal(other, value)
        assert torch.equal(of_other, gradient)
    kept, of_kept = value_and_gradient(loss, logits[..., [0, 2, 4]], labels[..., [0, 2, 4]])
    assert kept.item() == pytest.approx(value.item(), rel=1e-6)
    torch.testing.assert_close(of_kept, gradient[..., [0, 2, 4]])


@pytest.mark.parametrize("name", CASES)
def test_nothing_labelled_is_zero_with_zero_gradient(name: str) -> None:
    tree = TaxonomyTensors(RAGGED)
    labels = torch.full((2, tree.n_levels, 2, 2), IGNORE)
    value, gradient = value_and_gradient(build(name, RAGGED), torch.randn(2, tree.channels, 2, 2), labels)
    assert value.item() == 0
    assert torch.equal(gradient, torch.zeros_like(gradient))


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_logits_are_computed_in_float32(name: str, dtype: torch.dtype) -> None:
    tree, loss = TaxonomyTensors(RAGGED), build(name, RAGGED)
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


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_extreme_logits_stay_finite_and_keep_a_gradient(name: str, dtype: torch.dtype) -> None:
    tree, truth = TaxonomyTensors(RAGGED), Truth(RAGGED)
    labels = tree.encode(torch.tensor([[[1, 2, 3, 4, 5, 6, 7]]]))
    torch.manual_seed(0)
    sign = torch.where(torch.randn(1, tree.channels, 1, 7) > 0, 1.0, -1.0)
    logits = (sign * 1e4 + torch.randn_like(sign) * 50).to(dtype)
    value, gradient = value_and_gradient(build(name, RAGGED), logits, labels)
    expected = truth_of(name, truth, as_rows(logits.double()), as_rows(labels), "marginal")
    assert value.item() == pytest.approx(expected.value, rel=1e-5)
    assert gradient.isfinite().all()
    # Between equal logits (likely in half types at 1e4) the winner is free, so gradients compare by their sum a pixel.
    tolerance = {torch.float32: 1e-6, torch.float16: 2e-4, torch.bfloat16: 2e-3}[dtype]
    np.testing.assert_allclose(as_rows(gradient.double()).sum(1), expected.gradient.sum(1), atol=tolerance)


def test_confidently_wrong_keeps_its_gradient() -> None:
    """log(1 - sigmoid(z) + eps) is flat from z = 18 on; ours is not."""
    taxonomy = Taxonomy.from_outline({"a": 1, "b": 2})
    tree = TaxonomyTensors(taxonomy)
    labels = tree.encode(torch.tensor([[[1]]]))
    logits = torch.tensor([-30.0, 30.0]).view(1, 2, 1, 1)
    _, gradient = value_and_gradient(lambda z, y: tree_min(tree, z, y), logits, labels)
    torch.testing.assert_close(gradient.flatten(), torch.tensor([-0.5, 0.5]))


@pytest.mark.parametrize("coarse", ["marginal", "ignore"])
def test_leaf_labels_give_torch_cross_entropy_level_by_level(coarse: str) -> None:
    tree = TaxonomyTensors(RAGGED)
    torch.manual_seed(0)
    labels = tree.encode(torch.randint(0, 6, (2, 5, 5)))
    logits = torch.randn(2, tree.channels, 5, 5, dtype=torch.float64)
    expected = sum(
        size / tree.channels * F.cross_entropy(z, labels[:, i], ignore_index=IGNORE)
        for i, (z, size) in enumerate(zip(tree.split(logits), tree.sizes, strict=True))
    )
    for loss in (LevelCELoss(RAGGED, coarse=coarse), TreeMinLoss(RAGGED, coarse=coarse, tree_weight=0)):
        torch.testing.assert_close(loss(logits, labels), expected)
    flat = F.cross_entropy(tree.split(logits)[-1], labels[:, -1], ignore_index=IGNORE)
    torch.testing.assert_close(FlatCELoss(RAGGED, coarse=coarse)(logits, labels), flat)


def test_coarse_labels_teach_the_leaves() -> None:
    tree = TaxonomyTensors(RAGGED)
    labels = tree.encode(torch.tensor([[[7]]]))  # crops: rice or maize
    logits = torch.zeros(1, tree.channels, 1, 1)
    leaves = {id_: i for i, id_ in enumerate(tree.tables.leaves)}
    inside = [leaves["rice"], leaves["maize"]]
    outside = [i for i in leaves.values() if i not in inside]
    for kind in (BHCCMLoss, TreeMinLoss, LevelCELoss, FlatCELoss, MarginalLoss):
        loss = TreeMinLoss(RAGGED, tree_weight=0) if kind is TreeMinLoss else kind(RAGGED)
        of_leaves = value_and_gradient(loss, logits, labels)[1].flatten()[-len(leaves) :]
        assert (of_leaves[inside] < 0).all()
        assert (of_leaves[outside] > 0).all()
    for control in (LevelCELoss(RAGGED, coarse="ignore"), FlatCELoss(RAGGED, coarse="ignore")):
        of_leaves = value_and_gradient(control, logits, labels)[1].flatten()[-len(leaves) :]
        assert (of_leaves == 0).all()


def test_carried_copies_take_no_part_in_the_tree_term() -> None:
    tree = TaxonomyTensors(RAGGED)
    labels = tree.encode(torch.tensor([[[1, 2, 4, 6, 7]]]))
    logits = torch.randn(1, tree.channels, 1, 5, dtype=torch.float64)
    _, gradient = value_and_gradient(lambda z, y: tree_min(tree, z, y), logits, labels)
    assert tree.carried.any()
    assert gradient[:, tree.carried].abs().max() == 0
    moved = logits.clone()
    moved[:, tree.carried] += 100
    torch.testing.assert_close(tree_min(tree, moved, labels), tree_min(tree, logits, labels), rtol=0, atol=0)


def test_bce_is_tree_min_without_minimum_and_maximum() -> None:
    """On a tree of one level there is nothing to constrain."""
    taxonomy = Taxonomy.from_outline({"a": 1, "b": 2, "c": 3})
    tree = TaxonomyTensors(taxonomy)
    labels = tree.encode(torch.randint(0, 4, (1, 4, 4)))
    logits = torch.randn(1, 3, 4, 4, dtype=torch.float64)
    torch.testing.assert_close(LevelBCELoss(taxonomy)(logits, labels), TreeMinLoss(taxonomy)(logits, labels))


@pytest.mark.parametrize("name", CASES)
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
    value, gradient = value_and_gradient(build(name, taxonomy), logits, labels)
    expected = truth_of(name, truth, as_rows(logits), as_rows(labels), "marginal")
    assert value.item() == pytest.approx(expected.value, abs=1e-12)
    np.testing.assert_allclose(as_rows(gradient), expected.gradient, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
def test_any_number_of_pixel_axes(name: str) -> None:
    tree, loss = TaxonomyTensors(RAGGED), build(name, RAGGED)
    labels = tree.encode(torch.tensor([[[1, 2, 6], [0, 7, 3]]]))
    logits = torch.randn(1, tree.channels, 2, 3, dtype=torch.float64)
    flat = loss(logits.flatten(2), labels.flatten(2))
    points = loss(logits[0].flatten(1).T, labels[0].flatten(1).T)
    torch.testing.assert_close(flat, loss(logits, labels))
    torch.testing.assert_close(points, flat)


def test_weights() -> None:
    tree = TaxonomyTensors(RAGGED)
    labels = tree.encode(torch.tensor([[[1, 2, 6]]]))
    logits = torch.randn(1, tree.channels, 1, 3, dtype=torch.float64)
    truth = Truth(RAGGED)
    expected = oracle.bhccm(
        truth, as_rows(logits), as_rows(labels), [1.0, 0.0, 2.5], tree_weight=5.0, coarse="marginal"
    )
    loss = BHCCMLoss(RAGGED, level_weights=[1, 0, 2.5], tree_weight=5)
    assert loss(logits, labels).item() == pytest.approx(expected.value)
    assert BHCCMLoss(RAGGED).level_weights == pytest.approx(oracle.default_weights(truth))


def refused(call: Callable[[], object], error: type[Exception], *words: str) -> None:
    with pytest.raises(error) as caught:
        call()
    for word in words:
        assert word in str(caught.value)


def test_bad_options_are_refused() -> None:
    weights: Sequence[tuple[list[float], str]] = (
        ([1, 1], "2 level_weights for 3 levels (level1, level2, level3)"),
        ([1, -1, 1], "level_weights[1] is -1"),
        ([1, math.nan, 1], "level_weights[1] is nan"),
        ([0, 0, 0], "level_weights are all 0"),
    )
    for values, text in weights:
        refused(lambda values=values: BHCCMLoss(RAGGED, level_weights=values), ConfigError, text)
    refused(lambda: BHCCMLoss(RAGGED, tree_weight=-1), ConfigError, "tree_weight is -1")
    refused(lambda: LevelBCELoss(RAGGED, bce_weight=math.inf), ConfigError, "bce_weight is inf")
    refused(lambda: FlatCELoss(RAGGED, coarse="margin"), ConfigError, "`margin`", "marginal, ignore")


@pytest.mark.parametrize("name", CASES)
def test_tensors_of_another_tree_are_refused(name: str) -> None:
    tree, loss = TaxonomyTensors(RAGGED), build(name, RAGGED)
    labels = tree.encode(torch.zeros(1, 2, 2, dtype=torch.int64))
    n = tree.channels
    refused(lambda: loss(torch.zeros(1, n + 1, 2, 2), labels), ValueError, f"(B, {n}, ...)")
    refused(lambda: loss(torch.zeros(1, n, 2, 3), labels), ValueError, "(1, 3, 2, 3)")
    refused(lambda: loss(torch.zeros(1, n, 2, 2), labels[:, :2]), ValueError, "(1, 3, 2, 2)")
    refused(lambda: loss(torch.zeros(1, n, 2, 2), labels.int()), ValueError, "int64")


def test_by_name() -> None:
    assert by_name("bhccm") is BHCCMLoss
    assert {by_name(name) for name in NAMES} == set(NAMES.values())
    refused(lambda: by_name("bhcmm"), ConfigError, "no loss `bhcmm`; did you mean `bhccm`?", "flat-ce")
    refused(lambda: by_name("zzz"), ConfigError, "no loss `zzz`; there are bhccm")


def test_a_loss_has_nothing_to_save() -> None:
    assert BHCCMLoss(RAGGED).state_dict() == {}


@pytest.mark.parametrize("name", ["bhccm", "tree-min"])
def test_torch_compile_works_around_the_kernels(name: str) -> None:
    tree, loss = TaxonomyTensors(RAGGED), NAMES[name](RAGGED)
    torch.manual_seed(0)
    labels = tree.encode(torch.randint(0, 8, (1, 5, 5)))
    logits = torch.randn(1, tree.channels, 5, 5)
    # Without code generation, which needs a C++ compiler: what is traced is the same.
    compiled = torch.compile(lambda z: loss(z, labels), backend="aot_eager")
    torch.testing.assert_close(
        value_and_gradient(lambda z, _: compiled(z), logits, labels), value_and_gradient(loss, logits, labels)
    )
