"""The fused level loss against its plain twin: where chunks end, where the fast forms give way, and what autograd
asks.
"""

from __future__ import annotations

import copy
import os
import select
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from threading import Barrier
from unittest.mock import patch

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from hieratk.kernels import chunks, gpu, leaf_marginal, level_triton
from hieratk.kernels import level_loss as fused
from hieratk.kernels import threads as kernel_threads
from hieratk.kernels.level_chunk import Chunk
from hieratk.losses import BHCCMLoss, MarginalLoss, TreeMinLoss, terms
from hieratk.losses.target import Target
from hieratk.taxonomy.tables import IGNORE
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors
from tests.strategies import label_rows, rng, taxonomies

RAGGED = Taxonomy.from_outline(
    {"water": 1, "plants": {"crops": {"rice": 2, "maize": 3}, "forest": 4}, "built": {"city": {"roof": 5}}},
    classes={"plants": {"pixel": 6}, "crops": {"pixel": 7}},
)


def plain_level_loss(
    tree: TaxonomyTensors,
    logits: Tensor,
    labels: Tensor,
    *,
    level_weights: Sequence[float],
    marginal: bool,
    binary_weight: float,
    constrained: bool,
) -> Tensor:
    """The twin, in the call of the fused form."""
    options = terms.LevelOptions(tuple(level_weights), marginal, binary_weight, constrained)
    target = Target(tree, labels)
    return terms.reduce(terms.level_terms(target, terms.prepare(logits, target), options), "mean")


def both(
    tree: TaxonomyTensors,
    logits: Tensor,
    labels: Tensor,
    *,
    chunk: int = chunks.CHUNK,
    marginal: bool = True,
    binary_weight: float = 1.0,
    constrained: bool = True,
) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
    """(value, gradient) of the fused form and of its twin."""
    found = []
    weights = [1.0 + i for i in range(tree.n_levels)]
    for call in (fused.level_loss, plain_level_loss):
        z = logits.detach().requires_grad_()
        with patch.object(chunks, "CHUNK", chunk):
            value = call(
                tree,
                z,
                labels,
                level_weights=weights,
                marginal=marginal,
                binary_weight=binary_weight,
                constrained=constrained,
            )
        (gradient,) = torch.autograd.grad(value, z)
        found.append((value.detach(), gradient))
    return found[0], found[1]


def assert_equal(pair: tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]], *, rtol: float, atol: float) -> None:
    (value, gradient), (expected, of_expected) = pair
    torch.testing.assert_close(value, expected, rtol=rtol, atol=atol)
    torch.testing.assert_close(gradient, of_expected, rtol=rtol, atol=atol)


@settings(max_examples=60, deadline=None)
@given(taxonomies(), st.data())
def test_equals_its_twin_in_chunks_of_any_size(taxonomy: Taxonomy, data: st.DataObject) -> None:
    tree, random = TaxonomyTensors(taxonomy), rng(data.draw)
    shape = data.draw(st.sampled_from([(1, 1, 1), (1, 9, 31), (3, 5, 7), (40, 1, 5), (3, 8, 8)]))
    labels = tree.labels(torch.tensor(data.draw(label_rows(len(tree.index), shape))))
    scale = data.draw(st.sampled_from([1.0, 10.0, 200.0]))
    logits = torch.tensor(random.normal(size=(shape[0], tree.channels, *shape[1:])) * scale)
    pair = both(
        tree,
        logits,
        labels,
        # Less than 64 pixels a chunk is never taken, so that these shapes end inside, at and after the end of an image.
        chunk=data.draw(st.sampled_from([1, 100 * tree.channels, chunks.CHUNK])),
        marginal=data.draw(st.booleans()),
        binary_weight=data.draw(st.sampled_from([0.0, 1.0, 5.0])),
        constrained=data.draw(st.booleans()),
    )
    assert_equal(pair, rtol=1e-9, atol=1e-11)


@settings(max_examples=30, deadline=None)
@given(taxonomies(), st.data())
def test_ties_are_split_as_by_its_twin(taxonomy: Taxonomy, data: st.DataObject) -> None:
    tree, random = TaxonomyTensors(taxonomy), rng(data.draw)
    labels = tree.labels(torch.tensor(data.draw(label_rows(len(tree.index), (2, 3, 3)))))
    logits = torch.tensor(random.integers(-1, 2, (2, tree.channels, 3, 3)) * data.draw(st.sampled_from([1.0, 50.0])))
    assert_equal(both(tree, logits, labels), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("top", [1.0, 20.0, 34.9, 35.1, 80.0])
@pytest.mark.parametrize("classes", [3, 700])
def test_large_logits_and_many_classes(top: float, classes: int) -> None:
    """The fast forms must neither overflow below their bound nor leave a step at it."""
    taxonomy = Taxonomy.from_outline(
        {"a": {f"a{i}": i for i in range(classes)}, "b": {f"b{i}": classes + i for i in range(classes)}}, dtype="uint16"
    )
    tree = TaxonomyTensors(taxonomy)
    torch.manual_seed(0)
    labels = tree.encode(torch.randint(0, 2 * classes, (1, 2, 4)))
    split = torch.where(torch.arange(tree.channels) % 3 == 0, -1.0, 1.0).view(1, -1, 1, 1)
    for sign in (torch.ones(1), -torch.ones(1), split, -split):
        logits = sign * top + torch.randn(1, tree.channels, 2, 4) * 0.1
        assert_equal(both(tree, logits, labels), rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("outlier", [50.0, -1e4, float("inf")])
def test_a_chunk_out_of_range_does_not_change_the_others(outlier: float) -> None:
    tree = TaxonomyTensors(RAGGED)
    torch.manual_seed(0)
    logits = torch.randn(1, tree.channels, 20, 20)
    labels = tree.encode(torch.randint(0, 8, (1, 20, 20)))
    labels[..., 3, 3] = IGNORE
    logits[..., 3, 3] = outlier
    assert_equal(both(tree, logits, labels, chunk=1), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("void", [False, True])
def test_ordinary_logits_take_the_fast_forms_whatever_the_labels(*, void: bool) -> None:
    tree, loss = TaxonomyTensors(RAGGED), TreeMinLoss(RAGGED)
    torch.manual_seed(0)
    # Labels of every depth, or all but those that end at the first level, beside void ones.
    values = torch.tensor([0, 1, 2, 3, 4, 5, 7] if void else [1, 2, 3, 4, 5, 6, 7])
    labels = tree.encode(values[torch.randint(0, 7, (1, 40, 40))])
    logits = torch.randn(1, tree.channels, 40, 40)
    with patch.object(Chunk, "_shifted_exponentials", side_effect=AssertionError("the safe form was taken")):
        loss(logits, labels)
        with pytest.raises(AssertionError, match="safe form"):
            loss(logits * 100, labels)


@pytest.mark.parametrize("top", [34.9, 30.3, 25.7, 61.3])
def test_a_nearly_certain_pixel_keeps_its_digits(top: float) -> None:
    """A difference of two logarithms near `top` is a multiple of 2e-6 or 4e-6 in float32, and this loss is 1e-3."""
    tree = TaxonomyTensors(RAGGED)
    labels = tree.encode(torch.tensor([[[2]]]))
    logits = torch.full((1, tree.channels, 1, 1), top - 8)
    for level, first in enumerate(tree.tables.offsets[:-1]):
        logits[0, int(first) + int(labels[0, level])] = top
    (value, _), _ = both(tree, logits, labels, binary_weight=0.0)
    _, (exact, _) = both(tree, logits.double(), labels, binary_weight=0.0)
    assert value.item() == pytest.approx(exact.item(), rel=2e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_logits(dtype: torch.dtype) -> None:
    tree = TaxonomyTensors(RAGGED)
    torch.manual_seed(0)
    logits = (torch.randn(2, tree.channels, 30, 30) * 4).to(dtype)
    labels = tree.encode(torch.randint(0, 8, (2, 30, 30)))
    (value, gradient), (expected, of_expected) = both(tree, logits, labels, chunk=1)
    assert gradient.dtype == dtype
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=0)
    torch.testing.assert_close(gradient, of_expected, rtol=1e-2, atol=1e-6)


def test_memory_layouts() -> None:
    tree = TaxonomyTensors(RAGGED)
    torch.manual_seed(0)
    logits = torch.randn(2, tree.channels, 12, 10, dtype=torch.float64)
    labels = tree.encode(torch.randint(0, 8, (2, 12, 10)))
    _, (expected, of_expected) = both(tree, logits, labels)
    wide = torch.randn(2, tree.channels + 3, 12, 20, dtype=torch.float64)
    wide[:, 1:-2, :, ::2] = logits
    for z, y in (
        (logits.to(memory_format=torch.channels_last), labels),
        (wide[:, 1:-2, :, ::2], labels.movedim(1, -1).contiguous().movedim(-1, 1)),
    ):
        (value, gradient), _ = both(tree, z, y, chunk=1)
        torch.testing.assert_close(value, expected)
        torch.testing.assert_close(gradient, of_expected)


def test_nothing_at_all() -> None:
    tree = TaxonomyTensors(RAGGED)
    for shape in ((0, 4, 4), (2, 0, 4)):
        logits = torch.zeros(shape[0], tree.channels, *shape[1:])
        labels = torch.zeros(shape[0], tree.n_levels, *shape[1:], dtype=torch.int64)
        (value, gradient), _ = both(tree, logits, labels)
        assert value.item() == 0
        assert gradient.shape == logits.shape


def test_what_autograd_asks() -> None:
    tree, loss = TaxonomyTensors(RAGGED), TreeMinLoss(RAGGED)
    torch.manual_seed(0)
    labels = tree.encode(torch.randint(0, 8, (1, 6, 6)))
    logits = torch.randn(1, tree.channels, 6, 6, requires_grad=True)
    value = loss(logits, labels)
    assert fused.usable(logits)
    assert type(value.grad_fn).__name__ == "_InChunksBackward"
    (once,) = torch.autograd.grad(value, logits, retain_graph=True)
    (again,) = torch.autograd.grad(value * 3, logits, retain_graph=True)
    torch.testing.assert_close(again, once * 3)
    (last,) = torch.autograd.grad(value, logits)
    assert torch.equal(once, last)

    before = logits.detach().clone()
    two = loss(logits, labels) + loss(logits, labels)
    two.backward()
    torch.testing.assert_close(logits.grad, 2 * once)
    assert torch.equal(before, logits.detach()), "the logits were written to"

    with torch.no_grad():
        silent = loss(logits, labels)
    assert not silent.requires_grad
    assert silent.item() == value.item()
    (first,) = torch.autograd.grad(loss(logits, labels), logits, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        first.sum().backward()


@pytest.mark.filterwarnings("error")
def test_it_warns_of_nothing_and_can_be_copied() -> None:
    tree = TaxonomyTensors(RAGGED)
    loss = copy.deepcopy(TreeMinLoss(RAGGED))
    assert loss.tree.tables is tree.tables
    assert loss(torch.zeros(1, tree.channels, 2), torch.zeros(1, tree.n_levels, 2, dtype=torch.int64)) > 0


@pytest.fixture
def set_threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def test_the_same_bits_on_any_number_of_threads(set_threads: Callable[[int], None]) -> None:
    tree = TaxonomyTensors(RAGGED)
    torch.manual_seed(0)
    logits, labels = torch.randn(2, tree.channels, 70, 70), tree.encode(torch.randint(0, 8, (2, 70, 70)))
    found = []
    for threads in (1, 2, 3):
        set_threads(threads)
        assert kernel_threads.width() == threads
        found.append(both(tree, logits, labels)[0])
        assert torch.get_num_threads() == threads
    for value, gradient in found[1:]:
        assert torch.equal(value, found[0][0])
        assert torch.equal(gradient, found[0][1])


def test_pieces_run_side_by_side_in_order_on_undivided_threads(set_threads: Callable[[int], None]) -> None:
    set_threads(2)
    together = Barrier(2, timeout=30)

    def piece(i: int) -> tuple[int, int, bool]:
        together.wait()  # passes only if two pieces run at once
        return i, torch.get_num_threads(), torch.is_grad_enabled()

    found = kernel_threads.run_all([partial(piece, i) for i in range(6)], 2)
    assert found == [(i, 1, False) for i in range(6)]
    assert torch.get_num_threads() == 2


def test_an_error_in_a_piece_is_raised(set_threads: Callable[[int], None]) -> None:
    set_threads(2)
    tree = TaxonomyTensors(RAGGED)
    labels = torch.full((1, tree.n_levels, 70, 70), 99)
    with pytest.raises((IndexError, RuntimeError), match=r"out of (bounds|range)"):
        both(tree, torch.randn(1, tree.channels, 70, 70), labels)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_forked_process_makes_threads_of_its_own(set_threads: Callable[[int], None]) -> None:
    set_threads(2)
    assert kernel_threads.run_all([lambda: 1, lambda: 2], 2) == [1, 2]
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, bytes(kernel_threads.run_all([lambda: 3, lambda: 4], 2)))
        os._exit(0)
    os.close(write)
    ready, _, _ = select.select([read], [], [], 30)
    if not ready:
        os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert ready, "the child waits for threads that it does not have"
    assert os.read(read, 9) == bytes([3, 4])
    os.close(read)


@settings(max_examples=30, deadline=None)
@given(taxonomies(), st.data())
def test_leaf_marginal_equals_its_twin_in_chunks_of_any_size(taxonomy: Taxonomy, data: st.DataObject) -> None:
    tree, random = TaxonomyTensors(taxonomy), rng(data.draw)
    shape = data.draw(st.sampled_from([(1, 1, 1), (1, 9, 31), (40, 1, 5), (3, 8, 8)]))
    labels = tree.labels(torch.tensor(data.draw(label_rows(len(tree.index), shape))))
    scale = data.draw(st.sampled_from([1.0, 10.0, 200.0]))
    logits = torch.tensor(random.normal(size=(shape[0], tree.channels, *shape[1:])) * scale)
    kind = data.draw(st.sampled_from([MarginalLoss, BHCCMLoss, partial(BHCCMLoss, tree_weight=2.0)]))
    loss = kind(
        taxonomy,
        coarse=data.draw(st.sampled_from(["marginal", "ignore"])),
        reduction=data.draw(st.sampled_from(["mean", "sum"])),
    )
    found = []
    for usable in (True, False):
        z = logits.detach().requires_grad_()
        chunk = data.draw(st.sampled_from([1, 100 * tree.channels, chunks.CHUNK]))
        with (
            patch.object(leaf_marginal, "usable", lambda _, usable=usable: usable),
            patch.object(chunks, "CHUNK", chunk),
        ):
            value = loss(z, labels)
        (gradient,) = torch.autograd.grad(value, z)
        found.append((value.detach(), gradient))
    assert_equal((found[0], found[1]), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("kind", [BHCCMLoss, MarginalLoss])
@pytest.mark.parametrize("outlier", [50.0, -1e4, float("inf"), float("nan")])
def test_leaf_marginal_keeps_a_void_pixel_to_itself(outlier: float, kind: type[MarginalLoss]) -> None:
    tree, loss = TaxonomyTensors(RAGGED), kind(RAGGED)
    torch.manual_seed(0)
    logits = torch.randn(1, tree.channels, 20, 20)
    labels = tree.encode(torch.randint(0, 8, (1, 20, 20)))
    labels[..., 3, 3] = IGNORE
    expected = loss(logits, labels)
    logits[..., 3, 3] = outlier
    torch.testing.assert_close(loss(logits, labels), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("void", [False, True])
def test_leaf_marginal_takes_the_fast_form_while_the_label_is_not_e75_times_less_likely(*, void: bool) -> None:
    tree, loss = TaxonomyTensors(RAGGED), BHCCMLoss(RAGGED)
    torch.manual_seed(0)
    labels = tree.encode(torch.randint(0, 8, (1, 40, 40)) if void else torch.randint(1, 8, (1, 40, 40)))
    logits = torch.randn(1, tree.channels, 40, 40)
    sure = logits + 100 * torch.rand(1, 1, 40, 40)
    is_void = (labels < 0).all(1, keepdim=True)
    where_void = torch.where(is_void, 100 * logits, sure)
    unlikely = logits - 80 * is_void * (torch.arange(tree.channels) == 0).view(1, -1, 1, 1)
    with patch.object(leaf_marginal._Chunk, "_safe", side_effect=AssertionError("the safe form was taken")):
        for z in (logits, sure, where_void, unlikely):
            loss(z, labels)
        with pytest.raises(AssertionError, match="safe form"):
            loss(logits * 100, labels)


@pytest.mark.parametrize("kind", [BHCCMLoss, TreeMinLoss, MarginalLoss])
def test_the_bits_do_not_depend_on_threads_with_weights(
    kind: type[TreeMinLoss] | type[MarginalLoss], set_threads: Callable[[int], None]
) -> None:
    tree, loss = TaxonomyTensors(RAGGED), kind(RAGGED, class_weights={"rice": 3.0, "built": 0.5})
    torch.manual_seed(0)
    logits, labels = torch.randn(2, tree.channels, 70, 70), tree.encode(torch.randint(0, 8, (2, 70, 70)))
    found = []
    for threads in (1, 3):
        set_threads(threads)
        found.append(loss(logits, labels))
    assert torch.equal(*found)


INTERPRETED = """
import torch
from hieratk.kernels import leaf_marginal, level_loss, level_triton, marginal_triton
from hieratk.tensors import TaxonomyTensors
from tests.loss_truth import random_tree
from tests.test_kernels import plain_level_loss
import numpy as np
for seed in range(6):
    random = np.random.default_rng(seed)
    tree = TaxonomyTensors(random_tree(random, most=14, levels=4))
    torch.manual_seed(seed)
    labels = tree.labels(torch.tensor(random.integers(0, len(tree.index), (2, 150))))
    logits = torch.randn(2, tree.channels, 150) * 3
    for marginal, binary, constrained in ((True, 1.0, True), (False, 2.0, False), (True, 0.0, False)):
        found = []
        for call in (level_triton.level_loss, plain_level_loss):
            z = logits.clone().requires_grad_()
            weights = [1.0 + i for i in range(tree.n_levels)]
            value = call(
                tree, z, labels, level_weights=weights, marginal=marginal, binary_weight=binary, constrained=constrained
            )
            value.backward()
            found.append((value, z.grad))
        torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-7)
    counts, found = torch.rand(tree.n_levels, tree.channels) + 0.5, []
    for call in (level_triton.level_loss, level_loss.level_loss):
        z = logits.clone().requires_grad_()
        value = call(
            tree, z, labels, level_weights=weights, marginal=True, binary_weight=1.0, constrained=True, counts=counts
        )
        value.backward()
        found.append((value, z.grad))
    torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=1e-7)
    shares = torch.rand(tree.n_levels, tree.channels)
    end = torch.arange(tree.n_levels).repeat_interleave(torch.tensor(tree.sizes))
    shares = shares * (torch.arange(tree.n_levels).unsqueeze(1) <= end)
    for paths in (True, False):
        # Sums of logits near 300 are rounded to 3e-5.
        for scale, atol in ((1.0, 1e-5), (30.0, 1e-4)):
            found = []
            for kernel in (marginal_triton, leaf_marginal):
                z = (logits * scale).requires_grad_()
                value = kernel.leaf_marginal(tree, z, labels, shares, paths=paths)
                value.backward()
                found.append((value, z.grad))
            torch.testing.assert_close(found[0], found[1], rtol=1e-5, atol=atol)
value = marginal_triton.leaf_marginal(tree, z, labels, shares, paths=True)
once, = torch.autograd.grad(value, z, retain_graph=True)
once = once.clone()
twice, = torch.autograd.grad(2 * value, z)
torch.testing.assert_close(twice, 2 * once)
void = torch.full_like(labels, -100)
z = torch.full_like(logits, float("nan")).requires_grad_()
value = marginal_triton.leaf_marginal(tree, z, void, shares, paths=True)
value.backward()
assert value == 0 and z.grad.abs().max() == 0
z = logits.to(torch.bfloat16).requires_grad_()
twos = torch.full((tree.n_levels, tree.channels), 2.0)
options = dict(level_weights=[1.0] * tree.n_levels, marginal=True, binary_weight=1.0, constrained=True)
level_triton.level_loss(tree, z, labels, counts=twos, **options).backward()
twice = z.grad.float()
z.grad = None
level_triton.level_loss(tree, z, labels, **options).backward()
torch.testing.assert_close(twice, 2 * z.grad.float(), rtol=1e-2, atol=1e-5)
z = logits.clone().requires_grad_()
value = level_triton.level_loss(tree, z, labels, **options)
(plain,) = torch.autograd.grad(value, z, retain_graph=True)
kept = plain.clone()
for factor in (-3.0, 1.0):
    (scaled,) = torch.autograd.grad(factor * value, z, retain_graph=True)
    torch.testing.assert_close(scaled, factor * kept)
assert torch.equal(plain, kept), "a gradient that was handed over has been changed"
print("equal")
"""


@pytest.mark.skipif(not gpu.has_triton(), reason="triton is not installed: it comes with torch for CUDA")
def test_the_triton_kernels_equal_their_twins_in_the_interpreter() -> None:
    environment = {**os.environ, "TRITON_INTERPRET": "1"}
    root = Path(__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", INTERPRETED], env=environment, cwd=root, capture_output=True, text=True
    )
    assert done.stdout.strip() == "equal", done.stderr[-3000:]


def test_a_walk_through_the_tree_puts_parents_before_children() -> None:
    tree = TaxonomyTensors(RAGGED)
    walk = level_triton._walk_of(tree.tables, torch.device("cpu"))
    order = walk.channel.tolist()
    assert sorted(order) == list(range(tree.channels))
    offsets = [int(a) for a in tree.tables.offsets]
    for i, up in enumerate(tree.tables.up):
        for c, parent in enumerate(up):
            child, above = offsets[i + 1] + c, offsets[i] + int(parent)
            assert walk.place[above] < walk.place[child] < walk.end[above]
    for at, n in enumerate(order):
        assert int(walk.place[n]) == at
        assert offsets[int(walk.level[at])] <= n < offsets[int(walk.level[at]) + 1]
        assert bool(walk.own[at]) == (not tree.tables.carried[n])
        assert int(walk.end[n]) - at == 1 or int(walk.level[at]) + 1 < tree.n_levels


def test_the_same_call_gives_the_same_bits() -> None:
    tree = TaxonomyTensors(RAGGED)
    torch.manual_seed(0)
    logits, labels = torch.randn(2, tree.channels, 64, 64), tree.encode(torch.randint(0, 8, (2, 64, 64)))
    (value, gradient), _ = both(tree, logits, labels)
    (same, of_same), _ = both(tree, logits, labels)
    assert torch.equal(value, same)
    assert torch.equal(gradient, of_same)
