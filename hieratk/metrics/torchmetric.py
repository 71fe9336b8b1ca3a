"""The metrics as a `torchmetrics.Metric`, for whoever trains with Lightning or keeps a `MetricCollection`.

Importing this file needs torchmetrics (`pip install hieratk[torchmetrics]`); nothing else in hieratk does.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from hieratk.metrics.counting import added, cells, check, count, is_dense
from hieratk.metrics.streaming import LevelMetrics
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors


class HierarchyMetric(Metric):
    """Scores of `LevelMetrics` behind torchmetrics' interface: `update(predictions, labels)`, `compute()`, `reset()`.

    `compute` gives a flat mapping of float32 scalars: `<level>/miou`, `/oa`, `/f1`, `/kappa` for each level, then
    `consistency`, `hierarchical_f1`, `distance` and `severity`. The state is a sum of counts, so reduction over
    processes is exact: the scores of all pixels together, not a mean of the processes' scores.
    """

    full_state_update = False
    higher_is_better = None
    is_differentiable = False
    counts: Tensor
    rows: Any

    def __init__(self, taxonomy: Taxonomy) -> None:
        super().__init__()
        self.taxonomy = taxonomy
        self.tree = TaxonomyTensors(taxonomy)
        self.dense = is_dense(self.tree)
        if self.dense:
            zeros = torch.zeros(cells(self.tree), dtype=torch.int64)
            self.add_state("counts", default=zeros, dist_reduce_fx="sum")
        else:
            self.add_state("rows", default=[], dist_reduce_fx="cat")

    def update(self, predictions: Tensor, labels: Tensor) -> None:
        """Count a batch, both (B, L, ...); see `LevelMetrics.update`."""
        check(predictions, labels, self.tree)
        if not labels.numel():
            return
        found = count(predictions, labels, self.tree)
        if self.dense:
            self.counts = self.counts + found
        else:
            # One tensor, every cell once: the state does not grow with the number of batches.
            self.rows[:] = [added(torch.cat([*self.rows, found]))]

    def metrics(self) -> LevelMetrics:
        """The counts so far as `LevelMetrics`, with all its scores."""
        if self.dense:
            return LevelMetrics.from_state(self.taxonomy, self.counts)
        # After a reduction over processes the list has become one tensor.
        parts = [self.rows] if isinstance(self.rows, Tensor) else self.rows
        state = torch.cat(list(parts)) if len(parts) else torch.zeros((0, 2), dtype=torch.int64)
        return LevelMetrics.from_state(self.taxonomy, state)

    def compute(self) -> dict[str, Tensor]:
        """The scores; NaN for those that do not exist."""
        metrics = self.metrics()
        found = {
            f"{name}/{key}": getattr(scores, key)
            for name, scores in metrics.compute().items()
            for key in ("miou", "oa", "f1", "kappa")
        }
        wrong = metrics.mistakes()
        found["consistency"] = metrics.consistency()
        found["hierarchical_f1"] = metrics.hierarchical().f1
        found["distance"], found["severity"] = wrong.distance, wrong.severity
        return {key: torch.tensor(value, dtype=torch.float32) for key, value in found.items()}
