"""A flat model becomes hierarchical: the right layers are replaced, nothing else; what cannot be is explained."""

from __future__ import annotations

from collections import OrderedDict
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from hieratk.errors import PluginError
from hieratk.losses import BHCCMLoss
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors
from hieratk.wrapping import hierarchical, main_output

TREE = Taxonomy.from_outline({"land": {"crops": {"rice": 1, "maize": 2}, "forest": 3}, "water": 4})
N = 2 + 3 + 4


class Head(nn.Module):
    """As mmsegmentation's heads are: a dropout and `conv_seg` after the features."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.mix = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv_seg = nn.Conv2d(channels, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.conv_seg(F.dropout2d(F.relu(self.mix(x)), 0.1, self.training))
        return logits


class Flat(nn.Module):
    """A stride-2 backbone, `decode_head` and `auxiliary_head`; `form` says what comes out."""

    def __init__(self, classes: int = 4, form: str = "tensor", bands: int = 3) -> None:
        super().__init__()
        # As many channels as classes: a search by number alone would find the backbone too.
        self.backbone = nn.Sequential(
            nn.Conv2d(bands, 4, 3, stride=2, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 4, 1)
        )
        self.auxiliary_head = Head(4, classes)
        self.decode_head = Head(4, classes)
        self.form = form

    def forward(self, image: Tensor) -> Any:
        features = self.backbone(image)
        logits = self.decode_head(features)
        if self.form == "out":
            return OrderedDict(out=logits, aux=self.auxiliary_head(features))
        if self.form == "logits":
            return SimpleNamespace(loss=None, logits=logits)
        return (logits, features) if self.form == "tuple" else logits


@pytest.mark.parametrize("form", ["tensor", "out", "logits", "tuple"])
@pytest.mark.parametrize("bands", [1, 10])
def test_the_classifier_alone_is_replaced(form: str, bands: int) -> None:
    flat = Flat(form=form, bands=bands)
    before = {name: value.clone() for name, value in flat.state_dict().items()}
    model = hierarchical(flat, TREE)
    assert model.layers == ("decode_head.conv_seg",)
    after = flat.state_dict()
    changed = [name for name in before if before[name].shape != after[name].shape]
    assert changed == ["decode_head.conv_seg.weight", "decode_head.conv_seg.bias"]
    assert all(torch.equal(before[name], after[name]) for name in before if name not in changed)
    assert not flat.decode_head.conv_seg.bias.detach().any()
    image = torch.randn(2, bands, 13, 18)
    assert model(image).shape == (2, N, 13, 18)


def test_what_is_smaller_is_enlarged_and_what_is_padded_is_cut() -> None:
    flat = Flat()
    model = hierarchical(flat, TREE, multiple=8).eval()
    image = torch.randn(1, 3, 13, 18)
    padded = F.pad(image, (0, 6, 0, 3), mode="replicate")
    with torch.no_grad():
        expected = F.interpolate(flat(padded), size=(16, 24), mode="bilinear", align_corners=False)[..., :13, :18]
        torch.testing.assert_close(model(image), expected)


def test_it_learns_with_bhccm() -> None:
    torch.manual_seed(0)
    model = hierarchical(Flat(), TREE)
    # In blocks, as the network sees every second pixel.
    image = torch.randn(2, 3, 4, 4).repeat_interleave(4, 2).repeat_interleave(4, 3)
    labels = TaxonomyTensors(TREE).encode(1 + 2 * (image[:, 0] > 0) + (image[:, 1] > 0))
    loss, optimiser = BHCCMLoss(TREE), torch.optim.AdamW(model.parameters(), lr=0.01)
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        value = loss(model(image), labels)
        value.backward()
        optimiser.step()
        losses.append(value.item())
    assert losses[-1] < 0.8 * losses[0]


def test_two_layers_whose_sum_is_the_output_are_both_replaced() -> None:
    """As in LR-ASPP."""

    class Both(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 3, padding=1)
            self.low, self.high = nn.Conv2d(8, 4, 1), nn.Conv2d(8, 4, 1)

        def forward(self, image: Tensor) -> Tensor:
            x = F.relu(self.stem(image))
            return self.low(x) + F.interpolate(self.high(F.avg_pool2d(x, 2)), size=x.shape[-2:])

    model = hierarchical(Both(), TREE)
    assert model.layers == ("low", "high")
    assert model(torch.randn(1, 3, 8, 8)).shape == (1, N, 8, 8)


def test_a_linear_classifier_of_tokens_is_found_even_frozen() -> None:
    class Tokens(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patch = nn.Conv2d(3, 6, 4, stride=4)
            self.classify = nn.Linear(6, 4)

        def forward(self, image: Tensor) -> Tensor:
            x = self.patch(image)
            return self.classify(x.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(len(x), -1, *x.shape[-2:])

    flat = Tokens().requires_grad_(False)
    model = hierarchical(flat, TREE)
    assert model.layers == ("classify",)
    assert flat.classify.weight.requires_grad
    assert not flat.patch.weight.requires_grad
    assert model(torch.randn(2, 3, 16, 16)).shape == (2, N, 16, 16)


def test_a_transposed_convolution_keeps_its_form() -> None:
    flat = nn.Sequential(
        nn.Conv2d(3, 8, 2, stride=2), nn.ConvTranspose2d(8, 4, 3, stride=2, padding=1, output_padding=1)
    )
    model = hierarchical(flat, TREE)
    assert model.layers == ("1",)
    assert model(torch.randn(1, 3, 12, 12)).shape == (1, N, 12, 12)


def test_modes_and_random_state_stay_as_they_were() -> None:
    flat = Flat().train()
    flat.backbone.eval()
    torch.manual_seed(3)
    hierarchical(flat, TREE, layer="decode_head.conv_seg")
    assert flat.training
    assert flat.decode_head.conv_seg.training
    assert not flat.backbone[1].training
    assert int(flat.backbone[1].num_batches_tracked) == 0


class Beside(nn.Module):
    """Two classifiers side by side: neither gives all four classes."""

    def __init__(self) -> None:
        super().__init__()
        self.coarse, self.fine = nn.Conv2d(3, 1, 1), nn.Conv2d(3, 3, 1)

    def forward(self, image: Tensor) -> Tensor:
        return torch.cat([self.coarse(image), self.fine(image)], dim=1)


class Residual(nn.Module):
    """The features are added to the classifier's output, so no layer alone makes the classes."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.mix, self.last = nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 1)

    def forward(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        return x.view(len(x), 4, *image.shape[-2:]) + self.last(F.relu(self.mix(x)))


@pytest.mark.parametrize(
    ("make", "options", "message"),
    [
        (Beside, {}, "no layer at its end has as many outputs; it ends in coarse (1 outputs), fine (3 outputs)"),
        (Residual, {}, "with 9 outputs in stem, last the model fails with RuntimeError"),
        (Residual, {}, "name the classifier with `layer=`, one of last (4 outputs), mix (4 outputs), stem (4 outputs)"),
        (
            Flat,
            {"layer": "decode_head.conv_sec"},
            "no convolution or linear layer 'decode_head.conv_sec'; did you mean",
        ),
        (Flat, {"layer": "backbone.0"}, "with 9 outputs in backbone.0 the model fails with RuntimeError"),
        (Flat, {"layer": "auxiliary_head.conv_seg"}, "the model gives (1, 4, 64, 64), expected (1, 9, 64, 64)"),
        (Flat, {"image": torch.zeros(1, 5, 8, 8)}, "the model does not take an image (1, 5, 8, 8): RuntimeError"),
        (lambda: nn.Flatten(), {}, "no convolution to read its band count from; give `image=`"),
        (lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten()), {}, "a Tensor of shape (1, 16384), not logits"),
        (lambda: Flat(form="out"), {"multiple": 0}, "`multiple` must be at least 1, not 0"),
        (lambda: nn.Sequential(nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1, groups=2)), {}, "'1' has 2 groups of channels"),
    ],
)
def test_what_cannot_be_is_explained_and_the_model_left_as_it_was(make: Any, options: Any, message: str) -> None:
    flat = make()
    before = {name: value.clone() for name, value in flat.state_dict().items()}
    with pytest.raises(PluginError) as caught:
        hierarchical(flat, TREE, **options)
    assert str(caught.value).startswith("hierarchical: ")
    assert message in str(caught.value)
    after = flat.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], value) for name, value in before.items())


def test_a_mapping_without_logits_is_named() -> None:
    with pytest.raises(PluginError, match="the model gives keys masks, boxes, not logits"):
        main_output({"masks": 1, "boxes": 2})
