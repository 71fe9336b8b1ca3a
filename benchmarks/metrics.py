"""Time of one metric update, a pixel, beside torch's bincount of one level and scikit-learn's confusion matrices.

    python benchmarks/metrics.py --threads 2

Least time of some interleaved rounds in one process. scikit-learn gets a hundredth of the pixels.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable

import torch
from sklearn.metrics import confusion_matrix

import hieratk as hk
from hieratk.decoding import best_path
from hieratk.metrics import LevelMetrics
from hieratk.tensors import TaxonomyTensors


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def compare(name: str, images: int, size: int, rounds: int) -> None:
    taxonomy = hk.load(name)
    tree, metrics = TaxonomyTensors(taxonomy), LevelMetrics(taxonomy)
    torch.manual_seed(0)
    predictions = best_path(torch.randn(images, tree.channels, size, size), tree)
    labels = best_path(torch.randn(images, tree.channels, size, size), tree)
    leaves, cells = tree.sizes[-1], (labels[:, -1] * tree.sizes[-1] + predictions[:, -1]).flatten()
    few = slice(0, max(size // 100, 1))
    pairs = [
        (labels[:, i, few].flatten().numpy(), predictions[:, i, few].flatten().numpy()) for i in range(tree.n_levels)
    ]
    pixels = images * size**2
    calls: dict[str, tuple[Callable[[], object], int]] = {
        "update": (lambda: metrics.update(predictions, labels), pixels),
        "bincount of the leaves": (lambda: cells.bincount(minlength=leaves**2), pixels),
        "scikit-learn": (
            lambda: [confusion_matrix(t, p, labels=range(n)) for (t, p), n in zip(pairs, tree.sizes, strict=True)],
            len(pairs[0][0]),
        ),
        "compute": (metrics.compute, 1),
        "mistakes": (metrics.mistakes, 1),
    }
    found: dict[str, list[float]] = {key: [] for key in calls}
    for _ in range(rounds):
        for key, (call, _) in calls.items():
            found[key].append(seconds(call))
    print(f"\n{name}: {tree.n_levels} levels, {tree.channels} nodes, {images} x {size}^2")
    print(f"{'':24}{'ms':>9}{'us/pixel':>10}")
    for key, times in found.items():
        count = calls[key][1]
        of_pixel = f"{min(times) * 1e6 / count:10.4f}" if count > 1 else ""
        print(f"{key:24}{min(times) * 1e3:9.2f}{of_pixel}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--images", type=int, default=2)
    parser.add_argument("--size", type=int, default=512)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    compare("mm5b", args.images, args.size, args.rounds)
    compare("hcat3", args.images, args.size, args.rounds)


if __name__ == "__main__":
    main()
