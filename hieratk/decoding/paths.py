"""Decoders that always give a class at every level, and the question whether the levels form a path."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from hieratk.decoding.posterior import by_chunks, path_scores, sibling_posterior
from hieratk.tensors import TaxonomyTensors


def best_path(logits: Tensor, tree: TaxonomyTensors, *, level_weights: Sequence[float] | None = None) -> Tensor:
    """The legal path of the highest sum_l a_l log softmax(z^l)[class of the leaf at l], a_l = 1 unless given.

    The normaliser of each level's softmax is one number a pixel, the same for all leaves, so the path of the highest
    sum of raw logits is the same path: no softmax is computed. Scores add up level by level, one (B, C_l, ...) float32
    (float64 for float64) tensor at a time. (method 5.1 CHOICE) Raises ConfigError for a wrong number of weights.
    """
    # The classes of the last level are the leaves in order, so its index is the leaf's. (`max` over a dimension that is
    # not the last is several times faster than `argmax` on a CPU, and returns the first of equals too.)
    return by_chunks(lambda z: paths_of(path_scores(z, tree, level_weights=level_weights).max(1).indices, tree), logits)


def leaf_first(logits: Tensor, tree: TaxonomyTensors) -> Tensor:
    """The best class of the leaf level and the path above it; coarser channels are not read."""
    return by_chunks(lambda z: paths_of(tree.split(z)[-1].max(1).indices, tree), logits)


def sibling_path(logits: Tensor, tree: TaxonomyTensors) -> Tensor:
    """The path to the leaf that is most probable when softmaxes among siblings are multiplied from the top down: what
    the conditional loss trains."""
    return by_chunks(lambda z: paths_of(sibling_posterior(z, tree).max(1).indices, tree), logits)


def top_down(logits: Tensor, tree: TaxonomyTensors) -> Tensor:
    """The best class of the first level, then the best among its children, and so on: greedy, always a legal path."""

    def decode(z: Tensor) -> Tensor:
        levels = tree.split(z)
        best = [levels[0].max(1).indices]
        for i in range(1, tree.n_levels):
            other = tree.up(i).view(1, -1, 1) != best[-1].unsqueeze(1)
            # Clamped, so that a child of logit -inf still beats a class that is no child.
            scores = levels[i].clamp(min=torch.finfo(z.dtype).min).masked_fill_(other, -math.inf)
            best.append(scores.max(1).indices)
        return torch.stack(best, 1)

    return by_chunks(decode, logits)


def independent(
    logits: Tensor,
    tree: TaxonomyTensors,
    *,
    levels: Callable[[TaxonomyTensors, Tensor], Sequence[Tensor]] = TaxonomyTensors.split,
) -> Tensor:
    """The best class of every level by itself: need not be a path (`is_path` says where it is). For research.

    levels: the scores of each level's classes; default the logits. What they are where the logits of a level are no
    scores by themselves, `hieratk.decoding.LEVELS` knows.
    """
    return by_chunks(lambda z: torch.stack([level.max(1).indices for level in levels(tree, z)], 1), logits)


def paths_of(leaves: Tensor, tree: TaxonomyTensors) -> Tensor:
    """(B, L, ...) class index within each level of leaves (B, ...), given by their index 0..V-1."""
    found = leaves.new_empty((leaves.shape[0], tree.n_levels, *leaves.shape[1:]))
    for i in range(tree.n_levels):
        of_leaf = tree.paths[:, i] - int(tree.tables.offsets[i])
        found[:, i] = of_leaf.index_select(0, leaves.reshape(-1)).view(leaves.shape)
    return found


def is_path(predictions: Tensor, tree: TaxonomyTensors) -> Tensor:
    """(B, ...) bool: do the classes (B, L, ...) of all levels form one path from the root to a leaf?

    A level without a class (a negative index) breaks the path.
    """
    good = predictions[:, -1] >= 0
    for i in range(1, tree.n_levels):
        # Long, because torch reads uint8 as a mask and not as an index.
        above = tree.up(i)[predictions[:, i].clamp(min=0).long()]
        good = good & (above == predictions[:, i - 1])
    return good
