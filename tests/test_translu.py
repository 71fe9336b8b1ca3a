"""TransLU's parts: expanded heads, the frozen branch, adapters, alignment terms, bands."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hieratk.diagnostics import Source
from hieratk.errors import TransferError
from hieratk.heads import NodeHead
from hieratk.losses.probabilities import of_path_sums
from hieratk.models import build
from hieratk.taxonomy.reader import read
from hieratk.taxonomy.tables import compile_tables
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors
from hieratk.transfer.plan import PlanRow, TransferPlan, TreeRef
from hieratk.transfer.planning import plan
from hieratk.translu.alignment import Alignment, hearings, may_share
from hieratk.translu.bands import source_view
from hieratk.translu.expansion import expand_head, expand_moments, expansion
from hieratk.translu.network import DualBranch, SourceView, dual_branch
from hieratk.translu.prototypes import PrototypeTerm
from tests.oracle import Truth, path_scores, softmax


def tree(text: str, *, id_: str = "t") -> Taxonomy:
    found, problems = read(Source("t.yaml", f"hieratk: taxonomy/1\nid: {id_}\nversion: 1.0.0\n{text}"))
    assert found is not None, problems
    return found


COVER = tree("levels: [a, b]\ntree: {land: {crops: 1, trees: 2}, water: 3}\n", id_="cover")
CROPS = tree("levels: [a, b, c]\ntree: {land: {crops: {rice: 4, corn: 5, soy: 6}, trees: 2}, water: 3}\n", id_="crops")


@pytest.fixture(scope="module")
def moved() -> TransferPlan:
    return plan(COVER, CROPS)


def filled_head(channels: int, taxonomy: Taxonomy, seed: int = 0) -> NodeHead:
    torch.manual_seed(seed)
    head = NodeHead(channels, taxonomy)
    nn.init.normal_(head.classify.bias)
    return head


def channel(taxonomy: Taxonomy, id_: str, level: int) -> int:
    tables = compile_tables(taxonomy)
    return int(tables.offsets[level]) + tables.channel_ids(level).index(id_)


def test_kept_rows_are_equal_bit_for_bit_and_the_source_is_untouched(moved: TransferPlan) -> None:
    head = filled_head(7, COVER)
    before = {name: value.clone() for name, value in head.state_dict().items()}
    new = expand_head(head, expansion(moved, compile_tables(COVER), compile_tables(CROPS)))
    for id_, level in (("land", 0), ("water", 0), ("crops", 1), ("trees", 1), ("water", 1)):
        old, now = channel(COVER, id_, level), channel(CROPS, id_, level)
        assert torch.equal(head.classify.weight[old], new.classify.weight[now])
        assert torch.equal(head.classify.bias[old], new.classify.bias[now])
    assert all(torch.equal(value, before[name]) for name, value in head.state_dict().items())


def test_a_split_keeps_the_probability_of_the_whole(moved: TransferPlan) -> None:
    """Without noise, the finest level says of the siblings together what the source said of the class they split."""
    quiet = replace(moved, rows=tuple(replace(row, noise=0.0) for row in moved.rows))
    head = filled_head(7, COVER)
    new = expand_head(head, expansion(quiet, compile_tables(COVER), compile_tables(CROPS)))
    features = torch.randn(2, 7, 3, 3)
    source = TaxonomyTensors(COVER).split(head(features))[1].softmax(1)
    target = TaxonomyTensors(CROPS).split(new(features))[2].softmax(1)
    ids = compile_tables(CROPS).channel_ids(2)
    crops = [ids.index(name) for name in ("rice", "corn", "soy")]
    torch.testing.assert_close(target[:, crops].sum(1), source[:, compile_tables(COVER).channel_ids(1).index("crops")])
    torch.testing.assert_close(target[:, ids.index("trees")], source[:, 1])


def test_along_paths_a_split_keeps_the_probability_at_every_level(moved: TransferPlan) -> None:
    quiet = replace(moved, rows=tuple(replace(row, noise=0.0) for row in moved.rows))
    head, cover, crops = filled_head(7, COVER), compile_tables(COVER), compile_tables(CROPS)
    new = expand_head(head, expansion(quiet, cover, crops, along_paths=True))
    features = torch.randn(2, 7, 3, 3)
    said = of_path_sums(TaxonomyTensors(COVER), head(features).flatten(2))
    now = of_path_sums(TaxonomyTensors(CROPS), new(features).flatten(2))
    for level in (0, 1):
        ids = cover.channel_ids(level)
        found = [now[level][:, crops.channel_ids(level).index(id_)] for id_ in ids]
        torch.testing.assert_close(torch.stack(found, 1), said[level], rtol=1e-4, atol=1e-5)
    of_crops = now[2][:, [crops.channel_ids(2).index(id_) for id_ in ("rice", "corn", "soy")]]
    whole = said[1][:, cover.channel_ids(1).index("crops")]
    torch.testing.assert_close(of_crops.logsumexp(1), whole, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(of_crops[:, 0], of_crops[:, 2], rtol=1e-4, atol=1e-5)
    kept = channel(COVER, "trees", 1), channel(CROPS, "trees", 1)
    assert torch.equal(head.classify.weight[kept[0]], new.classify.weight[kept[1]])


def test_along_paths_a_class_that_splits_twice_keeps_its_probability() -> None:
    one = tree("levels: [a]\ntree: {land: 1, water: 2}\n", id_="one")
    three = tree(
        "levels: [a, b, c]\ntree: {land: {crops: {rice: 4, corn: 5}, trees: {oak: 6, fir: 7, elm: 8}}, water: 2}\n",
        id_="three",
    )
    made = plan(one, three)
    quiet = replace(made, rows=tuple(replace(row, noise=0.0) for row in made.rows))
    head = filled_head(5, one)
    how = expansion(quiet, compile_tables(one), compile_tables(three), along_paths=True)
    assert not how.fresh.any()
    features = torch.randn(1, 5, 2, 2)
    said = head(features).flatten(2).log_softmax(1)
    now = of_path_sums(TaxonomyTensors(three), expand_head(head, how)(features).flatten(2))
    torch.testing.assert_close(now[0], said, rtol=1e-4, atol=1e-5)
    shares = (now[2].exp() / now[0].exp()[:, :1])[:, :5]
    torch.testing.assert_close(shares, torch.full_like(shares, 1 / 5), rtol=1e-4, atol=1e-5)


def test_noise_is_small_and_its_own_for_each_class(moved: TransferPlan) -> None:
    head = filled_head(64, COVER)
    how = expansion(moved, compile_tables(COVER), compile_tables(CROPS))
    new = expand_head(head, how, seed=5)
    row = head.classify.weight[channel(COVER, "crops", 1)]
    for id_ in ("rice", "corn", "soy"):
        off = (new.classify.weight[channel(CROPS, id_, 2)] - row).norm() / row.norm()
        assert 0.005 < off < 0.02
    rice, corn = (new.classify.weight[channel(CROPS, id_, 2)] for id_ in ("rice", "corn"))
    assert not torch.equal(rice, corn)
    assert torch.equal(expand_head(head, how, seed=5).classify.weight, new.classify.weight)
    assert not torch.equal(expand_head(head, how, seed=6).classify.weight, new.classify.weight)


def test_expanding_twice_is_expanding_once() -> None:
    """Classes added under different parents; the later ones touch no row that was there."""
    half = tree("levels: [a, b, c]\ntree: {land: {crops: {rice: 4, corn: 5}, trees: 2}, water: 3}\n", id_="half")
    whole = tree(
        "levels: [a, b, c]\ntree: {land: {crops: {rice: 4, corn: 5}, trees: {oak: 7, fir: 8}}, water: 3}\n", id_="whole"
    )
    head = filled_head(9, COVER)
    tables = [compile_tables(t) for t in (COVER, half, whole)]
    once = expand_head(head, expansion(plan(COVER, whole), tables[0], tables[2]), seed=2)
    first = expand_head(head, expansion(plan(COVER, half), tables[0], tables[1]), seed=2)
    twice = expand_head(first, expansion(plan(half, whole), tables[1], tables[2]), seed=2)
    assert torch.equal(once.classify.weight, twice.classify.weight)
    assert torch.equal(once.classify.bias, twice.classify.bias)
    for id_ in ("rice", "corn"):
        assert torch.equal(twice.classify.weight[channel(whole, id_, 2)], first.classify.weight[channel(half, id_, 2)])


def test_a_row_that_nothing_starts_is_drawn_and_a_merge_is_the_mean() -> None:
    target = tree("levels: [a]\ntree: {green: 1, strange: 2}\n", id_="target")
    rows = (
        PlanRow("green", 0, "merge", "superset", ("crops", "trees"), (("crops", 0.5), ("trees", 0.5)), 0.0),
        PlanRow("strange", 0, "new", "none"),
    )
    made = TransferPlan(TreeRef.of(COVER), TreeRef.of(target), rows)
    head = filled_head(6, COVER)
    how = expansion(made, compile_tables(COVER), compile_tables(target))
    assert how.fresh.tolist() == [False, True]
    new = expand_head(head, how)
    both = head.classify.weight[[channel(COVER, "crops", 1), channel(COVER, "trees", 1)]]
    torch.testing.assert_close(new.classify.weight[0], both.mean(0))
    bias = head.classify.bias[[channel(COVER, "crops", 1), channel(COVER, "trees", 1)]]
    torch.testing.assert_close(new.classify.bias[0], bias.mean() + math.log(2))
    assert new.classify.weight[1].abs().max() > 0
    assert new.classify.bias[1] == 0


def test_moments_go_with_kept_rows_alone(moved: TransferPlan) -> None:
    how = expansion(moved, compile_tables(COVER), compile_tables(CROPS))
    old = torch.rand(compile_tables(COVER).channels, 4) + 1
    new = expand_moments(old, how)
    assert torch.equal(new[channel(CROPS, "land", 0)], old[channel(COVER, "land", 0)])
    assert not new[channel(CROPS, "rice", 2)].any()


def models(*, sharing: bool = True, in_channels: int = 3) -> tuple[DualBranch, torch.Tensor]:
    torch.manual_seed(0)
    source = build("unet", COVER, in_channels=3, backbone="conv", backbone_options={"widths": (4, 8)}).eval()
    for module in source.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.running_mean)
    how = expansion(plan(COVER, CROPS), compile_tables(COVER), compile_tables(CROPS))
    view = SourceView([0, 1, 2])
    head = expand_head(source.head, how)
    model = dual_branch(source, CROPS, head, target=None, in_channels=in_channels, view=view, sharing=sharing)
    return model, torch.randn(2, in_channels, 9, 7)


@pytest.mark.parametrize("sharing", [True, False])
def test_the_target_begins_as_the_source(sharing: bool) -> None:
    model, image = models(sharing=sharing)
    model.eval()
    said, source = model(image), model.source_logits(image)
    for id_, level in (("land", 0), ("water", 0), ("crops", 1), ("trees", 1)):
        assert torch.equal(said[:, channel(CROPS, id_, level)], source[:, channel(COVER, id_, level)])


def test_the_frozen_branch_stays_as_it_is_through_training() -> None:
    """Norm statistics, dropout and weights: the same answers before and after, in train mode too."""
    model, image = models()
    before = model.source_logits(image)
    weights = {name: value.clone() for name, value in model.source.state_dict().items()}
    model.train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        model(image).square().mean().backward()
        optimizer.step()
    assert not model.source.training
    assert torch.equal(model.source_logits(image), before)
    assert all(torch.equal(value, weights[name]) for name, value in model.source.state_dict().items())
    assert not any(name.startswith("source") for name in model.state_dict())
    assert all(parameter.grad is None for parameter in model.source.parameters())


def test_adapters_take_the_source_in_once_their_gain_moves() -> None:
    model, image = models()
    model.eval()
    assert model.adapters is not None
    before = model(image)
    with torch.no_grad():
        for adapter in model.adapters.each:
            adapter.gain.fill_(0.5)
    assert not torch.equal(model(image), before)
    grads = torch.autograd.grad(model(image).sum(), [adapter.gain for adapter in model.adapters.each])
    assert all(grad.abs().sum() > 0 for grad in grads)


def opened(model: DualBranch, gain: float) -> DualBranch:
    """The model with adapters that say something."""
    assert model.adapters is not None
    with torch.no_grad():
        for adapter in model.adapters.each:
            adapter.gain.fill_(gain)
    return model


@pytest.mark.parametrize("sharing", [True, False])
def test_a_third_model_begins_as_the_second(sharing: bool) -> None:
    """What the second's adapters add belongs to what it says; the third starts with that, not with the bare net."""
    second, image = models()
    opened(second, 0.5).eval()
    third = dual_branch(
        second, CROPS, second.head, target=None, in_channels=3, view=SourceView([0, 1, 2]), sharing=sharing
    ).eval()
    torch.testing.assert_close(third(image), second(image))
    assert not torch.allclose(second.head(second.net(second.pad(image))), second(second.pad(image)))


@pytest.mark.parametrize("sharing", [True, False])
def test_one_pass_for_both_branches_is_two_passes(sharing: bool) -> None:
    model, image = models(sharing=sharing)
    if sharing:
        opened(model, 0.5)
    model.eval()
    padded = model.pad(image)
    features, said = model.with_source(padded)
    assert torch.equal(features, model.decoded(padded))
    assert torch.equal(said, model.source_logits(padded))
    assert features.requires_grad
    assert not said.requires_grad


def test_moving_the_model_moves_the_source() -> None:
    model, _ = models()
    model.double()
    assert next(model.source.parameters()).dtype == torch.float64


def test_more_bands_start_at_zero() -> None:
    model, image = models(sharing=False, in_channels=5)
    model.eval()
    other = image.clone()
    other[:, 3:] += 1
    assert torch.equal(model(image), model(other))
    assert torch.equal(model(image)[:, :2], model.source_logits(image)[:, :2])


def test_bands_by_name_by_number_and_by_order() -> None:
    moments = ([1.0, 2.0], [1.0, 4.0])
    view = source_view(["red", "NIR"], moments, ["nir", "swir", "Red"], ([5.0, 0.0, 3.0], [2.0, 1.0, 2.0]),
                       bands=None, statistics=None)  # fmt: skip
    assert view.bands.tolist() == [2, 0]
    image = torch.zeros(1, 3, 1, 1)
    # A normalised 0 is red 3 and nir 5, which the source calls (3 - 1) / 1 and (5 - 2) / 4.
    torch.testing.assert_close(view(image).flatten(), torch.tensor([2.0, 0.75]))
    stated = source_view(["band 1", "band 2"], moments, ["x", "y", "z"], ([0.0] * 3, [1.0] * 3),
                         bands=[3, 0], statistics=None)  # fmt: skip
    assert stated(torch.arange(3.0).view(1, 3, 1, 1) + 1).flatten().tolist() == [3.0, 0.0]
    same = source_view(["band 1", "band 2"], moments, ["band 1", "band 2"], moments, bands=None, statistics=None)
    torch.testing.assert_close(same(torch.ones(1, 2, 1, 1)).flatten(), torch.ones(2))
    with pytest.raises(TransferError, match=r"reads 2 bands .* the images have 3"):
        source_view(["band 1", "band 2"], moments, ["x", "y", "z"], moments, bands=None, statistics=None)
    with pytest.raises(TransferError, match="names band 4; the images have bands 1 to 3"):
        source_view(["a", "b"], moments, ["x", "y", "z"], moments, bands=[4, 1], statistics=None)


def test_what_a_plan_lets_be_heard(moved: TransferPlan) -> None:
    source, target = compile_tables(COVER), compile_tables(CROPS)
    assert may_share(moved, source, target).tolist() == [
        [True, False, False],
        [True, False, False],
        [True, False, False],
        [False, True, False],
        [False, False, True],
    ]
    finest = hearings(moved, source, target)[-1]
    assert (finest.level, finest.source_level) == (2, 1)
    heard = {
        source.channel_ids(1)[b]: {
            target.channel_ids(2)[c] for g in np.nonzero(row)[0] for c in np.nonzero(finest.groups[g])[0]
        }
        for part, row in zip(finest.parts, finest.allowed, strict=True)
        for b in np.nonzero(part)[0]
    }
    assert heard == {"crops": {"rice", "corn", "soy"}, "trees": {"trees"}, "water": {"water"}}
    assert [h.source_level for h in hearings(moved, source, target)] == [0, 1, 1]


RELATED = {
    "equal": {("rice", "trees"): False, ("corn", "trees"): True, ("corn", "crops"): False, ("rice", "crops"): True},
    "subset": {("rice", "trees"): False, ("corn", "trees"): True, ("corn", "crops"): True, ("rice", "crops"): True},
    "superset": {("rice", "trees"): True, ("corn", "trees"): True, ("corn", "crops"): False, ("rice", "crops"): True},
    "overlap": {("rice", "trees"): True, ("corn", "trees"): True, ("corn", "crops"): True, ("rice", "crops"): True},
}


@pytest.mark.parametrize("relation", RELATED)
def test_what_each_relation_excludes(relation: str) -> None:
    row = PlanRow("rice", 2, "split", relation, aligned=("crops",))  # type: ignore[arg-type]
    source, target = compile_tables(COVER), compile_tables(CROPS)
    found = may_share(TransferPlan(TreeRef.of(COVER), TreeRef.of(CROPS), (row,)), source, target)
    for (ours, theirs), expected in RELATED[relation].items():
        at = target.ids.index(ours), source.ids.index(theirs)
        assert found[target.leaf_span[at[0]][0], source.leaf_span[at[1]][0]] == expected, (ours, theirs)


def slow_alignment(logits: np.ndarray, said: np.ndarray, where: np.ndarray, made: TransferPlan) -> float:
    """Source leaf by source leaf and pixel by pixel: -Q_b log P(A_b), Q read where the module says."""
    source, target = compile_tables(COVER), compile_tables(CROPS)
    share = may_share(made, source, target)
    total = 0.0
    for level in range(3):
        size = target.sizes[level]
        allowed = {
            b: {int(target.level_of_leaf(level)[a]) for a in range(len(target.leaves)) if share[a, b]}
            for b in range(len(source.leaves))
        }
        read = next(
            n
            for n in range(len(source.sizes))
            if all(
                allowed[b] == allowed[c]
                for b in allowed
                for c in allowed
                if source.level_of_leaf(n)[b] == source.level_of_leaf(n)[c]
            )
        )
        terms = []
        for b, i, j in zip(*np.nonzero(where), strict=True):
            z = logits[b, target.offsets[level] : target.offsets[level + 1], i, j]
            y = said[b, source.offsets[read] : source.offsets[read + 1], i, j]
            p, q = np.exp(z) / np.exp(z).sum(), np.exp(y) / np.exp(y).sum()
            term = 0.0
            for channel in range(len(q)):
                leaf = next(v for v in range(len(source.leaves)) if source.level_of_leaf(read)[v] == channel)
                if 0 < len(allowed[leaf]) < size:
                    term -= q[channel] * np.log(sum(p[c] for c in allowed[leaf]))
            terms.append(term)
        total += float(np.mean(terms))
    return total


def sums_of_paths(taxonomy: Taxonomy, logits: np.ndarray) -> np.ndarray:
    """(B, N, H, W) the log-probability of each class where a leaf's score is the sum of the logits on its path."""
    truth, found = Truth(taxonomy), np.zeros_like(logits)
    for b, i, j in np.ndindex(logits.shape[0], *logits.shape[2:]):
        leaves = softmax(path_scores(truth, logits[b, :, i, j], [1.0] * truth.depth))
        for n, (level, id_) in enumerate(truth.channels):
            inside = (p for v, p in zip(truth.leaves, leaves, strict=True) if truth.class_at(v, level) == id_)
            found[b, n, i, j] = math.log(math.fsum(inside))
    return found


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 10_000),
    st.booleans(),
    st.sampled_from(["equal", "subset", "superset", "overlap"]),
    st.sampled_from(["best_path", "path_sum"]),
    st.sampled_from(["best_path", "path_sum"]),
)
def test_alignment_is_the_formula(seed: int, even: bool, relation: str, heard: str, said_by: str) -> None:
    made = plan(COVER, CROPS)
    made = replace(made, rows=tuple(replace(r, relation=relation) if r.node == "trees" else r for r in made.rows))
    random = np.random.default_rng(seed)
    logits = random.normal(0, 2, (2, compile_tables(CROPS).channels, 2, 3))
    said = random.normal(0, 2, (2, compile_tables(COVER).channels, 2, 3))
    where = random.random((2, 2, 3)) < 0.7
    where[0, 0, 0] = True
    trees = TaxonomyTensors(COVER), TaxonomyTensors(CROPS)
    term = Alignment(made, *trees, even=even, decoding=heard, source_decoding=said_by)
    got = term(torch.tensor(logits), torch.tensor(said), torch.tensor(where))
    logits = sums_of_paths(CROPS, logits) if heard == "path_sum" else logits
    said = sums_of_paths(COVER, said) if said_by == "path_sum" else said
    assert got.item() == pytest.approx(slow_alignment(logits, said, where, made), rel=1e-4)


def test_even_alignment_leaves_the_order_of_siblings_alone() -> None:
    made = plan(COVER, CROPS)
    trees = TaxonomyTensors(COVER), TaxonomyTensors(CROPS)
    logits = torch.randn(1, trees[1].channels, 2, 2, requires_grad=True)
    said, where = torch.randn(1, trees[0].channels, 2, 2), torch.ones(1, 2, 2, dtype=torch.bool)
    rice, corn, water = (channel(CROPS, id_, 2) for id_ in ("rice", "corn", "water"))
    (even,) = torch.autograd.grad(Alignment(made, *trees)(logits, said, where), logits)
    torch.testing.assert_close(even[:, rice], even[:, corn])
    assert even[:, rice].abs().min() > 0
    (shares,) = torch.autograd.grad(Alignment(made, *trees, even=False)(logits, said, where), logits)
    assert not torch.allclose(shares[:, rice], shares[:, corn])
    torch.testing.assert_close(even[:, water], shares[:, water])  # a class of its own has nothing to be shared


def test_confidence_weighs_pixels_by_what_the_source_is_surest_of() -> None:
    trees = TaxonomyTensors(COVER), TaxonomyTensors(CROPS)
    logits, where = torch.zeros(1, trees[1].channels, 1, 1), torch.ones(1, 1, 1, dtype=torch.bool)
    sure = torch.zeros(1, trees[0].channels, 1, 1)
    plain, weighed = (Alignment(plan(COVER, CROPS), *trees, confidence=c)(logits, sure, where) for c in (0, 1))
    levels = [math.log(2), (3 * math.log(3) - math.log(1)) / 3, (2 * math.log(5) + math.log(5 / 3)) / 3]
    assert plain.item() == pytest.approx(sum(levels), rel=1e-5)
    assert weighed.item() == pytest.approx(levels[0] / 2 + levels[1] / 3 + levels[2] / 3, rel=1e-5)


def test_alignment_of_no_pixel_is_zero_with_a_zero_gradient() -> None:
    trees = TaxonomyTensors(COVER), TaxonomyTensors(CROPS)
    logits = torch.randn(1, trees[1].channels, 2, 2, requires_grad=True)
    value = Alignment(plan(COVER, CROPS), *trees)(
        logits, torch.randn(1, trees[0].channels, 2, 2), torch.zeros(1, 2, 2, dtype=torch.bool)
    )
    value.backward()
    assert value.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


def test_the_negative_control_hears_other_classes() -> None:
    trees = TaxonomyTensors(COVER), TaxonomyTensors(CROPS)
    right, wrong = (Alignment(plan(COVER, CROPS), *trees, shuffle=shuffle) for shuffle in (False, True))
    assert not torch.equal(right.get_buffer("parts_0"), wrong.get_buffer("parts_0"))


def test_a_plan_without_relations_cannot_align() -> None:
    rows = (PlanRow("land", 0, "new", "none"),)
    made = TransferPlan(TreeRef.of(COVER), TreeRef.of(CROPS), rows)
    with pytest.raises(TransferError, match=r"nothing to align; set `transfer.alignment: 0`"):
        Alignment(made, TaxonomyTensors(COVER), TaxonomyTensors(CROPS))


def test_prototypes_pull_towards_the_aligned_class(moved: TransferPlan) -> None:
    trees = TaxonomyTensors(COVER), TaxonomyTensors(CROPS)
    means = torch.eye(len(compile_tables(COVER).ids), 5)[: len(compile_tables(COVER).ids)]
    term = PrototypeTerm(moved, means, *trees, channels=5)
    crops = compile_tables(COVER).ids.index("crops")
    labels = torch.full((1, 3, 1, 2), -100)
    labels[0, 2, 0, 0] = compile_tables(CROPS).channel_ids(2).index("rice")
    features = torch.zeros(1, 5, 1, 2)
    features[0, crops] = 3.0
    assert term(features, labels).item() == pytest.approx(0, abs=1e-6)
    features[0, crops], features[0, (crops + 1) % 5] = 0.0, 1.0
    assert term(features, labels).item() == pytest.approx(1)
    assert term(features, torch.full_like(labels, -100)).item() == 0
    with pytest.raises(TransferError, match=r"have 5 channels, the target's decoder 6"):
        PrototypeTerm(moved, means, *trees, channels=6)
