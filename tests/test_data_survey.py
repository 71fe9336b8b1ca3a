import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hieratk.data.survey
from hieratk.data.cells import CELL, Cells, cell_edges, cell_of, count_cells, merge_cells
from hieratk.data.scenes import Scene
from hieratk.data.split import NAMES, Split, block_split, label_groups
from hieratk.data.survey import Statistics, Survey, survey
from hieratk.errors import DataError
from hieratk.rasters import Window
from hieratk.taxonomy.tables import compile_tables
from hieratk.taxonomy.tree import Taxonomy
from tests.painting import paint, random_scene, small_tree


def slow_valid(pixels, nodata):
    return np.array(
        [
            [all(np.isfinite(x) and x != nodata for x in pixels[:, r, c]) for c in range(pixels.shape[2])]
            for r in range(pixels.shape[1])
        ]
    )


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_everything_against_whole_arrays(tmp_path_factory, data):
    """Windows of odd sizes that cut blocks and cells must give what the whole scene gives."""
    folder, tree = tmp_path_factory.mktemp("s"), small_tree()
    tables = compile_tables(tree)
    random = np.random.default_rng(data.draw(st.integers(0, 999)))
    block, step = data.draw(st.integers(1, 40)), data.draw(st.integers(3, 40))
    scenes, truths = [], []
    for index in range(data.draw(st.integers(1, 2))):
        pixels, labels = random_scene(random, data.draw(st.integers(1, 45)), data.draw(st.integers(1, 45)))
        scenes.append(paint(folder, pixels, labels, nodata=-1, name=f"s{index}"))
        truths.append((pixels, labels, slow_valid(pixels, -1)))
    split = block_split(scenes, block=block, folds=3)

    def odd_windows(grid, _):
        for r in range(0, grid.height, step):
            for c in range(0, grid.width, step + 4):
                yield Window(r, c, min(step, grid.height - r), min(step + 4, grid.width - c))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hieratk.data.survey, "scan", odd_windows)
        found = survey(scenes, split, tree)

    counts = np.zeros((4, len(tables.row_ids)), int)
    train, strange = [], {}
    for index, (pixels, labels, valid) in enumerate(truths):
        codes = split.window(index, Window(0, 0, *labels.shape))
        rows = tables.lookup()(labels)
        np.add.at(counts, (codes[valid], rows[valid]), 1)
        train.append(pixels[:, valid & (codes == 1)])
        where = np.argwhere(labels == 77)
        if len(where):
            strange[str(scenes[index].label)] = (len(where), *where[0])
        assert found.valid[index] == valid.sum()
        cells = {}
        for r, c in np.argwhere(valid & (label_groups(tables)[rows] >= 0)):
            key = (int(r), int(c))
            place = tuple(at // block * cell_edges(block)[0] + at % block // cell_edges(block)[1] for at in key)
            entry = (*place, int(label_groups(tables)[rows[key]]))
            cells[entry] = cells.get(entry, 0) + 1
        got = found.cells[index]
        assert {(r, c, g): n for r, c, g, n in zip(got.row, got.col, got.group, got.count, strict=True)} == cells
    np.testing.assert_array_equal(found.counts, counts)
    assert {u.path: (u.pixels, u.row, u.col) for u in found.undeclared} == strange
    assert all(u.value == 77 for u in found.undeclared)
    whole = np.concatenate(train, axis=1).astype(np.float64)
    assert found.statistics.pixels == whole.shape[1]
    if whole.shape[1]:
        np.testing.assert_allclose(found.statistics.mean, whole.mean(1), rtol=1e-12)
        np.testing.assert_allclose(found.statistics.std, whole.std(1), rtol=1e-10, atol=1e-10)
    finest = compile_tables(tree).index[:, -1]
    for name, code in (("train", 1), ("test", 3)):
        seen = {int(finest[r]) for r in range(len(finest)) if counts[code, r] and finest[r] >= 0}
        assert found.absent[name] == tuple(id_ for i, id_ in enumerate(tables.leaves) if i not in seen)

    again = Survey.from_json(json.loads(json.dumps(found.to_json())))
    assert again.to_json() == found.to_json()
    assert again.statistics == found.statistics


def test_large_numbers_keep_their_deviations(tmp_path):
    """Mean 30000 and deviation 1: sums of squares in float32 would lose it."""
    random = np.random.default_rng(0)
    pixels = (30000 + random.integers(-1, 2, (1, 300, 300))).astype(np.uint16)
    scene = paint(tmp_path, pixels, np.ones((300, 300), np.uint8))
    found = survey([scene], block_split([scene], block=50, test=(), val=()), small_tree())
    np.testing.assert_allclose(found.statistics.std[0], pixels.astype(np.float64).std(), rtol=1e-9)


@given(st.integers(1, 200), st.integers(0, 500))
def test_cells_lie_in_one_block_and_are_small(block, start):
    cells = cell_of(start, 400, block)
    along, side = cell_edges(block)
    assert side <= CELL
    pixels = np.arange(start, start + 400)
    assert (cells // along == pixels // block).all()
    assert (np.diff(cells) >= 0).all()
    assert np.bincount(cells).max() <= side


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 99), st.integers(1, 40))
def test_sparse_and_dense_counting_agree(seed, block):
    random = np.random.default_rng(seed)
    groups = random.integers(-1, 5, (23, 31))
    dense = count_cells(Window(7, 100, 23, 31), groups, block=block)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hieratk.data.cells._DENSE", 0)
        sparse = count_cells(Window(7, 100, 23, 31), groups, block=block)
    merged = merge_cells([dense])
    for name in ("row", "col", "group", "count"):
        np.testing.assert_array_equal(getattr(dense, name), getattr(sparse, name))
        np.testing.assert_array_equal(getattr(Cells.unpack(merged.pack()), name), getattr(merged, name))
    assert merged.count.sum() == (groups >= 0).sum()


def constant_scene(tmp_path, labels, *, value=5, nodata=None, **options):
    pixels = np.full((2, *labels.shape), value, np.uint8)
    pixels[0, 0, 0] = 7
    return paint(tmp_path, pixels, labels, nodata=nodata, **options)


def test_a_split_without_labels(tmp_path):
    labels = np.zeros((20, 20), np.uint8)
    labels[:10] = 1
    scene = constant_scene(tmp_path, labels)
    codes = np.array([[1, 1], [3, 0]], np.uint8)
    found = survey([scene], Split(10, (codes,)), small_tree())
    found.require("train")
    with pytest.raises(DataError) as caught:
        found.require("test")
    assert str(caught.value) == (
        "the test split holds no labelled pixel: of its 100 valid pixels all are unlabelled or undeclared "
        "(train has 200 labelled, val has 0 labelled); check the split, and the encoding of the labels"
    )
    with pytest.raises(DataError, match="there is no split `tset`"):
        found.require("tset")


def test_a_scene_of_nodata(tmp_path):
    labels = np.ones((20, 20), np.uint8)
    good = constant_scene(tmp_path, labels, name="good")
    empty = paint(tmp_path, np.zeros((2, 20, 20), np.uint8), labels, nodata=0, name="empty")
    scenes = [good, empty]
    found = survey(scenes, block_split(scenes, block=10), small_tree())
    with pytest.raises(DataError, match="the scene empty holds no valid pixel: all 20 x 20 are nodata or not finite"):
        found.require("train")
    assert found.valid == (400, 0)


def test_warnings(tmp_path):
    labels = np.ones((20, 20), np.uint8)
    labels[2, 3:7] = 77
    labels[1, 5] = 200
    labels[0, 19] = 4
    scene = constant_scene(tmp_path, labels, label_nodata=None)
    codes = np.array([[1, 1], [3, 0]], np.uint8)
    found = survey([scene], Split(10, (codes,)), small_tree())
    assert found.warnings == (
        f"{scene.label} holds 2 values that taxonomy small 0.0.0 does not declare: 77 (4 px, first at row 2, "
        "column 3), 200 (1 px, first at row 1, column 5); they are ignored",
        "1 class of small 0.0.0 without a pixel in the train split cannot be learned: forest",
        "2 classes of small 0.0.0 without a pixel in the test split cannot be scored: forest, lake",
        "constant over the training split, so without information: band 2",
    )
    assert found.by_class() == {
        "none": {"grass": 100},
        "train": {"(undeclared)": 5, "grass": 194, "lake": 1},
        "val": {},
        "test": {"grass": 100},
    }
    assert found.summary() == (
        "scene: 400 pixels, 400 valid, 2 bands\ntrain: 195 labelled pixels of 2 classes\n"
        "test: 100 labelled pixels of 1 classes"
    )


def test_the_nodata_of_a_label_is_not_undeclared(tmp_path):
    labels = np.ones((20, 20), np.uint8)
    labels[2, 3:7] = 77
    scene = constant_scene(tmp_path, labels, label_nodata=77)
    assert survey([scene], block_split([scene], block=10), small_tree()).undeclared == ()


def test_scenes_that_do_not_go_together(tmp_path):
    labels = np.ones((20, 20), np.uint8)
    two = constant_scene(tmp_path, labels, name="two")
    one = Scene(two.image, two.label, bands=(2,))
    with pytest.raises(DataError, match=r"has 1 bands in use and .* has 2; choose the same number with `bands`"):
        survey([two, one], block_split([two, one], block=10), small_tree())
    with pytest.raises(DataError, match="there is no scene"):
        survey([], Split(10, ()), small_tree())
    found = survey([one], block_split([one], block=10), small_tree())
    assert found.bands == (2,)
    assert found.band_names == ("band 2",)


def test_statistics_keep_every_bit():
    statistics = Statistics((1 / 3, 2e-300), (0.1, 1e17 / 3), 12)
    assert Statistics.from_json(json.loads(json.dumps(statistics.to_json()))) == statistics


def test_zion():
    """Counts of the default blocks against a direct count over the whole raster."""
    folder = Path(os.environ.get("HIERATK_DATA", "")) / "zion"
    if not os.environ.get("HIERATK_DATA") or not folder.is_dir():
        pytest.skip("HIERATK_DATA does not name a folder with zion/")
    import rasterio

    tree = Taxonomy.from_outline({str(v): v for v in (11, 21, 22, 23, 31, 41, 42, 43, 52, 71, 81, 82, 90, 95)})
    scene = Scene(folder / "image.tif", folder / "label.tif", name="zion")
    split = block_split([scene], block=128)
    found = survey([scene], split, tree)
    with rasterio.open(folder / "label.tif") as label, rasterio.open(folder / "image.tif") as image:
        values, pixels = label.read(1), image.read()
    codes = split.window(0, Window(0, 0, *values.shape))
    valid = (pixels != 65535).all(0)
    by_class = found.by_class()
    for code, name in enumerate(NAMES):
        for value in np.unique(values):
            expected = int((valid & (codes == code) & (values == value)).sum())
            if value:
                assert by_class[name].get(str(value), 0) == expected
    train = pixels[:, valid & (codes == 1)].astype(np.float64)
    np.testing.assert_allclose(found.statistics.mean, train.mean(1), rtol=1e-12)
    np.testing.assert_allclose(found.statistics.std, train.std(1), rtol=1e-10)
