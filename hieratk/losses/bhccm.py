"""BHCCM: cross-entropies of all levels, tied in both directions by tree-min."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from hieratk.losses import terms
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors


class BHCCMLoss(nn.Module):
    """L = sum_l w_l CE_l + tree_weight L_TM. See `terms.cross_entropies` and `terms.tree_min` for the two terms.

    Source: HieraRS (Ai et al., arXiv 2507.08741) names the module; its equations were not reachable. Level
    cross-entropies, weights in proportion to the number of classes and tree-min are inferred from the first author's
    earlier code; logit space, the set term for coarse labels and tree_weight = 1 are our choice (docs/losses.md).

    Args:
        taxonomy: the tree.
        tree_weight: factor of L_TM; 0 leaves the cross-entropies alone.
        level_weights: w_l, one a level; default: classes of the level (carried ones counted, as they are outputs of its
            softmax) over N.
        coarse: what a label says about the levels below it: `marginal` or `ignore` (`terms.Coarse`).

    Called with logits (B, N, ...) of any float dtype and labels (B, L, ...) int64, IGNORE where a level has none;
    returns a scalar, float64 for float64 logits, else float32, computed with autocast off. A pixel without any label
    adds exactly nothing to value and gradient; without any labelled pixel the loss is 0 and its gradient zero.

    Raises ConfigError for weights or options that make no sense, ValueError for tensors of the wrong shape or dtype.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        *,
        tree_weight: float = 1.0,
        level_weights: Sequence[float] | None = None,
        coarse: terms.Coarse = "marginal",
    ) -> None:
        super().__init__()
        self.tree = TaxonomyTensors(taxonomy)
        self.tree_weight = terms.check_weight(tree_weight, name="tree_weight")
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
                binary_weight=self.tree_weight,
                constrained=True,
            )
