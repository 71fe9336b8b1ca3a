"""Encoders of segmentation-models-pytorch and feature networks of timm as hieratk backbones."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from typing import Any, Literal

import timm as timm_library
import torch
from segmentation_models_pytorch.encoders import get_encoder, get_encoder_names
from torch import Tensor, nn

from hieratk.errors import PluginError
from hieratk.protocols import Backbone


def timm(
    in_channels: int,
    *,
    model: str,
    pretrained: bool = False,
    weights: str | None = None,
    scales: tuple[int, ...] | None = None,
    arguments: dict[str, Any] | None = None,
) -> Backbone:
    """Any model of timm that gives feature maps, for any band count.

    Args:
        in_channels: bands of the image.
        model: timm's name, such as "resnet50" or "convnext_tiny.fb_in22k".
        pretrained: fetch timm's weights from its hub.
        weights: a file of weights (.safetensors, .pth) in the model's own names, read by timm's own loader; with it
            `pretrained` says nothing. The first convolution is fitted to other band counts as timm does: its three
            filters are repeated and scaled, or summed for one band.
        scales: which of the model's feature maps to give, as indices; None gives all.
        arguments: further arguments of `timm.create_model`, such as {"drop_path_rate": 0.1}.

    Models with a fixed image size are told to take any (timm's `dynamic_img_size` or `strict_img_size`).
    """
    if weights is not None and not Path(weights).is_file():
        raise PluginError(f"backbone 'timm': there is no file {weights}; give a .safetensors or .pth file, or nothing")
    if not timm_library.is_model(model):
        near = timm_library.list_models(f"*{model}*")[:5]
        hint = f"; names that contain it: {', '.join(near)}" if near else "; see timm.list_models()"
        raise PluginError(f"backbone 'timm': timm {timm_library.__version__} has no model '{model}'{hint}")
    given: dict[str, Any] = {"in_chans": in_channels, "features_only": True, **_any_size(model), **(arguments or {})}
    if scales is not None:
        given["out_indices"] = tuple(scales)
    if weights is not None:
        given |= {"pretrained": True, "pretrained_cfg_overlay": {"file": weights}}
    else:
        given["pretrained"] = pretrained
    try:
        network = timm_library.create_model(model, **given)
    except Exception as error:  # timm raises what its models raise
        raise PluginError(
            f"backbone 'timm': model '{model}' cannot be made: {type(error).__name__}: {error}"
        ) from error
    return TimmBackbone(network)


def smp(
    in_channels: int, *, encoder: str = "resnet34", weights: str | None = None, output_stride: Literal[8, 16, 32] = 32
) -> Backbone:
    """Any encoder of segmentation-models-pytorch, in full depth.

    Args:
        in_channels: bands of the image.
        encoder: its name there, such as "resnet34", "mit_b0" or "tu-convnext_tiny".
        weights: a name of pretrained weights there, such as "imagenet", which are then fetched; None for random ones.
        output_stride: 8 or 16 widens the convolutions of the last stages instead of halving the map, where the encoder
            can.
    """
    if not encoder.startswith("tu-") and encoder not in get_encoder_names():
        near = [name for name in get_encoder_names() if encoder in name or name in encoder][:5]
        hint = (
            f"; near: {', '.join(near)}" if near else "; see segmentation_models_pytorch.encoders.get_encoder_names()"
        )
        raise PluginError(f"backbone 'smp': there is no encoder '{encoder}'{hint}")
    try:
        network = get_encoder(encoder, in_channels=in_channels, depth=5, weights=weights, output_stride=output_stride)
    except Exception as error:  # encoders refuse depths, strides and weights in their own ways
        raise PluginError(
            f"backbone 'smp': encoder '{encoder}' cannot be made: {type(error).__name__}: {error}"
        ) from error
    return SmpBackbone(network, output_stride=output_stride)


class TimmBackbone(nn.Module):
    """A features_only model of timm."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        info: Any = network.feature_info
        self.channels: tuple[int, ...] = tuple(info.channels())
        self.strides: tuple[int, ...] = tuple(info.reduction())
        # Some models keep channels last; the wrapper of timm says so, or the model in it.
        self.channels_last = getattr(network, "output_fmt", "NCHW") == "NHWC"
        self.network = network

    def forward(self, image: Tensor) -> list[Tensor]:
        features = self.network(image)
        return [feature.permute(0, 3, 1, 2) for feature in features] if self.channels_last else list(features)


class SmpBackbone(nn.Module):
    """An encoder of smp without the image itself, which it gives first, and without its empty placeholders."""

    def __init__(self, network: nn.Module, *, output_stride: int = 32) -> None:
        super().__init__()
        widths: Any = network.out_channels
        self.kept = tuple(k for k, width in enumerate(widths) if k > 0 and width > 0)
        self.channels: tuple[int, ...] = tuple(int(widths[k]) for k in self.kept)
        self.strides: tuple[int, ...] = tuple(min(2**k, output_stride) for k in self.kept)
        self.network = network

    def forward(self, image: Tensor) -> list[Tensor]:
        features = self.network(image)
        return [features[k] for k in self.kept]


def _any_size(model: str) -> dict[str, Any]:
    """What tells this model to take images of any size; found in its own signature, on the meta device for speed."""
    with torch.device("meta"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            made = timm_library.create_model(model, pretrained=False)
        except Exception:  # a few models compute with weights while they are made; those are not of a fixed size
            return {}
    taken = inspect.signature(type(made).__init__).parameters
    if "dynamic_img_size" in taken:
        return {"dynamic_img_size": True}
    if "strict_img_size" in taken:
        return {"strict_img_size": False}
    return {}
