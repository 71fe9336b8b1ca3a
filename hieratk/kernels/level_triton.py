"""Level cross-entropies and tree-min in one pass over the logits, on CUDA.

The call of `hieratk.kernels.level_loss`, with the same plain twin. The kernel (`hieratk.kernels.level_triton_code`) is
compiled where a loss first runs on a GPU; importing this module needs no triton.

Against the twin: values and gradients in float32, up to rounding; the gradient of a minimum or maximum between equal
logits goes to one of them, where the twin splits it evenly. Both are subgradients of the same function.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from hieratk.kernels.level_loss import by_level
from hieratk.kernels.weights import Totals, Weights
from hieratk.taxonomy.tables import Tables
from hieratk.tensors import TaxonomyTensors

BLOCK = 128
"""Pixels a program: with 4 warps each thread holds one pixel, and all levels of it."""

SCALED = 4096
"""Numbers a program multiplies."""


def usable(logits: Tensor) -> bool:
    """Whether `level_loss` can run: on CUDA in 16 or 32 bits, with triton, outside torch.compile."""
    here = logits.is_cuda and logits.dtype in (torch.float16, torch.bfloat16, torch.float32)
    return here and has_triton() and not torch.compiler.is_compiling()


@cache
def has_triton() -> bool:
    """Whether the package triton is installed."""
    return importlib.util.find_spec("triton") is not None


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
    value: Tensor = _LevelLoss.apply(logits, y, tree.tables, weights)  # type: ignore[no-untyped-call]
    return value


class _LevelLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, y: Tensor, tables: Tables, weights: Weights) -> Tensor:
        ctx.save_for_backward(logits, y)
        ctx.tables, ctx.weights = tables, weights
        value, ctx.gradient = _run(logits, y, tables, weights)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None]:
        gradient, ctx.gradient = ctx.gradient, None
        if gradient is None:
            # The graph was kept for a second time, and the first has taken what the forward pass had written.
            logits, y = ctx.saved_tensors
            _, gradient = _run(logits, y, ctx.tables, ctx.weights)
        scale_(gradient, grad)
        return gradient, None, None, None


def _run(logits: Tensor, y: Tensor, tables: Tables, weights: Weights) -> tuple[Tensor, Tensor]:
    """The value, and its gradient in the shape of the logits."""
    from hieratk.kernels.level_triton_code import level_terms

    z = logits.detach().flatten(2) if logits.ndim > 2 else logits.detach().unsqueeze(2)
    z = z.contiguous()
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
    return value.sum(), gradient.view(logits.shape)


def scale_(gradient: Tensor, grad: Tensor) -> None:
    """Multiply in place by a scalar on the device; where it is 1, as after a plain `backward`, nothing is moved."""
    from hieratk.kernels.level_triton_code import scale

    if size := gradient.numel():
        scale[(-(-size // SCALED),)](gradient, grad.float(), size, BLOCK=SCALED)


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
