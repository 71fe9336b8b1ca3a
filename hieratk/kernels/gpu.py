"""What the fused losses on CUDA share: their gradient is written in the forward pass, by a kernel of triton.

Importing this module needs no triton; a kernel is compiled where it first runs.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import cache
from typing import Any, TypeAlias

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCK = 128
"""Pixels a program: with 4 warps each thread holds one pixel, and all levels of it."""

SCALED = 4096
"""Numbers a program multiplies."""

Run: TypeAlias = Callable[[Tensor], tuple[Tensor, Tensor]]
"""From contiguous logits (B, N, P) the value and its gradient (B, N, P)."""


def usable(logits: Tensor) -> bool:
    """Whether `in_one_pass` can run: on CUDA in 16 or 32 bits, with triton, outside torch.compile."""
    here = logits.is_cuda and logits.dtype in (torch.float16, torch.bfloat16, torch.float32)
    return here and has_triton() and not torch.compiler.is_compiling()


@cache
def has_triton() -> bool:
    """Whether the package triton is installed."""
    return importlib.util.find_spec("triton") is not None


def in_one_pass(run: Run, logits: Tensor) -> Tensor:
    """The value of `run` for logits (B, N, ...): a scalar in float32, differentiable once."""
    value: Tensor = _InOnePass.apply(logits, run)  # type: ignore[no-untyped-call]
    return value


class _InOnePass(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, run: Run) -> Tensor:
        ctx.save_for_backward(logits)
        ctx.run = run
        value, ctx.gradient = run(_by_pixel(logits))
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (logits,) = ctx.saved_tensors
        gradient, ctx.gradient = ctx.gradient, None
        if gradient is None:
            # The graph was kept for a second time, and the first has taken what the forward pass had written.
            _, gradient = ctx.run(_by_pixel(logits))
        _scale(gradient, grad)
        return gradient.view(logits.shape), None


def _by_pixel(logits: Tensor) -> Tensor:
    z = logits.detach()
    return (z.flatten(2) if z.ndim > 2 else z.unsqueeze(2)).contiguous()


def _scale(gradient: Tensor, grad: Tensor) -> None:
    """Multiply in place by a scalar on the device; where it is 1, as after a plain `backward`, nothing is moved."""
    from hieratk.kernels.gpu_code import scale

    if size := gradient.numel():
        scale[(-(-size // SCALED),)](gradient, grad.float(), size, BLOCK=SCALED)
