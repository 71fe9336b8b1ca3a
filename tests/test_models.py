"""build() and the wrapper: node logits at the size of the image, whatever the size, and errors before work."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from hieratk.errors import PluginError
from hieratk.heads import NodeHead
from hieratk.models import HierarchicalModel, build, count_parameters
from hieratk.networks import unet
from hieratk.taxonomy.tables import compile_tables
from hieratk.taxonomy.tree import Taxonomy
from hieratk.testing import PoolBackbone

TREE = Taxonomy.from_outline({"land": {"crops": {"rice": 1, "maize": 2}, "forest": 3}, "water": 4})
N = 2 + 3 + 4
SMALL = {"widths": [4, 8, 8]}


def small(bands: int = 3) -> HierarchicalModel:
    torch.manual_seed(0)
    return build("unet", TREE, in_channels=bands, backbone="conv", backbone_options=SMALL).eval()


def over(strides: tuple[int, ...], bands: int = 3) -> HierarchicalModel:
    torch.manual_seed(0)
    return build("unet", TREE, in_channels=bands, backbone=PoolBackbone(bands, strides)).eval()


@pytest.mark.parametrize("size", [(1, 1), (1, 5), (12, 12), (17, 31), (64, 40)])
@pytest.mark.parametrize("strides", [(1, 2, 4), (4, 8), (3,)])
def test_logits_have_a_channel_for_every_node_and_the_size_of_the_image(
    size: tuple[int, int], strides: tuple[int, ...]
) -> None:
    with torch.no_grad():
        logits = over(strides)(torch.randn(2, 3, *size))
    assert logits.shape == (2, compile_tables(TREE).channels, *size) == (2, N, *size)
    assert bool(torch.isfinite(logits).all())


def test_an_odd_image_is_one_with_its_border_repeated() -> None:
    model = small()
    assert model.multiple == 4
    image = torch.randn(1, 3, 13, 10)
    rows, columns = torch.arange(16).clamp(max=12), torch.arange(12).clamp(max=9)
    with torch.no_grad():
        expected = model(image[:, :, rows][:, :, :, columns])[..., :13, :10]
        torch.testing.assert_close(model(image), expected)


def test_strides_need_not_divide_each_other() -> None:
    assert over((4, 6)).multiple == 12


def test_coarse_logits_are_interpolated_to_the_image() -> None:
    model, image = over((4, 8)), torch.randn(2, 3, 16, 24)
    with torch.no_grad():
        coarse = model.head(model.net(image))
        expected = F.interpolate(coarse, size=(16, 24), mode="bilinear", align_corners=False)
        assert coarse.shape[-2:] == (4, 6)
        torch.testing.assert_close(model(image), expected)


def test_features_are_what_the_head_reads() -> None:
    model, image = over((2, 4)), torch.randn(1, 3, 9, 8)
    with torch.no_grad():
        features = model.features(image)
        assert features.shape == (1, model.net.channels, 5, 4)
        padded = F.pad(image, (0, 0, 0, 3), mode="replicate")
        torch.testing.assert_close(features, model.net(padded)[:, :, :5])
        assert model.net(padded).shape[-2:] == (6, 4)


def test_training_starts_with_equal_classes_and_reaches_every_parameter() -> None:
    model = small().train()
    assert isinstance(model.head, NodeHead)
    bias = model.head.classify.bias
    assert bias is not None
    assert bool((bias == 0).all())
    logits = model(torch.randn(2, 3, 9, 9))
    (logits * torch.randn_like(logits)).sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


def test_dropout_is_for_training_only() -> None:
    head = NodeHead(64, TREE, dropout=0.5)
    features = torch.ones(1, 64, 2, 2)
    assert not torch.equal(head.train()(features), head(features))
    assert torch.equal(head.eval()(features), head(features))
    assert NodeHead(4, 7)(torch.ones(1, 4, 1, 1)).shape == (1, 7, 1, 1)


def test_the_same_seed_gives_the_same_model() -> None:
    first, again = small().state_dict(), small().state_dict()
    assert list(first) == list(again)
    assert all(torch.equal(first[name], again[name]) for name in first)


def test_the_state_dict_is_plain_and_the_tree_is_not_in_it() -> None:
    state = small().state_dict()
    assert {name.split(".")[0] for name in state} == {"net", "head"}
    assert all(isinstance(value, Tensor) and value.is_contiguous() for value in state.values())


def test_models_take_a_backbone_by_name_by_value_or_their_own() -> None:
    named = build("unet", TREE, in_channels=3, backbone="conv", backbone_options=SMALL, options={"depth": 2})
    assert named.net.encoder_channels == (4, 8, 8)
    assert over((2, 4)).net.encoder_strides == (2, 4)
    own = build("unet", TREE, in_channels=3)
    assert isinstance(own.net, torch.nn.Module)
    plain = unet(3, backbone=None)
    assert isinstance(plain, torch.nn.Module)
    assert count_parameters(own.net) == count_parameters(plain)


def test_errors_come_before_anything_is_made() -> None:
    with pytest.raises(PluginError, match="no model 'unett'; did you mean 'unet'"):
        build("unett", TREE, in_channels=3)
    with pytest.raises(PluginError, match="no backbone 'con'; did you mean 'conv'"):
        build("unet", TREE, in_channels=3, backbone="con")
    with pytest.raises(PluginError, match="model 'unet': no option 'dept'; did you mean 'depth'"):
        build("unet", TREE, in_channels=3, options={"dept": 3})
    with pytest.raises(PluginError, match="backbone 'conv': option 'widths' is 5"):
        build("unet", TREE, in_channels=3, backbone="conv", backbone_options={"widths": 5})
    with pytest.raises(PluginError, match=r"backbone options \(widths\) without the name of a backbone"):
        build("unet", TREE, in_channels=3, backbone_options={"widths": [4]})
    with pytest.raises(PluginError, match="in_channels must be at least 1, not 0"):
        build("unet", TREE, in_channels=0)


def test_an_image_with_other_bands_is_refused() -> None:
    with pytest.raises(ValueError, match=r"takes images \(B, 3, H, W\), not \(1, 4, 8, 8\)"):
        small()(torch.randn(1, 4, 8, 8))
    with pytest.raises(ValueError, match=r"not \(3, 8, 8\)"):
        small()(torch.randn(3, 8, 8))
