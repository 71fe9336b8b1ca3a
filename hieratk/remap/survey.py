"""What a raster of classes holds: how often each value occurs, and where an undeclared one is seen first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hieratk.errors import RasterError
from hieratk.rasters import Grid, Raster, RasterInfo, Window
from hieratk.remap.gather import count, values_of
from hieratk.taxonomy.tables import UNDECLARED, Lookup

_PIXELS = 1 << 22
_SIDE = 512
_KEPT = 1000


@dataclass(frozen=True, slots=True)
class Seen:
    """A raster value or a range of them, how many pixels have it, its label row, and the first pixel (row, column) of
    an undeclared one, in the order of reading."""

    low: int
    high: int
    pixels: int
    row: int
    first: tuple[int, int] | None = None

    def __str__(self) -> str:
        return str(self.low) if self.low == self.high else f"{self.low}..{self.high}"


def windows(grid: Grid, block: tuple[int, int]) -> Iterator[Window]:
    """Windows of some million pixels that cover a grid, row by row, along the borders of stored blocks."""
    rows, columns = (min(side, 4096) for side in block)
    height = -(-min(_SIDE, grid.height) // rows) * rows
    width = max(_PIXELS // height // columns, 1) * columns
    for row in range(0, grid.height, height):
        for column in range(0, grid.width, width):
            yield Window(row, column, min(height, grid.height - row), min(width, grid.width - column))


def class_band(raster: Raster, band: int) -> np.dtype[Any]:
    """The type of a band that holds classes. Raises RasterError for a band that is not there or not of integers."""
    raster.require_bands((band,))
    dtype = np.dtype(raster.info.dtype)
    if dtype.kind not in "iu":
        raise RasterError(f"{raster.path} is {dtype}; a raster of classes holds integers: convert it without scaling")
    return dtype


def file_nodata(info: RasterInfo, band: int) -> int | None:
    """The nodata value that a file states for a band, None where it states none that a pixel could have."""
    value = info.band_nodata[band - 1]
    if value is None or value != value or int(value) != value:
        return None
    limits = np.iinfo(info.dtype)
    return int(value) if limits.min <= value <= limits.max else None


class Survey:
    """Counts the values of a raster block by block; memory does not grow with the raster.

    Undeclared values of wide types are listed up to a thousand, the rest are counted together in `unlisted`.
    """

    def __init__(self, lookup: Lookup, dtype: np.dtype[Any]) -> None:
        self.lookup = lookup
        self.dtype = dtype
        self.unlisted = 0
        self.masked = 0
        self._first: dict[int, tuple[int, int]] = {}
        if dtype.itemsize <= 2:
            self.values = values_of(dtype)
            self.rows = lookup(self.values)
            self._bins = np.zeros(len(self.values), np.int64)
        else:
            self._ranges = _ranges(lookup)
            self._bins = np.zeros(len(self._ranges), np.int64)
            self._others: dict[int, int] = {}

    def add(self, pixels: NDArray[Any], window: Window, mask: NDArray[np.bool_] | None = None) -> None:
        """Count a block (h, w), and of it only the pixels where `mask` (h, w) is True."""
        inner = pixels if mask is None else pixels[mask]
        self.masked += pixels.size - inner.size
        if self.dtype.itemsize > 2:
            self._add_wide(inner, pixels, window, mask)
            return
        new = count(inner)
        fresh = np.flatnonzero((self.rows == UNDECLARED) & (new > 0) & (self._bins == 0))
        for index in fresh[: _KEPT - len(self._first)].tolist():
            self._place(int(self.values[index]), pixels, window, mask)
        self._bins += new

    def _add_wide(
        self, inner: NDArray[Any], pixels: NDArray[Any], window: Window, mask: NDArray[np.bool_] | None
    ) -> None:
        wide = as_int64(inner).ravel()
        inside = np.zeros(wide.size, bool)
        if len(self._ranges):
            at = np.searchsorted(self._ranges[:, 0], wide, side="right") - 1
            inside = (at >= 0) & (wide <= self._ranges[at, 1])
            self._bins += np.bincount(at[inside], minlength=len(self._bins))
        values, counts = np.unique(wide[~inside], return_counts=True)
        for value, pixels_of in zip(values.tolist(), counts.tolist(), strict=True):
            if value not in self._others and len(self._others) >= _KEPT:
                self.unlisted += pixels_of
                continue
            if value not in self._others:
                self._place(value, pixels, window, mask)
            self._others[value] = self._others.get(value, 0) + pixels_of

    def _place(self, value: int, pixels: NDArray[Any], window: Window, mask: NDArray[np.bool_] | None) -> None:
        where = (pixels if pixels.dtype.itemsize <= 2 else as_int64(pixels)) == value
        if mask is not None:
            where &= mask
        row, column = divmod(int(where.argmax()), where.shape[1])
        self._first[value] = (window.row + row, window.col + column)

    def seen(self) -> tuple[Seen, ...]:
        """Every value that occurs, in ascending order."""
        if self.dtype.itemsize <= 2:
            columns = (self.values.tolist(), self._bins.tolist(), self.rows.tolist())
            found = [Seen(v, v, pixels, r, self._first.get(v)) for v, pixels, r in zip(*columns, strict=True) if pixels]
        else:
            rows = self.lookup(self._ranges[:, 0]).tolist()
            spans = zip(self._ranges.tolist(), self._bins.tolist(), rows, strict=True)
            found = [Seen(low, high, pixels, row) for (low, high), pixels, row in spans if pixels]
            found += [Seen(v, v, pixels, UNDECLARED, self._first[v]) for v, pixels in self._others.items()]
        return tuple(sorted(found, key=lambda one: one.low))


def as_int64(pixels: NDArray[Any]) -> NDArray[np.int64]:
    """Values as 64-bit integers; unsigned ones beyond them, which no encoding declares, as the largest."""
    if pixels.dtype == np.uint64:
        pixels = np.minimum(pixels, np.uint64(2**63 - 1))
    found: NDArray[np.int64] = pixels.astype(np.int64)
    return found


def _ranges(lookup: Lookup) -> NDArray[np.int64]:
    """(K, 2) declared spans of a lookup, ascending."""
    if lookup.ranges is not None:
        return lookup.ranges
    assert lookup.table is not None
    values = np.flatnonzero(lookup.table != UNDECLARED).astype(np.int64) + lookup.low
    return np.stack([values, values], 1)
