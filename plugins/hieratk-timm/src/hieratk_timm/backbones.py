"""Any feature network of timm as a hieratk backbone."""

from __future__ import annotations

import inspect
import warnings
from pathlib import Path
from typing import Any

import timm as timm_library
import torch
from torch import Tensor, nn

from hieratk.errors import PluginError
from hieratk.protocols import Backbone

ELSEWHERE = ("hf-hub:", "local-dir:")
"""How timm writes a model that is described outside it: on the hub, or in a folder with config.json."""


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
        model: timm's name, such as "resnet50" or "convnext_tiny.fb_in22k"; "hf-hub:name" for one of the hub,
            "local-dir:folder" for one in a folder.
        pretrained: let timm's own loader fetch its weights: from the hub, or from the folder of "local-dir:".
        weights: a file of weights (.safetensors, .pth) in the model's own names, read by timm's own loader; with it
            `pretrained` says nothing. The first convolution is fitted to other band counts as timm does: its three
            filters are repeated and scaled, or summed for one band.
        scales: which of the model's feature maps to give, as indices; None gives all.
        arguments: further arguments of `timm.create_model`, such as {"drop_path_rate": 0.1}.

    Models with a fixed image size are told to take any (timm's `dynamic_img_size` or `strict_img_size`).
    """
    if weights is not None and not Path(weights).is_file():
        raise PluginError(f"backbone 'timm': there is no file {weights}; give a .safetensors or .pth file, or nothing")
    if not model.startswith(ELSEWHERE) and not timm_library.is_model(model):
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
