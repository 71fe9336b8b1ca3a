"""Backbones with torchgeo's pretrained weights, for bands of your own."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from hieratk.errors import PluginError
from hieratk.protocols import Backbone


def torchgeo(
    in_channels: int,
    *,
    model: Literal["resnet18", "resnet50", "resnet152"] = "resnet50",
    weights: str | None = None,
    file: str | None = None,
    bands: tuple[int, ...] | None = None,
) -> Backbone:
    """A ResNet of torchgeo with weights learned on satellite images: five maps at strides 2, 4, 8, 16, 32.

    Args:
        in_channels: bands of the image.
        weights: a name of torchgeo, such as "ResNet50_Weights.SENTINEL2_ALL_MOCO"; torchgeo's own loader fetches them.
        file: the file of those weights, in place of fetching them.
        bands: which of the weights' bands your image has, in your order, counted from 1 as the weights' `meta` lists
            them; needed where the image has another number of bands than the weights.
    """
    from torchgeo.models import get_model, list_models  # takes seconds to import

    name = "backbone 'torchgeo'"
    if model not in list_models():
        raise PluginError(f"{name}: this torchgeo has no model '{model}'")
    if weights is None:
        if file or bands:
            raise PluginError(f"{name}: `file` and `bands` are those of `weights`; name them")
        return ResNetBackbone(get_model(model, in_chans=in_channels, features_only=True))
    chosen = _weight(name, model, weights)
    have = int(chosen.meta["in_chans"])
    taken = tuple(range(1, have + 1)) if bands is None else bands
    if len(taken) != in_channels or not all(1 <= band <= have for band in taken):
        listed = ", ".join(map(str, chosen.meta.get("bands") or ())) or "not listed"
        raise PluginError(
            f"{name}: {weights} has {have} bands ({listed}), the image {in_channels}; say which as `bands`, "
            f"{in_channels} numbers from 1 to {have}"
        )
    network = get_model(model, in_chans=have, features_only=True)
    _fill(name, network, _state(name, chosen, file))
    if taken != tuple(range(1, have + 1)):
        _choose_bands(network, [band - 1 for band in taken])
    return ResNetBackbone(network)


class ResNetBackbone(nn.Module):
    """A features_only network of timm, as torchgeo makes them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        info: Any = network.feature_info
        self.channels: tuple[int, ...] = tuple(info.channels())
        self.strides: tuple[int, ...] = tuple(info.reduction())
        self.network = network

    def forward(self, image: Tensor) -> list[Tensor]:
        return list(self.network(image))


def _weight(name: str, model: str, weights: str) -> Any:
    from torchgeo.models import get_weight

    try:
        chosen: Any = get_weight(weights)
    except (ValueError, KeyError):
        raise PluginError(f"{name}: torchgeo has no weights '{weights}'; see torchgeo.models") from None
    if chosen.meta.get("model") != model:
        raise PluginError(f"{name}: {weights} are of {chosen.meta.get('model')}, not of {model}")
    return chosen


def _state(name: str, chosen: Any, file: str | None) -> dict[str, Tensor]:
    if file is None:
        state: dict[str, Tensor] = chosen.get_state_dict(progress=True)
        return state
    if not Path(file).is_file():
        raise PluginError(f"{name}: there is no file {file}")
    if file.endswith(".safetensors"):
        from safetensors.torch import load_file

        return load_file(file)
    read: dict[str, Tensor] = torch.load(file, map_location="cpu", weights_only=True)
    return read


def _fill(name: str, network: nn.Module, state: dict[str, Tensor]) -> None:
    try:
        told = network.load_state_dict(state, strict=False)
    except RuntimeError as error:
        raise PluginError(f"{name}: the weights do not fit: {str(error).splitlines()[-1].strip()}") from error
    strange = [key for key in told.unexpected_keys if not key.startswith("fc.")]
    if told.missing_keys or strange:
        raise PluginError(
            f"{name}: the weights do not fit: {len(told.missing_keys)} are missing, {len(strange)} unknown "
            f"({', '.join([*told.missing_keys, *strange][:3])})"
        )


def _choose_bands(network: Any, bands: list[int]) -> None:
    """Keep the first convolution's filters over some bands, scaled so that their sum over equal bands stays."""
    old = network.conv1
    kept = ("out_channels", "kernel_size", "stride", "padding", "dilation")
    made = nn.Conv2d(len(bands), bias=old.bias is not None, **{key: getattr(old, key) for key in kept})
    with torch.no_grad():
        made.weight.copy_(old.weight[:, bands] * (old.in_channels / len(bands)))
    network.conv1 = made
