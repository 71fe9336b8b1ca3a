"""Labelled pixels of a split with the model's logits, and the blocks that they belong to."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hieratk.data.scenes import SceneReader
from hieratk.errors import DataError
from hieratk.models import HierarchicalModel
from hieratk.prediction.scene import stream
from hieratk.prediction.windows import Piece, pieces
from hieratk.rasters import Window
from hieratk.tensors import TaxonomyTensors
from hieratk.training.setup import Prepared

Ints = NDArray[np.int64]
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True, eq=False)
class Blocks:
    """Square blocks of `block` pixels in every scene, numbered through all of them. `first` and `columns` say the first
    number and the blocks in a row of each scene; `chosen` (all blocks,) which of them are meant."""

    block: int
    first: Ints
    columns: Ints
    chosen: NDArray[np.bool_]

    def numbers(self, scene: int, window: Window) -> Ints:
        """(h, w) the block of every pixel of a window."""
        rows = np.arange(window.row, window.row + window.height) // self.block
        cols = np.arange(window.col, window.col + window.width) // self.block
        return np.asarray(self.first[scene] + rows[:, None] * self.columns[scene] + cols)

    def some(self, numbers: Ints) -> Blocks:
        """The same blocks, others chosen."""
        chosen = np.zeros_like(self.chosen)
        chosen[numbers] = True
        return Blocks(self.block, self.first, self.columns, chosen)


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """Labelled pixels: logits (P, N), labels (P, L), and the block of each (P,)."""

    logits: Tensor
    labels: Tensor
    units: Ints


def blocks_of(prepared: Prepared, split: str, *, block: int) -> Blocks:
    """The blocks that hold a pixel of a split, labelled or not. Raises DataError for an unknown split."""
    code = prepared.split.code(split)
    grids = prepared.survey.grids
    shapes = [(-(-grid.height // block), -(-grid.width // block)) for grid in grids]
    first = np.cumsum([0, *(rows * columns for rows, columns in shapes)])
    chosen = np.zeros(int(first[-1]), bool)
    for scene, (grid, (rows, columns)) in enumerate(zip(grids, shapes, strict=True)):
        edges = np.arange(columns) * block
        for row in range(rows):
            tall = min(block, grid.height - row * block)
            inside = (prepared.split.window(scene, Window(row * block, 0, tall, grid.width)) == code).any(0)
            at = int(first[scene]) + row * columns
            chosen[at : at + columns] = np.logical_or.reduceat(inside, edges)
    return Blocks(block, first[:-1], np.array([columns for _, columns in shapes]), chosen)


def halves(blocks: Blocks, *, seed: int = 0) -> tuple[Blocks, Blocks]:
    """A quarter of the chosen blocks to fit temperatures on, and the others to choose thresholds on, by lot: thresholds
    must rest on blocks that nothing was fitted to. Raises DataError where there are fewer than two."""
    numbers = np.flatnonzero(blocks.chosen)
    if len(numbers) < 2:
        raise DataError(
            f"the split has {len(numbers)} blocks of {blocks.block} pixels; calibration needs at least two, "
            "and 1 / risk for a risk: give a smaller block"
        )
    dealt = np.random.default_rng(seed).permutation(numbers)
    few = max(1, len(numbers) // 4)
    return blocks.some(dealt[:few]), blocks.some(dealt[few:])


def labelled_pixels(
    model: HierarchicalModel,
    prepared: Prepared,
    readers: Sequence[SceneReader],
    tree: TaxonomyTensors,
    *,
    split: str,
    blocks: Blocks,
    device: str | torch.device,
    progress: Progress | None = None,
) -> Iterator[Pixels]:
    """The labelled pixels of a split in the chosen blocks, predicted by the same windows as a map."""
    code, windows = prepared.split.code(split), prepared.run.run.predict

    def wanted(scene: int, window: Window) -> NDArray[np.bool_]:
        inside: NDArray[np.bool_] = prepared.split.window(scene, window) == code
        if inside.any():
            inside &= blocks.chosen[blocks.numbers(scene, window)]
        return inside

    def cut(scene: int, reader: SceneReader) -> list[Piece]:
        grid = reader.grid
        found = pieces(grid.height, grid.width, size=windows.window, overlap=windows.overlap)
        return [piece for piece in found if wanted(scene, piece.keep).any()]

    todo = [cut(scene, reader) for scene, reader in enumerate(readers)]
    total, done = sum(map(len, todo)), 0
    for scene, reader in enumerate(readers):
        for group, logits, valids in stream(
            reader, model, todo[scene], statistics=prepared.survey.statistics, batch=windows.batch, device=device
        ):
            done += len(group)
            if progress is not None:
                progress(done, total)
            for i, piece in enumerate(group if logits is not None else ()):
                assert logits is not None
                keep, top, left = piece.keep, piece.keep.row - piece.read.row, piece.keep.col - piece.read.col
                inner = slice(top, top + keep.height), slice(left, left + keep.width)
                rows = np.where(wanted(scene, keep) & valids[i][inner], reader.rows(keep), 0)
                labels = tree.labels(torch.from_numpy(rows).to(device)[None])[0].flatten(1)
                known = (labels >= 0).any(0)
                if known.any():
                    z = logits[i][:, *inner].flatten(1)[:, known].t()
                    units = blocks.numbers(scene, keep).ravel()[known.cpu().numpy()]
                    yield Pixels(z, labels[:, known].t(), units)
