# mypy: ignore-errors
"""The kernel of `hieratk.kernels.gpu`, in triton's own language; imported where it runs only."""

from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def scale(g, factor, size, BLOCK: tl.constexpr):
    """g times factor, in place; nothing is read or written where the factor is 1."""
    by = tl.load(factor)
    if by != 1:
        at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
        inside = at < size
        found = tl.load(g + at, mask=inside, other=0).to(tl.float32) * by
        tl.store(g + at, found.to(g.dtype.element_ty), mask=inside)
