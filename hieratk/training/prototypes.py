"""What a class looks like to a model: the mean of the decoder's features over its pixels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from hieratk.checkpoints import Prototypes
from hieratk.data.chips import ChipSampler, batches
from hieratk.data.scenes import SceneReader
from hieratk.data.survey import Statistics
from hieratk.models import HierarchicalModel
from hieratk.taxonomy.tables import Tables, compile_tables
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors

BATCHES = 8
"""Batches that a mean is taken over."""


@torch.no_grad()
def prototypes(
    model: HierarchicalModel,
    taxonomy: Taxonomy,
    sampler: ChipSampler,
    readers: Sequence[SceneReader],
    statistics: Statistics,
    *,
    first_step: int,
) -> Prototypes:
    """Means (M, C) of the decoder's features by class, and how many pixels each was taken over; a class without a pixel
    has zeros. Pixels count for their class and every class above it. The model is left in evaluation mode.

    The batches are those of the steps from `first_step` on, unchanged by augmentation.
    """
    model.eval()
    device = next(model.parameters()).device
    tree = TaxonomyTensors(taxonomy).to(device)
    tables = compile_tables(taxonomy)
    total = Sums(tables, model.net.channels, device)
    for images, rows in batches(sampler, readers, statistics, first_step=first_step, last_step=first_step + BATCHES):
        total.add(model.features(images.to(device)), tree.labels(rows.to(device)))
    return total.means()


class Sums:
    """Sums of features by class, filled batch by batch."""

    def __init__(self, tables: Tables, channels: int, device: torch.device) -> None:
        self.tables = tables
        self.sums = torch.zeros(len(tables.ids), channels, dtype=torch.float64, device=device)
        self.counts = torch.zeros(len(tables.ids), dtype=torch.float64, device=device)

    def add(self, features: Tensor, labels: Tensor) -> None:
        """Features (B, C, h, w) and labels (B, L, H, W) of one or several pixels a feature cell."""
        if features.shape[-2:] != labels.shape[-2:]:
            features = F.interpolate(features, size=labels.shape[-2:], mode="bilinear", align_corners=False)
        flat = features.movedim(1, -1).double()
        for level in range(labels.shape[1]):
            known = labels[:, level] >= 0
            first = int(self.tables.offsets[level])
            channel = labels[:, level][known] + first
            own = ~torch.tensor(self.tables.carried).to(channel.device)[channel]
            node = torch.tensor(self.tables.node).to(channel.device)[channel[own]]
            self.sums.index_add_(0, node, flat[known][own])
            self.counts.index_add_(0, node, torch.ones_like(node, dtype=torch.float64))

    def means(self) -> Prototypes:
        """The means as float32."""
        means = (self.sums / self.counts.clamp(min=1).unsqueeze(1)).float().cpu()
        return Prototypes(means, self.counts.long().cpu())
