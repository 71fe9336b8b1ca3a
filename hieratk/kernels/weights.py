"""What each pixel counts in the fused level loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from torch import Tensor

from hieratk.tensors import TaxonomyTensors


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """What the mean of each level's term divides by: of its cross-entropy, and of its binary term."""

    ce: list[float]
    binary: list[float]

    @classmethod
    def of(cls, labels: Tensor, *, marginal: bool) -> Totals:
        """The number of pixels in each mean, from labels (B, L, P); 1 where there is none."""
        levels = labels.shape[1]
        pixels = [int((labels[:, i] >= 0).count_nonzero()) for i in range(levels)]
        every = labels.numel() // levels
        scored = every if every in pixels or not every else int((labels.amax(1) >= 0).count_nonzero())
        return cls([float(max(scored if marginal else n, 1)) for n in pixels], [float(max(n, 1)) for n in pixels])


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """What a pixel counts at each level: the weight of the term over the number of pixels (and classes) in its mean.

    ce and binary by level; counts (L, N), which these are multiplied by where the label ends at a channel, or None.
    """

    ce: list[float]
    binary: list[float]
    counts: Tensor | None
    marginal: bool
    constrained: bool

    @classmethod
    def of(
        cls,
        tree: TaxonomyTensors,
        totals: Totals,
        level_weights: Sequence[float],
        *,
        counts: Tensor | None,
        marginal: bool,
        binary: float,
        constrained: bool,
    ) -> Weights:
        """From the weight of each term and what its mean divides by, as `hieratk.losses.terms` defines them."""
        own = [int((~tree.tables.carried[a:b]).sum()) for a, b in pairwise(tree.tables.offsets)]
        return cls(
            ce=[w / n for w, n in zip(level_weights, totals.ce, strict=True)],
            binary=[binary / (n * max(c, 1)) for n, c in zip(totals.binary, own, strict=True)],
            counts=counts,
            marginal=marginal,
            constrained=constrained,
        )
