import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hieratk.data.scenes import Scene
from hieratk.data.split import TEST, TRAIN, VAL, Split, block_split, label_groups, random_split, table_split
from hieratk.errors import DataError
from hieratk.rasters import Window
from hieratk.taxonomy.tables import compile_tables
from tests.painting import paint, random_scene, small_tree


@pytest.fixture
def scene(tmp_path):
    return paint(tmp_path, *random_scene(np.random.default_rng(0), 50, 37))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_blocks_against_the_formula_pixel_by_pixel(scene, data):
    block, folds = data.draw(st.integers(1, 60)), data.draw(st.integers(2, 6))
    a, b = data.draw(st.integers(0, 9)), data.draw(st.integers(0, 9))
    test = data.draw(st.sets(st.integers(0, folds - 1)))
    val = data.draw(st.sets(st.integers(0, folds - 1))) - test
    split = block_split([scene, scene], block=block, folds=folds, a=a, b=b, test=test, val=val)
    row, col = data.draw(st.integers(0, 49)), data.draw(st.integers(0, 36))
    window = Window(row, col, data.draw(st.integers(1, 50 - row)), data.draw(st.integers(1, 37 - col)))
    codes = split.window(1, window)
    assert codes.shape == (window.height, window.width)
    assert codes.dtype == np.uint8
    for i in range(window.height):
        for j in range(window.width):
            fold = (a * ((row + i) // block) + b * ((col + j) // block)) % folds
            assert codes[i, j] == (TEST if fold in test else VAL if fold in val else TRAIN)


def test_the_default_blocks(scene):
    split = block_split([scene], block=10)
    assert split.blocks[0].tolist() == [
        [{0: TEST, 1: VAL}.get((7 * r + 3 * c) % 5, TRAIN) for c in range(4)] for r in range(5)
    ]


def test_names_and_json(scene):
    split = block_split([scene, scene], block=10)
    again = Split.from_json(split.to_json())
    assert again.digest == split.digest
    assert [table.tolist() for table in again.blocks] == [table.tolist() for table in split.blocks]
    assert block_split([scene, scene], block=11).digest != split.digest
    assert [split.code(name) for name in ("train", "val", "test")] == [TRAIN, VAL, TEST]
    with pytest.raises(DataError, match="there is no split `tset`; the splits are train, val, test"):
        split.code("tset")
    with pytest.raises(DataError, match="a block of 0 px"):
        block_split([scene], block=0)


def table(tmp_path, text):
    path = tmp_path / "tiles.csv"
    path.write_text(text)
    return path


def test_table(tmp_path, scene):
    path = table(tmp_path, "row,col,block,split\n0,0,a,train\n2,1,b,val\n\n4,3,c,test\n0,0,a,train\n")
    split = table_split([scene], path, tile=10)
    expected = np.zeros((5, 4), np.uint8)
    expected[0, 0], expected[2, 1], expected[4, 3] = TRAIN, VAL, TEST
    np.testing.assert_array_equal(split.blocks[0], expected)
    other = Scene(scene.image, scene.label, name="other")
    path = table(tmp_path, "scene,row,col,split\nother,0,0,train\nscene,1,0,val\n1,2,0,test\n")
    split = table_split([scene, other], path, tile=10)
    assert [np.argwhere(t).tolist() for t in split.blocks] == [[[1, 0]], [[0, 0], [2, 0]]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("row,col\n0,0\n", r"tiles\.csv has no column split; its first line must name row, col and split"),
        ("", "has no column row, col, split"),
        ("row,col,split\n0,0,train\n1,0,trian\n", r"tiles\.csv, line 3: split `trian` is none of train, val, test"),
        ("row,col,split\n0,x,train\n", r"line 2: row `0` and col `x` must be whole numbers"),
        ("row,col,split\n0,4,train\n", r"line 2: tile row 0, column 4 lies outside .*which has 5 x 4 tiles of 10 px"),
        ("row,col,split\n-1,0,train\n", "line 2: tile row -1"),
        ("row,col,split\n0,0,train\n0,0,val\n", r"line 3: tile row 0, column 0 is `val` here and `train` in line 2"),
        ("scene,row,col,split\nnope,0,0,train\n", "line 2: there is no scene `nope`; the scenes are scene"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, scene, text, message):
    with pytest.raises(DataError, match=message):
        table_split([scene], table(tmp_path, text), tile=10)


def test_a_missing_table(tmp_path, scene):
    with pytest.raises(DataError, match=r"cannot read the table of tiles .*none\.csv"):
        table_split([scene], tmp_path / "none.csv", tile=10)


def slow_classes(labels, block):
    """Class of each label value by hand (forest has two values) -> blocks that hold it."""
    names = {1: "grass", 2: "forest", 3: "forest", 4: "lake", 9: "green"}
    found = {}
    for (r, c), value in np.ndenumerate(labels):
        if int(value) in names:
            found.setdefault(names[int(value)], set()).add((r // block, c // block))
    return found


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_stratified_blocks(tmp_path_factory, data):
    random = np.random.default_rng(data.draw(st.integers(0, 9999)))
    height, width, block = (data.draw(st.integers(*bounds)) for bounds in ((5, 40), (5, 40), (2, 9)))
    labels = np.zeros((height, width), np.uint8)
    for value in data.draw(st.lists(st.sampled_from([1, 2, 3, 4, 9, 77]), min_size=1, max_size=12)):
        r, c = random.integers(0, height), random.integers(0, width)
        labels[r : r + random.integers(1, 12), c : c + random.integers(1, 12)] = value
    scene = paint(tmp_path_factory.mktemp("s"), np.ones((1, height, width), np.uint8), labels)
    seed, test, val = (
        data.draw(st.integers(0, 99)),
        data.draw(st.sampled_from([0.2, 0.3])),
        data.draw(st.sampled_from([0, 0.1])),
    )
    split = random_split([scene], small_tree(), block=block, test=test, val=val, seed=seed)
    codes = split.blocks[0]
    assert set(np.unique(codes)) <= {TRAIN, TEST, *([VAL] if val else [])}
    classes = slow_classes(labels, block)
    for name, blocks in classes.items():
        assert any(codes[at] == TRAIN for at in blocks), name
    # The class with the fewest blocks is dealt first: with two blocks it can always be scored too.
    if classes:
        rarest = min(len(blocks) for blocks in classes.values())
        alone = [blocks for blocks in classes.values() if len(blocks) == rarest]
        if rarest >= 2 and len(alone) == 1:
            assert any(codes[at] == TEST for at in alone[0])
    again = random_split([scene], small_tree(), block=block, test=test, val=val, seed=seed)
    assert again.digest == split.digest


def test_a_rare_class_is_learned_from_its_largest_block(tmp_path):
    labels = np.ones((60, 60), np.uint8)
    labels[0, 0] = 4
    labels[30:40, 30:40] = 4
    scene = paint(tmp_path, np.ones((1, 60, 60), np.uint8), labels)
    for seed in range(10):
        codes = random_split([scene], small_tree(), block=10, seed=seed).blocks[0]
        assert codes[3, 3] == TRAIN
        assert codes[0, 0] == TEST


@pytest.mark.parametrize("stratify", [True, False])
def test_shares_and_seeds(tmp_path, stratify):
    scene = paint(tmp_path, *random_scene(np.random.default_rng(0), 150, 150, bands=1))
    splits = [
        random_split([scene], small_tree(), block=5, test=0.3, val=0.1, seed=seed, stratify=stratify)
        for seed in range(3)
    ]
    assert len({split.digest for split in splits}) == 3
    for split in splits:
        shares = np.bincount(split.blocks[0].ravel(), minlength=4) / split.blocks[0].size
        np.testing.assert_allclose(shares, [0, 0.6, 0.1, 0.3], atol=0.05)
    with pytest.raises(DataError, match=r"test 0\.7 and val 0\.3 must be shares that leave something"):
        random_split([scene], small_tree(), block=5, test=0.7, val=0.3)


def test_stratification_is_over_all_scenes(tmp_path):
    lake, meadow = np.full((20, 20), 4, np.uint8), np.full((20, 20), 1, np.uint8)
    lake[10:] = lake[:, 10:] = 0
    image = np.ones((1, 20, 20), np.uint8)
    scenes = [paint(tmp_path, image, lake, name="a"), paint(tmp_path, image, meadow, name="b")]
    split = random_split(scenes, small_tree(), block=10, seed=4)
    assert split.blocks[0][0, 0] == TRAIN
    assert {TRAIN, TEST} <= set(split.blocks[1].ravel().tolist())


def test_label_groups():
    tables = compile_tables(small_tree())
    groups = dict(zip(tables.row_ids, label_groups(tables).tolist(), strict=True))
    assert groups[""] == groups["void"] == -1
    taught = [groups[name] for name in ("green", "grass", "forest", "lake")]
    assert min(taught) >= 0
    assert len(set(taught)) == 4
    # `water` has one leaf only, so it teaches what `lake` does.
    assert groups["water"] == groups["lake"]


def test_agnet_tiles():
    folder = Path(os.environ.get("HIERATK_DATA", "")) / "agnet"
    if not os.environ.get("HIERATK_DATA") or not folder.is_dir():
        pytest.skip("HIERATK_DATA does not name a folder with agnet/")
    split = table_split([Scene(folder / "image.tif")], folder / "tiles.csv", tile=128)
    assert np.bincount(split.blocks[0].ravel()).tolist() == [57 * 44 - 770, 522, 123, 125]
