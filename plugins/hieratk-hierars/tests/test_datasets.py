"""Small files in the layout that the README states; nobody here has seen the released ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hieratk.config import TableSplit, read_run
from hieratk.data.scenes import SceneReader
from hieratk.data.split import NAMES, table_split
from hieratk.errors import DataError
from hieratk.plugins import load
from hieratk.rasters import Grid, Window, create
from hieratk.taxonomy.catalog import load as load_taxonomy
from hieratk.taxonomy.tables import compile_tables
from hieratk.testing import check_dataset, report
from hieratk.training.setup import prepare

BANDS = {"gf2": 4, "sentinel2": 10, "google": 3}


def write(root: Path, names: list[str], *, bands: int, values: Any, mark: str = "", side: int = 8) -> Path:
    """One image and one mask for each name; the mask holds the values in turn."""
    random = np.random.default_rng(0)
    for index, name in enumerate(names):
        for folder in ("images", "labels"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        grid = Grid(side, side)
        with create(root / "images" / f"{name}.tif", grid, count=bands, dtype="uint16") as writer:
            writer.write(random.integers(0, 4000, (bands, side, side)).astype(np.uint16))
        mask = np.resize(np.roll(values, index), (1, side, side)).astype(np.uint8)
        with create(root / "labels" / f"{name}{mark}.tif", grid, count=1, dtype="uint8") as writer:
            writer.write(mask)
    return root


def paths_of(dataset: Any, name: str) -> dict[int, tuple[str | None, ...]]:
    """What each mask value of a scene means at every level, None where it teaches nothing."""
    taxonomy = load_taxonomy(dataset.taxonomy)
    tables = compile_tables(taxonomy)
    scene = next(scene for scene in dataset.scenes if scene.name == name)
    with SceneReader(scene, taxonomy) as reader:
        window = Window(0, 0, 8, 8)
        values, rows = reader.values(window), reader.rows(window)
    meaning = {}
    for value in np.unique(values):
        row = int(rows[values == value][0])
        classes = [
            level.classes[index] if index >= 0 else None
            for level, index in zip(taxonomy.levels, tables.index[row], strict=True)
        ]
        meaning[int(value)] = tuple(classes)
    return meaning


@pytest.mark.parametrize("source", BANDS)
def test_mm5b_in_each_source(source: str, tmp_path: Path) -> None:
    root = write(tmp_path / "data", ["a_0_0", "a_0_1"], bands=BANDS[source], values=np.arange(19))
    options = {"root": str(root), "source": source}
    checks = check_dataset(load("dataset", "mm5b"), options=options, folder=tmp_path / "out")
    assert all(check.passed for check in checks), report(checks)
    meaning = paths_of(load("dataset", "mm5b")(tmp_path / "out", **options), "a_0_0")
    assert meaning[0] == (None, None, None)
    assert meaning[1] == ("vegetation", "cropland", "paddy_field")
    assert meaning[9] == ("artificial", "industry", "industry_l3")
    assert meaning[18] == ("bare_land", "bare_land_l2", "bare_land_l3")
    assert len(meaning) == 19


def test_mm5b_masks_of_a_coarser_level_teach_down_to_it(tmp_path: Path) -> None:
    root = write(tmp_path / "data", ["a"], bands=4, values=np.arange(10))
    meaning = paths_of(load("dataset", "mm5b")(tmp_path, root=str(root), source="gf2", level="level2"), "a")
    assert meaning[1] == ("vegetation", "cropland", None)
    assert meaning[8] == ("artificial", "transport", None)


def test_zero_is_a_class_of_crop10m(tmp_path: Path) -> None:
    root = write(tmp_path / "data", ["a"], bands=10, values=np.arange(4))
    meaning = paths_of(load("dataset", "crop10m")(tmp_path, root=str(root)), "a")
    assert meaning == {
        0: ("other", "other", "other"),
        1: ("vegetation", "cropland", "rice"),
        2: ("vegetation", "cropland", "corn"),
        3: ("vegetation", "cropland", "soybean"),
    }


@pytest.mark.parametrize("tree", ["mm5b", "fbp"])
def test_five_billion_pixels_in_two_trees(tree: str, tmp_path: Path) -> None:
    root = write(tmp_path / "data", ["GF2_x"], bands=4, values=np.arange(25), mark="_24label")
    meaning = paths_of(load("dataset", "five-billion-pixels")(tmp_path, root=str(root), tree=tree), "GF2_x")
    assert set(meaning[0]) == {None}
    if tree == "mm5b":
        assert set(meaning[16]) == {None}  # snow
        assert meaning[3] == meaning[4] == ("vegetation", "cropland", "dry_cropland")
        assert meaning[20] == ("artificial", "public", "park_square")
    else:
        assert meaning[16] == ("snow",)


def test_whdld_s_split_is_the_same_whatever_else_there_is(tmp_path: Path) -> None:
    names = [f"wh{number:04d}" for number in range(60)]
    few = write(tmp_path / "few", names[::3], bands=3, values=np.arange(1, 7))
    all_ = write(tmp_path / "all", names, bands=3, values=np.arange(1, 7))
    found = {}
    for place in (few, all_):
        dataset = load("dataset", "whdld")(tmp_path / place.name / "out", root=str(place), seed=3)
        split = table_split(dataset.scenes, tmp_path / place.name / "out" / "splits.csv", tile=256)
        found[place.name] = {
            scene.name: NAMES[int(block[0, 0])] for scene, block in zip(dataset.scenes, split.blocks, strict=True)
        }
    assert {name: found["all"][name] for name in found["few"]} == found["few"]
    counts = [list(found["all"].values()).count(split) for split in ("train", "val", "test")]
    assert sum(counts) == 60
    assert counts[0] > counts[2] > 0
    assert counts[1] > 0
    assert set(paths_of(dataset, names[0])) == {1, 2, 3, 4, 5, 6}


def test_lists_of_scenes_decide_over_their_patches(tmp_path: Path) -> None:
    root = write(tmp_path / "data", ["a_0_0", "a_0_8", "b_0_0", "c_1_0"], bands=4, values=np.arange(19))
    (root / "train.txt").write_text("a\n")
    (root / "test.txt").write_text("b_0_0.tif\n\n")
    dataset = load("dataset", "mm5b")(tmp_path / "out", root=str(root), source="gf2", tile=4)
    split = table_split(dataset.scenes, tmp_path / "out" / "splits.csv", tile=4)
    named = [sorted({NAMES[code] for code in block.ravel()}) for block in split.blocks]
    assert named == [["train"], ["train"], ["test"], [NAMES[0]]]
    assert [block.shape for block in split.blocks] == [(2, 2)] * 4


def test_a_run_file_trains_on_it(tmp_path: Path) -> None:
    """As far as the survey: trees, scenes, split and statistics fit each other."""
    root = write(tmp_path / "data", ["a_0_0", "b_0_0"], bands=10, values=np.arange(4), side=16)
    (root / "train.txt").write_text("a\n")
    (root / "test.txt").write_text("b\n")
    (tmp_path / "run.yaml").write_text(
        f"taxonomy: crops10m\ndataset: {{name: crop10m, root: {root}, tile: 16}}\n"
        "split: {kind: table, table: run/data/splits.csv, tile: 16}\n"
    )
    run = read_run(tmp_path / "run.yaml")
    assert isinstance(run.run.split, TableSplit)
    prepared = prepare(run, folder=tmp_path / "run")
    assert prepared.survey.labelled("train") == prepared.survey.labelled("test") == 256
    assert len(prepared.bands) == 10


@pytest.mark.parametrize(
    ("spoil", "options", "message"),
    [
        (lambda _: None, {"images": "image"}, "; there are images, labels; give `root`"),
        (
            lambda root: (root / "labels" / "a.tif").rename(root / "labels" / "b.tif"),
            {},
            "1 of 1 images have no mask: ",
        ),
        (lambda _: None, {"source": "google"}, "a.tif has 4 bands, expected 3; is it of another source?"),
        (lambda root: (root / "val.txt").write_text("z\n"), {}, "val.txt, line 1: there is no scene `z`"),
        (
            lambda root: [(root / f"{name}.txt").write_text("a\n") for name in ("train", "test")],
            {},
            "test.txt, line 1: `a` is listed under train too",
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, spoil: Any, options: dict[str, Any], message: str) -> None:
    root = write(tmp_path / "data", ["a"], bands=4, values=np.arange(19))
    spoil(root)
    with pytest.raises(DataError) as caught:
        load("dataset", "mm5b")(tmp_path / "out", **{"root": str(root), "source": "gf2", **options})
    assert str(caught.value).startswith("mm5b (")
    assert message in str(caught.value)
