"""Training chips: where to cut them, and batches of them as tensors."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hieratk.data.cells import Cells, cell_edges
from hieratk.data.scenes import SceneReader
from hieratk.data.split import TRAIN, Split
from hieratk.data.survey import Statistics, Survey
from hieratk.errors import DataError
from hieratk.rasters import Grid, Window
from hieratk.taxonomy.tables import UNDECLARED

Place = tuple[int, Window]
"""Index of a scene and a window in it."""

_KEPT_BYTES = 256 * 2**20

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class ChipSampler:
    """Draws places for square chips that lie wholly in training blocks and wholly in their scene.

    A labelled training pixel is drawn first, then a place for the chip among all those that hold the pixel's cell (up
    to 16 x 16 px, `hieratk.data.cells.Cells`), each equally likely. So a chip no smaller than a cell always holds a
    labelled pixel, and every labelled training pixel that some legal chip can hold is in some chip that can be drawn.

    Args:
        chip: side in pixels. batch: chips a step.
        balance: 0 draws the pixel uniformly from all, 1 draws its class first, uniformly from those that the training
            labels name (a coarse label counts as its own class); between them a mixture.

    Attributes:
        reachable: share of the labelled training pixels that lie where some legal chip can hold them.

    Raises DataError where no chip of that size fits, naming the largest that does.
    """

    def __init__(self, survey: Survey, split: Split, *, chip: int, batch: int, seed: int, balance: float = 0.0) -> None:
        if split.block != survey.block:
            raise ValueError(f"the survey was made for blocks of {survey.block} px, the split has {split.block}")
        self.chip, self.batch_size, self.seed = chip, batch, seed
        self._block, self._grids = split.block, survey.grids
        train = [table == TRAIN for table in split.blocks]
        self._sums = [_sums(table) for table in train]
        self._cells, self._weights, self.reachable = self._weigh(survey, train, balance)

    def batch(self, step: int) -> list[Place]:
        """Places of a step's chips: a function of seed and step alone, so resuming needs no state."""
        # Philox with the pair as its key: counter-based, so streams of neighbouring steps have nothing in common.
        key = np.array([self.seed % 2**64, step], np.uint64)
        draws = np.random.Generator(np.random.Philox(key=key)).random((self.batch_size, 4))
        chosen = np.searchsorted(self._weights, draws[:, 0] * self._weights[-1], side="right")
        chosen = np.minimum(chosen, len(self._weights) - 1)
        return [self._place(int(cell), draw) for cell, draw in zip(chosen, draws[:, 1:], strict=True)]

    def _weigh(self, survey: Survey, train: Sequence[Bools], balance: float) -> tuple[Ints, NDArray[np.float64], float]:
        """(K, 3) scene, row and column of cells, their weights added up, and the share of pixels in them."""
        along, _ = cell_edges(self._block)
        cells, groups, counts, total = [], [], [], 0
        for index, (found, grid, blocks) in enumerate(zip(survey.cells, survey.grids, train, strict=True)):
            at = found.row // along, found.col // along
            total += int(found.count[blocks[at]].sum())
            keep = _reachable(blocks, self._block, self.chip, grid)[at]
            cells.append(_stack(index, found, keep))
            groups.append(found.group[keep])
            counts.append(found.count[keep])
        count, group = np.concatenate(counts), np.concatenate(groups)
        if not len(count):
            raise DataError(self._too_large(survey, train, total))
        by_group = np.bincount(group, count)
        weight = (1 - balance) * count / count.sum()
        weight += balance * count / by_group[group] / np.count_nonzero(by_group)
        return np.concatenate(cells), np.cumsum(weight), float(count.sum() / total)

    def _too_large(self, survey: Survey, train: Sequence[Bools], labelled: int) -> str:
        if not labelled:
            return "the train split holds no labelled pixel to cut chips around; check the split and the labels"
        low, high = 0, max(max(grid.height, grid.width) for grid in survey.grids)
        along, _ = cell_edges(self._block)
        while low < high:
            middle = (low + high + 1) // 2
            fits = any(
                _reachable(blocks, self._block, middle, grid)[found.row // along, found.col // along].any()
                for blocks, grid, found in zip(train, survey.grids, survey.cells, strict=True)
            )
            low, high = (middle, high) if fits else (low, middle - 1)
        return (
            f"chips of {self.chip} px do not fit: with training blocks of {self._block} px in these scenes the largest "
            f"chip around a labelled pixel has {low} px; lower `chip` to that, or take larger blocks"
        )

    def _place(self, cell: int, draw: NDArray[np.float64]) -> Place:
        """A window for a cell, uniform over the legal ones."""
        scene, row, col = (int(x) for x in self._cells[cell])
        grid, sums = self._grids[scene], self._sums[scene]
        tall, wide = self._starts(row, grid.height), self._starts(col, grid.width)
        top, left = _spans(tall, self.chip, self._block), _spans(wide, self.chip, self._block)
        legal = _filled(sums, top[0][:, None], top[1][:, None], left[0], left[1])
        weights = np.cumsum(np.where(legal, top[2][:, None] * left[2], 0).ravel())
        pick = int(np.searchsorted(weights, draw[0] * weights[-1], side="right").clip(0, len(weights) - 1))
        i, j = divmod(pick, len(left[2]))
        r = int(tall[0] + top[3][i] + min(int(draw[1] * top[2][i]), top[2][i] - 1))
        c = int(wide[0] + left[3][j] + min(int(draw[2] * left[2][j]), left[2][j] - 1))
        return scene, Window(r, c, self.chip, self.chip)

    def _starts(self, cell: int, size: int) -> Ints:
        """First rows (or columns) of chips that hold a cell, or lie in it where they are smaller, inside the scene."""
        along, side = cell_edges(self._block)
        first = cell // along * self._block + cell % along * side
        end = min(first + side, cell // along * self._block + self._block, size)
        low, high = sorted((end - self.chip, first))
        return np.arange(max(low, 0), min(high, size - self.chip) + 1)


def normalise(image: NDArray[np.float32], valid: Bools, statistics: Statistics) -> NDArray[np.float32]:
    """(x - mean) / std of each band of (C, h, w) pixels, 0 where not valid. Changes `image` and returns it.

    A band that is constant in the training split (std 0) is only shifted. Raises DataError for another number of bands.
    """
    if len(image) != len(statistics.mean):
        raise DataError(f"the image has {len(image)} bands in use, the model was trained on {len(statistics.mean)}")
    std = np.array(statistics.std, np.float32)
    image -= np.array(statistics.mean, np.float32)[:, None, None]
    image /= np.where(std > 0, std, np.float32(1))[:, None, None]
    if not valid.all():
        np.copyto(image, 0, where=~valid)
    return image


def load_batch(
    readers: Sequence[SceneReader], places: Sequence[Place], statistics: Statistics
) -> tuple[Tensor, Tensor]:
    """Images (B, C, h, w) float32, normalised, and label rows (B, h, w) int32, row 0 where the image is not valid."""
    images, labels = [], []
    for scene, window in places:
        image, valid = readers[scene].image(window)
        images.append(normalise(image, valid, statistics))
        labels.append(np.where(valid, readers[scene].rows(window), np.int32(UNDECLARED)))
    return torch.from_numpy(np.stack(images)), torch.from_numpy(np.stack(labels))


def batches(
    sampler: ChipSampler,
    readers: Sequence[SceneReader],
    statistics: Statistics,
    *,
    first_step: int,
    last_step: int,
    ahead: int = 2,
) -> Iterator[tuple[Tensor, Tensor]]:
    """What `load_batch` gives for the steps first_step, ..., last_step - 1, read ahead by one thread.

    GDAL and numpy let other threads run while they work, so reading hides behind the network's step. Scenes that
    take at most 256 MB together are read once and kept (`SceneReader.keep`). An exception of the thread is raised here;
    when the iterator ends, is closed or fails, the thread has ended too.
    """
    ready: queue.Queue[tuple[Tensor, Tensor] | BaseException] = queue.Queue(maxsize=max(ahead, 1))
    stop = threading.Event()

    def put(item: tuple[Tensor, Tensor] | BaseException) -> None:
        while not stop.is_set():
            try:
                ready.put(item, timeout=0.1)
                return
            except queue.Full:
                continue

    def work() -> None:
        try:
            if sum(reader.nbytes for reader in readers) <= _KEPT_BYTES:
                for reader in readers:
                    reader.keep()
            for step in range(first_step, last_step):
                if stop.is_set():
                    return
                put(load_batch(readers, sampler.batch(step), statistics))
        except BaseException as error:  # whatever it is, it is raised again where the batches are used
            put(error)

    thread = threading.Thread(target=work, name="hieratk-batches", daemon=True)
    thread.start()
    try:
        for _ in range(first_step, last_step):
            item = ready.get()
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()


def _stack(index: int, found: Cells, keep: Bools) -> Ints:
    return np.stack([np.full(int(keep.sum()), index), found.row[keep], found.col[keep]], axis=1)


def _sums(train: Bools) -> Ints:
    """Number of training blocks above and to the left of each corner of the table."""
    sums = np.zeros((train.shape[0] + 1, train.shape[1] + 1), np.int64)
    sums[1:, 1:] = train.cumsum(0).cumsum(1)
    return sums


def _filled(sums: Ints, top: Ints, bottom: Ints, left: Ints, right: Ints) -> Bools:
    """Whether all blocks of the rectangles top...bottom - 1, left...right - 1 train."""
    inside = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    return np.asarray(inside == (bottom - top) * (right - left))


def _spans(starts: Ints, chip: int, block: int) -> tuple[Ints, Ints, Ints, Ints]:
    """Runs of starts that cover the same blocks: (first block, end block, number of starts, offset of the run)."""
    first, end = starts // block, (starts + chip - 1) // block + 1
    new = np.flatnonzero(np.diff(first, prepend=-1) | np.diff(end, prepend=-1))
    return first[new], end[new], np.diff(new, append=len(starts)), new


def _reachable(train: Bools, block: int, chip: int, grid: Grid) -> Bools:
    """Training blocks whose every cell some legal chip holds.

    A chip covers n = ceil(chip / block) or n + 1 blocks along an axis. Where a rectangle of such a size is all training
    and long enough inside the scene, shifting the chip within it reaches each of its cells; every legal chip lies in
    one.
    """
    marks = np.zeros((train.shape[0] + 1, train.shape[1] + 1), np.int64)
    sums = _sums(train)
    n = -(-chip // block)
    for tall, wide in product((n, n + 1), repeat=2):
        if tall > train.shape[0] or wide > train.shape[1]:
            continue
        top, left = np.arange(train.shape[0] - tall + 1), np.arange(train.shape[1] - wide + 1)
        legal = _filled(sums, top[:, None], top[:, None] + tall, left, left + wide)
        legal &= (np.minimum((top + tall) * block, grid.height) - top * block >= chip)[:, None]
        legal &= np.minimum((left + wide) * block, grid.width) - left * block >= chip
        r, c = np.nonzero(legal)
        for sign, at in ((1, (r, c)), (-1, (r + tall, c)), (-1, (r, c + wide)), (1, (r + tall, c + wide))):
            np.add.at(marks, at, sign)
    return np.asarray(marks.cumsum(0).cumsum(1)[:-1, :-1] > 0)
