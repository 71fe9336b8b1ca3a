"""Small scenes on disk for the tests of `hieratk.data`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from hieratk.data.scenes import Scene
from hieratk.rasters import Grid, create
from hieratk.taxonomy.tree import Special, Taxonomy


def paint_image(path, pixels, *, nodata=None, transform=None, crs=None, names=(), block=16):
    """Write pixels (C, H, W) as a GeoTIFF."""
    grid = Grid(*pixels.shape[1:], transform=transform, crs=crs)
    with create(
        path, grid, count=len(pixels), dtype=str(pixels.dtype), nodata=nodata, names=names, block=block
    ) as writer:
        writer.write(pixels)
    return path


def paint(folder, pixels, labels, *, nodata=None, label_nodata=None, name="scene", **options) -> Scene:
    """A scene of an image (C, H, W) and labels (H, W)."""
    image = paint_image(Path(folder) / f"{name}.tif", pixels, nodata=nodata)
    label = paint_image(Path(folder) / f"{name}_label.tif", labels[None], nodata=label_nodata)
    return Scene(image, label, name=name, **options)


def small_tree() -> Taxonomy:
    """Two groups, three leaves and an inner class with a pixel value; 0 is unlabelled."""
    tree = Taxonomy.from_outline(
        {"green": {"grass": 1, "forest": [2, 3]}, "water": {"lake": 4}},
        id="small",
        classes={"green": {"pixel": 9}},
        special=(Special("void", "unlabelled"),),
    )
    default = tree.encodings["default"]
    return replace(tree, encodings={"default": replace(default, values=((0, 0, "void"), *default.values))})


def random_scene(random, height, width, *, bands=2):
    """(C, H, W) float32 pixels with some NaN and nodata (-1), (H, W) uint8 labels with some undeclared values."""
    pixels = random.normal(100, 20, (bands, height, width)).astype(np.float32)
    pixels[random.random(pixels.shape) < 0.03] = np.nan
    pixels[random.random(pixels.shape) < 0.03] = -1
    labels = random.choice(np.array([0, 1, 2, 3, 4, 9, 77], np.uint8), (height, width))
    return pixels, labels
