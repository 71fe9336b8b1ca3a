"""Counts of (truth, prediction) pairs at every level: what all scores are made of, and nothing else is kept.

Cells are numbered level by level: level l has C_l rows (truth) of C_l + 1 columns (prediction, the last for "no class
predicted"), then follow the number of scored pixels and of those whose prediction is a path. Few cells are one dense
vector; for trees of thousands of classes, where most pairs never occur, only cells that occur are kept.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor

from hieratk.decoding import is_path
from hieratk.errors import DataError
from hieratk.kernels import threads
from hieratk.tensors import TaxonomyTensors

DENSE = 1 << 22
"""Cells up to which the state is dense (32 MiB)."""


def starts(tree: TaxonomyTensors) -> list[int]:
    """Number of the first cell of every level, and of what follows the last."""
    found: list[int] = np.cumsum([0, *(size * (size + 1) for size in tree.sizes)]).tolist()
    return found


def cells(tree: TaxonomyTensors) -> int:
    """How many there are, the two pixel counts included."""
    return starts(tree)[-1] + 2


def is_dense(tree: TaxonomyTensors) -> bool:
    """Whether the counts of a tree are one dense vector."""
    return cells(tree) <= DENSE


def check(predictions: Tensor, labels: Tensor, tree: TaxonomyTensors) -> None:
    """Raise DataError unless both are (B, L, ...) class indices within each level (negative: none)."""
    if predictions.shape != labels.shape or labels.ndim < 2 or labels.shape[1] != tree.n_levels:
        raise DataError(
            f"predictions {tuple(predictions.shape)} and labels {tuple(labels.shape)} must both be "
            f"(B, {tree.n_levels}, ...) for taxonomy `{tree.taxonomy.id}`"
        )
    if not labels.numel():
        return
    dims = [d for d in range(labels.ndim) if d != 1]
    highest = torch.maximum(predictions.amax(dims).long(), labels.amax(dims).long()).tolist()
    for name, size, index in zip(tree.tables.level_names, tree.sizes, highest, strict=True):
        if index >= size:
            raise DataError(f"class index {index} at level `{name}`, which has {size} classes (0 to {size - 1})")


def count(predictions: Tensor, labels: Tensor, tree: TaxonomyTensors) -> Tensor:
    """Counts of a checked batch on its device: (cells,) int64 where the tree is dense, else (K, 2) int64 rows of cell
    and count, every cell once, in ascending order.
    """
    predictions, labels = predictions.flatten(2), labels.flatten(2)
    if is_dense(tree):
        return _dense(predictions, labels, tree)
    offsets = starts(tree)
    found: list[Tensor] = []
    for i, size in enumerate(tree.sizes):
        truth, predicted = labels[:, i].long(), predictions[:, i].long()
        number = truth * (size + 1) + torch.where(predicted < 0, size, predicted) + offsets[i]
        found.append(torch.stack(torch.unique(number[truth >= 0], return_counts=True), 1))
    known = (labels >= 0).any(1)
    scored, paths = int(known.sum()), int((known & is_path(predictions, tree)).sum())
    pixels = torch.tensor([[offsets[-1], scored], [offsets[-1] + 1, paths]], device=labels.device)
    return torch.cat([*found, pixels])


def added(counts: Tensor) -> Tensor:
    """(K, 2) rows of cell and count with every cell once: rows of one cell added up."""
    numbers, at = torch.unique(counts[:, 0], return_inverse=True)
    total = torch.zeros_like(numbers).index_add(0, at, counts[:, 1])
    return torch.stack([numbers, total], 1)


def _dense(predictions: Tensor, labels: Tensor, tree: TaxonomyTensors) -> Tensor:
    """One vector. Pixels are taken in pieces that stay in the cache of a CPU, as long as a level's table does too.

    There the pieces run side by side, each on one thread (`hieratk.kernels.threads`) with tables of its own.
    """
    here = labels.device.type == "cpu"
    size = max(1 << 14, max(tree.sizes) ** 2) if here else max(labels.shape[2], 1)
    above = _above(tree, labels.device)
    pieces = [(b, slice(p, p + size)) for b in range(labels.shape[0]) for p in range(0, labels.shape[2], size)]
    width = min(threads.width(), len(pieces)) if here else 1
    free = [_Tables.of(tree, labels.device) for _ in range(width)]

    def one(piece: tuple[int, slice]) -> None:
        image, pixels = piece
        tables = free.pop()
        tables.add(predictions[image, :, pixels].long(), labels[image, :, pixels].long(), above)
        free.append(tables)

    threads.run_all([partial(one, piece) for piece in pieces], width)
    return torch.stack([tables.cells() for tables in free]).sum(0)


def _above(tree: TaxonomyTensors, device: torch.device) -> list[Tensor]:
    """For each level the class one level up of "none" and of every class, all of them plus one; 0 at the first level,
    and -1 for "none"."""
    ups = [torch.zeros(tree.sizes[0], dtype=torch.int64, device=device)]
    ups += [tree.up(i) + 1 for i in range(1, tree.n_levels)]
    return [torch.cat([up.new_tensor([-1]), up]) for up in ups]


@dataclass(frozen=True, slots=True, eq=False)
class _Tables:
    """Counts of some pieces: a table a level, whose row and column 0 are "no label" and "no class predicted", flat; and
    the two pixel counts."""

    levels: list[Tensor]
    pixels: Tensor

    @classmethod
    def of(cls, tree: TaxonomyTensors, device: torch.device) -> _Tables:
        levels = [torch.zeros((n + 1) ** 2, dtype=torch.int64, device=device) for n in tree.sizes]
        return cls(levels, torch.zeros(2, dtype=torch.int64, device=device))

    def add(self, found: Tensor, truth: Tensor, above: list[Tensor]) -> None:
        """Count one piece, predictions and labels (L, p)."""
        good: Tensor | None = None
        before: Tensor | None = None
        for i, table in enumerate(self.levels):
            predicted = found[i].clamp(min=-1).add_(1)
            number = truth[i].clamp(min=-1).add_(1).mul_(len(above[i])).add_(predicted)
            table += number.bincount(minlength=len(table))
            holds = above[i].index_select(0, predicted)
            good = holds >= 0 if good is None or before is None else good.logical_and_(torch.eq(holds, before))
            before = predicted
        assert good is not None
        known = truth.amax(0) >= 0
        self.pixels.add_(torch.stack([known.count_nonzero(), good.logical_and_(known).count_nonzero()]))

    def cells(self) -> Tensor:
        """(cells,): without "no label", and "no class predicted" last."""
        sides = [math.isqrt(len(table)) for table in self.levels]
        parts = [t.view(n, n)[1:].roll(-1, 1).flatten() for t, n in zip(self.levels, sides, strict=True)]
        return torch.cat([*parts, self.pixels])
