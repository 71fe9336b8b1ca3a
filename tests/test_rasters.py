import os
import subprocess
import sys
import textwrap
import threading
import warnings
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
from hypothesis import given, settings
from hypothesis import strategies as st

from hieratk.errors import RasterError
from hieratk.rasters import Entry, Grid, Raster, RasterWriter, Window, create, inspect, read, write_png

UTM = rasterio.crs.CRS.from_epsg(32612).to_wkt()
NORTH_UP = (30.0, 0.0, 301905.0, 0.0, -30.0, 4154085.0)


def pixels(count=2, height=70, width=50, dtype="uint8", seed=0):
    return np.random.default_rng(seed).integers(0, 100, (count, height, width)).astype(dtype)


def write(path, data, grid=None, **options):
    grid = grid or Grid(*data.shape[1:])
    with create(path, grid, count=len(data), dtype=str(data.dtype), **options) as writer:
        writer.write(data)
    return path


def files(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "float32", "float64"])
@pytest.mark.parametrize("smooth", [False, True])
def test_what_is_written_is_read(tmp_path, dtype, smooth):
    data = pixels(dtype=dtype)
    path = write(tmp_path / "a.tif", data, smooth=smooth, block=16)
    assert files(tmp_path) == ["a.tif"]
    np.testing.assert_array_equal(read(path), data)
    assert read(path).dtype == data.dtype
    np.testing.assert_array_equal(read(path, window=Window(5, 7, 20, 30), bands=(2, 1)), data[::-1, 5:25, 7:37])


def test_metadata_is_carried(tmp_path):
    path = write(
        tmp_path / "a.tif",
        pixels(),
        Grid(70, 50, NORTH_UP, UTM),
        nodata=255,
        names=("level1", "level2"),
        tags={"A": "b"},
        band_tags=({"LEVEL": "1"}, {"LEVEL": "2"}),
        legends=((Entry(3, "Sea & ice", "sea", (1, 2, 3)),), (Entry(4, "<bare>", "bare", (4, 5, 6)),)),
    )
    info = inspect(path)
    assert info.grid == Grid(70, 50, NORTH_UP, info.grid.crs)
    assert rasterio.crs.CRS.from_wkt(info.grid.crs).to_epsg() == 32612
    assert (info.count, info.dtype, info.nodata, info.driver) == (2, "uint8", 255.0, "GTiff")
    assert info.names == ("level1", "level2")
    assert info.tags["A"] == "b"
    assert [tags["LEVEL"] for tags in info.band_tags] == ["1", "2"]
    assert info.colormaps[0] == {0: (0, 0, 0, 0), 1: (0, 0, 0, 0), 2: (0, 0, 0, 0), 3: (1, 2, 3, 255)} | {
        value: color for value, color in info.colormaps[0].items() if value > 3
    }
    with rasterio.open(path) as file:
        assert file.profile["tiled"]
        assert file.profile["compress"] == "deflate"


def test_the_side_file_has_a_table_for_every_band(tmp_path):
    legends = (
        (Entry(3, "Sea & ice", "sea", (1, 2, 3)),),
        (Entry(4, "<bare>", "bare", (4, 5, 6)), Entry(2, "é", "e", (7, 8, 9))),
    )
    write(tmp_path / "a.tif", pixels(), legends=legends)
    assert files(tmp_path) == ["a.tif", "a.tif.aux.xml"]
    bands = ElementTree.parse(tmp_path / "a.tif.aux.xml").getroot().findall("PAMRasterBand")
    rows = [[[cell.text for cell in row.findall("F")] for row in band.iter("Row")] for band in bands]
    assert rows == [
        [["3", "Sea & ice", "sea", "1", "2", "3"]],
        [["2", "é", "e", "7", "8", "9"], ["4", "<bare>", "bare", "4", "5", "6"]],
    ]
    entries = [entry.attrib for entry in bands[1].iter("Entry")]
    assert entries[2] == {"c1": "7", "c2": "8", "c3": "9", "c4": "255"}
    assert entries[3] == {"c1": "0", "c2": "0", "c3": "0", "c4": "0"}


def test_a_raster_without_a_legend_leaves_no_old_side_file(tmp_path):
    legend = ((Entry(3, "Sea", "sea", (1, 2, 3)),),) * 2
    write(tmp_path / "a.tif", pixels(), legends=legend)
    write(tmp_path / "a.tif", pixels())
    assert files(tmp_path) == ["a.tif"]


def test_wide_values_have_a_table_but_no_colours(tmp_path):
    data = pixels().astype(np.int32)
    write(tmp_path / "a.tif", data, legends=((Entry(91000, "Forest", "forest", (1, 2, 3)),),) * 2)
    text = (tmp_path / "a.tif.aux.xml").read_text()
    assert "<F>91000</F>" in text
    assert "ColorTable" not in text


def test_absent_georeference_stays_absent(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        path = write(tmp_path / "a.tif", pixels())
        assert inspect(path).grid == Grid(70, 50, None, None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with rasterio.open(path) as file:
            assert file.crs is None
    # The warning is silent inside the door only.
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning):
        rasterio.open(path).close()
    # The tags of a georeference (33550 pixel scale, 33922 tie point, 34264 matrix, 34735 keys) are not in the file.
    raw = path.read_bytes()
    entries = int.from_bytes(raw[(at := int.from_bytes(raw[4:8], "little")) : at + 2], "little")
    tags = {int.from_bytes(raw[at + 2 + 12 * i : at + 4 + 12 * i], "little") for i in range(entries)}
    assert 256 in tags
    assert not tags & {33550, 33922, 34264, 34735}


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_windows_in_any_order_and_overlapping(tmp_path_factory, data):
    truth = np.zeros((1, 40, 33), np.int16)
    random = np.random.default_rng(data.draw(st.integers(0, 99)))
    with create(tmp_path_factory.mktemp("w") / "a.tif", Grid(40, 33), count=1, dtype="int16", block=16) as writer:
        writer.write(truth)
        for _ in range(data.draw(st.integers(0, 6))):
            r, c = data.draw(st.integers(0, 39)), data.draw(st.integers(0, 32))
            window = Window(r, c, data.draw(st.integers(1, 40 - r)), data.draw(st.integers(1, 33 - c)))
            part = random.integers(-99, 99, (1, window.height, window.width)).astype(np.int16)
            truth[:, r : r + window.height, c : c + window.width] = part
            writer.write(part, window)
    path = writer._target
    np.testing.assert_array_equal(read(path), truth)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError, SystemExit])
def test_an_exception_leaves_the_old_file_and_nothing_else(tmp_path, error):
    old = write(tmp_path / "a.tif", pixels(seed=1))

    def stop():
        with create(old, Grid(70, 50), count=2, dtype="uint8") as writer:
            writer.write(pixels(seed=2))
            assert len(files(tmp_path)) == 2
            raise error

    with pytest.raises(error):
        stop()
    assert files(tmp_path) == ["a.tif"]
    np.testing.assert_array_equal(read(old), pixels(seed=1))


def test_a_fault_of_the_source_is_not_called_a_fault_of_the_target(tmp_path):
    with (
        pytest.raises(RasterError, match=r"^there is no file .*source\.tif"),
        create(tmp_path / "a.tif", Grid(70, 50), count=2, dtype="uint8"),
    ):
        read(tmp_path / "source.tif")
    assert files(tmp_path) == []


def test_a_write_that_gets_lost_is_found_out(tmp_path):
    class Forgetful:
        def __init__(self, dataset):
            self.dataset = dataset

        def write(self, data, window):
            if window.row_off < 30:
                self.dataset.write(data, window=window)

    def lose():
        with create(tmp_path / "a.tif", Grid(70, 50), count=2, dtype="uint8") as writer:
            writer._dataset = Forgetful(writer._dataset)
            for row in range(0, 70, 10):
                writer.write(pixels()[:, row : row + 10], Window(row, 0, 10, 50))

    with pytest.raises(RasterError, match="does not read back"):
        lose()
    assert files(tmp_path) == []


def test_a_full_disk_leaves_nothing(tmp_path):
    script = f"""
        import resource, numpy as np
        from pathlib import Path
        from hieratk.errors import RasterError
        from hieratk.rasters import Grid, Window, create, write_png
        folder = Path({str(tmp_path)!r})
        noise = np.random.default_rng(0).integers(0, 256, (1, 512, 512), dtype=np.uint8)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))

        def tif(strips):
            with create(folder / "a.tif", Grid(512, 512), count=1, dtype="uint8") as writer:
                for row in range(0, 512, 512 // strips):
                    high = 512 // strips
                    writer.write(noise[:, row:row + high], Window(row, 0, high, 512))

        def png():
            write_png(folder / "a.png", np.moveaxis(np.repeat(noise, 3, 0), 0, 2))

        for work in (lambda: tif(1), lambda: tif(8), png):
            try:
                work()
                print("no error")
            except RasterError as error:
                print(error)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True, env=os.environ
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 3, done.stderr
    for line, name in zip(lines, ("a.tif", "a.tif", "a.png"), strict=True):
        assert line.startswith(f"cannot write {tmp_path / name}: ")
        assert line.endswith("no file of that name was made")
    assert files(tmp_path) == []


def test_unreadable_paths(tmp_path):
    with pytest.raises(RasterError, match=r"^there is no file .*none\.tif; check the path"):
        read(tmp_path / "none.tif")
    with pytest.raises(RasterError, match=r"is a folder; give the raster file in it$"):
        inspect(tmp_path)
    text = tmp_path / "text.tif"
    text.write_text("not a raster")
    with pytest.raises(RasterError, match=r"text\.tif cannot be opened as a raster: .*convert it to GeoTIFF"):
        inspect(text)


@pytest.mark.parametrize("part", [0.0005, 0.5, 0.97])
def test_truncated_geotiff(tmp_path, part):
    path = write(tmp_path / "a.tif", pixels(height=300, width=300))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * part)])
    with pytest.raises(RasterError, match=r"a\.tif cannot be (opened|read).*(damaged|cut off)"):
        read(path)


def test_truncated_geotiff_in_another_thread(tmp_path):
    path = write(tmp_path / "a.tif", pixels(height=300, width=300))
    path.write_bytes(path.read_bytes()[:-2000])
    found = []

    def work(raster):
        try:
            raster.read()
        except RasterError as error:
            found.append(str(error))

    with Raster(path) as raster:
        thread = threading.Thread(target=work, args=(raster,))
        thread.start()
        thread.join()
    assert len(found) == 1
    assert "rows 0-299, columns 0-299" in found[0]


def test_bands_and_windows_that_are_not_there(tmp_path):
    path = write(tmp_path / "a.tif", pixels())
    with pytest.raises(RasterError, match=r"a\.tif has 2 bands and no band 3, 7; bands count from 1$"):
        read(path, bands=(1, 3, 7))
    with pytest.raises(RasterError, match=r"a\.tif has 70 x 50 pixels; rows 60-79, columns 0-9 are not all inside$"):
        read(path, window=Window(60, 0, 20, 10))


def test_targets_that_cannot_be(tmp_path):
    with pytest.raises(RasterError, match=r"the folder .*nowhere does not exist; create it first"):
        write(tmp_path / "nowhere" / "a.tif", pixels())
    with pytest.raises(RasterError, match="it is a folder; give a file name in it"):
        write(tmp_path, pixels())
    with create(tmp_path / "a.tif", Grid(70, 50), count=2, dtype="uint8") as writer:
        with pytest.raises(ValueError, match=r"expected pixels \(2, 70, 50\) uint8, got \(2, 70, 50\) int16"):
            writer.write(pixels(dtype="int16"))
        with pytest.raises(ValueError, match="expected pixels"):
            writer.write(pixels(count=1))
        with pytest.raises(ValueError, match="are not inside"):
            writer.write(pixels(), Window(1, 0, 70, 50))
        writer.write(pixels())


def test_side_files_of_the_old_raster_go(tmp_path):
    path = write(tmp_path / "a.tif", pixels())
    (tmp_path / "a.tif.aux.xml").write_text("<PAMDataset/>")
    write(path, pixels(seed=3))
    assert files(tmp_path) == ["a.tif"]


def test_alpha_is_a_mask_and_nodata_is_not(tmp_path):
    profile = {"height": 4, "width": 4, "count": 4, "dtype": "uint8", "transform": rasterio.Affine(*NORTH_UP)}
    with rasterio.open(tmp_path / "a.tif", "w", driver="GTiff", photometric="rgb", alpha="yes", **profile) as file:
        rgba = np.full((4, 4, 4), 255, np.uint8)
        rgba[3, 1, 2] = 0
        file.write(rgba)
    with Raster(tmp_path / "a.tif") as raster:
        assert np.argwhere(~raster.read_mask()).tolist() == [[1, 2]]
    with Raster(write(tmp_path / "b.tif", pixels(), nodata=0)) as raster:
        assert raster.read_mask() is None


def test_png(tmp_path):
    rgb = np.moveaxis(pixels(count=3), 0, 2)
    write_png(tmp_path / "a.png", rgb)
    np.testing.assert_array_equal(np.moveaxis(read(tmp_path / "a.png"), 0, 2), rgb)
    assert files(tmp_path) == ["a.png"]
    with pytest.raises(ValueError, match=r"expected \(H, W, 3\) uint8"):
        write_png(tmp_path / "b.png", rgb[..., :2])


def test_grid_difference():
    grid = Grid(70, 50, NORTH_UP, UTM)
    assert grid.difference(grid) == ""
    assert grid.difference(Grid(70, 51)) == "70 x 50 pixels against 70 x 51"
    assert grid.difference(Grid(70, 50)) == ""
    other = rasterio.crs.CRS.from_epsg(32613).to_wkt()
    assert grid.difference(Grid(70, 50, NORTH_UP, other)) == "reference system EPSG:32612 against EPSG:32613"
    # The same system in other words.
    assert grid.difference(Grid(70, 50, NORTH_UP, rasterio.crs.CRS.from_wkt(UTM).to_wkt(version="WKT2_2019"))) == ""
    near = (30.0, 0.0, 301905.0 + 14, 0.0, -30.0, 4154085.0)
    far = (30.0, 0.0, 301905.0 + 16, 0.0, -30.0, 4154085.0)
    coarser = (31.0, 0.0, 301905.0, 0.0, -31.0, 4154085.0)
    assert grid.difference(Grid(70, 50, near, UTM)) == ""
    assert "transform" in grid.difference(Grid(70, 50, far, UTM))
    assert "31.0" in grid.difference(Grid(70, 50, coarser, UTM))


@settings(max_examples=40, deadline=None)
@given(st.integers(-3, 12), st.integers(-3, 12), st.integers(-1, 12), st.integers(-1, 12))
def test_grid_holds(row, col, height, width):
    inside = np.zeros((30, 30), bool)
    inside[10:18, 10:16] = True
    part = inside[10 + row : 10 + row + max(height, 0), 10 + col : 10 + col + max(width, 0)]
    assert Grid(8, 6).holds(Window(row, col, height, width)) == (height > 0 and width > 0 and bool(part.all()))


def test_the_writer_checks_only_what_was_not_overwritten():
    class Sink:
        def write(self, data, window):
            pass

    writer = RasterWriter(Sink(), None, Grid(600, 600), 1, "uint8")
    windows = [Window(0, 0, 300, 600), Window(300, 0, 300, 600), Window(290, 590, 5, 5), Window(0, 0, 1, 1)]
    for window in windows:
        writer.write(np.zeros((1, window.height, window.width), np.uint8), window)
    assert [entry is not None for entry in writer._sums] == [False, True, True, True]
