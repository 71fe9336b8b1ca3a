"""The max constraint loss of C-HMCNN on node logits."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from hieratk.losses import terms
from hieratk.losses.node_loss import NodeLoss
from hieratk.losses.options import Reduction, check_weight
from hieratk.losses.target import Target
from hieratk.losses.terms import Term
from hieratk.taxonomy.tree import Taxonomy


class CHMCNNLoss(NodeLoss):
    """Binary cross-entropy where a class is as sure as its surest descendant, true ones judged by true descendants.

    Sum over levels of the mean, over pixels with a label at that level and its non-carried classes, of
        t_v softplus(-max of z_u over the true u among v and its descendants)
        + (1 - t_v) softplus(max of z_u over v and its descendants)
    plus ce_weight times the level cross-entropies with the weights of `BHCCMLoss`. The negatives are those of
    `terms.tree_min`; the positives let a sure leaf pull its ancestors up, where tree-min judges it by the weakest of
    them.

    Source: Giunchiglia and Lukasiewicz (NeurIPS 2020), the max constraint module and loss, known; logit space, the mean
    level by level (so that it compares with `tree-min`) and ce_weight = 0, chosen.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        *,
        ce_weight: float = 0.0,
        class_weights: Mapping[str, float] | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(taxonomy, class_weights, reduction)
        ce_weight = check_weight(ce_weight, name="ce_weight")
        weights = tuple(ce_weight * size / self.tree.channels for size in self.tree.sizes)
        self.options = terms.LevelOptions(weights, marginal=True)

    def terms(self, target: Target, z: Tensor) -> list[Term]:
        found = terms.level_terms(target, z, self.options)
        for i, values in enumerate(max_constraint(target, z)):
            found.append(Term(1.0, values, target.counts(i, target.known(i), z.dtype)))
        return found


def max_constraint(target: Target, z: Tensor) -> list[Tensor]:
    """For each level (B, P): the mean over its own classes of the two parts that `CHMCNNLoss` states."""
    tree = target.tree
    levels = tree.split(z)
    above = terms.highest_below(tree, levels)
    found: list[Tensor] = []
    highest = z.new_full((), -math.inf).expand(target.scored.shape)
    for i in range(tree.n_levels - 1, -1, -1):
        own = terms.own_classes(tree, i)
        index = target.labels[:, i].clamp(min=0).unsqueeze(1)
        counts = target.known(i) & own[index.squeeze(1)]
        highest = torch.where(counts, torch.maximum(highest, levels[i].gather(1, index).squeeze(1)), highest)
        positive = terms.softplus(-torch.where(counts, highest, 0.0)) * counts
        found.append(terms.mean_over_classes(positive, above[i], index, own))
    return found[::-1]
