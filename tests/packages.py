"""The same tree and logits as the package hierarchicalsoftmax (Robert Turnbull) wants them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from hieratk.taxonomy.tree import Taxonomy
from tests.loss_truth import LONG
from tests.oracle import Truth


def branching_tree(random: np.random.Generator) -> Taxonomy:
    """A ragged tree without only children: for some of these the package trains a logit, though their probability is
    1."""
    most, levels = (200, 6) if LONG else (40, 4)
    count = 0

    def grow(name: str, level: int) -> dict[str, object]:
        nonlocal count
        names = [f"{name}{i}" for i in range(random.integers(2, 5))]
        count += len(names)
        return {
            child: grow(child, level + 1) if level < levels and count < most - 4 and random.random() < 0.6 else None
            for child in names
        }

    return Taxonomy.from_outline(grow("c", 1))


class SoftmaxTree:
    """A tree as the package's nodes, by id; the logits of a node's children stand side by side in its layer."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        from hierarchicalsoftmax import SoftmaxNode

        self.truth = Truth(taxonomy)
        self.root = SoftmaxNode("root")
        self.nodes: dict[str, Any] = {}
        for id_ in self.truth.predicted:
            above = self.truth.nodes[id_].parent
            self.nodes[id_] = SoftmaxNode(id_, parent=self.root if above is None else self.nodes[above])
        self.root.set_indexes()
        self.ids = {node: id_ for id_, node in self.nodes.items()}

    def place(self, id_: str) -> int:
        """Where the logit of a class stands in the package's layer."""
        node = self.nodes[id_]
        return int(node.parent.softmax_start_index + node.parent.children.index(node))

    def packed(self, logits: Tensor) -> Tensor:
        """Node logits (1, N, P) as (P, layer); carried channels have no place there."""
        found = torch.zeros(logits.shape[2], self.root.layer_size, dtype=logits.dtype)
        for id_ in self.truth.predicted:
            found[:, self.place(id_)] = logits[0, self.truth.own_channel(id_)]
        return found
