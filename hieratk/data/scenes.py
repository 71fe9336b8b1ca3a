"""A scene: an image with its labels, read by window as normalisable pixels and label rows."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hieratk.errors import DataError, RasterError
from hieratk.rasters import Grid, Raster, Window
from hieratk.taxonomy.tables import UNDECLARED, Lookup, compile_tables
from hieratk.taxonomy.tree import Taxonomy


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a scene lies and how its numbers are meant.

    Attributes:
        image: one raster, or several on the same grid whose bands count on (a file a band).
        label: a raster of one integer band on the same grid, or None.
        encoding: the taxonomy's encoding that the label is written in.
        bands: 1-based bands to use, in this order; None for all.
        nodata: the image value that means "not observed", in place of what the files say; None to believe the files.
        scale, offset: a pixel is used as value * scale + offset. Scales stated in the file are not applied.
        name: what messages call it.
    """

    image: Path | tuple[Path, ...]
    label: Path | None = None
    encoding: str = "default"
    bands: tuple[int, ...] | None = None
    nodata: float | None = None
    scale: float = 1.0
    offset: float = 0.0
    name: str = ""

    @property
    def images(self) -> tuple[Path, ...]:
        """The image rasters."""
        return self.image if isinstance(self.image, tuple) else (self.image,)


@dataclass(frozen=True, slots=True)
class Dataset:
    """Scenes on disk with the taxonomy (a shipped name or a path) that they are labelled in.

    `licence` and `citation` are what whoever publishes results owes to those who made the data.
    """

    name: str
    taxonomy: str
    scenes: tuple[Scene, ...]
    licence: str
    citation: str


@dataclass(frozen=True, slots=True)
class _Opened:
    images: tuple[Raster, ...]
    label: Raster | None
    used: tuple[tuple[int, ...], ...]
    nodata: tuple[tuple[float | None, ...], ...]


class SceneReader:
    """Reads a scene by window; a context manager. Files are opened at the first question and stay open until `close`.

    One reader may be asked by several threads; their reads wait for each other.

    Args:
        taxonomy: the tree that labels are read into; None where only the image is wanted.
        points: (K, 2) rows and columns of the only pixels whose labels `rows` tells; None for all.

    Every method raises RasterError for files that cannot be read or do not fit each other.
    """

    def __init__(
        self, scene: Scene, taxonomy: Taxonomy | None = None, *, points: NDArray[np.int64] | None = None
    ) -> None:
        self.scene = scene
        self._points = points
        self._taxonomy = taxonomy
        self._lock = threading.Lock()
        self._files: _Opened | None = None
        self._lookup: Lookup | None = None
        self._void: frozenset[int] | None = None
        self._kept: tuple[NDArray[np.float32], NDArray[np.bool_]] | None = None

    @property
    def grid(self) -> Grid:
        """Shape and georeference of the image."""
        return self._opened().images[0].grid

    @property
    def bands(self) -> tuple[int, ...]:
        """1-based bands in use, counted on through the image files."""
        files = self._opened()
        return self.scene.bands or tuple(range(1, sum(image.info.count for image in files.images) + 1))

    @property
    def band_names(self) -> tuple[str, ...]:
        """Descriptions of the bands in use; a band without one is called `band 3`."""
        names = [name for image in self._opened().images for name in image.info.names]
        return tuple(names[band - 1] or f"band {band}" for band in self.bands)

    def image(self, window: Window) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """Pixels (C, h, w) after scale and offset, and (h, w) True where every band was observed.

        A pixel is not valid where any band in use is nodata, masked by the file or not finite; it is 0 in all bands
        then.
        """
        kept = self._kept
        if kept is not None and self.grid.holds(window):
            rows, cols = slice(window.row, window.row + window.height), slice(window.col, window.col + window.width)
            return kept[0][:, rows, cols].copy(), kept[1][rows, cols].copy()
        files = self._opened()
        pixels = np.empty((len(self.bands), window.height, window.width), np.float32)
        valid = np.ones((window.height, window.width), bool)
        rank = {band: place for place, band in enumerate(self.bands)}
        before = 0
        for raster, used, nodata in zip(files.images, files.used, files.nodata, strict=True):
            raw = raster.read(window, used)
            for layer, band, missing in zip(raw, used, nodata, strict=True):
                _mark(valid, layer, missing)
                pixels[rank[before + band]] = layer
            mask = raster.read_mask(window)
            if mask is not None:
                valid &= mask
            before += raster.info.count
        if self.scene.scale != 1.0:
            pixels *= np.float32(self.scene.scale)
        if self.scene.offset != 0.0:
            pixels += np.float32(self.scene.offset)
        if not valid.all():
            np.copyto(pixels, 0.0, where=~valid)
        return pixels, valid

    @property
    def nbytes(self) -> int:
        """Bytes that the whole image takes in memory, as `image` gives it."""
        return self.grid.height * self.grid.width * (4 * len(self.bands) + 1)

    def keep(self) -> None:
        """Read the whole image now and answer from memory until `close`.

        For scenes that are small: a chip of many bands then costs a copy in place of a call into GDAL a band.
        """
        if self._kept is None:
            self._kept = self.image(self.grid.window)

    def values(self, window: Window) -> NDArray[Any]:
        """Label pixels (h, w) as the file has them. Raises DataError for a scene without labels."""
        label = self._opened().label
        if label is None:
            raise DataError(f"the scene {self.scene.images[0]} has no label raster; give one as `label`")
        pixels: NDArray[Any] = label.read(window, (1,))[0]
        return pixels

    def rows(self, window: Window) -> NDArray[np.int32]:
        """Label rows (h, w) as `hieratk.taxonomy.tables` counts them; row 0 for every value that is not declared."""
        found = self.lookup(self.values(window))
        return found if self._points is None else _only(found, window, self._points)

    @property
    def lookup(self) -> Lookup:
        """Label pixels -> label rows. Raises TaxonomyError where the taxonomy lacks the scene's encoding."""
        if self._lookup is None:
            if self._taxonomy is None:
                raise ValueError("a reader made without a taxonomy cannot read label rows")
            self._lookup = compile_tables(self._taxonomy).lookup(self.scene.encoding)
        return self._lookup

    @property
    def void_values(self) -> frozenset[int]:
        """Label values that no class has declared, yet nobody forgot: the label raster's and the encoding's nodata."""
        if self._void is None:
            label, lookup = self._opened().label, self.lookup
            assert self._taxonomy is not None
            found = {self._taxonomy.encodings[self.scene.encoding].nodata, label.info.nodata if label else None}
            values = [int(value) for value in found if value is not None and float(value).is_integer()]
            self._void = frozenset(v for v in values if lookup(np.array([v]))[0] == UNDECLARED)
        return self._void

    def close(self) -> None:
        """Close the files; a later question opens them again."""
        with self._lock:
            if self._files is not None:
                for raster in (*self._files.images, *((self._files.label,) if self._files.label else ())):
                    raster.close()
                self._files = None
            self._kept = None

    def __enter__(self) -> SceneReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _opened(self) -> _Opened:
        with self._lock:
            if self._files is None:
                self._files = _open(self.scene)
            return self._files


def _open(scene: Scene) -> _Opened:
    with ExitStack() as opened:
        images = tuple(opened.enter_context(Raster(path)) for path in scene.images)
        label = opened.enter_context(Raster(scene.label)) if scene.label is not None else None
        first = images[0]
        for other in images[1:]:
            _same_place(first, other, "the files of one image share one grid")
        if label is not None:
            _same_place(first, label, "warp the label onto the image's grid, with the nearest neighbour")
            if label.info.count != 1:
                raise RasterError(f"{label.path} has {label.info.count} bands; a label raster has one")
            if np.dtype(label.info.dtype).kind not in "iu":
                raise RasterError(f"{label.path} is {label.info.dtype}; labels are integers: convert without scaling")
        for image in images:
            if np.dtype(image.info.dtype).kind == "c":
                raise RasterError(f"{image.path} is {image.info.dtype}; store amplitude or intensity as real numbers")
        used = _used(scene, images)
        nodata = tuple(
            tuple(image.info.band_nodata[band - 1] if scene.nodata is None else scene.nodata for band in bands)
            for image, bands in zip(images, used, strict=True)
        )
        opened.pop_all()
        return _Opened(images, label, used, nodata)


def _used(scene: Scene, images: tuple[Raster, ...]) -> tuple[tuple[int, ...], ...]:
    """For each file the bands to read from it, in ascending order."""
    total = sum(image.info.count for image in images)
    wanted = scene.bands or tuple(range(1, total + 1))
    if len(set(wanted)) != len(wanted):
        raise RasterError(f"bands {', '.join(map(str, wanted))} of {images[0].path}: each band can be used once")
    if len(images) == 1:
        images[0].require_bands(wanted)
    elif not all(1 <= band <= total for band in wanted):
        missing = next(band for band in wanted if not 1 <= band <= total)
        raise RasterError(f"the {len(images)} files from {images[0].path} have {total} bands and no band {missing}")
    used, before = [], 0
    for image in images:
        end = before + image.info.count
        used.append(tuple(sorted(band - before for band in wanted if before < band <= end)))
        before = end
    return tuple(used)


def _only(rows: NDArray[np.int32], window: Window, points: NDArray[np.int64]) -> NDArray[np.int32]:
    """Label rows of a window, undeclared at every pixel but the given ones."""
    r, c = points[:, 0] - window.row, points[:, 1] - window.col
    inside = (r >= 0) & (r < window.height) & (c >= 0) & (c < window.width)
    found = np.full_like(rows, UNDECLARED)
    found[r[inside], c[inside]] = rows[r[inside], c[inside]]
    return found


def _same_place(image: Raster, other: Raster, way_out: str) -> None:
    difference = image.grid.difference(other.grid)
    if difference:
        raise RasterError(f"{image.path} and {other.path} do not cover the same pixels: {difference}; {way_out}")


def _mark(valid: NDArray[np.bool_], layer: NDArray[Any], nodata: float | None) -> None:
    """Clear `valid` where a band is nodata or not finite."""
    if layer.dtype.kind == "f":
        valid &= np.isfinite(layer)
        if nodata is not None:
            # In the band's own precision: a float32 band cannot hold the float64 number that its header states.
            valid &= layer != layer.dtype.type(nodata)
    elif nodata is not None and float(nodata).is_integer():
        info = np.iinfo(layer.dtype)
        if info.min <= nodata <= info.max:
            valid &= layer != int(nodata)
