"""Which pixels are for training, validation and test: square blocks of a scene, each in one part as a whole.

Neighbouring pixels of a map are almost copies of each other, so pixels dealt out singly would put near-copies of the
training set into the test set. Every split here is therefore a table of blocks.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hieratk.data.scenes import Scene, SceneReader
from hieratk.errors import DataError
from hieratk.rasters import Window, inspect
from hieratk.taxonomy.tables import IGNORE, Tables, compile_tables
from hieratk.taxonomy.tree import Taxonomy

NAMES = ("none", "train", "val", "test")
"""Names of the codes 0 to 3."""

NONE, TRAIN, VAL, TEST = range(4)

Codes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """`blocks` has for each scene one code a block (ceil(H / block), ceil(W / block)) uint8; blocks at the right and
    bottom edge may be cut off by the scene."""

    block: int
    blocks: tuple[Codes, ...]

    @staticmethod
    def code(name: str) -> int:
        """The code of `train`, `val` or `test`. Raises DataError for another name."""
        if name not in NAMES[1:]:
            raise DataError(f"there is no split `{name}`; the splits are {', '.join(NAMES[1:])}")
        return NAMES.index(name)

    def window(self, scene: int, window: Window) -> Codes:
        """Codes (h, w) of a window of the scene of that index."""
        rows = np.arange(window.row, window.row + window.height) // self.block
        cols = np.arange(window.col, window.col + window.width) // self.block
        return self.blocks[scene][rows[:, None], cols]

    def to_json(self) -> dict[str, Any]:
        """As JSON: one text of digits a row of blocks."""
        return {"block": self.block, "blocks": [["".join(map(str, row)) for row in table] for table in self.blocks]}

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Split:
        """What `to_json` gave."""
        tables = [np.array([[int(digit) for digit in row] for row in rows], np.uint8) for rows in content["blocks"]]
        return cls(content["block"], tuple(tables))

    @property
    def digest(self) -> str:
        """Hex digest: equal for equal splits."""
        sums = hashlib.sha256(str(self.block).encode())
        for table in self.blocks:
            sums.update(repr(table.shape).encode() + table.tobytes())
        return sums.hexdigest()


def block_split(
    scenes: Sequence[Scene],
    *,
    block: int,
    folds: int = 5,
    a: int = 7,
    b: int = 3,
    test: Collection[int] = (0,),
    val: Collection[int] = (1,),
) -> Split:
    """Blocks of `block` pixels in a fixed pattern: the block in row r and column c has fold (a r + b c) mod `folds`.

    Folds in `test` and `val` are theirs, all others train. The pattern starts anew in each scene.
    """
    tables = []
    for rows, cols in _shapes(scenes, block):
        fold = (a * np.arange(rows)[:, None] + b * np.arange(cols)) % folds
        codes = np.where(np.isin(fold, list(test)), TEST, np.where(np.isin(fold, list(val)), VAL, TRAIN))
        tables.append(codes.astype(np.uint8))
    return Split(block, tuple(tables))


def table_split(scenes: Sequence[Scene], path: Path, *, tile: int) -> Split:
    """Tiles of `tile` pixels named in a CSV file with columns `row`, `col` (0-based, in tiles) and `split`.

    A column `scene` (a name or an index from 0) says which scene where there are several. Tiles that are not named
    belong to no split. Raises DataError with file and line for a row that cannot be used.
    """
    blocks = [np.zeros(shape, np.uint8) for shape in _shapes(scenes, tile)]
    names = {scene.name: index for index, scene in enumerate(scenes) if scene.name}
    names |= {str(index): index for index in range(len(scenes)) if str(index) not in names}
    seen: dict[tuple[int, int, int], int] = {}
    for line, entry in _csv(path):
        where = f"{path}, line {line}"
        split = (entry["split"] or "").strip()
        if split not in NAMES:
            raise DataError(f"{where}: split `{split}` is none of {', '.join(NAMES[1:])}")
        name = (entry.get("scene") or "0").strip()
        if name not in names:
            raise DataError(f"{where}: there is no scene `{name}`; the scenes are {', '.join(names)}")
        try:
            row, col = int(entry["row"] or ""), int(entry["col"] or "")
        except ValueError:
            raise DataError(f"{where}: row `{entry['row']}` and col `{entry['col']}` must be whole numbers") from None
        scene = names[name]
        rows, cols = blocks[scene].shape
        if not (0 <= row < rows and 0 <= col < cols):
            raise DataError(
                f"{where}: tile row {row}, column {col} lies outside {scenes[scene].images[0]}, which has "
                f"{rows} x {cols} tiles of {tile} px, counted from 0"
            )
        code = NAMES.index(split)
        if (scene, row, col) in seen and blocks[scene][row, col] != code:
            raise DataError(
                f"{where}: tile row {row}, column {col} is `{split}` here and "
                f"`{NAMES[blocks[scene][row, col]]}` in line {seen[scene, row, col]}"
            )
        seen[scene, row, col] = line
        blocks[scene][row, col] = code
    return Split(tile, tuple(blocks))


def random_split(
    scenes: Sequence[Scene],
    taxonomy: Taxonomy,
    *,
    block: int,
    test: float = 0.2,
    val: float = 0.1,
    seed: int = 0,
    stratify: bool = True,
) -> Split:
    """Blocks of `block` pixels dealt out by seed, about `test` and `val` of them, the rest for training.

    With `stratify` the labels are read once and blocks are dealt class by class, the class with the fewest blocks first
    (after Sechidis et al. 2011, "On the stratification of multi-label data", with pixels for samples; the order in
    which splits are served is chosen here): the first block of a class goes to training, the next to test, the next to
    validation, further ones to the split that lacks most of its share of the class. So a class that lies in one block
    is at least learned, and one that lies in two is scored too, unless its blocks went with a class of fewer blocks.

    Raises DataError where `test` and `val` leave nothing for training.
    """
    if min(test, val) < 0 or test + val >= 1:
        raise DataError(f"test {test:g} and val {val:g} must be shares that leave something for training")
    shapes = _shapes(scenes, block)
    random = np.random.Generator(np.random.PCG64(seed))
    shares = np.array([0.0, 1 - test - val, val, test])
    sizes = [rows * cols for rows, cols in shapes]
    if stratify:
        found = [_block_classes(scene, taxonomy, block, shape) for scene, shape in zip(scenes, shapes, strict=True)]
        starts = np.cumsum([0, *sizes])
        blocks = np.concatenate([start + at for start, (at, _, _) in zip(starts, found, strict=False)])
        classes = np.concatenate([group for _, group, _ in found])
        pixels = np.concatenate([count for _, _, count in found])
        codes = _deal(sum(sizes), blocks, classes, pixels, shares, random)
    else:
        codes = _fill(np.zeros(sum(sizes), np.uint8), shares, random)
    parts = np.split(codes, np.cumsum(sizes)[:-1])
    return Split(block, tuple(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)))


def label_groups(tables: Tables) -> NDArray[np.int64]:
    """(R,) a number for each label row: rows that teach the same class at every level share it; -1 teaches nothing."""
    groups = np.full(len(tables.index), -1)
    teaches = (tables.index != IGNORE).any(1)
    if teaches.any():
        groups[teaches] = np.unique(tables.index[teaches], axis=0, return_inverse=True)[1].reshape(-1)
    return groups


def _deal(
    n: int,
    blocks: NDArray[np.int64],
    classes: NDArray[np.int64],
    pixels: NDArray[np.int64],
    shares: NDArray[np.float64],
    random: np.random.Generator,
) -> Codes:
    """Codes (n,) of blocks from (block, class, pixels) triplets."""
    codes = np.zeros(n, np.uint8)
    classes = np.unique(classes, return_inverse=True)[1].reshape(-1)
    count = int(classes.max()) + 1 if len(classes) else 0
    wish = shares[:, None] * np.bincount(classes, pixels, count)
    got = np.zeros((4, count))
    served = [code for code in (TRAIN, TEST, VAL) if shares[code] > 0]
    order = np.argsort(blocks, kind="stable")
    blocks, classes, pixels = blocks[order], classes[order], pixels[order]
    first = np.searchsorted(blocks, np.arange(n + 1))

    for class_ in np.argsort(np.bincount(classes, minlength=count), kind="stable"):
        here = np.flatnonzero((classes == class_) & (codes[blocks] == NONE))
        here = here[np.argsort(random.random(len(here)), kind="stable")]
        if not got[TRAIN, class_] and len(here):
            # Training gets the largest: a class must be learned before it can be scored.
            largest = int(np.argmax(pixels[here]))
            here = np.concatenate([here[largest : largest + 1], np.delete(here, largest)])
        for triplet in here:
            block = blocks[triplet]
            missing = [code for code in served if not got[code, class_]]
            lack = [wish[code, class_] - got[code, class_] for code in served]
            codes[block] = missing[0] if missing else served[int(np.argmax(lack))]
            inside = slice(first[block], first[block + 1])
            got[codes[block], classes[inside]] += pixels[inside]
    return _fill(codes, shares, random)


def _fill(codes: Codes, shares: NDArray[np.float64], random: np.random.Generator) -> Codes:
    """Blocks without a code get one by share."""
    drawn = np.searchsorted(np.cumsum(shares[1:]), random.random(len(codes)), side="right").clip(0, 2) + 1
    return np.where(codes == NONE, drawn, codes).astype(np.uint8)


def _block_classes(
    scene: Scene, taxonomy: Taxonomy, block: int, shape: tuple[int, int]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """(block, class, pixels) triplets of a scene's labels, in one pass by strips of blocks."""
    groups = label_groups(compile_tables(taxonomy))
    n = int(groups.max()) + 1
    found: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    with SceneReader(scene, taxonomy) as reader:
        height, width = reader.grid.height, reader.grid.width
        column = np.arange(width) // block
        for r in range(0, height, strip := min(512, height)):
            window = Window(r, 0, min(strip, height - r), width)
            group = groups[reader.rows(window)]
            at = (np.arange(r, r + window.height) // block)[:, None] * shape[1] + column
            known = group >= 0
            found.append(np.unique(at[known] * n + group[known], return_counts=True))
    keys = np.concatenate([key for key, _ in found])
    merged, inverse = np.unique(keys, return_inverse=True)
    pixels = np.bincount(inverse.reshape(-1), np.concatenate([count for _, count in found]), len(merged))
    return merged // n, merged % n, pixels.astype(np.int64)


def _shapes(scenes: Sequence[Scene], block: int) -> list[tuple[int, int]]:
    """Rows and columns of blocks of each scene."""
    if block < 1:
        raise DataError(f"a block of {block} px holds no pixel")
    grids = [inspect(scene.images[0]).grid for scene in scenes]
    return [(-(-grid.height // block), -(-grid.width // block)) for grid in grids]


def _csv(path: Path) -> Iterable[tuple[int, dict[str, str | None]]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [name for name in ("row", "col", "split") if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(
                    f"{path} has no column {', '.join(missing)}; its first line must name row, col and split"
                )
            for entry in reader:
                yield reader.line_num, entry
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"cannot read the table of tiles {path}: {error}") from None
