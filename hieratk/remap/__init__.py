"""Rasters of classes from one legend to another: a table made once from trees and a crosswalk, one gather a block.

    connection = connect("esa_worldcover", crosswalk="my_crosswalk.yaml")
    counts = remap("in.tif", "out.tif", connection)

`table` is the pure part, over label rows; `remap` streams a raster through it and counts every value.
"""

from hieratk.remap.checking import Checked, check_raster
from hieratk.remap.connection import connect
from hieratk.remap.legend import Legend, encoding_legend, level_legend
from hieratk.remap.streaming import Count, Counts, DroppedPixels, remap
from hieratk.remap.survey import Seen
from hieratk.remap.table import OUTCOMES, Fate, Outcome, RemapTable, table

__all__ = [
    "OUTCOMES",
    "Checked",
    "Count",
    "Counts",
    "DroppedPixels",
    "Fate",
    "Legend",
    "Outcome",
    "RemapTable",
    "Seen",
    "check_raster",
    "connect",
    "encoding_legend",
    "level_legend",
    "remap",
    "table",
]
