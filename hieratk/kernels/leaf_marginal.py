"""The marginal likelihood of one softmax over the leaves in one pass over the logits, on the CPU.

The plain twin is `hieratk.losses.marginal.MarginalLoss.terms`. Logits add up down the tree to the scores of leaves;
sums of u = exp(score) go up, what each of them adds to the gradient comes down again, and the gradient of the scores
goes up to the logits. It is written in the forward pass, chunk by chunk (`hieratk.kernels.chunks`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from hieratk.kernels.chunks import Work, by_level, in_chunks, usable
from hieratk.kernels.rows import RANGE, Rows, channels_of, without_void
from hieratk.tensors import TaxonomyTensors

__all__ = ["leaf_marginal", "usable"]

_LEAST = math.exp(-75)
"""It, its inverse, and a hundred thousand times that are ordinary float32 numbers."""


def leaf_marginal(tree: TaxonomyTensors, logits: Tensor, labels: Tensor, shares: Tensor, *, paths: bool) -> Tensor:
    """The sum over pixels and levels of shares[l, n] * -log P_l, n the channel at which the pixel's label ends.

    logits (B, N, ...) of any float dtype on the CPU, labels (B, L, ...) int64, shares (L, N), 0 for the levels below
    that of the channel. P_l is the sum of a softmax over the leaves below the class that the label names at level l.
    The scores of leaves are the leaf logits, or, with `paths`, the sums of the logits along their paths.

    Returns a scalar in float32, or float64 for float64 logits; the gradient has the dtype of the logits, and can not be
    differentiated again.
    """
    dtype = torch.promote_types(logits.dtype, torch.float32)

    def worker(pixels: int) -> Work:
        return _Chunk(tree, shares.to(dtype), pixels, paths=paths).run

    return in_chunks(worker, logits, by_level(labels))


class _Chunk:
    """The pass over one chunk after another, with scratch for `pixels` that is allocated once.

    Scratch in (N, P): s, the sum of u over the leaves below each channel; c, the factor of u that the labels put on the
    gradient of the leaves below it, and then the gradient; t, the sum of logits down to each channel, and then what is
    handed down.
    """

    def __init__(self, tree: TaxonomyTensors, shares: Tensor, pixels: int, *, paths: bool) -> None:
        self.shares, self.dtype, self.paths = shares, shares.dtype, paths
        self.n, self.sizes = tree.channels, tree.sizes
        self.first = torch.tensor([int(a) for a in tree.tables.offsets[:-1]]).unsqueeze(1)
        self.up = [tree.up(i) for i in range(1, tree.n_levels)]
        self.of_leaf = tree.paths - self.first.t()
        self.memory = [torch.zeros(self.n * pixels, dtype=self.dtype) for _ in range(3)]
        self.pixels = -1

    def run(self, z: Tensor, y: Tensor, gradient: Tensor | None) -> float:
        """What pixels z (b, N, p) with labels y (b, L, p) add to the loss; writes their gradient (b, N, p)."""
        images, _, width = z.shape
        self._resize(images * width)
        labels = y.transpose(0, 1).reshape(len(self.sizes), -1)
        void = None
        if int(labels.min()) < 0:
            channel, known = channels_of(labels, self.first)
            # Where no class is named it counts for nothing, and must be in range.
            void = 1 - known.to(self.dtype)
            share = self.shares.index_select(1, channel[-1]).mul_(1 - void[0])
        else:
            channel = labels + self.first
            share = self.shares.index_select(1, channel[-1])
        flat = torch.add(self.places, channel, alpha=self.pixels).reshape(-1)
        x = self._scores(z)
        sums = self._sums(x, flat, void, least=1 / RANGE, most=RANGE)
        if sums is None:
            x = without_void(x, share)
            sums = self._sums(x, flat, void, least=1 / RANGE, most=RANGE)
        if sums is None:
            x = x - x.amax(0)
            sums = self._sums(x, flat, void, least=_LEAST, most=math.inf)
        if sums is None:
            return self._safe(x, labels, share, gradient)
        picked, norm = sums
        value = float((norm / picked).log_().mul_(share).sum())
        if gradient is not None:
            self.c.flat.zero_()
            self.c.flat.index_add_(0, flat, (share / picked).view(-1))
            for i, up in enumerate(self.up):
                torch.index_select(self.c.levels[i], 0, up, out=self.t.levels[i + 1])
                self.c.levels[i + 1].add_(self.t.levels[i + 1])
            found = torch.sub(share.sum(0) / norm, self.c.levels[-1], out=self.c.levels[-1])
            found.mul_(self.s.levels[-1])
            self._write(gradient)
        return value

    def _resize(self, pixels: int) -> None:
        if pixels == self.pixels:
            return
        self.pixels, self.places = pixels, torch.arange(pixels)
        self.s, self.c, self.t = (Rows(part, self.sizes, pixels) for part in self.memory)

    def _scores(self, z: Tensor) -> Tensor:
        """(V, P) of the leaves."""
        if not self.paths:
            return z[:, self.n - self.sizes[-1] :].transpose(0, 1).to(self.dtype).reshape(self.sizes[-1], -1)
        levels = torch.split(z.transpose(0, 1).reshape(self.n, -1), list(self.sizes))
        above = self.t.levels[0].copy_(levels[0])
        for level, up, here in zip(levels[1:], self.up, self.t.levels[1:], strict=True):
            above = torch.index_select(above, 0, up, out=here).add_(level)
        return above

    def _sums(
        self, x: Tensor, flat: Tensor, void: Tensor | None, *, least: float, most: float
    ) -> tuple[Tensor, Tensor] | None:
        """u = exp(x) and its sums up the tree to s; of these the labelled ones (L, P) and that of all leaves (P,), or
        None where one of them is out of range.
        """
        levels = self.s.levels
        torch.exp(x, out=levels[-1])
        _add_up(levels, self.up)
        picked = self.s.flat.index_select(0, flat).view(len(levels), -1)
        if void is not None:
            picked.add_(void)
        norm = levels[0].sum(0)
        # Written so that NaN is out of range.
        fits = float(picked.min()) >= least and float(norm.min()) >= least and float(norm.max()) <= most
        return (picked, norm) if fits else None

    def _safe(self, x: Tensor, labels: Tensor, share: Tensor, gradient: Tensor | None) -> float:
        """The same in log space, level by level: several times as slow, for logits of any size. x: 0 at the highest."""
        log_norm = x.logsumexp(0)
        found = x.softmax(0).mul_(share.sum(0))
        value = torch.zeros((), dtype=torch.float64)
        for i, weight in enumerate(share):
            below = self.of_leaf[:, i].unsqueeze(1) == labels[i].clamp(min=0)
            inside = x.masked_fill(~below, -math.inf)
            value += ((log_norm - inside.logsumexp(0)) * weight).sum()
            found -= inside.softmax(0).mul_(weight)
        if gradient is not None:
            self.c.levels[-1].copy_(found)
            self._write(gradient)
        return float(value)

    def _write(self, gradient: Tensor) -> None:
        """The gradient of the leaves' scores, in c, to gradient (b, N, p)."""
        images, _, width = gradient.shape
        if self.paths:
            _add_up(self.c.levels, self.up)
        else:
            self.c.all[: self.n - self.sizes[-1]] = 0
        gradient.transpose(0, 1).copy_(self.c.all.view(self.n, images, width))


def _add_up(levels: Sequence[Tensor], up: Sequence[Tensor]) -> None:
    """Each row above the leaves becomes the sum of those right below it."""
    for i in range(len(up) - 1, -1, -1):
        levels[i].zero_().index_add_(0, up[i], levels[i + 1])
