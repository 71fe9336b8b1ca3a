"""BHCCM: one distribution over the paths of the tree, in which logits go down and probabilities go up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from torch import Tensor

from hieratk.kernels.weights import Totals
from hieratk.losses.marginal import MarginalLoss
from hieratk.losses.node_loss import level_kernel
from hieratk.losses.options import Coarse, Reduction, check_weight
from hieratk.losses.target import Target
from hieratk.losses.terms import LevelOptions, Term, level_terms
from hieratk.taxonomy.tree import Taxonomy


class BHCCMLoss(MarginalLoss):
    """L = sum_l w_l CE_l + tree_weight L_TM, CE_l = -log P_l(label), P_l the classes of level l in one softmax over the
    leaves.

    Top-down: the score of a leaf is the sum of the logits along its path, so every class hands its logit to all below
    it. Bottom-up: P_l of a class is the sum over the leaves below it. The levels agree by construction, whatever the
    logits are; the most probable leaf is the path that `best_path` decodes; a coarse label is a sum of the same
    distribution, and what it teaches about a class no leaf below has to learn again. `MarginalLoss` says what coarse
    labels count, and which calls take the fused path.

    Source: HieraRS (Ai et al., arXiv 2507.08741) names the module; its equations were not reachable. Cross-entropies of
    all levels with weights in proportion to their classes are inferred from the first author's earlier code, and so is
    the tree-min term, which `TreeMinLoss` has as that code does. That its factor is 0 here, and the distribution, are
    our choice (docs/losses.md): shared scores after Salakhutdinov et al. (CVPR 2011) and Valmadre (NeurIPS 2022).

    Args, beside those of `NodeLoss`:
        tree_weight: factor of L_TM, `terms.tree_min` of the logits; 0 leaves it out.
        level_weights: w_l, one a level; default: classes of the level (carried ones counted, as they are channels) over
            N.
        coarse: what a label says about the levels below it: `marginal` or `ignore` (`options.Coarse`).
        focal: exponent of the factor (1 - p)^focal on each part of L_TM, p the probability that the part wants to be 1;
            0 for none. (HSSN's focal form; 2 there)
    """

    decoding: ClassVar[str] = "path_sum"
    paths: ClassVar[bool] = True

    def __init__(
        self,
        taxonomy: Taxonomy,
        *,
        tree_weight: float = 0.0,
        level_weights: Sequence[float] | None = None,
        coarse: Coarse = "marginal",
        focal: float = 0.0,
        class_weights: Mapping[str, float] | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(
            taxonomy, level_weights=level_weights, coarse=coarse, class_weights=class_weights, reduction=reduction
        )
        self.options = LevelOptions(
            (0.0,) * self.tree.n_levels,
            marginal=self.sets,
            binary_weight=check_weight(tree_weight, name="tree_weight"),
            constrained=True,
            focal=check_weight(focal, name="focal"),
        )

    def terms(self, target: Target, z: Tensor) -> list[Term]:
        return super().terms(target, z) + level_terms(target, z, self.options)

    def usable(self, logits: Tensor) -> bool:
        return super().usable(logits) and not (self.options.binary_weight and self.options.focal)

    def fused(self, logits: Tensor, labels: Tensor, totals: Totals | None, counts: Tensor | None) -> Tensor:
        value = super().fused(logits, labels, totals, counts)
        if not self.options.binary_weight:
            return value
        return value + level_kernel(self.tree, logits, labels, self.options, totals, counts)
