"""build(): a model plugin, a backbone plugin and the hierarchical head, as one module from image to node logits."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

from hieratk.errors import PluginError
from hieratk.heads import NodeHead
from hieratk.plugins import check_options, load
from hieratk.protocols import Backbone, SegmentationNet
from hieratk.taxonomy.tree import Taxonomy


class HierarchicalModel(nn.Module):
    """A segmentation net with a node head: image (B, C, H, W) float -> node logits (B, N, H, W), any H, W >= 1.

    Attributes:
        net, head: what it is made of; `net` is a `hieratk.protocols.SegmentationNet`.
        taxonomy: whose nodes the logits mean.
        in_channels: C.
        decoding: the word for the decoder that its logits are made for (`hieratk.decoding.DECODERS`).
        multiple: H and W are padded to a multiple of this (least common multiple of the encoder's strides) by
            repeating the border at the bottom and the right, and logits are cropped back. Repeating, not mirroring
            (chosen): it is defined for one-pixel images too.
    """

    def __init__(self, net: SegmentationNet, head: NodeHead, *, taxonomy: Taxonomy, in_channels: int) -> None:
        super().__init__()
        if not isinstance(net, nn.Module):
            raise PluginError(f"a model must be a torch.nn.Module, not a {type(net).__name__}")
        self.net = net
        self.head = head
        self.taxonomy = taxonomy
        self.in_channels = in_channels
        self.decoding = "best_path"
        self.multiple = math.lcm(*net.encoder_strides)

    def forward(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        padded = self.pad(image)
        return self.read(self.decoded(padded), padded)[..., :height, :width]

    def read(self, features: Tensor, image: Tensor) -> Tensor:
        """Node logits (B, N, H, W) of the decoder's features of an image (B, C, H, W)."""
        logits: Tensor = self.head(features)
        if logits.shape[-2:] != image.shape[-2:]:
            # Logits are interpolated, not probabilities, and the loss sees the result: the same in training and in use.
            logits = F.interpolate(logits, size=image.shape[-2:], mode="bilinear", align_corners=False)
        return logits

    def features(self, image: Tensor) -> Tensor:
        """The decoder's features (B, net.channels, ceil(H / stride), ceil(W / stride)), which the head reads."""
        stride = self.net.stride
        height, width = (math.ceil(size / stride) for size in image.shape[-2:])
        return self.decoded(self.pad(image))[..., :height, :width]

    def scales(self, image: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """The encoder's features of a padded image as the net makes them, and as the decoder gets them: here the same.

        Only for nets with `encode` (`hieratk.protocols.SegmentationNet`).
        """
        features = list(self.net.encode(image))
        return features, features

    def decoded(self, image: Tensor) -> Tensor:
        """The decoder's features of an image whose sides are multiples of `multiple`."""
        features: Tensor = self.net(image)
        return features

    def pad(self, image: Tensor) -> Tensor:
        """The image with sides that are multiples of `multiple`."""
        if image.ndim != 4 or image.shape[1] != self.in_channels:
            raise ValueError(f"the model takes images (B, {self.in_channels}, H, W), not {tuple(image.shape)}")
        bottom, right = (-size % self.multiple for size in image.shape[-2:])
        if bottom or right:
            image = F.pad(image, (0, right, 0, bottom), mode="replicate")
        return image


def build(
    name: str,
    taxonomy: Taxonomy,
    *,
    in_channels: int,
    backbone: str | Backbone | None = None,
    options: Mapping[str, Any] | None = None,
    backbone_options: Mapping[str, Any] | None = None,
    dropout: float = 0.1,
) -> HierarchicalModel:
    """A model by plugin name, with random weights from torch's global generator (unless a plugin loads its own).

    Args:
        name: a plugin of the group `hieratk.models`, such as "unet".
        taxonomy: whose nodes the head gives logits for.
        in_channels: bands of the image.
        backbone: a plugin of the group `hieratk.backbones`, such as "conv"; or a backbone itself; None leaves the
            choice to the model.
        options, backbone_options: options of the two plugins, checked against their signatures before either is called.
        dropout: share of the decoder's feature channels left out in a training step.

    Raises PluginError for an unknown, clashing or broken plugin and for wrong options.
    """
    if in_channels < 1:
        raise PluginError(f"model '{name}': in_channels must be at least 1, not {in_channels}")
    make_net = load("model", name)
    options = check_options(make_net, options or {}, plugin=f"model '{name}'")
    encoder: Backbone | None
    if isinstance(backbone, str):
        make_encoder = load("backbone", backbone)
        checked = check_options(make_encoder, backbone_options or {}, plugin=f"backbone '{backbone}'")
        encoder = make_encoder(in_channels, **checked)
    elif backbone_options:
        raise PluginError(f"backbone options ({', '.join(backbone_options)}) without the name of a backbone plugin")
    else:
        encoder = backbone
    net = make_net(in_channels, backbone=encoder, **options)
    head = NodeHead(net.channels, taxonomy, dropout=dropout)
    return HierarchicalModel(net, head, taxonomy=taxonomy, in_channels=in_channels)


def count_parameters(model: nn.Module) -> int:
    """How many numbers training changes."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
