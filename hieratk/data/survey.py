"""One pass over all scenes: what training needs to know of them, and what somebody should be told about them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hieratk.data.cells import Cells, count_cells, merge_cells
from hieratk.data.scenes import Scene, SceneReader
from hieratk.data.split import NAMES, TEST, TRAIN, Split, label_groups
from hieratk.errors import DataError
from hieratk.rasters import Grid, Window
from hieratk.taxonomy.tables import IGNORE, ROLES, UNDECLARED, Tables, compile_tables
from hieratk.taxonomy.tree import Taxonomy

_VALUES_AT_ONCE = 4_000_000


@dataclass(frozen=True, slots=True)
class Statistics:
    """Mean and standard deviation (of the population) of each band over `pixels` valid pixels of the training split."""

    mean: tuple[float, ...]
    std: tuple[float, ...]
    pixels: int

    def to_json(self) -> dict[str, Any]:
        """As JSON values; floats keep every bit."""
        return {"mean": list(self.mean), "std": list(self.std), "pixels": self.pixels}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Statistics:
        """What `to_json` gave."""
        return cls(tuple(content["mean"]), tuple(content["std"]), content["pixels"])


@dataclass(frozen=True, slots=True)
class Undeclared:
    """A label value that the encoding does not declare: how many pixels have it, and the first (row, column)."""

    path: str
    value: int
    pixels: int
    row: int
    col: int


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What a pass over all scenes found.

    Attributes:
        taxonomy: id and version. row_ids: ids of the R label rows. groups: (R,) see `label_groups`.
        grids: of each scene. scenes: their names. bands: 1-based bands of the first scene that the network sees.
        band_names: their descriptions. statistics: over valid pixels of the training split.
        counts: (4, R) int64 valid pixels by split code and label row. valid: valid pixels of each scene.
        undeclared: label values that nobody declared. cells: `hieratk.data.cells.Cells`, one a scene.
        absent: for `train` and `test`, ids of the classes on the finest level without a pixel there.
    """

    taxonomy: str
    row_ids: tuple[str, ...]
    groups: NDArray[np.int64]
    scenes: tuple[str, ...]
    grids: tuple[Grid, ...]
    bands: tuple[int, ...]
    band_names: tuple[str, ...]
    statistics: Statistics
    counts: NDArray[np.int64]
    valid: tuple[int, ...]
    undeclared: tuple[Undeclared, ...]
    cells: tuple[Cells, ...]
    block: int
    absent: Mapping[str, tuple[str, ...]]

    def labelled(self, split: str) -> int:
        """Valid pixels of a split with a label that teaches something."""
        return int(self.counts[Split.code(split)][self.groups >= 0].sum())

    def require(self, split: str) -> None:
        """Raise DataError where a scene has no valid pixel, or a split no labelled one."""
        for name, valid, grid in zip(self.scenes, self.valid, self.grids, strict=True):
            if not valid:
                raise DataError(
                    f"the scene {name} holds no valid pixel: all {grid.height} x {grid.width} are nodata or not finite "
                    "in some band; check its `nodata` and `bands`, or leave the scene out"
                )
        if self.labelled(split):
            return
        code = Split.code(split)
        others = {name: self.labelled(name) for name in NAMES[1:] if name != split}
        raise DataError(
            f"the {split} split holds no labelled pixel: of its {int(self.counts[code].sum()):,} valid pixels all are "
            "unlabelled or undeclared ("
            + ", ".join(f"{name} has {pixels:,} labelled" for name, pixels in others.items())
            + "); check the split, and the encoding of the labels"
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What does not stop training but should be known, in whole sentences."""
        found = list(self._undeclared_warnings())
        for split, meaning in (("train", "cannot be learned"), ("test", "cannot be scored")):
            gone = self.absent[split]
            if gone and self.labelled(split):
                ids = ", ".join(gone[:12]) + (f" and {len(gone) - 12} more" if len(gone) > 12 else "")
                classes = "1 class" if len(gone) == 1 else f"{len(gone)} classes"
                found.append(f"{classes} of {self.taxonomy} without a pixel in the {split} split {meaning}: {ids}")
        flat = [name for name, std in zip(self.band_names, self.statistics.std, strict=True) if std == 0]
        if flat and self.statistics.pixels:
            found.append(f"constant over the training split, so without information: {', '.join(flat)}")
        return tuple(found)

    def summary(self) -> str:
        """What was found, for a person: a line on the scenes, and one on each split."""
        size = sum(grid.height * grid.width for grid in self.grids)
        scenes = self.scenes[0] if len(self.scenes) == 1 else f"{len(self.scenes)} scenes"
        lines = [f"{scenes}: {size:,} pixels, {sum(self.valid):,} valid, {len(self.bands)} bands"]
        for code, name in enumerate(NAMES[1:], 1):
            labelled = self.labelled(name)
            if labelled:
                classes = len(np.unique(self.groups[(self.counts[code] > 0) & (self.groups >= 0)]))
                lines.append(f"{name}: {labelled:,} labelled pixels of {classes} classes")
        return "\n".join(lines)

    def by_class(self) -> dict[str, dict[str, int]]:
        """Valid pixels by split and id of the label row, rows without pixels left out; row 0 is `(undeclared)`."""
        ids = [id_ or f"({ROLES[UNDECLARED]})" for id_ in self.row_ids]
        return {
            name: {id_: int(n) for id_, n in zip(ids, self.counts[code], strict=True) if n}
            for code, name in enumerate(NAMES)
        }

    def _undeclared_warnings(self) -> Iterator[str]:
        for path in dict.fromkeys(entry.path for entry in self.undeclared):
            entries = sorted((e for e in self.undeclared if e.path == path), key=lambda e: (-e.pixels, e.value))
            shown = ", ".join(f"{e.value} ({e.pixels:,} px, first at row {e.row}, column {e.col})" for e in entries[:5])
            more = f" and {len(entries) - 5} more" if len(entries) > 5 else ""
            values = "1 value" if len(entries) == 1 else f"{len(entries)} values"
            ignored = "it is ignored" if len(entries) == 1 else "they are ignored"
            yield f"{path} holds {values} that taxonomy {self.taxonomy} does not declare: {shown}{more}; {ignored}"

    def to_json(self) -> dict[str, Any]:
        """As JSON values: counts and statistics to be read, cells packed."""
        return {
            "taxonomy": self.taxonomy,
            "row_ids": list(self.row_ids),
            "groups": self.groups.tolist(),
            "scenes": list(self.scenes),
            "grids": [[g.height, g.width, g.transform, g.crs] for g in self.grids],
            "bands": list(self.bands),
            "band_names": list(self.band_names),
            "statistics": self.statistics.to_json(),
            "counts": {name: self.counts[code].tolist() for code, name in enumerate(NAMES)},
            "valid": list(self.valid),
            "undeclared": [[u.path, u.value, u.pixels, u.row, u.col] for u in self.undeclared],
            "cells": [cells.pack() for cells in self.cells],
            "block": self.block,
            "absent": {name: list(ids) for name, ids in self.absent.items()},
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Survey:
        """What `to_json` gave."""
        return cls(
            taxonomy=content["taxonomy"],
            row_ids=tuple(content["row_ids"]),
            groups=np.array(content["groups"], np.int64),
            scenes=tuple(content["scenes"]),
            grids=tuple(Grid(h, w, tuple(t) if t else None, crs) for h, w, t, crs in content["grids"]),
            bands=tuple(content["bands"]),
            band_names=tuple(content["band_names"]),
            statistics=Statistics.from_json(content["statistics"]),
            counts=np.array([content["counts"][name] for name in NAMES], np.int64),
            valid=tuple(content["valid"]),
            undeclared=tuple(Undeclared(*entry) for entry in content["undeclared"]),
            cells=tuple(Cells.unpack(text) for text in content["cells"]),
            block=content["block"],
            absent={name: tuple(ids) for name, ids in content["absent"].items()},
        )


def survey(scenes: Sequence[Scene], split: Split, taxonomy: Taxonomy) -> Survey:
    """Read every scene once, window by window, and count.

    Memory holds one window of about four million numbers, and for each cell of 16 x 16 px the classes in it.

    Raises RasterError for files that cannot be read, DataError for scenes that do not go together.
    """
    if not scenes:
        raise DataError("there is no scene to survey; give at least one")
    tables = compile_tables(taxonomy)
    groups = label_groups(tables)
    counts = np.zeros((4, len(tables.row_ids)), np.int64)
    moments: _Moments | None = None
    opened: list[tuple[Grid, tuple[int, ...], tuple[str, ...]]] = []
    valid, undeclared, cells = [], [], []
    for index, scene in enumerate(scenes):
        with SceneReader(scene, taxonomy) as reader:
            opened.append((reader.grid, reader.bands, reader.band_names))
            if len(reader.bands) != len(opened[0][1]):
                raise DataError(
                    f"{scene.images[0]} has {len(reader.bands)} bands in use and {scenes[0].images[0]} has "
                    f"{len(opened[0][1])}; choose the same number with `bands`"
                )
            moments = moments or _Moments(len(reader.bands))
            found = _scene(reader, split, index, groups, counts, moments)
        valid.append(found[0])
        undeclared += found[1]
        cells.append(found[2])
    assert moments is not None
    return Survey(
        taxonomy=f"{taxonomy.id} {taxonomy.version}",
        row_ids=tables.row_ids,
        groups=groups,
        scenes=tuple(scene.name or str(scene.images[0]) for scene in scenes),
        grids=tuple(grid for grid, _, _ in opened),
        bands=opened[0][1],
        band_names=opened[0][2],
        statistics=moments.result(),
        counts=counts,
        valid=tuple(valid),
        undeclared=tuple(undeclared),
        cells=tuple(cells),
        block=split.block,
        absent={NAMES[code]: _absent(tables, counts[code]) for code in (TRAIN, TEST)},
    )


def _scene(
    reader: SceneReader,
    split: Split,
    index: int,
    groups: NDArray[np.int64],
    counts: NDArray[np.int64],
    moments: _Moments,
) -> tuple[int, list[Undeclared], Cells]:
    n_rows, n_valid = len(groups), 0
    unknown: dict[int, tuple[int, int, int]] = {}
    parts: list[Cells] = []
    for window in scan(reader.grid, len(reader.bands)):
        pixels, valid = reader.image(window)
        values = reader.values(window)
        rows, codes = reader.lookup(values), split.window(index, window)
        _note_undeclared(unknown, values, rows, reader.void_values, window)
        n_valid += int(valid.sum())
        counts += np.bincount(codes[valid] * np.int64(n_rows) + rows[valid], minlength=4 * n_rows).reshape(4, n_rows)
        moments.add(pixels[:, valid & (codes == TRAIN)])
        parts.append(count_cells(window, np.where(valid, groups[rows], -1), block=split.block))
    path = str(reader.scene.label)
    listed = [Undeclared(path, value, n, row, col) for value, (n, row, col) in sorted(unknown.items())]
    return n_valid, listed, merge_cells(parts)


def _note_undeclared(
    unknown: dict[int, tuple[int, int, int]],
    values: NDArray[Any],
    rows: NDArray[np.int32],
    void: frozenset[int],
    window: Window,
) -> None:
    strange = rows == UNDECLARED
    for value in void:
        strange &= values != value
    at = np.flatnonzero(strange)
    for value, first, count in zip(*np.unique(values.ravel()[at], return_index=True, return_counts=True), strict=True):
        row, col = divmod(int(at[first]), window.width)
        before = unknown.get(int(value), (0, window.row + row, window.col + col))
        place = min(before[1:], (window.row + row, window.col + col))
        unknown[int(value)] = (before[0] + int(count), *place)


class _Moments:
    """Mean and sum of squared deviations of bands, merged part by part in float64 (Chan, Golub, LeVeque 1979)."""

    def __init__(self, bands: int) -> None:
        self.n = 0
        self.mean = np.zeros(bands)
        self.squares = np.zeros(bands)

    def add(self, pixels: NDArray[np.float32]) -> None:
        """Pixels (C, n)."""
        n = pixels.shape[1]
        if not n:
            return
        exact = pixels.astype(np.float64)
        mean = exact.mean(1)
        exact -= mean[:, None]
        delta, total = mean - self.mean, self.n + n
        self.squares += np.einsum("cn,cn->c", exact, exact) + delta**2 * (self.n * n / total)
        self.mean += delta * (n / total)
        self.n = total

    def result(self) -> Statistics:
        std = np.sqrt(self.squares / max(self.n, 1))
        return Statistics(tuple(self.mean.tolist()), tuple(std.tolist()), self.n)


def scan(grid: Grid, bands: int) -> Iterator[Window]:
    """The windows of one pass over a scene: squares that hold about `_VALUES_AT_ONCE` numbers, in multiples of the
    usual side of a stored block.
    """
    side = min(max(int((_VALUES_AT_ONCE / bands) ** 0.5) // 128 * 128, 128), 1024)
    for row in range(0, grid.height, side):
        for col in range(0, grid.width, side):
            yield Window(row, col, min(side, grid.height - row), min(side, grid.width - col))


def _absent(tables: Tables, counts: NDArray[np.int64]) -> tuple[str, ...]:
    """Ids of the classes on the finest level that no counted label row names."""
    finest = len(tables.level_names) - 1
    index = tables.index[:, finest]
    seen = np.zeros(tables.sizes[finest], bool)
    seen[index[(index != IGNORE) & (counts > 0)]] = True
    return tuple(id_ for id_, there in zip(tables.channel_ids(finest), seen, strict=True) if not there)
