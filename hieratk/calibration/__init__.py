"""Temperatures by level, and how deep a map may go at a risk: split conformal risk control over blocks."""

from __future__ import annotations

from hieratk.calibration.calibrate import Report, Row, calibrate
from hieratk.calibration.control import choose_threshold, smallest_risk, wrong_until
from hieratk.calibration.temperature import fit_temperatures, negative_log_likelihood

__all__ = [
    "Report",
    "Row",
    "calibrate",
    "choose_threshold",
    "fit_temperatures",
    "negative_log_likelihood",
    "smallest_risk",
    "wrong_until",
]
