"""Scores by level and over the tree, from one streaming state; areas by class with their uncertainty."""

from __future__ import annotations

from hieratk.metrics.area import Area, node_areas
from hieratk.metrics.scores import HierarchicalScores, LevelScores, Mistakes
from hieratk.metrics.streaming import LevelMetrics

__all__ = ["Area", "HierarchicalScores", "LevelMetrics", "LevelScores", "Mistakes", "node_areas"]
