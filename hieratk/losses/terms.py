"""The terms that losses are made of: functions of node logits and labels, without state.

Everywhere below: `z` (B, N, P) float32 or float64 node logits as `prepare` returns them, `target` what the labels say
(`hieratk.losses.target.Target`), a level's scores (B, C_l, P). Loops run over levels only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from hieratk.losses.labels import Labels, SetLabels
from hieratk.losses.options import Reduction
from hieratk.losses.target import Target
from hieratk.tensors import TaxonomyTensors


@dataclass(frozen=True, slots=True, eq=False)
class Term:
    """One term of a loss: `factor` times the mean, or the sum, of `values` (B, P) over pixels that count `counts` (B,
    P)."""

    factor: float
    values: Tensor
    counts: Tensor


def check_shapes(tree: TaxonomyTensors, logits: Tensor, labels: Labels) -> None:
    """Raises ValueError where logits and labels do not belong to this tree or to each other."""
    if logits.ndim < 2 or logits.shape[1] != tree.channels:
        raise ValueError(f"logits are {tuple(logits.shape)}; this tree needs (B, {tree.channels}, ...)")
    index = labels.index if isinstance(labels, SetLabels) else labels
    wanted = (logits.shape[0], tree.n_levels, *logits.shape[2:])
    if index.shape != wanted:
        raise ValueError(f"labels are {tuple(index.shape)}; these logits and this tree need {wanted}")
    if index.dtype != torch.int64:
        raise ValueError(
            f"labels are {index.dtype}; they must be int64 class indices, as TaxonomyTensors.encode makes them"
        )
    if isinstance(labels, SetLabels) and tuple(s.shape[1] for s in labels.sets) != tree.sizes:
        raise ValueError("these label sets were made for another tree")


def uneven(labels: Tensor) -> bool:
    """Whether class indices (B, L, ...) name classes to different depths."""
    return bool(((labels[:, 0] >= 0) != (labels[:, -1] >= 0)).any())


def prepare(logits: Tensor, target: Target) -> Tensor:
    """(B, N, P) logits in the dtype that losses are computed in, zero where a pixel's label says nothing.

    Half types become float32, float64 stays. The zeros cut void pixels off: whatever stands there, NaN included,
    neither reaches the value nor receives a gradient other than exactly 0. The labels are never written to.
    """
    z = logits.flatten(2) if logits.ndim > 2 else logits.unsqueeze(2)
    z = z if z.dtype == torch.float64 else z.float()
    return z.masked_fill(~target.scored.unsqueeze(1), 0.0)


def reduce(terms: Sequence[Term], reduction: Reduction) -> Tensor:
    """The loss: each term's mean over what counts in it, its sum, or (B, P) its values; added up.

    A mean over nothing is 0, with zero gradient.
    """
    found = [term.factor * (term.values * term.counts) for term in terms]
    if reduction == "mean":
        totals = [total_of(term.counts) for term in terms]
        return torch.stack([value.sum() / total for value, total in zip(found, totals, strict=True)]).sum()
    whole = torch.stack(found).sum(0)
    return whole.sum() if reduction == "sum" else whole


def total_of(counts: Tensor) -> Tensor:
    """The sum of what pixels count, 1 where none does."""
    total = counts.sum()
    return torch.where(total > 0, total, torch.ones_like(total))


@dataclass(frozen=True, slots=True)
class LevelOptions:
    """Which terms `level_terms` makes, and how much each counts.

    sum_l level_weights[l] CE_l, over allowed sets where `marginal`; plus binary_weight L_B, tree-min where
    `constrained` and plain binary cross-entropy else, each term times (1 - its probability)^focal.
    """

    level_weights: tuple[float, ...]
    marginal: bool
    binary_weight: float = 0.0
    constrained: bool = False
    focal: float = 0.0


def level_terms(target: Target, z: Tensor, options: LevelOptions) -> list[Term]:
    """Level cross-entropies, then binary terms by level. The plain twin of `hieratk.kernels.level_loss`."""
    tree = target.tree
    terms = []
    for i, (level, weight) in enumerate(zip(tree.split(z), options.level_weights, strict=True)):
        if weight:
            values = set_nll(target, i, F.log_softmax(level, dim=1), sets=options.marginal)
            terms.append(Term(weight, values, ce_counts(target, i, z.dtype, marginal=options.marginal)))
    if options.binary_weight:
        values_of_levels = (tree_min if options.constrained else binary_terms)(target, z, focal=options.focal)
        for i, values in enumerate(values_of_levels):
            terms.append(Term(options.binary_weight, values, target.counts(i, target.known(i), z.dtype)))
    return terms


def ce_counts(target: Target, level: int, dtype: torch.dtype, *, marginal: bool) -> Tensor:
    """(B, P) what each pixel counts in CE_l: all that are scored, or those with a class at the level."""
    return target.counts(level, target.scored if marginal else target.known(level), dtype)


def set_nll(target: Target, level: int, log_p: Tensor, *, sets: bool = True) -> Tensor:
    """(B, P) -log of the summed probability of the classes that the label allows at a level.

    log_p (B, C_l, P). Where the label names a class that is ordinary negative log-likelihood. Below it, with `sets`,
    the sum runs over every class under it, or over the classes of its set; where the set states shares it is their
    cross-entropy -sum_v q_v log p_v instead.
    """
    labels = target.labels[:, level]
    found = -log_p.gather(1, labels.clamp(min=0).unsqueeze(1)).squeeze(1)
    known = labels >= 0
    if not sets or bool(known.all()):
        return found
    log_set = log_p.masked_fill(~target.allowed(level), -math.inf).logsumexp(1)
    found = torch.where(known, found, -log_set)
    shares = target.shares(level)
    if shares is not None:
        stated, share = shares
        found = torch.where(stated & ~known, -(share.to(log_p.dtype) * log_p).sum(1), found)
    return found


def softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x)). torch's own passes to the identity at 20, which float64 can tell from the truth."""
    return F.softplus(x, threshold=40.0)


def focal_softplus(x: Tensor, gamma: float) -> Tensor:
    """sigmoid(x)^gamma softplus(x): -(1 - p)^gamma log p of p = sigmoid(-x) (Lin et al., 2017, equation 4)."""
    # The power is taken in the exponent: of a sigmoid that is 0 its gradient may not exist.
    return softplus(x) * torch.exp(-gamma * softplus(-x)) if gamma else softplus(x)


def binary_terms(target: Target, z: Tensor, *, focal: float = 0.0) -> list[Tensor]:
    """For each level (B, P): the mean over its own classes of t_v softplus(-z_v) + (1 - t_v) softplus(z_v).

    Binary cross-entropy on the logits of the classes that are not carried, for pixels with a label at the level. The
    control of `tree_min`: the same terms without minimum and maximum.
    """
    found = []
    for i, level in enumerate(target.tree.split(z)):
        own = own_classes(target.tree, i)
        index = target.labels[:, i].clamp(min=0).unsqueeze(1)
        positive = focal_softplus(-level.gather(1, index), focal).squeeze(1) * own[index.squeeze(1)]
        found.append(mean_over_classes(positive, level, index, own, focal=focal))
    return found


def tree_min(target: Target, z: Tensor, *, focal: float = 0.0) -> list[Tensor]:
    """For each level (B, P): where a class is true its weakest ancestor counts, where it is not its strongest
    descendant does.

    zdn_v = min over v and its ancestors, zup_v = max over v and its descendants, of the logits of the tree's own nodes
    (carried copies take no part). The mean over the non-carried classes of the level of t_v softplus(-zdn_v) +
    (1 - t_v) softplus(zup_v), for pixels with a label at the level.

    Equal to the minimum and maximum of sigmoids (they commute with a monotone function), but with a gradient where
    log(1 - sigmoid) has none. A gradient flows to the winner only; between equal values it is split evenly, by
    `minimum` step by step down the path and by `amax` step by step up the tree. Source: HSSN (Li et al., 2022),
    tree-min loss, with three and more levels (method 3.2 INFERRED; logit space CHOICE).
    """
    tree = target.tree
    levels = tree.split(z)
    above = highest_below(tree, levels)
    lowest = z.new_full((), math.inf).expand(target.scored.shape)
    found = []
    for i, level in enumerate(levels):
        own = own_classes(tree, i)
        index = target.labels[:, i].clamp(min=0).unsqueeze(1)
        counts = target.known(i) & own[index.squeeze(1)]
        lowest = torch.where(counts, torch.minimum(lowest, level.gather(1, index).squeeze(1)), lowest)
        # Where the label is carried there is no positive term, and an infinite minimum must not meet softplus.
        positive = focal_softplus(-torch.where(counts, lowest, 0.0), focal) * counts
        found.append(mean_over_classes(positive, above[i], index, own, focal=focal))
    return found


def highest_below(tree: TaxonomyTensors, levels: Sequence[Tensor]) -> list[Tensor]:
    """zup of every class: the highest logit of the tree's own nodes among it and its descendants.

    Level by level from the leaves; a carried copy counts -inf, so a class whose own node stands above the level has
    -inf.
    """
    found: list[Tensor] = []
    for i in range(tree.n_levels - 1, -1, -1):
        own = own_classes(tree, i)
        start = levels[i]
        if tree.has_carried:
            start = start.masked_fill(~own.view(1, -1, *(1,) * (start.ndim - 2)), -math.inf)
        if found:
            parents = tree.up(i + 1).view(1, -1, *(1,) * (start.ndim - 2)).expand_as(found[-1])
            start = start.scatter_reduce(1, parents, found[-1], "amax")
        found.append(start)
    return found[::-1]


def own_classes(tree: TaxonomyTensors, level: int) -> Tensor:
    """(C_level,) bool: the classes of a level that lie on it, carried copies left out."""
    first = int(tree.tables.offsets[level])
    return ~tree.carried[first : first + tree.sizes[level]]


def mean_over_classes(positive: Tensor, scores: Tensor, index: Tensor, own: Tensor, *, focal: float = 0.0) -> Tensor:
    """(B, P): (positive + softplus of every own class but the labelled one) over the number of own classes."""
    # The labelled class is taken out before softplus and not subtracted after: beside a logit of 1e4 nothing else would
    # be left in float32.
    others = focal_softplus(scores.scatter(1, index, -math.inf), focal)
    others = others * own.view(1, -1, 1)
    return (positive + others.sum(1)) / own.sum().clamp(min=1)
