"""What every pass over a chunk of pixels shares: its scratch, its labels as channels, and the range of plain forms."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

RANGE = math.exp(35)
"""This, its inverse, and the quotient of both are ordinary float32 numbers."""


class Rows:
    """Scratch of P pixels with all its views made once: making one costs as much as a small operation on it.

    all (rows, P); flat, the same as a vector; levels, the same by level.
    """

    __slots__ = ("all", "flat", "levels")

    def __init__(self, memory: Tensor, sizes: Sequence[int], pixels: int) -> None:
        rows = sum(sizes)
        self.flat = memory[: rows * pixels]
        self.all = self.flat.view(rows, pixels)
        self.levels = torch.split(self.all, list(sizes))


def channels_of(labels: Tensor, first: Tensor) -> tuple[Tensor, Tensor]:
    """Of labels (L, P): the labelled channel, below the last class named that one again, 0 for a void pixel; and 1
    where a class is named, else 0.
    """
    # By arithmetic: picking by truth values costs several times as much.
    named = (labels + 1).clamp_(0, 1)
    channel = (labels + first).mul_(named)
    for above, row in pairwise(channel):
        torch.maximum(above, row, out=row)
    return channel, named


def without_void(x: Tensor, known: Tensor) -> Tensor:
    """x (., P) with zeros where known (L, P) is 0 throughout: weights of 0 do not silence NaN and infinity there."""
    return x.index_fill(1, (known.amax(0) == 0).nonzero()[:, 0], 0.0)
