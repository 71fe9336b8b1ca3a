"""The run files in examples/: read, and where the data are at hand, trained for two steps."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import hieratk as hk
from hieratk.config import read_run
from hieratk.training.evaluate import evaluate
from hieratk.training.fit import fit
from hieratk.training.setup import prepare

EXAMPLES = Path(__file__).parent.parent / "examples"
DATA = Path(os.environ.get("HIERATK_DATA", EXAMPLES.parent.parent / "shared" / "data"))
RUNS = sorted(path for path in EXAMPLES.glob("*.yaml") if path.name != "agnet18.yaml")


@pytest.mark.parametrize("path", RUNS, ids=lambda p: p.stem)
def test_it_is_read_and_its_tree_is_valid(path: Path) -> None:
    run = read_run(path)
    assert hk.load(run.taxonomy()).leaves
    assert hk.validate(run.taxonomy()) == [] or all(p.severity == "info" for p in hk.validate(run.taxonomy()))


def test_agnet18_pools_the_codes_as_described() -> None:
    tree = hk.load(EXAMPLES / "agnet18.yaml")
    assert [len(level) for level in tree.levels] == [4, 11, 18]
    lookup = hk.compile(tree).lookup()
    assert lookup.table is not None
    named = {int(value) for value, row in enumerate(lookup.table) if row}
    assert set(range(61)) <= named
    assert {61, 111, 121, 122, 123, 124, 131, 141, 142, 143, 152, 176, 190, 195, 246} <= named


@pytest.mark.parametrize("name", ["agnet", "zion"])
def test_the_landsat_examples_train(name: str, tmp_path: Path) -> None:
    root = DATA / name
    if not root.is_dir():
        pytest.skip(
            f"no folder {name}/ in the data folder that HIERATK_DATA names; the scenes are not in the repository"
        )
    changes = [f"root={root}", "schedule.steps=2", "schedule.chip=64", "schedule.batch=2", "schedule.validate_every=0"]
    prepared = prepare(read_run(EXAMPLES / f"{name}.yaml", changes), folder=tmp_path)
    assert prepared.survey.labelled("train") > 1000
    scores = evaluate(fit(prepared, tmp_path / "run"), prepared) if name == "zion" else None
    assert scores is None or scores.consistency == 1.0
