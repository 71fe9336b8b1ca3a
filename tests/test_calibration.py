"""Calibration: temperatures against a grid, thresholds against the definition, risks against simulation."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hieratk.calibration import calibrate, choose_threshold, fit_temperatures, negative_log_likelihood, wrong_until
from hieratk.calibration.units import blocks_of, halves
from hieratk.checkpoints import open_checkpoint
from hieratk.commands import app
from hieratk.config import read_run
from hieratk.decoding import (
    UNDECIDED,
    Calibration,
    abstaining,
    best_path,
    heaviest_path,
    path_posterior,
    paths_of,
    tempered,
)
from hieratk.errors import CheckpointError, ConfigError, DataError
from hieratk.prediction import predict
from hieratk.prediction.legend import legend
from hieratk.prediction.undecided import ID, NAME, with_undecided
from hieratk.rasters import inspect, read
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors
from hieratk.training.fit import fit
from hieratk.training.setup import prepare
from tests import oracle
from tests.oracle import Truth
from tests.scenes import write_scene
from tests.strategies import label_rows, rng, taxonomies

SOME = settings(max_examples=25, deadline=None)
TREE = Taxonomy.from_outline({"a": {"b": 1, "c": 2, "f": 4}, "d": {"e": 3, "g": {"h": 5, "i": 6}}})


def world(pixels: int, *, seed: int, temperatures: tuple[float, ...]) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits (P, N), and labels (P, L) drawn from the path posterior at given temperatures."""
    tree, random = TaxonomyTensors(TREE), torch.Generator().manual_seed(seed)
    logits = torch.randn(pixels, tree.channels, generator=random) * 2.5
    leaves = tempered(temperatures)(logits, tree).multinomial(1, generator=random)[:, 0]
    return logits, paths_of(leaves, tree)


# Temperatures.


def test_temperatures_that_made_the_labels_are_found() -> None:
    logits, labels = world(20_000, seed=0, temperatures=(2.0, 0.8, 5.0))
    found = fit_temperatures(logits, labels, TaxonomyTensors(TREE))
    assert found == pytest.approx((2.0, 0.8, 5.0), rel=0.15)


@SOME
@given(taxonomies(max_levels=3), st.data())
def test_no_temperatures_of_a_grid_are_better(taxonomy: Taxonomy, data: st.DataObject) -> None:
    tree, random = TaxonomyTensors(taxonomy), rng(data.draw)
    logits = torch.tensor(random.normal(size=(60, tree.channels)) * 2)
    leaves = torch.tensor(random.integers(0, len(tree.paths), 60))
    labels = paths_of(leaves, tree)
    found = fit_temperatures(logits, labels, tree)
    best = negative_log_likelihood(logits, labels, tree, temperatures=found)
    for _ in range(20):
        other = [float(t) for t in np.exp(random.uniform(math.log(0.1), math.log(100), tree.n_levels))]
        # Far out the likelihood is flat, and the search may stop on the way.
        assert best <= negative_log_likelihood(logits, labels, tree, temperatures=other) + 1e-3


@SOME
@given(taxonomies(max_levels=3), st.data())
def test_the_likelihood_is_that_of_the_labels(taxonomy: Taxonomy, data: st.DataObject) -> None:
    """Labels at any class, by loops over leaves."""
    truth, tree, random = Truth(taxonomy), TaxonomyTensors(taxonomy), rng(data.draw)
    logits = random.normal(size=(8, tree.channels)) * 3
    labels = tree.labels(torch.tensor(data.draw(label_rows(len(tree.index), (8,))))[:, None])[..., 0]
    temperatures = [0.5, 2.0, 3.0][: truth.depth]
    values = []
    for z, path in zip(logits, labels.tolist(), strict=True):
        if max(path) < 0:
            continue
        leaves = oracle.softmax(oracle.path_scores(truth, z, [1 / t for t in temperatures]))
        classes = {truth.levels[-1][c] for c in truth.allowed_classes(path, truth.depth - 1)}
        values.append(-math.log(math.fsum(p for p, v in zip(leaves, truth.leaves, strict=True) if v in classes)))
    if values:
        found = negative_log_likelihood(torch.tensor(logits), labels, tree, temperatures=temperatures)
        assert found == pytest.approx(math.fsum(values) / len(values), abs=1e-10)
    else:
        with pytest.raises(DataError, match="no labelled pixel"):
            fit_temperatures(torch.tensor(logits), labels, tree)


# Thresholds.


def loss_at(until: np.ndarray, units: np.ndarray, threshold: float) -> float:
    return math.fsum(float((until[units == u] > threshold).mean()) for u in set(units.tolist())) / len(set(units))


@settings(max_examples=100, deadline=None)
@given(st.data(), st.sampled_from([0.05, 0.1, 0.2, 0.25, 0.5]))
def test_the_threshold_is_the_smallest_that_keeps_the_corrected_risk(data: st.DataObject, risk: float) -> None:
    random = rng(data.draw)
    size = data.draw(st.integers(1, 60))
    units = random.integers(0, data.draw(st.integers(1, 40)), size)
    until = np.round(random.uniform(-0.4, 1, size).clip(0), data.draw(st.integers(1, 3)))
    n = len(set(units.tolist()))
    if (n + 1) * risk < 1 - 1e-9:
        with pytest.raises(DataError, match=f"{n} calibration units cannot show a risk of {risk:g}"):
            choose_threshold(until, units, risk=risk)
        return
    found = choose_threshold(until, units, risk=risk)
    kept = [
        t for t in sorted({0.0, *until.tolist()}) if n / (n + 1) * loss_at(until, units, t) + 1 / (n + 1) <= risk + 1e-9
    ]
    assert found == kept[0]


@SOME
@given(taxonomies(), st.data())
def test_a_pixel_is_wrong_up_to_its_value_and_not_from_it_on(taxonomy: Taxonomy, data: st.DataObject) -> None:
    tree, random = TaxonomyTensors(taxonomy), rng(data.draw)
    logits = torch.tensor(random.normal(size=(9, tree.channels)), dtype=torch.float32)
    labels = tree.labels(torch.tensor(data.draw(label_rows(len(tree.index), (9,))))[:, None])[..., 0]
    classes, probabilities = heaviest_path(logits, tree)
    until = wrong_until(classes, probabilities, labels)
    for threshold in sorted({0.0, 0.3, 0.5, 0.9, 1.0, *until.tolist()}):
        decided = abstaining(logits, tree, threshold=threshold)
        wrong = ((decided != UNDECIDED) & (labels >= 0) & (decided != labels)).any(1)
        assert torch.equal(wrong, until > threshold)


def simulated(repetitions: int, *, risk: float, units: int, size: int) -> np.ndarray:
    """Realised risks: each repetition calibrates on `units` new blocks of `size` pixels and scores 200 others.

    The pixels of a block share a shift of their logits, so that they are far from exchangeable one by one.
    """
    tree = TaxonomyTensors(TREE)
    blocks = units + 200
    realised = []
    for seed in range(repetitions):
        random = torch.Generator().manual_seed(seed)
        pixels = blocks * size
        clean = torch.randn(pixels, tree.channels, generator=random) * 2
        shared = torch.randn(blocks, 1, tree.channels, generator=random) * 1.5
        leaves = path_posterior(clean, tree).multinomial(1, generator=random)[:, 0]
        seen = clean + shared.expand(-1, size, -1).reshape(pixels, -1)
        until = wrong_until(*heaviest_path(seen, tree), paths_of(leaves, tree)).double().numpy()
        number = np.arange(pixels) // size
        first = number < units
        threshold = choose_threshold(until[first], number[first], risk=risk)
        realised.append(float((until[~first] > threshold).mean()))
    return np.array(realised)


@pytest.mark.parametrize(("risk", "units", "size"), [(0.1, 60, 8), (0.05, 200, 1), (0.25, 20, 4)])
def test_the_realised_risk_is_the_risk_asked_for(risk: float, units: int, size: int) -> None:
    """200 repetitions: on average not above the risk, and not far below it, within four standard errors."""
    realised = simulated(200, risk=risk, units=units, size=size)
    error = realised.std(ddof=1) / math.sqrt(len(realised))
    assert realised.mean() <= risk + 4 * error
    # The correction costs at most 2 / (n + 1) where values are continuous (Angelopoulos et al., 2024, Theorem 2).
    assert realised.mean() >= risk - 2 / (units + 1) - 4 * error
    assert (realised > risk).any(), "the promise is about the mean; single repetitions go over it"


def test_pixels_of_a_block_taken_one_by_one_make_the_threshold_less_certain() -> None:
    """Why blocks: the correction for 60 blocks is larger than for their 480 pixels, and no smaller risk is claimed."""
    until, number = np.linspace(0, 1, 480), np.arange(480) // 8
    assert choose_threshold(until, number, risk=0.1) > choose_threshold(until, np.arange(480), risk=0.1)
    with pytest.raises(DataError, match=r"0\.005 needs 199 units"):
        choose_threshold(until, number, risk=0.005)


def test_a_calibration_gives_the_threshold_of_the_next_smaller_risk() -> None:
    found = Calibration((1.0, 2.0), 0.1, ((0.05, 0.9), (0.1, 0.8), (0.3, 0.4)), 16, 30, "val")
    assert found.threshold() == 0.8
    assert found.threshold(0.29) == 0.8
    assert found.threshold(0.3) == 0.4
    with pytest.raises(ConfigError, match=r"risk 0\.04 is below the smallest that 30 calibration units can"):
        found.threshold(0.04)
    assert Calibration.from_json(json.loads(json.dumps(found.to_json()))) == found


# Checkpoints and maps.


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("calibrated")
    write_scene(folder)
    changes = ["schedule.steps=10", "split.block=8", "split.folds=4", "schedule.chip=8"]
    fit(prepare(read_run(folder / "run.yaml", changes), folder=folder), folder / "run")
    return folder


def test_calibrate_writes_a_checkpoint_that_maps_by(trained: Path, tmp_path: Path) -> None:
    opened = open_checkpoint(trained / "run")
    prepared = prepare(opened.run, folder=trained)
    report = calibrate(trained / "run", prepared, risk=0.12, check="test")
    stored = open_checkpoint(trained / "run").calibration
    assert stored == report.calibration
    assert stored is not None
    blocks = int((prepared.split.blocks[0] == 2).sum())
    assert stored.units == blocks - blocks // 4
    assert report.rows[0].asked >= 1 / (stored.units + 1)
    assert all(a.depth <= b.depth for a, b in zip(report.rows[:-1], report.rows[1:], strict=True))
    assert all(math.fsum(row.stops) == pytest.approx(1) for row in report.rows)

    image = trained / "scene.tif"
    done = predict(trained / "run", image, tmp_path / "map.tif", window=96, overlap=16)
    whole = predict(trained / "run", image, tmp_path / "whole.tif", window=96, overlap=16, risk=1.0)
    loose = predict(trained / "run", image, tmp_path / "loose.tif", window=96, overlap=16, risk=0.5)
    bands = with_undecided(legend(opened.taxonomy), opened.taxonomy).bands
    gap = int(bands[0].values[-1])
    written, all_decided, valid = read(tmp_path / "map.tif"), read(tmp_path / "whole.tif"), read(image)[0] != -9999
    assert done.decided == tuple(int(((band != gap) & valid).sum()) for band in written)
    assert done.risk == 0.12
    assert whole.risk is None
    assert whole.decided == (whole.predicted, whole.predicted)
    assert not (all_decided == gap).any()
    assert ((written[0] != gap) | (written[1] == gap)).all(), "decided below an undecided level"
    assert loose.decided[1] >= done.decided[1]
    assert (written[:, ~valid] == 0).all()


def test_the_legend_says_which_value_is_not_decided(trained: Path, tmp_path: Path) -> None:
    prepared = prepare(open_checkpoint(trained / "run").run, folder=trained)
    calibrate(trained / "run", prepared, risk=0.2)
    predict(trained / "run", trained / "scene.tif", tmp_path / "map.tif", window=96, overlap=16)
    info = inspect(tmp_path / "map.tif")
    for tags in info.band_tags:
        assert json.loads(tags["HIERATK_CLASSES"])["255"] == {"id": ID, "name": NAME, "color": "#bebebe"}
    assert info.tags["HIERATK_RISK"] == "0.2"
    assert (tmp_path / "map.tif.aux.xml").read_text().count(NAME) == 2


def test_the_value_is_one_that_nothing_else_means() -> None:
    full = Taxonomy.from_outline({f"c{i}": i for i in range(1, 256)})
    assert with_undecided(legend(full), full).dtype == "uint16"
    taken = Taxonomy.from_outline({"a": 255, "b": [254, 253]})
    assert int(with_undecided(legend(taken), taken).bands[0].values[-1]) == 252
    assert TaxonomyTensors(taken).taxonomy is taken


def test_a_map_without_calibration_is_the_best_path_and_a_risk_is_refused(trained: Path, tmp_path: Path) -> None:
    prepared = prepare(open_checkpoint(trained / "run").run, folder=trained)
    path = fit(prepared, tmp_path / "again")
    assert open_checkpoint(path).calibration is None
    with pytest.raises(CheckpointError, match=r"is not calibrated, .*hieratk calibrate .* --risk 0.1"):
        predict(path, trained / "scene.tif", tmp_path / "map.tif", risk=0.1)
    assert not (tmp_path / "map.tif").exists()
    with pytest.raises(ConfigError, match="risk 0 must be above 0"):
        predict(path, trained / "scene.tif", tmp_path / "map.tif", risk=0.0)


def test_the_command_prints_what_was_asked_and_met(trained: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app(["calibrate", str(trained / "run"), "--risk", "0.15", "--check", "--format", "json", "--quiet"],
        standalone_mode=False)  # fmt: skip
    report = json.loads(capsys.readouterr().out)
    assert report["checked"] == "test"
    assert report["calibration"]["risk"] == 0.15
    assert {"asked", "met", "error", "threshold", "depth", "stops"} == set(report["rows"][0])
    app(["calibrate", str(trained / "run"), "--block", "4"], standalone_mode=False)
    out = capsys.readouterr().out
    assert "val split" in out
    assert "risk asked and met" in out
    assert "10 % *" in out


def test_impossible_wishes_are_refused_with_a_way_out(trained: Path) -> None:
    prepared = prepare(open_checkpoint(trained / "run").run, folder=trained)
    before = (trained / "run" / "checkpoint.json").read_bytes()
    with pytest.raises(ConfigError, match=r"risk 1\.5 must lie between 0 and 1"):
        calibrate(trained / "run", prepared, risk=1.5)
    with pytest.raises(ConfigError, match="did not learn from"):
        calibrate(trained / "run", prepared, split="train")
    with pytest.raises(ConfigError, match="different splits"):
        calibrate(trained / "run", prepared, split="val", check="val")
    with pytest.raises(DataError, match=r"calibration units cannot show a risk of 0\.001"):
        calibrate(trained / "run", prepared, risk=0.001)
    with pytest.raises(DataError, match="has 1 blocks of 4096 pixels; calibration needs at least two"):
        calibrate(trained / "run", prepared, block=4096)
    assert (trained / "run" / "checkpoint.json").read_bytes() == before


def test_blocks_for_temperatures_and_thresholds_are_apart(trained: Path) -> None:
    prepared = prepare(open_checkpoint(trained / "run").run, folder=trained)
    for block in (1, 3, 8):
        blocks = blocks_of(prepared, "val", block=block)
        window = prepared.survey.grids[0].window
        inside = prepared.split.window(0, window) == 2
        numbers = blocks.numbers(0, window)
        assert set(np.flatnonzero(blocks.chosen)) == set(numbers[inside].tolist())
        fitting, choosing = halves(blocks)
        assert not (fitting.chosen & choosing.chosen).any()
        assert ((fitting.chosen | choosing.chosen) == blocks.chosen).all()


def test_calibrated_logits_decode_as_the_posterior_says() -> None:
    tree = TaxonomyTensors(TREE)
    torch.manual_seed(0)
    logits = torch.randn(2, tree.channels, 4, 5) * 3
    found = Calibration((2.0, 1.0, 3.0), 0.1, ((0.1, 0.7),), 1, 9, "val")
    expected = abstaining(logits, tree, threshold=0.7, posterior=tempered((2.0, 1.0, 3.0)))
    assert torch.equal(found.decode(logits, tree), expected)
    assert not torch.equal(expected, best_path(logits, tree))
