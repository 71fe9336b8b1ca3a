"""Every decoder keeps hieratk's contract, and with the same weights gives what smp gives."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import segmentation_models_pytorch as smp
import torch

from hieratk.errors import PluginError
from hieratk.models import build
from hieratk.plugins import available, load
from hieratk.taxonomy.tree import Taxonomy
from hieratk.testing import PoolBackbone, check_model, report

TREE = Taxonomy.from_outline({"land": {"rice": 1, "maize": 2}, "water": 3})

SMALL: dict[str, dict[str, Any]] = {
    "smp-deeplabv3": {"width": 16},
    "smp-deeplabv3plus": {"width": 16},
    "smp-fpn": {"width": 64, "pyramid_width": 16},
    "smp-linknet": {"width": 16},
    "smp-manet": {"widths": (8, 8, 16, 16, 32), "attention_width": 8},
    "smp-pspnet": {"width": 16},
    "smp-segformer": {"width": 16, "encoder": "mit_b0"},
    "smp-unet": {"widths": (16, 16, 16, 24, 32), "attention": "scse"},
    "smp-unetplusplus": {"widths": (8, 8, 16, 16, 32)},
    "smp-upernet": {"width": 16},
}


def net(name: str, in_channels: int = 4, backbone: Any = None, **options: Any) -> Any:
    return load("model", name)(in_channels, backbone=backbone, **options)


def test_every_decoder_is_an_entry_point() -> None:
    ours = {name for name, plugin in available("model").items() if plugin.distribution == "hieratk-smp"}
    assert ours == set(SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_contract(name: str) -> None:
    options = {"encoder": "resnet18", **SMALL[name]}
    checks = check_model(load("model", name), options=options, bands=(4,))
    assert all(check.passed for check in checks), report(checks)
    # Backbones with strides 1, 2, 4, 8 and 4, 8, 16, 32 are taken, not refused; U-Net++ alone needs stride 2.
    built = [check.name for check in checks if check.name.endswith("builds")]
    assert len(built) == (2 if name == "smp-unetplusplus" else 3)


@pytest.mark.parametrize(
    ("name", "architecture", "encoder", "theirs"),
    [
        ("smp-unet", "unet", "resnet18", {"decoder_attention_type": "scse"}),
        ("smp-unet", "unet", "mit_b0", {"decoder_attention_type": "scse"}),
        ("smp-unetplusplus", "unetplusplus", "resnet18", {}),
        ("smp-manet", "manet", "resnet18", {"decoder_pab_channels": 8}),
        ("smp-linknet", "linknet", "resnet18", {}),
        ("smp-fpn", "fpn", "resnet18", {"decoder_segmentation_channels": 64, "decoder_pyramid_channels": 16}),
        ("smp-upernet", "upernet", "resnet18", {"decoder_channels": 16}),
        ("smp-upernet", "upernet", "tu-convnext_atto", {"decoder_channels": 16}),
        ("smp-segformer", "segformer", "mit_b0", {"decoder_segmentation_channels": 16}),
        ("smp-deeplabv3", "deeplabv3", "resnet18", {"decoder_channels": 16}),
        ("smp-deeplabv3plus", "deeplabv3plus", "resnet18", {"decoder_channels": 16}),
        ("smp-pspnet", "pspnet", "resnet18", {"psp_out_channels": 16, "encoder_depth": 5}),
    ],
)
def test_it_gives_what_smp_gives(name: str, architecture: str, encoder: str, theirs: dict[str, Any]) -> None:
    torch.manual_seed(0)
    options = {**SMALL[name], "encoder": encoder}
    if name == "smp-linknet":
        options["width"] = 32
    if name == "smp-pspnet":
        options["output_stride"] = 32
    if "widths" in options:
        theirs = {**theirs, "decoder_channels": options["widths"][::-1]}
    reference = smp.create_model(architecture, encoder, None, in_channels=4, classes=2, **theirs).eval()
    for module in reference.modules():  # running statistics other than the initial ones
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    ours = net(name, **options).eval()
    ours.backbone.network.load_state_dict(reference.encoder.state_dict())
    keys = ours.decoder.load_state_dict(reference.decoder.state_dict(), strict=False)
    assert keys.missing_keys == []
    assert all("attention1" in key for key in keys.unexpected_keys)  # of the last block, which smp never calls
    image = torch.randn(2, 4, 64, 96)
    with torch.no_grad():
        expected = reference.decoder(reference.encoder(image))
        torch.testing.assert_close(ours(image), expected)
        assert ours.channels == expected.shape[1]
        assert ours.stride * expected.shape[-1] == 96


def test_a_map_at_the_size_of_the_image_reaches_the_head() -> None:
    made = net("smp-unet", backbone=PoolBackbone(4, (1, 2, 4, 8)), widths=(8, 8, 8))
    assert (made.channels, made.stride) == (8 + 8, 1)
    image = torch.randn(1, 4, 16, 16)
    maps = made.encode(image)
    torch.testing.assert_close(made.decode(maps)[:, 8:], maps[0])


@pytest.mark.parametrize(
    ("name", "strides", "message"),
    [
        ("smp-fpn", (1, 2, 4), "strides 1, 2, 4; it needs four at the end that double"),
        ("smp-fpn", (4, 8, 16, 16), "strides 4, 8, 16, 16; it needs four"),
        ("smp-unet", (2, 4, 16), "strides 2, 4, 16; it takes strides that double"),
        ("smp-unet", (16, 16, 16), "strides 16, 16, 16; it takes strides that double"),
        ("smp-linknet", (3, 6), "strides 3, 6; it takes strides that double"),
        (
            "smp-unetplusplus",
            (4, 8, 16),
            "the backbone has stride 4, the decoder needs one of stride 2",
        ),
    ],
)
def test_a_backbone_that_does_not_fit_is_refused_with_the_reason(
    name: str, strides: tuple[int, ...], message: str
) -> None:
    with pytest.raises(PluginError) as caught:
        net(name, backbone=PoolBackbone(4, strides))
    assert str(caught.value).startswith(f"{name}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize("name", ["smp-upernet", "smp-segformer", "smp-deeplabv3plus"])
def test_pyramid_decoders_take_other_ladders(name: str) -> None:
    ladders = ((2, 4), (8, 16, 32), (3, 9, 27), (16, 16, 16))
    options = {"width": 8, "encoder": "resnet18"}
    checks = check_model(load("model", name), options=options, bands=(2,), strides=ladders)
    mine = [check for check in checks if check.name.startswith("backbone with")]
    assert len(mine) == 5 * len(ladders)
    assert all(check.passed for check in mine), report(mine)


def test_wrong_options_and_encoders_are_explained() -> None:
    with pytest.raises(PluginError, match="model 'smp-unet': no option 'width'; did you mean 'widths'"):
        build("smp-unet", TREE, in_channels=4, options={"width": 8})
    with pytest.raises(PluginError, match="needs 5 numbers of at least 16 for this backbone, not"):
        build("smp-unet", TREE, in_channels=4, options={"widths": [8, 8, 16, 16, 32], "attention": "scse"})
    with pytest.raises(PluginError, match="smp-fpn: option 'width' must be a multiple of 32 from 64 on, not 48"):
        build("smp-fpn", TREE, in_channels=4, options={"width": 48})
    with pytest.raises(PluginError, match=r"there is no encoder 'resnet'; near: resnet18"):
        build("smp-unet", TREE, in_channels=4, options={"encoder": "resnet"})
    with pytest.raises(PluginError, match=r"'widths' needs 5 numbers of at least 1 for this backbone, not \(8, 8\)"):
        build("smp-unet", TREE, in_channels=4, options={"widths": [8, 8]})


@pytest.mark.parametrize("name", SMALL)
def test_every_factory_documents_itself(name: str) -> None:
    assert len(inspect.getdoc(load("model", name)) or "") > 20
