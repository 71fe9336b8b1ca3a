import sys

import numpy as np
import pytest

from hieratk.data.indian_pines import CITATION, LICENCE, indian_pines
from hieratk.errors import DataError
from hieratk.rasters import Grid, inspect, read


def test_files(tmp_path):
    tensorly = pytest.importorskip("tensorly.datasets", reason="tensorly (extra `demo`) is not installed")
    bunch = tensorly.load_indian_pines()
    dataset = indian_pines(tmp_path / "new" / "folder")
    (scene,) = dataset.scenes
    image, label = inspect(scene.image), inspect(scene.label)
    assert image.grid == label.grid == Grid(145, 145, None, None)
    assert (image.count, image.dtype, label.count, label.dtype) == (200, "uint16", 1, "uint8")
    assert image.names[0] == "400.02 nm"
    assert image.names[-1] == "2498.96 nm"
    np.testing.assert_array_equal(read(scene.image).transpose(1, 2, 0), np.asarray(bunch.tensor))
    labels = read(scene.label)[0]
    np.testing.assert_array_equal(labels, np.asarray(bunch.ticks[0]))
    # Published size of the ground truth.
    assert (labels > 0).sum() == 10_249
    assert np.unique(labels).tolist() == list(range(17))
    assert (dataset.name, dataset.taxonomy) == ("indian-pines", "indian_pines")
    assert (dataset.licence, dataset.citation) == (LICENCE, CITATION)
    assert "10.4231/R7RX991C" in image.tags["CITATION"]
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == ["labels.tif", "scene.tif"]


def test_a_missing_package(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorly.datasets", None)
    with pytest.raises(DataError, match=r'the package tensorly, which is missing; pip install "hieratk\[demo\]"'):
        indian_pines(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(tmp_path):
    pytest.importorskip("tensorly.datasets", reason="tensorly (extra `demo`) is not installed")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"cannot make the folder .*file"):
        indian_pines(tmp_path / "file" / "data")
