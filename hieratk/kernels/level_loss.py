"""Level cross-entropies and tree-min in one pass over the logits, on the CPU.

The plain twin is `hieratk.losses.terms.level_loss`; its docstrings define the terms. Here the gradient is written in
the forward pass, chunk by chunk of pixels, so that everything between the logits and their gradient stays in cache.
Cost and memory are linear in N; loops run over levels and chunks only.

Three identities carry the speed, since on a CPU exp and log are the price and torch's softplus costs six of them:
    softplus(x) = relu(x) - log(sigmoid(|x|)),  sigmoid(|x|) = max(s, 1 - s)  with s = sigmoid(x), the gradient;
    a sum of logs is the log of a product, and every sigmoid(|x|) lies in [1/2, 1]: 64 of them cannot underflow;
    the winner of a maximum is whoever equals it.
The sum of softplus over the classes of a level is therefore exact to some 1e-7 of its number of classes in float32: a
class with softplus(x) below that adds nothing to the value. Its gradient s is exact all the same.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from hieratk.tensors import TaxonomyTensors

_ELEMENTS = 2**17
"""Logits a chunk holds: with its scratch some 2 MB in float32. Measured flat between 2**16 and 2**18
(benchmarks/losses.py).
"""

_LOG_ROWS = 64
"""Rows whose product is taken before the logarithm: 2**-64 is far from float32's smallest."""


def usable(logits: Tensor) -> bool:
    """Whether `level_loss` can run: on the CPU, outside torch.compile and function transforms."""
    return (
        logits.device.type == "cpu"
        and logits.is_floating_point()
        and not torch.compiler.is_compiling()
        and not torch._C._functorch.maybe_current_level()
    )


def level_loss(
    tree: TaxonomyTensors,
    logits: Tensor,
    labels: Tensor,
    *,
    level_weights: Sequence[float],
    marginal: bool,
    binary_weight: float,
    constrained: bool,
) -> Tensor:
    """sum_l w_l CE_l + binary_weight L_B, with L_B tree-min where `constrained`, else plain binary cross-entropy.

    Args as `hieratk.losses.terms.level_loss`. logits (B, N, ...) of any float dtype on the CPU, labels (B, L, ...)
    int64. Returns a scalar in float32, or float64 for float64 logits; the gradient has the dtype of the logits. It can
    be differentiated once.
    """
    weights = _Weights.of(tree, labels, level_weights, marginal=marginal, binary=binary_weight, constrained=constrained)
    value: Tensor = _LevelLoss.apply(logits, labels, tree, weights)  # type: ignore[no-untyped-call]
    return value


@dataclass(frozen=True, slots=True, eq=False)
class _Weights:
    """What one pixel counts at each level: the weight of the term over the number of pixels (and classes) in its
    mean.
    """

    ce: list[float]
    binary: list[float]
    marginal: bool
    constrained: bool

    @classmethod
    def of(
        cls,
        tree: TaxonomyTensors,
        labels: Tensor,
        level_weights: Sequence[float],
        *,
        marginal: bool,
        binary: float,
        constrained: bool,
    ) -> _Weights:
        known = labels >= 0
        pixels = [int(known[:, i].sum()) for i in range(tree.n_levels)]
        scored = int(known.any(1).sum())
        own = [int(n) for n in _own_by_level(tree)]
        return cls(
            ce=[w / max(scored if marginal else n, 1) for w, n in zip(level_weights, pixels, strict=True)],
            binary=[binary / (max(n, 1) * max(c, 1)) for n, c in zip(pixels, own, strict=True)],
            marginal=marginal,
            constrained=constrained and tree.n_levels > 1,
        )


def _own_by_level(tree: TaxonomyTensors) -> list[int]:
    carried = tree.tables.carried
    return [int((~carried[a:b]).sum()) for a, b in pairwise(tree.tables.offsets)]


class _LevelLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, tree: TaxonomyTensors, weights: _Weights) -> Tensor:
        dtype = torch.float64 if logits.dtype == torch.float64 else torch.float32
        z = logits.reshape(*logits.shape[:2], -1)
        y = labels.reshape(*labels.shape[:2], -1)
        wanted = ctx.needs_input_grad[0]
        gradient = torch.empty_like(z, memory_format=torch.contiguous_format) if wanted else None
        total = torch.zeros((), dtype=torch.float64)
        _silence_index_reduce()
        chunk = _Chunk(tree, weights, dtype)
        for images, pixels in _chunks(z.shape[0], z.shape[2], max(64, _ELEMENTS // tree.channels)):
            target = None if gradient is None else gradient[images, :, pixels]
            total += chunk.run(z[images, :, pixels], y[images, :, pixels], target)
        ctx.gradient = None if gradient is None else gradient.view(logits.shape)
        return total.to(dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, None, None]:
        gradient: Tensor | None = ctx.gradient
        # A plain `loss.backward()` brings 1: the product would only cost time and a copy.
        if gradient is None or grad.item() == 1.0:
            return gradient, None, None, None
        return gradient * grad.to(gradient.dtype), None, None, None


@cache
def _silence_index_reduce() -> None:
    """Take torch's one warning a process that index_reduce is in beta: it says nothing to a user of this library.

    Its maximum is ten times as fast as scatter_reduce's, and what it must return is tested here.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.zeros(1).index_reduce_(0, torch.zeros(1, dtype=torch.int64), torch.zeros(1), "amax")


def _chunks(images: int, pixels: int, size: int) -> Iterator[tuple[slice, slice]]:
    """Slices of about `size` pixels: parts of one image, or several whole ones where they are small."""
    if pixels == 0:
        return
    if pixels >= size:
        for b in range(images):
            for p in range(0, pixels, size):
                yield slice(b, b + 1), slice(p, min(p + size, pixels))
    else:
        step = size // pixels
        for b in range(0, images, step):
            yield slice(b, min(b + step, images)), slice(0, pixels)


class _Chunk:
    """The pass over one chunk after another, with scratch that is allocated once.

    In the methods: P pixels; x (N + 1, P) logits, whose last row stands for "no label" and holds 0; e, g, m scratch of
    the same shape, g becoming the gradient; index (L, P) the channel of the label, N where there is none; per-pixel
    tensors (L, P).
    """

    def __init__(self, tree: TaxonomyTensors, weights: _Weights, dtype: torch.dtype) -> None:
        self.tree, self.weights, self.dtype = tree, weights, dtype
        self.n = tree.channels
        self.bounds = list(pairwise(tree.tables.offsets.tolist()))
        self.first = torch.tensor([a for a, _ in self.bounds]).unsqueeze(1)
        self.up = [tree.up(i) for i in range(1, tree.n_levels)]
        self.carried = tree.carried.nonzero()[:, 0]
        self.own = torch.cat([~tree.carried, torch.tensor([False])]).to(dtype)
        self.ce = torch.tensor(weights.ce, dtype=dtype).unsqueeze(1)
        self.binary = torch.tensor(weights.binary, dtype=dtype).unsqueeze(1)
        self.scratch = [torch.empty(0, dtype=dtype) for _ in range(4)]
        self.low = torch.finfo(dtype).min

    def _buffers(self, pixels: int) -> list[Tensor]:
        size = (self.n + 1) * pixels
        if self.scratch[0].numel() < size:
            self.scratch = [torch.empty(size, dtype=self.dtype) for _ in self.scratch]
        return [part[:size].view(self.n + 1, pixels) for part in self.scratch]

    def run(self, z: Tensor, y: Tensor, gradient: Tensor | None) -> Tensor:
        """The part of the loss that pixels z (b, N, p), y (b, L, p) add; writes their gradient (b, N, p)."""
        images, _, width = z.shape
        x, e, g, m = self._buffers(images * width)
        x[: self.n].view(self.n, images, width).copy_(z.transpose(0, 1))
        x[self.n] = 0
        labels = y.transpose(0, 1).reshape(len(self.bounds), -1)
        known = labels >= 0
        index = torch.where(known, labels + self.first, self.n)
        flat = (index * x.shape[1]).add_(torch.arange(x.shape[1])).flatten()
        value, hit = self._cross_entropies(x, e, g, labels, known, flat)
        if any(self.weights.binary):
            of_binary, more = self._binary(x, e, m, known, index, flat)
            value, hit = value + of_binary, hit + more
            g.add_(e)
        if gradient is not None:
            g.view(-1).index_add_(0, flat, hit.flatten())
            gradient.transpose(0, 1).copy_(g[: self.n].view(self.n, images, width))
        return value

    def _cross_entropies(
        self, x: Tensor, e: Tensor, g: Tensor, labels: Tensor, known: Tensor, flat: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Value; what the labelled channels add to the gradient (L, P). Writes the softmax part to g."""
        scored = known.any(0)
        top = self._tops(x)
        if not bool(scored.all()) and not bool((top.abs() < 1e30).all()):
            # Void pixels weigh 0, but 0 times NaN or infinity is NaN.
            x.masked_fill_(~scored, 0.0)
            top = self._tops(x)
        norm = torch.empty_like(top)
        for i, (a, b) in enumerate(self.bounds):
            torch.sub(x[a:b], top[i], out=e[a:b])
        e[: self.n].exp_()
        for i, (a, b) in enumerate(self.bounds):
            torch.sum(e[a:b], 0, out=norm[i])
        log_norm = norm.log() + top
        counts = scored.to(self.dtype) if self.weights.marginal else known.to(self.dtype)
        weight = counts * self.ce
        scale = weight / norm
        for i, (a, b) in enumerate(self.bounds):
            torch.mul(e[a:b], scale[i], out=g[a:b])
        g[self.n] = 0
        score = x.view(-1).index_select(0, flat).view_as(top)
        if self.weights.marginal:
            self._sets(x, g, labels, known, scored, weight, score)
        return ((log_norm - score) * weight).sum(dtype=torch.float64), -weight * known

    def _tops(self, x: Tensor) -> Tensor:
        top = x.new_empty(len(self.bounds), x.shape[1])
        for i, (a, b) in enumerate(self.bounds):
            torch.amax(x[a:b], 0, out=top[i])
        return top

    def _sets(
        self, x: Tensor, g: Tensor, labels: Tensor, known: Tensor, scored: Tensor, weight: Tensor, score: Tensor
    ) -> None:
        """For coarse labels alone: the log-sum over the allowed classes into score, minus their softmax into g."""
        at = (scored & ~known.all(0)).nonzero()[:, 0]
        if not len(at):
            return
        allowed: Tensor | None = None
        for i, (a, b) in enumerate(self.bounds):
            target, here = labels[i, at], known[i, at]
            named = torch.arange(b - a).unsqueeze(1) == target
            allowed = named | (~here if allowed is None else allowed[self.up[i - 1]] & ~here)
            inside = x[a:b, at].masked_fill_(~allowed, -math.inf)
            log_sum = inside.logsumexp(0)
            score[i, at] = torch.where(here, score[i, at], log_sum)
            inside.sub_(log_sum).exp_().mul_(torch.where(here, 0.0, -weight[i, at]))
            g[a:b].index_add_(1, at, inside)

    def _binary(
        self, x: Tensor, e: Tensor, m: Tensor, known: Tensor, index: Tensor, flat: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Value; what the labelled channels add to the gradient. Writes the part of all others to e; x is used up."""
        weight = known * self.binary
        value, hit = self._positives(x, weight, known, index, flat)
        x.index_fill_(0, self.carried, self.low)
        counts = self._maxima(x, m) if self.weights.constrained else []
        if self.weights.constrained:
            x.index_fill_(0, self.carried, self.low)
        x.view(-1).index_fill_(0, flat, self.low)
        # From here x and e: s into e, then relu into x, then sigmoid(|x|) into x.
        torch.sigmoid(x, out=e)
        total = torch.empty_like(weight)
        x.relu_()
        for i, (a, b) in enumerate(self.bounds):
            torch.sum(x[a:b], 0, out=total[i])
        torch.sub(1, e, out=x)
        torch.maximum(x, e, out=x)
        for i, (a, b) in enumerate(self.bounds):
            for r in range(a, b, _LOG_ROWS):
                total[i].sub_(x[r : min(r + _LOG_ROWS, b)].prod(0).log_())
            e[a:b].mul_(weight[i])
        for i, count in enumerate(counts):
            self._route(e, m, count, level=i)
        e[self.n] = 0
        return value + (total * weight).sum(dtype=torch.float64), hit

    def _positives(
        self, x: Tensor, weight: Tensor, known: Tensor, index: Tensor, flat: Tensor
    ) -> tuple[Tensor, Tensor]:
        """softplus(-z) of the labelled class, z the lowest on its path where constrained: value and gradient (L, P)."""
        counts = self.own[index] * known
        # What does not count must never be the lowest: a carried label, or none.
        score = x.view(-1).index_select(0, flat).view_as(weight).add_(1 - counts, alpha=torch.finfo(self.dtype).max / 4)
        above = torch.full_like(score, math.inf)
        lowest = score
        if self.weights.constrained:
            lowest = score.clone()
            for i in range(1, len(score)):
                above[i] = lowest[i - 1]
                torch.minimum(lowest[i - 1], score[i], out=lowest[i])
        s = torch.sigmoid(-lowest)
        weight = weight * counts
        value = (((-lowest).relu_() - torch.maximum(s, 1 - s).log_()) * weight).sum(dtype=torch.float64)
        # Share of the newest in its minimum: 1, 0, or 1/2 at a tie.
        share = (above - score).sign_().add_(1).mul_(0.5).mul_(counts)
        flow = s.neg_().mul_(weight)
        hit = torch.empty_like(flow)
        for i in range(len(flow) - 1, -1, -1):
            torch.mul(flow[i], share[i], out=hit[i])
            if i:
                flow[i - 1] += flow[i] - hit[i]
        return value, hit

    def _maxima(self, x: Tensor, m: Tensor) -> list[Tensor]:
        """Turn x into zup, level by level from the leaves. Writes who equals the maximum: of each class among the
        children of its parent to m at its own row, and returns for each level but the last (its own logit does, how
        many do).
        """
        counts = []
        for i in range(len(self.bounds) - 2, -1, -1):
            (a, b), (c, d) = self.bounds[i : i + 2]
            own = x[a:b].clone()
            x[a:b].index_reduce_(0, self.up[i], x[c:d], "amax")
            torch.index_select(x[a:b], 0, self.up[i], out=m[c:d])
            torch.eq(x[c:d], m[c:d], out=m[c:d])
            torch.eq(own, x[a:b], out=own)
            counts.append(torch.stack([own, own.index_add(0, self.up[i], m[c:d])]))
        return counts[::-1]

    def _route(self, e: Tensor, m: Tensor, count: Tensor, *, level: int) -> None:
        """Pass the gradient of a level's maxima to those that equal it, evenly: the class itself and its children."""
        (a, b), (c, d) = self.bounds[level : level + 2]
        own, winners = count
        share = e[a:b].div_(winners)
        # m is done with at these rows and takes what flows down.
        m[c:d].mul_(share.index_select(0, self.up[level]))
        e[c:d].add_(m[c:d])
        share.mul_(own)
