"""The marginal likelihood of one softmax over the leaves in one pass over the logits, on CUDA.

The call of `hieratk.kernels.leaf_marginal`, with the same plain twin. The kernel
(`hieratk.kernels.marginal_triton_code`) is compiled where a loss first runs on a GPU; importing this module needs no
triton.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from hieratk.kernels.chunks import by_level
from hieratk.kernels.gpu import BLOCK, in_one_pass, usable
from hieratk.tensors import TaxonomyTensors

__all__ = ["leaf_marginal", "usable"]


def leaf_marginal(tree: TaxonomyTensors, logits: Tensor, labels: Tensor, shares: Tensor, *, paths: bool) -> Tensor:
    """As `hieratk.kernels.leaf_marginal.leaf_marginal`: a scalar in float32, differentiable once."""
    y = by_level(labels).contiguous()
    return in_one_pass(partial(_run, y=y, shares=shares, tree=tree, paths=paths), logits)


def _run(z: Tensor, *, y: Tensor, shares: Tensor, tree: TaxonomyTensors, paths: bool) -> tuple[Tensor, Tensor]:
    from hieratk.kernels.marginal_triton_code import marginal

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
    return value.sum(), gradient
