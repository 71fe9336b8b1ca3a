import re

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from hieratk.data.scenes import Scene, SceneReader
from hieratk.errors import DataError, RasterError, TaxonomyError
from hieratk.rasters import Window
from hieratk.taxonomy.tables import compile_tables
from hieratk.taxonomy.tree import Encoding, Taxonomy
from tests.painting import paint, paint_image, random_scene, small_tree

NORTH_UP = (30.0, 0.0, 301905.0, 0.0, -30.0, 4154085.0)
UTM12, UTM13 = (rasterio.crs.CRS.from_epsg(code).to_wkt() for code in (32612, 32613))


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_pixels_and_validity_against_plain_loops(tmp_path_factory, data):
    random = np.random.default_rng(data.draw(st.integers(0, 999)))
    height, width, count = data.draw(st.integers(1, 20)), data.draw(st.integers(1, 20)), data.draw(st.integers(1, 4))
    dtype = data.draw(st.sampled_from(["uint8", "int16", "uint16", "float32", "float64"]))
    pixels = random.integers(0, 5, (count, height, width)).astype(dtype)
    if dtype.startswith("float"):
        pixels[random.random(pixels.shape) < 0.1] = np.nan
        pixels[random.random(pixels.shape) < 0.1] = np.inf
    tag = data.draw(st.sampled_from([None, 0.0, 3.0] if dtype == "uint8" else [None, 0.0, 3.0, -0.0]))
    override = data.draw(st.sampled_from([None, 0.0, 4.0, 2.5, -7.0, 1e9]))
    bands = data.draw(st.none() | st.permutations(range(1, count + 1)).map(tuple))
    scale, offset = data.draw(st.sampled_from([(1.0, 0.0), (0.5, -0.25)]))
    path = paint_image(tmp_path_factory.mktemp("s") / "a.tif", pixels, nodata=tag)
    row, col = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    window = Window(row, col, data.draw(st.integers(1, height - row)), data.draw(st.integers(1, width - col)))

    nodata = tag if override is None else override
    used = bands or tuple(range(1, count + 1))
    with SceneReader(Scene(path, bands=bands, nodata=override, scale=scale, offset=offset)) as reader:
        image, valid = reader.image(window)
        if data.draw(st.booleans()):
            reader.keep()
            again = reader.image(window)
            np.testing.assert_array_equal(again[0], image)
            np.testing.assert_array_equal(again[1], valid)
            again[0][:] = 99
            np.testing.assert_array_equal(reader.image(window)[0], image)
    assert image.dtype == np.float32
    assert image.shape == (len(used), window.height, window.width)
    for i in range(window.height):
        for j in range(window.width):
            raw = [float(pixels[band - 1, row + i, col + j]) for band in used]
            good = all(np.isfinite(x) and x != nodata for x in raw)
            assert valid[i, j] == good
            np.testing.assert_allclose(image[:, i, j], [x * scale + offset if good else 0 for x in raw], rtol=1e-6)


def test_a_nodata_that_float32_cannot_hold_exactly(tmp_path):
    lowest = np.finfo(np.float32).min
    pixels = np.array([[[lowest, 1.0], [0.1, 2.0]]], np.float32)
    with SceneReader(Scene(paint_image(tmp_path / "a.tif", pixels, nodata=float(lowest)))) as reader:
        assert reader.image(Window(0, 0, 2, 2))[1].tolist() == [[False, True], [True, True]]
    with SceneReader(Scene(paint_image(tmp_path / "b.tif", pixels), nodata=np.float64(0.1))) as reader:
        assert reader.image(Window(0, 0, 2, 2))[1].tolist() == [[True, True], [False, True]]


def test_several_files_are_one_image(tmp_path):
    a, b = (np.full((2, 3, 4), k, np.uint8) + np.arange(2, dtype=np.uint8)[:, None, None] for k in (10, 20))
    a[0, 0, 0] = 255
    paths = (
        paint_image(tmp_path / "a.tif", a, nodata=255, names=("blue", "green")),
        paint_image(tmp_path / "b.tif", b),
    )
    with SceneReader(Scene(paths, bands=(4, 1, 3))) as reader:
        image, valid = reader.image(reader.grid.window)
        assert image[:, 1, 1].tolist() == [21, 10, 20]
        assert (~valid).sum() == 1
        assert reader.band_names == ("band 4", "blue", "band 3")
    with SceneReader(Scene(paths)) as reader:
        assert reader.bands == (1, 2, 3, 4)
        assert reader.image(reader.grid.window)[0][:, 1, 1].tolist() == [10, 11, 20, 21]
    with pytest.raises(RasterError, match=r"the 2 files from .* have 4 bands and no band 5"):
        _ = SceneReader(Scene(paths, bands=(5,))).grid
    odd = paint_image(tmp_path / "odd.tif", np.zeros((1, 3, 5), np.uint8))
    with pytest.raises(RasterError, match="3 x 4 pixels against 3 x 5"):
        _ = SceneReader(Scene((paths[0], odd))).grid


def test_alpha_masks_pixels(tmp_path):
    profile = {"height": 4, "width": 4, "count": 4, "dtype": "uint8", "transform": rasterio.Affine(*NORTH_UP)}
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", photometric="rgb", alpha="yes", **profile) as file:
        rgba = np.full((4, 4, 4), 255, np.uint8)
        rgba[3, 1, 2] = 0
        file.write(rgba)
    with SceneReader(Scene(tmp_path / "a.tif", bands=(1, 2, 3))) as reader:
        assert np.argwhere(~reader.image(reader.grid.window)[1]).tolist() == [[1, 2]]


def test_rows(tmp_path):
    tree = small_tree()
    pixels, labels = random_scene(np.random.default_rng(0), 12, 9)
    tables = compile_tables(tree)
    with SceneReader(paint(tmp_path, pixels, labels), tree) as reader:
        rows = reader.rows(Window(2, 1, 5, 7))
    names = {0: "void", 1: "grass", 2: "forest", 3: "forest", 4: "lake", 9: "green", 77: ""}
    assert rows.dtype == np.int32
    assert [[tables.row_ids[r] for r in line] for line in rows] == [
        [names[int(v)] for v in x] for x in labels[2:7, 1:8]
    ]


def test_nodata_of_a_label_is_void_unless_declared(tmp_path):
    pixels, labels = random_scene(np.random.default_rng(0), 12, 9)
    tree = small_tree()
    with SceneReader(paint(tmp_path, pixels, labels, label_nodata=77), tree) as reader:
        assert reader.void_values == {77}
    with SceneReader(paint(tmp_path, pixels, labels, label_nodata=4), tree) as reader:
        # 4 is a lake: the declaration counts.
        assert reader.void_values == frozenset()
        assert (reader.rows(reader.grid.window)[labels == 4] > 0).all()
    other = Taxonomy(tree.id, tree.nodes, tree.level_names, (), {"default": Encoding("default", nodata=200)})
    with SceneReader(paint(tmp_path, pixels, labels), other) as reader:
        assert reader.void_values == {200}


def test_labels_that_do_not_fit_the_image(tmp_path):
    image = paint_image(tmp_path / "i.tif", np.zeros((1, 8, 9), np.uint8), transform=NORTH_UP, crs=UTM12)

    def message(path):
        with pytest.raises(RasterError) as caught:
            _ = SceneReader(Scene(image, path), small_tree()).grid
        return str(caught.value)

    label = np.zeros((1, 8, 9), np.uint8)
    small = paint_image(tmp_path / "small.tif", label[:, :7])
    assert message(small) == (
        f"{image} and {small} do not cover the same pixels: 8 x 9 pixels against 7 x 9; "
        "warp the label onto the image's grid, with the nearest neighbour"
    )
    assert "reference system EPSG:32612 against EPSG:32613" in message(
        paint_image(tmp_path / "crs.tif", label, transform=NORTH_UP, crs=UTM13)
    )
    moved = (30.0, 0.0, 301935.0, 0.0, -30.0, 4154085.0)
    elsewhere = paint_image(tmp_path / "t.tif", label, transform=moved, crs=UTM12)
    assert re.search(
        r"transform .*301905.* against .*301935",
        message(elsewhere),
    )
    assert "has 2 bands; a label raster has one" in message(paint_image(tmp_path / "two.tif", label.repeat(2, 0)))
    assert "is float32; labels are integers" in message(paint_image(tmp_path / "f.tif", label.astype(np.float32)))
    # A label without any georeference lies where the image does.
    with SceneReader(Scene(image, paint_image(tmp_path / "bare.tif", label)), small_tree()) as reader:
        assert reader.rows(Window(0, 0, 8, 9)).shape == (8, 9)


def test_questions_that_have_no_answer(tmp_path):
    image = paint_image(tmp_path / "i.tif", np.zeros((2, 8, 9), np.uint8))
    with pytest.raises(DataError, match=r"the scene .*i\.tif has no label raster"):
        SceneReader(Scene(image), small_tree()).rows(Window(0, 0, 1, 1))
    with pytest.raises(TaxonomyError, match="no encoding `odd`"):
        SceneReader(Scene(image, image, encoding="odd"), small_tree()).lookup  # noqa: B018
    with pytest.raises(RasterError, match=r"i\.tif has 2 bands and no band 3"):
        SceneReader(Scene(image, bands=(1, 3))).image(Window(0, 0, 1, 1))
    with pytest.raises(RasterError, match="each band can be used once"):
        SceneReader(Scene(image, bands=(1, 1))).image(Window(0, 0, 1, 1))
    with SceneReader(Scene(image)) as reader:
        reader.keep()
        with pytest.raises(RasterError, match="are not all inside"):
            reader.image(Window(5, 5, 9, 9))


def test_a_closed_reader_opens_again(tmp_path):
    reader = SceneReader(Scene(paint_image(tmp_path / "i.tif", np.ones((2, 8, 9), np.uint8))))
    first = reader.image(Window(0, 0, 2, 2))[0]
    reader.close()
    np.testing.assert_array_equal(reader.image(Window(0, 0, 2, 2))[0], first)
    reader.close()
    reader.close()
