"""torchgeo's data sets on small files of their layout, its weights from a file and by its own loader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
import torch
from hieratk_torchgeo.hcat import above, label_values, nearest_class, write_tree
from PIL import Image
from rasterio.warp import Resampling, reproject, transform
from torchgeo import datasets as theirs
from torchgeo.models import ResNet18_Weights, get_model

from hieratk.data.scenes import SceneReader
from hieratk.errors import DataError, PluginError
from hieratk.plugins import load
from hieratk.taxonomy.catalog import load as load_taxonomy
from hieratk.taxonomy.tables import compile_tables
from hieratk.testing import check_backbone, check_dataset, report

UTM = "EPSG:32618"
LEFT, TOP, CELL = 400_000.0, 4_300_000.0, 30.0


def write(path: Path, pixels: np.ndarray, *, left: float = LEFT, top: float = TOP, crs: str | None = UTM) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = pixels if pixels.ndim == 3 else pixels[None]
    shape = dict(zip(("count", "height", "width"), bands.shape, strict=True))
    corner = rasterio.Affine(CELL, 0, left, 0, -CELL, top)
    with rasterio.open(path, "w", driver="GTiff", dtype=bands.dtype, crs=crs, transform=corner, **shape) as file:
        file.write(bands)
    return path


def an_image(folder: Path, height: int = 12, width: int = 10, **place: Any) -> Path:
    pixels = np.random.default_rng(0).integers(0, 3000, (4, height, width)).astype(np.uint16)
    return write(folder / "image.tif", pixels, **place)


def values_of(scene: Any, taxonomy: str) -> np.ndarray:
    with SceneReader(scene, load_taxonomy(taxonomy)) as reader:
        return np.asarray(reader.values(reader.grid.window))


@pytest.mark.parametrize(
    ("name", "file", "codes", "taxonomy"),
    [
        ("torchgeo-nlcd", "Annual_NLCD_LndCov_2023_CU_C1V1.tif", [11, 21, 41, 52, 82, 95], "nlcd"),
        ("torchgeo-cdl", "2023_30m_cdls.tif", [1, 5, 24, 111, 176, 195], "usda_cdl"),
    ],
)
def test_codes_of_a_raster_product_come_back(
    name: str, file: str, codes: list[int], taxonomy: str, tmp_path: Path
) -> None:
    """On a grid of its own the labels are exactly the file's codes, not torchgeo's ordinals."""
    truth = np.resize(codes, (20, 16)).astype(np.uint8)
    write(tmp_path / "labels" / file, truth)
    an_image(tmp_path / "images", left=LEFT + 2 * CELL, top=TOP - 3 * CELL)
    options = {"root": str(tmp_path / "labels"), "images": str(tmp_path / "images")}
    dataset = load("dataset", name)(tmp_path / "data", **options)
    np.testing.assert_array_equal(values_of(dataset.scenes[0], taxonomy), truth[3:15, 2:12])
    checks = check_dataset(load("dataset", name), options=options, folder=tmp_path / "data")
    assert all(check.passed for check in checks), report(checks)


def test_labels_are_warped_onto_an_image_of_another_reference_system(tmp_path: Path) -> None:
    """Against rasterio's own nearest neighbour; a pixel on the edge between two cells may go either way."""
    truth = np.kron(np.random.default_rng(1).choice([11, 41, 82], (10, 10)), np.ones((8, 8), int)).astype(np.uint8)
    source = write(tmp_path / "labels" / "Annual_NLCD_LndCov_2023_CU_C1V1.tif", truth)
    (x,), (y,) = transform(UTM, "EPSG:32619", [LEFT + 40 * CELL], [TOP - 40 * CELL])
    place = {"left": round(x) - 15 * CELL, "top": round(y) + 15 * CELL, "crs": "EPSG:32619"}
    image = an_image(tmp_path / "images", 30, 30, **place)
    with rasterio.open(source) as old, rasterio.open(image) as new:
        expected = np.zeros((30, 30), np.uint8)
        reproject(
            old.read(1), expected, src_transform=old.transform, src_crs=old.crs, dst_transform=new.transform,
            dst_crs=new.crs, resampling=Resampling.nearest,
        )  # fmt: skip
    assert (expected > 0).mean() > 0.5
    dataset = load("dataset", "torchgeo-nlcd")(tmp_path / "data", root=str(tmp_path / "labels"), images=str(image))
    found = values_of(dataset.scenes[0], "nlcd")
    inside = expected > 0
    assert (found[inside] == expected[inside]).mean() > 0.9


def test_images_that_cannot_get_labels_are_named(tmp_path: Path) -> None:
    write(tmp_path / "labels" / "2023_30m_cdls.tif", np.ones((8, 8), np.uint8))
    make = load("dataset", "torchgeo-cdl")
    root = str(tmp_path / "labels")
    far = an_image(tmp_path / "far", left=LEFT + 1e6)
    bare = an_image(tmp_path / "bare", crs=None)
    for options, message in (
        ({"images": str(far)}, f"torchgeo-cdl: no label covers {far}"),
        ({"images": str(bare)}, f"torchgeo-cdl: {bare} has no reference system"),
        ({"images": str(tmp_path / "gone")}, "which holds no raster"),
        ({"images": str(far), "year": 1900}, "torchgeo-cdl: no product of 1900; there are 2008 to "),
        ({"images": str(far), "root": str(tmp_path / "gone")}, "torchgeo finds no labels: "),
    ):
        with pytest.raises(DataError) as caught:
            make(tmp_path / "data", **{"root": root, **options})
        assert message in str(caught.value)
    assert list((tmp_path / "data").glob("*.tif")) == []


def codes_of_hcat() -> dict[str, str | None]:
    """Every HCAT 3 code with that of its parent in the shipped tree."""
    tree = load_taxonomy("hcat3")
    return {node.code: tree[node.parent].code if node.parent else None for node in tree.nodes if node.code}


def test_the_way_up_is_that_of_the_tree_for_all_codes() -> None:
    parents = codes_of_hcat()
    assert len(parents) == 384
    for code, parent in parents.items():
        others = {other: 1 + k for k, other in enumerate(parents) if other != code}
        assert nearest_class(code, others) == (others[parent] if parent else 0), code
    assert above("3000000000") is None
    assert above("not a code") is None


def test_torchgeo_s_way_up_meets_a_sibling_for_108() -> None:
    """Its own rule, asked for the nearest of all other classes. Should this change, the README must."""
    parents = codes_of_hcat()
    wrong = []
    for code, parent in parents.items():
        made = theirs.EuroCrops.__new__(theirs.EuroCrops)
        made.class_map = {other: other for other in parents if other != code}
        found = made.get_label({made.label_name: code})
        if found != (parent or 0):
            wrong.append(code)
    assert len(wrong) == 108


def test_every_class_of_eurocrops_has_a_value_and_keeps_its_path(tmp_path: Path) -> None:
    tree, plain = load_taxonomy(write_tree(tmp_path)), load_taxonomy("hcat3")
    assert tree.nodes == plain.nodes
    values = label_values(tree)
    assert sorted(values.values()) == list(range(1, 385))
    rows = compile_tables(tree).lookup("default")(np.array([0, *values.values()]))
    assert len(set(rows.tolist())) == 385


def test_fields_are_drawn_with_the_class_that_was_declared(tmp_path: Path) -> None:
    """Two fields and one of a code that HCAT 3 lacks, in geographic coordinates, on an image in UTM."""
    image = an_image(tmp_path / "images", 12, 12)
    codes = ["3301010101", "3301020000", "3301290900", None]
    squares = [shapely.box(LEFT + CELL * c, TOP - CELL * (r + 4), LEFT + CELL * (c + 4), TOP - CELL * r) for r, c in
               ((0, 0), (0, 8), (8, 0), (8, 8))]  # fmt: skip
    (tmp_path / "fields").mkdir()
    frame = geopandas.GeoDataFrame({"EC_hcat_c": codes}, geometry=squares, crs=UTM).to_crs("EPSG:4326")
    frame.to_file(tmp_path / "fields" / "DK_2019_EC21.shp")
    dataset = load("dataset", "torchgeo-eurocrops")(tmp_path / "data", root=str(tmp_path / "fields"), images=str(image))
    tree = load_taxonomy(dataset.taxonomy)
    by_value = {value: code for code, value in label_values(tree).items()}
    found = values_of(dataset.scenes[0], dataset.taxonomy)
    assert [by_value.get(int(found[r, c])) for r, c in ((1, 1), (1, 10), (10, 1), (10, 10), (6, 6))] == [
        "3301010101",
        "3301020000",
        "3301290000",
        None,
        None,
    ]
    assert (found > 0).sum() == pytest.approx(3 * 16, abs=6)


def test_loveda(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for part in ("Urban", "Rural"):
        for folder, shape, high in (("images_png", (16, 16, 3), 256), ("masks_png", (16, 16), 8)):
            place = tmp_path / "Train" / part / folder
            place.mkdir(parents=True)
            Image.fromarray(random.integers(0, high, shape).astype(np.uint8)).save(place / f"{len(part)}.png")
    (tmp_path / "Train.zip").write_bytes(b"")
    checks = check_dataset(load("dataset", "torchgeo-loveda"), options={"root": str(tmp_path)})
    assert all(check.passed for check in checks), report(checks)
    dataset = load("dataset", "torchgeo-loveda")(tmp_path, root=str(tmp_path), scene=("rural",))
    assert [scene.name for scene in dataset.scenes] == ["5"]
    tree = load_taxonomy(dataset.taxonomy)
    assert tree.path("road") == ("built", "road")
    with pytest.raises(DataError, match="torchgeo-loveda: DatasetNotFoundError"):
        load("dataset", "torchgeo-loveda")(tmp_path, root=str(tmp_path), split="val")


def test_chesapeake(tmp_path: Path) -> None:
    for name in theirs.ChesapeakeCVPR._files:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch() if path.suffix else path.mkdir(exist_ok=True)
    stem = "de_1m_2013_extended-debuffered-train_tiles/m_1_1"
    write(tmp_path / f"{stem}_naip-new.tif", np.ones((4, 9, 9), np.uint8))
    write(tmp_path / f"{stem}_lc.tif", np.resize([1, 2, 3, 4, 5, 6, 15, 0], (9, 9)).astype(np.uint8))
    write(tmp_path / f"{stem}_nlcd.tif", np.resize([11, 82, 95], (9, 9)).astype(np.uint8))
    layers = {layer: f"{stem}_{layer}.tif" for layer in theirs.ChesapeakeCVPR.valid_layers[:7]}
    corners = [[[0, 0], [0, 9], [9, 9], [9, 0], [0, 0]]]
    feature = {"type": "Feature", "properties": {"split": "de-train", **layers},
               "geometry": {"type": "Polygon", "coordinates": corners}}  # fmt: skip
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::3857"}}
    index = {"type": "FeatureCollection", "crs": crs, "features": [feature]}
    (tmp_path / "spatial_index.geojson").write_text(json.dumps(index))
    for labels, taxonomy in (("lc", "chesapeake"), ("nlcd", "nlcd")):
        options = {"root": str(tmp_path), "labels": labels}
        checks = check_dataset(load("dataset", "torchgeo-chesapeake"), options=options)
        assert all(check.passed for check in checks), report(checks)
        made = load("dataset", "torchgeo-chesapeake")(tmp_path, **options)
        assert load_taxonomy(made.taxonomy).id == taxonomy
    with pytest.raises(DataError, match="no split xx-train; there are de-train"):
        load("dataset", "torchgeo-chesapeake")(tmp_path, root=str(tmp_path), splits=("xx-train",))


NAME = "ResNet18_Weights.SENTINEL2_ALL_MOCO"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, str]:
    """Random weights of 13 bands as torchgeo's files have them (a classifier's names), and the network."""
    torch.manual_seed(2)
    network = get_model("resnet18", in_chans=13).eval()
    file = tmp_path_factory.mktemp("weights") / "resnet18.pth"
    torch.save({key: value for key, value in network.state_dict().items() if not key.startswith("fc.")}, file)
    return network, str(file)


def test_backbone_contract() -> None:
    checks = check_backbone(load("backbone", "torchgeo"), options={"model": "resnet18"}, bands=(4,))
    assert all(check.passed for check in checks), report(checks)


def test_weights_from_a_file_give_what_torchgeo_gives(weights: tuple[Any, str]) -> None:
    network, file = weights
    ours = load("backbone", "torchgeo")(13, model="resnet18", weights=NAME, file=file).eval()
    image = torch.randn(1, 13, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(ours(image)[-1], network.forward_features(image))


def test_bands_are_chosen_by_place(weights: tuple[Any, str]) -> None:
    """Four of 13 bands: as if the others were zero, scaled by 13 / 4 before the first normalisation."""
    network, file = weights
    bands = (4, 3, 2, 8)
    ours = load("backbone", "torchgeo")(4, model="resnet18", weights=NAME, file=file, bands=bands).eval()
    image = torch.randn(1, 4, 32, 32)
    wide = torch.zeros(1, 13, 32, 32)
    wide[:, [band - 1 for band in bands]] = image * 13 / 4
    with torch.no_grad():
        torch.testing.assert_close(ours.network.conv1(image), network.conv1(wide), atol=1e-4, rtol=1e-4)


def test_torchgeo_s_own_loader_is_asked(weights: tuple[Any, str], monkeypatch: pytest.MonkeyPatch) -> None:
    network, file = weights
    asked = []

    def fetch(self: Any, *, progress: bool) -> Any:
        assert progress
        asked.append(self)
        return torch.load(file, weights_only=True)

    monkeypatch.setattr(ResNet18_Weights, "get_state_dict", fetch)
    ours = load("backbone", "torchgeo")(13, model="resnet18", weights=NAME)
    assert asked == [ResNet18_Weights.SENTINEL2_ALL_MOCO]
    torch.testing.assert_close(ours.network.conv1.weight, network.conv1.weight)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": "ResNet18_Weights.SENTINEL2_ALL_MOCA"}, "torchgeo has no weights 'ResNet18_Weights.SENTINEL2_ALL"),
        ({"weights": "ResNet50_Weights.SENTINEL2_ALL_MOCO"}, "are of resnet50, not of resnet18"),
        ({"weights": NAME}, "has 13 bands (B1, B2, B3"),
        ({"weights": NAME, "bands": (1, 2, 3, 14)}, "say which as `bands`, 4 numbers from 1 to 13"),
        ({"bands": (1, 2, 3, 4)}, "`file` and `bands` are those of `weights`; name them"),
        ({"weights": NAME, "bands": (1, 2, 3, 4), "file": "gone.pth"}, "there is no file gone.pth"),
    ],
)
def test_wrong_weights_are_explained(options: dict[str, Any], message: str) -> None:
    with pytest.raises(PluginError) as caught:
        load("backbone", "torchgeo")(4, model="resnet18", **options)
    assert str(caught.value).startswith("backbone 'torchgeo': ")
    assert message in str(caught.value)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(64, 13, 7, 7), "other": torch.zeros(1)}, tmp_path / "x.pth")
    with pytest.raises(PluginError, match=r"the weights do not fit: \d+ are missing, 1 unknown"):
        load("backbone", "torchgeo")(13, model="resnet18", weights=NAME, file=str(tmp_path / "x.pth"))
