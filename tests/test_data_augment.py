import random as python_random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hieratk.data.augment import Augmentation, augment


def turned(image):
    """The eight images of a square, (8, C, h, w), rows of the last axes moved by hand."""
    return [np.rot90(flipped, turn, (1, 2)) for flipped in (image, image[:, :, ::-1]) for turn in range(4)]


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**62), st.sampled_from([1, 2, 5, 12, 33, 64]), st.sampled_from(["int32", "int64", "uint8"]))
def test_labels_move_exactly_with_their_pixels(seed, size, dtype):
    random = np.random.default_rng(seed)
    images = random.normal(size=(6, 3, size, size)).astype(np.float32)
    top = 255 if dtype == "uint8" else 100_003
    rows = random.integers(0, top, (6, size, size)).astype(dtype)
    moved, labels = augment(torch.from_numpy(images), torch.from_numpy(rows), seed=seed)
    assert labels.dtype == torch.from_numpy(rows).dtype
    assert moved.shape == images.shape
    for k in range(6):
        both = zip(turned(images[k]), turned(rows[k][None]), strict=True)
        assert any(np.array_equal(moved[k], a) and np.array_equal(labels[k], b[0]) for a, b in both)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (Augmentation(), 8),
        (Augmentation(rotate=False), 4),
        (Augmentation(flip=False), 4),
        (Augmentation(flip=False, rotate=False), 1),
    ],
)
def test_all_turns_occur_equally_often(options, expected):
    image = torch.arange(9.0).reshape(1, 1, 3, 3)
    counts = dict.fromkeys([a.tobytes() for a in map(np.ascontiguousarray, turned(image[0].numpy()))], 0)
    for seed in range(8):
        rows = torch.zeros(100, 3, 3, dtype=torch.int32)
        moved, _ = augment(image.repeat(100, 1, 1, 1), rows, seed=seed, options=options)
        for one in moved:
            counts[one.numpy().tobytes()] += 1
    present = [n for n in counts.values() if n]
    assert len(present) == expected
    mean = 800 / expected
    assert all(abs(n - mean) < 5 * mean**0.5 for n in present)


def test_the_same_seed_gives_the_same_and_no_global_state_moves():
    images, rows = torch.randn(4, 2, 8, 8), torch.randint(0, 9, (4, 8, 8), dtype=torch.int32)
    options = Augmentation(gain=0.1, brightness=0.2, noise=0.3)
    torch.manual_seed(5)
    python_random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = torch.get_rng_state(), python_random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    one = augment(images, rows, seed=7, options=options)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert python_random.getstate() == before[1]
    assert np.random.get_state()[1].tolist() == before[2]  # noqa: NPY002
    torch.manual_seed(99)
    two = augment(images, rows, seed=7, options=options)
    assert torch.equal(one[0], two[0])
    assert torch.equal(one[1], two[1])
    assert not torch.equal(one[0], augment(images, rows, seed=8, options=options)[0])


def test_the_input_is_not_changed():
    images, rows = torch.randn(4, 2, 8, 8), torch.randint(0, 9, (4, 8, 8), dtype=torch.int32)
    kept = images.clone(), rows.clone()
    augment(images, rows, seed=1, options=Augmentation(gain=0.5, brightness=0.5, noise=0.5))
    assert torch.equal(images, kept[0])
    assert torch.equal(rows, kept[1])


@pytest.mark.parametrize(("name", "per_band"), [("gain", True), ("brightness", True), ("noise", False)])
def test_strength_of_changes_of_value(name, per_band):
    images = torch.ones(200, 3, 6, 6)
    rows = torch.zeros(200, 6, 6, dtype=torch.int32)
    options = Augmentation(flip=False, rotate=False, **{name: 0.25})
    changed = augment(images, rows, seed=0, options=options)[0] - 1
    assert changed.std() == pytest.approx(0.25, rel=0.1)
    assert changed.mean().abs() < 0.05
    within = changed.flatten(2).std(2).mean()
    assert (within < 1e-6) == per_band
    if per_band:
        across = changed[:, :, 0, 0]
        assert np.corrcoef(across.T.numpy())[0, 1] == pytest.approx(0, abs=0.25)


def test_oblong_chips_are_not_turned():
    images, rows = torch.randn(2, 1, 4, 6), torch.zeros(2, 4, 6, dtype=torch.int32)
    with pytest.raises(ValueError, match="chips of 4 x 6 px cannot be turned"):
        augment(images, rows, seed=0)
    assert augment(images, rows, seed=0, options=Augmentation(rotate=False))[0].shape == images.shape
