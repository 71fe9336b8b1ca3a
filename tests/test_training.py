"""Training: the same twice, the same when interrupted, and clear words for what cannot be trained."""

from __future__ import annotations

import json
import math
import os
import signal
import threading
from itertools import pairwise
from pathlib import Path
from unittest.mock import patch

import pytest
import torch

from hieratk.calibration import calibrate
from hieratk.checkpoints import open_checkpoint
from hieratk.config import Schedule, read_run
from hieratk.errors import CheckpointError, ConfigError, DataError, HieratkError
from hieratk.losses.probabilities import of_path_sums
from hieratk.prediction import predict
from hieratk.taxonomy.tables import IGNORE, compile_tables
from hieratk.tensors import TaxonomyTensors
from hieratk.training.course import LabelTerm
from hieratk.training.evaluate import evaluate, evaluate_model
from hieratk.training.fit import Interrupted, Step, fit, learning_rate
from hieratk.training.priors import LogitAdjustment, log_priors
from hieratk.training.setup import Prepared, prepare
from tests.scenes import write_scene


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    write_scene(tmp_path)
    return tmp_path


def prepared_from(folder: Path, *overrides: str) -> Prepared:
    return prepare(read_run(folder / "run.yaml", overrides), folder=folder)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return open_checkpoint(folder).model().state_dict()


def same(a: Path, b: Path) -> bool:
    left, right = weights(a), weights(b)
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_one_seed_gives_the_same_weights_and_another_others(scene: Path) -> None:
    prepared = prepared_from(scene)
    assert same(fit(prepared, scene / "a"), fit(prepared, scene / "b"))
    assert not same(scene / "a", fit(prepared_from(scene, "seed=4"), scene / "c"))


@pytest.mark.parametrize(("stop", "precision"), [(3, "float32"), (8, "float32"), (5, "bfloat16")])
def test_interrupted_and_resumed_is_uninterrupted(scene: Path, stop: int, precision: str) -> None:
    prepared = prepared_from(scene, f"schedule.precision={precision}")
    fit(prepared, scene / "whole")

    def interrupt(step: Step) -> None:
        if step.number == stop:
            os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted, match=f"stopped after step {stop}; go on with --resume"):
        fit(prepared, scene / "parts", on_step=interrupt)
    assert signal.getsignal(signal.SIGINT) is before
    assert open_checkpoint(scene / "parts").step == stop
    seen: list[int] = []
    fit(prepared, scene / "parts", resume=True, on_step=lambda step: seen.append(step.number))
    assert seen == list(range(stop + 1, 13))
    assert same(scene / "whole", scene / "parts")
    assert not [thread for thread in threading.enumerate() if thread.name == "hieratk-batches"]


def test_bfloat16_is_another_rounding_of_the_same_steps(scene: Path) -> None:
    steps: dict[str, list[Step]] = {"float32": [], "bfloat16": []}
    for precision, found in steps.items():
        fit(prepared_from(scene, f"schedule.precision={precision}"), scene / precision, on_step=found.append)
    for exact, rounded in zip(*steps.values(), strict=True):
        assert 0 < abs(exact.loss - rounded.loss) < 0.05 * exact.loss
    assert all(
        value.dtype == torch.float32 for value in weights(scene / "bfloat16").values() if value.is_floating_point()
    )


def test_a_crash_leaves_the_checkpoint_before_it(scene: Path) -> None:
    prepared = prepared_from(scene)

    class Crash(Exception):
        pass

    def crash(step: Step) -> None:
        if step.number == 6:
            raise Crash

    with pytest.raises(Crash):
        fit(prepared, scene / "parts", on_step=crash)
    assert open_checkpoint(scene / "parts").step == 4
    fit(prepared, scene / "parts", resume=True)
    fit(prepared, scene / "whole")
    assert same(scene / "whole", scene / "parts")


def test_resuming_a_finished_run_changes_nothing(scene: Path) -> None:
    prepared = prepared_from(scene)
    fit(prepared, scene / "a")
    before = weights(scene / "a")
    fit(prepared, scene / "a", resume=True)
    after = weights(scene / "a")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_training_does_not_touch_the_global_generator(scene: Path) -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    fit(prepared_from(scene, "schedule.steps=1"), scene / "a")
    assert torch.equal(torch.rand(3), expected)


def test_it_learns(scene: Path) -> None:
    prepared = prepared_from(scene, "schedule.steps=60")
    scores = evaluate(fit(prepared, scene / "a"), prepared)
    assert scores.levels["crop"].oa > 0.9
    assert scores.levels["cover"].oa >= scores.levels["crop"].oa
    assert scores.consistency == 1.0
    assert 0 < scores.independent_consistency <= 1.0


def test_scores_do_not_depend_on_the_windows(scene: Path) -> None:
    """Only the deep part of a window counts, and only pixels of the split: tilings agree where the net looks no
    further.
    """
    folder = fit(prepared_from(scene), scene / "a")
    scores = [
        evaluate(folder, prepared_from(scene, f"predict.window={size}", f"predict.overlap={overlap}"))
        for size, overlap in ((200, 0), (64, 32), (48, 32))
    ]
    assert len({s.pixels for s in scores}) == 1
    assert len({s.levels["crop"].oa for s in scores}) == 1


def test_validation_scores_come_with_the_step(scene: Path) -> None:
    found: list[Step] = []
    fit(prepared_from(scene, "schedule.validate_every=6"), scene / "a", on_step=found.append)
    assert [step.number for step in found if step.validation is not None] == [6, 12]
    plain = fit(prepared_from(scene), scene / "b")
    assert same(scene / "a", plain), "scoring in between must not change what is learned"


def test_a_folder_with_a_checkpoint_is_not_overwritten(scene: Path) -> None:
    prepared = prepared_from(scene, "schedule.steps=1")
    fit(prepared, scene / "a")
    with pytest.raises(
        CheckpointError, match="holds a checkpoint already; go on with --resume, or choose another folder"
    ):
        fit(prepared, scene / "a")


def test_resuming_another_run_names_what_changed(scene: Path) -> None:
    fit(prepared_from(scene, "schedule.steps=1"), scene / "a")
    with pytest.raises(CheckpointError, match=r"another run file: `augment`, `seed` changed"):
        fit(prepared_from(scene, "schedule.steps=1", "seed=9", "augment.flip=false"), scene / "a", resume=True)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("loss=bhcm", "no loss `bhcm`; did you mean `bhccm`?"),
        ("loss.tree_wait=2", "tree_wait"),
        ("model=unett", "no model 'unett'; did you mean 'unet'?"),
        ("backbone=resnet5O", "no backbone 'resnet5O'"),
        ("backbone.width=3", "width"),
        ("schedule.chip=512", "chips of 512 px do not fit"),
        ("split.block=1000", "the train split holds no labelled pixel"),
        ("taxonomy=fieldz", "fieldz"),
        ("root=elsewhere", "scene.tif"),
    ],
)
def test_what_cannot_be_trained_is_said_before_training(scene: Path, override: str, message: str) -> None:
    steps: list[Step] = []
    with pytest.raises(HieratkError) as caught:
        fit(prepared_from(scene, "schedule.validate_every=6", override), scene / "a", on_step=steps.append)
    assert message in str(caught.value)
    assert not steps
    assert not (scene / "a").exists()


def test_a_loss_that_is_not_finite_stops_training(scene: Path) -> None:
    with pytest.raises(DataError, match=r"the loss is (nan|inf) at step \d+; lower `schedule.lr`"):
        fit(prepared_from(scene, "schedule.lr=1e30", "schedule.clip=null", "schedule.warmup=0"), scene / "a")


def test_log_priors_count_what_is_labelled_at_each_level(scene: Path) -> None:
    prepared = prepared_from(scene)
    tables = compile_tables(prepared.taxonomy)
    counts = prepared.survey.by_class()["train"]
    fields = counts["rice"] + counts["maize"]
    total = fields + counts["water"]
    shares = [counts["water"] / total, fields / total, *(counts[id_] / total for id_ in ("water", "rice", "maize"))]
    assert log_priors(prepared.survey, tables).tolist() == pytest.approx([math.log(share) for share in shares])
    given = log_priors(prepared.survey, tables, given_parent=True)
    within = [*shares[:2], 1.0, counts["rice"] / fields, counts["maize"] / fields]
    assert given.tolist() == pytest.approx([math.log(share) for share in within])


@pytest.mark.parametrize("given_parent", [False, True])
def test_a_class_without_a_training_pixel_has_no_prior(scene: Path, *, given_parent: bool) -> None:
    text = (scene / "fields.yaml").read_text(encoding="utf-8")
    (scene / "fields.yaml").write_text(text.replace("maize: 3}", "maize: 3, oats: 9}"), encoding="utf-8")
    prepared = prepared_from(scene)
    found = dict(
        zip(
            prepared.taxonomy.levels[1].classes,
            log_priors(prepared.survey, compile_tables(prepared.taxonomy), given_parent=given_parent)[2:],
            strict=True,
        )
    )
    assert found["oats"] == 0
    assert all(found[id_] < 0 for id_ in ("rice", "maize"))
    assert found["water"] == 0 if given_parent else found["water"] < 0  # the only one below its parent


def test_where_logits_add_up_along_a_path_the_priors_do(scene: Path) -> None:
    """The distribution is p(leaf) times prior(leaf)^tau, and not times the priors of all that hold the leaf."""
    prepared = prepared_from(scene, "schedule.logit_adjustment=0.5")
    tree, counts = TaxonomyTensors(prepared.taxonomy), prepared.survey.by_class()["train"]
    adjusted = LabelTerm(prepared).adjusted(torch.zeros(1, tree.channels, 1, 1))
    leaves = of_path_sums(tree, adjusted.flatten(2))[-1].exp().flatten()
    wanted = torch.tensor([counts[id_] for id_ in ("water", "rice", "maize")]).float().sqrt()
    torch.testing.assert_close(leaves, wanted / wanted.sum())


def test_logit_adjustment_is_seen_by_the_loss_alone(scene: Path) -> None:
    tables = compile_tables(prepared_from(scene).taxonomy)
    assert tables.sizes == (2, 3)
    logits = torch.zeros(1, 5, 2, 2)
    prior = torch.arange(5.0)
    assert LogitAdjustment(prior, tables, tau=0)(logits) is logits
    assert LogitAdjustment(prior, tables, tau=(0.0, 0.0))(logits) is logits
    assert LogitAdjustment(prior, tables, tau=0.5)(logits)[0, :, 1, 0].tolist() == [0, 0.5, 1, 1.5, 2]
    assert LogitAdjustment(prior, tables, tau=(1.0, 0.5))(logits)[0, :, 1, 0].tolist() == [0, 1, 1, 1.5, 2]
    with pytest.raises(ConfigError, match=r"has 3 numbers for 2 levels \(cover, crop\)"):
        LogitAdjustment(prior, tables, tau=(1.0, 0.5, 0.2))
    assert not same(
        fit(prepared_from(scene), scene / "a"), fit(prepared_from(scene, "schedule.logit_adjustment=1"), scene / "b")
    )


def test_the_learning_rate_climbs_and_falls() -> None:
    schedule = Schedule(steps=110, lr=1.0, warmup=10, final_lr=0.1)
    rates = [learning_rate(schedule, step) for step in range(110)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == 1.0
    assert rates[60] == pytest.approx(0.55)
    assert all(a > b for a, b in pairwise(rates[10:]))
    assert 0.1 <= rates[-1] < 0.11


@pytest.mark.parametrize(
    ("loss", "word"),
    [("bhccm", "path_sum"), ("tree-min", "best_path"), ("flat-ce", "leaf_first"), ("conditional", "sibling_path")],
)
def test_a_model_is_decoded_by_what_its_loss_trains(scene: Path, loss: str, word: str) -> None:
    """Evaluation and maps read the same channels; a flat loss' untrained coarse channels play no part."""
    prepared = prepared_from(scene, f"loss={loss}")
    folder = fit(prepared, scene / "run")
    opened = open_checkpoint(folder)
    model = opened.model()
    assert opened.decoding == model.decoding == word
    scores = evaluate(folder, prepared)
    predict(folder, scene / "scene.tif", scene / "map.tif", window=32, overlap=8)
    if word == "leaf_first":
        with torch.no_grad():
            assert model.head.classify.bias is not None
            model.head.classify.bias[0] += 1000.0
        again = evaluate_model(model, prepared, split="test", device="cpu")
        assert json.loads(again.to_json()) == json.loads(scores.to_json())
        with pytest.raises(ConfigError, match=r"the loss `flat-ce` .* does not train every level's logits"):
            calibrate(folder, prepared)


def test_a_loss_that_names_no_decoder_is_told_before_training(scene: Path) -> None:
    prepared = prepared_from(scene)
    with (
        patch("hieratk.training.course.decoding_of", return_value="leaves"),
        pytest.raises(ConfigError, match="no decoding `leaves`; there are best_path"),
    ):
        fit(prepared, scene / "run")


def test_mixtures_teach_and_strangers_losses_hear_classes(scene: Path) -> None:
    """A pixel labelled as a mixture of rice and water names no class at any level; it still moves the loss."""
    tree = (scene / "fields.yaml").read_text(encoding="utf-8").replace("maize: 3}", "maize: 3, edge: 4}")
    tree += "classes:\n  edge: {kind: mixed, parts: {rice: 0.5, water: 0.5}}\n"
    (scene / "fields.yaml").write_text(tree, encoding="utf-8")
    prepared = prepared_from(scene)
    term = LabelTerm(prepared)
    tables = compile_tables(prepared.taxonomy)
    logits = torch.randn(1, tables.channels, 1, 2, requires_grad=True)
    rows = torch.tensor([[[tables.row("rice"), tables.row("edge")]]])
    (grad,) = torch.autograd.grad(term(logits, rows), logits)
    assert grad[..., 1].abs().sum() > 0
    assert torch.equal(term.tree.labels(rows)[..., 1], torch.full((1, 2, 1), IGNORE))
