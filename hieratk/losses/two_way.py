"""Soft two-way coupling: level heads and leaf marginals that learn from each other's labels and agree."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from hieratk.losses import probabilities, terms
from hieratk.losses.node_loss import NodeLoss
from hieratk.losses.options import Reduction, check_weight, weights_of_levels
from hieratk.losses.target import Target
from hieratk.losses.terms import Term
from hieratk.taxonomy.tree import Taxonomy


class SoftTwoWayLoss(NodeLoss):
    """sum_l w_l CE_l + up U + down D + tie T.

    With p_l the softmax of a level's own logits and P_l the sums of the leaf level's softmax:
        U = sum over l < L of -log P_l of the label, mean over pixels whose label says something about level l
        D = -log of the label's share of softmax over leaves of sum_l log p_l[class of the leaf at l], mean over
            labelled pixels
        T = sum over l < L of the Jensen-Shannon divergence of p_l and P_l in nats, mean over labelled pixels

    The factors are 0.3 each, level_weights as `BHCCMLoss`. (method 5.1 and 5.2 CHOICE; there it gained nothing over
    level cross-entropies, so it is an option and no default)
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        *,
        up: float = 0.3,
        down: float = 0.3,
        tie: float = 0.3,
        level_weights: Sequence[float] | None = None,
        class_weights: Mapping[str, float] | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(taxonomy, class_weights, reduction)
        self.up, self.down, self.tie = (
            check_weight(value, name=name) for name, value in (("up", up), ("down", down), ("tie", tie))
        )
        self.level_weights = weights_of_levels(self.tree, level_weights)

    def terms(self, target: Target, z: Tensor) -> list[Term]:
        tree, last = self.tree, self.tree.n_levels - 1
        own = [F.log_softmax(level, dim=1) for level in tree.split(z)]
        sums = probabilities.leaf_marginals(tree, own[last])
        scored = [target.counts(i, target.scored, z.dtype) for i in range(tree.n_levels)]
        found = []
        for i, (log_p, weight) in enumerate(zip(own, self.level_weights, strict=True)):
            found.append(Term(weight, terms.set_nll(target, i, log_p), scored[i]))
            if i < last:
                informed = target.counts(i, target.informative(i), z.dtype)
                found.append(Term(self.up, terms.set_nll(target, i, sums[i]), informed))
                found.append(Term(self.tie, jensen_shannon(log_p, sums[i]), scored[i]))
        found.append(Term(self.down, terms.set_nll(target, last, probabilities.of_paths(tree, own)), scored[last]))
        return found


def jensen_shannon(log_p: Tensor, log_q: Tensor) -> Tensor:
    """(B, P): the Jensen-Shannon divergence in nats, at most log 2, of two distributions given as log (B, C, P)."""
    log_m = torch.logaddexp(log_p, log_q) - math.log(2)
    return 0.5 * (log_p.exp() * (log_p - log_m) + log_q.exp() * (log_q - log_m)).sum(1)
