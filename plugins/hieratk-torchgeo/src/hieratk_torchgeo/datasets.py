"""Data sets of torchgeo as hieratk data sets. Files are read where they lie; nothing is downloaded."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Literal

import numpy as np

from hieratk.data.scenes import Dataset, Scene
from hieratk.errors import DataError
from hieratk.taxonomy.catalog import load
from hieratk_torchgeo.adapter import images_in, label_scenes, ordinal_codes
from hieratk_torchgeo.hcat import label_values, nearest_class, write_tree

TREES = Path(__file__).parent / "trees"


def loveda(
    folder: Path,  # noqa: ARG001 - nothing is written
    *,
    root: str,
    split: Literal["train", "val", "test"] = "train",
    scene: tuple[Literal["urban", "rural"], ...] = ("urban", "rural"),
) -> Dataset:
    """LoveDA: 1024 x 1024 images, 0.3 m, red, green, blue; 7 classes; 0 is no data.

    Args:
        root: the folder with Train, Val and Test. split: one of them; test has no labels.
        scene: which of the two landscapes.
    """
    from torchgeo.datasets import LoveDA  # here, and so below: it takes seconds to import

    made = _made("loveda", LoveDA, root=root, split=split, scene=list(scene))
    scenes = tuple(
        Scene(Path(entry["image"]), Path(entry["mask"]) if "mask" in entry else None, name=Path(entry["image"]).stem)
        for entry in made.files
    )
    if not scenes:
        raise DataError(f"torchgeo-loveda: {root} holds no image of {split} ({', '.join(scene)})")
    citation = "Wang et al. (2021): LoveDA, arXiv:2110.08733"
    return Dataset("torchgeo-loveda", str(TREES / "loveda.yaml"), scenes, "for academic use", citation)


def chesapeake(
    folder: Path,  # noqa: ARG001 - nothing is written
    *,
    root: str,
    splits: tuple[str, ...] = ("de-train",),
    image: Literal["naip-new", "naip-old"] = "naip-new",
    labels: Literal["lc", "nlcd"] = "lc",
) -> Dataset:
    """Chesapeake land cover as of CVPR 2019: NAIP images of 1 m with 4 bands.

    Args:
        root: the folder with `spatial_index.geojson`.
        splits: such as "de-train", "ny-val": a state and a split.
        image: one of the two NAIP layers. labels: "lc" is the land cover of 6 classes, "nlcd" the NLCD of 30 m on the
            same grid.
    """
    from torchgeo.datasets import ChesapeakeCVPR

    known = list(ChesapeakeCVPR.splits)
    unknown = [split for split in splits if split not in known]
    if unknown:
        raise DataError(f"torchgeo-chesapeake: no split {', '.join(unknown)}; there are {', '.join(known)}")
    made = _made("chesapeake", ChesapeakeCVPR, root=root, splits=list(splits), layers=[image, labels])
    scenes = tuple(
        Scene(Path(root) / row[image], Path(root) / row[labels], name=Path(row[image]).stem)
        for _, row in made.index.iterrows()
    )
    if not scenes:
        raise DataError(f"torchgeo-chesapeake: {root} holds no tile of {', '.join(splits)}")
    taxonomy = str(TREES / "chesapeake.yaml") if labels == "lc" else "nlcd"
    citation = "Robinson et al. (2019): Large scale high-resolution land cover mapping, doi:10.1109/cvpr.2019.01301"
    return Dataset("torchgeo-chesapeake", taxonomy, scenes, "not stated; see the data set's page", citation)


def nlcd(folder: Path, *, root: str, images: str, year: int = 2023) -> Dataset:
    """Annual NLCD as labels for your own images, warped onto their grids.

    Args:
        root: the folder with torchgeo's files of NLCD. images: a raster, or a folder of rasters.
        year: of the product.
    """
    from torchgeo.datasets import NLCD

    return _codes_on_images("nlcd", NLCD, folder, root, images, year, "nlcd", "doi:10.5066/P94UXNTS")


def cdl(folder: Path, *, root: str, images: str, year: int = 2023) -> Dataset:
    """The Cropland Data Layer as labels for your own images, warped onto their grids. Options as in `torchgeo-nlcd`."""
    from torchgeo.datasets import CDL

    page = "USDA NASS, Cropland Data Layer, https://www.nass.usda.gov/Research_and_Science/Cropland"
    return _codes_on_images("cdl", CDL, folder, root, images, year, "usda_cdl", page)


def eurocrops(folder: Path, *, root: str, images: str) -> Dataset:
    """EuroCrops' fields as labels for your own images, with every class of HCAT 3 as it was declared.

    No class is rolled up to another: the tree does that, at every level. A code that HCAT 3 does not have goes to the
    nearest class above it. Pixels outside fields are unlabelled. The taxonomy, `eurocrops.yaml`, is written into the
    data folder: HCAT has no raster values of its own.

    Args:
        root: the folder with the shapefiles. images: a raster, or a folder of rasters.
    """
    from torchgeo.datasets import EuroCrops

    tree = write_tree(folder)
    values = label_values(load(tree))

    class Fields(EuroCrops):
        """Without the class list of the package and its way up the codes."""

        def _load_class_map(self, classes: list[str] | None) -> None:
            self.class_map = dict(values) if classes is None else {code: values[code] for code in classes}

        def get_label(self, feature: Any) -> int:
            code = feature[self.label_name]
            return 0 if code is None else nearest_class(str(code), values)

    def make(**grid: Any) -> Any:
        return Fields(paths=root, **grid)

    chosen = images_in("torchgeo-eurocrops", images)
    scenes = label_scenes("torchgeo-eurocrops", make, chosen, folder, codes=np.asarray, dtype="uint16")
    citation = "Schneider et al. (2023): EuroCrops, Scientific Data 10, 612; HCAT: CC BY-SA 4.0"
    return Dataset("torchgeo-eurocrops", str(tree), scenes, "CC BY 4.0 (fields), CC BY-SA 4.0 (HCAT)", citation)


def _codes_on_images(
    name: str, kind: Any, folder: Path, root: str, images: str, year: int, taxonomy: str, citation: str
) -> Dataset:
    """A raster product whose masks torchgeo gives as ordinals of its class list."""
    if year not in kind.md5s:
        years = sorted(kind.md5s)
        raise DataError(f"torchgeo-{name}: no product of {year}; there are {years[0]} to {years[-1]}")
    classes = inspect.signature(kind.__init__).parameters["classes"].default

    def make(**grid: Any) -> Any:
        return kind(paths=root, years=[year], **grid)

    chosen = images_in(f"torchgeo-{name}", images)
    scenes = label_scenes(f"torchgeo-{name}", make, chosen, folder, codes=ordinal_codes(classes), dtype="uint8")
    return Dataset(f"torchgeo-{name}", taxonomy, scenes, "public domain", citation)


def _made(name: str, kind: Any, **given: Any) -> Any:
    try:
        return kind(**given)
    except Exception as error:  # torchgeo tells missing files in several ways
        first = next(iter(str(error).strip().splitlines()), "")
        raise DataError(
            f"torchgeo-{name}: {type(error).__name__}: {first}; give `root` as torchgeo wants it"
        ) from error
