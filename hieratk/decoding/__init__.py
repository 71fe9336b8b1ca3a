"""Node logits to one class a level. Every decoder takes logits (B, N, ...) of any float dtype and a `TaxonomyTensors`,
and returns (B, L, ...) int64 class indices within each level. Between equal scores the first class, depth first, wins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from torch import Tensor

from hieratk.decoding.calibration import Calibration
from hieratk.decoding.paths import best_path, independent, is_path, leaf_first, paths_of, sibling_path, top_down
from hieratk.decoding.posterior import Posterior, leaf_posterior, path_posterior, sibling_posterior, tempered
from hieratk.decoding.risk import (
    UNDECIDED,
    abstaining,
    expected_cost,
    heaviest_path,
    hf1_optimal,
    least_distance,
)
from hieratk.errors import ConfigError
from hieratk.losses.probabilities import of_leaves, of_levels, of_path_sums, of_siblings
from hieratk.tensors import TaxonomyTensors

__all__ = [
    "DECODERS",
    "LEVELS",
    "UNDECIDED",
    "Calibration",
    "Posterior",
    "abstaining",
    "best_path",
    "decoder",
    "expected_cost",
    "heaviest_path",
    "hf1_optimal",
    "independent",
    "is_path",
    "leaf_first",
    "leaf_posterior",
    "least_distance",
    "path_posterior",
    "paths_of",
    "sibling_path",
    "sibling_posterior",
    "tempered",
    "top_down",
]

Decoder = Callable[[Tensor, TaxonomyTensors], Tensor]
Levels = Callable[[TaxonomyTensors, Tensor], list[Tensor]]

DECODERS: Mapping[str, Decoder] = MappingProxyType(
    {"best_path": best_path, "path_sum": best_path, "leaf_first": leaf_first, "sibling_path": sibling_path}
)
"""Decoders by the word that a loss (`decoding`) and a checkpoint know them by: which channels mean what."""

LEVELS: Mapping[str, Levels] = MappingProxyType(
    {"best_path": of_levels, "path_sum": of_path_sums, "leaf_first": of_leaves, "sibling_path": of_siblings}
)
"""By the same words: for each level (B, C_l, P) the log-probabilities of its classes, from a tree and logits (B, N, P).
"""


def decoder(word: str) -> Decoder:
    """The decoder of a word; raises ConfigError with the words there are."""
    if word not in DECODERS:
        raise ConfigError(f"no decoding `{word}`; there are {', '.join(DECODERS)}")
    return DECODERS[word]
