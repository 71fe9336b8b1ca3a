"""The slow truth: every question of the core answered by plain loops, from the definitions in the documentation.

Nothing here reads compiled tables or `Taxonomy`'s own answers: only ids, parents, levels, kinds and parts of the
declared nodes. Numbers are float64. Pixels are one axis: logits (P, N), labels (P, L).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hieratk.taxonomy.tree import Taxonomy

VOID = -100
Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


class Truth:
    """A tree, asked by loops."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.nodes = {node.id: node for node in taxonomy.nodes}
        self.special = [entry.id for entry in taxonomy.special]
        self.depth = len(taxonomy.level_names)
        self.predicted = [id_ for id_ in self.nodes if self._is_predicted(id_)]
        self.leaves = [id_ for id_ in self.predicted if not any(self._is_below(d, id_) for d in self.predicted)]
        self.levels = [self._classes(i) for i in range(self.depth)]
        self.channels = [(i, id_) for i in range(self.depth) for id_ in self.levels[i]]
        self.rows = ["", *self.nodes, *self.special]

    def path(self, id_: str) -> list[str]:
        """From the top down to the class itself."""
        node = self.nodes[id_]
        return [*(self.path(node.parent) if node.parent is not None else []), id_]

    def _is_below(self, id_: str, above: str) -> bool:
        return id_ != above and above in self.path(id_)

    def _is_predicted(self, id_: str) -> bool:
        ordinary = [n.id for n in self.nodes.values() if n.kind in ("class", "residual") and n.deprecated is None]
        return any(id_ in self.path(other) for other in ordinary)

    def class_at(self, leaf: str, level: int) -> str:
        """The class that a leaf belongs to at a level: its ancestor on that level; one that is carried up to it from
        below because the path skips the level; the leaf itself where the path ends above it."""
        on_path = [id_ for id_ in self.path(leaf) if self.nodes[id_].level >= level]
        return min(on_path, key=lambda id_: self.nodes[id_].level) if on_path else leaf

    def _classes(self, level: int) -> list[str]:
        found: list[str] = []
        for leaf in self.leaves:
            if self.class_at(leaf, level) not in found:
                found.append(self.class_at(leaf, level))
        return found

    def is_own(self, level: int, id_: str) -> bool:
        return self.nodes[id_].level == level

    def leaves_below(self, id_: str) -> set[str]:
        return {leaf for leaf in self.leaves if id_ in self.path(leaf)}

    def allowed(self, id_: str) -> set[str]:
        """Leaves that a label of a class allows; none for a special and for an undeclared value."""
        if id_ == "" or id_ in self.special:
            return set()
        node = self.nodes[id_]
        if node.deprecated is not None and node.deprecated.use:
            return set().union(*(self.allowed(other) for other in node.deprecated.use))
        if node.kind == "mixed":
            return set().union(*(self.allowed(part) for part in node.parts))
        if id_ in self.predicted:
            return self.leaves_below(id_)
        return set(self.leaves) if node.parent is None else self.allowed(node.parent)

    def index(self, id_: str) -> list[int]:
        """Class index within each level of a label: where all the leaves it allows agree."""
        found = []
        for level in range(self.depth):
            classes = {self.class_at(leaf, level) for leaf in self.allowed(id_)}
            found.append(self.levels[level].index(classes.pop()) if len(classes) == 1 else VOID)
        return found

    def allowed_classes(self, labels: Sequence[int], level: int) -> list[int]:
        """Indices within a level of the classes that a pixel's labels allow: those that share a leaf with the deepest
        labelled class at or above the level; all where there is none."""
        known = [i for i in range(level + 1) if labels[i] >= 0]
        if not known:
            return list(range(len(self.levels[level])))
        named = self.levels[known[-1]][labels[known[-1]]]
        leaves = {leaf for leaf in self.leaves if self.class_at(leaf, known[-1]) == named}
        return [c for c, id_ in enumerate(self.levels[level]) if leaves & self._members(level, id_)]

    def _members(self, level: int, id_: str) -> set[str]:
        return {leaf for leaf in self.leaves if self.class_at(leaf, level) == id_}

    def channel(self, level: int, index: int) -> int:
        return self.channels.index((level, self.levels[level][index]))

    def own_channel(self, id_: str) -> int:
        return self.channels.index((self.nodes[id_].level, id_))


@dataclass
class Value:
    """A loss and its gradient (P, N)."""

    value: float
    gradient: Floats

    def add(self, other: Value, weight: float) -> None:
        self.value += weight * other.value
        self.gradient += weight * other.gradient


def softmax(z: Sequence[float]) -> list[float]:
    top = max(z)
    e = [math.exp(v - top) for v in z]
    return [v / math.fsum(e) for v in e]


def log_sum_exp(z: Sequence[float]) -> float:
    top = max(z)
    return top + math.log(math.fsum(math.exp(v - top) for v in z))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def softplus(x: float) -> float:
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def stands_for(labels: Ints, level: int) -> list[float]:
    """For labels (P, L) how many labelled pixels each one stands for at a level, in words of docs/losses.md."""
    pixels = [p for p in range(len(labels)) if max(labels[p]) >= 0]
    found = [0.0] * len(labels)
    for p in pixels:
        found[p] = 1.0
    for i in range(level + 1):
        before = list(found)
        for p in pixels:
            alike = [q for q in pixels if i == 0 or labels[q, i - 1] == labels[p, i - 1]]
            deeper = [q for q in alike if labels[q, i] >= 0]
            if labels[p, i] >= 0:
                found[p] = before[p] * math.fsum(before[q] for q in alike) / math.fsum(before[q] for q in deeper)
    return found


def set_cross_entropy(truth: Truth, z: Floats, labels: Ints, level: int, *, coarse: str) -> Value:
    """Mean of -log(sum of softmax over the allowed classes of a level)."""
    result = Value(0.0, np.zeros_like(z))
    at = [truth.channel(level, c) for c in range(len(truth.levels[level]))]
    if coarse == "ignore":
        pixels = [p for p in range(len(z)) if labels[p, level] >= 0]
    else:
        pixels = [p for p in range(len(z)) if max(labels[p]) >= 0]
    counts = [1.0] * len(z) if coarse == "ignore" else stands_for(labels, level)
    for p in pixels:
        scores = [float(z[p, n]) for n in at]
        allowed = truth.allowed_classes(labels[p].tolist(), level)
        result.value += counts[p] * (log_sum_exp(scores) - log_sum_exp([scores[c] for c in allowed]))
        inside = dict(zip(allowed, softmax([scores[c] for c in allowed]), strict=True))
        for c, share in enumerate(softmax(scores)):
            result.gradient[p, at[c]] += counts[p] * (share - inside.get(c, 0.0))
    return _mean(result, math.fsum(counts[p] for p in pixels))


def marginal(
    truth: Truth, z: Floats, labels: Ints, weights: Sequence[float], *, coarse: str, paths: bool = False
) -> Value:
    """-sum_l w_l log P_l: a softmax over leaves, summed over the leaves allowed at each level. The score of a leaf is
    its logit, or the sum of the logits on its path.
    """
    result = Value(0.0, np.zeros_like(z))
    at = [[truth.channel(i, c) for i, c in enumerate(path_of(truth, leaf))] for leaf in truth.leaves]
    at = at if paths else [channels[-1:] for channels in at]
    for level in range(truth.depth):
        if coarse == "ignore":
            pixels, counts = [p for p in range(len(z)) if labels[p, level] >= 0], [1.0] * len(z)
        else:
            pixels, counts = [p for p in range(len(z)) if max(labels[p]) >= 0], stands_for(labels, level)
        part = Value(0.0, np.zeros_like(z))
        for p in pixels:
            scores = [math.fsum(float(z[p, n]) for n in channels) for channels in at]
            classes = [truth.levels[level][c] for c in truth.allowed_classes(labels[p].tolist(), level)]
            allowed = [v for v, leaf in enumerate(truth.leaves) if truth.class_at(leaf, level) in classes]
            inside = dict(zip(allowed, softmax([scores[v] for v in allowed]), strict=True))
            part.value += counts[p] * (log_sum_exp(scores) - log_sum_exp([scores[v] for v in allowed]))
            for v, share in enumerate(softmax(scores)):
                for n in at[v]:
                    part.gradient[p, n] += counts[p] * (share - inside.get(v, 0.0))
        result.add(_mean(part, math.fsum(counts[p] for p in pixels)), weights[level])
    return result


def binary(truth: Truth, z: Floats, labels: Ints, *, constrained: bool, coarse: str) -> Value:
    """Sum over levels of the mean of t softplus(-z) + (1 - t) softplus(z) over labelled pixels and own classes.

    `constrained` is tree-min: z of a true class is the lowest among it and its ancestors, z of another the highest
    among it and its descendants. The gradient goes to one winner: it is the truth only where no two of them are equal.
    """
    result = Value(0.0, np.zeros_like(z))
    for level in range(truth.depth):
        part = Value(0.0, np.zeros_like(z))
        own = [id_ for id_ in truth.levels[level] if truth.is_own(level, id_)]
        pixels = [p for p in range(len(z)) if labels[p, level] >= 0]
        counts = [1.0] * len(z) if coarse == "ignore" else stands_for(labels, level)
        for p in pixels:
            named = truth.levels[level][labels[p, level]]
            for id_ in own:
                up = truth.path(id_) if constrained else [id_]
                down = [d for d in truth.predicted if id_ in truth.path(d)] if constrained else [id_]
                if id_ == named:
                    winner = min((truth.own_channel(u) for u in up), key=lambda n: z[p, n])
                    part.value += counts[p] * softplus(-float(z[p, winner]))
                    part.gradient[p, winner] -= counts[p] * sigmoid(-float(z[p, winner]))
                else:
                    winner = max((truth.own_channel(d) for d in down), key=lambda n: z[p, n])
                    part.value += counts[p] * softplus(float(z[p, winner]))
                    part.gradient[p, winner] += counts[p] * sigmoid(float(z[p, winner]))
        result.add(_mean(part, math.fsum(counts[p] for p in pixels) * len(own)), 1.0)
    return result


def level_cross_entropies(truth: Truth, z: Floats, labels: Ints, weights: Sequence[float], *, coarse: str) -> Value:
    result = Value(0.0, np.zeros_like(z))
    for level, weight in enumerate(weights):
        result.add(set_cross_entropy(truth, z, labels, level, coarse=coarse), weight)
    return result


def tree_min(truth: Truth, z: Floats, labels: Ints, weights: Sequence[float], *, coarse: str) -> Value:
    result = level_cross_entropies(truth, z, labels, weights, coarse=coarse)
    result.add(binary(truth, z, labels, constrained=True, coarse=coarse), 1.0)
    return result


def bhccm(truth: Truth, z: Floats, labels: Ints, weights: Sequence[float], *, tree_weight: float, coarse: str) -> Value:
    result = marginal(truth, z, labels, weights, coarse=coarse, paths=True)
    result.add(binary(truth, z, labels, constrained=True, coarse=coarse), tree_weight)
    return result


def _mean(total: Value, count: float) -> Value:
    return Value(total.value / count, total.gradient / count) if count else Value(0.0, total.gradient)


def default_weights(truth: Truth) -> list[float]:
    return [len(classes) / len(truth.channels) for classes in truth.levels]


def path_scores(truth: Truth, z: Floats, weights: Sequence[float]) -> list[float]:
    """For one pixel (N,): the weighted log-probability of each leaf's path, every level with its own softmax."""
    logs = []
    for level in range(truth.depth):
        scores = [float(z[truth.channel(level, c)]) for c in range(len(truth.levels[level]))]
        logs.append({id_: s - log_sum_exp(scores) for id_, s in zip(truth.levels[level], scores, strict=True)})
    return [
        math.fsum(weights[i] * logs[i][truth.class_at(leaf, i)] for i in range(truth.depth)) for leaf in truth.leaves
    ]


def path_of(truth: Truth, leaf: str) -> list[int]:
    """Class index within each level of a leaf."""
    return [truth.levels[i].index(truth.class_at(leaf, i)) for i in range(truth.depth)]


def first_best(scores: Sequence[float]) -> int:
    """Index of the first highest."""
    return max(range(len(scores)), key=lambda i: (scores[i], -i))


def independent(truth: Truth, z: Floats) -> list[int]:
    """For one pixel (N,): the best class of each level."""
    return [
        first_best([float(z[truth.channel(i, c)]) for c in range(len(truth.levels[i]))]) for i in range(truth.depth)
    ]


def top_down(truth: Truth, z: Floats) -> list[int]:
    """For one pixel (N,): the best class of the first level, then the best of those that share a leaf with it, and so
    on.
    """
    found: list[int] = []
    leaves = list(truth.leaves)
    for i in range(truth.depth):
        scores = [
            float(z[truth.channel(i, c)]) if any(truth.class_at(leaf, i) == id_ for leaf in leaves) else -math.inf
            for c, id_ in enumerate(truth.levels[i])
        ]
        found.append(first_best(scores))
        leaves = [leaf for leaf in leaves if truth.class_at(leaf, i) == truth.levels[i][found[-1]]]
    return found


def is_path(truth: Truth, classes: Sequence[int]) -> bool:
    return any(path_of(truth, leaf) == list(classes) for leaf in truth.leaves)


def scores_of_level(predictions: Sequence[int], labels: Sequence[int], size: int) -> dict[str, object]:
    """OA, per-class IoU and F1, their means over the classes of the truth, kappa: counted class by class."""
    pairs = [(p, t) for p, t in zip(predictions, labels, strict=True) if t >= 0]
    iou, f1, support = [], [], []
    chance = 0.0
    for c in range(size):
        hit = sum(p == c and t == c for p, t in pairs)
        true = sum(t == c for _, t in pairs)
        predicted = sum(p == c for p, _ in pairs)
        either = sum(p == c or t == c for p, t in pairs)
        iou.append(hit / either if either else math.nan)
        f1.append(2 * hit / (true + predicted) if true + predicted else math.nan)
        support.append(true)
        chance += (true / len(pairs)) * (predicted / len(pairs)) if pairs else 0.0
    oa = sum(p == t for p, t in pairs) / len(pairs) if pairs else math.nan
    seen = [c for c in range(size) if support[c]]
    return {
        "oa": oa,
        "iou": iou,
        "support": support,
        "miou": math.fsum(iou[c] for c in seen) / len(seen) if seen else math.nan,
        "f1": math.fsum(f1[c] for c in seen) / len(seen) if seen else math.nan,
        "kappa": (oa - chance) / (1 - chance) if pairs and chance < 1 - 1e-12 else math.nan,
        "pixels": len(pairs),
    }


def node_sets(truth: Truth, predictions: Sequence[int], labels: Sequence[int]) -> tuple[set[str], set[str]]:
    """Predicted and true nodes of a pixel, each on its own level, down to the levels that the label reaches."""
    predicted, true = set(), set()
    for level in range(truth.depth):
        if labels[level] < 0:
            continue
        for classes, found in ((predictions, predicted), (labels, true)):
            if classes[level] >= 0:
                id_ = truth.levels[level][classes[level]]
                if truth.is_own(level, id_):
                    found.add(id_)
    return predicted, true
