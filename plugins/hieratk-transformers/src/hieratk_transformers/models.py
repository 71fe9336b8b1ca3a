"""SegFormer and UPerNet of transformers as hieratk models. Their classifiers are not used: hieratk's node head stands
in their place.
"""

from __future__ import annotations

from typing import Any, Literal

from torch import Tensor, nn
from transformers import SegformerForSemanticSegmentation, UperNetForSemanticSegmentation
from transformers.models.segformer.modeling_segformer import SegformerDecodeHead
from transformers.models.upernet.modeling_upernet import UperNetHead

from hieratk.errors import PluginError
from hieratk.protocols import Backbone, SegmentationNet
from hieratk_transformers import backbones
from hieratk_transformers.loading import configure, load, read_config
from hieratk_transformers.sizes import SIZES


def segformer(
    in_channels: int,
    *,
    backbone: Backbone | None,
    size: Literal["b0", "b1", "b2", "b3", "b4", "b5"] = "b0",
    weights: str | None = None,
    width: int | None = None,
    drop_path: float = 0.1,
) -> SegmentationNet:
    """SegFormer: one linear layer a map, joined by another; at the stride of the finest map.

    Args:
        backbone: anybody's; None takes SegFormer's own encoder of `size`.
        weights: a folder of `SegformerForSemanticSegmentation`, or a name of the hub: encoder and decoder, without the
            classifier. `size` and `width` are then those of the weights.
        width: channels of the decoder; None takes those of the size (256 or 768).
        drop_path: as in `hf-mit`.
    """
    name = "model 'hf-segformer'"
    if weights is not None:
        return _whole_segformer(name, weights, in_channels, backbone, drop_path)
    encoder = backbones.mit(in_channels, size=size, drop_path=drop_path) if backbone is None else backbone
    chosen = SIZES["segformer"][size]["decoder_hidden_size"] if width is None else width
    shape = {"num_encoder_blocks": len(encoder.channels), "hidden_sizes": list(encoder.channels)}
    config = configure(name, "segformer", shape, {"decoder_hidden_size": chosen})
    return DecodedNet(name, encoder, SegformerDecodeHead(config), channels=chosen)


def upernet(
    in_channels: int,
    *,
    backbone: Backbone | None,
    encoder: Literal["swin", "convnext", "beit"] = "convnext",
    size: Literal["tiny", "small", "base", "large"] | None = None,
    weights: str | None = None,
    width: int = 512,
    pool_scales: tuple[int, ...] = (1, 2, 3, 6),
    drop_path: float = 0.1,
) -> SegmentationNet:
    """UPerNet: pyramid pooling on the coarsest map, then a feature pyramid; at the stride of the finest map.

    Its pooling normalises single cells, so batches of one image cannot be trained on.

    Args:
        backbone: anybody's; None takes `encoder` of `size` (its smallest where none is given).
        weights: a folder of `UperNetForSemanticSegmentation`, or a name of the hub: backbone and decoder, without the
            classifier; `encoder`, `size`, `width` and `pool_scales` are then those of the weights.
        width: channels of the decoder. pool_scales: sides of the pooled maps.
        drop_path: as in `hf-swin`.
    """
    name = "model 'hf-upernet'"
    if weights is not None:
        return _whole_upernet(name, weights, in_channels, backbone, drop_path)
    if backbone is None:
        sizes = SIZES[encoder]
        chosen = next(iter(sizes)) if size is None else size
        if chosen not in sizes:
            raise PluginError(f"{name}: option 'size' of {encoder} is one of {', '.join(sizes)}, not {chosen}")
        make: Any = getattr(backbones, encoder)
        backbone = make(in_channels, size=chosen, drop_path=drop_path)
    assert backbone is not None
    shape = {"hidden_size": width, "pool_scales": list(pool_scales)}
    config = configure(name, "upernet", shape, {"use_auxiliary_head": False})
    return DecodedNet(name, backbone, UperNetHead(config, in_channels=list(backbone.channels)), channels=width)


class DecodedNet(nn.Module):
    """A backbone and a decoder of transformers without its dropout and classifier."""

    def __init__(self, name: str, backbone: Backbone, decoder: Any, *, channels: int) -> None:
        super().__init__()
        if not isinstance(backbone, nn.Module):
            raise PluginError(f"{name}: a backbone must be a torch.nn.Module, not a {type(backbone).__name__}")
        self.backbone = backbone
        self.encoder_channels, self.encoder_strides = tuple(backbone.channels), tuple(backbone.strides)
        self.channels, self.stride = channels, self.encoder_strides[0]
        decoder.classifier = nn.Identity()
        if hasattr(decoder, "dropout"):
            decoder.dropout = nn.Identity()  # the node head has its own
        self.decoder = decoder

    def encode(self, image: Tensor) -> list[Tensor]:
        return list(self.backbone(image))

    def decode(self, features: list[Tensor]) -> Tensor:
        decoded: Tensor = self.decoder(features)
        return decoded

    def forward(self, image: Tensor) -> Tensor:
        return self.decode(self.encode(image))


def _whole_segformer(
    name: str, weights: str, in_channels: int, backbone: Backbone | None, drop_path: float
) -> SegmentationNet:
    config = _config(name, weights, "segformer", backbone)
    config.drop_path_rate = drop_path
    kind = SegformerForSemanticSegmentation
    whole: Any = load(name, kind, weights, config, in_channels, kind)
    encoder = backbones.wrap(name, whole.segformer, whole.config)
    return DecodedNet(name, encoder, whole.decode_head, channels=whole.config.decoder_hidden_size)


def _whole_upernet(
    name: str, weights: str, in_channels: int, backbone: Backbone | None, drop_path: float
) -> SegmentationNet:
    config = _config(name, weights, "upernet", backbone)
    config.backbone_config.drop_path_rate = drop_path
    kind = UperNetForSemanticSegmentation
    whole: Any = load(name, kind, weights, config, in_channels, kind, inner="backbone_config")
    encoder = backbones.wrap(name, whole.backbone, whole.config.backbone_config)
    return DecodedNet(name, encoder, whole.decode_head, channels=whole.config.hidden_size)


def _config(name: str, weights: str, model_type: str, backbone: Backbone | None) -> Any:
    if backbone is not None:
        raise PluginError(f"{name}: `weights` hold their own backbone; leave out either the backbone or the weights")
    config = read_config(name, weights)
    if config.model_type != model_type:
        raise PluginError(f"{name}: the weights at '{weights}' are of {config.model_type}, not of {model_type}")
    return config
