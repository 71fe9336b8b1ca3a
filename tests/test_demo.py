"""hieratk demo, cut to a few steps: everything it promises lies where it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from PIL import Image

from hieratk.commands import app, demo
from hieratk.errors import ConfigError

LEVELS = ("group", "class", "type")


def run(out: Path) -> None:
    app(["demo", "--out", str(out), "--quiet"], standalone_mode=False)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    patch = pytest.MonkeyPatch()
    for name, steps in (("RUN", 400), ("COVER", 150), ("MOVED", 150)):
        short = getattr(demo, name).replace(f"steps: {steps}", "steps: 4").replace("warmup: 40", "warmup: 1")
        patch.setattr(demo, name, short)
    out = tmp_path_factory.mktemp("demo") / "out"
    run(out)
    run(out)  # again, over the first
    patch.undo()
    return out


def test_everything_lies_where_it_says(made: Path) -> None:
    files = {str(path.relative_to(made)) for path in made.rglob("*") if path.is_file()}
    assert {"run.yaml", "map.tif", "data/scene.tif", "data/labels.tif", "checkpoint/checkpoint.json"} <= files
    moved = {"checkpoint.json", "report.json", "taxonomy.yaml", "source/checkpoint.json", "source/taxonomy.yaml"}
    assert {f"moved/{name}" for name in moved} <= files
    assert {f"map_{level}.png" for level in LEVELS} <= files
    assert not [name for name in files if "part" in name]


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
def test_the_map(made: Path) -> None:
    with rasterio.open(made / "map.tif") as dataset, rasterio.open(made / "data/scene.tif") as scene:
        assert dataset.descriptions == LEVELS
        assert dataset.shape == scene.shape == (145, 145)
        assert scene.count == 200
        assert dataset.crs is None
        assert dataset.transform.is_identity
        leaves = dataset.read(3)
    assert leaves.min() >= 1
    assert leaves.max() <= 16


def test_the_pictures(made: Path) -> None:
    for level in LEVELS:
        image = np.asarray(Image.open(made / f"map_{level}.png"))
        assert image.shape[2] == 3
        assert len(np.unique(image.reshape(-1, 3), axis=0)) > 4


def test_the_example_is_what_the_demo_trains() -> None:
    example = (Path(__file__).parent.parent / "examples" / "indian_pines.yaml").read_text(encoding="utf-8")
    body = [line for line in example.splitlines() if not line.startswith("#")]
    assert body == [line for line in demo.RUN.splitlines() if not line.startswith("#")]


def test_a_folder_with_other_files_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("important")
    with pytest.raises(ConfigError, match="holds files that no demo wrote; choose another folder with --out"):
        run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
