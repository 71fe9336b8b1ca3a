"""One temperature a level, so that the probabilities of the path posterior are frequencies."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from hieratk.decoding.posterior import path_scores
from hieratk.errors import DataError
from hieratk.tensors import TaxonomyTensors

LOWEST, HIGHEST = 0.02, 1000.0
"""Temperatures stay between these. At the upper end a level's logits no longer count."""


def fit_temperatures(logits: Tensor, labels: Tensor, tree: TaxonomyTensors) -> tuple[float, ...]:
    """Temperatures T_l of the lowest negative log-likelihood of the labels under the path posterior.

    The leaves have P(v) proportional to exp(sum_l z^l[class of v] / T_l), and a label at any class has the sum over the
    leaves below it (chosen; temperature scaling after Guo et al., 2017, known, one temperature for a flat softmax). All
    levels are fitted together: each sees the same pixel, so their evidence overlaps, and fitting them one by one would
    leave the product too sure. For leaf labels the likelihood is log-concave in 1 / T, so that what is found is the
    best there is. L-BFGS in float64 over log T, from T = 1.

    logits (P, N), labels (P, L). Raises DataError without a labelled pixel.
    """
    labelled = (labels >= 0).any(1)
    z, y = logits[labelled].double(), labels[labelled]
    if not len(z):
        raise DataError("no labelled pixel to fit temperatures on")
    log_t = torch.zeros(tree.n_levels, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([log_t], max_iter=60, tolerance_grad=1e-7, line_search_fn="strong_wolfe")
    allowed = _allowed(y, tree)
    of_leaves = [z.index_select(1, tree.paths[:, i]) for i in range(tree.n_levels)]

    def closure() -> Tensor:
        optimizer.zero_grad()
        weights = (-log_t.clamp(math.log(LOWEST), math.log(HIGHEST))).exp()
        scores = torch.stack([level * weight for level, weight in zip(of_leaves, weights, strict=True)]).sum(0)
        value = _likelihood(scores, allowed)
        torch.autograd.backward(value)
        return value

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    found = log_t.detach().exp().clamp(LOWEST, HIGHEST).tolist()
    return tuple(float(t) for t in found)


def negative_log_likelihood(
    logits: Tensor, labels: Tensor, tree: TaxonomyTensors, *, temperatures: Sequence[float]
) -> float:
    """Mean of -log P(label) over labelled pixels, of logits (P, N) and labels (P, L); what `fit_temperatures` makes
    small."""
    labelled = (labels >= 0).any(1)
    scores = path_scores(logits[labelled].double(), tree, level_weights=[1 / t for t in temperatures])
    return float(_likelihood(scores, _allowed(labels[labelled], tree)))


def _allowed(labels: Tensor, tree: TaxonomyTensors) -> Tensor:
    """(P, V) the leaves below each label: those of its class at the deepest level where it has one."""
    of_leaf = tree.paths - torch.tensor(tree.tables.offsets[:-1], device=tree.paths.device)
    allowed = torch.ones(len(labels), len(of_leaf), dtype=torch.bool, device=labels.device)
    for i in range(tree.n_levels):
        known = labels[:, i : i + 1] >= 0
        allowed &= ~known | (labels[:, i : i + 1] == of_leaf[:, i])
    return allowed


def _likelihood(scores: Tensor, allowed: Tensor) -> Tensor:
    inside = scores.masked_fill(~allowed, -math.inf).logsumexp(1)
    return (scores.logsumexp(1) - inside).mean()
