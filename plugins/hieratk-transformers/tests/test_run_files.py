"""The run files of examples/plugins, which need hieratk-smp too: read, and trained for two steps on a small scene."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hieratk.config import read_run
from hieratk.plugins import available
from hieratk.rasters import Grid, create
from hieratk.training.evaluate import evaluate
from hieratk.training.fit import fit
from hieratk.training.setup import prepare

EXAMPLES = Path(__file__).parents[3] / "examples" / "plugins"
RUNS = sorted(EXAMPLES.glob("*.yaml"))
SMALL = ("steps=2", "batch=2", "chip=64", "warmup=1")


@pytest.fixture(scope="module")
def agnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene of three tiles in the layout of Ag-Net: six bands, codes of the Cropland Data Layer."""
    folder = tmp_path_factory.mktemp("agnet")
    random = np.random.default_rng(0)
    labels = np.kron(random.choice([1, 5, 23, 111, 121, 176], (8, 24)), np.ones((16, 16), int))
    image = labels * 10 + random.normal(0, 30, (6, *labels.shape))
    for name, pixels, dtype in (("image.tif", image, "int16"), ("label.tif", labels[None], "uint8")):
        with create(folder / name, Grid(*labels.shape), count=len(pixels), dtype=dtype) as writer:
            writer.write(pixels.astype(dtype))
    (folder / "tiles.csv").write_text("row,col,split\n0,0,train\n0,1,val\n0,2,test\n")
    return folder


def test_each_pair_differs_in_the_loss_alone() -> None:
    names = {path.stem.rpartition("_")[0] for path in RUNS}
    assert len(names) == 3
    for name in names:
        flat, tree = ((EXAMPLES / f"{name}_{loss}.yaml").read_text().splitlines() for loss in ("flat", "bhccm"))
        differing = [pair for pair in zip(flat, tree, strict=True) if pair[0] != pair[1]]
        assert differing == [("loss: flat-ce", "loss: bhccm")]


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_it_trains_and_is_scored(path: Path, agnet: Path, tmp_path: Path) -> None:
    run = read_run(path, [f"root={agnet}", *(f"schedule.{change}" for change in SMALL)])
    if run.run.model.name not in available("model"):
        pytest.skip(f"{run.run.model.name} is a model of hieratk-smp, which is not installed")
    prepared = prepare(run, folder=tmp_path)
    folder = fit(prepared, tmp_path / "run")
    scores = evaluate(folder, prepared)
    assert (list(scores.levels), scores.pixels) == (["cover", "group", "crop"], 128 * 128)
    assert scores.consistency == 1.0
