"""torchvision's segmentation models made hierarchical (timm needs torchvision, so it is here)."""

from __future__ import annotations

import pytest
import torch
from torchvision.models import segmentation

from hieratk.losses import BHCCMLoss
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors
from hieratk.wrapping import hierarchical

TREE = Taxonomy.from_outline({"land": {"rice": 1, "maize": 2}, "water": 3})


@pytest.mark.parametrize(
    ("name", "auxiliary", "layers"),
    [
        ("deeplabv3_mobilenet_v3_large", True, ("classifier.4",)),
        ("fcn_resnet50", True, ("classifier.4",)),
        ("lraspp_mobilenet_v3_large", False, ("classifier.low_classifier", "classifier.high_classifier")),
    ],
)
def test_a_model_of_torchvision_becomes_hierarchical(name: str, auxiliary: bool, layers: tuple[str, ...]) -> None:
    """The auxiliary classifier has as many classes and is left alone; LR-ASPP's output is a sum of two layers."""
    torch.manual_seed(0)
    given = {"aux_loss": True} if auxiliary else {}
    flat = getattr(segmentation, name)(weights=None, weights_backbone=None, num_classes=3, **given)
    before = {key: value.clone() for key, value in flat.state_dict().items()}
    model = hierarchical(flat, TREE)
    assert model.layers == layers
    after = flat.state_dict()
    changed = {key.rpartition(".")[0] for key in before if before[key].shape != after[key].shape}
    assert changed == set(layers)
    assert all(torch.equal(value, after[key]) for key, value in before.items() if value.shape == after[key].shape)
    image, labels = torch.randn(2, 3, 64, 48), TaxonomyTensors(TREE).encode(torch.randint(1, 4, (2, 64, 48)))
    logits = model.train()(image)
    assert logits.shape == (2, 5, 64, 48)
    BHCCMLoss(TREE)(logits, labels).backward()
    assert all(flat.get_submodule(layer).weight.grad.abs().sum() > 0 for layer in layers)
