"""Node logits to one class a level. Every decoder takes logits (B, N, ...) of any float dtype and a `TaxonomyTensors`,
and returns (B, L, ...) int64 class indices within each level. Between equal scores the first class, depth first, wins.
"""

from __future__ import annotations

from hieratk.decoding.calibration import Calibration
from hieratk.decoding.paths import best_path, independent, is_path, leaf_first, paths_of, top_down
from hieratk.decoding.posterior import Posterior, leaf_posterior, path_posterior, sibling_posterior, tempered
from hieratk.decoding.risk import (
    UNDECIDED,
    abstaining,
    expected_cost,
    heaviest_path,
    hf1_optimal,
    least_distance,
)

__all__ = [
    "UNDECIDED",
    "Calibration",
    "Posterior",
    "abstaining",
    "best_path",
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
    "sibling_posterior",
    "tempered",
    "top_down",
]
