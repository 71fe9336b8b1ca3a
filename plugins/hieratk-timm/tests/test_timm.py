"""timm's models as backbones: the contract, weights from a file, other band counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import timm
import torch
from safetensors.torch import save_file

from hieratk.errors import PluginError
from hieratk.models import build
from hieratk.plugins import load
from hieratk.taxonomy.tree import Taxonomy
from hieratk.testing import check_backbone, report

TREE = Taxonomy.from_outline({"land": {"rice": 1, "maize": 2}, "water": 3})


def backbone(model: str, in_channels: int = 3, **options: Any) -> Any:
    return load("backbone", "timm")(in_channels, model=model, **options)


@pytest.mark.parametrize(
    ("options", "strides"),
    [
        ({"model": "resnet10t"}, (2, 4, 8, 16, 32)),
        ({"model": "convnext_atto"}, (4, 8, 16, 32)),
        ({"model": "mobilenetv3_small_050"}, (2, 4, 8, 16, 32)),
        # Channels last, and a fixed image size that is lifted; kept narrow for speed.
        (
            {
                "model": "swin_tiny_patch4_window7_224",
                "arguments": {"embed_dim": 24, "depths": (1, 1, 2, 1), "num_heads": (1, 2, 4, 8)},
            },
            (4, 8, 16, 32),
        ),
        (
            {
                "model": "vit_tiny_patch16_224",
                "arguments": {"embed_dim": 48, "depth": 4, "num_heads": 3},
                "scales": (1, 3),
            },
            (16, 16),
        ),
    ],
    ids=lambda value: value["model"] if isinstance(value, dict) else "",
)
def test_timm_contract(options: dict[str, Any], strides: tuple[int, ...]) -> None:
    assert backbone(**options).strides == strides
    checks = check_backbone(load("backbone", "timm"), options=options, bands=(4,))
    assert all(check.passed for check in checks), report(checks)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A classifier of timm with random weights, and the file that holds them."""
    torch.manual_seed(3)
    model = timm.create_model("resnet10t", pretrained=False).eval()
    file = tmp_path_factory.mktemp("weights") / "resnet10t.safetensors"
    save_file(model.state_dict(), file)
    return model, file


def test_weights_come_from_a_file(weights: tuple[Any, Path]) -> None:
    model, file = weights
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        ours = backbone("resnet10t", weights=str(file)).eval()(image)[-1]
        torch.testing.assert_close(ours, model.forward_features(image))
        other = backbone("resnet10t").eval()(image)[-1]
    assert not torch.allclose(ours, other)


def test_weights_of_three_bands_are_fitted_to_one_and_to_ten(weights: tuple[Any, Path]) -> None:
    """One band: the filters summed, so a grey image gives what it gave in colour. Ten: repeated, scaled by 3 / 10."""
    _, file = weights
    grey = torch.randn(1, 1, 64, 64)
    with torch.no_grad():
        colour = backbone("resnet10t", 3, weights=str(file)).eval()(grey.expand(1, 3, 64, 64))
        single = backbone("resnet10t", 1, weights=str(file)).eval()(grey)
        torch.testing.assert_close(single[-1], colour[-1], atol=1e-4, rtol=1e-4)
        first = next(p for p in backbone("resnet10t", 10, weights=str(file)).parameters())
        three = next(p for p in backbone("resnet10t", 3, weights=str(file)).parameters())
    torch.testing.assert_close(first, three.repeat(1, 4, 1, 1)[:, :10] * 0.3)


def test_scales_choose_maps() -> None:
    made = backbone("resnet10t", scales=(1, 3))
    assert made.strides == (4, 16)
    assert [f.shape[-1] for f in made(torch.randn(1, 3, 64, 64))] == [16, 4]


def test_our_unet_decodes_timm() -> None:
    model = build("unet", TREE, in_channels=6, backbone="timm", backbone_options={"model": "convnext_atto"})
    assert model.net.stride == 4
    assert model.eval()(torch.randn(1, 6, 50, 33)).shape == (1, 5, 50, 33)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"model": "resnet5O"}, "has no model 'resnet5O'; see timm.list_models()"),
        ({"model": "convnext_att"}, "names that contain it: convnext_atto"),
        ({"model": "resnet18", "weights": "gone.pth"}, "there is no file gone.pth"),
        ({}, r"option 'model' must be given (str)"),
        ({"model": "resnet18", "arguments": {"no_such": 1}}, "model 'resnet18' cannot be made: TypeError"),
        ({"model": "resnet18", "scales": [9]}, "model 'resnet18' cannot be made"),
    ],
)
def test_wrong_options_are_explained(options: dict[str, Any], message: str) -> None:
    with pytest.raises(PluginError) as caught:
        build("unet", TREE, in_channels=4, backbone="timm", backbone_options=options)
    assert str(caught.value).startswith("backbone 'timm'")
    assert message in str(caught.value)


def test_a_model_in_a_folder_is_loaded_by_timm_itself(weights: tuple[Any, Path], tmp_path: Path) -> None:
    """As on the hub: config.json says which architecture, and the weights lie beside it."""
    model, file = weights
    config = {"architecture": "resnet10t", "num_features": 512, "pretrained_cfg": model.pretrained_cfg}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(file.read_bytes())
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        ours = backbone(f"local-dir:{tmp_path}", pretrained=True).eval()(image)[-1]
        torch.testing.assert_close(ours, model.forward_features(image))
