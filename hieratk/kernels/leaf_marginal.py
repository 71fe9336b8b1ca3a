"""The marginal likelihood of the leaf level's softmax in one pass over the leaf logits, on the CPU.

The plain twin is `hieratk.losses.controls.MarginalLoss.terms`. Sums of u = exp(z) go up the tree, what each of them
adds to the gradient comes down again; the gradient is written in the forward pass, chunk by chunk
(`hieratk.kernels.level_loss.in_chunks`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from hieratk.kernels.level_loss import Work, by_level, in_chunks, scaled, usable
from hieratk.kernels.rows import RANGE, Rows, channels_of, without_void
from hieratk.tensors import TaxonomyTensors

__all__ = ["leaf_marginal", "usable"]


def leaf_marginal(
    tree: TaxonomyTensors,
    logits: Tensor,
    labels: Tensor,
    *,
    level_weights: Sequence[float],
    totals: Sequence[float] | None = None,
    counts: Tensor | None = None,
) -> Tensor:
    """-sum_l level_weights[l] log P_l / totals[l] over the pixels with any label.

    logits (B, N, ...) of any float dtype on the CPU, labels (B, L, ...) int64; `MarginalLoss` defines P_l. totals:
    default the number of pixels with any label. counts (L, N): what a pixel whose label ends at a channel counts at
    each level; default 1.

    Returns a scalar in float32, or float64 for float64 logits; the gradient has the dtype of the logits, and can not be
    differentiated again.
    """
    y = by_level(labels)
    if totals is None:
        totals = [float((y.amax(1) >= 0).count_nonzero()) if y.numel() else 0.0] * len(level_weights)
    weights = [weight / (total or 1.0) for weight, total in zip(level_weights, totals, strict=True)]
    value: Tensor = _LeafMarginal.apply(logits, y, counts, tree, weights)  # type: ignore[no-untyped-call]
    return value


class _LeafMarginal(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, y: Tensor, counts: Tensor | None, tree: TaxonomyTensors, weights: list[float]
    ) -> Tensor:
        dtype = torch.promote_types(logits.dtype, torch.float32)

        def worker(pixels: int) -> Work:
            return _Chunk(tree, weights, counts, dtype, pixels).run

        value, ctx.gradient = in_chunks(worker, logits, y, wanted=ctx.needs_input_grad[0])
        return value

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, None, None, None]:
        return scaled(ctx.gradient, grad), None, None, None, None


class _Chunk:
    """The pass over one chunk after another, with scratch for `pixels` that is allocated once.

    Scratch in (N, P): s, the sum of u over the leaves below each channel, and c, the factor of u that the labels put on
    the gradient of the leaves below it.
    """

    def __init__(
        self, tree: TaxonomyTensors, weights: list[float], counts: Tensor | None, dtype: torch.dtype, pixels: int
    ) -> None:
        self.weights, self.dtype, self.n, self.sizes = weights, dtype, tree.channels, tree.sizes
        self.counts = None if counts is None else counts.to(dtype)
        self.first = torch.tensor([int(a) for a in tree.tables.offsets[:-1]]).unsqueeze(1)
        self.up = [tree.up(i) for i in range(1, tree.n_levels)]
        self.of_leaf = tree.paths - self.first.t()
        self.memory = [torch.zeros(self.n * pixels, dtype=dtype) for _ in range(3)]
        self.pixels = -1

    def run(self, z: Tensor, y: Tensor, gradient: Tensor | None) -> float:
        """What pixels z (b, N, p) with labels y (b, L, p) add to the loss; writes their gradient (b, N, p)."""
        images, _, width = z.shape
        self._resize(images * width)
        first = self.n - self.sizes[-1]
        x = z[:, first:].transpose(0, 1).to(self.dtype).reshape(self.sizes[-1], -1)
        labels = y.transpose(0, 1).reshape(len(self.sizes), -1)
        channel, known = channels_of(labels, self.first)
        of_pixel = None if self.counts is None else self.counts.index_select(1, channel[-1])
        share = self._shares(known, of_pixel)
        if not self._sums(x):
            x = without_void(x, share)
            if not self._sums(x):
                return self._safe(x, labels, share, gradient)
        flat = torch.add(self.places, channel, alpha=self.pixels).reshape(-1)
        picked = self.s.flat.index_select(0, flat).view_as(share)
        if not float(picked.min()) >= 1 / RANGE:
            return self._safe(x, labels, share, gradient)
        norm = self.s.levels[0].sum(0)
        value = float((norm / picked).log_().mul_(share).sum())
        if gradient is not None:
            self.c.flat.zero_()
            self.c.flat.index_add_(0, flat, (share / picked).view(-1))
            for i, up in enumerate(self.up):
                torch.index_select(self.c.levels[i], 0, up, out=self.t.levels[i + 1])
                self.c.levels[i + 1].add_(self.t.levels[i + 1])
            found = torch.sub(share.sum(0) / norm, self.c.levels[-1], out=self.c.levels[-1])
            self._write(found.mul_(self.s.levels[-1]), gradient)
        return value

    def _resize(self, pixels: int) -> None:
        if pixels == self.pixels:
            return
        self.pixels, self.places = pixels, torch.arange(pixels)
        self.s, self.c, self.t = (Rows(part, self.sizes, pixels) for part in self.memory)

    def _shares(self, known: Tensor, of_pixel: Tensor | None) -> Tensor:
        """(L, P): the weight of each level, handed to the deepest level above it that names a class, 0 elsewhere.

        Below a coarse label the allowed leaves are those of the label: its own term again.
        """
        waiting = torch.zeros(known.shape[1], dtype=self.dtype)
        shares = torch.empty(known.shape, dtype=self.dtype)
        for i in range(len(self.weights) - 1, -1, -1):
            waiting = waiting + (self.weights[i] if of_pixel is None else self.weights[i] * of_pixel[i])
            torch.mul(waiting, known[i], out=shares[i])
            waiting = waiting - shares[i]
        return shares

    def _sums(self, x: Tensor) -> bool:
        """u and its sums up the tree to s; whether the whole is in range."""
        levels = self.s.levels
        torch.exp(x, out=levels[-1])
        for i in range(len(self.up) - 1, -1, -1):
            levels[i].zero_().index_add_(0, self.up[i], levels[i + 1])
        least, most = levels[0].sum(0).aminmax()
        # Written so that NaN is out of range.
        return float(least) >= 1 / RANGE and float(most) <= RANGE

    def _safe(self, x: Tensor, labels: Tensor, share: Tensor, gradient: Tensor | None) -> float:
        """The same in log space, level by level: several times as slow, for logits of any size."""
        x = x - x.amax(0)
        log_norm = x.logsumexp(0)
        found = x.softmax(0).mul_(share.sum(0))
        value = torch.zeros((), dtype=torch.float64)
        for i, weight in enumerate(share):
            below = self.of_leaf[:, i].unsqueeze(1) == labels[i].clamp(min=0)
            inside = x.masked_fill(~below, -math.inf)
            value += ((log_norm - inside.logsumexp(0)) * weight).sum()
            found -= inside.softmax(0).mul_(weight)
        if gradient is not None:
            self._write(found, gradient)
        return float(value)

    def _write(self, found: Tensor, gradient: Tensor) -> None:
        images, _, width = gradient.shape
        first = self.n - self.sizes[-1]
        gradient[:, :first] = 0
        gradient[:, first:].transpose(0, 1).copy_(found.view(-1, images, width))
