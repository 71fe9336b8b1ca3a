import threading
import time
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hieratk.data.cells import cell_edges
from hieratk.data.chips import ChipSampler, batches, load_batch, normalise
from hieratk.data.scenes import SceneReader
from hieratk.data.split import TRAIN, Split, block_split
from hieratk.data.survey import Statistics, survey
from hieratk.errors import DataError, RasterError
from hieratk.rasters import Window
from tests.painting import paint, random_scene, small_tree


def draw_scene(data, folder):
    """A scene with a random table of blocks and few labels, its codes and its labelled valid pixels."""
    random = np.random.default_rng(data.draw(st.integers(0, 9999)))
    height, width, block = (data.draw(st.integers(*bounds)) for bounds in ((3, 60), (3, 60), (2, 25)))
    labels = np.where(random.random((height, width)) < data.draw(st.sampled_from([0.02, 0.5, 1])), 1, 0).astype(
        np.uint8
    )
    labels[random.random((height, width)) < 0.01] = 4
    pixels = np.ones((1, height, width), np.uint8)
    pixels[random.random(pixels.shape) < 0.02] = 0
    scene = paint(folder, pixels, labels, nodata=0)
    table = random.choice([1, 1, 1, 1, 2, 3, 0], (-(-height // block), -(-width // block))).astype(np.uint8)
    split = Split(block, (table,))
    return scene, split, (labels > 0) & (pixels[0] > 0)


def legal_places(codes, chip):
    """Top left corners of all chips wholly in training pixels, one by one."""
    return [
        (r, c)
        for r in range(codes.shape[0] - chip + 1)
        for c in range(codes.shape[1] - chip + 1)
        if (codes[r : r + chip, c : c + chip] == TRAIN).all()
    ]


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_chips_against_all_legal_places(tmp_path_factory, data):
    scene, split, labelled = draw_scene(data, tmp_path_factory.mktemp("s"))
    height, width = labelled.shape
    codes = split.window(0, Window(0, 0, height, width))
    assume((labelled & (codes == TRAIN)).any())
    found = survey([scene], split, small_tree())
    chip = data.draw(st.integers(1, 30))
    legal = set(legal_places(codes, chip))
    teaching = {(r, c) for r, c in legal if labelled[r : r + chip, c : c + chip].any()}
    if not teaching:
        sizes = [
            s for s in range(1, 61) if any(labelled[r : r + s, c : c + s].any() for r, c in legal_places(codes, s))
        ]
        with pytest.raises(DataError, match=f"chips of {chip} px do not fit.* blocks of {split.block} px") as caught:
            ChipSampler(found, split, chip=chip, batch=4, seed=0)
        assert f"has {max(sizes)} px;" in str(caught.value)
        return

    balance = data.draw(st.sampled_from([0.0, 0.5, 1.0]))
    sampler = ChipSampler(found, split, chip=chip, batch=16, seed=data.draw(st.integers(-5, 5)), balance=balance)
    covered = np.zeros_like(labelled)
    for r, c in legal:
        covered[r : r + chip, c : c + chip] = True
    train = labelled & (codes == TRAIN)
    assert sampler.reachable == pytest.approx((train & covered).sum() / train.sum())
    for step in range(5):
        for index, window in sampler.batch(step):
            assert index == 0
            assert (window.height, window.width) == (chip, chip)
            assert (window.row, window.col) in legal
            if chip >= cell_edges(split.block)[1]:
                assert (window.row, window.col) in teaching


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_every_labelled_pixel_that_a_chip_can_hold_is_drawn(tmp_path_factory, data):
    """Without sampling: the places that can be drawn for each cell, listed, cover what all legal chips cover."""
    scene, split, labelled = draw_scene(data, tmp_path_factory.mktemp("s"))
    codes = split.window(0, Window(0, 0, *labelled.shape))
    chip = data.draw(st.integers(1, 30))
    legal = set(legal_places(codes, chip))
    train = labelled & (codes == TRAIN)
    covered, drawn = np.zeros_like(labelled), np.zeros_like(labelled)
    for r, c in legal:
        covered[r : r + chip, c : c + chip] = True
    assume((train & covered).any())
    sampler = ChipSampler(survey([scene], split, small_tree()), split, chip=chip, batch=1, seed=0)
    assert (np.diff(sampler._weights, prepend=0) > 0).all()
    for _, row, col in np.unique(sampler._cells, axis=0):
        tall, wide = sampler._starts(int(row), labelled.shape[0]), sampler._starts(int(col), labelled.shape[1])
        places = [(int(r), int(c)) for r in tall for c in wide if (int(r), int(c)) in legal]
        assert places
        for r, c in places:
            drawn[r : r + chip, c : c + chip] = True
    np.testing.assert_array_equal(drawn & train, covered & train)


def test_places_of_a_cell_are_equally_likely(tmp_path):
    """One labelled pixel, so one cell; an L of training blocks, so its legal places are no rectangle."""
    labels = np.zeros((24, 24), np.uint8)
    labels[10, 10] = 1
    scene = paint(tmp_path, np.ones((1, 24, 24), np.uint8), labels)
    split = Split(8, (np.array([[1, 1, 3], [1, 1, 1], [1, 1, 2]], np.uint8),))
    sampler = ChipSampler(survey([scene], split, small_tree()), split, chip=10, batch=64, seed=1)
    places = [(w.row, w.col) for step in range(50) for _, w in sampler.batch(step)]
    codes = split.window(0, Window(0, 0, 24, 24))
    expected = {(r, c) for r, c in legal_places(codes, 10) if r <= 8 and c <= 8 and r + 10 >= 16 and c + 10 >= 16}
    assert set(places) == expected
    counts = np.array([places.count(place) for place in expected])
    mean = len(places) / len(expected)
    assert ((counts - mean) ** 2 / mean).sum() < 3 * len(expected)


def two_classes(tmp_path):
    labels = np.full((64, 64), 1, np.uint8)
    labels[40:44, 40:44] = 4
    scene = paint(tmp_path, np.ones((1, 64, 64), np.uint8), labels)
    split = Split(4, (np.ones((16, 16), np.uint8),))
    return scene, split, labels, survey([scene], split, small_tree())


def test_balance(tmp_path):
    _, split, labels, found = two_classes(tmp_path)
    shares = []
    for balance in (0.0, 0.5, 1.0):
        sampler = ChipSampler(found, split, chip=4, batch=50, seed=0, balance=balance)
        shares.append(np.mean([labels[w.row, w.col] == 4 for step in range(15) for _, w in sampler.batch(step)]))
    rare = (labels == 4).mean()
    np.testing.assert_allclose(shares, [rare, (rare + 0.5) / 2, 0.5], atol=0.05)


def test_a_step_is_a_function_of_seed_and_step(tmp_path):
    _, split, _, found = two_classes(tmp_path)
    first = ChipSampler(found, split, chip=4, batch=8, seed=3)
    second = ChipSampler(found, split, chip=4, batch=8, seed=3)
    backwards = [second.batch(step) for step in reversed(range(6))][::-1]
    assert [first.batch(step) for step in range(6)] == backwards
    assert len({str(first.batch(step)) for step in range(50)}) == 50
    other = ChipSampler(found, split, chip=4, batch=8, seed=4)
    assert other.batch(0) != first.batch(0)
    assert other.batch(0) != first.batch(1)


def test_a_sampler_wants_the_split_of_its_survey(tmp_path):
    scene, _, _, found = two_classes(tmp_path)
    with pytest.raises(ValueError, match="for blocks of 4 px, the split has 8"):
        ChipSampler(found, block_split([scene], block=8), chip=4, batch=8, seed=3)


def test_no_label_in_training(tmp_path):
    _, _, _, found = two_classes(tmp_path)
    empty = Split(4, (np.full((16, 16), 3, np.uint8),))
    with pytest.raises(DataError, match="the train split holds no labelled pixel to cut chips around"):
        ChipSampler(found, empty, chip=4, batch=8, seed=3)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 999), st.integers(1, 4))
def test_normalise_against_float64(seed, bands):
    random = np.random.default_rng(seed)
    image = random.normal(5000, 900, (bands, 6, 7)).astype(np.float32)
    valid = random.random((6, 7)) < 0.8
    statistics = Statistics(tuple(random.normal(5000, 10, bands)), (*random.uniform(0.5, 2, bands - 1), 0.0), 9)
    expected = image.astype(np.float64) - np.array(statistics.mean)[:, None, None]
    expected /= np.array([std or 1.0 for std in statistics.std])[:, None, None]
    got = normalise(image, valid, statistics)
    assert got.dtype == np.float32
    np.testing.assert_allclose(got, np.where(valid, expected, 0), rtol=1e-5, atol=2e-3)
    with pytest.raises(DataError, match=f"the image has {bands} bands in use, the model was trained on 7"):
        normalise(image, valid, Statistics((0.0,) * 7, (1.0,) * 7, 1))


@pytest.fixture
def training(tmp_path):
    pixels, labels = random_scene(np.random.default_rng(0), 60, 60)
    labels[labels == 0] = 1
    scene = paint(tmp_path, pixels, labels, nodata=-1)
    split = block_split([scene], block=15)
    found = survey([scene], split, small_tree())
    readers = [SceneReader(scene, small_tree())]
    yield ChipSampler(found, split, chip=12, batch=3, seed=0), readers, found.statistics
    readers[0].close()


def test_load_batch(training):
    sampler, readers, statistics = training
    places = sampler.batch(0)
    images, rows = load_batch(readers, places, statistics)
    assert (images.shape, images.dtype) == ((3, 2, 12, 12), torch.float32)
    assert (rows.shape, rows.dtype) == ((3, 12, 12), torch.int32)
    for i, (_, window) in enumerate(places):
        image, valid = readers[0].image(window)
        assert not valid.all()
        assert (rows[i].numpy()[~valid] == 0).all()
        assert (images[i].numpy()[:, ~valid] == 0).all()
        np.testing.assert_array_equal(rows[i].numpy()[valid], readers[0].rows(window)[valid])
        expected = (image - np.array(statistics.mean)[:, None, None]) / np.array(statistics.std)[:, None, None]
        np.testing.assert_allclose(images[i].numpy()[:, valid], expected[:, valid], rtol=1e-4, atol=1e-4)


def running():
    return [thread for thread in threading.enumerate() if thread.name == "hieratk-batches"]


def test_batches_are_those_of_load_batch_and_the_thread_ends(training):
    sampler, readers, statistics = training
    got = list(batches(sampler, readers, statistics, first_step=4, last_step=9))
    assert len(got) == 5
    for step, (images, rows) in enumerate(got, start=4):
        expected = load_batch(readers, sampler.batch(step), statistics)
        torch.testing.assert_close(images, expected[0], rtol=0, atol=0)
        assert torch.equal(rows, expected[1])
    assert not running()
    assert list(batches(sampler, readers, statistics, first_step=4, last_step=4)) == []


def test_batches_of_a_large_scene_are_read_by_window(training, monkeypatch):
    sampler, readers, statistics = training
    monkeypatch.setattr("hieratk.data.chips._KEPT_BYTES", 0)
    monkeypatch.setattr(SceneReader, "keep", lambda _: pytest.fail("kept a large scene"))
    (got,) = batches(sampler, readers, statistics, first_step=0, last_step=1)
    assert torch.equal(got[0], load_batch(readers, sampler.batch(0), statistics)[0])


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_interrupted_loop_ends_the_thread(training, error):
    sampler, readers, statistics = training

    def loop():
        for _ in batches(sampler, readers, statistics, first_step=0, last_step=10_000):
            assert running()
            raise error

    with pytest.raises(error):
        loop()
    assert not running()


def test_reading_stays_only_a_little_ahead(training):
    sampler, readers, statistics = training
    asked = []
    original = sampler.batch
    sampler.batch = lambda step: asked.append(step) or original(step)
    stream = batches(sampler, readers, statistics, first_step=0, last_step=100, ahead=2)
    next(stream)
    deadline = time.monotonic() + 5
    while len(asked) < 4 and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.2)
    # One taken, two waiting, one in the thread's hands.
    assert asked == [0, 1, 2, 3]
    stream.close()
    assert not running()


def test_an_exception_of_the_thread_arrives_with_its_text(training):
    sampler, readers, statistics = training
    label = readers[0].scene.label
    whole = label.read_bytes()
    label.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(RasterError, match=r"_label\.tif cannot be (opened|read)"):
        list(batches(sampler, readers, statistics, first_step=0, last_step=3))
    assert not running()


def test_chips_of_several_scenes(tmp_path):
    random = np.random.default_rng(0)
    scenes = [
        paint(tmp_path, np.full((1, 30, 30), k + 1, np.uint8), np.ones((30, 30), np.uint8), name=f"s{k}")
        for k in range(2)
    ]
    split = block_split(scenes, block=10)
    split = replace(split, blocks=(split.blocks[0], random.choice([0, 3], split.blocks[1].shape).astype(np.uint8)))
    sampler = ChipSampler(survey(scenes, split, small_tree()), split, chip=5, batch=20, seed=0)
    assert {index for index, _ in sampler.batch(0)} == {0}
    both = replace(split, blocks=(split.blocks[0], split.blocks[0]))
    sampler = ChipSampler(survey(scenes, both, small_tree()), both, chip=5, batch=40, seed=0)
    places = sampler.batch(0)
    assert {index for index, _ in places} == {0, 1}
    images, _ = load_batch(
        [SceneReader(scene, small_tree()) for scene in scenes], places, Statistics((0.0,), (1.0,), 1)
    )
    assert [int(image[0, 0, 0]) for image in images] == [index + 1 for index, _ in places]
