"""One gather a block, and the counts of its values, for rasters of 8 and 16 bits.

Two 8-bit pixels are one 16-bit index: half as many look-ups in a table that still fits the cache. Whatever is indexed
is cut into runs that fit the cache too, since numpy makes 64-bit integers of indices first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_RUN = 1 << 18
_PAIR_OUT = {1: np.uint16, 2: np.uint32, 4: np.uint64}

Pixels = NDArray[Any]


def values_of(dtype: np.dtype[Any]) -> NDArray[np.int64]:
    """Every value of an integer type of 8 or 16 bits, in the order of its bits read without a sign."""
    unsigned = np.dtype(f"u{dtype.itemsize}")
    every = np.arange(1 << (8 * dtype.itemsize), dtype=np.uint32).astype(unsigned)
    return every.view(dtype).astype(np.int64)


def count(pixels: Pixels) -> NDArray[np.int64]:
    """How often each value of the type occurs, in the order of `values_of`; integers of 8 or 16 bits, any shape."""
    flat = _flat(pixels)
    if flat.dtype.itemsize == 2:
        return _bins(flat, 1 << 16)
    half = len(flat) // 2
    pairs = _bins(flat[: 2 * half].view(np.uint16), 1 << 16).reshape(256, 256)
    found: NDArray[np.int64] = pairs.sum(0) + pairs.sum(1)
    if len(flat) % 2:
        found[flat[-1]] += 1
    return found


def _bins(flat: Pixels, size: int) -> NDArray[np.int64]:
    found = np.zeros(size, np.int64)
    for start in range(0, len(flat), _RUN):
        found += np.bincount(flat[start : start + _RUN], minlength=size)
    return found


def _flat(pixels: Pixels) -> Pixels:
    flat = np.ascontiguousarray(pixels).reshape(-1)
    return flat.view(f"u{flat.dtype.itemsize}")


@dataclass(frozen=True, slots=True, eq=False)
class Gather:
    """A table total over an integer type of 8 or 16 bits: `table` has an entry a value in the order of `values_of`,
    `pairs` one for every two 8-bit values side by side in memory."""

    table: Pixels
    pairs: Pixels | None

    @classmethod
    def of(cls, table: Pixels) -> Gather:
        """From the new value of every value of the type (256 or 65,536), 1, 2 or 4 bytes wide."""
        if len(table) > 256:
            return cls(table, None)
        both = np.arange(1 << 16, dtype=np.uint16).view(np.uint8).reshape(-1, 2)
        return cls(table, np.ascontiguousarray(table[both]).view(_PAIR_OUT[table.itemsize]).reshape(-1))

    def __call__(self, pixels: Pixels) -> Pixels:
        """The new values, in the shape of `pixels`."""
        flat = _flat(pixels)
        found = np.empty(len(flat), self.table.dtype)
        if self.pairs is None:
            for start in range(0, len(flat), _RUN):
                run = slice(start, start + _RUN)
                found[run] = self.table[flat[run]]
        else:
            half = len(flat) // 2
            indices, out = flat[: 2 * half].view(np.uint16), found[: 2 * half].view(self.pairs.dtype)
            for start in range(0, half, _RUN):
                run = slice(start, start + _RUN)
                out[run] = self.pairs[indices[run]]
            if len(flat) % 2:
                found[-1] = self.table[flat[-1]]
        return found.reshape(pixels.shape)
