"""The terms that losses are made of: functions of node logits and labels, without state.

Everywhere below: `z` (B, N, ...) float32 or float64 node logits as `prepare` returns them, `labels` (B, L, ...) int64
class indices within each level, IGNORE where a level has none, as `TaxonomyTensors.encode` returns them. Loops run over
levels only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, Protocol, TypeAlias, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from hieratk.errors import ConfigError
from hieratk.kernels import level_loss as kernels
from hieratk.tensors import TaxonomyTensors

Coarse: TypeAlias = Literal["marginal", "ignore"]
"""What a label says about the levels below it: one of the classes under it (`marginal`), or nothing (`ignore`)."""


class LevelLoss(Protocol):
    """The call of `level_loss` and of its fused form."""

    def __call__(
        self,
        tree: TaxonomyTensors,
        logits: Tensor,
        labels: Tensor,
        *,
        level_weights: Sequence[float],
        marginal: bool,
        binary_weight: float,
        constrained: bool,
    ) -> Tensor: ...


def check_coarse(coarse: str) -> Coarse:
    """The option as a `Coarse`; raises ConfigError for anything else."""
    for choice in get_args(Coarse):
        if coarse == choice:
            return choice  # type: ignore[no-any-return]
    raise ConfigError(f"loss: coarse is `{coarse}`; use one of {', '.join(get_args(Coarse))}")


def check_weight(value: float, *, name: str) -> float:
    """A finite weight >= 0; raises ConfigError for anything else."""
    if not (math.isfinite(value) and value >= 0):
        raise ConfigError(f"loss: {name} is {value}; use a finite number of 0 or more")
    return float(value)


def weights_of_levels(tree: TaxonomyTensors, weights: Sequence[float] | None) -> tuple[float, ...]:
    """One weight a level: those given, or the number of classes of each level over N (they then sum to 1).

    Raises ConfigError for a wrong number of weights, a negative or non-finite one, or all zero.
    """
    if weights is None:
        return tuple(size / tree.channels for size in tree.sizes)
    names = ", ".join(tree.tables.level_names)
    if len(weights) != tree.n_levels:
        raise ConfigError(f"loss: {len(weights)} level_weights for {tree.n_levels} levels ({names}); give one a level")
    checked = tuple(check_weight(w, name=f"level_weights[{i}]") for i, w in enumerate(weights))
    if not any(checked):
        raise ConfigError(f"loss: level_weights are all 0; give at least one of {names} a weight")
    return checked


def check_shapes(tree: TaxonomyTensors, logits: Tensor, labels: Tensor) -> None:
    """Raises ValueError where logits and labels do not belong to this tree or to each other."""
    if logits.ndim < 2 or logits.shape[1] != tree.channels:
        raise ValueError(f"logits are {tuple(logits.shape)}; this tree needs (B, {tree.channels}, ...)")
    if labels.shape != (logits.shape[0], tree.n_levels, *logits.shape[2:]):
        wanted = (logits.shape[0], tree.n_levels, *logits.shape[2:])
        raise ValueError(f"labels are {tuple(labels.shape)}; these logits and this tree need {wanted}")
    if labels.dtype != torch.int64:
        raise ValueError(
            f"labels are {labels.dtype}; they must be int64 class indices, as TaxonomyTensors.encode makes them"
        )


def prepare(tree: TaxonomyTensors, logits: Tensor, labels: Tensor) -> Tensor:
    """Logits in the dtype that losses are computed in, zero where a pixel has no label at any level.

    Half types become float32, float64 stays. The zeros cut void pixels off: whatever stands there, NaN included,
    neither reaches the value nor receives a gradient other than exactly 0. The labels are never written to.
    """
    check_shapes(tree, logits, labels)
    z = logits if logits.dtype == torch.float64 else logits.float()
    return z.masked_fill((labels < 0).all(1, keepdim=True), 0.0)


def mean_over(terms: Tensor, where: Tensor) -> Tensor:
    """Mean of `terms` over the pixels `where` is True; 0, with zero gradient, where none is."""
    return (terms * where).sum() / where.sum().clamp(min=1)


def level_loss(
    tree: TaxonomyTensors,
    logits: Tensor,
    labels: Tensor,
    *,
    level_weights: Sequence[float],
    marginal: bool,
    binary_weight: float,
    constrained: bool,
) -> Tensor:
    """sum_l w_l CE_l + binary_weight L_B: `cross_entropies`, and `tree_min` where `constrained`, else `binary_terms`.

    logits (B, N, ...) of any float dtype, labels (B, L, ...). The plain twin of `hieratk.kernels.level_loss`.
    """
    z = prepare(tree, logits, labels)
    loss = weighted_sum(level_weights, cross_entropies(tree, z, labels, marginal=marginal))
    if binary_weight:
        loss = loss + binary_weight * (tree_min if constrained else binary_terms)(tree, z, labels)
    return loss


def fastest_level_loss(logits: Tensor) -> LevelLoss:
    """`level_loss`, or its fused form where that can run."""
    return kernels.level_loss if kernels.usable(logits) else level_loss


def weighted_sum(weights: Sequence[float], found: Sequence[Tensor]) -> Tensor:
    """sum_l w_l CE_l."""
    return torch.stack([weight * term for weight, term in zip(weights, found, strict=True)]).sum()


def cross_entropies(tree: TaxonomyTensors, z: Tensor, labels: Tensor, *, marginal: bool) -> list[Tensor]:
    """CE_l of every level's own softmax over the set of classes that the label allows there.

    At a level where the label names a class the set is that class: ordinary cross-entropy. Below, with `marginal`, it
    is every class under the labelled one, and the term is -log of the sum of their probabilities; the mean runs over
    all pixels that have any label. Without it those levels are left out, and the mean runs over the pixels that have a
    label there: torch's cross-entropy with `ignore_index`, level by level. (method: sets CHOICE, level cross-entropies
    INFERRED)
    """
    scored = (labels >= 0).any(1)
    found = []
    allowed: Tensor | None = None
    for i, level in enumerate(tree.split(z)):
        target = labels[:, i]
        known = target >= 0
        log_p = F.log_softmax(level, dim=1)
        picked = log_p.gather(1, target.clamp(min=0).unsqueeze(1)).squeeze(1)
        if not marginal:
            found.append(mean_over(-picked, known))
            continue
        allowed = allowed_classes(tree, target, allowed, level=i)
        log_set = log_p.masked_fill(~allowed, -math.inf).logsumexp(1)
        found.append(mean_over(-torch.where(known, picked, log_set), scored))
    return found


def allowed_classes(tree: TaxonomyTensors, target: Tensor, above: Tensor | None, *, level: int) -> Tensor:
    """(B, C_level, ...) bool: the classes of a level that a label allows, given those of the level above.

    The labelled class where there is one; else every class under an allowed one; else, at the top, every class.
    """
    shape = (1, -1) + (1,) * (target.ndim - 1)
    classes = torch.arange(tree.sizes[level], device=target.device).view(shape)
    named = classes == target.unsqueeze(1)
    if above is None:
        return named | (target < 0).unsqueeze(1)
    return torch.where((target >= 0).unsqueeze(1), named, above.index_select(1, tree.up(level)))


def softplus(x: Tensor) -> Tensor:
    """log(1 + exp(x)). torch's own passes to the identity at 20, which float64 can tell from the truth."""
    return F.softplus(x, threshold=40.0)


def binary_terms(tree: TaxonomyTensors, z: Tensor, labels: Tensor) -> Tensor:
    """Sum over levels of the mean of t_v softplus(-z_v) + (1 - t_v) softplus(z_v), binary cross-entropy on the logits.

    The mean runs over pixels with a label at the level and its non-carried classes. The control of `tree_min`: the same
    terms without minimum and maximum.
    """
    total = z.new_zeros(())
    for i, level in enumerate(tree.split(z)):
        target = labels[:, i]
        own = own_classes(tree, i)
        index = target.clamp(min=0).unsqueeze(1)
        positive = softplus(-level.gather(1, index)).squeeze(1) * own[index.squeeze(1)]
        total = total + _mean_of_level(positive, level, index, target >= 0, own)
    return total


def tree_min(tree: TaxonomyTensors, z: Tensor, labels: Tensor) -> Tensor:
    """L_TM: where a class is true its weakest ancestor counts, where it is not its strongest descendant does.

    zdn_v = min over v and its ancestors, zup_v = max over v and its descendants, of the logits of the tree's own nodes
    (carried copies take no part). Sum over levels of the mean, over pixels with a label at that level and the
    non-carried classes of that level, of t_v softplus(-zdn_v) + (1 - t_v) softplus(zup_v).

    Equal to the minimum and maximum of sigmoids (they commute with a monotone function), but with a gradient where
    log(1 - sigmoid) has none. A gradient flows to the winner only; between equal values it is split evenly, by
    `minimum` step by step down the path and by `amax` step by step up the tree. Source: HSSN (Li et al., 2022),
    tree-min loss, with three and more levels (method 3.2 INFERRED; logit space CHOICE).
    """
    levels = tree.split(z)
    above = highest_below(tree, levels)
    lowest = z.new_full((), math.inf).expand(labels[:, 0].shape)
    total = z.new_zeros(())
    for i, level in enumerate(levels):
        target = labels[:, i]
        own = own_classes(tree, i)
        index = target.clamp(min=0).unsqueeze(1)
        counts = (target >= 0) & own[index.squeeze(1)]
        lowest = torch.where(counts, torch.minimum(lowest, level.gather(1, index).squeeze(1)), lowest)
        # Where the label is carried there is no positive term, and an infinite minimum must not meet softplus.
        positive = softplus(-torch.where(counts, lowest, 0.0)) * counts
        total = total + _mean_of_level(positive, above[i], index, target >= 0, own)
    return total


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


def _mean_of_level(positive: Tensor, scores: Tensor, index: Tensor, known: Tensor, own: Tensor) -> Tensor:
    """(positive + softplus of every own class but the labelled one), over known pixels and own classes."""
    # The labelled class is taken out before softplus and not subtracted after: beside a logit of 1e4 nothing else would
    # be left in float32.
    others = softplus(scores.scatter(1, index, -math.inf))
    others = others * own.view(1, -1, *(1,) * (scores.ndim - 2))
    return mean_over(positive + others.sum(1), known) / own.sum().clamp(min=1)
