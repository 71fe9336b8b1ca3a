"""Run files: what they may say, and what a wrong one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from hieratk.config import BlockSplit, RandomSplit, TableSplit, dump_run, load_run, read_run
from hieratk.errors import ConfigError

GOOD = """\
taxonomy: tree.yaml
root: data
scenes:
  - {image: scene.tif, label: labels.tif, bands: [3, 2, 1], scale: 2.0e-4}
split: {block: 64}
model: {name: unet, depth: 2, norm: group, widths: [8, 16]}
schedule: {steps: 20, lr: 1e-3, clip: null}
seed: 7
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_run_file(tmp_path: Path) -> None:
    file = read_run(write(tmp_path, GOOD))
    run = file.run
    assert run.scenes is not None
    assert run.scenes[0].bands == (3, 2, 1)
    assert run.scenes[0].scale == 2e-4
    assert run.split == BlockSplit(block=64)
    assert run.model.name == "unet"
    assert run.model.options == {"depth": 2, "norm": "group", "widths": [8, 16]}
    assert run.loss.name == "bhccm"
    assert run.schedule.lr == 1e-3
    assert run.schedule.clip is None
    assert file.path("x.tif") == (tmp_path / "data" / "x.tif").resolve()
    assert file.taxonomy() == tmp_path / "tree.yaml"


def test_the_three_splits(tmp_path: Path) -> None:
    for line, kind in (
        ("{kind: random, block: 12, test: 0.3}", RandomSplit),
        ("{kind: table, table: tiles.csv, tile: 128}", TableSplit),
        ("{kind: blocks, block: 128, test: [2], val: []}", BlockSplit),
    ):
        run = read_run(write(tmp_path, GOOD.replace("{block: 64}", line))).run
        assert isinstance(run.split, kind)


def test_overrides(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    run = read_run(
        path, ["schedule.steps=5", "loss=flat-ce", "backbone.name=conv", "backbone.depth=1", "model.depth=3"]
    ).run
    assert run.schedule.steps == 5
    assert run.loss.name == "flat-ce"
    assert run.backbone is not None
    assert run.backbone.options == {"depth": 1}
    assert run.model.options["depth"] == 3


def test_a_run_survives_the_checkpoint(tmp_path: Path) -> None:
    file = read_run(write(tmp_path, GOOD))
    assert load_run(dump_run(file.run), file.folder) == file


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("seed: 7", "sead: 7", ["unknown key `sead`", "did you mean `seed`?", "run.yaml:8:1"]),
        ("steps: 20", "stepz: 20", ["unknown key `stepz`", "did you mean `steps`?", "run.yaml:7:12"]),
        ("steps: 20", "steps: many", ["`steps`: input should be a valid integer", "run.yaml:7:19"]),
        ("block: 64", "block: 0", ["`block`: input should be greater than or equal to 1", "run.yaml:5:16"]),
        ("{block: 64}", "{block: 64, test: [9]}", ["fold 9 does not exist: with `folds: 5` they are 0 to 4"]),
        ("{block: 64}", "{block: 64, test: [1]}", ["fold 1 is both test and val"]),
        ("split: {block: 64}\n", "", ["the key `split` is missing"]),
        ("scenes:", "dataset: indian-pines\nscenes:", ["give either `scenes` or `dataset`"]),
        ("kind: blocks", "kind: blocks", None),
    ],
)
def test_a_wrong_run_file_is_told_where_and_why(tmp_path: Path, old: str, new: str, expected: list[str] | None) -> None:
    path = write(tmp_path, GOOD.replace(old, new))
    if expected is None:
        read_run(path)
        return
    with pytest.raises(ConfigError) as caught:
        read_run(path)
    for words in expected:
        assert words in str(caught.value)


def test_all_problems_come_at_once(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD.replace("seed: 7", "sead: 7").replace("steps: 20", "steps: many"))
    with pytest.raises(ConfigError) as caught:
        read_run(path)
    assert "`sead`" in str(caught.value)
    assert "`steps`" in str(caught.value)


def test_a_wrong_override_says_which(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    with pytest.raises(ConfigError, match=r"write key=value"):
        read_run(path, ["schedule.steps"])
    with pytest.raises(ConfigError, match=r"`scenes` is a list"):
        read_run(path, ["scenes.image=x"])
    with pytest.raises(ConfigError, match=r"`steps`"):
        read_run(path, ["schedule.steps=many"])


def test_an_unreadable_run_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the run file .*absent.yaml: No such file"):
        read_run(tmp_path / "absent.yaml")
    with pytest.raises(ConfigError, match="Is a directory"):
        read_run(tmp_path)
    broken = tmp_path / "broken.yaml"
    broken.write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="byte 0 is not UTF-8"):
        read_run(broken)
    with pytest.raises(ConfigError, match="run file is a mapping"):
        read_run(write(tmp_path, "- a\n- b\n"))
