"""Small scenes with a pattern that a small network learns at once, written as real GeoTIFFs."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from hieratk.rasters import Grid, create

TREE = """\
hieratk: taxonomy/1
id: fields
version: 1.0.0
levels: [cover, crop]
tree:
  water: 1
  fields: {rice: 2, maize: 3}
special:
  void: {role: unlabelled, pixel: 0}
encodings:
  default: {dtype: uint8}
"""

RUN = """\
taxonomy: fields.yaml
scenes:
  - {image: scene.tif, label: labels.tif}
split: {block: 16, folds: 5, test: [0], val: [1]}
model: unet
backbone: {name: conv, widths: [8, 12], spectral: 0}
schedule: {steps: 12, batch: 4, chip: 16, lr: 0.01, warmup: 2, save_every: 4}
predict: {window: 32, overlap: 8}
seed: 3
"""

UTM = (
    'PROJCS["WGS 84 / UTM zone 12N",GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],'
    'PRIMEM["Greenwich",0],UNIT["degree",0.0174532925199433]],PROJECTION["Transverse_Mercator"],'
    'PARAMETER["latitude_of_origin",0],PARAMETER["central_meridian",-111],PARAMETER["scale_factor",0.9996],'
    'PARAMETER["false_easting",500000],PARAMETER["false_northing",0],UNIT["metre",1],AUTHORITY["EPSG","32612"]]'
)
TRANSFORM = (30.0, 0.0, 300000.0, 0.0, -30.0, 4100000.0)


def pixels(height: int, width: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(3, H, W) int16 and (H, W) uint8: patches of three classes that the bands tell apart, some pixels unlabelled."""
    random = np.random.default_rng(seed)
    coarse = random.integers(1, 4, (-(-height // 8), -(-width // 8)))
    classes = np.kron(coarse, np.ones((8, 8), int))[:height, :width]
    means = np.array([[0, 0, 0], [100, 900, 400], [800, 300, 500], [500, 600, 1200]])
    image = means[classes].transpose(2, 0, 1) + random.normal(0, 60, (3, height, width))
    labels = np.where(random.random((height, width)) < 0.05, 0, classes)
    return image.astype(np.int16), labels.astype(np.uint8)


def write_scene(
    folder: Path,
    *,
    height: int = 80,
    width: int = 96,
    nodata: int | None = -9999,
    georeferenced: bool = True,
    name: str = "scene.tif",
    seed: int = 0,
) -> None:
    """`scene.tif`, `labels.tif`, `fields.yaml` and `run.yaml` in a folder."""
    image, labels = pixels(height, width, seed=seed)
    if nodata is not None:
        image[:, :5, :7] = nodata
    grid = Grid(height, width, TRANSFORM if georeferenced else None, UTM if georeferenced else None)
    with create(folder / name, grid, count=3, dtype="int16", nodata=nodata) as sink:
        sink.write(image)
    with create(folder / "labels.tif", grid, count=1, dtype="uint8") as sink:
        sink.write(labels[None])
    (folder / "fields.yaml").write_text(TREE, encoding="utf-8")
    (folder / "run.yaml").write_text(RUN, encoding="utf-8")
