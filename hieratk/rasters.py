"""Reading and writing rasters: the only module that knows rasterio.

Pixels travel as numpy arrays (bands, rows, columns) in the file's own dtype, places as `Window`, shape and
georeference as `Grid`. What a file does not say (reference system, transform) is None here and
stays unsaid in what is written.
"""

from __future__ import annotations

import math
import os
import secrets
import shutil
import threading
import warnings
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio._err import CPLE_BaseError
from rasterio.crs import CRS
from rasterio.enums import MaskFlags
from rasterio.errors import NotGeoreferencedWarning, RasterioError
from rasterio.transform import Affine
from rasterio.windows import Window as RasterioWindow

from hieratk.errors import RasterError

Array: TypeAlias = NDArray[Any]
Color: TypeAlias = tuple[int, ...]

_CACHE_MEGABYTES = "128"
_HALF_PIXEL = 0.5

# GDAL's own errors pass through rasterio unwrapped where a file is closed; they are no RasterioError.
_GDAL_ERRORS = (RasterioError, CPLE_BaseError, OSError)

# `warnings.catch_warnings` swaps the filters of the whole process, so two threads must not be inside it at once.
_opening = threading.Lock()


@dataclass(frozen=True, slots=True)
class Window:
    """A rectangle of pixels: first row and column (0-based), height and width."""

    row: int
    col: int
    height: int
    width: int

    def __str__(self) -> str:
        return f"rows {self.row}-{self.row + self.height - 1}, columns {self.col}-{self.col + self.width - 1}"


@dataclass(frozen=True, slots=True)
class Grid:
    """Shape and georeference of a raster.

    `transform` are the six numbers (a, b, c, d, e, f) of x = a col + b row + c, y = d col + e row + f, None where the
    file has none; `crs` is WKT, None where the file has none. The two are independent.
    """

    height: int
    width: int
    transform: tuple[float, float, float, float, float, float] | None = None
    crs: str | None = None

    @property
    def window(self) -> Window:
        """The whole grid."""
        return Window(0, 0, self.height, self.width)

    def holds(self, window: Window) -> bool:
        """Whether a window is not empty and lies inside."""
        return (
            min(window.row, window.col) >= 0
            and min(window.height, window.width) > 0
            and window.row + window.height <= self.height
            and window.col + window.width <= self.width
        )

    def difference(self, other: Grid) -> str:
        """How pixels of another grid lie elsewhere, as text with both values; empty where they coincide.

        What one side does not say contradicts nothing. Corners may be up to half a pixel apart: writers round.
        """
        if (self.height, self.width) != (other.height, other.width):
            return f"{self.height} x {self.width} pixels against {other.height} x {other.width}"
        if self.crs is not None and other.crs is not None and self.crs != other.crs:
            mine, theirs = CRS.from_wkt(self.crs), CRS.from_wkt(other.crs)
            if mine != theirs:
                return f"reference system {_short(mine)} against {_short(theirs)}"
        if self.transform is not None and other.transform is not None:
            a, b, _, d, e, _ = self.transform
            pixel = math.sqrt(abs(a * e - b * d))
            apart = max(map(math.dist, self._corners(), other._corners()))
            if apart > _HALF_PIXEL * pixel:
                return f"transform {tuple(self.transform)} against {tuple(other.transform)}"
        return ""

    def _corners(self) -> list[tuple[float, float]]:
        assert self.transform is not None
        a, b, c, d, e, f = self.transform
        places = [(x, y) for y in (0, self.height) for x in (0, self.width)]
        return [(a * x + b * y + c, d * x + e * y + f) for x, y in places]


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
        self._dataset = _open(self.path)
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
                return np.asarray(self._dataset.read(wanted, window=_window(place), out_dtype=self.info.dtype))
        except (*_GDAL_ERRORS, ValueError) as error:
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
                mask = self._dataset.dataset_mask(window=_window(place))
        except (*_GDAL_ERRORS, ValueError) as error:
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
            f"({_first_line(error)})"
        )


def inspect(path: Path | str) -> RasterInfo:
    """What a raster says about itself, without reading pixels. Raises RasterError as `Raster` does."""
    with Raster(path) as raster:
        return raster.info


def read(path: Path | str, *, window: Window | None = None, bands: Sequence[int] | None = None) -> Array:
    """Pixels (C, h, w) of a raster; see `Raster.read`."""
    with Raster(path) as raster:
        return raster.read(window, bands)


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
            self._dataset.write(pixels, window=_window(place))
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
    colormaps: Sequence[Mapping[int, Color] | None] = (),
    smooth: bool = False,
    block: int = 256,
    compress: str = "deflate",
) -> Iterator[RasterWriter]:
    """Write a tiled, compressed GeoTIFF window by window; it gets its name when it is complete, or never.

    Args:
        grid: what it leaves out is left out of the file.
        dtype: a numpy name that GeoTIFF knows. names, band_tags, colormaps: one a band, from the first.
        colormaps: raster value -> (red, green, blue[, alpha]). GeoTIFF holds one table, of the first band, for uint8
            and uint16; tables of other bands are not written.
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
            dataset = _open(str(part), "w", **options)
        with _closing(dataset, target):
            writer = RasterWriter(dataset, target, grid, count, dtype)
            with _writing(target):
                for band, name in enumerate(names, 1):
                    dataset.set_band_description(band, name)
                if tags:
                    dataset.update_tags(**tags)
                for band, content in enumerate(band_tags, 1):
                    dataset.update_tags(band, **content)
                if colormaps and colormaps[0] and np.dtype(dtype) in (np.dtype("uint8"), np.dtype("uint16")):
                    dataset.write_colormap(1, {value: (*color, 255)[:4] for value, color in colormaps[0].items()})
            yield writer
        with _writing(target):
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            writer.verify(part)


def write_png(path: Path | str, rgb: NDArray[np.uint8]) -> None:
    """Write a picture (H, W, 3) uint8 as PNG; it gets its name when it is complete. Raises RasterError."""
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
        raise ValueError(f"expected (H, W, 3) uint8, got {rgb.shape} {rgb.dtype}")
    pixels = np.ascontiguousarray(rgb.transpose(2, 0, 1))
    target = Path(path)
    with _beside(target) as part, _writing(target):
        height, width = rgb.shape[:2]
        dataset = _open(str(part), "w", driver="PNG", height=height, width=width, count=3, dtype="uint8")
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
            part.replace(target)
            # Side files describe the old pixels (statistics, colour tables); nothing written here needs one.
            _side_file(target).unlink(missing_ok=True)
    finally:
        part.unlink(missing_ok=True)
        _side_file(part).unlink(missing_ok=True)


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Errors of GDAL and of the disk as one RasterError that names the target."""
    try:
        yield
    except (*_GDAL_ERRORS, RasterError) as error:
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
        with suppress(*_GDAL_ERRORS), _quiet():
            dataset.close()
        raise
    with _writing(target), _quiet():
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
    return _first_line(error)


def _side_file(path: Path) -> Path:
    return path.with_name(path.name + ".aux.xml")


def _open(path: str, mode: str = "r", **options: Any) -> Any:
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
        with _quiet():
            return rasterio.open(path, mode, **options)
    except _GDAL_ERRORS as error:
        if mode != "r":
            raise
        raise RasterError(
            f"{path} cannot be opened as a raster: it is damaged, cut off or in a format that GDAL does not know; "
            f"copy it again or convert it to GeoTIFF ({_first_line(error)})"
        ) from None


@contextmanager
def _quiet() -> Iterator[None]:
    """No warning about rasters without georeference: here that is a value (None), not a fault."""
    with _opening, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def _info(dataset: Any, path: str) -> RasterInfo:
    with _quiet():
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


def _window(window: Window) -> RasterioWindow:
    return RasterioWindow(window.col, window.row, window.width, window.height)


def _overlap(a: Window, b: Window) -> bool:
    rows = a.row < b.row + b.height and b.row < a.row + a.height
    return rows and a.col < b.col + b.width and b.col < a.col + a.width


def _checksum(pixels: Array) -> int:
    return zlib.crc32(np.ascontiguousarray(pixels).data)


def _short(crs: CRS) -> str:
    code = crs.to_epsg()
    return f"EPSG:{code}" if code else str(crs.to_wkt())


def _first_line(error: Exception) -> str:
    cause = error.__cause__ or error.__context__
    # rasterio's own text is then "See previous exception for details".
    text = str(cause if isinstance(cause, CPLE_BaseError) else error)
    return " ".join(text.split()) or type(error).__name__
