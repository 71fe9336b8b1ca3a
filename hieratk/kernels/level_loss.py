"""Level cross-entropies and tree-min in one pass over the logits, on the CPU.

The plain twin is `hieratk.losses.terms.level_loss`; its docstrings define the terms. Here the gradient is written in
the forward pass, chunk by chunk of pixels, so that what lies between the logits and their gradient stays in cache. Cost
and memory are linear in N; loops run over levels and chunks only.

What makes it fast, since on a CPU exp and log are the price (torch's softplus costs five of them):
    one u = exp(z) serves everything: softmax is u / sum(u), sigmoid is u / (1 + u), softplus is log(1 + u);
    the maximum of logits is the maximum of their u, and whoever equals it is its winner;
    a sum of logarithms is the logarithm of a product.
u needs no shift while all maxima lie within +-35 (`_RANGE`); a chunk where they do not takes the safe forms, at 1.3
times the cost: a shifted softmax, torch's sigmoid s, and softplus(z) = relu(z) - log(max(s, 1 - s)).

Against the twin in float32: values differ by some 1e-6 of themselves, and a softplus below 6e-8 adds nothing to the
value (1 + u is 1; its gradient is there all the same). Logits that differ by less than u can tell (6e-8) count as
equal.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from hieratk.kernels import threads as threading
from hieratk.tensors import TaxonomyTensors

CHUNK = 2**19
"""Logits in a chunk: its scratch takes some 12 MB in float32. benchmarks/losses.py shows how flat the choice is."""

_RANGE = 35.0
"""exp(+-35), a sum of thousands of the larger, and the quotient of both, are ordinary float32 numbers."""

_LOG_OF_LARGEST = 85.0
"""A product stays below float32's largest, e^88, while the sum of its logarithms stays below this."""


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
) -> Tensor:
    """sum_l w_l CE_l + binary_weight L_B, with L_B tree-min where `constrained`, else plain binary cross-entropy.

    Arguments as `hieratk.losses.terms.level_loss`: logits (B, N, ...) of any float dtype on the CPU, labels (B, L, ...)
    int64. Returns a scalar in float32, or float64 for float64 logits; the gradient has the dtype of the logits, and can
    not be differentiated again.
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
        pixels = [int((labels[:, i] >= 0).count_nonzero()) for i in range(tree.n_levels)]
        every = labels.numel() // tree.n_levels
        scored = every if every in pixels or not every else int((labels.amax(1) >= 0).count_nonzero())
        own = [int((~tree.tables.carried[a:b]).sum()) for a, b in pairwise(tree.tables.offsets)]
        return cls(
            ce=[w / max(scored if marginal else n, 1) for w, n in zip(level_weights, pixels, strict=True)],
            binary=[binary / (max(n, 1) * max(c, 1)) for n, c in zip(pixels, own, strict=True)],
            marginal=marginal,
            constrained=constrained,
        )


class _LevelLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, logits: Tensor, labels: Tensor, tree: TaxonomyTensors, weights: _Weights) -> Tensor:
        z = logits.detach().reshape(*logits.shape[:2], math.prod(logits.shape[2:]))
        y = labels.reshape(*labels.shape[:2], math.prod(labels.shape[2:]))
        wanted = ctx.needs_input_grad[0]
        gradient = torch.empty_like(z, memory_format=torch.contiguous_format) if wanted else None
        dtype = torch.promote_types(logits.dtype, torch.float32)
        _silence_index_reduce()
        images, _, pixels = z.shape
        # Never by the number of threads: sums would round differently on another machine.
        size = max(64, min(CHUNK // tree.channels, max(1024, images * pixels // 16)))
        pieces = list(_chunks(images, pixels, size))
        threads = min(threading.width(), max(len(pieces), 1))
        free = [_Chunk(tree, weights, dtype, min(size, images * pixels)) for _ in range(threads)]

        def work(piece: tuple[slice, slice]) -> float:
            b, p = piece
            chunk = free.pop()
            value = chunk.run(z[b, :, p], y[b, :, p], None if gradient is None else gradient[b, :, p])
            free.append(chunk)
            return value

        total = sum(threading.run_all([partial(work, piece) for piece in pieces], threads))
        ctx.gradient = None if gradient is None else gradient.view(logits.shape)
        return torch.tensor(total, dtype=dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, None, None, None]:
        gradient: Tensor | None = ctx.gradient
        # A plain `loss.backward()` brings 1: the product would only cost a copy.
        if gradient is None or grad.item() == 1.0:
            return gradient, None, None, None
        return gradient * grad.to(gradient.dtype), None, None, None


@cache
def _silence_index_reduce() -> None:
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


class _Rows:
    """Scratch of P pixels with all its views made once: making one costs as much as a small operation on it."""

    __slots__ = ("all", "flat", "levels", "nodes")

    def __init__(self, memory: Tensor, sizes: Sequence[int], pixels: int, *, spare: int) -> None:
        nodes = sum(sizes)
        self.flat = memory[: (nodes + spare) * pixels]
        self.all = self.flat.view(nodes + spare, pixels)
        self.nodes = self.all[:nodes]
        self.levels = torch.split(self.nodes, list(sizes))


class _Scratch:
    """For P pixels: x, u, g, m, t (N + 1, P), whose last row takes what belongs to no label; own, count (., P) for all
    levels but the last; top, norm, lowest, total (L, P).

    All large results go here: fresh memory from the system costs more than the sums that fill it.
    """

    __slots__ = ("count", "g", "lowest", "m", "norm", "own", "pixels", "places", "t", "top", "total", "u", "x")

    def __init__(self, memory: Sequence[Tensor], sizes: Sequence[int], pixels: int) -> None:
        self.pixels = pixels
        self.places = torch.arange(pixels)
        self.x, self.u, self.g, self.m, self.t = (_Rows(part, sizes, pixels, spare=1) for part in memory[:5])
        self.own, self.count = (_Rows(part, sizes[:-1], pixels, spare=0) for part in memory[5:7])
        ones = [1] * len(sizes)
        self.top, self.norm, self.lowest, self.total = (_Rows(part, ones, pixels, spare=0) for part in memory[7:])


class _Chunk:
    """The pass over one chunk after another, with scratch that is allocated once.

    x (N, P) are the logits. Of the labels (L, P): `flat` is the place of the labelled channel in (N + 1, P) scratch,
    its last row where there is no label; `known` is 1.0 where there is one, and None where every pixel has one at every
    level.
    """

    def __init__(self, tree: TaxonomyTensors, weights: _Weights, dtype: torch.dtype, pixels: int) -> None:
        self.weights, self.dtype = weights, dtype
        self.n, self.sizes = tree.channels, tree.sizes
        self.first = torch.tensor([int(a) for a in tree.tables.offsets[:-1]]).unsqueeze(1)
        self.up = [tree.up(i) for i in range(1, tree.n_levels)]
        self.carried = tree.carried.nonzero()[:, 0]
        self.own = (~tree.carried).to(dtype)
        self.ce = torch.tensor(weights.ce, dtype=dtype).unsqueeze(1)
        self.binary = torch.tensor(weights.binary, dtype=dtype).unsqueeze(1)
        rows = [self.n + 1] * 5 + [self.n - tree.sizes[-1]] * 2 + [tree.n_levels] * 4
        self.memory = [torch.zeros(n * pixels, dtype=dtype) for n in rows]
        self.scratch = _Scratch(self.memory, self.sizes, pixels)

    def run(self, z: Tensor, y: Tensor, gradient: Tensor | None) -> float:
        """What pixels z (b, N, p) with labels y (b, L, p) add to the loss; writes their gradient (b, N, p)."""
        images, _, width = z.shape
        if images * width != self.scratch.pixels:
            self.scratch = _Scratch(self.memory, self.sizes, images * width)
        w = self.scratch
        x = z[0]
        if images > 1 or x.dtype != self.dtype:
            x = w.x.nodes
            x.view(self.n, images, width).copy_(z.transpose(0, 1))
        # Labels come with the levels of a pixel side by side, where every operation on them would stride.
        labels = y.transpose(0, 1).reshape(len(self.sizes), -1).contiguous()
        channel = labels + self.first
        flat = torch.add(w.places, channel, alpha=w.pixels)
        known = None
        if int(labels.min()) < 0:
            void = labels < 0
            known = (~void).to(self.dtype)
            flat = torch.where(void, w.places + self.n * w.pixels, flat)
            channel.clamp_(min=0)
            x = _without_void(x, void)
        flat = flat.reshape(-1)
        picked = x.gather(0, channel)
        levels = torch.split(x, list(self.sizes))
        for level, top in zip(levels, w.top.all, strict=True):
            torch.amax(level, 0, out=top)
        lowest, highest = (float(end) for end in w.top.all.aminmax())
        ordinary = lowest >= -_RANGE and highest <= _RANGE and float(picked.min()) >= -_RANGE

        value, hit = self._cross_entropies(x, levels, labels, known, picked, shifted=not ordinary)
        found = w.g
        if any(self.weights.binary):
            more, of_positives = self._positives(picked, channel, known)
            value += more + self._others(x, known, flat, highest if ordinary else None)
            hit.add_(of_positives)
            found = w.u
        if gradient is not None:
            found.flat.index_add_(0, flat, hit.reshape(-1))
            if found is w.u:
                w.g.nodes.add_(w.u.nodes)
            gradient.transpose(0, 1).copy_(w.g.nodes.view(self.n, images, width))
        return value

    def _cross_entropies(
        self,
        x: Tensor,
        levels: Sequence[Tensor],
        labels: Tensor,
        known: Tensor | None,
        picked: Tensor,
        *,
        shifted: bool,
    ) -> tuple[float, Tensor]:
        """Value, and what the labelled channels add to the gradient. Writes exp of x to u, softmax's part to g."""
        w = self.scratch
        top, norm = w.top.all, w.norm.all
        if shifted:
            for level, u, highest in zip(levels, w.u.levels, top, strict=True):
                torch.sub(level, highest, out=u)
            w.u.nodes.exp_()
        else:
            torch.exp(x, out=w.u.nodes)
        for u, row in zip(w.u.levels, w.norm.levels, strict=True):
            torch.sum(u, 0, keepdim=True, out=row)
        # Where the target is nearly certain this is log(1 + little), not a difference of two large numbers.
        loss = norm.log().add_(top - picked) if shifted else (-picked).exp_().mul_(norm).log_()
        if known is None:
            weight = self.ce.expand_as(norm)
        else:
            weight = self.ce * (known.amax(0) if self.weights.marginal else known)
        for u, g, scale in zip(w.u.levels, w.g.levels, weight / norm, strict=True):
            torch.mul(u, scale, out=g)
        hit = -weight
        if known is not None:
            hit.mul_(known)
            if self.weights.marginal:
                self._sets(levels, labels, known, weight, loss, norm.log().add_(top) if shifted else norm.log())
        return float(loss.mul_(weight).sum()), hit

    def _sets(
        self, levels: Sequence[Tensor], labels: Tensor, known: Tensor, weight: Tensor, loss: Tensor, log_norm: Tensor
    ) -> None:
        """Below coarse labels: the allowed classes' log-sum in place of one logit in loss, and their softmax out of
        g.
        """
        at = (known.amax(0) > known.amin(0)).nonzero()[:, 0]
        if not len(at):
            return
        allowed: Tensor | None = None
        for i, (level, g) in enumerate(zip(levels, self.scratch.g.levels, strict=True)):
            target = labels[i, at]
            named, unknown = torch.arange(len(level)).unsqueeze(1) == target, target < 0
            allowed = named | (unknown if allowed is None else allowed[self.up[i - 1]] & unknown)
            inside = level[:, at].masked_fill_(~allowed, -math.inf)
            log_set = inside.logsumexp(0)
            loss[i, at] = torch.where(unknown, log_norm[i, at] - log_set, loss[i, at])
            g.index_add_(1, at, inside.sub_(log_set).exp_().mul_(-weight[i, at] * unknown))

    def _positives(self, picked: Tensor, channel: Tensor, known: Tensor | None) -> tuple[float, Tensor]:
        """softplus(-z) of the labelled class, z the lowest on its path where constrained: value and gradient (L, P)."""
        weight, score = self.binary, picked
        if known is not None or len(self.carried):
            counts = self.own[channel]
            if known is not None:
                counts.mul_(known)
            # What does not count, a carried label or none, must not be the lowest.
            score = picked + (1 - counts) * (torch.finfo(self.dtype).max / 4)
            weight = weight * counts
        rows, lowest = self.scratch.lowest.levels, self.scratch.lowest.all
        lowest.copy_(score)
        if self.weights.constrained:
            for above, row in pairwise(rows):
                torch.minimum(above, row, out=row)
        s = torch.sigmoid(-lowest)
        value = float((-lowest).relu_().sub_(torch.maximum(s, 1 - s).log_()).mul_(weight).sum())
        hit = s.neg_().mul_(weight)
        if self.weights.constrained and len(rows) > 1:
            # From the leaves up each minimum hands to the one above it what its own logit has not won: half at a tie.
            share = (score[1:] - lowest[:-1]).sign_().add_(1).mul_(0.5)
            parts = hit.unbind()
            for i in range(len(rows) - 1, 0, -1):
                passed = parts[i] * share[i - 1]
                parts[i].sub_(passed)
                parts[i - 1].add_(passed)
        return value, hit

    def _others(self, x: Tensor, known: Tensor | None, flat: Tensor, peak: float | None) -> float:
        """softplus(z) of every class but the labelled one, z the highest below it where constrained. Gradient to u.

        `peak` is the highest logit where u holds exp(x), None where it does not.
        """
        w = self.scratch
        low = 0.0
        if peak is None:
            w.u.nodes.copy_(x)
            low = torch.finfo(self.dtype).min
        w.u.all.index_fill_(0, self.carried, low)
        if self.weights.constrained:
            self._maxima()
            w.u.all.index_fill_(0, self.carried, low)
        w.u.flat.index_fill_(0, flat, low)
        self._squash(peak)
        total = w.total.all
        weight = self.binary.expand_as(total) if known is None else self.binary * known
        for u, row in zip(w.u.levels, weight, strict=True):
            u.mul_(row)
        if self.weights.constrained:
            self._route()
        return float(total.mul_(weight).sum())

    def _maxima(self) -> None:
        """Each row of u becomes the highest among itself and its descendants, level by level from the leaves.

        Who equals it is written down: whether the class's own value does in own, whether each class equals the maximum
        of its parent in m, how many do in count. Never none: a maximum is one of its values.
        """
        w = self.scratch
        for i in range(len(self.up) - 1, -1, -1):
            here, below, m = w.u.levels[i], w.u.levels[i + 1], w.m.levels[i + 1]
            own, count, up = w.own.levels[i], w.count.levels[i], self.up[i]
            own.copy_(here)
            here.index_reduce_(0, up, below, "amax")
            torch.index_select(here, 0, up, out=m)
            torch.eq(below, m, out=m)
            torch.eq(own, here, out=own)
            count.copy_(own).index_add_(0, up, m)

    def _route(self) -> None:
        """Pass the gradient in u from each maximum to those that equal it, evenly: the class itself and its
        children.
        """
        w = self.scratch
        for i, up in enumerate(self.up):
            share = w.u.levels[i].div_(w.count.levels[i])
            torch.index_select(share, 0, up, out=w.t.levels[i + 1])
            w.u.levels[i + 1].addcmul_(w.t.levels[i + 1], w.m.levels[i + 1])
            share.mul_(w.own.levels[i])

    def _squash(self, peak: float | None) -> None:
        """Sums of softplus by level to total; u becomes sigmoid. u holds exp of the argument, or itself if peak is
        None.
        """
        u, t, total = self.scratch.u, self.scratch.t, self.scratch.total
        if peak is None:
            torch.clamp(u.nodes, min=0, out=t.nodes)
            for level, row in zip(t.levels, total.levels, strict=True):
                torch.sum(level, 0, keepdim=True, out=row)
            torch.sigmoid(u.nodes, out=u.nodes)
            torch.sub(1, u.nodes, out=t.nodes)
            torch.maximum(t.nodes, u.nodes, out=t.nodes).reciprocal_()
            most = math.log(2)
        else:
            total.flat.zero_()
            torch.add(u.nodes, 1, out=t.nodes)
            u.nodes.div_(t.nodes)
            most = math.log1p(math.exp(max(peak, 0.0)))
        rows = int(_LOG_OF_LARGEST / most)
        for level, row in zip(t.levels, total.all, strict=True):
            whole = len(level) // rows * rows
            if whole:
                row.add_(level[:whole].view(-1, rows, level.shape[1]).prod(1).log_().sum(0))
            if whole < len(level):
                row.add_(level[whole:].prod(0).log_())


def _without_void(x: Tensor, void: Tensor) -> Tensor:
    """x, with zeros at the pixels void at every level if anything there could outlive a weight of 0, as NaN does."""
    empty = void.all(0).nonzero()[:, 0]
    if not len(empty) or bool((x[:, empty].abs() < 1e30).all()):
        return x
    return x.index_fill(1, empty, 0.0)
