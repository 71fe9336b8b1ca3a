"""Decoder features -> node logits: one 1x1 convolution, all levels side by side."""

from __future__ import annotations

from torch import Tensor, nn

from hieratk.taxonomy.tables import compile_tables
from hieratk.taxonomy.tree import Taxonomy


class NodeHead(nn.Module):
    """(B, channels, h, w) features -> (B, N, h, w) node logits.

    `nodes` is a taxonomy or N itself. Channels lie level by level as in `hieratk.taxonomy.tables`, so a level is a
    slice and a transfer edits rows of one weight. Biases start at zero: every class of a level starts equally likely.
    `dropout` is the share of feature channels that a training step leaves out (whole maps, chosen: neighbouring pixels
    of a map are too alike for single ones to matter).

    Source: the first author of HieraRS kept the flat head and added a 1x1 convolution for each coarser level (inferred
    from earlier code); one convolution with N outputs is the same function (chosen).
    """

    def __init__(self, channels: int, nodes: Taxonomy | int, *, dropout: float = 0.0) -> None:
        super().__init__()
        outputs = nodes if isinstance(nodes, int) else compile_tables(nodes).channels
        self.dropout = nn.Dropout2d(dropout)
        self.classify = nn.Conv2d(channels, outputs, kernel_size=1)
        nn.init.xavier_uniform_(self.classify.weight)
        nn.init.zeros_(self.classify.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        logits: Tensor = self.classify(self.dropout(features))
        return logits
