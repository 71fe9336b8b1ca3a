"""The likelihood of whole paths: one softmax over leaves, of the sums of logits that `best_path` decodes."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from hieratk.losses import terms
from hieratk.losses.controls import MarginalLoss
from hieratk.losses.labels import Labels
from hieratk.tensors import TaxonomyTensors


class PathLoss(MarginalLoss):
    """-sum_l w_l log P_l, P_l the sum of p over every leaf that the label allows at level l, p(leaf) in proportion to
    exp of the sum of the logits along the path to the leaf.

    `MarginalLoss` on other leaf scores, with its arguments: leaves share the logits of their ancestors, so that what
    one of them learns about its cover the others need not. Its mode is the path that `best_path` decodes, and coarse
    labels are sums of the same distribution.

    Source: shared scores along the tree, Salakhutdinov et al. (CVPR 2011) and "parameter sharing" in Valmadre (NeurIPS
    2022), known; their marginals for all levels and coarse labels, chosen.
    """

    decoding: ClassVar[str] = "best_path"

    def forward(self, logits: Tensor, labels: Labels) -> Tensor:
        terms.check_shapes(self.tree, logits, labels)
        with torch.autocast(logits.device.type, enabled=False):
            return super().forward(path_scores(self.tree, logits), labels)


def path_scores(tree: TaxonomyTensors, logits: Tensor) -> Tensor:
    """(B, N, ...) node logits in float32 or float64, at the leaf level with the logits of all ancestors added."""
    z = logits if logits.dtype == torch.float64 else logits.float()
    *coarse, scores = tree.split(z)
    above = None
    for i, level in enumerate(coarse):
        above = level if above is None else level + above.index_select(1, tree.up(i))
    if above is not None:
        scores = scores + above.index_select(1, tree.up(len(coarse)))
    return torch.cat([*coarse, scores], 1)
