"""How labelled pixels lie in a scene, coarsely: counts by class in cells of at most 16 x 16 pixels.

Cells are what a survey remembers of a label raster, so that chips can be placed without reading it again.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hieratk.rasters import Window

CELL = 16
"""Largest side of a cell in pixels."""

_DENSE = 4_000_000

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Cells:
    """Labelled valid pixels of a scene: `count[i]` pixels of group `group[i]` in the cell (`row[i]`, `col[i]`).

    Cells cut each block of the split into equal squares of at most `CELL` pixels (the last of a block may be smaller),
    so a cell lies in one block. Groups are those of `hieratk.data.split.label_groups`. Each (cell, group) stands once.
    """

    row: Ints
    col: Ints
    group: Ints
    count: Ints

    def pack(self) -> str:
        """As compressed text."""
        table = np.stack([self.row, self.col, self.group, self.count]).astype("<i8")
        return base64.b64encode(zlib.compress(table.tobytes())).decode("ascii")

    @classmethod
    def unpack(cls, text: str) -> Cells:
        """What `pack` gave."""
        table = np.frombuffer(zlib.decompress(base64.b64decode(text)), "<i8").astype(np.int64)
        return cls(*table.reshape(4, -1))


def cell_edges(block: int) -> tuple[int, int]:
    """(cells along a block, side of a cell in pixels)."""
    along = -(-block // CELL)
    return along, -(-block // along)


def cell_of(start: int, length: int, block: int) -> Ints:
    """(length,) cell of each pixel along an axis, from pixel `start` on."""
    along, side = cell_edges(block)
    at = np.arange(start, start + length)
    return at // block * along + at % block // side


def count_cells(window: Window, groups: Ints, *, block: int) -> Cells:
    """Cells of one window from the groups (h, w) of its pixels, -1 where a pixel does not count."""
    row, col = cell_of(window.row, window.height, block), cell_of(window.col, window.width, block)
    width, n = int(col[-1] - col[0]) + 1, int(groups.max(initial=-1)) + 1
    known = groups >= 0
    keys = ((row - row[0])[:, None] * width + (col - col[0]))[known] * n + groups[known]
    if (int(row[-1] - row[0]) + 1) * width * n <= _DENSE:
        # Counting into a table takes a tenth of the time that sorting does, as long as the table is small.
        counts = np.bincount(keys)
        found = np.flatnonzero(counts)
        counts = counts[found]
    else:
        found, counts = np.unique(keys, return_counts=True)
    cell, group = np.divmod(found, max(n, 1))
    return Cells(cell // width + row[0], cell % width + col[0], group, counts.astype(np.int64))


def merge_cells(parts: Sequence[Cells]) -> Cells:
    """Cells of all windows of a scene, by row, column and group; what windows cut apart is added up."""
    if not parts:
        nothing = np.zeros(0, np.int64)
        return Cells(nothing, nothing, nothing, nothing)
    row, col, group, count = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("row", "col", "group", "count")
    )
    order = np.lexsort((group, col, row))
    row, col, group, count = row[order], col[order], group[order], count[order]
    changes = (np.diff(row, prepend=-1) != 0) | (np.diff(col, prepend=-1) != 0) | (np.diff(group, prepend=-1) != 0)
    first = np.flatnonzero(changes)
    total = np.add.reduceat(count, first) if len(first) else count
    return Cells(row[first], col[first], group[first], total)
