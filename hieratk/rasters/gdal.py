"""The call into GDAL: opening, its errors and its warnings."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rasterio
from rasterio._err import CPLE_BaseError
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.windows import Window as RasterioWindow

from hieratk.errors import RasterError
from hieratk.rasters.grid import Window

GDAL_ERRORS = (RasterioError, CPLE_BaseError, OSError)
"""What a call may raise. GDAL's own errors pass through rasterio unwrapped where a file is closed."""

_CACHE_MEGABYTES = "128"

# `warnings.catch_warnings` swaps the filters of the whole process, so two threads must not be inside it at once.
_opening = threading.Lock()


def open_dataset(path: str, mode: str = "r", options: Mapping[str, Any] | None = None) -> Any:
    """A rasterio dataset. Raises RasterError for a path that cannot be read, GDAL's own errors for one to write."""
    # Unless somebody chose otherwise, GDAL would cache blocks in 5 % of all memory. It reads this name when it first
    # caches a block; where it has done so already, the process belongs to somebody else, and nothing changes.
    os.environ.setdefault("GDAL_CACHEMAX", _CACHE_MEGABYTES)
    local = "://" not in path and not path.startswith("/vsi")
    if mode == "r" and local:
        if not Path(path).exists():
            raise RasterError(f"there is no file {path}; check the path (relative ones start at the current folder)")
        if Path(path).is_dir():
            raise RasterError(f"{path} is a folder; give the raster file in it")
    try:
        with quiet():
            return rasterio.open(path, mode, **(options or {}))
    except GDAL_ERRORS as error:
        if mode != "r":
            raise
        raise RasterError(
            f"{path} cannot be opened as a raster: it is damaged, cut off or in a format that GDAL does not know; "
            f"copy it again or convert it to GeoTIFF ({first_line(error)})"
        ) from None


@contextmanager
def quiet() -> Iterator[None]:
    """No warning about rasters without georeference: here that is a value (None), not a fault."""
    with _opening, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def gdal_window(window: Window) -> RasterioWindow:
    """A window as rasterio wants it."""
    return RasterioWindow(window.col, window.row, window.width, window.height)


def first_line(error: Exception) -> str:
    """What GDAL said, on one line."""
    cause = error.__cause__ or error.__context__
    # rasterio's own text is then "See previous exception for details".
    text = str(cause if isinstance(cause, CPLE_BaseError) else error)
    return " ".join(text.split()) or type(error).__name__
