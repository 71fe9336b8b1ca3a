"""Time of one metric update, a pixel, beside torch's bincount of one level, scikit-learn's confusion matrices, and the
packages torchmetrics and hiclass where they are installed.

    python benchmarks/metrics.py --threads 2

Asked: an update takes at most 0.1 us a pixel. Least time of some interleaved rounds in one process. torchmetrics counts
one confusion matrix a level, hiclass the hierarchical F1 of names. scikit-learn gets a hundredth of the rows, hiclass
one row.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import time
from collections.abc import Callable

import numpy as np
import torch
from sklearn.metrics import confusion_matrix
from torch import Tensor

import hieratk as hk
from hieratk.decoding import best_path
from hieratk.metrics import LevelMetrics
from hieratk.tensors import TaxonomyTensors


def seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


Calls = dict[str, tuple[Callable[[], object], int]]
"""What to time, and on how many pixels."""


def of_torchmetrics(tree: TaxonomyTensors, predictions: Tensor, labels: Tensor) -> Calls:
    if importlib.util.find_spec("torchmetrics") is None:
        print("torchmetrics is not installed: not compared")
        return {}
    from torchmetrics.classification import MulticlassConfusionMatrix

    levels = [MulticlassConfusionMatrix(n, validate_args=False) for n in tree.sizes]

    def update() -> None:
        for i, level in enumerate(levels):
            level.update(predictions[:, i], labels[:, i])

    return {"torchmetrics": (update, labels[:, 0].numel())}


def of_hiclass(tree: TaxonomyTensors, predictions: Tensor, labels: Tensor) -> Calls:
    if importlib.util.find_spec("hiclass") is None:
        print("hiclass is not installed: not compared")
        return {}
    from hiclass.metrics import f1

    ids = np.array([tree.tables.ids[m] for m in tree.tables.node])
    first = torch.tensor(tree.tables.offsets[:-1].copy())
    names = [ids[(x[0, :, 0].t() + first).numpy()] for x in (labels, predictions)]
    return {"hiclass": (lambda: f1(*names), len(names[0]))}


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
    calls: Calls = {
        "update": (lambda: metrics.update(predictions, labels), pixels),
        "bincount of the leaves": (lambda: cells.bincount(minlength=leaves**2), pixels),
        "scikit-learn": (
            lambda: [confusion_matrix(t, p, labels=range(n)) for (t, p), n in zip(pairs, tree.sizes, strict=True)],
            len(pairs[0][0]),
        ),
        **of_torchmetrics(tree, predictions, labels),
        **of_hiclass(tree, predictions, labels),
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
