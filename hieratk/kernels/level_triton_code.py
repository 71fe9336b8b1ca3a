# mypy: ignore-errors
"""The kernel of `hieratk.kernels.level_triton`, in triton's own language; imported where it runs only.

A program has BLOCK pixels of one image; whatever has a value a level is (LP, BLOCK), LP the next power of two of the
number of levels, and lies in the registers of one thread a pixel. Logits are read twice, the second time from cache;
each gradient is written once.

The second pass goes through the tree from its end, children before parents. What a class's maximum over descendants
hands down must reach the descendant that has it. So the best class of every subtree is carried up, with its gradient so
far, and each class's gradient is written when it loses against another: every class loses once, or arrives at the top.
"""

from __future__ import annotations

import triton
import triton.language as tl

_LOW = tl.constexpr(-3.0e38)


@triton.jit
def _at(state, here):
    """(BLOCK,): the row of (LP, BLOCK) where `here` (LP, 1) is True."""
    return tl.sum(tl.where(here, state, 0), axis=0)


@triton.jit
def _sigmoid(x):
    return 1 / (1 + tl.exp(-x))


@triton.jit
def _softplus(x):
    return tl.maximum(x, 0.0) + tl.log(1 + tl.exp(-tl.abs(x)))


@triton.jit
def level_terms(
    z, y, g, value, counts, channel, level, own, place, end, first, ce, binary, pixels, blocks,
    N: tl.constexpr, L: tl.constexpr, LP: tl.constexpr, BLOCK: tl.constexpr, MARGINAL: tl.constexpr,
    BINARY: tl.constexpr, CONSTRAINED: tl.constexpr, WEIGHTED: tl.constexpr,
):  # fmt: skip
    """Value and gradient of BLOCK pixels; arguments as `level_triton` hands them over."""
    block, image = tl.program_id(0), tl.program_id(1).to(tl.int64)
    # A row number times this is a place in a tensor that may have more than 2^31 elements.
    wide = tl.cast(pixels, tl.int64)
    p = block * BLOCK + tl.arange(0, BLOCK)
    inside = p < pixels
    z += image * N * pixels
    g += image * N * pixels
    y += image * L * pixels
    rows = tl.arange(0, LP)[:, None]
    at_label = rows * wide + p[None, :]
    real = (rows < L) & inside[None, :]
    label = tl.load(y + at_label, mask=real, other=-1).to(tl.int32)
    known = label >= 0
    target = tl.where(known, label + tl.load(first + rows, mask=rows < L, other=0), -1)
    depth = tl.max(tl.where(known, rows + 1, 0), axis=0)
    scored = depth > 0
    deepest = tl.sum(tl.where(rows + 1 == depth[None, :], target, 0), axis=0)
    low = tl.load(place + deepest, mask=scored, other=0)
    high = tl.load(end + deepest, mask=scored, other=0)
    picked = tl.load(z + target * wide + p[None, :], mask=known, other=0).to(tl.float32)
    w_ce = tl.load(ce + rows, mask=rows < L, other=0) * (scored[None, :] if MARGINAL else known).to(tl.float32)
    w_binary = tl.load(binary + rows, mask=rows < L, other=0) * known.to(tl.float32)
    if WEIGHTED:
        of_pixel = tl.load(counts + rows * N + deepest[None, :], mask=real & scored[None, :], other=0)
        w_ce *= of_pixel
        w_binary *= of_pixel

    total = tl.zeros([BLOCK], tl.float32)
    log_norm = tl.zeros([LP, BLOCK], tl.float32)
    log_set = tl.zeros([LP, BLOCK], tl.float32)
    hit = tl.zeros([LP, BLOCK], tl.float32)
    lowest = tl.full([BLOCK], -_LOW, tl.float32)
    winner = tl.zeros([BLOCK], tl.int32)
    for i in tl.static_range(L):
        here = rows == i
        top, norm = tl.full([BLOCK], _LOW, tl.float32), tl.zeros([BLOCK], tl.float32)
        top_set, norm_set = top, norm
        for n in range(tl.load(first + i), tl.load(first + i + 1)):
            x = tl.load(z + n * wide + p, mask=inside & scored, other=0).to(tl.float32)
            higher = tl.maximum(top, x)
            norm = norm * tl.exp(top - higher) + tl.exp(x - higher)
            top = higher
            if MARGINAL:
                at = tl.load(place + n)
                x = tl.where((at >= low) & (at < high), x, _LOW)
                higher = tl.maximum(top_set, x)
                norm_set = norm_set * tl.exp(top_set - higher) + tl.exp(x - higher)
                top_set = higher
        log_norm = tl.where(here, (top + tl.log(norm))[None, :], log_norm)
        known_here = _at(known.to(tl.int32), here) > 0
        picked_here = _at(picked, here)
        nll = tl.where(known_here, top - picked_here + tl.log(norm), 0.0)
        if MARGINAL:
            # Above the deepest class without one of its own: every class is allowed.
            free = scored & (i < depth)
            log_set = tl.where(here, (top_set + tl.log(norm_set))[None, :], log_set)
            of_set = (top - top_set) + (tl.log(norm) - tl.log(norm_set))
            nll = tl.where(known_here, nll, tl.where(free, 0.0, of_set))
        total += tl.where(scored, nll, 0.0) * _at(w_ce, here)
        if BINARY:
            mine = tl.load(own + tl.load(place + _at(target, here), mask=known_here, other=0), mask=known_here, other=0)
            counts = known_here & (mine > 0)
            if CONSTRAINED:
                less = counts & (picked_here < lowest)
                winner = tl.where(less, i, winner)
                lowest = tl.where(less, picked_here, lowest)
            else:
                winner = tl.zeros([BLOCK], tl.int32) + i
                lowest = picked_here
            weight = tl.where(counts, _at(w_binary, here), 0.0)
            score = tl.where(counts, lowest, 0.0)
            total += weight * _softplus(-score)
            hit += tl.where(rows == winner[None, :], (-weight * _sigmoid(-score))[None, :], 0.0)

    best_z = tl.full([LP, BLOCK], _LOW, tl.float32)
    best_g = tl.zeros([LP, BLOCK], tl.float32)
    best_n = tl.full([LP, BLOCK], -1, tl.int32)
    for k in range(N):
        at = N - 1 - k
        n, i = tl.load(channel + at), tl.load(level + at)
        mine = tl.load(own + at) > 0
        here, under = rows == i, rows == i + 1
        x = tl.load(z + n * wide + p, mask=inside & scored, other=0).to(tl.float32)
        weight = _at(w_ce, here)
        is_target = _at(target, here) == n
        of_n = weight * tl.exp(x - _at(log_norm, here)) + tl.where(is_target, _at(hit, here) - weight, 0.0)
        if MARGINAL:
            unknown = scored & (_at(known.to(tl.int32), here) == 0)
            free = unknown & (i < depth)
            allowed = unknown & (at >= low) & (at < high)
            share = tl.exp(tl.where(allowed, x - _at(log_set, here), 0.0))
            of_n = tl.where(free, 0.0, of_n - tl.where(allowed, weight * share, 0.0))
        if BINARY:
            weight = tl.where(mine & (is_target == 0), _at(w_binary, here), 0.0)
        if BINARY and CONSTRAINED:
            own_z = tl.where(mine, x, _LOW)
            of_child, at_child, g_child = _at(best_z, under), _at(best_n, under), _at(best_g, under)
            some = tl.where(i + 1 < L, at_child, -1) >= 0
            down = some & (of_child > own_z)
            loser, of_loser = tl.where(down, n, at_child), tl.where(down, of_n, g_child)
            tl.store(g + loser * wide + p, of_loser.to(g.dtype.element_ty), mask=inside & some)
            high_z, high_n, high_g = (
                tl.where(down, of_child, own_z), tl.where(down, at_child, n), tl.where(down, g_child, of_n)
            )  # fmt: skip
            score = tl.where(weight != 0, high_z, 0.0)
            total += weight * _softplus(score)
            high_g += weight * _sigmoid(score)
            best_n = tl.where(under, -1, best_n)
            best_z = tl.where(under, _LOW, best_z)
            # Against its sisters; at the first level there is nobody left to lose to.
            rival_z, rival_n, rival_g = _at(best_z, here), _at(best_n, here), _at(best_g, here)
            some = tl.where(i > 0, rival_n, -1) >= 0
            stays = some & (rival_z > high_z)
            loser, of_loser = tl.where(stays, high_n, rival_n), tl.where(stays, high_g, rival_g)
            out = tl.where(i > 0, rival_n, 0) >= 0
            loser, of_loser = tl.where(i == 0, high_n, loser), tl.where(i == 0, high_g, of_loser)
            tl.store(g + loser * wide + p, of_loser.to(g.dtype.element_ty), mask=inside & out)
            best_z = tl.where(here, tl.where(stays, rival_z, high_z)[None, :], best_z)
            best_n = tl.where(here, tl.where(stays, rival_n, high_n)[None, :], best_n)
            best_g = tl.where(here, tl.where(stays, rival_g, high_g)[None, :], best_g)
        else:
            if BINARY:
                total += weight * _softplus(x)
                of_n += weight * _sigmoid(x)
            tl.store(g + n * wide + p, of_n.to(g.dtype.element_ty), mask=inside)
    tl.store(value + image * blocks + block, tl.sum(tl.where(inside, total, 0.0), axis=0))
