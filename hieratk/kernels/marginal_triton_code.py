# mypy: ignore-errors
"""The kernel of `hieratk.kernels.marginal_triton`, in triton's own language; imported where it runs only.

A program has BLOCK pixels of one image and walks over the leaves, which lie in depth-first order, twice. Whatever has a
value for each class on the way to a leaf is (LP, BLOCK): row 0 the root, which holds every leaf, row l the class at
level l; LP is a power of two above the number of levels. A class is entered at its first leaf, where its logit is read,
and left after its last, where its gradient is written: each channel once.
"""

from __future__ import annotations

import triton
import triton.language as tl

_LOW = tl.constexpr(-3.0e38)


@triton.jit
def _sum_of_logits(z, x, paths, leaf, rows, p, wide, inside, L: tl.constexpr, PATHS: tl.constexpr):
    """The channels (LP, 1) on the way to a leaf, their logits (LP, BLOCK), read where one is entered, and the leaf's
    score.
    """
    level = (rows > 0) & (rows <= L)
    channel = tl.load(paths + leaf * L + rows - 1, mask=level, other=-1)
    before = tl.load(paths + (leaf - 1) * L + rows - 1, mask=level & (leaf > 0), other=-1)
    entered = level & (channel != before)
    if not PATHS:
        entered = entered & (rows == L)
    x = tl.where(
        entered, tl.load(z + channel * wide + p[None, :], mask=entered & inside[None, :], other=0).to(tl.float32), x
    )
    return channel, x, tl.sum(x, axis=0)


@triton.jit
def marginal(
    z, y, g, value, shares, paths, first, pixels, blocks,
    N: tl.constexpr, L: tl.constexpr, V: tl.constexpr, LP: tl.constexpr, BLOCK: tl.constexpr, PATHS: tl.constexpr,
):  # fmt: skip
    """Value and gradient of BLOCK pixels; arguments as `marginal_triton` hands them over."""
    block, image = tl.program_id(0), tl.program_id(1).to(tl.int64)
    # A row number times this is a place in a tensor that may have more than 2^31 elements.
    wide = tl.cast(pixels, tl.int64)
    p = block * BLOCK + tl.arange(0, BLOCK)
    z += image * N * pixels
    g += image * N * pixels
    y += image * L * pixels
    rows = tl.arange(0, LP)[:, None]
    level = (rows > 0) & (rows <= L)
    inside = p < pixels
    label = tl.load(y + (rows - 1) * wide + p[None, :], mask=level & inside[None, :], other=-1).to(tl.int32)
    target = tl.where(label >= 0, label + tl.load(first + rows - 1, mask=level, other=0), -2)
    end = tl.max(target, axis=0)
    scored = end >= 0
    share = tl.load(shares + (rows - 1) * N + end[None, :], mask=(label >= 0) & scored[None, :], other=0)
    # Void pixels are not read: their logits may be anything.
    inside = inside & scored

    top = tl.full([LP, BLOCK], _LOW, tl.float32)
    norm = tl.zeros([LP, BLOCK], tl.float32)
    x = tl.zeros([LP, BLOCK], tl.float32)
    for leaf in range(V):
        channel, x, score = _sum_of_logits(z, x, paths, leaf, rows, p, wide, inside, L, PATHS)
        allowed = (channel == target) | (rows == 0)
        s = tl.where(allowed, score[None, :], _LOW)
        less = tl.exp(-tl.abs(top - s))
        norm = tl.where(allowed, tl.where(s > top, norm * less + 1, norm + less), norm)
        top = tl.maximum(top, s)
    named = level & (label >= 0)
    log_norm = tl.where(named | (rows == 0), top + tl.log(tl.where(norm > 0, norm, 1.0)), 0.0)
    whole = tl.sum(tl.where(rows == 0, log_norm, 0.0), axis=0)
    nll = tl.where(named, whole[None, :] - log_norm, 0.0)
    total = tl.sum(share * nll, axis=0)

    factor = tl.where(rows == 0, tl.sum(share, axis=0)[None, :], -share)
    x = tl.zeros([LP, BLOCK], tl.float32)
    found = tl.zeros([LP, BLOCK], tl.float32)
    for leaf in range(V):
        channel, x, score = _sum_of_logits(z, x, paths, leaf, rows, p, wide, inside, L, PATHS)
        allowed = (channel == target) | (rows == 0)
        of_leaf = tl.sum(factor * tl.exp(tl.where(allowed, score[None, :] - log_norm, _LOW)), axis=0)
        if PATHS:
            found += of_leaf[None, :]
        else:
            found = tl.where(rows == L, of_leaf[None, :], 0.0)
        after = tl.load(paths + (leaf + 1) * L + rows - 1, mask=level & (leaf + 1 < V), other=-1)
        left = level & (channel != after)
        of_class = tl.where(scored[None, :], found, 0.0)
        tl.store(g + channel * wide + p[None, :], of_class.to(g.dtype.element_ty), mask=left & (p < pixels)[None, :])
        found = tl.where(left, 0.0, found)
    tl.store(value + image * blocks + block, tl.sum(tl.where(inside, total, 0.0), axis=0))
