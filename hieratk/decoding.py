"""Node logits to one class a level. Every function takes logits (B, N, ...) of any float dtype and a `TaxonomyTensors`,
and returns (B, L, ...) int64 class indices within each level. Between equal scores the first class, depth first, wins.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from hieratk.errors import ConfigError
from hieratk.tensors import TaxonomyTensors


def best_path(logits: Tensor, tree: TaxonomyTensors, *, level_weights: Sequence[float] | None = None) -> Tensor:
    """The legal path of the highest sum_l a_l log softmax(z^l)[class of the leaf at l], a_l = 1 unless given.

    The normaliser of each level's softmax is one number a pixel, the same for all leaves, so the path of the highest
    sum of raw logits is the same path: no softmax is computed. Scores add up level by level, one (B, C_l, ...) float32
    (float64 for float64) tensor at a time. (method 5.1 CHOICE) Raises ConfigError for a wrong number of weights.
    """
    weights = _weights(tree, level_weights)
    dtype = torch.promote_types(logits.dtype, torch.float32)
    score: Tensor | None = None
    for i, level in enumerate(tree.split(logits)):
        if score is None:
            score = level.to(dtype) * weights[i] if weights[i] != 1 else level.to(dtype)
        else:
            score = score.index_select(1, tree.up(i)).add_(level, alpha=weights[i])
    assert score is not None
    # The classes of the last level are the leaves in order, so its index is the leaf's.
    return paths_of(score.argmax(1), tree)


def leaf_first(logits: Tensor, tree: TaxonomyTensors) -> Tensor:
    """The best class of the leaf level and the path above it; coarser channels are not read."""
    return paths_of(tree.split(logits)[-1].argmax(1), tree)


def top_down(logits: Tensor, tree: TaxonomyTensors) -> Tensor:
    """The best class of the first level, then the best among its children, and so on: greedy, always a legal path."""
    levels = tree.split(logits)
    best = [levels[0].argmax(1)]
    for i in range(1, tree.n_levels):
        shape = (1, -1) + (1,) * (logits.ndim - 2)
        below = tree.up(i).view(shape) == best[-1].unsqueeze(1)
        # Clamped, so that a child of logit -inf still beats a class that is no child.
        scores = levels[i].clamp(min=torch.finfo(levels[i].dtype).min).masked_fill(~below, -math.inf)
        best.append(scores.argmax(1))
    return torch.stack(best, 1)


def independent(logits: Tensor, tree: TaxonomyTensors) -> Tensor:
    """The best class of every level by itself: need not be a path (`is_path` says where it is). For research."""
    return torch.stack([level.argmax(1) for level in tree.split(logits)], 1)


def paths_of(leaves: Tensor, tree: TaxonomyTensors) -> Tensor:
    """(B, L, ...) class index within each level of leaves (B, ...), given by their index 0..V-1."""
    found = leaves.new_empty((leaves.shape[0], tree.n_levels, *leaves.shape[1:]))
    for i in range(tree.n_levels):
        of_leaf = tree.paths[:, i] - int(tree.tables.offsets[i])
        found[:, i] = of_leaf[leaves]
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


def _weights(tree: TaxonomyTensors, weights: Sequence[float] | None) -> tuple[float, ...]:
    if weights is None:
        return (1.0,) * tree.n_levels
    if len(weights) != tree.n_levels:
        names = ", ".join(tree.tables.level_names)
        raise ConfigError(f"{len(weights)} level_weights for {tree.n_levels} levels ({names}); give one a level")
    return tuple(float(w) for w in weights)
