"""The vision backbones of transformers as hieratk backbones."""

from __future__ import annotations

import math
from typing import Any, Literal

from torch import Tensor, nn
from transformers import AutoBackbone, SegformerModel
from transformers.models.auto.modeling_auto import MODEL_FOR_BACKBONE_MAPPING

from hieratk.errors import PluginError
from hieratk.protocols import Backbone
from hieratk_transformers.loading import configure, load, read_config, survey
from hieratk_transformers.sizes import SIZES


def swin(
    in_channels: int,
    *,
    size: Literal["tiny", "small", "base", "large"] = "tiny",
    weights: str | None = None,
    drop_path: float = 0.1,
    window: int = 7,
    config: dict[str, Any] | None = None,
) -> Backbone:
    """Swin Transformer: four maps at strides 4, 8, 16, 32. `window`: side of an attention window in cells.

    The options that all backbones of this package have: `weights` is a folder that transformers has written, or a name
    of its hub (`size` and the like are then those of the weights); filters over other band counts are repeated and
    scaled. `drop_path` is the largest share of images for which a block is left out in training. `config` sets further
    fields of the configuration.
    """
    return _made("backbone 'hf-swin'", "swin", size, weights, in_channels, config, drop_path, window_size=window)


def convnext(
    in_channels: int,
    *,
    size: Literal["tiny", "small", "base", "large"] = "tiny",
    weights: str | None = None,
    drop_path: float = 0.1,
    config: dict[str, Any] | None = None,
) -> Backbone:
    """ConvNeXt: four maps at strides 4, 8, 16, 32. Options as in `hf-swin`."""
    return _made("backbone 'hf-convnext'", "convnext", size, weights, in_channels, config, drop_path)


def beit(
    in_channels: int,
    *,
    size: Literal["base", "large"] = "base",
    weights: str | None = None,
    drop_path: float = 0.1,
    config: dict[str, Any] | None = None,
) -> Backbone:
    """BEiT: four of its layers, brought to strides 4, 8, 16 and 32 as its authors do for UPerNet. Options as in
    `hf-swin`.
    """
    return _made("backbone 'hf-beit'", "beit", size, weights, in_channels, config, drop_path)


def dinov2(
    in_channels: int,
    *,
    size: Literal["small", "base", "large", "giant"] = "small",
    weights: str | None = None,
    drop_path: float = 0.0,
    config: dict[str, Any] | None = None,
) -> Backbone:
    """DINOv2: four of its layers, all at stride 14 (the patch). Decoders that want maps that halve refuse them;
    `hf-upernet` and `smp-upernet` take them. Options as in `hf-swin`.
    """
    return _made("backbone 'hf-dinov2'", "dinov2", size, weights, in_channels, config, drop_path)


def mit(
    in_channels: int,
    *,
    size: Literal["b0", "b1", "b2", "b3", "b4", "b5"] = "b0",
    weights: str | None = None,
    drop_path: float = 0.1,
    config: dict[str, Any] | None = None,
) -> Backbone:
    """MiT, the encoder of SegFormer: four maps at strides 4, 8, 16, 32. Options as in `hf-swin`."""
    return _made("backbone 'hf-mit'", "segformer", size, weights, in_channels, config, drop_path)


def auto(
    in_channels: int,
    *,
    weights: str | None = None,
    architecture: str | None = None,
    layers: tuple[int, ...] | None = None,
    config: dict[str, Any] | None = None,
) -> Backbone:
    """Any other backbone of transformers: of `weights` (a folder, or a name of the hub), or, with random weights, of an
    `architecture` (its `model_type`, such as "pvt_v2" or "dinov3_vit").

    Args:
        layers: which of its stages to give, as indices into `stage_names`; by default those of its configuration.
        config: further fields of the configuration.
    """
    name = "backbone 'hf-auto'"
    if (weights is None) == (architecture is None):
        raise PluginError(f"{name}: give either `weights` or `architecture`")
    fields = dict(config or {}) | ({} if layers is None else {"out_indices": list(layers)})
    if weights is not None:
        made = _with(read_config(name, weights), fields)
        return _backbone(name, made, weights, in_channels)
    assert architecture is not None
    return _backbone(name, configure(name, architecture, fields, {"num_channels": in_channels}), None, in_channels)


class TransformersBackbone(nn.Module):
    """A backbone of transformers; parameters that no feature map depends on are frozen."""

    def __init__(self, network: nn.Module, *, strides: tuple[int, ...], channels: tuple[int, ...]) -> None:
        super().__init__()
        self.channels = channels
        self.strides = strides
        self.network = network

    def forward(self, image: Tensor) -> list[Tensor]:
        return feature_maps(self.network, image)


def feature_maps(network: nn.Module, image: Tensor) -> list[Tensor]:
    """The maps (B, C, h, w) of a backbone of transformers, or of SegFormer's encoder."""
    if isinstance(network, SegformerModel):
        return list(network(image, output_hidden_states=True).hidden_states)
    return list(network(image).feature_maps)


def wrap(name: str, network: nn.Module, config: Any) -> TransformersBackbone:
    """A network of transformers as a hieratk backbone."""
    patch = getattr(config, "patch_size", 1)
    patch = patch if isinstance(patch, int) else math.lcm(*patch)
    side = math.ceil(max(32, 2 * patch) / patch) * patch
    try:
        channels, strides, unused = survey(network, feature_maps, config.num_channels, side)
    except Exception as error:
        raise PluginError(
            f"{name}: {type(network).__name__} gives no feature maps of an image {side} x {side}: "
            f"{type(error).__name__}: {error}"
        ) from error
    if list(strides) != sorted(strides):
        raise PluginError(f"{name}: {type(network).__name__} gives maps at strides {strides}, which must not decrease")
    for parameter in unused:
        network.get_parameter(parameter).requires_grad_(False)
    return TransformersBackbone(network, strides=strides, channels=channels)


def build(config: Any) -> Any:
    """A network with random weights from a configuration."""
    return SegformerModel(config) if config.model_type == "segformer" else AutoBackbone.from_config(config)


def _made(
    name: str,
    model_type: str,
    size: str,
    weights: str | None,
    in_channels: int,
    config: dict[str, Any] | None,
    drop_path: float,
    **fields: Any,
) -> TransformersBackbone:
    chosen = dict(SIZES[model_type][size])
    if model_type == "dinov2":
        chosen["use_mask_token"] = False  # it stands for hidden patches while pretraining
    rate = {"drop_path_rate": drop_path}
    if weights is None:
        given = configure(name, model_type, chosen, rate, fields, config or {}, {"num_channels": in_channels})
        return _backbone(name, given, None, in_channels)
    read = read_config(name, weights)
    if read.model_type != model_type:
        raise PluginError(f"{name}: the weights at '{weights}' are of {read.model_type}, not of {model_type}")
    maps: dict[str, Any] = {key: chosen[key] for key in ("out_features", "add_fpn") if key in chosen}
    if "out_indices" in chosen:
        maps["out_indices"] = [read.num_hidden_layers * k // 4 for k in (1, 2, 3, 4)]
    return _backbone(name, _with(read, maps | rate | (config or {})), weights, in_channels)


def _with(config: Any, fields: dict[str, Any]) -> Any:
    """The configuration with fields set; which maps it gives comes last, since it depends on the others."""
    for key, value in sorted(fields.items(), key=lambda item: item[0].startswith("out_")):
        setattr(config, key, value)
    return config


def _backbone(name: str, config: Any, weights: str | None, in_channels: int) -> TransformersBackbone:
    if weights is None:
        try:
            network = build(config)
        except Exception as error:
            raise PluginError(f"{name}: cannot be made: {type(error).__name__}: {error}") from error
        return wrap(name, network, config)
    # The class itself reads folders; AutoBackbone asks the hub first.
    kind = SegformerModel if config.model_type == "segformer" else MODEL_FOR_BACKBONE_MAPPING.get(type(config), None)
    if kind is None:
        raise PluginError(f"{name}: transformers has no backbone of {config.model_type}")
    network = load(name, kind, weights, config, in_channels, build)
    return wrap(name, network, network.config)
