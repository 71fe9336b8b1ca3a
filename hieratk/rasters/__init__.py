"""Reading and writing rasters: the only room that knows rasterio.

Pixels travel as numpy arrays (bands, rows, columns) in the file's own dtype, places as `Window`, shape and
georeference as `Grid`. What a file does not say (reference system, transform) is None here and stays unsaid in what is
written.
"""

from hieratk.rasters.grid import Grid, Window
from hieratk.rasters.reading import Raster, RasterInfo, inspect, read
from hieratk.rasters.sidecar import Entry
from hieratk.rasters.writing import RasterWriter, create, write_png

__all__ = ["Entry", "Grid", "Raster", "RasterInfo", "RasterWriter", "Window", "create", "inspect", "read", "write_png"]
