"""Wrong plugins and options of a run file: all at once, each at its place, before any data is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from hieratk.config import read_run
from hieratk.errors import ConfigError
from hieratk.training.schema import check_plugins

GOOD = """\
taxonomy: tree.yaml
dataset: {name: indian-pines}
split: {block: 64}
model: {name: unet, widths: [16, 16]}
backbone: {name: conv, widths: [8, 16], norm: group}
loss: {name: bhccm, coarse: ignore}
"""


def told(folder: Path, text: str, *overrides: str) -> str:
    path = folder / "run.yaml"
    path.write_text(text, encoding="utf-8")
    run = read_run(path, overrides).run
    with pytest.raises(ConfigError) as caught:
        check_plugins(path, run)
    return str(caught.value)


def test_a_run_whose_plugins_take_their_options_passes(tmp_path: Path) -> None:
    path = tmp_path / "run.yaml"
    for text in (GOOD, "taxonomy: t.yaml\nscenes: [{image: a.tif}]\nsplit: {block: 8}\n"):
        path.write_text(text, encoding="utf-8")
        check_plugins(path, read_run(path).run)


@pytest.mark.parametrize(
    ("old", "new", "message", "place"),
    [
        ("name: conv", "name: conf", "no backbone 'conf'; did you mean 'conv'?", "run.yaml:5:18"),
        ("norm: group", "nrom: group", "backbone 'conv': no option 'nrom'; did you mean 'norm'?", "run.yaml:5:41"),
        ("norm: group", "norm: layer", "option 'norm' is 'layer': input should be 'batch' or", "run.yaml:5:41"),
        ("{name: indian-pines}", "indian-pine", "no dataset 'indian-pine'; did you mean 'indian-pines'?", "yaml:2:10"),
        ("coarse", "coarze", "loss 'bhccm': no option 'coarze'; did you mean 'coarse'?", "run.yaml:6:21"),
        ("name: bhccm", "name: bhcm", "no loss `bhcm`; did you mean `bhccm`?", "run.yaml:6:14"),
    ],
)
def test_each_is_told_at_its_place(tmp_path: Path, old: str, new: str, message: str, place: str) -> None:
    found = told(tmp_path, GOOD.replace(old, new))
    assert message in found
    assert place in found


def test_all_come_at_once(tmp_path: Path) -> None:
    found = told(tmp_path, GOOD.replace("unet", "unett").replace("norm", "nrom").replace("coarse", "coarze"))
    assert all(part in found for part in ("no model 'unett'", "no option 'nrom'", "no option 'coarze'"))


def test_what_was_set_on_the_command_line_is_named_so(tmp_path: Path) -> None:
    assert told(tmp_path, GOOD, "backbone.depht=3").startswith(
        "--set backbone.depht: backbone 'conv': no option 'depht'"
    )
    short = GOOD.replace("loss: {name: bhccm, coarse: ignore}\n", "")
    assert told(tmp_path, short, "loss=bhcm").startswith("--set loss: no loss `bhcm`; did you mean `bhccm`?")
