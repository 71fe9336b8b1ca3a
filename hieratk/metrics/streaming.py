"""Scores from one streaming state that adds up over batches, workers and machines."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hieratk.errors import DataError, TaxonomyError
from hieratk.metrics.counting import added, cells, check, count, is_dense, starts
from hieratk.metrics.scores import (
    HierarchicalScores,
    LevelScores,
    Mistakes,
    Pairs,
    level_scores,
    mistakes,
    node_counts,
    ratio,
)
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors


class LevelMetrics:
    """Streaming scores of one tree. `update` batches, `compute` at the end; `merge` the metrics of other workers.

    The state is counts of pairs and nothing else (`hieratk.metrics.counting`): one int64 vector, or rows (cell, count)
    for trees with very many pairs. Adding states is merging.
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.taxonomy = taxonomy
        self._tree = TaxonomyTensors(taxonomy)
        self._starts = starts(self._tree)
        self._dense = is_dense(self._tree)
        shape = (cells(self._tree),) if self._dense else (0, 2)
        self._state = torch.zeros(shape, dtype=torch.int64)

    def update(self, predictions: Tensor, labels: Tensor) -> None:
        """Count a batch: both (B, L, ...) integer class indices within each level, on any device.

        A label below 0 is not scored at that level; a prediction below 0 (abstained) is scored as wrong. Raises
        DataError for indices that are no class of their level.
        """
        check(predictions, labels, self._tree)
        if labels.numel():
            self._tree = self._tree.to(labels.device)
            self._add(count(predictions, labels, self._tree).cpu())

    def _add(self, counts: Tensor) -> None:
        if self._dense:
            self._state += counts
        else:
            self._state = added(torch.cat([self._state, counts]))

    def merge(self, other: LevelMetrics) -> None:
        """Add what another instance has counted. Raises TaxonomyError where its tree is another one."""
        if other.taxonomy.fingerprint != self.taxonomy.fingerprint:
            found = self.taxonomy.difference(other.taxonomy)
            raise TaxonomyError(f"cannot merge metrics of different trees: {found}; score both with one taxonomy")
        self._add(other._state)

    def state(self) -> Tensor:
        """A copy of the counts, int64, to save, send or add up (dense: sum of vectors; else: rows put together)."""
        return self._state.clone()

    @classmethod
    def from_state(cls, taxonomy: Taxonomy, state: Tensor) -> LevelMetrics:
        """Metrics that go on from saved counts. Raises DataError for a state of another shape, dtype or below 0."""
        metrics = cls(taxonomy)
        wanted = metrics._state.shape
        fits = state.shape == wanted if metrics._dense else state.ndim == 2 and state.shape[1] == 2
        if not fits or state.dtype != torch.int64:
            shape = f"({wanted[0]},)" if metrics._dense else "(K, 2)"
            raise DataError(f"metric state is {state.dtype} {tuple(state.shape)}; this tree needs int64 {shape}")
        if bool((state < 0).any()):
            raise DataError("metric state holds counts below 0; it is no sum of states")
        if not metrics._dense and state.numel() and int(state[:, 0].max()) >= cells(metrics._tree):
            raise DataError(f"metric state holds cell {int(state[:, 0].max())}; this tree has {cells(metrics._tree)}")
        metrics._add(state.cpu())
        return metrics

    def confusion(self, level: int) -> NDArray[np.int64]:
        """(C, C) counts of a level, truth by prediction; pixels where nothing was predicted are in `abstained`."""
        size, pairs = self._tree.sizes[level], self._pairs(level)
        matrix = np.zeros((size, size + 1), np.int64)
        matrix[pairs.truth, pairs.predicted] = pairs.pixels
        return matrix[:, :-1].copy()

    def abstained(self, level: int) -> NDArray[np.int64]:
        """(C,) labelled pixels by true class where no class of the level was predicted."""
        size, pairs = self._tree.sizes[level], self._pairs(level)
        none = pairs.predicted == size
        return Pairs(pairs.truth[none], pairs.predicted[none], pairs.pixels[none]).by_truth(size)

    def _pairs(self, level: int) -> Pairs:
        first, last = self._starts[level : level + 2]
        if self._dense:
            here = self._state[first:last].numpy()
            numbers = np.flatnonzero(here)
            pixels = here[numbers]
        else:
            inside = (self._state[:, 0] >= first) & (self._state[:, 0] < last)
            numbers, pixels = (self._state[inside, i].numpy() for i in (0, 1))
            numbers = numbers - first
        truth, predicted = np.divmod(numbers, self._tree.sizes[level] + 1)
        return Pairs(truth, predicted, pixels)

    def _levels(self) -> list[Pairs]:
        return [self._pairs(i) for i in range(self._tree.n_levels)]

    def _pixels(self) -> tuple[int, int]:
        """Scored pixels, and those whose prediction is a path."""
        if self._dense:
            scored, paths = self._state[-2:].tolist()
            return scored, paths
        found = dict(self._state[self._state[:, 0] >= self._starts[-1]].tolist())
        return found.get(self._starts[-1], 0), found.get(self._starts[-1] + 1, 0)

    def compute(self) -> dict[str, LevelScores]:
        """Scores by level name, coarse to fine."""
        rows = zip(self.taxonomy.level_names, self.taxonomy.levels, strict=True)
        return {name: level_scores(self._pairs(level.index), level.classes) for name, level in rows}

    def consistency(self) -> float:
        """Share of pixels with any label whose predicted classes form one root-to-leaf path; NaN without pixels."""
        scored, paths = self._pixels()
        return ratio(paths, scored)

    def inconsistency(self) -> float:
        """1 - `consistency`: the share of pixels whose levels contradict each other or are not all decided."""
        return 1 - self.consistency()

    def hierarchical(self) -> HierarchicalScores:
        """Hierarchical precision, recall and F1."""
        both, predicted, true = node_counts(self._levels(), self._tree.tables)
        return HierarchicalScores(ratio(both, predicted), ratio(both, true), ratio(2 * both, predicted + true))

    def mistakes(self) -> Mistakes:
        """Tree distance and severity of the mistakes. For predictions that are no path, the distance counts the nodes
        named by one side only, and the severity is that of the predicted leaf."""
        return mistakes(self._levels(), self._tree.tables, self._pixels()[0])
