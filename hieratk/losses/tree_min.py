"""Cross-entropies of all levels, tied in both directions by tree-min."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hieratk.losses.node_loss import LevelLoss
from hieratk.losses.options import Coarse, Reduction, check_coarse, check_weight, weights_of_levels
from hieratk.losses.terms import LevelOptions
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors


class TreeMinLoss(LevelLoss):
    """L = sum_l w_l CE_l + tree_weight L_TM: `terms.set_nll` of each level's softmax, and `terms.tree_min`.

    The form of the bidirectional constraint in the earlier code of the first author of HieraRS: level cross-entropies,
    weights in proportion to the number of classes and tree-min are inferred from there; logit space, the set term for
    coarse labels and tree_weight = 1 are our choice (docs/losses.md). `BHCCMLoss` ties the levels in another way.

    Args, beside those of `NodeLoss`:
        tree_weight: factor of L_TM; 0 leaves the cross-entropies alone.
        level_weights: w_l, one a level; default: classes of the level (carried ones counted, as they are outputs of its
            softmax) over N.
        coarse: what a label says about the levels below it: `marginal` or `ignore` (`options.Coarse`).
        focal: exponent of the factor (1 - p)^focal on each part of L_TM, p the probability that the part wants to be 1;
            0 for none. (HSSN's focal form; 2 there)
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        *,
        tree_weight: float = 1.0,
        level_weights: Sequence[float] | None = None,
        coarse: Coarse = "marginal",
        focal: float = 0.0,
        class_weights: Mapping[str, float] | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        options = LevelOptions(
            weights_of_levels(TaxonomyTensors(taxonomy), level_weights),
            marginal=check_coarse(coarse) == "marginal",
            binary_weight=check_weight(tree_weight, name="tree_weight"),
            constrained=True,
            focal=check_weight(focal, name="focal"),
        )
        super().__init__(taxonomy, class_weights, reduction, options)
