"""Indian Pines, a real scene that comes with a Python package: the `indian-pines` data set plugin.

AVIRIS, 12 June 1992, near West Lafayette, Indiana: 145 x 145 pixels of 20 m, 200 of 220 bands (those in which water
absorbs are left out), 16 classes on 10,249 labelled pixels.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hieratk.data.scenes import Dataset, Scene
from hieratk.errors import DataError
from hieratk.rasters import Grid, create

LICENCE = "CC BY 3.0, https://creativecommons.org/licenses/by/3.0/legalcode"
CITATION = (
    "Baumgardner, M. F., Biehl, L. L., Landgrebe, D. A. (2015). 220 Band AVIRIS Hyperspectral Image Data Set: "
    "June 12, 1992 Indian Pine Test Site 3. Purdue University Research Repository. doi:10.4231/R7RX991C"
)


def indian_pines(folder: Path) -> Dataset:
    """Write `scene.tif` (145 x 145, 200 bands, uint16) and `labels.tif` (uint8, 0 unlabelled) into a folder.

    The numbers are those of the package `tensorly` (`tensorly.datasets.load_indian_pines`), the band names the centre
    wavelengths that it states. It states no reference system and no transform, so the files have none. Files that are
    there already are written anew: it takes a second. The labels are in the `default` encoding of `indian_pines`.

    Raises DataError where the package is missing or holds something else, RasterError where the files cannot be
    written.
    """
    try:
        from tensorly.datasets import load_indian_pines
    except ImportError:
        raise DataError(
            'the data set indian-pines comes with the package tensorly, which is missing; pip install "hieratk[demo]"'
        ) from None
    bunch = load_indian_pines()
    image, labels = np.asarray(bunch.tensor), np.asarray(bunch.ticks[0])
    wavelengths = [float(nanometres) for nanometres in bunch.ticks[1]]
    _check(image, labels, wavelengths)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"cannot make the folder {folder} for the data set indian-pines: {error.strerror}") from None
    grid = Grid(*labels.shape)
    bands = np.ascontiguousarray(image.transpose(2, 0, 1)).astype(np.uint16)
    tags = {"SENSOR": "AVIRIS", "DATE": "1992-06-12", "LICENCE": LICENCE, "CITATION": CITATION, "GEOREFERENCE": "none"}
    names = tuple(f"{nanometres:.2f} nm" for nanometres in wavelengths)
    scene, truth = folder / "scene.tif", folder / "labels.tif"
    # Chips are a dozen pixels wide: with small blocks little is read for nothing.
    with create(scene, grid, count=len(bands), dtype="uint16", names=names, tags=tags, smooth=True, block=64) as writer:
        writer.write(bands)
    with create(truth, grid, count=1, dtype="uint8", names=("class",), tags=tags, block=64) as writer:
        writer.write(labels.astype(np.uint8)[None])
    return Dataset(
        name="indian-pines",
        taxonomy="indian_pines",
        scenes=(Scene(scene, truth, name="indian-pines"),),
        licence=LICENCE,
        citation=CITATION,
    )


def _check(image: Any, labels: Any, wavelengths: list[float]) -> None:
    """The package's numbers arrive as float64; they are counts of the sensor and must survive as uint16."""
    whole = image.ndim == 3 and bool((image == np.round(image)).all() and image.min() >= 0 and image.max() < 2**16)
    fits = whole and image.shape[:2] == labels.shape and image.shape[2] == len(wavelengths)
    if not fits or labels.min() < 0 or labels.max() > 255:
        raise DataError(
            f"tensorly's Indian Pines has image {image.shape} and labels {labels.shape}, not whole numbers of one "
            "scene; install tensorly 0.9 or 0.10"
        )
