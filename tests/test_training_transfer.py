"""TransLU carried out on small scenes, and labels that are few."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pytest
import torch

from hieratk.checkpoints import Checkpoint, open_checkpoint
from hieratk.config import read_run
from hieratk.data.scenes import SceneReader
from hieratk.data.split import TRAIN
from hieratk.errors import CheckpointError, ConfigError, DataError, TransferError
from hieratk.prediction import predict
from hieratk.rasters import Raster
from hieratk.training.evaluate import evaluate
from hieratk.training.fit import Interrupted, Step, fit
from hieratk.training.setup import Prepared, prepare
from hieratk.training.transfer import Transferring, carry_out, everywhere, prepared_run
from hieratk.transfer.document import load as load_plan
from hieratk.transfer.plan import TransferPlan
from hieratk.transfer.planning import plan
from tests.scenes import write_scene

COVER = """\
hieratk: taxonomy/1
id: cover
version: 1.0.0
levels: [cover]
tree: {water: 1, fields: 2..3}
special:
  void: {role: unlabelled, pixel: 0}
encodings:
  default: {dtype: uint8}
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    folder = tmp_path_factory.mktemp("source")
    write_scene(folder, seed=1)
    (folder / "cover.yaml").write_text(COVER, encoding="utf-8")
    run = read_run(folder / "run.yaml", ["taxonomy=cover.yaml", "schedule.steps=20"])
    return open_checkpoint(fit(prepare(run, folder=folder), folder / "run"))


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    write_scene(tmp_path)
    return tmp_path


def target(scene: Path, source: Checkpoint, *overrides: str) -> tuple[TransferPlan, Prepared]:
    prepared = prepare(prepared_run(read_run(scene / "run.yaml", overrides), source), folder=scene)
    return plan(source.taxonomy, prepared.taxonomy), prepared


@pytest.mark.parametrize(
    ("loss", "word"), [("bhccm", "path_sum"), ("tree-min", "best_path"), ("marginal", "leaf_first")]
)
def test_alignment_reads_logits_as_the_losses_train_them(scene: Path, source: Checkpoint, loss: str, word: str) -> None:
    made, prepared = target(scene, source, f"loss={loss}")
    flat = replace(source, decoding="leaf_first")
    for branch in (source, flat):
        with patch("hieratk.training.transfer.Alignment") as term:
            Transferring(made, branch, prepared)
        assert term.call_args.kwargs["decoding"] == word
        assert term.call_args.kwargs["source_decoding"] == branch.decoding


def test_a_transfer_from_end_to_end(scene: Path, source: Checkpoint) -> None:
    made, prepared = target(scene, source, "labels={points: 6}", "schedule.steps=25", "transfer.prototypes=0.1")
    steps: list[Step] = []
    done = carry_out(made, source, prepared, scene / "to", on_step=steps.append)
    assert done.source_unchanged
    assert len(steps) == 25
    assert done.before.levels["cover"].oa > 0.9, "the expanded head knows the source's classes"
    assert done.after.levels["crop"].oa > done.before.levels["crop"].oa
    report = json.loads((scene / "to" / "report.json").read_text(encoding="utf-8"))
    assert report["after"]["levels"]["crop"]["oa"] == done.after.levels["crop"].oa
    again = evaluate(scene / "to", prepared)
    assert again.levels["crop"].oa == done.after.levels["crop"].oa
    opened = open_checkpoint(scene / "to")
    assert opened.transferred
    assert opened.source().taxonomy == source.taxonomy
    before, after = source.model().state_dict(), opened.source().model().state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert opened.of_tree("fields") is opened
    assert opened.of_tree("cover").folder == scene / "to" / "source"
    with pytest.raises(CheckpointError, match="predicts fields and cover, not `crops`"):
        opened.of_tree("crops")
    for tree, bands in (("fields", 2), ("cover", 1)):
        predict(opened.of_tree(tree).folder, scene / "scene.tif", scene / f"{tree}.tif", window=32, overlap=8)
        with Raster(scene / f"{tree}.tif") as raster:
            assert raster.info.count == bands


def test_a_third_tree_after_the_second(scene: Path, source: Checkpoint) -> None:
    made, prepared = target(scene, source, "schedule.steps=4")
    carry_out(made, source, prepared, scene / "second")
    second = open_checkpoint(scene / "second")
    (scene / "third.yaml").write_text(
        (scene / "fields.yaml").read_text().replace("id: fields", "id: third").replace("maize: 3", "corn: 3")
    )
    made, prepared = target(scene, second, "taxonomy=third.yaml", "schedule.steps=4")
    done = carry_out(made, second, prepared, scene / "third")
    assert done.source_unchanged
    third = open_checkpoint(scene / "third")
    assert [third.of_tree(id_).taxonomy.id for id_ in ("third", "fields", "cover")] == ["third", "fields", "cover"]


def test_interrupted_and_resumed_is_uninterrupted(scene: Path, source: Checkpoint) -> None:
    made, prepared = target(scene, source, "labels={blocks: 3}")
    carry_out(made, source, prepared, scene / "whole")

    def interrupt(step: Step) -> None:
        if step.number == 5:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted):
        carry_out(made, source, prepared, scene / "parts", on_step=interrupt)
    carry_out(made, source, prepared, scene / "parts", resume=True)
    one, two = (open_checkpoint(scene / name).model().state_dict() for name in ("whole", "parts"))
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize(
    "change",
    ["sharing=false", "alignment=0", "target=head", "start=random", "shuffle=true", "even=false", "unlabelled=0"],
)
def test_every_part_can_be_switched(scene: Path, source: Checkpoint, change: str) -> None:
    made, prepared = target(scene, source, "schedule.steps=2", "labels={points: 3}", f"transfer.{change}")
    done = carry_out(made, source, prepared, scene / "to")
    assert done.source_unchanged
    model, start = open_checkpoint(scene / "to").model(), source.model()
    same = [torch.equal(value, start.net.state_dict()[name]) for name, value in model.net.state_dict().items()]
    assert all(same) == (change == "target=head")
    assert (model.adapters is None) == (change == "sharing=false")


def test_a_resumed_transfer_is_the_one_that_was_begun(scene: Path, source: Checkpoint) -> None:
    made, prepared = target(scene, source, "schedule.steps=2")
    carry_out(made, source, prepared, scene / "to")
    assert load_plan(scene / "to" / "plan.yaml", source.taxonomy, prepared.taxonomy) == made
    with pytest.raises(CheckpointError, match="holds a checkpoint already; go on with --resume"):
        carry_out(made, source, prepared, scene / "to")
    other = replace(made, rows=tuple(replace(row, noise=0.0) for row in made.rows))
    with pytest.raises(TransferError, match="was begun with another plan; resume with --plan"):
        carry_out(other, source, prepared, scene / "to", resume=True)
    weights = scene / "to" / "source" / source.weights.name
    weights.write_bytes(weights.read_bytes()[:-1] + b"!")
    with pytest.raises(TransferError, match="was begun from another source checkpoint"):
        carry_out(made, source, prepared, scene / "to", resume=True)
    fit(prepare(read_run(scene / "run.yaml", ["schedule.steps=1"]), folder=scene), scene / "plain")
    with pytest.raises(CheckpointError, match="holds a checkpoint that is no transfer"):
        carry_out(made, source, prepared, scene / "plain", resume=True)


def test_what_is_refused_before_training(scene: Path, source: Checkpoint) -> None:
    made, prepared = target(scene, source)
    with pytest.raises(ConfigError, match="the run file has a section `transfer`, which needs a source checkpoint"):
        fit(prepared, scene / "to")
    (scene / "other.yaml").write_text((scene / "fields.yaml").read_text().replace("maize", "millet"))
    _, other = target(scene, source, "taxonomy=other.yaml")
    with pytest.raises(TransferError, match=r"the plan goes to fields 1\.0\.0"):
        carry_out(made, source, other, scene / "to")
    _, narrow = target(scene, source, "scenes=[{image: scene.tif, label: labels.tif, bands: [1, 2]}]")
    with pytest.raises(TransferError, match=r"reads 3 bands .* the images have 2"):
        carry_out(made, source, narrow, scene / "to")
    bare = source.folder.parent / "bare"
    fit(prepare(read_run(source.folder.parent / "run.yaml", ["taxonomy=cover.yaml"]), folder=bare), bare)
    content = json.loads((bare / "checkpoint.json").read_text())
    (bare / content["prototypes"]).unlink()
    made, prepared = target(scene, open_checkpoint(bare), "transfer.prototypes=0.1")
    with pytest.raises(CheckpointError, match="holds no prototypes"):
        carry_out(made, open_checkpoint(bare), prepared, scene / "to")
    assert not (scene / "to").exists()


def test_other_bands_are_mapped(scene: Path, source: Checkpoint) -> None:
    made, prepared = target(
        scene, source, "scenes=[{image: scene.tif, label: labels.tif, bands: [3, 1]}]", "transfer.bands=[2, 0, 1]",
        "schedule.steps=2",
    )  # fmt: skip
    done = carry_out(made, source, prepared, scene / "to")
    assert done.source_unchanged
    assert open_checkpoint(scene / "to").model().in_channels == 2


def labelled_places(prepared: Prepared) -> np.ndarray:
    assert prepared.labelled.points is not None
    (points,) = prepared.labelled.points
    with SceneReader(prepared.scenes[0], prepared.taxonomy, points=points) as reader:
        rows = reader.rows(reader.grid.window)
    return np.argwhere(rows > 0)


def test_points_are_those_drawn_and_no_others(scene: Path) -> None:
    few = prepare(read_run(scene / "run.yaml", ["labels={points: 4, seed: 1}"]), folder=scene)
    places = labelled_places(few)
    assert len(places) == 12
    assert few.labelled.survey.labelled("train") == 12
    with SceneReader(few.scenes[0], few.taxonomy) as reader:
        rows = reader.rows(reader.grid.window)
        codes = few.split.window(0, reader.grid.window)
    chosen = rows[places[:, 0], places[:, 1]]
    assert sorted(np.bincount(chosen)[np.bincount(chosen) > 0]) == [4, 4, 4]
    assert (codes[places[:, 0], places[:, 1]] == TRAIN).all()
    more = labelled_places(prepare(read_run(scene / "run.yaml", ["labels={points: 9, seed: 1}"]), folder=scene))
    assert {tuple(place) for place in places} < {tuple(place) for place in more}
    other = labelled_places(prepare(read_run(scene / "run.yaml", ["labels={points: 4, seed: 2}"]), folder=scene))
    assert {tuple(place) for place in places} != {tuple(place) for place in other}
    assert few.survey.statistics == prepare(read_run(scene / "run.yaml"), folder=scene).survey.statistics


def test_more_points_than_there_are_takes_all(scene: Path) -> None:
    every = prepare(read_run(scene / "run.yaml", ["labels={points: 100000}"]), folder=scene)
    assert len(labelled_places(every)) == every.survey.labelled("train")


def test_blocks_are_whole_training_blocks(scene: Path) -> None:
    few = prepare(read_run(scene / "run.yaml", ["labels={blocks: 2, seed: 3}"]), folder=scene)
    (chosen,), (all_,) = few.labelled.split.blocks, few.split.blocks
    assert (chosen == TRAIN).sum() == 2
    assert (all_[chosen == TRAIN] == TRAIN).all()
    assert (chosen[all_ != TRAIN] == all_[all_ != TRAIN]).all()
    with SceneReader(few.scenes[0], few.taxonomy) as reader:
        rows = reader.rows(reader.grid.window)
        _, valid = reader.image(reader.grid.window)
        codes = few.labelled.split.window(0, reader.grid.window)
    water = few.survey.groups[rows] >= 0
    assert few.labelled.survey.labelled("train") == int((water & valid & (codes == TRAIN)).sum())
    with pytest.raises(DataError, match="999 training blocks were asked for"):
        prepare(read_run(scene / "run.yaml", ["labels={blocks: 999}"]), folder=scene)


def test_everywhere_covers_the_training_blocks(scene: Path) -> None:
    prepared = prepare(read_run(scene / "run.yaml", ["split={block: 20, folds: 5}"]), folder=scene)
    (cells,) = everywhere(prepared.survey, prepared.split).cells
    (table,) = prepared.split.blocks
    pixels = sum(min(20, 80 - 20 * r) * min(20, 96 - 20 * c) for r, c in zip(*np.nonzero(table == TRAIN), strict=True))
    assert cells.count.sum() == pixels
