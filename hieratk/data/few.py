"""Few labels: the pixels or blocks of the training split that count as labelled, all others as if nobody had looked.

Field surveys give points, digitised samples give tiles. Drawing them from a scene that is labelled everywhere shows
what a method would do with so few; images, statistics and the other splits stay as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from hieratk.data.cells import Cells, cell_edges, count_cells, merge_cells
from hieratk.data.scenes import Scene, SceneReader
from hieratk.data.split import NONE, TRAIN, Split
from hieratk.data.survey import Survey, scan
from hieratk.errors import DataError
from hieratk.rasters import Window
from hieratk.taxonomy.tables import compile_tables
from hieratk.taxonomy.tree import Taxonomy

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """What training may know of the labels.

    Attributes:
        split: training blocks without a labelled pixel in them are no training blocks here.
        survey: counts and cells of the labelled pixels alone; grids, bands and statistics of the whole.
        points: for each scene (K, 2) rows and columns of the labelled pixels; None where all of the split's count.
    """

    split: Split
    survey: Survey
    points: tuple[Ints, ...] | None


def points_per_class(
    scenes: Sequence[Scene], split: Split, survey: Survey, taxonomy: Taxonomy, *, number: int, seed: int
) -> Labelled:
    """`number` pixels of each class of the training labels, drawn uniformly without replacement; all where there are
    fewer. A class drawn with one seed and a larger number holds the pixels of the smaller.

    One pass over the labels; memory holds `number` pixels a class.
    """
    tables = compile_tables(taxonomy)
    groups = survey.groups
    best: dict[int, tuple[NDArray[np.float64], Ints]] = {}
    for index, scene in enumerate(scenes):
        with SceneReader(scene, taxonomy) as reader:
            for at, window in enumerate(scan(reader.grid, len(reader.bands))):
                codes = split.window(index, window)
                if not (codes == TRAIN).any():
                    continue
                _, valid = reader.image(window)
                rows = np.where(valid & (codes == TRAIN), groups[reader.rows(window)], -1)
                draw = np.random.Generator(np.random.PCG64([seed, index, at])).random(rows.shape)
                for group in np.unique(rows[rows >= 0]):
                    r, c = np.nonzero(rows == group)
                    found = np.stack([np.full(len(r), index), r + window.row, c + window.col], 1)
                    best[int(group)] = _smallest(best.get(int(group)), draw[r, c], found, number)
    if not best:
        survey.require("train")
    chosen = np.concatenate([places for _, places in best.values()])
    group_of = np.concatenate([np.full(len(places), group) for group, (_, places) in best.items()])
    points = tuple(chosen[chosen[:, 0] == index][:, 1:] for index in range(len(scenes)))
    cells = tuple(
        _cells_of(points[index], group_of[chosen[:, 0] == index], split.block) for index in range(len(scenes))
    )
    counts = survey.counts.copy()
    counts[TRAIN] = 0
    row_of = {int(group): int(np.flatnonzero(groups == group)[0]) for group in best}
    for group, (_, places) in best.items():
        counts[TRAIN, row_of[group]] = len(places)
    assert len(groups) == len(tables.row_ids)
    return Labelled(split, replace(survey, counts=counts, cells=cells), points)


def blocks(split: Split, survey: Survey, *, number: int, seed: int) -> Labelled:
    """`number` whole training blocks, drawn uniformly from those that hold a labelled pixel."""
    along, _ = cell_edges(split.block)
    places = []
    for index, (cells, table) in enumerate(zip(survey.cells, split.blocks, strict=True)):
        at = np.unique(np.stack([cells.row // along, cells.col // along], 1), axis=0)
        at = at[table[at[:, 0], at[:, 1]] == TRAIN]
        places.append(np.concatenate([np.full((len(at), 1), index), at], 1))
    every = np.concatenate(places)
    if number > len(every):
        raise DataError(
            f"labels.blocks: {number} training blocks were asked for, {len(every)} hold a labelled pixel; ask for fewer"
        )
    order = np.random.Generator(np.random.PCG64(seed)).permutation(len(every))[:number]
    tables = [np.where(table == TRAIN, NONE, table).astype(np.uint8) for table in split.blocks]
    for index, row, col in every[order]:
        tables[index][row, col] = TRAIN
    small = Split(split.block, tuple(tables))
    counts = survey.counts.copy()
    by_group = np.zeros(int(survey.groups.max(initial=-1)) + 1, np.int64)
    for cells, table in zip(survey.cells, tables, strict=True):
        inside = table[cells.row // along, cells.col // along] == TRAIN
        by_group += np.bincount(cells.group[inside], cells.count[inside], len(by_group)).astype(np.int64)
    counts[TRAIN] = 0
    for group, number_of in enumerate(by_group):
        counts[TRAIN, np.flatnonzero(survey.groups == group)[0]] = number_of
    return Labelled(small, replace(survey, counts=counts), None)


def _smallest(
    before: tuple[NDArray[np.float64], Ints] | None, keys: NDArray[np.float64], places: Ints, number: int
) -> tuple[NDArray[np.float64], Ints]:
    if before is not None:
        keys, places = np.concatenate([before[0], keys]), np.concatenate([before[1], places])
    order = np.argsort(keys, kind="stable")[:number]
    return keys[order], places[order]


def _cells_of(points: Ints, group: Ints, block: int) -> Cells:
    parts = []
    for (row, col), one in zip(points, group, strict=True):
        parts.append(count_cells(Window(int(row), int(col), 1, 1), np.array([[one]]), block=block))
    return merge_cells(parts)
