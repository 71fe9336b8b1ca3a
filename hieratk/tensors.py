"""The compiled tables as torch buffers, and the two questions every step asks of them: labels and levels."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from hieratk.taxonomy.tables import IGNORE, compile_tables
from hieratk.taxonomy.tree import Taxonomy

__all__ = ["IGNORE", "TaxonomyTensors"]


class TaxonomyTensors(nn.Module):
    """A taxonomy's tables as buffers; moves with `.to(device)`, adds nothing to a state dict.

    Attributes (int64 unless said; letters as in `hieratk.taxonomy.tables`):
        taxonomy, tables: what it was made from.
        index: (R, L) class index within each level for every label row, IGNORE where none.
        up_1 ... up_{L-1}: see `up`.
        paths: (V, L) channels on the way to each leaf.
        carried: (N,) bool.
    """

    index: Tensor
    paths: Tensor
    carried: Tensor

    def __init__(self, taxonomy: Taxonomy) -> None:
        super().__init__()
        self.taxonomy = taxonomy
        self.tables = tables = compile_tables(taxonomy)
        self.sizes = tables.sizes
        self.has_carried = bool(tables.carried.any())
        for name in ("index", "paths", "carried"):
            self.register_buffer(name, torch.tensor(getattr(tables, name)), persistent=False)
        for i, up in enumerate(tables.up, start=1):
            self.register_buffer(f"up_{i}", torch.tensor(up), persistent=False)
        for name, lookup in tables.lookups.items():
            if lookup.table is not None:
                self.register_buffer(f"lookup_{name}", torch.tensor(lookup.table), persistent=False)

    @property
    def channels(self) -> int:
        """N."""
        return self.tables.channels

    @property
    def n_levels(self) -> int:
        """L."""
        return len(self.sizes)

    def up(self, level: int) -> Tensor:
        """(C_level,) index within level - 1 of the class that holds each class of `level`; `level` >= 1."""
        return self.get_buffer(f"up_{level}")

    def split(self, logits: Tensor) -> tuple[Tensor, ...]:
        """(B, N, ...) node logits as L views (B, C_l, ...), coarse to fine."""
        if logits.shape[1] != self.channels:
            raise ValueError(f"logits have {logits.shape[1]} channels, the tree has {self.channels} nodes")
        return torch.split(logits, list(self.sizes), dim=1)

    def rows(self, pixels: Tensor, encoding: str = "default") -> Tensor:
        """Label rows (int32, shape of `pixels`) of raster values of any integer dtype.

        Total: a value that the encoding does not declare is row 0, never an index error.
        """
        lookup = self.tables.lookup(encoding)
        if pixels.is_floating_point():
            raise TypeError(f"raster values must be integers, not {pixels.dtype}")
        if lookup.table is None:
            return torch.from_numpy(lookup(pixels.cpu().numpy())).to(pixels.device)
        table = self.get_buffer(f"lookup_{encoding}")
        index = pixels.long() - lookup.low
        inside = (index >= 0) & (index < len(table))
        return torch.where(inside, table[index.clamp(0, len(table) - 1)], 0)

    def labels(self, rows: Tensor) -> Tensor:
        """(B, L, H, W) int64 class indices within each level of label rows (B, H, W); IGNORE where a level has none."""
        return self.index[rows.long()].movedim(-1, 1)

    def encode(self, pixels: Tensor, encoding: str = "default") -> Tensor:
        """(B, L, H, W) labels of raster values (B, H, W): `labels(rows(pixels))`."""
        return self.labels(self.rows(pixels, encoding))
