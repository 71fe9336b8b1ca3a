"""Areas of classes with their uncertainty, from a map and a stratified random sample of reference pixels.

Counting the pixels of a map gives the map's errors as area. Olofsson et al. (2014), "Good practices for estimating area
and assessing accuracy of land change", Remote Sensing of Environment 148, eqs. 9 to 11 (known), estimate the area from
the reference labels instead, with the map as strata.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hieratk.errors import DataError
from hieratk.taxonomy.tables import compile_tables
from hieratk.taxonomy.tree import Taxonomy


@dataclass(frozen=True, slots=True)
class Area:
    """Estimated area of a class in the unit of the mapped areas. `low` and `high` bound the confidence interval, which
    is that of the normal distribution and may reach below 0; `mapped` is what counting the map's pixels gives.
    """

    proportion: float
    area: float
    standard_error: float
    low: float
    high: float
    mapped: float


def node_areas(
    taxonomy: Taxonomy, counts: ArrayLike, mapped: Sequence[float], *, confidence: float = 0.95
) -> dict[str, Area]:
    """Area of every predicted class, inner ones included, by id, depth first.

    Args:
        counts: (V, V) reference pixels: rows are the leaves of the map (the strata), columns those of the reference.
            Of `LevelMetrics`, that is `confusion(last level).T`; it must come from a random sample within each stratum,
            which a validation split is not.
        mapped: (V,) area of every leaf in the map.
        confidence: of the interval.

    With W_i the share of stratum i in the map, n_i its sample size, n_iu the sample pixels of it whose reference lies
    below class u, and q = n_iu / n_i: p_u = sum_i W_i q (eq. 9), S(p_u)^2 = sum_i W_i^2 q (1 - q) / (n_i - 1) (eq. 10),
    area and its error are the total times these (eq. 11). An inner class is estimated from the sums of its columns, as
    errors between leaves below it are no errors of it; its error is not the sum of theirs.

    Raises DataError for wrong shapes, and for a mapped stratum with fewer than two sample pixels: its variance cannot
    be told.
    """
    tables = compile_tables(taxonomy)
    sample, strata = _checked(counts, mapped, tables.leaves)
    used = strata > 0
    weights, sizes = strata[used] / strata.sum(), sample[used].sum(1)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    total = float(strata.sum())
    # Leaves below a class are contiguous: differences of running sums.
    running = np.concatenate([np.zeros((int(used.sum()), 1)), sample[used].cumsum(1)], 1)
    found = {}
    for id_, (first, last) in zip(tables.ids, tables.leaf_span.tolist(), strict=True):
        q = (running[:, last] - running[:, first]) / sizes
        proportion = float(weights @ q)
        error = float(np.sqrt(weights**2 @ (q * (1 - q) / (sizes - 1))))
        found[id_] = Area(
            proportion=proportion,
            area=total * proportion,
            standard_error=total * error,
            low=total * (proportion - z * error),
            high=total * (proportion + z * error),
            mapped=float(strata[first:last].sum()),
        )
    return found


def _checked(
    counts: ArrayLike, mapped: Sequence[float], leaves: tuple[str, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    sample, strata = np.asarray(counts, np.float64), np.asarray(mapped, np.float64)
    n = len(leaves)
    if sample.shape != (n, n) or strata.shape != (n,):
        raise DataError(
            f"counts {sample.shape} and mapped areas {strata.shape} must be ({n}, {n}) and ({n},): the leaves of the "
            "tree, strata of the map by row"
        )
    if not (np.isfinite(strata).all() and (strata >= 0).all() and strata.sum() > 0 and (sample >= 0).all()):
        raise DataError("counts and mapped areas must be 0 or more, and some area mapped")
    poor = np.flatnonzero((strata > 0) & (sample.sum(1) < 2))
    if len(poor):
        raise DataError(
            f"the stratum `{leaves[poor[0]]}` is mapped on {strata[poor[0]]:g} but has {sample[poor[0]].sum():g} "
            "sample pixels; every mapped class needs two or more (draw more there, or merge it with a sibling)"
        )
    lost = np.flatnonzero((strata == 0) & (sample.sum(1) > 0))
    if len(lost):
        raise DataError(f"the stratum `{leaves[lost[0]]}` has sample pixels but no mapped area; give its area")
    return sample, strata
