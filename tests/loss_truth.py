"""The losses by plain loops over pixels, nodes and sets of leaves, in Python floats; and random trees to try them on.

Written from the formulas in docs/losses.md and the papers they cite. Nothing here reads compiled tables: a label is a
set of leaf ids with shares or without, a probability is looked up by id. `tests.oracle.Truth` answers about the tree.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from hieratk.taxonomy.tree import Node, Taxonomy
from tests.oracle import Floats, Truth, sigmoid, softmax, softplus

Probabilities = dict[str, float]

LONG = int(os.environ.get("HIERATK_TREES", "0"))
"""So many random trees of up to 200 nodes and 6 levels for each loss and decoder; 0 for a few small ones."""

TREES = range(LONG or 12)
"""Their seeds."""


@dataclass(frozen=True)
class Label:
    """The leaves that a pixel's label allows (none: void), and their shares where it states them."""

    leaves: frozenset[str] = frozenset()
    shares: Mapping[str, float] = field(default_factory=dict)


@dataclass
class Term:
    factor: float
    values: list[float]
    counts: list[float]


class Scene:
    """Pixels with logits (P, N) and labels, and the weights of classes."""

    def __init__(self, truth: Truth, z: Floats, labels: Sequence[Label], weights: Mapping[str, float]) -> None:
        self.truth, self.z, self.class_weights = truth, z, weights
        self.stratified = False
        # One of all the leaves: that says nothing, unless all of them are below one class of the first level.
        nothing = Label(frozenset(truth.leaves))
        self.labels = [Label() if label == nothing and len(truth.levels[0]) > 1 else label for label in labels]
        # Asked again and again by the loops below.
        self.at = {channel: n for n, channel in enumerate(truth.channels)}
        self.class_at = {(leaf, i): truth.class_at(leaf, i) for leaf in truth.leaves for i in range(truth.depth)}
        self.level_softmax = cache(self._level_softmax)
        self.pixels = range(len(labels))
        self.last = truth.depth - 1

    def logit(self, p: int, level: int, id_: str) -> float:
        return float(self.z[p, self.at[level, id_]])

    def own_logit(self, p: int, id_: str) -> float:
        return self.logit(p, self.truth.nodes[id_].level, id_)

    def named(self, p: int, level: int) -> str | None:
        classes = {self.class_at[leaf, level] for leaf in self.labels[p].leaves}
        return classes.pop() if len(classes) == 1 else None

    def allowed(self, p: int, level: int) -> list[str]:
        classes = {self.class_at[leaf, level] for leaf in self.labels[p].leaves}
        return [id_ for id_ in self.truth.levels[level] if id_ in classes]

    def share(self, p: int, level: int) -> Probabilities:
        found: Probabilities = {}
        for leaf, share in self.labels[p].shares.items():
            id_ = self.class_at[leaf, level]
            found[id_] = found.get(id_, 0.0) + share
        return found

    def nll(self, p: int, level: int, prob: Probabilities) -> float:
        if not self.labels[p].leaves:
            return 0.0
        if self.labels[p].shares:
            return -math.fsum(q * math.log(prob[id_]) for id_, q in self.share(p, level).items())
        return -math.log(math.fsum(prob[id_] for id_ in self.allowed(p, level)))

    def average(self, p: int, level: int, values: Mapping[str, float]) -> float:
        if self.labels[p].shares:
            return math.fsum(q * values.get(id_, 1.0) for id_, q in self.share(p, level).items())
        classes = self.allowed(p, level)
        return math.fsum(values.get(id_, 1.0) for id_ in classes) / len(classes) if classes else 0.0

    def stands_for(self, level: int) -> list[float]:
        """How many labelled pixels each one stands for at a level."""
        found = [1.0 if label.leaves else 0.0 for label in self.labels]
        for i in range(level + 1):
            before = list(found)
            for p in self.pixels:
                if self.named(p, i) is None or not self.labels[p].leaves:
                    continue
                above = None if i == 0 else self.named(p, i - 1)
                alike = [q for q in self.pixels if i == 0 or self.named(q, i - 1) == above]
                deeper = [q for q in alike if self.named(q, i) is not None]
                found[p] = before[p] * math.fsum(before[q] for q in alike) / math.fsum(before[q] for q in deeper)
        return found

    def scored(self, level: int) -> list[float]:
        stands = self.stands_for(level if self.stratified else -1)
        return [stands[p] and stands[p] * self.average(p, level, self.class_weights) for p in self.pixels]

    def known(self, level: int) -> list[float]:
        weight = self.scored(level)
        return [weight[p] if self.named(p, level) is not None else 0.0 for p in self.pixels]

    def _level_softmax(self, p: int, level: int) -> Probabilities:
        classes = self.truth.levels[level]
        return dict(zip(classes, softmax([self.logit(p, level, id_) for id_ in classes]), strict=True))

    def sums(self, leaves: Probabilities, level: int) -> Probabilities:
        found = dict.fromkeys(self.truth.levels[level], 0.0)
        for leaf, value in leaves.items():
            found[self.class_at[leaf, level]] += value
        return found

    def term(self, factor: float, value: Callable[[int], float], counts: list[float]) -> Term:
        return Term(factor, [value(p) if counts[p] else 0.0 for p in self.pixels], counts)


def reduced(terms: Sequence[Term], reduction: str) -> list[float]:
    """[mean], [sum], or a value a pixel."""
    if reduction == "mean":
        sums = [sum(map(math.prod, zip(t.values, t.counts, strict=True))) for t in terms]
        return [math.fsum(t.factor * x / (sum(t.counts) or 1.0) for t, x in zip(terms, sums, strict=True))]
    pixels = [math.fsum(t.factor * t.values[p] * t.counts[p] for t in terms) for p in range(len(terms[0].values))]
    return [math.fsum(pixels)] if reduction == "sum" else pixels


def weights_by_size(truth: Truth) -> list[float]:
    return [len(classes) / len(truth.channels) for classes in truth.levels]


def level_ce(scene: Scene, weights: Sequence[float] | None = None, *, sets: bool = True) -> list[Term]:
    found = []
    for level, weight in enumerate(weights or weights_by_size(scene.truth)):
        counts = scene.scored(level) if sets else scene.known(level)
        found.append(scene.term(weight, lambda p, i=level: scene.nll(p, i, scene.level_softmax(p, i)), counts))
    return found


def binary(scene: Scene, factor: float, kind: str, gamma: float = 0.0) -> list[Term]:
    """`kind`: plain, tree-min or c-hmcnn."""
    truth = scene.truth
    paths = {id_: truth.path(id_) for id_ in truth.predicted}

    def cost(x: float) -> float:
        return sigmoid(x) ** gamma * softplus(x)

    def value(p: int, level: int) -> float:
        named = scene.named(p, level)
        own = [id_ for id_ in truth.levels[level] if truth.is_own(level, id_)]
        total = 0.0
        deep = [scene.named(p, i) for i in range(truth.depth)]
        true = {id_ for i, id_ in enumerate(deep) if id_ is not None and truth.is_own(i, id_)}
        for id_ in own:
            below = [d for d in truth.predicted if id_ in paths[d]]
            if id_ != named:
                x = scene.own_logit(p, id_) if kind == "plain" else max(scene.own_logit(p, d) for d in below)
                total += cost(x)
            elif kind == "plain":
                total += cost(-scene.own_logit(p, id_))
            elif kind == "tree-min":
                total += cost(-min(scene.own_logit(p, u) for u in paths[id_]))
            else:
                total += cost(-max(scene.own_logit(p, d) for d in below if d in true))
        return total / max(len(own), 1)

    return [scene.term(factor, lambda p, i=level: value(p, i), scene.known(level)) for level in range(truth.depth)]


def tree_min(scene: Scene) -> list[Term]:
    return level_ce(scene) + binary(scene, 1.0, "tree-min")


def level_bce(scene: Scene) -> list[Term]:
    return level_ce(scene) + binary(scene, 1.0, "plain")


def flat_ce(scene: Scene) -> list[Term]:
    return level_ce(scene, [0.0] * scene.last + [1.0])[-1:]


def marginal(scene: Scene) -> list[Term]:
    return of_leaves(scene, lambda p: scene.level_softmax(p, scene.last))


def bhccm(scene: Scene) -> list[Term]:
    """`marginal` of a softmax over leaves of the sums of logits along their paths."""
    truth = scene.truth

    def leaves(p: int) -> Probabilities:
        sums = [math.fsum(scene.logit(p, i, scene.class_at[v, i]) for i in range(truth.depth)) for v in truth.leaves]
        return dict(zip(truth.leaves, softmax(sums), strict=True))

    return of_leaves(scene, leaves)


def of_leaves(scene: Scene, leaves: Callable[[int], Probabilities]) -> list[Term]:
    """-w_l log P_l of every level, from the probabilities of each pixel's leaves."""
    return [
        scene.term(weight, lambda p, i=level: scene.nll(p, i, scene.sums(leaves(p), i)), scene.scored(level))
        for level, weight in enumerate(weights_by_size(scene.truth))
    ]


def sibling_leaves(scene: Scene, p: int) -> Probabilities:
    """p(leaf) as a product of softmaxes among the classes of a level that share the class one level above."""
    truth, found = scene.truth, {}
    for leaf in truth.leaves:
        found[leaf] = 1.0
        for level in range(truth.depth):
            mates = truth.levels[0]
            if level:
                above = scene.class_at[leaf, level - 1]
                family = {scene.class_at[v, level] for v in truth.leaves if scene.class_at[v, level - 1] == above}
                mates = [id_ for id_ in truth.levels[level] if id_ in family]
            share = softmax([scene.logit(p, level, id_) for id_ in mates])
            found[leaf] *= share[mates.index(scene.class_at[leaf, level])]
    return found


def height(truth: Truth, id_: str) -> int:
    below = [len(truth.path(d)) for d in truth.predicted if id_ in truth.path(d)]
    return max(below) - len(truth.path(id_))


def chain(scene: Scene, alpha: float, leaves: Callable[[Scene, int], Probabilities]) -> list[Term]:
    truth = scene.truth
    discount = {id_: math.exp(-alpha * height(truth, id_)) for id_ in truth.predicted}
    of_pixel = {p: leaves(scene, p) for p in scene.pixels}

    def value(p: int, level: int) -> float:
        above = scene.nll(p, level - 1, scene.sums(of_pixel[p], level - 1)) if level else 0.0
        step = scene.nll(p, level, scene.sums(of_pixel[p], level)) - above
        return scene.average(p, level, discount) * step

    return [scene.term(1.0, lambda p, i=level: value(p, i), scene.scored(level)) for level in range(truth.depth)]


def conditional(scene: Scene, alpha: float = 0.0) -> list[Term]:
    return chain(scene, alpha, sibling_leaves)


def hxe(scene: Scene) -> list[Term]:
    return chain(scene, 0.1, lambda s, p: s.level_softmax(p, s.last))


def soft_labels(scene: Scene, beta: float = 10.0) -> list[Term]:
    truth = scene.truth
    heights = {id_: height(truth, id_) for id_ in truth.predicted}
    paths = {id_: truth.path(id_) for id_ in truth.predicted}
    top = max(heights.values()) + 1

    def distance(a: str, c: str) -> float:
        common = [id_ for id_ in paths[a] if id_ in paths[c]]
        return (heights[common[-1]] if common else top) / top

    def deepest(p: int) -> int:
        """The level that the label is a class of, -1 for a set."""
        named = [i for i in range(truth.depth) if scene.named(p, i) is not None]
        if not named:
            return -1
        id_ = scene.named(p, named[-1])
        whole = {leaf for leaf in truth.leaves if truth.class_at(leaf, named[-1]) == id_}
        return named[-1] if whole == scene.labels[p].leaves and not scene.labels[p].shares else -1

    def value(p: int) -> float:
        leaves = scene.level_softmax(p, scene.last)
        k = deepest(p)
        if k < 0:
            return scene.nll(p, scene.last, leaves)
        classes, c = truth.levels[k], scene.named(p, k)
        assert c is not None
        y = [math.exp(-beta * distance(a, c)) for a in classes]
        prob = scene.sums(leaves, k)
        return -math.fsum(share * math.log(prob[a]) for share, a in zip(y, classes, strict=True)) / math.fsum(y)

    counts = [scene.scored(deepest(p) if deepest(p) >= 0 else scene.last)[p] for p in scene.pixels]
    return [scene.term(1.0, value, counts)]


def two_way(scene: Scene) -> list[Term]:
    truth = scene.truth

    def is_set(p: int) -> bool:
        named = [i for i in range(truth.depth) if scene.named(p, i) is not None]
        whole = set(truth.leaves)
        if named:
            whole = {leaf for leaf in whole if truth.class_at(leaf, named[-1]) == scene.named(p, named[-1])}
        return whole != scene.labels[p].leaves or bool(scene.labels[p].shares)

    def sums(p: int, level: int) -> Probabilities:
        return scene.sums(scene.level_softmax(p, scene.last), level)

    def divergence(p: int, level: int) -> float:
        one, other = scene.level_softmax(p, level), sums(p, level)
        total = 0.0
        for id_ in truth.levels[level]:
            middle = (one[id_] + other[id_]) / 2
            total += one[id_] * math.log(one[id_] / middle) + other[id_] * math.log(other[id_] / middle)
        return total / 2

    def paths(p: int) -> Probabilities:
        scores = [
            math.fsum(math.log(scene.level_softmax(p, i)[truth.class_at(leaf, i)]) for i in range(truth.depth))
            for leaf in truth.leaves
        ]
        return dict(zip(truth.leaves, softmax(scores), strict=True))

    found = level_ce(scene)
    for level in range(scene.last):
        weight = scene.scored(level)
        informed = [w if scene.named(p, level) is not None or is_set(p) else 0.0 for p, w in enumerate(weight)]
        found.append(scene.term(0.3, lambda p, i=level: scene.nll(p, i, sums(p, i)), informed))
        found.append(scene.term(0.3, lambda p, i=level: divergence(p, i), weight))
    found.append(scene.term(0.3, lambda p: scene.nll(p, scene.last, paths(p)), scene.scored(scene.last)))
    return found


def hssn(scene: Scene) -> list[Term]:
    return level_ce(scene, [1.0] * scene.truth.depth) + binary(scene, 5.0, "tree-min", 2.0)


def c_hmcnn(scene: Scene) -> list[Term]:
    return binary(scene, 1.0, "c-hmcnn")


def logicseg(scene: Scene) -> list[Term]:
    truth = scene.truth
    pixels = [p for p in scene.pixels if scene.labels[p].leaves]
    parent = {id_: truth.nodes[id_].parent for id_ in truth.predicted}
    s = {(p, id_): sigmoid(scene.own_logit(p, id_)) for p in pixels for id_ in truth.predicted}

    def mean(nodes: Sequence[str], violation: Callable[[int, str], float]) -> float:
        means = [(math.fsum(violation(p, v) ** 5 for p in pixels) / len(pixels)) ** 0.2 for v in nodes]
        return math.fsum(means) / len(means) if means else 0.0

    def siblings(v: str) -> list[str]:
        return [u for u in truth.predicted if u != v and parent[u] == parent[v]]

    def children(v: str) -> list[str]:
        return [u for u in truth.predicted if parent[u] == v]

    rules = 0.0
    if pixels:
        rules += mean([v for v in parent if parent[v]], lambda p, v: s[p, v] - s[p, v] * s[p, str(parent[v])])
        rules += mean(
            [v for v in parent if children(v)], lambda p, v: s[p, v] - s[p, v] * max(s[p, u] for u in children(v))
        )
        rules += mean(
            [v for v in parent if siblings(v)],
            lambda p, v: s[p, v] * math.fsum(s[p, u] for u in siblings(v)) / len(siblings(v)),
        )
    return [*binary(scene, 1.0, "plain"), Term(0.2, [rules], [1.0])]


def stratified(terms: Callable[[Scene], list[Term]]) -> Callable[[Scene], list[Term]]:
    """The terms with pixels of finer labels standing for those of coarser ones."""

    def found(scene: Scene) -> list[Term]:
        scene.stratified = True
        return terms(scene)

    return found


TRUTHS: Mapping[str, Callable[[Scene], list[Term]]] = {
    "bhccm": stratified(bhccm),
    "tree-min": stratified(tree_min),
    "level-ce": stratified(level_ce),
    "level-bce": stratified(level_bce),
    "flat-ce": stratified(flat_ce),
    "marginal": stratified(marginal),
    "conditional": conditional,
    "hxe": hxe,
    "soft-labels": soft_labels,
    "two-way": two_way,
    "hssn": stratified(hssn),
    "logicseg": logicseg,
    "c-hmcnn": c_hmcnn,
}


def tree_of(seed: int) -> tuple[np.random.Generator, Taxonomy]:
    """One of `TREES`, and the random numbers that go on from it."""
    random = np.random.default_rng([seed, 7])
    return random, random_tree(random, most=200 if LONG else 30, levels=6 if LONG else 4)


def random_tree(random: np.random.Generator, *, most: int, levels: int) -> Taxonomy:
    """2 to `most` nodes on up to `levels` levels: ragged, with only children, classes that skip a level, mixtures with
    shares and without, unspecified classes."""
    count = max(2, round(2 * (most / 2) ** random.random()))
    nodes: list[Node] = []
    for i in range(count):
        inner = [n for n in nodes if n.level + 1 < levels]
        under = inner[random.integers(len(inner))] if inner and random.random() < 0.85 else None
        level = 0 if under is None else under.level + 1
        if level + 1 < levels and random.random() < 0.15:
            level += 1
        nodes.append(Node(f"c{i}", level, under.id if under else None))
    parents = {node.parent for node in nodes}
    leaves = [node.id for node in nodes if node.id not in parents]
    for i, id_ in enumerate(random.permutation(leaves)[:2]):
        parts = tuple(str(part) for part in random.permutation([v for v in leaves if v != id_])[:3])
        shares: list[float | None] = [None] * len(parts)
        if i:
            shares = list(random.dirichlet(np.ones(len(parts)))) if parts else []
        if len(parts) > 1:
            nodes.append(Node(f"mixed{i}", 0, None, kind="mixed", parts=dict(zip(parts, shares, strict=True))))
    top = next(node for node in nodes if node.parent is None)
    if top.id in parents and random.random() < 0.5:
        nodes.append(Node("rest", top.level + 1, top.id, kind="unspecified"))
    nodes = _depth_first(nodes)
    depth = max(node.level for node in nodes) + 1
    return Taxonomy("random", tuple(nodes), tuple(f"level{i + 1}" for i in range(depth)))


def _depth_first(nodes: Sequence[Node]) -> list[Node]:
    found: list[Node] = []

    def add(node: Node) -> None:
        children = [other for other in nodes if other.parent == node.id]
        found.append(replace(node, children=tuple(child.id for child in children)))
        for child in children:
            add(child)

    for node in nodes:
        if node.parent is None:
            add(node)
    return found


def label_of(truth: Truth, id_: str) -> Label:
    """What a declared class means: its leaves, and shares where it is a mixture that states them."""
    leaves = truth.allowed(id_)
    node = truth.nodes.get(id_)
    shares: dict[str, float] = {}
    if node is not None and node.kind == "mixed" and len(leaves) > 1:
        for part, share in node.parts.items():
            below = truth.allowed(part)
            for leaf in below:
                if share is not None:
                    shares[leaf] = shares.get(leaf, 0.0) + share / len(below)
    whole = len(shares) == len(leaves)
    return Label(frozenset(leaves), {k: v / sum(shares.values()) for k, v in shares.items()} if whole else {})
