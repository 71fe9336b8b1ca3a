"""One chunk of pixels of the fused level loss: value, and gradient written in place.

What makes it fast, since on a CPU exp and log are the price (torch's softplus costs five of them):
    one u = exp(z) serves everything: softmax is u / sum(u), sigmoid is u / (1 + u), softplus is log(1 + u);
    the maximum of logits is the maximum of their u, and whoever equals it is its winner;
    a sum of logarithms is the logarithm of a product.
u needs no shift while the sums of each level lie between e^-35 and e^35 (`RANGE`). A chunk where they do not takes the
safe forms at half as much again: a shifted softmax, and softplus(z) = relu(z) - log(max(s, 1 - s)) with torch's sigmoid
s.

Against the plain twin in float32: values differ by some 1e-6 of themselves, and a softplus below 6e-8 adds nothing to
the value (1 + u is 1; its gradient is there all the same). Logits closer than u can tell (6e-8) count as equal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from hieratk.kernels.rows import RANGE, Rows, channels_of, without_void
from hieratk.kernels.weights import Weights
from hieratk.tensors import TaxonomyTensors

_LOG_OF_LARGEST = 85.0
"""A product stays below float32's largest, e^88, while the sum of its logarithms stays below this."""


class _Scratch:
    """For P pixels: u, g, m, t (N, P); own, count (., P) for all levels but the last; top, norm, lowest, total (L, P).

    All large results go here: fresh memory from the system costs more than the sums that fill it.
    """

    __slots__ = ("count", "g", "lowest", "m", "norm", "own", "pixels", "places", "t", "top", "total", "u")

    def __init__(self, memory: Sequence[Tensor], sizes: Sequence[int], pixels: int) -> None:
        self.pixels = pixels
        self.places = torch.arange(pixels)
        self.u, self.g, self.m, self.t = (Rows(part, sizes, pixels) for part in memory[:4])
        self.own, self.count = (Rows(part, sizes[:-1], pixels) for part in memory[4:6])
        ones = [1] * len(sizes)
        self.top, self.norm, self.lowest, self.total = (Rows(part, ones, pixels) for part in memory[6:])


@dataclass(slots=True)
class _Coarse:
    """Labels that end above a level that is asked: the levels `at` which some end, and the levels `below` which are
    asked and some end above.
    """

    at: list[int]
    below: list[int]


class Chunk:
    """The pass over one chunk after another, with scratch for `pixels` that is allocated once.

    x (N, P) are the logits. Of the labels (L, P): `channel` is the labelled one, below a label's last class that class
    again, 0 for a void pixel; `flat` is its place in (N, P) scratch; `known` is 1.0 where the label names a class, and
    None where every label does at every level; `coarse` is None where no label ends above a level that is asked;
    `picked` is u of the channel, or of all that a coarse label allows, or the logit of the channel where `shifted` says
    that u = exp(x) is out of range.
    """

    def __init__(self, tree: TaxonomyTensors, weights: Weights, dtype: torch.dtype, pixels: int) -> None:
        self.weights, self.dtype = weights, dtype
        self.n, self.sizes = tree.channels, tree.sizes
        self.first = torch.tensor([int(a) for a in tree.tables.offsets[:-1]]).unsqueeze(1)
        self.up = [tree.up(i) for i in range(1, tree.n_levels)]
        self.counts = None if weights.counts is None else weights.counts.to(dtype)
        self.above = _above(tree, dtype)
        self.carried = tree.carried.nonzero()[:, 0]
        self.own = (~tree.carried).to(dtype)
        self.ce_of_level = self.ce = torch.tensor(weights.ce, dtype=dtype).unsqueeze(1)
        self.binary_of_level = self.binary = torch.tensor(weights.binary, dtype=dtype).unsqueeze(1)
        self.has_binary = any(weights.binary)
        rows = [self.n] * 4 + [self.n - tree.sizes[-1]] * 2 + [tree.n_levels] * 4
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
            x = z.transpose(0, 1).to(self.dtype).reshape(self.n, -1)
        labels = y.transpose(0, 1).reshape(len(self.sizes), -1)
        known, coarse = None, None
        if int(labels.min()) < 0:
            channel, named = channels_of(labels, self.first)
            known = named.to(self.dtype)
            coarse = self._coarse(known)
        else:
            channel = labels + self.first
        flat = torch.add(w.places, channel, alpha=w.pixels).reshape(-1)
        self.ce, self.binary = self.ce_of_level, self.binary_of_level
        if self.counts is not None:
            of_pixel = self.counts.index_select(1, channel[-1])
            self.ce, self.binary = self.ce * of_pixel, self.binary * of_pixel
        picked = self._exponentials(x, flat, channel, known, coarse)
        if picked is None and known is not None:
            x = without_void(x, known)
            picked = self._exponentials(x, flat, channel, known, coarse)
        shifted = picked is None
        if picked is None:
            picked = self._shifted_exponentials(x, channel)

        value, hit = self._cross_entropies(x, labels, known, coarse, picked, shifted=shifted)
        found = w.g
        if self.has_binary:
            more, of_positives = self._positives(picked, channel, known, shifted=shifted)
            value += more + self._others(x, known, flat, shifted=shifted)
            hit.add_(of_positives)
            found = w.u
        if gradient is not None:
            found.flat.index_add_(0, flat, hit.view(-1))
            self._write(gradient)
        return value

    def _write(self, gradient: Tensor) -> None:
        """g, and u of the binary terms, to gradient (b, N, p)."""
        w = self.scratch
        images, _, width = gradient.shape
        if self.has_binary and images == 1 and gradient.dtype == self.dtype:
            torch.add(w.g.all, w.u.all, out=gradient[0])
            return
        if self.has_binary:
            w.g.all.add_(w.u.all)
        gradient.transpose(0, 1).copy_(w.g.all.view(self.n, images, width))

    def _coarse(self, known: Tensor) -> _Coarse | None:
        if not self.weights.marginal:
            return None
        # A label names the classes of one path from the top: fewer labels at a level are labels that end above it.
        count = known.sum(1).tolist()
        at = [i for i, (here, under) in enumerate(pairwise(count)) if under < here]
        below = [i for i, weight in enumerate(self.weights.ce) if weight and count[i] < count[0]]
        return _Coarse(at, below) if below else None

    def _exponentials(
        self, x: Tensor, flat: Tensor, channel: Tensor, known: Tensor | None, coarse: _Coarse | None
    ) -> Tensor | None:
        """u, its sums by level to norm, and picked; None where any of these is out of range."""
        w = self.scratch
        torch.exp(x, out=w.u.all)
        for u, row in zip(w.u.levels, w.norm.levels, strict=True):
            torch.sum(u, 0, keepdim=True, out=row)
        picked = w.u.flat.index_select(0, flat).view_as(w.norm.all)
        if coarse is not None and known is not None:
            self._sums_of_sets(picked, channel[-1], known, coarse)
        least, most = w.norm.all.aminmax()
        # Written so that NaN is out of range.
        if float(least) >= 1 / RANGE and float(most) <= RANGE and float(picked.min()) >= 1 / RANGE:
            return picked
        return None

    def _sums_of_sets(self, picked: Tensor, last: Tensor, known: Tensor, coarse: _Coarse) -> None:
        """Where a label ends above a level: u of the level's classes under its last class to t, 0 for all others, and
        their sums to picked.
        """
        last, void = last.to(self.dtype), 1 - known[0]
        for i in coarse.below:
            t, more = self.scratch.t.levels[i], self.scratch.m.levels[i]
            first, *others = (above for k, above in enumerate(self.above[i]) if k in coarse.at)
            torch.eq(first, last, out=t)
            for above in others:
                # Channels of different levels are different numbers: no class is under the last one twice.
                t.add_(torch.eq(above, last, out=more))
            # A void pixel gets 1, or more: in range, whatever its logits are.
            picked[i].mul_(known[i]).add_(void).add_(t.mul_(self.scratch.u.levels[i]).sum(0))

    def _shifted_exponentials(self, x: Tensor, channel: Tensor) -> Tensor:
        """As `_exponentials`, of x minus the highest logit of its level, which goes to top; picked are logits."""
        w = self.scratch
        levels = torch.split(x, list(self.sizes))
        for level, u, top in zip(levels, w.u.levels, w.top.levels, strict=True):
            torch.amax(level, 0, keepdim=True, out=top)
            torch.sub(level, top, out=u)
        w.u.all.exp_()
        for u, row in zip(w.u.levels, w.norm.levels, strict=True):
            torch.sum(u, 0, keepdim=True, out=row)
        return x.gather(0, channel)

    def _cross_entropies(
        self,
        x: Tensor,
        labels: Tensor,
        known: Tensor | None,
        coarse: _Coarse | None,
        picked: Tensor,
        *,
        shifted: bool,
    ) -> tuple[float, Tensor]:
        """Value, and what the labelled channels add to the gradient. Writes the softmax's part of the gradient to g."""
        w = self.scratch
        norm = w.norm.all
        # Where the target is nearly certain this is log(1 + little), not a difference of two large numbers.
        loss = norm.log().add_(w.top.all - picked) if shifted else torch.div(norm, picked).log_()
        weight = self.ce.expand_as(norm)
        if known is not None:
            weight = self.ce * (known[0] if self.weights.marginal else known)
        for u, g, scale in zip(w.u.levels, w.g.levels, weight / norm, strict=True):
            torch.mul(u, scale, out=g)
        hit = torch.neg(weight).contiguous()
        if known is not None:
            hit.mul_(known)
        if coarse is not None and shifted:
            self._shifted_sets(x, labels, weight, loss, norm.log().add_(w.top.all))
        elif coarse is not None:
            for i in coarse.below:
                w.g.levels[i].addcmul_(w.t.levels[i], weight[i] / picked[i], value=-1)
        return float(loss.mul_(weight).sum()), hit

    def _shifted_sets(self, x: Tensor, labels: Tensor, weight: Tensor, loss: Tensor, log_norm: Tensor) -> None:
        """Below coarse labels: the log-sum of the allowed classes in place of one logit in loss, their softmax off
        g.
        """
        at = ((labels[0] >= 0) & (labels[-1] < 0)).nonzero()[:, 0]
        allowed: Tensor | None = None
        for i, (level, g) in enumerate(zip(torch.split(x, list(self.sizes)), self.scratch.g.levels, strict=True)):
            target = labels[i, at]
            named, unknown = torch.arange(len(level)).unsqueeze(1) == target, target < 0
            allowed = named | (unknown if allowed is None else allowed[self.up[i - 1]] & unknown)
            inside = level[:, at].masked_fill_(~allowed, -math.inf)
            log_set = inside.logsumexp(0)
            loss[i, at] = torch.where(unknown, log_norm[i, at] - log_set, loss[i, at])
            g.index_add_(1, at, inside.sub_(log_set).exp_().mul_(-weight[i, at] * unknown))

    def _positives(
        self, picked: Tensor, channel: Tensor, known: Tensor | None, *, shifted: bool
    ) -> tuple[float, Tensor]:
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
        if shifted:
            s = torch.sigmoid(-lowest)
            loss = (-lowest).relu_().sub_(torch.maximum(s, 1 - s).log_())
        else:
            s = (lowest + 1).reciprocal_()
            loss = (lowest * s).log_().neg_()
        value = float(loss.mul_(weight).sum())
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

    def _others(self, x: Tensor, known: Tensor | None, flat: Tensor, *, shifted: bool) -> float:
        """softplus(z) of every class but the labelled one, z the highest below it where constrained. Gradient to u."""
        w = self.scratch
        low = 0.0
        if shifted:
            w.u.all.copy_(x)
            low = torch.finfo(self.dtype).min
        w.u.all.index_fill_(0, self.carried, low)
        if self.weights.constrained:
            self._maxima()
            w.u.all.index_fill_(0, self.carried, low)
        w.u.flat.index_fill_(0, flat, low)
        if shifted:
            most = self._squash_logits()
        else:
            most = float(w.norm.all.max())
            torch.add(w.u.all, 1, out=w.t.all)
            w.u.all.div_(w.t.all)
            w.total.flat.zero_()
        self._add_logarithms(1 + most)
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

    def _squash_logits(self) -> float:
        """Logits in u become their sigmoid s; sums of their relu by level go to total, 1 / max(s, 1 - s) <= 2 to t."""
        w = self.scratch
        torch.clamp(w.u.all, min=0, out=w.t.all)
        for level, row in zip(w.t.levels, w.total.levels, strict=True):
            torch.sum(level, 0, keepdim=True, out=row)
        torch.sigmoid(w.u.all, out=w.u.all)
        torch.sub(1, w.u.all, out=w.t.all)
        torch.maximum(w.t.all, w.u.all, out=w.t.all).reciprocal_()
        return 1.0

    def _add_logarithms(self, most: float) -> None:
        """Add the sums by level of log(t) to total; no value of t is above `most`."""
        rows = int(_LOG_OF_LARGEST / math.log(most))
        for level, total in zip(self.scratch.t.levels, self.scratch.total.all, strict=True):
            whole = len(level) // rows * rows
            if whole:
                total.add_(level[:whole].view(-1, rows, level.shape[1]).prod(1).log_().sum(0))
            if whole < len(level):
                total.add_(level[whole:].prod(0).log_())


def _above(tree: TaxonomyTensors, dtype: torch.dtype) -> list[list[Tensor]]:
    """For each level, for each level above it: (C_l, 1) the channel there of each class, as a number of `dtype`."""
    found: list[list[Tensor]] = []
    channels = torch.split(torch.arange(tree.channels, dtype=dtype).unsqueeze(1), list(tree.sizes))
    for i in range(tree.n_levels):
        found.append([above[tree.up(i)] for above in (*found[-1], channels[i - 1])] if i else [])
    return found
