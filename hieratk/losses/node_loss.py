"""What all losses on node logits share: the call, class weights and reductions; and the fused path of those that have
one.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import ClassVar

import torch
from torch import Tensor, nn

from hieratk.kernels import level_loss as kernels
from hieratk.kernels import level_triton
from hieratk.kernels.weights import Totals
from hieratk.losses import options, terms
from hieratk.losses.labels import Labels, SetLabels
from hieratk.losses.target import Target
from hieratk.losses.terms import LevelOptions, Term
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors


class NodeLoss(nn.Module, ABC):
    """A loss on node logits; abstract, the concrete ones say which terms they are made of.

    Args, of every loss:
        taxonomy: the tree.
        class_weights: by class id, at least 0; 1 for a class that is not given. A pixel counts, in every term of a
            level, the weight of the class that its label names there; where it names none the mean weight of the
            classes that it allows. As in torch, a mean divides by the sum of the weights. (chosen)
        reduction: `mean`: each term's mean over the pixels it runs over; `sum`: the sum of all terms over pixels;
            `none`: a value a pixel, (B, ...), whose sum is `sum`.

    Called with logits (B, N, ...) of any float dtype and labels: class indices (B, L, ...) int64, IGNORE where a level
    has none, as `TaxonomyTensors.encode` makes them; or `SetLabels`, which `LabelSets` makes of label rows. Returns
    float64 for float64 logits, else float32, computed with autocast off. A pixel whose label says nothing adds exactly
    nothing to value and gradient; without any labelled pixel the loss is 0 and its gradient zero. The labels are never
    written to.

    Raises ConfigError for weights or options that make no sense, ValueError for tensors of the wrong shape or dtype.

    `decoding` names the decoder (`hieratk.decoding.DECODERS`) that reads what the loss trains: a loss that trains the
    leaves alone leaves the coarser channels as they were drawn, and a path score over them would be noise.
    """

    decoding: ClassVar[str] = "best_path"
    stratified: bool = False
    """Whether pixels with finer labels stand for those with coarser ones (`Target.stands_for`); not in the losses of
    others, which are as published."""
    class_weights: Tensor | None

    def __init__(self, taxonomy: Taxonomy, class_weights: Mapping[str, float] | None, reduction: str) -> None:
        super().__init__()
        self.tree = TaxonomyTensors(taxonomy)
        self.reduction = options.check_reduction(reduction)
        weights = options.weights_of_classes(self.tree, class_weights)
        self.register_buffer("class_weights", weights, persistent=False)

    @abstractmethod
    def terms(self, target: Target, z: Tensor) -> list[Term]:
        """The loss as terms, from labels and prepared logits (B, N, P)."""

    def forward(self, logits: Tensor, labels: Labels) -> Tensor:
        terms.check_shapes(self.tree, logits, labels)
        with torch.autocast(logits.device.type, enabled=False):
            target = Target(self.tree, labels, self.class_weights, stratified=self.stratified)
            found = terms.reduce(self.terms(target, terms.prepare(logits, target)), self.reduction)
            return found.view(logits.shape[0], *logits.shape[2:]) if self.reduction == "none" else found


class FusedLoss(NodeLoss):
    """A loss with a fused path, beside its terms, for labels that are classes; abstract too.

    level_weights: w_l of its cross-entropies. sets: whether a label counts at the levels below it, as the set of the
    classes that it allows; finer labels then stand for coarser ones.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        class_weights: Mapping[str, float] | None,
        reduction: str,
        level_weights: Sequence[float],
        *,
        sets: bool,
    ) -> None:
        super().__init__(taxonomy, class_weights, reduction)
        self.level_weights = tuple(level_weights)
        self.sets = self.stratified = sets

    @abstractmethod
    def usable(self, logits: Tensor) -> bool:
        """Whether `fused` can run."""

    @abstractmethod
    def fused(self, logits: Tensor, labels: Tensor, totals: Totals | None, counts: Tensor | None) -> Tensor:
        """The sum of all terms, each divided by its total (default: the pixels that it runs over), of class indices.

        counts (L, N): what a pixel whose label ends at a channel counts at each level; default 1.
        """

    def forward(self, logits: Tensor, labels: Labels) -> Tensor:
        if self.reduction == "none" or not self.usable(logits):
            return super().forward(logits, labels)
        terms.check_shapes(self.tree, logits, labels)
        with torch.autocast(logits.device.type, enabled=False):
            return self._in_parts(logits, labels)

    def _in_parts(self, logits: Tensor, labels: Labels) -> Tensor:
        sets = isinstance(labels, SetLabels) and bool((labels.entry >= 0).any())
        index = labels.index if isinstance(labels, SetLabels) else labels
        totals, counts, target = None, None, None
        uneven = self.stratified and terms.uneven(index)
        if sets or uneven or self.class_weights is not None or self.reduction == "sum":
            target = Target(self.tree, labels if sets else index, self.class_weights, stratified=self.stratified)
            totals = self._totals(target)
            if target.weighted:
                counts = target.counts_of[:, : self.tree.channels]
        if sets and target is not None and target.entry is not None:
            # The fused path knows classes only: pixels with a set are void there, and get the plain terms below.
            index = index.flatten(2).masked_fill((target.entry >= 0).unsqueeze(1), -1).view(index.shape)
        value = self.fused(logits, index, totals, counts)
        return value + self._of_sets(logits, target, totals) if sets and target is not None and totals else value

    def _totals(self, target: Target) -> Totals:
        """What each mean divides by: what all pixels count together in it; 1 for a sum."""
        levels = range(self.tree.n_levels)
        if self.reduction == "sum":
            return Totals([1.0] * len(levels), [1.0] * len(levels))
        ce = [target.total(i, named=not self.sets) or 1.0 for i in levels]
        return Totals(ce, [target.total(i, named=True) or 1.0 for i in levels])

    def _of_sets(self, logits: Tensor, target: Target, totals: Totals) -> Tensor:
        """The terms of the pixels whose label is a set."""
        few, image, pixel = target.with_sets()
        z = logits.flatten(2)[image, :, pixel].t().unsqueeze(0)
        divisors = [t for t, weight in zip(totals.ce, self.level_weights, strict=True) if weight]
        found = self.terms(few, terms.prepare(z, few))
        divisors += totals.binary[: len(found) - len(divisors)]
        parts = [t.factor * (t.values * t.counts).sum() / d for t, d in zip(found, divisors, strict=True)]
        return torch.stack(parts).sum()


class LevelLoss(FusedLoss):
    """A loss of level cross-entropies and binary terms (`terms.level_terms`).

    It takes the fused path on the CPU (`hieratk.kernels.level_loss`), and on CUDA where triton is installed
    (`hieratk.kernels.level_triton`), except for `reduction="none"`, a focal exponent, and inside torch.compile.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        class_weights: Mapping[str, float] | None,
        reduction: str,
        level_options: LevelOptions,
    ) -> None:
        super().__init__(taxonomy, class_weights, reduction, level_options.level_weights, sets=level_options.marginal)
        self.options = level_options

    def terms(self, target: Target, z: Tensor) -> list[Term]:
        return terms.level_terms(target, z, self.options)

    def usable(self, logits: Tensor) -> bool:
        return not self.options.focal and (kernels.usable(logits) or level_triton.usable(logits))

    def fused(self, logits: Tensor, labels: Tensor, totals: Totals | None, counts: Tensor | None) -> Tensor:
        return level_kernel(self.tree, logits, labels, self.options, totals, counts)


def level_kernel(
    tree: TaxonomyTensors,
    logits: Tensor,
    labels: Tensor,
    options: LevelOptions,
    totals: Totals | None,
    counts: Tensor | None,
) -> Tensor:
    """`terms.level_terms` of class indices in one pass, where the logits lie."""
    kernel = level_triton.level_loss if logits.is_cuda else kernels.level_loss
    return kernel(
        tree,
        logits,
        labels,
        level_weights=options.level_weights,
        marginal=options.marginal,
        binary_weight=options.binary_weight,
        constrained=options.constrained,
        totals=totals,
        counts=counts,
    )
