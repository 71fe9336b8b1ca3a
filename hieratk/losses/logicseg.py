"""LogicSeg: rules of the tree as penalties on the classes' probabilities."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from hieratk.errors import ConfigError
from hieratk.losses import terms
from hieratk.losses.node_loss import NodeLoss
from hieratk.losses.options import Reduction, check_weight
from hieratk.losses.target import Target
from hieratk.losses.terms import Term
from hieratk.taxonomy.tree import Taxonomy


class LogicSegLoss(NodeLoss):
    """Binary cross-entropies of all levels plus rule_weight (C + D + E), on s_v = sigmoid(z_v) of the tree's own nodes.

        C, composition:    a class implies its parent:         s_v - s_v s_parent
        D, decomposition:  a class implies one of its children: s_v - s_v max of s over children
        E, exclusion:      siblings exclude each other:         s_v times the mean of s over its siblings

    Each violation is a p-mean over labelled pixels, (mean of x^p)^(1/p), then a mean over the nodes that have a parent,
    children, siblings. The classes at the top are siblings. A p-mean belongs to a batch, so `reduction` can only be
    `mean`. Class weights act on the binary cross-entropies.

    Source: Li et al., "LogicSeg" (ICCV 2023): the rules, product logic and p = 5 known; rule_weight = 0.2 from its
    released code (there 0 at first, then growing: a schedule is the training loop's business). Plain binary
    cross-entropy as the base loss (asymmetric there) and the mean over siblings inside the p-mean (outside there: a
    number of p-means quadratic in the siblings), chosen.
    """

    parent: Tensor
    child: Tensor

    def __init__(
        self,
        taxonomy: Taxonomy,
        *,
        rule_weight: float = 0.2,
        p: float = 5.0,
        class_weights: Mapping[str, float] | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(taxonomy, class_weights, reduction)
        if self.reduction != "mean":
            raise ConfigError(f"loss: logicseg has no reduction `{reduction}`: its rules join all pixels; use mean")
        self.rule_weight = check_weight(rule_weight, name="rule_weight")
        self.p = check_weight(p, name="p")
        if self.p < 1:
            raise ConfigError(f"loss: p is {p}; a p-mean of 1 or more grows with each violation")
        tables = self.tree.tables
        channel = np.full(len(tables.ids), -1)
        own = (~tables.carried).nonzero()[0]
        channel[tables.node[own]] = own
        # The root has a number of its own, so that the classes of the first level are its children.
        parent = np.where(tables.parent >= 0, channel[tables.parent], tables.channels)
        self.register_buffer("child", torch.from_numpy(channel), persistent=False)
        self.register_buffer("parent", torch.from_numpy(parent), persistent=False)

    def terms(self, target: Target, z: Tensor) -> list[Term]:
        found = [
            Term(1.0, values, target.counts(i, target.known(i), z.dtype))
            for i, values in enumerate(terms.binary_terms(target, z))
        ]
        if bool(target.scored.any()):
            image, pixel = target.scored.nonzero(as_tuple=True)
            rules = self.rule_weight * self.violations(z[image, :, pixel].t())
            found.append(Term(1.0, rules.view(1, 1), torch.ones_like(rules).view(1, 1)))
        return found

    def violations(self, z: Tensor) -> Tensor:
        """C + D + E of logits (N, K), K pixels."""
        n, below = z.shape[0], self.parent < z.shape[0]
        s = torch.sigmoid(z)
        total = z.new_zeros(())
        node, parent = self.child[below], self.parent[below]
        if len(node):
            total = total + p_mean(s[node] * torch.sigmoid(-z[parent]), self.p).mean()
            best = z.new_full(z.shape, -torch.inf)
            best = best.scatter_reduce(0, parent.unsqueeze(1).expand(-1, z.shape[1]), z[node], "amax")
            inner = torch.unique(parent)
            total = total + p_mean(s[inner] * torch.sigmoid(-best[inner]), self.p).mean()
        size = torch.bincount(self.parent, minlength=n + 1)[self.parent]
        node, parent, size = self.child[size > 1], self.parent[size > 1], size[size > 1]
        if len(node):
            together = z.new_zeros(n + 1, z.shape[1]).index_add(0, parent, s[node])
            others = (together[parent] - s[node]) / (size - 1).unsqueeze(1)
            total = total + p_mean(s[node] * others, self.p).mean()
        return total


def p_mean(x: Tensor, p: float) -> Tensor:
    """(K,): (mean of x^p over the last axis)^(1/p) of x >= 0 (K, P); 0, with zero gradient, where all are 0."""
    # Divided by the largest, x^5 does not underflow; the result does not depend on the divisor.
    top = x.detach().amax(-1, keepdim=True)
    some = top > 0
    powers = (x / torch.where(some, top, 1.0)).pow(p).mean(-1, keepdim=True)
    mean = torch.where(some, powers, 1.0).pow(1 / p)
    return (mean * top).squeeze(-1)
