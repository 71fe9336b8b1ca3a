"""The losses that BHCCM must be compared with: less of the tree, or the leaves alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from hieratk.kernels import leaf_marginal as kernels
from hieratk.losses import probabilities, terms
from hieratk.losses.labels import Labels, SetLabels
from hieratk.losses.node_loss import LevelLoss, NodeLoss
from hieratk.losses.options import Coarse, Reduction, check_coarse, check_weight, weights_of_levels
from hieratk.losses.target import Target
from hieratk.losses.terms import LevelOptions, Term
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors


class LevelCELoss(LevelLoss):
    """sum_l w_l CE_l: every level's own softmax, nothing that ties them but coarse labels.

    `BHCCMLoss` at tree_weight = 0, with its arguments. (method 3.1 INFERRED)
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        *,
        level_weights: Sequence[float] | None = None,
        coarse: Coarse = "marginal",
        class_weights: Mapping[str, float] | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        weights = weights_of_levels(TaxonomyTensors(taxonomy), level_weights)
        options = LevelOptions(weights, marginal=check_coarse(coarse) == "marginal")
        super().__init__(taxonomy, class_weights, reduction, options)


class LevelBCELoss(LevelLoss):
    """sum_l w_l CE_l + bce_weight sum_l BCE_l: BHCCM without its minimum and maximum, the control of any claim about
    them.

    See `terms.binary_terms`; other arguments as `BHCCMLoss`. (method 5.2 CHOICE)
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        *,
        bce_weight: float = 1.0,
        level_weights: Sequence[float] | None = None,
        coarse: Coarse = "marginal",
        class_weights: Mapping[str, float] | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        options = LevelOptions(
            weights_of_levels(TaxonomyTensors(taxonomy), level_weights),
            marginal=check_coarse(coarse) == "marginal",
            binary_weight=check_weight(bce_weight, name="bce_weight"),
        )
        super().__init__(taxonomy, class_weights, reduction, options)


class FlatCELoss(LevelLoss):
    """Cross-entropy of the leaf level's softmax alone: the flat model. The channels of coarser levels get zero
    gradient.

    A coarse label counts by the set of leaves under it (`coarse="marginal"`), or not at all (`ignore`).
    """

    decoding: ClassVar[str] = "leaf_first"

    def __init__(
        self,
        taxonomy: Taxonomy,
        *,
        coarse: Coarse = "marginal",
        class_weights: Mapping[str, float] | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        weights = (0.0,) * (TaxonomyTensors(taxonomy).n_levels - 1) + (1.0,)
        options = LevelOptions(weights, marginal=check_coarse(coarse) == "marginal")
        super().__init__(taxonomy, class_weights, reduction, options)


class MarginalLoss(NodeLoss):
    """-sum_l w_l log P_l, with P_l the sum of the leaf level's softmax over every leaf that the label allows at level
    l.

    One head, consistent by construction. Where the label names no class of a level the allowed leaves are those of the
    level above, so the weights act in full on every labelled pixel; the mean runs over pixels with any label. Channels
    of coarser levels get zero gradient. level_weights as `BHCCMLoss`. On the CPU it takes a fused path
    (`hieratk.kernels.leaf_marginal`), except for sets and `reduction="none"`. (method 5.1 CHOICE)
    """

    decoding: ClassVar[str] = "leaf_first"
    stratified = True

    def __init__(
        self,
        taxonomy: Taxonomy,
        *,
        level_weights: Sequence[float] | None = None,
        class_weights: Mapping[str, float] | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(taxonomy, class_weights, reduction)
        self.level_weights = weights_of_levels(self.tree, level_weights)

    def terms(self, target: Target, z: Tensor) -> list[Term]:
        levels = probabilities.of_leaves(self.tree, z)
        return [
            Term(weight, terms.set_nll(target, i, log_p), target.counts(i, target.scored, z.dtype))
            for i, (log_p, weight) in enumerate(zip(levels, self.level_weights, strict=True))
            if weight
        ]

    def forward(self, logits: Tensor, labels: Labels) -> Tensor:
        if isinstance(labels, SetLabels) or self.reduction == "none" or not kernels.usable(logits):
            return super().forward(logits, labels)
        terms.check_shapes(self.tree, logits, labels)
        with torch.autocast(logits.device.type, enabled=False):
            counts, totals, levels = None, None, range(self.tree.n_levels)
            if self.class_weights is not None or terms.uneven(labels):
                target = Target(self.tree, labels, self.class_weights, stratified=True)
                counts = target.counts_of[:, : self.tree.channels]
                totals = [target.total(i, named=False) for i in levels]
            if self.reduction == "sum":
                totals = [1.0 for _ in levels]
            return kernels.leaf_marginal(
                self.tree,
                logits,
                labels,
                level_weights=self.level_weights,
                totals=totals,
                counts=counts,
            )
