"""Reading rasters by window."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.transform import Affine

from hieratk.errors import RasterError
from hieratk.rasters.gdal import GDAL_ERRORS, first_line, gdal_window, open_dataset, quiet
from hieratk.rasters.grid import Grid, Window

Array: TypeAlias = NDArray[Any]
Color: TypeAlias = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class RasterInfo:
    """What a raster says about itself.

    `band_nodata`, `names` (band descriptions, None where absent) and `colormaps` have one entry a band; `block` is the
    (height, width) of a stored block.
    """

    path: str
    driver: str
    grid: Grid
    count: int
    dtype: str
    band_nodata: tuple[float | None, ...]
    names: tuple[str | None, ...]
    block: tuple[int, int]
    colormaps: tuple[Mapping[int, Color] | None, ...]
    tags: Mapping[str, str]
    band_tags: tuple[Mapping[str, str], ...]

    @property
    def nodata(self) -> float | None:
        """The nodata value of the first band."""
        return self.band_nodata[0]


class Raster:
    """An open raster to read from; a context manager.

    A GDAL handle must not be read by two threads at once, so reads of one `Raster` wait for each other; open one a
    thread to read in parallel. Raises RasterError for a path that is missing, a directory or no raster.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = str(path)
        self._lock = threading.Lock()
        self._dataset = open_dataset(self.path)
        self.info = _info(self._dataset, self.path)
        flags = self._dataset.mask_flag_enums
        self._masked = any(MaskFlags.per_dataset in band and MaskFlags.nodata not in band for band in flags)

    @property
    def grid(self) -> Grid:
        """Shape and georeference."""
        return self.info.grid

    def read(self, window: Window | None = None, bands: Sequence[int] | None = None) -> Array:
        """Pixels (C, h, w) of a window (default: all) and of 1-based bands (default: all), in the file's dtype.

        Raises RasterError for a band or window that is not there and for pixels that cannot be read.
        """
        wanted = tuple(bands) if bands is not None else tuple(range(1, self.info.count + 1))
        self.require_bands(wanted)
        place = self._place(window)
        try:
            with self._lock:
                return np.asarray(self._dataset.read(wanted, window=gdal_window(place), out_dtype=self.info.dtype))
        except (*GDAL_ERRORS, ValueError) as error:
            raise self._unreadable(place, error) from None

    def read_mask(self, window: Window | None = None) -> NDArray[np.bool_] | None:
        """(h, w) True where the file's own mask or alpha band says that a pixel exists; None where it has neither.

        The nodata value is not part of it: compare pixels with `info.band_nodata`.
        """
        if not self._masked:
            return None
        place = self._place(window)
        try:
            with self._lock:
                mask = self._dataset.dataset_mask(window=gdal_window(place))
        except (*GDAL_ERRORS, ValueError) as error:
            raise self._unreadable(place, error) from None
        return np.asarray(mask).astype(bool)

    def require_bands(self, bands: Sequence[int]) -> None:
        """Raise RasterError unless all 1-based bands exist."""
        missing = [band for band in bands if not 1 <= band <= self.info.count]
        if missing:
            have = "1 band" if self.info.count == 1 else f"{self.info.count} bands"
            raise RasterError(f"{self.path} has {have} and no band {', '.join(map(str, missing))}; bands count from 1")

    def close(self) -> None:
        """Close the file; reading is over."""
        with self._lock:
            self._dataset.close()

    def __enter__(self) -> Raster:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _place(self, window: Window | None) -> Window:
        place = window or self.grid.window
        if not self.grid.holds(place):
            size = f"{self.grid.height} x {self.grid.width} pixels"
            raise RasterError(f"{self.path} has {size}; {place} are not all inside")
        return place

    def _unreadable(self, place: Window, error: Exception) -> RasterError:
        return RasterError(
            f"{self.path} cannot be read at {place}: the file is damaged or cut off; copy or download it again "
            f"({first_line(error)})"
        )


def inspect(path: Path | str) -> RasterInfo:
    """What a raster says about itself, without reading pixels. Raises RasterError as `Raster` does."""
    with Raster(path) as raster:
        return raster.info


def read(path: Path | str, *, window: Window | None = None, bands: Sequence[int] | None = None) -> Array:
    """Pixels (C, h, w) of a raster; see `Raster.read`."""
    with Raster(path) as raster:
        return raster.read(window, bands)


def _info(dataset: Any, path: str) -> RasterInfo:
    with quiet():
        transform: Affine = dataset.transform
    # GDAL gives the identity where a file has no transform; a real transform is never that.
    numbers = None if transform == Affine.identity() else tuple(float(x) for x in tuple(transform)[:6])
    crs = dataset.crs
    grid = Grid(dataset.height, dataset.width, numbers, crs.to_wkt() if crs else None)  # type: ignore[arg-type]
    dtypes = [np.dtype(d) for d in dataset.dtypes]
    return RasterInfo(
        path=path,
        driver=str(dataset.driver),
        grid=grid,
        count=int(dataset.count),
        dtype=str(np.result_type(*dtypes)),
        band_nodata=tuple(None if v is None else float(v) for v in dataset.nodatavals),
        names=tuple(dataset.descriptions),
        block=tuple(dataset.block_shapes[0]),
        colormaps=tuple(_colormap(dataset, band) for band in dataset.indexes),
        tags=dict(dataset.tags()),
        band_tags=tuple(dict(dataset.tags(band)) for band in dataset.indexes),
    )


def _colormap(dataset: Any, band: int) -> Mapping[int, Color] | None:
    try:
        return {int(value): tuple(color) for value, color in dataset.colormap(band).items()}
    except ValueError:
        return None
