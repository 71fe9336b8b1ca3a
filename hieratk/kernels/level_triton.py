"""Level cross-entropies and tree-min in one pass over the logits, on CUDA.

The call of `hieratk.kernels.level_loss`, with the same plain twin. The kernel (`hieratk.kernels.level_triton_code`) is
compiled where a loss first runs on a GPU; importing this module needs no triton.

Against the twin: values and gradients in float32, up to rounding; the gradient of a minimum or maximum between equal
logits goes to one of them, where the twin splits it evenly. Both are subgradients of the same function.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import torch
from torch import Tensor

from hieratk.kernels.chunks import by_level
from hieratk.kernels.gpu import BLOCK, in_one_pass, usable
from hieratk.kernels.weights import Totals, Weights
from hieratk.taxonomy.tables import Tables
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
    """As `hieratk.kernels.level_loss.level_loss`: a scalar in float32, differentiable once."""
    y = by_level(labels).contiguous()
    totals = totals or Totals.of(y, marginal=marginal)
    weights = Weights.of(
        tree, totals, level_weights, counts=counts, marginal=marginal, binary=binary_weight, constrained=constrained
    )
    return in_one_pass(partial(_run, y=y, tables=tree.tables, weights=weights), logits)


def _run(z: Tensor, *, y: Tensor, tables: Tables, weights: Weights) -> tuple[Tensor, Tensor]:
    from hieratk.kernels.level_triton_code import level_terms

    images, channels, pixels = z.shape
    gradient = torch.empty_like(z)
    blocks = -(-pixels // BLOCK)
    value = torch.zeros(images, max(blocks, 1), dtype=torch.float32, device=z.device)
    walk = _walk(tables, z.device)
    ce, binary = (torch.tensor(w, dtype=torch.float32, device=z.device) for w in (weights.ce, weights.binary))
    if images and pixels:
        level_terms[(blocks, images)](
            *(z, y, gradient, value, value if weights.counts is None else weights.counts.float().contiguous()),
            *(walk.channel, walk.level, walk.own, walk.place, walk.end, walk.first, ce, binary),
            pixels,
            blocks,
            N=channels,
            L=len(weights.ce),
            LP=1 << (len(weights.ce) - 1).bit_length(),
            BLOCK=BLOCK,
            MARGINAL=weights.marginal,
            BINARY=any(weights.binary),
            CONSTRAINED=weights.constrained,
            WEIGHTED=weights.counts is not None,
            num_warps=4,
        )
    return value.sum(), gradient


@dataclass(frozen=True, slots=True, eq=False)
class _Walk:
    """The channels as a tree of L levels, parents before children: int32 on a device.

    channel, level, own (N,) in that order; place and end (N,) by channel: it and the channels under it stand at place
    ... end - 1 of the order. first (L + 1,): the first channel of each level.
    """

    channel: Tensor
    level: Tensor
    own: Tensor
    place: Tensor
    end: Tensor
    first: Tensor


_walks: dict[tuple[str, str], _Walk] = {}


def _walk(tables: Tables, device: torch.device) -> _Walk:
    key = (tables.fingerprint, str(device))
    if key not in _walks:
        _walks[key] = _walk_of(tables, device)
    return _walks[key]


def _walk_of(tables: Tables, device: torch.device) -> _Walk:
    offsets = [int(a) for a in tables.offsets]
    levels = [i for i, (a, b) in enumerate(pairwise(offsets)) for _ in range(a, b)]
    below: list[list[int]] = [[] for _ in levels]
    for i, up in enumerate(tables.up):
        for c, parent in enumerate(up):
            below[offsets[i] + int(parent)].append(offsets[i + 1] + c)
    order: list[int] = []
    place, end = [0] * len(levels), [0] * len(levels)
    stack = [(n, False) for n in range(offsets[1] - 1, -1, -1)]
    while stack:
        n, done = stack.pop()
        if done:
            end[n] = len(order)
            continue
        place[n] = len(order)
        order.append(n)
        stack.append((n, True))
        stack.extend((child, False) for child in reversed(below[n]))
    own = [int(not tables.carried[n]) for n in order]

    def here(values: list[int]) -> Tensor:
        return torch.tensor(values, dtype=torch.int32, device=device)

    return _Walk(here(order), here([levels[n] for n in order]), here(own), here(place), here(end), here(offsets))
