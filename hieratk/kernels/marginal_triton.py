"""The marginal likelihood of one softmax over the leaves in one pass over the logits, on CUDA.

The call of `hieratk.kernels.leaf_marginal`, with the same plain twin. The kernel
(`hieratk.kernels.marginal_triton_code`) is compiled where a loss first runs on a GPU; importing this module needs no
triton.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from hieratk.kernels.level_loss import by_level
from hieratk.kernels.level_triton import BLOCK, scale_, usable
from hieratk.tensors import TaxonomyTensors

__all__ = ["leaf_marginal", "usable"]


def leaf_marginal(tree: TaxonomyTensors, logits: Tensor, labels: Tensor, shares: Tensor, *, paths: bool) -> Tensor:
    """As `hieratk.kernels.leaf_marginal.leaf_marginal`: a scalar in float32, differentiable once."""
    y = by_level(labels).contiguous()
    value: Tensor = _LeafMarginal.apply(logits, y, shares, tree, paths)  # type: ignore[no-untyped-call]
    return value


class _LeafMarginal(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, y: Tensor, shares: Tensor, tree: TaxonomyTensors, paths: bool) -> Tensor:
        ctx.save_for_backward(logits, y, shares)
        ctx.tree, ctx.paths = tree, paths
        value, ctx.gradient = _run(logits, y, shares, tree, paths=paths)
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None, None, None]:
        gradient, ctx.gradient = ctx.gradient, None
        if gradient is None:
            # The graph was kept for a second time, and the first has taken what the forward pass had written.
            logits, y, shares = ctx.saved_tensors
            _, gradient = _run(logits, y, shares, ctx.tree, paths=ctx.paths)
        scale_(gradient, grad)
        return gradient, None, None, None, None


def _run(logits: Tensor, y: Tensor, shares: Tensor, tree: TaxonomyTensors, *, paths: bool) -> tuple[Tensor, Tensor]:
    """The value, and its gradient in the shape of the logits."""
    from hieratk.kernels.marginal_triton_code import marginal

    z = logits.detach().flatten(2) if logits.ndim > 2 else logits.detach().unsqueeze(2)
    z = z.contiguous()
    images, channels, pixels = z.shape
    gradient = torch.empty_like(z)
    blocks = -(-pixels // BLOCK)
    value = torch.zeros(images, max(blocks, 1), dtype=torch.float32, device=z.device)
    first = torch.tensor(tree.tables.offsets[:-1].copy(), dtype=torch.int32, device=z.device)
    if images and pixels:
        marginal[(blocks, images)](
            *(z, y, gradient, value, shares.to(z.device, torch.float32).contiguous()),
            *(tree.paths.to(z.device, torch.int32).contiguous(), first, pixels, blocks),
            N=channels,
            L=tree.n_levels,
            V=len(tree.paths),
            LP=1 << tree.n_levels.bit_length(),
            BLOCK=BLOCK,
            PATHS=paths,
            num_warps=4,
        )
    return value.sum(), gradient.view(logits.shape)
