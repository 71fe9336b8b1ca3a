"""Level cross-entropies and tree-min in one pass over the logits, on the CPU.

The plain twin is `hieratk.losses.terms.level_terms`; its docstrings define the terms. Here the gradient is written in
the forward pass, chunk by chunk of pixels (`hieratk.kernels.level_chunk`), so that what lies between the logits and
their gradient stays in cache. Cost and memory are linear in N.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache, partial
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from hieratk.kernels import threads as threading
from hieratk.kernels.level_chunk import Chunk
from hieratk.kernels.weights import Totals, Weights
from hieratk.tensors import TaxonomyTensors

CHUNK = 2**19
"""Logits in a chunk: its scratch takes some 10 MB in float32. benchmarks/losses.py shows how flat the choice is."""


def usable(logits: Tensor) -> bool:
    """Whether `level_loss` can run: on the CPU, outside torch.compile."""
    return logits.device.type == "cpu" and logits.is_floating_point() and not torch.compiler.is_compiling()


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
    value: Tensor = _LevelLoss.apply(logits, y, tree, weights)  # type: ignore[no-untyped-call]
    return value


def by_level(labels: Tensor) -> Tensor:
    """(B, L, ...) labels as (B, L, P), the pixels of a level side by side."""
    y = labels.reshape(*labels.shape[:2], math.prod(labels.shape[2:]))
    if y.shape[2] > 1 and y.stride(2) != 1:
        # Encoded labels hold the levels of a pixel side by side, where every operation on one level would stride.
        y = y.transpose(0, 1).contiguous().transpose(0, 1)
    return y


Work: TypeAlias = Callable[[Tensor, Tensor, Tensor | None], float]
"""What a chunk does: logits (b, N, p), their labels (b, L, p), and where their gradient goes."""


class _LevelLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, y: Tensor, tree: TaxonomyTensors, weights: Weights) -> Tensor:
        dtype = torch.promote_types(logits.dtype, torch.float32)
        silence_index_reduce()

        def worker(pixels: int) -> Work:
            return Chunk(tree, weights, dtype, pixels).run

        value, ctx.gradient = in_chunks(worker, logits, y, wanted=ctx.needs_input_grad[0])
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, None, None]:
        return scaled(ctx.gradient, grad), None, None, None


def in_chunks(
    worker: Callable[[int], Work], logits: Tensor, labels: Tensor, *, wanted: bool
) -> tuple[Tensor, Tensor | None]:
    """The sum of a value and, where wanted, its gradient, over chunks of the pixels of logits (B, N, ...) with labels
    (B, L, P).

    `worker` makes the work of one thread, with scratch for so many pixels; it must write the whole of its gradient.
    """
    z = logits.detach().reshape(*logits.shape[:2], math.prod(logits.shape[2:]))
    gradient = torch.empty_like(z, memory_format=torch.contiguous_format) if wanted else None
    images, channels, pixels = z.shape
    # Never by the number of threads: sums would round differently on another machine.
    size = max(64, min(CHUNK // channels, max(1024, images * pixels // 16)))
    pieces = list(_chunks(images, pixels, size))
    threads = min(threading.width(), max(len(pieces), 1))
    free = [worker(min(size, images * pixels)) for _ in range(threads)]

    def one(piece: tuple[slice, slice]) -> float:
        b, p = piece
        work = free.pop()
        value = work(z[b, :, p], labels[b, :, p], None if gradient is None else gradient[b, :, p])
        free.append(work)
        return value

    total = sum(threading.run_all([partial(one, piece) for piece in pieces], threads))
    dtype = torch.promote_types(logits.dtype, torch.float32)
    return torch.tensor(total, dtype=dtype), None if gradient is None else gradient.view(logits.shape)


def scaled(gradient: Tensor | None, grad: Tensor) -> Tensor | None:
    """The gradient times that of the value."""
    # A plain `loss.backward()` brings 1: the product would only cost a copy.
    if gradient is None or grad.item() == 1.0:
        return gradient
    return gradient * grad.to(gradient.dtype)


@cache
def silence_index_reduce() -> None:
    """Take torch's one warning a process that index_reduce is in beta: it says nothing to a user of this library.

    Its maximum is ten times as fast as scatter_reduce's, and the tests hold what it must return.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.zeros(1).index_reduce_(0, torch.zeros(1, dtype=torch.int64), torch.zeros(1), "amax")


def _chunks(images: int, pixels: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Slices of about `size` pixels: parts of one image, or several whole ones where they are small."""
    if pixels >= size:
        for b in range(images):
            for p in range(0, pixels, size):
                yield slice(b, b + 1), slice(p, min(p + size, pixels))
    elif pixels:
        step = size // pixels
        for b in range(0, images, step):
            yield slice(b, min(b + step, images)), slice(0, pixels)
