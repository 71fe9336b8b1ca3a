"""Maps: equal to the plain whole-image prediction, in the tree's values, whole or not there at all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import rasterio
import torch

from hieratk.checkpoints import open_checkpoint
from hieratk.config import read_run
from hieratk.data.chips import normalise
from hieratk.data.scenes import Scene, SceneReader
from hieratk.decoding import best_path
from hieratk.errors import CheckpointError, DataError, RasterError
from hieratk.prediction import predict
from hieratk.prediction.legend import legend
from hieratk.rasters import Grid, create, inspect, read
from hieratk.tensors import TaxonomyTensors
from hieratk.training.fit import fit
from hieratk.training.setup import prepare
from tests.scenes import TRANSFORM, pixels, write_scene


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    write_scene(folder)
    fit(prepare(read_run(folder / "run.yaml", ["schedule.steps=8"]), folder=folder), folder / "run")
    return folder


def whole_image(checkpoint: Path, image: Path) -> tuple[np.ndarray, np.ndarray]:
    """Class indices (L, H, W) and valid pixels (H, W) of one forward pass over the whole scene."""
    opened = open_checkpoint(checkpoint)
    with SceneReader(Scene(image)) as reader:
        array, valid = reader.image(reader.grid.window)
    logits = opened.model()(torch.from_numpy(normalise(array, valid, opened.statistics))[None])
    return best_path(logits, TaxonomyTensors(opened.taxonomy))[0].numpy(), valid


@pytest.mark.parametrize(("window", "overlap"), [(32, 16), (40, 20), (200, 0)])
def test_a_map_is_the_whole_image_prediction(trained: Path, tmp_path: Path, window: int, overlap: int) -> None:
    """The network of the test looks 8 px far, so windows that share 16 px must give the very same map."""
    classes, valid = whole_image(trained / "run", trained / "scene.tif")
    done = predict(
        trained / "run", trained / "scene.tif", tmp_path / "map.tif", window=window, overlap=overlap, batch=3
    )
    written = read(tmp_path / "map.tif")
    for i, band in enumerate(legend(open_checkpoint(trained / "run").taxonomy).bands):
        expected = np.where(valid, band.values[classes[i]], 0)
        assert np.array_equal(written[i], expected)
    assert (done.predicted, done.nodata) == (int(valid.sum()), int((~valid).sum()))
    assert done.nodata == 35


def test_what_a_map_says_about_itself(trained: Path, tmp_path: Path) -> None:
    predict(trained / "run", trained / "scene.tif", tmp_path / "map.tif", window=64, overlap=16)
    opened = open_checkpoint(trained / "run")
    with rasterio.open(tmp_path / "map.tif") as dataset:
        assert dataset.descriptions == ("cover", "crop")
        assert dataset.nodata == 0
        assert dataset.dtypes == ("uint8", "uint8")
        assert dataset.crs.to_epsg() == 32612
        assert tuple(dataset.transform)[:6] == TRANSFORM
        assert dataset.compression.value == "DEFLATE"
        assert dataset.tags()["HIERATK_FINGERPRINT"] == opened.taxonomy.fingerprint
        assert dataset.tags()["HIERATK_TAXONOMY"] == "fields 1.0.0"
        classes = json.loads(dataset.tags(2)["HIERATK_CLASSES"])
        assert {value: entry["id"] for value, entry in classes.items()} == {"1": "water", "2": "rice", "3": "maize"}
        assert dataset.tags(1)["HIERATK_LEVEL"] == "cover"
        assert dataset.colormap(1)[1][:3] == tuple(legend(opened.taxonomy).bands[0].colors[0])
        assert "HIERATK_VERSION" in dataset.tags()


def test_every_pixel_lies_on_one_path(trained: Path, tmp_path: Path) -> None:
    predict(trained / "run", trained / "scene.tif", tmp_path / "map.tif", window=48, overlap=16)
    cover, crop = read(tmp_path / "map.tif")
    pairs = {(int(a), int(b)) for a, b in zip(cover.ravel(), crop.ravel(), strict=True)}
    assert pairs <= {(0, 0), (1, 1), (4, 2), (4, 3)}


def test_without_a_georeference_none_is_invented(trained: Path, tmp_path: Path) -> None:
    write_scene(tmp_path, georeferenced=False)
    predict(trained / "run", tmp_path / "scene.tif", tmp_path / "map.tif")
    assert inspect(tmp_path / "map.tif").grid == Grid(80, 96, None, None)


def test_a_scene_smaller_than_the_window(trained: Path, tmp_path: Path) -> None:
    image, _ = pixels(5, 3)
    with create(tmp_path / "small.tif", Grid(5, 3, None, None), count=3, dtype="int16") as sink:
        sink.write(image)
    predict(trained / "run", tmp_path / "small.tif", tmp_path / "map.tif", window=512, overlap=64)
    assert read(tmp_path / "map.tif").shape == (2, 5, 3)


def test_nan_is_no_observation(trained: Path, tmp_path: Path) -> None:
    image = pixels(40, 40)[0].astype(np.float32)
    image[1, 3:9, 4:6] = np.nan
    image[0, 20, 20] = np.inf
    with create(tmp_path / "nan.tif", Grid(40, 40, None, None), count=3, dtype="float32") as sink:
        sink.write(image)
    done = predict(trained / "run", tmp_path / "nan.tif", tmp_path / "map.tif", window=32, overlap=8)
    assert done.nodata == 13
    written = read(tmp_path / "map.tif")
    assert (written[:, 3:9, 4:6] == 0).all()
    assert (written == 0).sum() == 2 * 13


def expect(trained: Path, image: Path, error: type[Exception], *words: str, out: Path | None = None) -> None:
    target = out or image.parent / "map.tif"
    with pytest.raises(error) as caught:
        predict(trained / "run", image, target)
    for word in words:
        assert word in str(caught.value)
    assert not target.exists()
    assert not list(image.parent.glob(".*part*"))


def test_images_that_cannot_be_predicted(trained: Path, tmp_path: Path) -> None:
    expect(trained, tmp_path / "absent.tif", RasterError, "absent.tif")
    expect(trained, tmp_path, RasterError, str(tmp_path), out=tmp_path / "map.tif")
    (tmp_path / "text.tif").write_text("not a raster")
    expect(trained, tmp_path / "text.tif", RasterError, "text.tif")
    with create(tmp_path / "two.tif", Grid(8, 8, None, None), count=2, dtype="int16") as sink:
        sink.write(np.ones((2, 8, 8), np.int16))
    expect(trained, tmp_path / "two.tif", RasterError, "two.tif", "2 bands", "3")
    with create(tmp_path / "empty.tif", Grid(8, 8, None, None), count=3, dtype="int16", nodata=-1) as sink:
        sink.write(np.full((3, 8, 8), -1, np.int16))
    expect(trained, tmp_path / "empty.tif", DataError, "empty.tif holds no valid pixel")


def test_a_truncated_image(trained: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    with create(tmp_path / "cut.tif", Grid(600, 600, None, None), count=3, dtype="int16") as sink:
        sink.write(rng.integers(0, 30000, (3, 600, 600)).astype(np.int16))
    content = (tmp_path / "cut.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(content[: len(content) // 2])
    expect(trained, tmp_path / "cut.tif", RasterError, "cut.tif")


def test_a_checkpoint_that_is_none(tmp_path: Path, trained: Path) -> None:
    with pytest.raises(CheckpointError, match="give the folder"):
        predict(tmp_path, trained / "scene.tif", tmp_path / "map.tif")


def run_python(code: str, *, folder: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def test_a_full_disk_leaves_nothing(trained: Path, tmp_path: Path) -> None:
    """RLIMIT_FSIZE makes the file system refuse more than 8 kB a file, as a full disk does."""
    code = f"""
        import resource, signal, sys
        from hieratk.errors import RasterError
        from hieratk.prediction import predict
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (300, 300))
        try:
            predict({str(trained / "run")!r}, {str(trained / "scene.tif")!r}, "map.tif")
        except RasterError as error:
            print(error)
    """
    process = run_python(code, folder=tmp_path)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert "map.tif" in out
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_no_half_map(trained: Path, tmp_path: Path) -> None:
    code = f"""
        import signal, time
        from hieratk.prediction import predict
        # A shell that runs tests in the background has its children ignore the signal.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        def slowly(done, total):
            print(done, flush=True)
            time.sleep(0.2)
        run, scene = {str(trained / "run")!r}, {str(trained / "scene.tif")!r}
        predict(run, scene, "map.tif", window=16, overlap=4, progress=slowly)
    """
    process = run_python(code, folder=tmp_path)
    assert process.stdout is not None
    assert process.stdout.readline().strip() == "1"
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert list(tmp_path.iterdir()) == []


def test_an_existing_map_survives_a_failure(trained: Path, tmp_path: Path) -> None:
    target = tmp_path / "map.tif"
    predict(trained / "run", trained / "scene.tif", target)
    before = target.read_bytes()

    def stop(*_: int) -> None:
        raise RuntimeError("stop")

    with pytest.raises(RuntimeError):
        predict(trained / "run", trained / "scene.tif", target, window=32, overlap=8, progress=stop)
    assert target.read_bytes() == before


def test_predicting_twice_gives_the_same_bytes(trained: Path, tmp_path: Path) -> None:
    for name in ("a.tif", "b.tif"):
        predict(trained / "run", trained / "scene.tif", tmp_path / name, window=32, overlap=8)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
