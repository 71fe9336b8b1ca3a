"""Writing rasters so that a file has its name when it is complete, or never."""

from __future__ import annotations

import os
import secrets
import shutil
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.transform import Affine

from hieratk.errors import RasterError
from hieratk.rasters.gdal import GDAL_ERRORS, first_line, gdal_window, open_dataset, quiet
from hieratk.rasters.grid import Grid, Window
from hieratk.rasters.reading import Array, Raster, read
from hieratk.rasters.sidecar import Entry, side_file


class RasterWriter:
    """Takes the pixels of a raster that `create` has begun."""

    def __init__(self, dataset: Any, target: Path, grid: Grid, count: int, dtype: str) -> None:
        self._dataset = dataset
        self._target = target
        self._shape = (count,)
        self.grid = grid
        self.dtype = np.dtype(dtype)
        self._sums: list[tuple[Window, int] | None] = []
        self._in_cell: dict[tuple[int, int], list[int]] = {}

    def write(self, pixels: Array, window: Window | None = None) -> None:
        """Write pixels (C, h, w) of the raster's dtype at a window (default: everywhere).

        Raises ValueError where shape or dtype differ, RasterError where GDAL reports that it cannot write.
        """
        place = window or self.grid.window
        if not self.grid.holds(place):
            raise ValueError(f"{place} are not inside {self.grid.height} x {self.grid.width} pixels")
        wanted = (*self._shape, place.height, place.width)
        if pixels.shape != wanted or pixels.dtype != self.dtype:
            raise ValueError(f"expected pixels {wanted} {self.dtype}, got {pixels.shape} {pixels.dtype}")
        with _writing(self._target):
            self._dataset.write(pixels, window=gdal_window(place))
        self._remember(place, pixels)

    def _remember(self, place: Window, pixels: Array, cell: int = 256) -> None:
        """Keep a checksum of what was written; what a later window overwrites, even in part, is not checked."""
        new = len(self._sums)
        for r in range(place.row // cell, (place.row + place.height - 1) // cell + 1):
            for c in range(place.col // cell, (place.col + place.width - 1) // cell + 1):
                before = self._in_cell.setdefault((r, c), [])
                for old in before:
                    entry = self._sums[old]
                    if entry is not None and _overlap(entry[0], place):
                        self._sums[old] = None
                before.append(new)
        self._sums.append((place, _checksum(pixels)))

    def verify(self, path: Path) -> None:
        """Raise RasterError unless a file holds what was written."""
        with Raster(path) as written:
            for entry in self._sums:
                if entry is not None and _checksum(written.read(entry[0])) != entry[1]:
                    raise RasterError(f"{entry[0]} do not hold what was written")


@contextmanager
def create(
    path: Path | str,
    grid: Grid,
    *,
    count: int,
    dtype: str,
    nodata: float | None = None,
    names: Sequence[str] = (),
    tags: Mapping[str, str] | None = None,
    band_tags: Sequence[Mapping[str, str]] = (),
    legends: Sequence[Sequence[Entry]] = (),
    smooth: bool = False,
    block: int = 256,
    compress: str = "deflate",
) -> Iterator[RasterWriter]:
    """Write a tiled, compressed GeoTIFF window by window; it gets its name when it is complete, or never.

    Args:
        grid: what it leaves out is left out of the file.
        dtype: a numpy name that GeoTIFF knows. names, band_tags, legends: one a band, from the first.
        legends: what the values of a band of classes mean; written as GDAL's side file (`hieratk.rasters.sidecar`),
            and for a single band of uint8 or uint16 into the GeoTIFF too.
        smooth: neighbouring values are near each other (images, probabilities), so differences are stored: predictor 2
            for integers, 3 for floats. Class values are stored as they are.
        block: side of a stored block in pixels, a multiple of 16. compress: "deflate" (every reader), "zstd", "lzw".

    The file is written under a hidden name in the same folder. When the block ends without an exception it is forced
    to the disk, read back and compared with checksums of what was written, and renamed. Reading back costs a few per
    cent of the time that making a map takes; it is done because GDAL writes through a cache and may report a full disk
    late, at the close or not at all. On any exception, KeyboardInterrupt included, nothing remains.

    Raises RasterError naming path and reason.
    """
    target = Path(path)
    options: dict[str, Any] = {
        "driver": "GTiff",
        "height": grid.height,
        "width": grid.width,
        "count": count,
        "dtype": dtype,
        "compress": compress,
        "predictor": 1 if not smooth else 3 if np.dtype(dtype).kind == "f" else 2,
        "tiled": True,
        "interleave": "band",
        "bigtiff": "if_safer",
    }
    # A block larger than the raster would only be padding.
    options["blockxsize"] = options["blockysize"] = min(block, -(-max(grid.height, grid.width) // 16) * 16)
    if nodata is not None:
        options["nodata"] = nodata
    if grid.crs is not None:
        options["crs"] = CRS.from_wkt(grid.crs)
    if grid.transform is not None:
        options["transform"] = Affine(*grid.transform)
    with _beside(target) as part:
        with _writing(target):
            dataset = open_dataset(str(part), "w", options)
        with _closing(dataset, target):
            writer = RasterWriter(dataset, target, grid, count, dtype)
            with _writing(target):
                for band, name in enumerate(names, 1):
                    dataset.set_band_description(band, name)
                if tags:
                    dataset.update_tags(**tags)
                for band, content in enumerate(band_tags, 1):
                    dataset.update_tags(band, **content)
                if legends and count == 1 and dtype in ("uint8", "uint16"):
                    dataset.write_colormap(1, {entry.value: (*entry.color, 255) for entry in legends[0]})
            yield writer
        with _writing(target):
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            writer.verify(part)
            if legends:
                _side_file(part).write_bytes(side_file(legends, dtype=dtype))


def write_png(path: Path | str, rgb: NDArray[np.uint8]) -> None:
    """Write a picture (H, W, 3) uint8 as PNG; it gets its name when it is complete. Raises RasterError."""
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise ValueError(f"expected (H, W, 3) uint8, got {rgb.shape} {rgb.dtype}")
    pixels = np.ascontiguousarray(rgb.transpose(2, 0, 1))
    target = Path(path)
    with _beside(target) as part, _writing(target):
        height, width = rgb.shape[:2]
        profile = {"driver": "PNG", "height": height, "width": width, "count": 3, "dtype": "uint8"}
        dataset = open_dataset(str(part), "w", profile)
        with _closing(dataset, target):
            dataset.write(pixels)
        if not np.array_equal(read(part), pixels):
            raise RasterError("it does not hold what was written")


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """A hidden name beside the target that becomes the target on success and vanishes, side files too, otherwise."""
    if target.is_dir():
        raise RasterError(f"cannot write {target}: it is a folder; give a file name in it")
    if not target.parent.is_dir():
        raise RasterError(f"cannot write {target}: the folder {target.parent} does not exist; create it first")
    part = target.with_name(f".{target.name}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        yield part
        with _writing(target):
            # An old side file describes the old pixels, so it goes first: at no time does one lie beside the wrong
            # raster.
            _side_file(target).unlink(missing_ok=True)
            part.replace(target)
            if _side_file(part).exists():
                _side_file(part).replace(_side_file(target))
    finally:
        part.unlink(missing_ok=True)
        _side_file(part).unlink(missing_ok=True)


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Errors of GDAL and of the disk as one RasterError that names the target."""
    try:
        yield
    except (*GDAL_ERRORS, RasterError) as error:
        if isinstance(error, _WriteError):
            raise
        raise _WriteError(f"cannot write {target}: {_write_reason(error, target)}; {_kept(target)}") from None


class _WriteError(RasterError):
    """Has its full text already."""


@contextmanager
def _closing(dataset: Any, target: Path) -> Iterator[None]:
    """Close on the way out; a fault of closing counts only where nothing else went wrong before."""
    try:
        yield
    except BaseException:
        with suppress(*GDAL_ERRORS), quiet():
            dataset.close()
        raise
    with _writing(target), quiet():
        dataset.close()


def _kept(target: Path) -> str:
    return "the file of that name is still the old one" if target.exists() else "no file of that name was made"


def _write_reason(error: Exception, target: Path) -> str:
    free = shutil.disk_usage(target.parent).free
    if free < 2**20:
        return f"the disk is full ({free:,} bytes free); free some space or choose another folder"
    if isinstance(error, RasterError):
        return (
            f"what was written does not read back, as on a full disk or beyond a quota ({free:,} bytes free); free "
            "some space or choose another folder"
        )
    return first_line(error)


def _side_file(path: Path) -> Path:
    return path.with_name(path.name + ".aux.xml")


def _overlap(a: Window, b: Window) -> bool:
    rows = a.row < b.row + b.height and b.row < a.row + a.height
    return rows and a.col < b.col + b.width and b.col < a.col + a.width


def _checksum(pixels: Array) -> int:
    return zlib.crc32(np.ascontiguousarray(pixels).data)
