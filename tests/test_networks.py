"""The built-in backbone and U-Net: the contract, what they promise about windows, and that they learn."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from hieratk.errors import PluginError
from hieratk.heads import NodeHead
from hieratk.models import HierarchicalModel, count_parameters
from hieratk.networks import conv, unet
from hieratk.taxonomy.tree import Taxonomy
from hieratk.testing import PoolBackbone, check_backbone, check_model, report

TREE = Taxonomy.from_outline({"land": {"a": 1, "b": 2}, "water": 3})


def test_conv_keeps_the_contract() -> None:
    checks = check_backbone(conv)
    assert all(check.passed for check in checks), report(checks)


def test_unet_keeps_the_contract() -> None:
    checks = check_model(unet, strides=((1, 2, 4, 8), (4, 8, 16, 32), (2,), (4, 8, 8), (7, 14)))
    assert all(check.passed for check in checks), report(checks)


@pytest.mark.parametrize("options", [{"norm": "group"}, {"spectral": 0}, {"depth": 1, "widths": (6,)}, {"depth": 4}])
def test_conv_keeps_it_with_other_options(options: dict[str, object]) -> None:
    checks = check_backbone(conv, options=options, bands=(3,))
    assert all(check.passed for check in checks), report(checks)


def test_the_default_has_half_a_million_parameters() -> None:
    net = unet(6, backbone=None)
    assert isinstance(net, torch.nn.Module)
    assert 400_000 < count_parameters(net) < 600_000


def test_two_hundred_bands_cost_little_more_than_six() -> None:
    few, many = conv(6), conv(200)
    assert isinstance(few, torch.nn.Module)
    assert isinstance(many, torch.nn.Module)
    assert count_parameters(many) - count_parameters(few) == 194 * 32


def test_odd_sizes_round_up() -> None:
    features = conv(3, widths=(4, 4, 4))(torch.randn(1, 3, 13, 6))
    assert [tuple(f.shape[-2:]) for f in features] == [(13, 6), (7, 3), (4, 2)]


@pytest.mark.parametrize("norm", ["batch", "group"])
def test_with_batch_norm_a_pixel_does_not_feel_the_window(norm: str) -> None:
    torch.manual_seed(0)
    net = unet(3, backbone=conv(3, widths=(8, 8, 8), norm=norm), norm=norm)  # type: ignore[arg-type]
    assert isinstance(net, torch.nn.Module)
    scene = torch.randn(1, 3, 128, 128) * torch.linspace(0.1, 3, 128)
    with torch.no_grad():
        net.train()(scene)  # running statistics other than the initial ones
        whole = net.eval()(scene)[..., 56:72, 56:72]
        window = net(scene[..., 32:96, 32:96])[..., 24:40, 24:40]
    gap = float((whole - window).abs().max() / whole.abs().max())
    assert gap < 1e-5 if norm == "batch" else gap > 1e-3


def test_narrowing_before_enlarging_is_the_same() -> None:
    weight, x = torch.randn(5, 7, 1, 1), torch.randn(2, 7, 6, 9)

    def up(maps: torch.Tensor) -> torch.Tensor:
        return F.interpolate(maps, size=(12, 17), mode="bilinear", align_corners=False)

    torch.testing.assert_close(up(F.conv2d(x, weight)), F.conv2d(up(x), weight), atol=1e-5, rtol=1e-4)


def test_signals_keep_their_size_through_depth() -> None:
    torch.manual_seed(0)
    net = unet(4, backbone=conv(4, widths=(16, 16, 16, 16, 16), depth=3), depth=3)
    image = torch.randn(2, 4, 64, 64)
    out = net(image)
    assert 0.1 < float(out.detach().std()) < 10
    out.square().mean().backward()
    norms = [float(p.grad.norm()) for p in net.parameters() if p.grad is not None and p.ndim == 4]
    assert max(norms) / min(norms) < 1e4


def test_wrong_widths_are_explained() -> None:
    with pytest.raises(
        PluginError, match=r"'widths' has 3 numbers, its backbone has 3 scales \(strides 4, 8, 16\) and so needs 2"
    ):
        unet(3, backbone=PoolBackbone(3, (4, 8, 16)), widths=(8, 8, 8))
    with pytest.raises(PluginError, match="'widths' must be at least 1, not 0"):
        conv(3, widths=(8, 0))
    with pytest.raises(PluginError, match="'depth' must be at least 1, not -1"):
        unet(3, backbone=None, depth=-1)


def test_it_learns_position_and_texture() -> None:
    """Classes that one pixel cannot tell apart (stripes across and along): only context separates them."""
    torch.manual_seed(0)
    rows, columns = torch.arange(32).view(-1, 1), torch.arange(32).view(1, -1)
    across, along = ((axis // 2 % 2).float().expand(32, 32) for axis in (rows, columns))
    truth = (columns >= 16).long().expand(32, 32)
    image = torch.where(truth.bool(), across, along).view(1, 1, 32, 32)
    net = unet(1, backbone=conv(1, widths=(8, 16, 16)))
    model = HierarchicalModel(net, NodeHead(net.channels, 2), taxonomy=TREE, in_channels=1)
    optimiser = torch.optim.AdamW(model.parameters(), lr=5e-3)
    batch, wanted = image.repeat(4, 1, 1, 1), truth.repeat(4, 1, 1)
    for _ in range(40):
        optimiser.zero_grad()
        F.cross_entropy(model(batch + 0.1 * torch.randn_like(batch)), wanted).backward()
        optimiser.step()
    with torch.no_grad():
        hits = (model.eval()(image).argmax(1) == truth).float().mean()
    assert float(hits) > 0.95
