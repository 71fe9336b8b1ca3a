"""Encoders of segmentation-models-pytorch as hieratk backbones."""

from __future__ import annotations

from typing import Any, Literal

from segmentation_models_pytorch.encoders import get_encoder, get_encoder_names
from torch import Tensor, nn

from hieratk.errors import PluginError
from hieratk.protocols import Backbone


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
