"""Time of decoding, a pixel, against a plain argmax over the leaves on the same logits, and the package
hierarchicalsoftmax where it is installed.

    python benchmarks/decoding.py --threads 2

Asked: `best_path` at most 2 times the argmax, `expected_cost` (with the table of tree distances) at most 1 us a pixel
at 31 nodes. Least time of some interleaved rounds in one process; the package, which goes pixel by pixel, gets 1,000.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import hieratk as hk
from hieratk.decoding import (
    abstaining,
    best_path,
    expected_cost,
    hf1_optimal,
    independent,
    leaf_first,
    least_distance,
    sibling_path,
    top_down,
)
from hieratk.tensors import TaxonomyTensors

FEW = 1000
"""Pixels for what goes pixel by pixel."""


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def distances(tree: TaxonomyTensors) -> Tensor:
    """(V, V) edges between two leaves."""
    own = (~tree.carried)[tree.paths].long()
    apart = tree.paths[:, None] != tree.paths[None]
    return (apart * (own[:, None] + own[None])).sum(2).float()


def rivals(tree: TaxonomyTensors) -> dict[str, Callable[[], object]]:
    """The package's decoders on random logits of the same tree."""
    if importlib.util.find_spec("hierarchicalsoftmax") is None:
        print("hierarchicalsoftmax is not installed: not compared")
        return {}
    from hierarchicalsoftmax import SoftmaxNode
    from hierarchicalsoftmax.inference import greedy_predictions, node_probabilities

    root = SoftmaxNode("root")
    nodes: list[Any] = []
    for id_, parent in zip(tree.tables.ids, tree.tables.parent.tolist(), strict=True):
        nodes.append(SoftmaxNode(id_, parent=nodes[parent] if parent >= 0 else root))
    root.set_indexes()
    packed = torch.randn(FEW, root.layer_size)
    return {
        "their greedy": lambda: greedy_predictions(packed, root),
        "their probabilities": lambda: node_probabilities(packed, root),
    }


def compare(name: str, images: int, size: int, rounds: int) -> None:
    tree = TaxonomyTensors(hk.load(name))
    torch.manual_seed(0)
    logits = torch.randn(images, tree.channels, size, size)
    calls: dict[str, Callable[[], object]] = {"argmax over leaves": lambda: tree.split(logits)[-1].argmax(1)}
    for decode in (best_path, leaf_first, sibling_path, top_down, independent):
        calls[decode.__name__] = lambda decode=decode: decode(logits, tree)
    cost = distances(tree)
    calls["expected_cost"] = lambda: expected_cost(logits, tree, cost=cost)
    calls["least_distance"] = lambda: least_distance(logits, tree)
    calls["hf1_optimal"] = lambda: hf1_optimal(logits, tree)
    calls["abstaining"] = lambda: abstaining(logits, tree, threshold=0.9)
    pixels = dict.fromkeys(calls, images * size**2)
    theirs = rivals(tree)
    calls |= theirs
    pixels |= dict.fromkeys(theirs, FEW)
    found: dict[str, list[float]] = {key: [] for key in calls}
    for _ in range(rounds):
        for key, call in calls.items():
            found[key].append(seconds(call))
    of_pixel = {key: min(times) / pixels[key] for key, times in found.items()}
    base = of_pixel["argmax over leaves"]
    print(f"\n{name}: {tree.channels} nodes, {len(tree.paths)} leaves, {images} x {size}^2")
    print(f"{'':20}{'us/pixel':>10}{'x argmax':>10}")
    for key, time_of_pixel in of_pixel.items():
        print(f"{key:20}{time_of_pixel * 1e6:10.3f}{time_of_pixel / base:10.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--size", type=int, default=512)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    compare("mm5b", args.images, args.size, args.rounds)
    compare("hcat3", 1, args.size // 4, args.rounds)


if __name__ == "__main__":
    main()
