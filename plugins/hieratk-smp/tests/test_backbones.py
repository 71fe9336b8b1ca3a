"""smp encoders as backbones, models of smp made hierarchical, a sample of the matrix of backbones and decoders."""

from __future__ import annotations

import random

import pytest
import segmentation_models_pytorch as smp
import timm
import torch
from matrix import BACKBONES, BANDS, DECODERS, combinations, one_step

from hieratk.losses import BHCCMLoss
from hieratk.plugins import load
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors
from hieratk.testing import check_backbone, report
from hieratk.wrapping import hierarchical

TREE = Taxonomy.from_outline({"land": {"rice": 1, "maize": 2}, "water": 3})
SEED = 2


@pytest.mark.parametrize("encoder", ["resnet18", "mit_b0", "tu-convnext_atto", "mobilenet_v2"])
def test_smp_contract(encoder: str) -> None:
    checks = check_backbone(load("backbone", "smp"), options={"encoder": encoder}, bands=(4,))
    assert all(check.passed for check in checks), report(checks)


def test_dilated_encoders_keep_their_maps_large() -> None:
    made = load("backbone", "smp")(4, encoder="resnet18", output_stride=8)
    assert made.strides == (2, 4, 8, 8, 8)
    assert [f.shape[-1] for f in made(torch.randn(1, 4, 64, 64))] == [32, 16, 8, 8, 8]


@pytest.mark.parametrize("architecture", ["unet", "fpn", "deeplabv3plus", "segformer", "upernet"])
def test_a_model_of_smp_becomes_hierarchical(architecture: str) -> None:
    torch.manual_seed(0)
    flat = smp.create_model(architecture, "resnet18", None, in_channels=4, classes=3)
    kept = {name: value.clone() for name, value in flat.state_dict().items() if "segmentation_head" not in name}
    model = hierarchical(flat, TREE, multiple=32)
    assert model.layers == ("segmentation_head.0",)
    image, labels = torch.randn(2, 4, 45, 70), TaxonomyTensors(TREE).encode(torch.randint(1, 4, (2, 45, 70)))
    assert all(torch.equal(value, flat.state_dict()[name]) for name, value in kept.items())
    loss, optimiser = BHCCMLoss(TREE), torch.optim.AdamW(model.parameters(), lr=2e-3)
    losses = []
    for _ in range(8):
        logits = model(image)
        assert logits.shape == (2, 5, 45, 70)
        value = loss(logits, labels)
        optimiser.zero_grad()
        value.backward()
        optimiser.step()
        losses.append(value.item())
    assert flat.segmentation_head[0].weight.grad.abs().sum() > 0
    assert min(losses[4:]) < losses[0]


def test_the_matrix_is_as_large_as_it_says() -> None:
    assert len(set(BACKBONES)) >= 30
    assert len([name for name in DECODERS if name.startswith("smp-")]) == 4
    assert set(BACKBONES) <= set(timm.list_models())


def sample() -> list[tuple[str, str, int]]:
    """One decoder and one band count for every backbone, by seed: each decoder and each count comes often."""
    random_ = random.Random(SEED)
    every = combinations()
    return [random_.choice([each for each in every if each[0] == backbone]) for backbone in BACKBONES]


def test_the_sample_leaves_nothing_out() -> None:
    drawn = sample()
    assert [backbone for backbone, _, _ in drawn] == list(BACKBONES)
    assert {decoder for _, decoder, _ in drawn} == set(DECODERS)
    assert {bands for _, _, bands in drawn} == set(BANDS)


@pytest.mark.parametrize("combination", sample(), ids=str)
def test_a_sample_of_the_matrix_trains(combination: tuple[str, str, int]) -> None:
    one_step(*combination)
