"""The marginal likelihood of one softmax over the leaves: a class at any level is the sum of the leaves below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor

from hieratk.kernels import leaf_marginal, marginal_triton
from hieratk.kernels.chunks import by_level
from hieratk.kernels.weights import Totals
from hieratk.losses import probabilities, terms
from hieratk.losses.node_loss import FusedLoss
from hieratk.losses.options import Coarse, Reduction, check_coarse, weights_of_levels
from hieratk.losses.target import Target
from hieratk.losses.terms import Term
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors


class MarginalLoss(FusedLoss):
    """-sum_l w_l log P_l, with P_l the sum of the leaf level's softmax over every leaf that the label allows at level
    l.

    One head, consistent by construction. Where the label names no class of a level the allowed leaves are those of the
    level above, so the weights act in full on every labelled pixel, and the mean runs over pixels with any label; with
    `coarse="ignore"` it runs over those with a label at the level. Channels of coarser levels get zero gradient.
    level_weights as `BHCCMLoss`. It takes a fused path on the CPU (`hieratk.kernels.leaf_marginal`), and on CUDA where
    triton is installed (`hieratk.kernels.marginal_triton`), except for `reduction="none"` and inside torch.compile.
    (method 5.1 CHOICE)
    """

    decoding: ClassVar[str] = "leaf_first"
    paths: ClassVar[bool] = False
    """Whether the score of a leaf is the sum of the logits along its path, not its own logit alone."""

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
        super().__init__(taxonomy, class_weights, reduction, weights, sets=check_coarse(coarse) == "marginal")

    def terms(self, target: Target, z: Tensor) -> list[Term]:
        of_level = probabilities.of_path_sums if self.paths else probabilities.of_leaves
        return [
            Term(
                weight,
                terms.set_nll(target, i, log_p, sets=self.sets),
                terms.ce_counts(target, i, z.dtype, marginal=self.sets),
            )
            for i, (log_p, weight) in enumerate(zip(of_level(self.tree, z), self.level_weights, strict=True))
            if weight
        ]

    def usable(self, logits: Tensor) -> bool:
        return leaf_marginal.usable(logits) or marginal_triton.usable(logits)

    def fused(self, logits: Tensor, labels: Tensor, totals: Totals | None, counts: Tensor | None) -> Tensor:
        labels = by_level(labels)
        totals = totals or Totals.of(labels, marginal=self.sets)
        shares = self._shares(totals.ce, counts).to(logits.device)
        kernel = marginal_triton.leaf_marginal if logits.is_cuda else leaf_marginal.leaf_marginal
        return kernel(self.tree, logits, labels, shares, paths=self.paths)

    def _shares(self, totals: Sequence[float], counts: Tensor | None) -> Tensor:
        """(L, N) float64: what -log P_l counts where a label ends at a channel.

        Below a coarse label the allowed leaves are those of the label: its own term again, so what these levels count
        is handed to the label's own.
        """
        tree = self.tree
        weights = torch.tensor(
            [w / (n or 1.0) for w, n in zip(self.level_weights, totals, strict=True)], dtype=torch.float64
        )
        every = weights.unsqueeze(1).expand(-1, tree.channels)
        every = every if counts is None else every * counts.cpu()
        level = torch.arange(tree.n_levels).unsqueeze(1)
        end = torch.arange(tree.n_levels).repeat_interleave(torch.tensor(tree.sizes))
        shares = every * (level <= end)
        return shares + (every - shares).sum(0) * (level == end) if self.sets else shares
