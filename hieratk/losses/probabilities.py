"""Log-probabilities of the classes of every level. Except in `of_levels` a class is the sum of those below it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from hieratk.tensors import TaxonomyTensors


def sum_up(tree: TaxonomyTensors, values: Tensor, level: int) -> Tensor:
    """Values (B, C_level, P) summed into the class one level above that holds each: (B, C_(level - 1), P)."""
    start = values.new_zeros(values.shape[0], tree.sizes[level - 1], *values.shape[2:])
    return start.index_add(1, tree.up(level), values)


def log_sum_up(tree: TaxonomyTensors, log_p: Tensor, level: int) -> Tensor:
    """log of the sum of exp(log_p) (B, C_level, P) over the classes below each class one level above."""
    up = tree.up(level)
    parents = up.view(1, -1, *(1,) * (log_p.ndim - 2)).expand_as(log_p)
    top = log_p.new_full((log_p.shape[0], tree.sizes[level - 1], *log_p.shape[2:]), -torch.inf)
    # The shift is a constant: the result does not depend on it.
    top = top.scatter_reduce(1, parents, log_p.detach(), "amax")
    return sum_up(tree, (log_p - top.index_select(1, up)).exp(), level).log() + top


def leaf_marginals(tree: TaxonomyTensors, log_leaves: Tensor) -> list[Tensor]:
    """For each level (B, C_l, P) log P_l: the probabilities of the leaves, given as log (B, V, P), summed up the
    tree.
    """
    found = [log_leaves]
    for i in range(tree.n_levels - 1, 0, -1):
        found.append(log_sum_up(tree, found[-1], i))
    return found[::-1]


def of_levels(tree: TaxonomyTensors, z: Tensor) -> list[Tensor]:
    """For each level (B, C_l, P) its own log-softmax: these need not agree."""
    return [F.log_softmax(level, dim=1) for level in tree.split(z)]


def of_leaves(tree: TaxonomyTensors, z: Tensor) -> list[Tensor]:
    """`leaf_marginals` of the softmax of the leaf level; the logits of coarser levels take no part."""
    return leaf_marginals(tree, F.log_softmax(tree.split(z)[-1], dim=1))


def of_path_sums(tree: TaxonomyTensors, z: Tensor) -> list[Tensor]:
    """`leaf_marginals` of the softmax over leaves of the sums of the logits along their paths."""
    return leaf_marginals(tree, of_paths(tree, tree.split(z)))


def of_siblings(tree: TaxonomyTensors, z: Tensor) -> list[Tensor]:
    """For each level (B, C_l, P) log P_l: a softmax among the classes with one parent, times the parent's probability.

    An only child, and so every carried copy of a leaf that stops early, has probability 1 given its parent: its logit
    takes no part. A class that skips a level competes where it first stands in, among the children of its parent.
    """
    found: list[Tensor] = []
    for i, level in enumerate(tree.split(z)):
        if i == 0:
            found.append(F.log_softmax(level, dim=1))
        else:
            up = tree.up(i)
            found.append(found[-1].index_select(1, up) + level - log_sum_up(tree, level, i).index_select(1, up))
    return found


def of_paths(tree: TaxonomyTensors, log_levels: Sequence[Tensor]) -> Tensor:
    """(B, V, P) log-softmax over leaves of the sum of the levels' log-probabilities along each leaf's path."""
    scores = log_levels[0]
    for i in range(1, tree.n_levels):
        scores = scores.index_select(1, tree.up(i)) + log_levels[i]
    return F.log_softmax(scores, dim=1)


def heights(tree: TaxonomyTensors) -> Tensor:
    """(N,) float64: edges on the longest way from the class of each channel down to a leaf; 0 for leaves."""
    tables = tree.tables
    height = [0] * len(tables.ids)
    for m in range(len(tables.ids) - 1, -1, -1):
        parent = int(tables.parent[m])
        if parent >= 0:
            height[parent] = max(height[parent], height[m] + 1)
    return torch.tensor(height, dtype=torch.float64)[torch.tensor(tables.node)]
