"""Choosing how probable a class must be, so that decided classes are wrong no more often than a risk allows.

Conformal risk control (Angelopoulos, Bates, Fisch, Lei and Schuster, 2024, known). A unit is a block of pixels (or one
pixel). Its loss at threshold t is the share of its labelled pixels that do not lie below the class that `abstaining`
decides for them at t. As t grows the decided class moves up its path, so the loss never grows; it lies in [0, 1] and is
0 at t = 1. With n calibration units, take the smallest t with

    n / (n + 1) * (mean loss of the n units at t) + 1 / (n + 1) <= risk.

If the n units and a new one are exchangeable, and logits and temperatures were made without them, the expected loss of
the new unit at this t is at most `risk`. The expectation is over the calibration units too: it is a statement about
calibrating and mapping once, on average, not about this map, nor about each class.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hieratk.errors import DataError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def wrong_until(classes: Tensor, probabilities: Tensor, labels: Tensor) -> Tensor:
    """The threshold from which on a pixel is not wrong: the probability of the first class on its heaviest path that
    its label does not lie below; 0 where there is none.

    All (P, L): classes and probabilities of `heaviest_path`, labels negative at the levels that they do not reach.
    Below a coarse label nothing is known, so nothing counts as wrong there.
    """
    wrong = (labels >= 0) & (classes != labels)
    # Probabilities never grow along a path, so the highest of the wrong ones is the first.
    return torch.where(wrong, probabilities, 0.0).amax(1)


def unit_shares(units: Ints) -> tuple[Floats, int]:
    """The weight (P,) of each pixel in the mean over units of means over their pixels, and the number of units n."""
    _, at, sizes = np.unique(units, return_inverse=True, return_counts=True)
    return 1.0 / (len(sizes) * sizes[at]), len(sizes)


def smallest_risk(units: int) -> float:
    """1 / (n + 1): no risk below it can be shown with n units."""
    return 1 / (units + 1)


def choose_threshold(until: Floats, units: Ints, *, risk: float) -> float:
    """The smallest threshold whose risk is controlled; see above.

    `until` (P,) is `wrong_until` of every calibration pixel, `units` (P,) says which unit it belongs to. Raises
    DataError where there are too few units for the risk.
    """
    weights, n = unit_shares(units)
    allowed = ((n + 1) * risk - 1) / n
    # A margin for rounding in the sums, far below one pixel's share.
    if allowed < -1e-12:
        enough = math.ceil(1 / risk - 1e-9) - 1
        raise DataError(
            f"{n} calibration units cannot show a risk of {risk:g}: the smallest is 1 / {n + 1} = "
            f"{smallest_risk(n):.3g}, and {risk:g} needs {enough} units; calibrate on more, or on smaller blocks"
        )
    order = np.argsort(-until, kind="stable")
    values, lost = until[order], weights[order].cumsum()
    # The loss at t counts pixels with until > t: it is 0 at the highest value, and falls only at values.
    last = np.flatnonzero(np.append(values[1:] != values[:-1], True))
    too_many = np.flatnonzero(lost[last] > allowed + 1e-12)
    if not len(too_many):
        return 0.0
    # Of the values whose pixels no longer fit, the highest: from it on they are not counted.
    return float(max(values[last[too_many[0]]], 0.0))
