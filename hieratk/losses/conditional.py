"""Losses on one probability of every class that is consistent by construction, and on soft leaf labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import ClassVar

import torch
from torch import Tensor

from hieratk.losses import probabilities, terms
from hieratk.losses.node_loss import NodeLoss
from hieratk.losses.options import Reduction, check_weight
from hieratk.losses.target import Target
from hieratk.losses.terms import Term
from hieratk.taxonomy.tree import Taxonomy


def chain_terms(target: Target, log_levels: Sequence[Tensor], discount: Tensor) -> list[Term]:
    """-sum_l lambda_l log p(label at l | label at l - 1), a term a level; log_levels[l] (B, C_l, P) is log P_l.

    `discount` (N,) is lambda of each class; that of a set is the mean over its classes. Where a label says nothing
    about a level beyond the level above, the conditional probability is 1, and there is no term. With lambda = 1 the
    sum is -log P of the label itself.
    """
    found = []
    above: Tensor | None = None
    for i, log_p in enumerate(log_levels):
        nll = terms.set_nll(target, i, log_p)
        step = nll if above is None else nll - above
        first = int(target.tree.tables.offsets[i])
        weight = target.average(discount[first : first + log_p.shape[1]].to(log_p.dtype), i)
        counts = target.counts(i, target.scored, log_p.dtype)
        found.append(Term(1.0, torch.where(target.informative(i), weight * step, 0.0), counts))
        above = nll
    return found


class ConditionalLoss(NodeLoss):
    """Conditional softmax: -log p(label), p(class) = product of softmaxes among siblings from the top down.

    See `probabilities.of_siblings`. A label at an inner node is scored by the factors down to it, a set by the sum over
    its leaves. Decode with `decoding.sibling_path`.

    Source: Redmon and Farhadi 2017 (YOLO9000, section 4, WordTree), known; ragged trees through only children that
    have probability 1, chosen. alpha weighs the factors as in `HXELoss` (Bertinetto et al. 2020); 0 leaves
    the likelihood as it is.
    """

    decoding: ClassVar[str] = "sibling_path"

    discount: Tensor

    def __init__(
        self,
        taxonomy: Taxonomy,
        *,
        alpha: float = 0.0,
        class_weights: Mapping[str, float] | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(taxonomy, class_weights, reduction)
        alpha = check_weight(alpha, name="alpha")
        self.register_buffer("discount", (-alpha * probabilities.heights(self.tree)).exp(), persistent=False)

    def terms(self, target: Target, z: Tensor) -> list[Term]:
        return chain_terms(target, probabilities.of_siblings(self.tree, z), self.discount)


class HXELoss(NodeLoss):
    """Hierarchical cross-entropy: -sum_l lambda(c_l) log p(c_l | c_(l-1)), lambda(c) = exp(-alpha height(c)).

    The conditional probabilities are ratios of sums of the leaf level's softmax; channels of coarser levels get zero
    gradient. The height of a class is the number of edges on the longest way down to a leaf, so alpha > 0 makes coarse
    factors count less; at alpha = 0 it is the cross-entropy of the leaves. A label at an inner node is scored by the
    factors down to it.

    Source: Bertinetto et al., "Making Better Mistakes" (CVPR 2020), hierarchical cross-entropy, known; alpha = 0.1 as
    in its experiments; labels at inner nodes and sets, chosen.
    """

    decoding: ClassVar[str] = "leaf_first"

    discount: Tensor

    def __init__(
        self,
        taxonomy: Taxonomy,
        *,
        alpha: float = 0.1,
        class_weights: Mapping[str, float] | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(taxonomy, class_weights, reduction)
        alpha = check_weight(alpha, name="alpha")
        self.register_buffer("discount", (-alpha * probabilities.heights(self.tree)).exp(), persistent=False)

    def terms(self, target: Target, z: Tensor) -> list[Term]:
        return chain_terms(target, probabilities.of_leaves(self.tree, z), self.discount)


class SoftLabelsLoss(NodeLoss):
    """Cross-entropy of the leaf level's softmax with soft labels y_c(a) proportional to exp(-beta d(a, c)).

    d(a, c) is the height of the lowest common ancestor of a and c over the height of the tree (edges from the root to
    the deepest leaf). A pixel labelled at an inner node c of level k is scored on the probabilities P_k of that level's
    classes, with the same formula over them. Sets are scored as in `MarginalLoss` at the leaf level. Channels of
    coarser levels get zero gradient. Linear in N: the soft labels are never written out, see `_path_factors`.

    Source: Bertinetto et al., "Making Better Mistakes" (CVPR 2020), soft labels, known; beta = 10 is among those
    tried there; labels at inner nodes and sets, chosen.
    """

    decoding: ClassVar[str] = "leaf_first"

    def __init__(
        self,
        taxonomy: Taxonomy,
        *,
        beta: float = 10.0,
        class_weights: Mapping[str, float] | None = None,
        reduction: Reduction = "mean",
    ) -> None:
        super().__init__(taxonomy, class_weights, reduction)
        self.beta = check_weight(beta, name="beta")
        height = probabilities.heights(self.tree)
        nearness = torch.exp(-self.beta * height / (height.max() + 1))
        for k in range(self.tree.n_levels):
            self.register_buffer(f"factors_{k}", self._path_factors(nearness, k), persistent=False)

    def terms(self, target: Target, z: Tensor) -> list[Term]:
        levels = probabilities.of_leaves(self.tree, z)
        last = self.tree.n_levels - 1
        deepest = target.deepest()
        found = []
        for k, log_p in enumerate(levels):
            here = (deepest == k + 1) & target.scored
            if target.entry is not None:
                here = here & (target.entry < 0)
            if k == last or bool(here.any()):
                values = self._soft_nll(target, log_p, k)
                if k == last and target.entry is not None:
                    is_set = target.entry >= 0
                    values = torch.where(is_set, terms.set_nll(target, last, log_p), values)
                    here = here | is_set
                found.append((torch.where(here, values, 0.0), target.counts(k, here, z.dtype)))
        # One mean over all labelled pixels, whatever level they are labelled at.
        counts = torch.stack([c for _, c in found]).sum(0)
        return [Term(1.0, torch.stack([v for v, _ in found]).sum(0), counts)]

    def _soft_nll(self, target: Target, log_p: Tensor, level: int) -> Tensor:
        """(B, P): -sum over the classes of a level of y_c log p, c the labelled one."""
        factors = self.get_buffer(f"factors_{level}").to(log_p.dtype)
        label = target.labels[:, level].clamp(min=0)
        sums, total = log_p, log_p.new_zeros(label.shape)
        for i in range(level, -1, -1):
            at = target.labels[:, i].clamp(min=0).unsqueeze(1)
            total = total - factors[label, i + 1] * sums.gather(1, at).squeeze(1)
            if i:
                sums = probabilities.sum_up(self.tree, sums, i)
        return total - factors[label, 0] * sums.sum(1)

    def _path_factors(self, nearness: Tensor, level: int) -> Tensor:
        """(C_level, level + 2): factors f with sum_a y_c(a) x_a = f_root S(root) + sum_i f_i S(ancestor of c at i).

        S(u) is the sum of x over the classes of the level under u. y_c is constant where the lowest common ancestor is,
        so the sum over classes is one over the ancestors: each gets what it is nearer than the one above it.
        """
        tree = self.tree
        offsets = [int(a) for a in tree.tables.offsets]
        root = torch.exp(torch.tensor(-self.beta, dtype=torch.float64))
        at = torch.arange(tree.sizes[level])
        counts = torch.ones(tree.sizes[level], dtype=torch.float64)
        near, size = [], []
        for i in range(level, -1, -1):
            near.append(nearness[offsets[i] + at])
            size.append(counts[at])
            if i:
                up = tree.up(i)
                at, counts = up[at], torch.zeros(tree.sizes[i - 1], dtype=torch.float64).index_add(0, up, counts)
        columns = [root.expand(len(at)), *reversed(near)]
        sizes = [counts.sum().expand(len(at)), *reversed(size)]
        gains = [columns[0], *(b - a for a, b in pairwise(columns))]
        z = torch.stack([g * n for g, n in zip(gains, sizes, strict=True)]).sum(0)
        return torch.stack(gains, 1) / z.unsqueeze(1)
