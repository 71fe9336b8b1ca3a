"""What the counts say: scores by level, over the whole tree, and of the mistakes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hieratk.taxonomy.tables import Tables

Ints = NDArray[np.int64]


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

    Summed over pixels before dividing. A node counts once, on its own level, so that equal names on two levels are two
    classes. Below a coarse label nothing counts, neither for nor against the prediction. NaN where nothing was counted.
    """

    precision: float
    recall: float
    f1: float


@dataclass(frozen=True, slots=True)
class Mistakes:
    """How far wrong predictions are from the truth.

    Attributes:
        distance: mean number of tree edges between predicted and true class over all scored pixels, the right ones
            with 0; a prediction below a coarse label counts down to the label's level. NaN without pixels.
        severity: mean height of the lowest common ancestor over pixels whose leaf is wrong (Bertinetto et al., 2020,
            "Making Better Mistakes"): 1 where the two share a parent of leaves, the height of the tree where only the
            root holds both. NaN without such a pixel. Pixels with a leaf in truth and prediction count.
        lca_height: the same mean over all pixels with a leaf in truth and prediction, the right ones with 0.
        wrong, leaves: pixels with a wrong leaf, and with a leaf in truth and prediction.
    """

    distance: float
    severity: float
    lca_height: float
    wrong: int
    leaves: int


@dataclass(frozen=True, slots=True)
class Pairs:
    """The counts of one level that are not 0: class indices of truth and prediction (the number of classes for "none"),
    and pixels; three (K,) int64."""

    truth: Ints
    predicted: Ints
    pixels: Ints

    def by_truth(self, size: int) -> Ints:
        """(size,) pixels of each class of the truth."""
        return _sums(self.truth, self.pixels, size)

    def by_prediction(self, size: int) -> Ints:
        """(size,) pixels predicted as each class."""
        return _sums(self.predicted, self.pixels, size + 1)[:size]

    def hits(self, size: int) -> Ints:
        """(size,) pixels predicted right."""
        right = self.truth == self.predicted
        return _sums(self.truth[right], self.pixels[right], size)


def ratio(part: float, whole: float) -> float:
    """NaN where there is nothing to divide by."""
    return part / whole if whole else math.nan


def level_scores(pairs: Pairs, classes: tuple[str, ...]) -> LevelScores:
    """Scores of one level."""
    size = len(classes)
    hit, true, predicted = pairs.hits(size), pairs.by_truth(size), pairs.by_prediction(size)
    pixels = int(true.sum())
    with np.errstate(invalid="ignore"):
        iou = hit / (true + predicted - hit)
        f1 = 2 * hit / (true + predicted)
    oa = ratio(float(hit.sum()), pixels)
    # Counts are int64; their products may not fit, their shares do.
    chance = float((true / max(pixels, 1)) @ (predicted / max(pixels, 1)))
    occurs = true > 0
    return LevelScores(
        oa=oa,
        miou=float(iou[occurs].mean()) if pixels else math.nan,
        f1=float(f1[occurs].mean()) if pixels else math.nan,
        kappa=ratio(oa - chance, 1 - chance),
        iou={id_: float(value) for id_, value in zip(classes, iou, strict=True)},
        support={id_: int(count) for id_, count in zip(classes, true, strict=True)},
        pixels=pixels,
    )


def node_counts(levels: list[Pairs], tables: Tables) -> tuple[int, int, int]:
    """Nodes on predicted and true path, on the predicted, on the true one, summed over pixels. Exact: on paths, a node
    is on both exactly where its own level agrees."""
    both = predicted = true = 0
    for i, pairs in enumerate(levels):
        first, last = tables.offsets[i : i + 2]
        own, size = ~tables.carried[first:last], int(last - first)
        both += int(pairs.hits(size)[own].sum())
        predicted += int(pairs.by_prediction(size)[own].sum())
        true += int(pairs.by_truth(size)[own].sum())
    return both, predicted, true


def mistakes(levels: list[Pairs], tables: Tables, scored: int) -> Mistakes:
    """See `Mistakes`. Edges between two classes are the nodes that are on one of their paths only."""
    both, predicted, true = node_counts(levels, tables)
    leaves = len(tables.leaves)
    last = levels[-1]
    known = last.predicted < leaves
    wrong = known & (last.truth != last.predicted)
    pixels = last.pixels[wrong]
    heights = float((_lca_heights(last.truth[wrong], last.predicted[wrong], tables) * pixels).sum())
    return Mistakes(
        distance=ratio(predicted + true - 2 * both, scored),
        severity=ratio(heights, int(pixels.sum())),
        lca_height=ratio(heights, int(last.pixels[known].sum())),
        wrong=int(pixels.sum()),
        leaves=int(last.pixels[known].sum()),
    )


def _lca_heights(a: Ints, b: Ints, tables: Tables) -> Ints:
    """(K,) edges on the longest way from the lowest class (or the root) above leaves a and b (K,) down to a leaf."""
    above = np.append(tables.parent, -1)  # -1, the root, is its own parent here
    height = np.zeros(len(above), np.int64)
    for m in range(len(tables.parent) - 1, -1, -1):
        height[tables.parent[m]] = max(height[tables.parent[m]], height[m] + 1)
    x, y = (tables.node[tables.paths[leaf, -1]].copy() for leaf in (a, b))
    while (apart := x != y).any():
        # Classes are numbered depth first: the larger number of two different ones is never above the other.
        x, y = np.where(apart & (x > y), above[x], x), np.where(apart & (y > x), above[y], y)
    found: Ints = height[x]
    return found


def _sums(at: Ints, values: Ints, size: int) -> Ints:
    found = np.zeros(size, np.int64)
    np.add.at(found, at, values)
    return found
