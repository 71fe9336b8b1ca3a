"""Maps of whole scenes: windows in, one band a level out."""

from hieratk.prediction.scene import MapSummary, predict

__all__ = ["MapSummary", "predict"]
