"""HSSN's losses: focal tree-min on node logits, and the tree-triplet on an embedding."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from hieratk.losses.options import Coarse, Reduction, check_weight
from hieratk.losses.tree_min import TreeMinLoss
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors


class HSSNLoss(TreeMinLoss):
    """sum_l w_l CE_l + tree_weight L_TM with the focal factor (1 - p)^focal: `TreeMinLoss` with the constants of HSSN.

    Source: Li et al., "Deep Hierarchical Semantic Segmentation" (CVPR 2022), equations 5 and 6; focal = 2, known;
    tree_weight = 5 and w_l = 1 from its released code, known; trees of any depth and coarse labels, chosen. Its second
    loss is `TreeTripletLoss`.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        *,
        tree_weight: float = 5.0,
        focal: float = 2.0,
        level_weights: Sequence[float] | None = None,
        coarse: Coarse = "marginal",
        class_weights: Mapping[str, float] | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(
            taxonomy,
            tree_weight=tree_weight,
            level_weights=(1.0,) * TaxonomyTensors(taxonomy).n_levels if level_weights is None else level_weights,
            coarse=coarse,
            focal=focal,
            class_weights=class_weights,
            reduction=reduction,
        )


class TreeTripletLoss(nn.Module):
    """Pixels whose classes are near each other in the tree lie nearer in an embedding: max(0, d(a, p) - d(a, n) + m).

    d is half of one minus the cosine of two embeddings; m = margin + 0.5 (psi(a, n) - psi(a, p)) / 2D, psi the number
    of edges between two leaves and D the height of the tree, so that 2D is the longest way there is.

    A module of its own, as it reads features and not logits: project the decoder's features (256 channels in HSSN), and
    add `triplet_weight(step, steps)` times it to the loss. Called with features (B, D, ...) and labels (B, L, ...) of
    the same pixels (labels taken at the features' stride, nearest); returns a scalar. Only pixels labelled down to a
    leaf take part; without any triplet the loss is 0.

    Args:
        margin: the constant part of m.
        per_class: pixels at most drawn of each class, from torch's global generator.
        draws: pairs of other pixels drawn for each of them; the nearer class is the positive, the other the negative,
            and a pair at equal distance is no triplet.

    Source: Li et al., "Deep Hierarchical Semantic Segmentation" (CVPR 2022), equations 7 and 8; margin = 0.1 and
    per_class = 200 from its released code, known; how triplets are drawn, chosen (there, for two levels: siblings
    against the rest).
    """

    depth: Tensor

    def __init__(self, taxonomy: Taxonomy, *, margin: float = 0.1, per_class: int = 200, draws: int = 4) -> None:
        super().__init__()
        self.tree = TaxonomyTensors(taxonomy)
        self.margin = check_weight(margin, name="margin")
        self.per_class = int(check_weight(per_class, name="per_class"))
        self.draws = int(check_weight(draws, name="draws"))
        tables = self.tree.tables
        depth = [0] * len(tables.ids)
        for m, parent in enumerate(tables.parent):
            depth[m] = 1 if parent < 0 else depth[int(parent)] + 1
        self.height = max(depth)
        self.register_buffer("depth", torch.tensor(depth)[torch.tensor(tables.node)], persistent=False)

    def forward(self, features: Tensor, labels: Tensor) -> Tensor:
        wanted = (features.shape[0], self.tree.n_levels, *features.shape[2:])
        if labels.shape != wanted:
            raise ValueError(f"labels are {tuple(labels.shape)}; these features and this tree need {wanted}")
        with torch.autocast(features.device.type, enabled=False):
            leaves = labels[:, -1].flatten()
            chosen = sample_by_class(leaves, self.per_class)
            pixels = features.movedim(1, -1).flatten(0, -2)[chosen]
            pixels = pixels if pixels.dtype == torch.float64 else pixels.float()
            if len(chosen) < 3:
                return pixels.sum() * 0.0
            unit = F.normalize(pixels, dim=1)
            classes = labels.movedim(1, -1).flatten(0, -2)[chosen]
            anchor = torch.arange(len(chosen), device=chosen.device).repeat_interleave(self.draws)
            one, other = torch.randint(len(chosen), (2, len(anchor)), device=chosen.device)
            psi = [self.edges(classes[anchor], classes[at]) for at in (one, other)]
            swap = psi[0] > psi[1]
            positive, negative = torch.where(swap, other, one), torch.where(swap, one, other)
            near, far = torch.minimum(*psi), torch.maximum(*psi)
            # An anchor is no positive of its own.
            valid = (near < far) & (positive != anchor)
            to_positive = 0.5 - 0.5 * (unit[anchor] * unit[positive]).sum(1)
            to_negative = 0.5 - 0.5 * (unit[anchor] * unit[negative]).sum(1)
            margin = self.margin + 0.5 * (far - near) / (2 * self.height)
            hinge = torch.relu(to_positive - to_negative + margin)
            return (hinge * valid).sum() / valid.sum().clamp(min=1)

    def edges(self, a: Tensor, b: Tensor) -> Tensor:
        """psi (K,): edges between the leaves of labels (K, L), through their lowest common ancestor or the root."""
        first = torch.tensor(self.tree.tables.offsets[:-1].copy(), device=a.device)
        depth_a, depth_b = self.depth[a[:, -1] + first[-1]], self.depth[b[:, -1] + first[-1]]
        # A class that skips a level stands in above itself, and two leaves agree on it only if it holds both.
        agree = (a == b) & (a >= 0)
        of_ancestor = torch.where(agree, self.depth[a.clamp(min=0) + first], 0).amax(1)
        return depth_a + depth_b - 2 * of_ancestor


def sample_by_class(classes: Tensor, most: int) -> Tensor:
    """Indices of up to `most` random pixels of each class of (P,) class indices, none of those below 0."""
    order = torch.randperm(len(classes), device=classes.device)
    order = order[classes[order] >= 0]
    by_class = torch.argsort(classes[order], stable=True)
    order = order[by_class]
    _, counts = torch.unique_consecutive(classes[order], return_counts=True)
    start = torch.repeat_interleave(counts.cumsum(0) - counts, counts)
    rank = torch.arange(len(order), device=classes.device) - start
    return order[rank < most]


def triplet_weight(step: int, steps: int, *, most: float = 0.5) -> float:
    """The weight of the tree-triplet at a step: from 0 to `most` along half a cosine over the run (HSSN's code,
    known).
    """
    return most * 0.5 * (1 - math.cos(math.pi * min(step / max(steps, 1), 1.0)))
