"""Differences of runs that share a seed: their mean, with a 95 % interval (Student's t)."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from scipy.stats import t


def interval(values: Sequence[float]) -> str:
    """Mean and half-width of the interval; without one for a single pair."""
    if len(values) < 2:
        return f"{values[0]:+.1f} (one pair)" if values else "no pair"
    half = float(t.ppf(0.975, len(values) - 1)) * statistics.stdev(values) / math.sqrt(len(values))
    return f"{statistics.mean(values):+.1f} ± {half:.1f}"
