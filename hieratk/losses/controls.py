"""The losses that BHCCM must be compared with: less of the tree, or the leaves alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from hieratk.losses.node_loss import LevelLoss
from hieratk.losses.options import Coarse, Reduction, check_coarse, check_weight, weights_of_levels
from hieratk.losses.terms import LevelOptions
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors


class LevelCELoss(LevelLoss):
    """sum_l w_l CE_l: every level's own softmax, nothing that ties them but coarse labels.

    `TreeMinLoss` at tree_weight = 0, with its arguments. (method 3.1 INFERRED)
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
    """sum_l w_l CE_l + bce_weight sum_l BCE_l: tree-min without its minimum and maximum, the control of any claim
    about them, and about BHCCM.

    See `terms.binary_terms`; other arguments as `TreeMinLoss`. (method 5.2 CHOICE)
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
