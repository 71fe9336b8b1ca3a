"""Checkpoints: whole or not at all, and words for every way to be wrong."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from hieratk.checkpoints import open_checkpoint, save
from hieratk.config import read_run
from hieratk.errors import CheckpointError, PluginError
from hieratk.taxonomy.catalog import load
from hieratk.taxonomy.tree import Taxonomy
from hieratk.training.fit import fit
from hieratk.training.setup import prepare
from tests.scenes import TREE, write_scene


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    write_scene(folder)
    return fit(prepare(read_run(folder / "run.yaml", ["schedule.steps=1"]), folder=folder), folder / "run")


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    shutil.copytree(trained, tmp_path / "copy")
    return tmp_path / "copy"


def change(folder: Path, **values: object) -> None:
    path = folder / "checkpoint.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_what_a_folder_holds(trained: Path) -> None:
    assert sorted(path.name for path in trained.iterdir()) == [
        "checkpoint.json",
        "prototypes-0000001.safetensors",
        "state-0000001.safetensors",
        "taxonomy.yaml",
        "weights-0000001.safetensors",
    ]
    checkpoint = open_checkpoint(trained)
    assert checkpoint.step == 1
    assert checkpoint.bands == (1, 2, 3)
    assert len(checkpoint.statistics.mean) == 3
    assert checkpoint.taxonomy.fingerprint == load(trained / "taxonomy.yaml").fingerprint
    assert not checkpoint.model().training


def test_another_tree_is_an_error_that_shows_the_difference(trained: Path, tmp_path: Path) -> None:
    checkpoint = open_checkpoint(trained)
    checkpoint.require(checkpoint.taxonomy)
    path = tmp_path / "fields.yaml"
    path.write_text(TREE.replace("rice: 2", "wheat: 2"), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"trained for `fields` 1.0.0 .*missing: rice; new: wheat"):
        checkpoint.require(load(path))
    moved = Taxonomy.from_outline(
        {"rice": 2, "water": {"maize": 3}, "fields": 1}, levels=["cover", "crop"], id="fields"
    )
    with pytest.raises(CheckpointError, match="moved: rice, maize"):
        checkpoint.require(moved)


def test_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"absent is not there; give the folder that `hieratk train -o` wrote"):
        open_checkpoint(tmp_path / "absent")
    with pytest.raises(CheckpointError, match=r"holds no checkpoint.json"):
        open_checkpoint(tmp_path)


def test_a_newer_format_is_refused(copy: Path) -> None:
    change(copy, format=2)
    with pytest.raises(CheckpointError, match="has format 2, this hieratk reads up to 1; update hieratk"):
        open_checkpoint(copy)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"format": 1}', '{"format": "one"}'])
def test_a_broken_description(copy: Path, text: str) -> None:
    (copy / "checkpoint.json").write_text(text)
    with pytest.raises(CheckpointError, match=r"checkpoint\.json cannot be read"):
        open_checkpoint(copy)


def test_an_edited_tree_is_noticed(copy: Path) -> None:
    path = copy / "taxonomy.yaml"
    path.write_text(path.read_text(encoding="utf-8").replace("maize", "corn"), encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"is not the tree that .*checkpoint.json was written with"):
        open_checkpoint(copy)


def test_missing_and_truncated_weights(copy: Path) -> None:
    weights = copy / "weights-0000001.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"weights-0000001.safetensors cannot be read.*is the copy complete"):
        open_checkpoint(copy).model()
    weights.unlink()
    with pytest.raises(CheckpointError, match=r"weights-0000001\.safetensors is missing"):
        open_checkpoint(copy)


def test_weights_of_another_model(copy: Path) -> None:
    run = json.loads((copy / "checkpoint.json").read_text())["run"]
    change(copy, run={**run, "backbone": {"name": "conv", "widths": [8, 16], "spectral": 0}})
    with pytest.raises(CheckpointError, match=r"does not fit the model `unet` .* has shape .*versions then: hieratk"):
        open_checkpoint(copy).model()
    change(copy, run={**run, "model": {"name": "gone"}})
    with pytest.raises(PluginError, match="no model 'gone'"):
        open_checkpoint(copy).model()


def test_a_save_that_fails_leaves_the_one_before(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    checkpoint = open_checkpoint(copy)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("hieratk.checkpoints.save_file", full)
    with pytest.raises(CheckpointError, match=r"No space left on device.*the one before is still whole"):
        save(
            copy,
            model=checkpoint.model(),
            optimizer=None,
            taxonomy=checkpoint.taxonomy,
            run=checkpoint.run,
            step=2,
            bands=checkpoint.bands,
            statistics=checkpoint.statistics,
            band_names=checkpoint.band_names,
        )
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


def test_nothing_in_a_checkpoint_is_a_pickle(trained: Path) -> None:
    # A pickle begins with 0x80 and its protocol, torch's archive with PK; a header of 128 bytes begins with 0x80 too.
    pickles = tuple(bytes([0x80, protocol]) for protocol in range(1, 6))
    for path in trained.iterdir():
        assert not path.read_bytes().startswith((*pickles, b"PK"))
