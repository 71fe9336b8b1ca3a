"""Decoders that weigh what a mistake costs. All start from one distribution over the leaves (`Posterior`)."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hieratk.decoding.paths import paths_of
from hieratk.decoding.posterior import Posterior, by_chunks, level_probabilities, path_posterior
from hieratk.errors import ConfigError
from hieratk.taxonomy.tables import Tables
from hieratk.tensors import TaxonomyTensors

UNDECIDED = -1
"""The class index at a level where a decoder gives no class."""


def heaviest_path(
    logits: Tensor, tree: TaxonomyTensors, *, posterior: Posterior = path_posterior
) -> tuple[Tensor, Tensor]:
    """The most probable class of the first level, the most probable of its children, and so on, with probabilities.

    Returns (B, L, ...) int64 classes, always a path, and (B, L, ...) probabilities (float32, float64 for float64),
    which never grow from one level to the next. Every class of a probability above 1/2 is on this path, as two classes
    of which neither holds the other share no probability. (The leaf of `best_path` is the most probable leaf; this path
    may end in another.)
    """

    def decode(z: Tensor) -> Tensor:
        classes, probabilities = _heaviest(posterior(z, tree), tree)
        return torch.cat([classes.double(), probabilities.double()], 1)

    # One tensor for both: class indices and float32 probabilities are exact in float64.
    both = by_chunks(decode, logits)
    probabilities = both[:, tree.n_levels :].to(torch.promote_types(logits.dtype, torch.float32))
    return both[:, : tree.n_levels].long(), probabilities


def abstaining(
    logits: Tensor, tree: TaxonomyTensors, *, threshold: float, posterior: Posterior = path_posterior
) -> Tensor:
    """The finest class on the heaviest path whose probability is above `threshold`, UNDECIDED at the levels below it.

    From 1/2 upward that is the finest class in the whole tree with risk 1 - P below 1 - `threshold`. As the threshold
    grows the decided class moves up its path and never sideways, so the event "the label is not below it" can only go
    away: the monotone loss that `hieratk.calibration` needs. At 1 nothing is decided. At 1/2 it minimises the expected
    tree distance over all classes and the root (the median of a tree). Logits that give no number decide nothing.
    """

    def decode(z: Tensor) -> Tensor:
        classes, probabilities = _heaviest(posterior(z, tree), tree)
        return classes.masked_fill_(~(probabilities > threshold), UNDECIDED)

    return by_chunks(decode, logits)


def expected_cost(
    logits: Tensor, tree: TaxonomyTensors, *, cost: Tensor, posterior: Posterior = path_posterior
) -> Tensor:
    """The decision of the least expected cost: argmin_k sum_v P(v) cost[v, k] (conditional risk minimisation).

    `cost` is (V, K), the cost of decision k where leaf v is true: K = V to decide for leaves, K = M for any predicted
    class (in the order of `Tables.ids`), K = M + 1 for the root too, last. Where the decision is an inner class, levels
    on which several of its classes remain are UNDECIDED. Time is V times K a pixel; for tree distance see
    `least_distance` and `abstaining`, which are linear. Raises ConfigError for another shape or a cost not finite.
    """
    rows = _decisions(tree, cost).to(logits.device)

    def decode(z: Tensor) -> Tensor:
        leaves = posterior(z, tree)
        expected = torch.matmul(cost.t().to(leaves), leaves)
        choice = expected.min(1).indices
        return torch.stack([row[choice] for row in rows], 1)

    return by_chunks(decode, logits)


def least_distance(logits: Tensor, tree: TaxonomyTensors, *, posterior: Posterior = path_posterior) -> Tensor:
    """The path of the leaf at the least expected number of tree edges from the true leaf. Linear in the nodes.

    Moving the decision from a class to its child changes the distance by -1 for leaves below the child and by +1 for
    all others, so the expected distance of a leaf is that of the root minus the sum of 2 P(u) - 1 over the classes u on
    its path.
    """
    own = _by_level(~tree.carried, tree)

    def decode(z: Tensor) -> Tensor:
        gain: Tensor | None = None
        for i, p in enumerate(level_probabilities(posterior(z, tree), tree)):
            step = (2 * p - 1) * own[i].to(p).unsqueeze(1)
            gain = step if gain is None else gain.index_select(1, tree.up(i)).add_(step)
        assert gain is not None
        return paths_of(gain.max(1).indices, tree)

    return by_chunks(decode, logits)


def hf1_optimal(logits: Tensor, tree: TaxonomyTensors, *, posterior: Posterior = path_posterior) -> Tensor:
    """The class, inner or leaf, of the highest expected hierarchical F1 of a pixel; UNDECIDED below it.

    Decided and true leaf stand for the sets of classes on their paths; F1 = 2 |both| / (|decided| + |true|)
    (Kiritchenko et al., 2006, for one sample; the score over a whole map sums before it divides). For a class at depth
    a it is a sum over its path: sum_u sum_{leaves v below u} 2 P(v) / (a + depth(v)), so one pass up and down the tree
    for every depth finds the maximum: linear in nodes times levels. Between equals the coarser class, then the first.
    """
    depth, leaf_depth = _depths(tree)
    own = _by_level(~tree.carried, tree)
    nodes = torch.tensor(tree.tables.node, device=logits.device)
    plan = [
        [torch.nonzero((here == a) & mine).flatten() for here, mine in zip(depth, own, strict=True)]
        for a in range(1, int(leaf_depth.max()) + 1)
    ]
    offsets = tree.tables.offsets
    order = torch.cat([nodes[at + int(offsets[i])] for row in plan for i, at in enumerate(row)])
    table = torch.tensor(node_rows(tree.tables), device=logits.device)[order].t().contiguous()

    def decode(z: Tensor) -> Tensor:
        leaves = posterior(z, tree)
        found = []
        for a, row in enumerate(plan, start=1):
            shares = leaves * (2.0 / (a + leaf_depth)).to(leaves).unsqueeze(1)
            score: Tensor | None = None
            for i, mass in enumerate(level_probabilities(shares, tree)):
                step = mass * own[i].to(mass).unsqueeze(1)
                score = step if score is None else score.index_select(1, tree.up(i)).add_(step)
                if len(row[i]):
                    found.append(score.index_select(1, row[i]))
        choice = torch.cat(found, 1).max(1).indices
        return torch.stack([of_level[choice] for of_level in table], 1)

    return by_chunks(decode, logits)


def node_rows(tables: Tables) -> np.ndarray:
    """(M, L) int64: the class index within each level of every predicted class, where one class remains; else
    UNDECIDED."""
    classes = tables.paths - tables.offsets[:-1]
    first, last = classes[tables.leaf_span[:, 0]], classes[tables.leaf_span[:, 1] - 1]
    # Leaves of a class are contiguous and classes of a level in their order, so the first and the last one decide.
    return np.where(first == last, first, UNDECIDED)


def _heaviest(leaves: Tensor, tree: TaxonomyTensors) -> tuple[Tensor, Tensor]:
    """Classes and probabilities (B, L, p) of the heaviest path, from leaf probabilities (B, V, p)."""
    levels = level_probabilities(leaves, tree)
    best: list[Tensor] = []
    probability: list[Tensor] = []
    for i, p in enumerate(levels):
        inside = p if i == 0 else p.masked_fill(tree.up(i).view(1, -1, 1) != best[-1].unsqueeze(1), -1.0)
        top = inside.max(1)
        best.append(top.indices)
        probability.append(top.values)
    # Rounding may leave a sum a little above 1, and 1 is the threshold at which nothing is decided.
    return torch.stack(best, 1), torch.stack(probability, 1).clamp_(max=1.0)


def _decisions(tree: TaxonomyTensors, cost: Tensor) -> Tensor:
    """(L, K) class index at each level of every decision that a cost table has a column for."""
    leaves, nodes = len(tree.paths), len(tree.tables.ids)
    choices = {leaves: "leaves", nodes: "classes", nodes + 1: "classes and the root"}
    if cost.ndim != 2 or cost.shape[0] != leaves or cost.shape[1] not in choices:
        wanted = ", ".join(f"({leaves}, {k}) to choose among {what}" for k, what in choices.items())
        raise ConfigError(f"cost has shape {tuple(cost.shape)}; it must be {wanted}")
    if not bool(torch.isfinite(cost).all()):
        raise ConfigError("cost holds values that are not finite; give a large cost to what must not be decided")
    rows = node_rows(tree.tables)
    if cost.shape[1] == leaves:
        return (tree.paths - torch.tensor(tree.tables.offsets[:-1], device=tree.paths.device)).t().contiguous()
    if cost.shape[1] == nodes + 1:
        classes = tree.tables.paths - tree.tables.offsets[:-1]
        rows = np.concatenate([rows, np.where(classes.min(0) == classes.max(0), 0, UNDECIDED)[None]])
    return torch.tensor(rows).t().contiguous()


def _depths(tree: TaxonomyTensors) -> tuple[list[Tensor], Tensor]:
    """Classes on the path to and with each channel, level by level (C_l,), and (V,) to each leaf."""
    found: list[Tensor] = []
    for i, own in enumerate(_by_level((~tree.carried).long(), tree)):
        found.append(own if i == 0 else found[-1][tree.up(i)] + own)
    return found, found[-1]


def _by_level(channels: Tensor, tree: TaxonomyTensors) -> tuple[Tensor, ...]:
    return torch.split_with_sizes(channels, list(tree.sizes))
