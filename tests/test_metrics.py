"""Metrics against pixel-by-pixel counting, and against scikit-learn."""

from __future__ import annotations

import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from hieratk.decoding import best_path, paths_of
from hieratk.errors import DataError, TaxonomyError
from hieratk.metrics import LevelMetrics, counting, node_areas
from hieratk.taxonomy.tables import IGNORE
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors
from tests import oracle
from tests.loss_truth import TREES, tree_of
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


@pytest.mark.parametrize("threads", [1, 3])
def test_pieces_and_threads_change_nothing(threads: int) -> None:
    tree = TaxonomyTensors(RAGGED)
    torch.manual_seed(0)
    labels = tree.encode(torch.randint(0, 8, (3, 90, 400)))
    predictions = best_path(torch.randn(3, tree.channels, 90, 400), tree)
    whole, parts = LevelMetrics(RAGGED), LevelMetrics(RAGGED)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        whole.update(predictions, labels)
    finally:
        torch.set_num_threads(before)
    for b, row in np.ndindex(3, 90):
        parts.update(predictions[b : b + 1, :, row], labels[b : b + 1, :, row])
    assert torch.equal(whole.state(), parts.state())


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


# Mistakes, sparse counts, areas, torchmetrics.


def lowest_above(truth: Truth, a: str, b: str) -> str | None:
    return next((id_ for id_ in reversed(truth.path(a)) if id_ in truth.path(b)), None)


def height(truth: Truth, id_: str | None) -> int:
    """Edges on the longest way down to a leaf."""
    if id_ is None:
        return max(len(truth.path(leaf)) for leaf in truth.leaves)
    return max(len(truth.path(leaf)) - len(truth.path(id_)) for leaf in truth.leaves_below(id_))


@MANY
@given(taxonomies(), st.data(), st.booleans())
def test_distance_and_severity_of_mistakes(taxonomy: Taxonomy, data: st.DataObject, legal: bool) -> None:
    truth, metrics = Truth(taxonomy), LevelMetrics(taxonomy)
    predictions, labels = draw_batch(taxonomy, data, legal=legal)
    metrics.update(predictions, labels)
    pairs = [(p, t) for p, t in zip(by_pixel(predictions), by_pixel(labels), strict=True) if max(t) >= 0]
    edges = [len(a ^ b) for a, b in (oracle.node_sets(truth, p, t) for p, t in pairs)]
    both = [(truth.leaves[p[-1]], truth.leaves[t[-1]]) for p, t in pairs if p[-1] >= 0 and t[-1] >= 0]
    heights = [height(truth, lowest_above(truth, p, t)) for p, t in both if p != t]
    found = metrics.mistakes()
    assert same(found.distance, sum(edges) / len(edges) if edges else math.nan)
    assert same(found.severity, sum(heights) / len(heights) if heights else math.nan)
    assert same(found.lca_height, sum(heights) / len(both) if both else math.nan)
    assert (found.wrong, found.leaves) == (len(heights), len(both))
    assert same(metrics.inconsistency(), 1 - metrics.consistency())


@settings(max_examples=30, deadline=None)
@given(taxonomies(), st.data())
def test_sparse_counts_say_the_same_as_dense_ones(taxonomy: Taxonomy, data: st.DataObject) -> None:
    batches = [draw_batch(taxonomy, data, legal=False) for _ in range(3)]
    dense = LevelMetrics(taxonomy)
    for predictions, labels in batches:
        dense.update(predictions, labels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counting, "DENSE", 0)
        parts = [LevelMetrics(taxonomy) for _ in range(2)]
        for i, (predictions, labels) in enumerate(batches):
            parts[i % 2].update(predictions, labels)
        parts[0].merge(parts[1])
        sparse = LevelMetrics.from_state(taxonomy, torch.cat([parts[0].state()[1:], parts[0].state()[:1]]))
        assert len(sparse.state()) == len(sparse.state()[:, 0].unique())
    for name in ("compute", "hierarchical", "mistakes", "consistency"):
        assert repr(getattr(sparse, name)()) == repr(getattr(dense, name)()), name
    for i in range(len(taxonomy.level_names)):
        np.testing.assert_array_equal(sparse.confusion(i), dense.confusion(i))
        np.testing.assert_array_equal(sparse.abstained(i), dense.abstained(i))


def test_counts_of_a_large_tree_are_sparse() -> None:
    """10,000 leaves: a dense table of the leaf level would hold 100 million cells."""
    taxonomy = Taxonomy.from_outline({f"a{i}": {f"b{i}_{j}": None for j in range(100)} for i in range(100)})
    tree, metrics = TaxonomyTensors(taxonomy), LevelMetrics(taxonomy)
    torch.manual_seed(0)
    leaves = torch.randint(0, 10_000, (1, 500))
    near = (leaves + 1) % 10_000
    metrics.update(paths_of(near, tree), paths_of(leaves, tree))
    metrics.update(paths_of(leaves, tree), paths_of(leaves, tree))
    assert metrics.state().numel() < 20_000
    assert metrics.compute()["level2"].oa == 0.5
    crossing = int((leaves // 100 != near // 100).sum())
    assert metrics.compute()["level1"].oa == pytest.approx(1 - crossing / 1000)
    assert metrics.mistakes().severity == pytest.approx((500 + crossing) / 500)
    with pytest.raises(DataError, match="holds cell 999999999"):
        LevelMetrics.from_state(taxonomy, torch.tensor([[999999999, 1]]))


# The worked example of Olofsson et al. (2014), section 5: counts by stratum (rows) and reference, mapped pixels.
CHANGE = Taxonomy.from_outline({"change": {"loss": 1, "gain": 2}, "stable": {"forest": 3, "other": 4}})
COUNTS = [[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]]
MAPPED = [200_000, 150_000, 3_200_000, 6_450_000]


def test_areas_of_the_published_example() -> None:
    """Deforestation: 235,086 pixels of 30 m, 21,158 ha, with an interval of +- 6,158 ha."""
    found = node_areas(CHANGE, COUNTS, MAPPED)["loss"]
    assert round(found.area) == 235_086
    assert found.area * 0.09 == pytest.approx(21_158, abs=1)
    assert (found.high - found.area) * 0.09 == pytest.approx(6_158, abs=2)
    assert found.mapped == 200_000


def test_areas_of_inner_classes_are_estimated_from_sums_of_columns() -> None:
    found = node_areas(CHANGE, COUNTS, MAPPED)
    weights = [m / sum(MAPPED) for m in MAPPED]
    for id_, columns in {"change": (0, 1), "stable": (2, 3), "gain": (1,)}.items():
        shares = [sum(row[c] for c in columns) / sum(row) for row in COUNTS]
        p = math.fsum(w * q for w, q in zip(weights, shares, strict=True))
        s2 = math.fsum(w**2 * q * (1 - q) / (sum(row) - 1) for w, q, row in zip(weights, shares, COUNTS, strict=True))
        assert found[id_].proportion == pytest.approx(p)
        assert found[id_].standard_error == pytest.approx(sum(MAPPED) * math.sqrt(s2))
        assert found[id_].low == pytest.approx(found[id_].area - 1.959964 * found[id_].standard_error, rel=1e-6)
    assert found["change"].area == pytest.approx(found["loss"].area + found["gain"].area)
    assert found["change"].area + found["stable"].area == pytest.approx(sum(MAPPED))
    assert found["stable"].standard_error == pytest.approx(found["change"].standard_error)


def test_area_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """400 stratified samples from a known population: 95 % within four standard errors of a share."""
    random = np.random.default_rng(0)
    confusion = np.array([[0.8, 0.1, 0.1, 0], [0.1, 0.7, 0, 0.2], [0.05, 0.05, 0.85, 0.05], [0.02, 0.08, 0.1, 0.8]])
    mapped = np.array([10.0, 20.0, 40.0, 30.0])
    truth = float((mapped @ confusion)[:2].sum())
    inside = 0
    for _ in range(400):
        counts = np.stack([random.multinomial(80, row) for row in confusion])
        area = node_areas(CHANGE, counts, mapped.tolist())["change"]
        inside += area.low <= truth <= area.high
    assert abs(inside / 400 - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 400)


def test_areas_that_cannot_be_told_are_refused() -> None:
    with pytest.raises(DataError, match=r"counts \(3, 4\) and mapped areas \(4,\) must be \(4, 4\) and \(4,\)"):
        node_areas(CHANGE, COUNTS[:3], MAPPED)
    with pytest.raises(DataError, match="the stratum `gain` is mapped on 150000 but has 1 sample pixels"):
        node_areas(CHANGE, [COUNTS[0], [0, 1, 0, 0], *COUNTS[2:]], MAPPED)
    with pytest.raises(DataError, match="the stratum `loss` has sample pixels but no mapped area"):
        node_areas(CHANGE, COUNTS, [0, *MAPPED[1:]])
    with pytest.raises(DataError, match="0 or more"):
        node_areas(CHANGE, COUNTS, [-1, *MAPPED[1:]])


def drawn(seed: int) -> tuple[Taxonomy, torch.Tensor, torch.Tensor]:
    """A random tree, and predicted and true leaves of 40 pixels as paths."""
    random, taxonomy = tree_of(seed)
    tree = TaxonomyTensors(taxonomy)
    true = random.integers(0, len(tree.paths), (1, 40))
    other = np.where(random.random((1, 40)) < 0.4, true, random.integers(0, len(tree.paths), (1, 40)))
    return taxonomy, paths_of(torch.tensor(other), tree), paths_of(torch.tensor(true), tree)


def names_on_paths(truth: Truth, classes: torch.Tensor) -> np.ndarray:
    """As hiclass wants it: a name a level, "" where a path has no class of its own."""
    paths = [[truth.levels[i][c] for i, c in enumerate(path)] for path in by_pixel(classes)]
    return np.array([[id_ if truth.is_own(i, id_) else "" for i, id_ in enumerate(path)] for path in paths])


def test_hierarchical_scores_equal_the_package_hiclass() -> None:
    theirs = pytest.importorskip("hiclass.metrics")
    for seed in TREES:
        taxonomy, predictions, labels = drawn(seed)
        truth, metrics = Truth(taxonomy), LevelMetrics(taxonomy)
        metrics.update(predictions, labels)
        found = metrics.hierarchical()
        names = names_on_paths(truth, labels), names_on_paths(truth, predictions)
        assert found.precision == pytest.approx(theirs.precision(*names))
        assert found.recall == pytest.approx(theirs.recall(*names))
        assert found.f1 == pytest.approx(theirs.f1(*names))


def test_equal_names_at_two_levels_are_two_classes() -> None:
    """By name half of what is predicted would be right, as in hiclass."""
    taxonomy = Taxonomy.from_outline(
        {"cover": {"forest": 1}, "plants": {"forest_2": 2}}, classes={"forest_2": {"name": "forest"}}
    )
    metrics = LevelMetrics(taxonomy)
    metrics.update(torch.tensor([0, 0]).view(1, 2, 1), torch.tensor([1, 1]).view(1, 2, 1))
    assert metrics.hierarchical().f1 == 0


def test_scores_equal_torchmetrics() -> None:
    theirs = pytest.importorskip("torchmetrics.functional.classification")
    for seed in TREES:
        taxonomy, predictions, labels = drawn(seed)
        labels[:, 1:, :10] = IGNORE
        metrics = LevelMetrics(taxonomy)
        metrics.update(predictions, labels)
        for i, scores in enumerate(metrics.compute().values()):
            support = torch.tensor(list(scores.support.values()))
            if len(support) < 2:
                continue  # torchmetrics takes one class for two
            options = {"num_classes": len(support), "ignore_index": IGNORE}
            pair = predictions[:, i], labels[:, i]
            iou = theirs.multiclass_jaccard_index(*pair, average="none", **options)
            f1 = theirs.multiclass_f1_score(*pair, average="none", **options)
            occurs = support > 0
            found = torch.tensor(list(scores.iou.values()), dtype=torch.float32)
            torch.testing.assert_close(found[occurs], iou[occurs])
            assert scores.miou == pytest.approx(iou[occurs].mean().item(), rel=1e-5)
            assert scores.f1 == pytest.approx(f1[occurs].mean().item(), rel=1e-5)
            assert scores.oa == pytest.approx(
                theirs.multiclass_accuracy(*pair, average="micro", **options).item(), rel=1e-5
            )
            kappa = theirs.multiclass_cohen_kappa(*pair, **options).item()
            assert scores.kappa == pytest.approx(kappa, rel=1e-3, abs=1e-5, nan_ok=True)


@pytest.mark.parametrize("dense", [True, False])
def test_torchmetrics_reduces_over_processes_like_one_process(dense: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torchmetrics")
    from hieratk.metrics.torchmetric import HierarchyMetric

    if not dense:
        monkeypatch.setattr(counting, "DENSE", 0)
    tree, torch_random = TaxonomyTensors(RAGGED), torch.Generator().manual_seed(0)

    def batch(pixels: int) -> tuple[torch.Tensor, torch.Tensor]:
        logits = torch.randn(1, tree.channels, pixels, generator=torch_random)
        return best_path(logits, tree), tree.encode(torch.randint(0, 8, (1, pixels), generator=torch_random))

    one, two, whole = HierarchyMetric(RAGGED), HierarchyMetric(RAGGED), LevelMetrics(RAGGED)
    for metric, pixels in ((one, 5), (two, 40), (one, 7)):
        predictions, labels = batch(pixels)
        metric.update(predictions, labels)
        whole.update(predictions, labels)
    name = "counts" if dense else "rows"
    other = getattr(two, name) if dense else getattr(two, name)[0]
    one.sync(dist_sync_fn=lambda mine, group: [mine, other], distributed_available=lambda: True)  # noqa: ARG005
    found = one.metrics()
    assert repr(found.compute()) == repr(whole.compute())
    assert found.mistakes() == whole.mistakes()
    one.unsync()
    assert one.metrics().compute()["level1"].pixels < whole.compute()["level1"].pixels
    two.reset()
    assert two.metrics().compute()["level1"].pixels == 0


TWO_PROCESSES = """
import sys
import torch
import torch.distributed as dist
from hieratk.decoding import best_path
from hieratk.metrics import LevelMetrics, counting
from hieratk.metrics.torchmetric import HierarchyMetric
from hieratk.tensors import TaxonomyTensors
from tests.test_metrics import RAGGED
rank, store = int(sys.argv[1]), sys.argv[2]
dist.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=2)
for dense in (True, False):
    counting.DENSE = counting.DENSE if dense else 0
    tree, random = TaxonomyTensors(RAGGED), torch.Generator().manual_seed(0)
    whole, mine = LevelMetrics(RAGGED), HierarchyMetric(RAGGED)
    assert mine.dense == dense
    for batch, pixels in enumerate((5, 60, 7, 11)):  # of unequal size, three for one process and one for the other
        predictions = best_path(torch.randn(1, tree.channels, pixels, generator=random), tree)
        labels = tree.encode(torch.randint(0, 8, (1, pixels), generator=random))
        whole.update(predictions, labels)
        if (batch == 1) == rank:
            mine.update(predictions, labels)
    alone = mine.metrics().compute()["level3"].pixels
    found = mine.compute()  # reduced over both
    scores = whole.compute()["level3"]
    for key in ("miou", "oa", "f1", "kappa"):
        assert abs(found[f"level3/{key}"].item() - getattr(scores, key)) < 1e-6, key
    assert abs(found["hierarchical_f1"].item() - whole.hierarchical().f1) < 1e-6
    assert mine.metrics().compute()["level3"].pixels == alone < scores.pixels
dist.destroy_process_group()
print("equal")
"""


def test_two_processes_give_the_scores_of_one(tmp_path: Path) -> None:
    """Over gloo, where a mean of the processes' scores would be another number."""
    pytest.importorskip("torchmetrics")
    command = [sys.executable, "-c", TWO_PROCESSES]
    root = Path(__file__).parent.parent
    both = [
        subprocess.Popen(
            [*command, str(rank), str(tmp_path / "store")],
            cwd=root, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for rank in range(2)
    ]  # fmt: skip
    try:
        for process in both:
            out, err = process.communicate(timeout=240)
            assert out.strip() == "equal", err[-3000:]
    finally:
        for process in both:
            process.kill()


def test_torchmetrics_gives_the_scores() -> None:
    pytest.importorskip("torchmetrics")
    from hieratk.metrics.torchmetric import HierarchyMetric

    tree, metric, metrics = TaxonomyTensors(RAGGED), HierarchyMetric(RAGGED), LevelMetrics(RAGGED)
    torch.manual_seed(0)
    labels = tree.encode(torch.randint(1, 6, (2, 9)))
    predictions = best_path(torch.randn(2, tree.channels, 9), tree)
    metric.update(predictions, labels)
    metrics.update(predictions, labels)
    found = metric.compute()
    assert found["level3/miou"].item() == pytest.approx(metrics.compute()["level3"].miou)
    assert found["hierarchical_f1"].item() == pytest.approx(metrics.hierarchical().f1)
    assert found["distance"].item() == pytest.approx(metrics.mistakes().distance)
    with pytest.raises(DataError, match="must both be"):
        metric.update(predictions[:, :1], labels)
