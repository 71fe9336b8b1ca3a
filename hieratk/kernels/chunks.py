"""What the fused losses on the CPU share: the gradient is written in the forward pass, a chunk of pixels at a time, so
that what lies between the logits and their gradient stays in cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from hieratk.kernels import threads as threading

CHUNK = 2**19
"""Logits in a chunk: its scratch takes some 10 MB in float32. benchmarks/losses.py shows how flat the choice is."""

Work: TypeAlias = Callable[[Tensor, Tensor, Tensor | None], float]
"""What a chunk does: logits (b, N, p), their labels (b, L, p), and where their gradient goes."""


def usable(logits: Tensor) -> bool:
    """Whether `in_chunks` can run: on the CPU, outside torch.compile."""
    return logits.device.type == "cpu" and logits.is_floating_point() and not torch.compiler.is_compiling()


def by_level(labels: Tensor) -> Tensor:
    """(B, L, ...) labels as (B, L, P), the pixels of a level side by side."""
    y = labels.reshape(*labels.shape[:2], math.prod(labels.shape[2:]))
    if y.shape[2] > 1 and y.stride(2) != 1:
        # Encoded labels hold the levels of a pixel side by side, where every operation on one level would stride.
        y = y.transpose(0, 1).contiguous().transpose(0, 1)
    return y


def in_chunks(worker: Callable[[int], Work], logits: Tensor, labels: Tensor) -> Tensor:
    """The sum of a value over chunks of the pixels of logits (B, N, ...) with labels (B, L, P).

    `worker` makes the work of one thread, with scratch for so many pixels; it must write the whole of its gradient.
    Returns a scalar in float32, or float64 for float64 logits; the gradient has the dtype of the logits, and can not be
    differentiated again.
    """
    value: Tensor = _InChunks.apply(logits, labels, worker)  # type: ignore[no-untyped-call]
    return value


class _InChunks(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, worker: Callable[[int], Work]) -> Tensor:
        value, ctx.gradient = _run(worker, logits, labels, wanted=ctx.needs_input_grad[0])
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, None]:
        # A plain `loss.backward()` brings 1: the product would only cost a copy.
        if ctx.gradient is None or grad.item() == 1.0:
            return ctx.gradient, None, None
        return ctx.gradient * grad.to(ctx.gradient.dtype), None, None


def _run(
    worker: Callable[[int], Work], logits: Tensor, labels: Tensor, *, wanted: bool
) -> tuple[Tensor, Tensor | None]:
    """The value and, where wanted, its gradient."""
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
