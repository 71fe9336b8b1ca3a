"""Level cross-entropies and tree-min in one pass over the logits, on the CPU.

The plain twin is `hieratk.losses.terms.level_terms`; its docstrings define the terms. Here the gradient is written in
the forward pass, chunk by chunk of pixels (`hieratk.kernels.chunks`, `hieratk.kernels.level_chunk`). Cost and memory
are linear in N.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cache

import torch
from torch import Tensor

from hieratk.kernels.chunks import Work, by_level, in_chunks, usable
from hieratk.kernels.level_chunk import Chunk
from hieratk.kernels.weights import Totals, Weights
from hieratk.tensors import TaxonomyTensors

__all__ = ["level_loss", "usable"]


def level_loss(
    tree: TaxonomyTensors,
    logits: Tensor,
    labels: Tensor,
    *,
    level_weights: Sequence[float],
    marginal: bool,
    binary_weight: float,
    constrained: bool,
    totals: Totals | None = None,
    counts: Tensor | None = None,
) -> Tensor:
    """sum_l w_l CE_l + binary_weight L_B, with L_B tree-min where `constrained`, else plain binary cross-entropy.

    Args as `hieratk.losses.terms.LevelOptions`: logits (B, N, ...) of any float dtype on the CPU, labels (B, L, ...)
    int64, and beside them
        totals: what each mean divides by; default: the number of pixels that it runs over.
        counts: (L, N), what a pixel whose label ends at a channel counts at each level; default: 1.

    Returns a scalar in float32, or float64 for float64 logits; the gradient has the dtype of the logits, and can not be
    differentiated again.
    """
    y = by_level(labels)
    totals = totals or Totals.of(y, marginal=marginal)
    weights = Weights.of(
        tree, totals, level_weights, counts=counts, marginal=marginal, binary=binary_weight, constrained=constrained
    )
    dtype = torch.promote_types(logits.dtype, torch.float32)
    silence_index_reduce()

    def worker(pixels: int) -> Work:
        return Chunk(tree, weights, dtype, pixels).run

    return in_chunks(worker, logits, y)


@cache
def silence_index_reduce() -> None:
    """Take torch's one warning a process that index_reduce is in beta: it says nothing to a user of this library.

    Its maximum is ten times as fast as scatter_reduce's, and the tests hold what it must return.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.zeros(1).index_reduce_(0, torch.zeros(1, dtype=torch.int64), torch.zeros(1), "amax")
