"""Scores by level from one streaming state: a vector of counts that adds up over batches, workers and machines."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hieratk.decoding import is_path
from hieratk.errors import DataError, TaxonomyError
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors


@dataclass(frozen=True, slots=True)
class LevelScores:
    """Scores of one level, from one confusion matrix over everything seen (never a mean over images).

    A pixel counts where it has a label at this level. Classes are all of the level, carried ones included: the level is
    a complete classification. Means run over the classes that occur in the truth, each with equal weight.

    Attributes:
        oa: share of pixels predicted right. NaN without pixels.
        miou: mean IoU. NaN without pixels.
        f1: mean F1. NaN without pixels.
        kappa: Cohen's kappa, (oa - chance) / (1 - chance). NaN without pixels, and where chance is 1 (one class only,
            in truth and prediction).
        iou: by class id; true positives / (true + false positives + false negatives). NaN for a class in neither truth
            nor prediction; 0 for one that is predicted but never true (it does not enter `miou`).
        support: by class id, pixels of the class in the truth.
        pixels: all of them.
    """

    oa: float
    miou: float
    f1: float
    kappa: float
    iou: dict[str, float]
    support: dict[str, int]
    pixels: int


@dataclass(frozen=True, slots=True)
class HierarchicalScores:
    """Precision, recall and F1 over nodes: each pixel is the set of nodes on its path (Kiritchenko et al., 2006, hP,
    hR, hF).

    Summed over pixels before dividing. A node counts once, on its own level. Below a coarse label nothing counts,
    neither for nor against the prediction. NaN where nothing was counted.
    """

    precision: float
    recall: float
    f1: float


class LevelMetrics:
    """Streaming scores of one tree. `update` batches, `compute` at the end; `merge` the metrics of other workers.

    The state is one int64 vector: for each level a matrix (C_l, C_l + 1), truth by prediction, the last column for "no
    class predicted", then the number of scored pixels and of those whose prediction is a path. Adding states is
    merging.
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.taxonomy = taxonomy
        self._tree = TaxonomyTensors(taxonomy)
        sizes = self._tree.sizes
        self._starts = np.cumsum([0, *(size * (size + 1) for size in sizes)]).tolist()
        self._state = torch.zeros(self._starts[-1] + 2, dtype=torch.int64)

    def update(self, predictions: Tensor, labels: Tensor) -> None:
        """Count a batch: both (B, L, ...) integer class indices within each level, on any device.

        A label below 0 is not scored at that level; a prediction below 0 (abstained) is scored as wrong. Raises
        DataError for indices that are no class of their level.
        """
        if predictions.shape != labels.shape or labels.ndim < 2 or labels.shape[1] != self._tree.n_levels:
            raise DataError(
                f"predictions {tuple(predictions.shape)} and labels {tuple(labels.shape)} must both be "
                f"(B, {self._tree.n_levels}, ...) for taxonomy `{self.taxonomy.id}`"
            )
        if not labels.numel():
            return
        tree = self._tree.to(labels.device)
        counts = [self._count(predictions[:, i], labels[:, i], i) for i in range(tree.n_levels)]
        scored = (labels >= 0).any(1)
        paths = (scored & is_path(predictions, tree)).sum()
        self._state += torch.cat([*counts, scored.sum()[None], paths[None]]).cpu()

    def _count(self, predictions: Tensor, labels: Tensor, level: int) -> Tensor:
        size = self._tree.sizes[level]
        highest = int(torch.maximum(predictions.max(), labels.max()))
        if highest >= size:
            name = self.taxonomy.level_names[level]
            raise DataError(f"class index {highest} at level `{name}`, which has {size} classes (0 to {size - 1})")
        cells = labels.long() * (size + 1) + torch.where(predictions < 0, size, predictions.long())
        void = size * (size + 1)
        return torch.where(labels < 0, void, cells).flatten().bincount(minlength=void + 1)[:void]

    def merge(self, other: LevelMetrics) -> None:
        """Add what another instance has counted. Raises TaxonomyError where its tree is another one."""
        if other.taxonomy.fingerprint != self.taxonomy.fingerprint:
            found = self.taxonomy.difference(other.taxonomy)
            raise TaxonomyError(f"cannot merge metrics of different trees: {found}; score both with one taxonomy")
        self._state += other._state

    def state(self) -> Tensor:
        """A copy of the counts, int64, to save, send or sum."""
        return self._state.clone()

    @classmethod
    def from_state(cls, taxonomy: Taxonomy, state: Tensor) -> LevelMetrics:
        """Metrics that go on from saved counts. Raises DataError for a vector of another length, dtype or below 0."""
        metrics = cls(taxonomy)
        if state.shape != metrics._state.shape or state.dtype != torch.int64:
            wanted = len(metrics._state)
            raise DataError(f"metric state is {state.dtype} {tuple(state.shape)}; this tree needs int64 ({wanted},)")
        if bool((state < 0).any()):
            raise DataError("metric state holds counts below 0; it is no sum of states")
        metrics._state = state.cpu().clone()
        return metrics

    def confusion(self, level: int) -> NDArray[np.int64]:
        """(C, C) counts of a level, truth by prediction; pixels where nothing was predicted are in `abstained`."""
        return self._matrix(level)[:, :-1].copy()

    def abstained(self, level: int) -> NDArray[np.int64]:
        """(C,) labelled pixels by true class where no class of the level was predicted."""
        return self._matrix(level)[:, -1].copy()

    def _matrix(self, level: int) -> NDArray[np.int64]:
        size = self._tree.sizes[level]
        cells = self._state[self._starts[level] : self._starts[level + 1]]
        matrix: NDArray[np.int64] = cells.numpy().reshape(size, size + 1)
        return matrix

    def compute(self) -> dict[str, LevelScores]:
        """Scores by level name, coarse to fine."""
        rows = zip(self.taxonomy.level_names, self.taxonomy.levels, strict=True)
        return {name: _scores(self._matrix(level.index), level.classes) for name, level in rows}

    def consistency(self) -> float:
        """Share of pixels with any label whose predicted classes form one root-to-leaf path; NaN without pixels."""
        scored, paths = self._state[-2:].tolist()
        return _ratio(paths, scored)

    def hierarchical(self) -> HierarchicalScores:
        """Hierarchical precision, recall and F1. Exact: on paths, a node is on both exactly where its own level
        agrees.
        """
        both = predicted = true = 0
        for i in range(self._tree.n_levels):
            first, last = self._tree.tables.offsets[i : i + 2]
            own = ~self._tree.tables.carried[first:last]
            matrix = self._matrix(i)
            both += int(np.diagonal(matrix)[own].sum())
            predicted += int(matrix[:, :-1].sum(0)[own].sum())
            true += int(matrix.sum(1)[own].sum())
        return HierarchicalScores(_ratio(both, predicted), _ratio(both, true), _ratio(2 * both, predicted + true))


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan


def _scores(matrix: NDArray[np.int64], classes: tuple[str, ...]) -> LevelScores:
    """Scores of one (C, C + 1) matrix."""
    hit = np.diagonal(matrix).astype(np.float64)
    true, predicted = matrix.sum(1), matrix[:, :-1].sum(0)
    pixels = int(true.sum())
    with np.errstate(invalid="ignore"):
        iou = hit / (true + predicted - hit)
        f1 = 2 * hit / (true + predicted)
    oa = _ratio(float(hit.sum()), pixels)
    # Counts are int64; their products may not fit, their shares do.
    chance = float((true / max(pixels, 1)) @ (predicted / max(pixels, 1)))
    occurs = true > 0
    return LevelScores(
        oa=oa,
        miou=float(iou[occurs].mean()) if pixels else math.nan,
        f1=float(f1[occurs].mean()) if pixels else math.nan,
        kappa=_ratio(oa - chance, 1 - chance),
        iou={id_: float(value) for id_, value in zip(classes, iou, strict=True)},
        support={id_: int(count) for id_, count in zip(classes, true, strict=True)},
        pixels=pixels,
    )
