"""MM-5B, Crop10m, WHDLD and Five-Billion-Pixels.

What of their layout is known, what inferred and what chosen is in the README of this package. The zero-label rule is
the trees': 0 is unlabelled in MM-5B and Five-Billion-Pixels, and a class in Crop10m; masks are read as they are, and
nothing is subtracted.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from hieratk.data.scenes import Dataset
from hieratk.errors import DataError
from hieratk_hierars.folders import drawn_splits, listed_splits, pair, write_splits

BANDS = {"gf2": 4, "sentinel2": 10, "google": 3}
"""Bands of each source of MM-5B: blue, green, red, near infrared; B02 to B08, B8A, B11, B12; red, green, blue."""

_HIERARS = "Ai, Liu, Jiang, Gu (2026): HieraRS, IEEE TGRS 64, arXiv:2507.08741"
_FBP = (
    "Tong, Xia, Zhu (2023): Enabling country-scale land cover mapping with meter-resolution satellite imagery, ISPRS "
    "Journal 196, doi:10.1016/j.isprsjprs.2022.12.011"
)
_ACADEMIC = "not stated; for academic use"


def mm5b(
    folder: Path,
    *,
    root: str,
    source: Literal["gf2", "sentinel2", "google"],
    level: Literal["level1", "level2", "level3"] = "level3",
    images: str = "images",
    labels: str = "labels",
    mark: str = "",
    tile: int = 512,
    scale: float = 1.0,
    offset: float = 0.0,
) -> Dataset:
    """MM-5B in one of its sources: GaoFen-2 (4 m, 4 bands), Sentinel-2 (10 m, 10 bands) or Google (1 m, 3 bands).

    Args:
        root: the folder of the source. images, labels: folders in it. mark: what masks' names have at the end that
            images' have not.
        level: of the tree that the masks are of; masks of level 3 teach all levels.
        tile: side of the tiles of `splits.csv`, which is written where the root holds train.txt, val.txt or test.txt
            (names of scenes, one a line; patches `<scene>_<row>_<col>` follow their scene).
        scale, offset: a pixel is used as value * scale + offset. Sentinel-2 products since baseline 04.00 want -0.1
            after 0.0001; older ones do not: look at the values before you choose.
    """
    name = f"mm5b ({source})"
    encoding = "default" if level == "level3" else level
    scenes = pair(
        name,
        root,
        images=images,
        labels=labels,
        mark=mark,
        bands=BANDS[source],
        encoding=encoding,
        scale=scale,
        offset=offset,
    )
    splits = listed_splits(name, root, scenes)
    if splits is not None:
        write_splits(folder, scenes, splits, tile=tile)
    return Dataset("mm5b", "mm5b", scenes, _ACADEMIC, f"{_HIERARS}; {_FBP}")


def crop10m(
    folder: Path,
    *,
    root: str,
    images: str = "images",
    labels: str = "labels",
    mark: str = "",
    tile: int = 512,
    scale: float = 1.0,
) -> Dataset:
    """Crop10m: Sentinel-2 composites (10 bands) of Heilongjiang, July to October 2019. Value 0 is the class `other`.

    Options as in `mm5b`. Its labels come from a classifier, so scores say how well two classifiers agree.
    """
    scenes = pair("crop10m", root, images=images, labels=labels, mark=mark, bands=10, encoding="default", scale=scale)
    splits = listed_splits("crop10m", root, scenes)
    if splits is not None:
        write_splits(folder, scenes, splits, tile=tile)
    labels_of = "You et al. (2021): The 10-m crop type maps in Northeast China during 2017-2019, Scientific Data 8, 41"
    return Dataset("crop10m", "crops10m", scenes, _ACADEMIC, f"{_HIERARS}; labels: {labels_of}")


def whdld(
    folder: Path,
    *,
    root: str,
    images: str = "images",
    labels: str = "labels",
    mark: str = "",
    val: float = 0.1,
    test: float = 0.2,
    seed: int = 0,
) -> Dataset:
    """WHDLD: 4,940 images of 256 x 256 pixels, red, green, blue, 2 m. It has no official split.

    `splits.csv` (tile 256) draws one by seed: a hash of seed and name puts each image into test, val or train, the same
    on every machine. Other options as in `mm5b`.
    """
    if min(val, test) < 0 or val + test >= 1:
        raise DataError(f"whdld: val {val:g} and test {test:g} must be shares that leave something for training")
    scenes = pair("whdld", root, images=images, labels=labels, mark=mark, bands=3, encoding="default")
    write_splits(folder, scenes, drawn_splits(scenes, val=val, test=test, seed=seed), tile=256)
    citation = (
        "Shao et al. (2018): Performance evaluation of single-label and multi-label remote sensing image retrieval "
        "using a dense labeling dataset, Remote Sensing 10, 964, doi:10.3390/rs10060964"
    )
    return Dataset("whdld", "whdld", scenes, _ACADEMIC, citation)


def five_billion_pixels(
    folder: Path,
    *,
    root: str,
    tree: Literal["mm5b", "fbp"] = "mm5b",
    images: str = "images",
    labels: str = "labels",
    mark: str = "_24label",
    tile: int = 512,
) -> Dataset:
    """Five-Billion-Pixels: 150 GaoFen-2 scenes of 4 bands, masks of 24 classes.

    Args:
        tree: "mm5b" reads the 24 values into the tree of MM-5B (snow is then unlabelled, as its authors have it);
            "fbp" is the flat list of 24.

    Other options as in `mm5b`.
    """
    encoding = "fbp" if tree == "mm5b" else "default"
    name = "five-billion-pixels"
    scenes = pair(name, root, images=images, labels=labels, mark=mark, bands=4, encoding=encoding)
    splits = listed_splits(name, root, scenes)
    if splits is not None:
        write_splits(folder, scenes, splits, tile=tile)
    return Dataset(name, tree, scenes, _ACADEMIC, _FBP)
