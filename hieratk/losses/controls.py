"""The losses that BHCCM must be compared with: the same call, less of the tree."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hieratk.losses import terms
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors


class LevelCELoss(nn.Module):
    """sum_l w_l CE_l: every level's own softmax, nothing that ties them but coarse labels.

    Arguments, call and errors as `BHCCMLoss`, which it equals at tree_weight = 0. (method 3.1 INFERRED)
    """

    def __init__(
        self, taxonomy: Taxonomy, *, level_weights: Sequence[float] | None = None, coarse: terms.Coarse = "marginal"
    ) -> None:
        super().__init__()
        self.tree = TaxonomyTensors(taxonomy)
        self.level_weights = terms.weights_of_levels(self.tree, level_weights)
        self.coarse = terms.check_coarse(coarse)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        terms.check_shapes(self.tree, logits, labels)
        with torch.autocast(logits.device.type, enabled=False):
            return terms.fastest_level_loss(logits)(
                self.tree,
                logits,
                labels,
                level_weights=self.level_weights,
                marginal=self.coarse == "marginal",
                binary_weight=0.0,
                constrained=False,
            )


class LevelBCELoss(nn.Module):
    """sum_l w_l CE_l + bce_weight sum_l BCE_l: BHCCM without its minimum and maximum, the control of any claim about
    them.

    See `terms.binary_terms`. Call and errors as `BHCCMLoss`. (method 5.2 CHOICE)
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        *,
        bce_weight: float = 1.0,
        level_weights: Sequence[float] | None = None,
        coarse: terms.Coarse = "marginal",
    ) -> None:
        super().__init__()
        self.tree = TaxonomyTensors(taxonomy)
        self.bce_weight = terms.check_weight(bce_weight, name="bce_weight")
        self.level_weights = terms.weights_of_levels(self.tree, level_weights)
        self.coarse = terms.check_coarse(coarse)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        terms.check_shapes(self.tree, logits, labels)
        with torch.autocast(logits.device.type, enabled=False):
            return terms.fastest_level_loss(logits)(
                self.tree,
                logits,
                labels,
                level_weights=self.level_weights,
                marginal=self.coarse == "marginal",
                binary_weight=self.bce_weight,
                constrained=False,
            )


class FlatCELoss(nn.Module):
    """Cross-entropy of the leaf level's softmax alone: the flat model. The channels of coarser levels get zero
    gradient.

    A coarse label counts by the set of leaves under it (`coarse="marginal"`), or not at all (`ignore`). Call and errors
    as `BHCCMLoss`.
    """

    def __init__(self, taxonomy: Taxonomy, *, coarse: terms.Coarse = "marginal") -> None:
        super().__init__()
        self.tree = TaxonomyTensors(taxonomy)
        self.coarse = terms.check_coarse(coarse)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        terms.check_shapes(self.tree, logits, labels)
        with torch.autocast(logits.device.type, enabled=False):
            return terms.fastest_level_loss(logits)(
                self.tree,
                logits,
                labels,
                level_weights=[0.0] * (self.tree.n_levels - 1) + [1.0],
                marginal=self.coarse == "marginal",
                binary_weight=0.0,
                constrained=False,
            )


class MarginalLoss(nn.Module):
    """-sum_l w_l log P_l, with P_l the sum of the leaf level's softmax over every leaf that the label allows at level
    i.

    One head, consistent by construction. Where the label names no class of a level the allowed leaves are those of the
    level above, so the weights act in full on every labelled pixel; the mean runs over pixels with any label. Channels
    of coarser levels get zero gradient. Arguments, call and errors as `BHCCMLoss`. (method 5.1 CHOICE)
    """

    def __init__(self, taxonomy: Taxonomy, *, level_weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.tree = TaxonomyTensors(taxonomy)
        self.level_weights = terms.weights_of_levels(self.tree, level_weights)

    def forward(self, logits: Tensor, labels: Tensor) -> Tensor:
        tree = self.tree
        with torch.autocast(logits.device.type, enabled=False):
            z = terms.prepare(tree, logits, labels)
            scored = (labels >= 0).any(1)
            leaves = tree.split(z)[-1]
            log_p = F.log_softmax(leaves, dim=1)
            loss = z.new_zeros(())
            allowed: Tensor | None = None
            for i, weight in enumerate(self.level_weights):
                allowed = terms.allowed_classes(tree, labels[:, i], allowed, level=i)
                of_leaf = tree.paths[:, i] - int(tree.tables.offsets[i])
                below = allowed.index_select(1, of_leaf)
                log_set = log_p.masked_fill(~below, -math.inf).logsumexp(1)
                loss = loss + weight * terms.mean_over(-log_set, scored)
            return loss
