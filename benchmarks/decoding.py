"""Time of decoding, a pixel, against a plain argmax over the leaves on the same logits.

    python benchmarks/decoding.py --threads 2

Least time of some interleaved rounds in one process.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

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
    top_down,
)
from hieratk.tensors import TaxonomyTensors


def seconds(call: Callable[[], Tensor]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def compare(name: str, images: int, size: int, rounds: int) -> None:
    tree = TaxonomyTensors(hk.load(name))
    torch.manual_seed(0)
    logits = torch.randn(images, tree.channels, size, size)
    calls: dict[str, Callable[[], Tensor]] = {"argmax over leaves": lambda: tree.split(logits)[-1].argmax(1)}
    for decode in (best_path, leaf_first, top_down, independent):
        calls[decode.__name__] = lambda decode=decode: decode(logits, tree)
    cost = 1 - torch.eye(tree.sizes[-1])
    calls["expected_cost"] = lambda: expected_cost(logits, tree, cost=cost)
    calls["least_distance"] = lambda: least_distance(logits, tree)
    calls["hf1_optimal"] = lambda: hf1_optimal(logits, tree)
    calls["abstaining"] = lambda: abstaining(logits, tree, threshold=0.9)
    found: dict[str, list[float]] = {key: [] for key in calls}
    for _ in range(rounds):
        for key, call in calls.items():
            found[key].append(seconds(call))
    base = min(found["argmax over leaves"])
    print(f"\n{name}: {tree.channels} nodes, {len(tree.paths)} leaves, {images} x {size}^2")
    print(f"{'':20}{'ms':>9}{'us/pixel':>10}{'x argmax':>10}")
    for key, times in found.items():
        print(f"{key:20}{min(times) * 1e3:9.1f}{min(times) * 1e6 / (images * size**2):10.3f}{min(times) / base:10.2f}")


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
