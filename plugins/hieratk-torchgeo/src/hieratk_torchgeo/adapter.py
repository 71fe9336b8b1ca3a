"""From torchgeo's samples to hieratk's scenes: labels on the grid of an image, in the codes of their nomenclature."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
from numpy.typing import NDArray

from hieratk.data.scenes import Scene
from hieratk.errors import DataError
from hieratk.rasters import Grid, Window, create, inspect

Codes = Callable[[NDArray[Any]], NDArray[Any]]
"""What torchgeo's mask values mean in the nomenclature's own codes, element by element."""

SUFFIXES = (".tif", ".tiff", ".img", ".vrt", ".jp2")
_PIXELS_AT_ONCE = 2**24


def images_in(name: str, where: str) -> list[Path]:
    """The rasters of a folder, or the one raster that is named; DataError where there are none."""
    path = Path(where).expanduser()
    if path.is_file():
        return [path]
    found = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES) if path.is_dir() else []
    if not found:
        raise DataError(f"{name}: `images` is {where}, which holds no raster ({', '.join(SUFFIXES)})")
    return found


def label_scenes(
    name: str,
    make: Callable[..., Any],
    images: Iterable[Path],
    folder: Path,
    *,
    codes: Codes,
    dtype: str,
    encoding: str = "default",
) -> tuple[Scene, ...]:
    """A scene for every image, with a label raster on exactly its grid, written into a folder.

    Args:
        make: makes torchgeo's `GeoDataset` of labels, called with `crs` (of the image) and `res` (its cell): torchgeo
            warps, rasterises and merges files.
        codes: torchgeo's mask values -> codes of the nomenclature.
        dtype: of the label rasters.

    Pixels that the labels do not cover are what `codes` makes of torchgeo's 0. Raises DataError for an image without
    georeference or turned against north, and for images that no label covers.
    """
    scenes = []
    for image in images:
        grid = inspect(image).grid
        label = folder / f"{image.stem}.label.tif"
        x, y, (xres, yres) = _extent(name, image, grid)
        try:
            dataset = make(crs=pyproj.CRS.from_wkt(grid.crs), res=(xres, yres))
        except Exception as error:
            raise DataError(f"{name}: torchgeo finds no labels: {_reason(error)}") from error
        rows = max(1, _PIXELS_AT_ONCE // grid.width)
        covered = False
        folder.mkdir(parents=True, exist_ok=True)
        with create(label, grid, count=1, dtype=dtype, names=("class",), tags={"SOURCE": name}) as writer:
            for row in range(0, grid.height, rows):
                window = Window(row, 0, min(rows, grid.height - row), grid.width)
                top, bottom = y - yres * row, y - yres * (row + window.height)
                mask = _mask(name, dataset, (x, x + xres * grid.width, xres), (bottom, top, yres), window)
                covered |= mask is not None
                pixels = np.zeros((window.height, window.width), np.int64) if mask is None else mask
                writer.write(codes(pixels).astype(dtype)[None], window)
        if not covered:
            label.unlink()
            raise DataError(f"{name}: no label covers {image}; leave it out, or fetch the labels of its place")
        scenes.append(Scene(image, label, encoding=encoding, name=image.stem))
    return tuple(scenes)


def ordinal_codes(dataset_codes: Sequence[int]) -> Codes:
    """Back from torchgeo's ordinals to the codes that they stand for: the class list of the data set."""
    table = np.asarray(dataset_codes)

    def codes(values: NDArray[Any]) -> NDArray[Any]:
        found: NDArray[Any] = table[values]
        return found

    return codes


def _mask(
    name: str, dataset: Any, xs: tuple[float, float, float], ys: tuple[float, float, float], window: Window
) -> NDArray[Any] | None:
    try:
        sample = dataset[slice(*xs), slice(*ys)]
    except IndexError:  # torchgeo's word for "not covered"
        return None
    mask: NDArray[Any] = sample["mask"].numpy().squeeze()
    mask = mask.reshape(-1, mask.shape[-1]) if mask.ndim else mask.reshape(1, 1)
    if mask.shape != (window.height, window.width):
        raise DataError(
            f"{name}: torchgeo gives labels {mask.shape} for {window.height} x {window.width} pixels; is the image's "
            "transform a whole number of cells?"
        )
    return mask


def _extent(name: str, image: Path, grid: Grid) -> tuple[float, float, tuple[float, float]]:
    """Left, top and cell of an image whose rows run south."""
    if grid.crs is None or grid.transform is None:
        raise DataError(f"{name}: {image} has no reference system or no transform, so labels cannot be put on it")
    a, b, c, d, e, f = grid.transform
    if b or d or a <= 0 or e >= 0:
        raise DataError(f"{name}: {image} is turned against north; warp it first (gdalwarp)")
    return c, f, (a, -e)


def _reason(error: Exception) -> str:
    first = str(error).strip().splitlines()
    return f"{type(error).__name__}: {first[0] if first else ''}"
