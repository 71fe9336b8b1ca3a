"""One factory a decoder of segmentation-models-pytorch. All go through `SmpNet`; the signatures are the options.

Each takes any hieratk backbone. Where a run names none, `encoder` and `weights` say which of smp's own to take, as in
`hieratk_smp.backbones.smp`. smp's segmentation heads are not used: hieratk's node head stands in their place.
"""

from __future__ import annotations

import itertools
import math
from typing import Literal

from segmentation_models_pytorch.decoders.deeplabv3.decoder import DeepLabV3Decoder, DeepLabV3PlusDecoder
from segmentation_models_pytorch.decoders.fpn.decoder import FPNDecoder
from segmentation_models_pytorch.decoders.linknet.decoder import LinknetDecoder
from segmentation_models_pytorch.decoders.manet.decoder import MAnetDecoder
from segmentation_models_pytorch.decoders.pspnet.decoder import PSPDecoder
from segmentation_models_pytorch.decoders.segformer.decoder import SegformerDecoder
from segmentation_models_pytorch.decoders.unet.decoder import UnetDecoder
from segmentation_models_pytorch.decoders.unetplusplus.decoder import UnetPlusPlusDecoder
from segmentation_models_pytorch.decoders.upernet.decoder import UPerNetDecoder
from torch import nn

from hieratk.errors import PluginError
from hieratk.protocols import Backbone, SegmentationNet
from hieratk_smp.backbones import smp
from hieratk_smp.nets import SmpNet

Attention = Literal["scse"]


def unet(
    in_channels: int,
    *,
    backbone: Backbone | None,
    encoder: str = "resnet34",
    weights: str | None = None,
    widths: tuple[int, ...] = (16, 32, 64, 128, 256),
    attention: Attention | None = None,
) -> SegmentationNet:
    """U-Net. `widths`: decoder channels at strides 1, 2, 4, ...; a shallow backbone takes the first of them.

    `attention`: "scse" weighs channels and pixels of every decoder stage; its widths are then at least 16.
    """
    encoder_ = smp(in_channels, encoder=encoder, weights=weights) if backbone is None else backbone
    widths = _widths("smp-unet", encoder_, widths, least=16 if attention else 1)

    def make(channels: list[int]) -> nn.Module:
        decoder = UnetDecoder(channels, widths[::-1], n_blocks=len(widths), attention_type=attention)
        # The last block gets no map from the encoder, and smp never calls the attention over one.
        decoder.blocks[-1].attention1 = nn.Identity()
        return decoder

    return SmpNet(
        encoder_,
        make,
        family="full",
        channels=widths[0],
        name="smp-unet",
    )


def unetplusplus(
    in_channels: int,
    *,
    backbone: Backbone | None,
    encoder: str = "resnet34",
    weights: str | None = None,
    widths: tuple[int, ...] = (16, 32, 64, 128, 256),
    attention: Attention | None = None,
) -> SegmentationNet:
    """U-Net++. `widths` as in `smp-unet`. The backbone needs a map at stride 2."""
    encoder_ = smp(in_channels, encoder=encoder, weights=weights) if backbone is None else backbone
    widths = _widths("smp-unetplusplus", encoder_, widths, least=16 if attention else 1)
    if encoder_.strides[0] > 2:
        raise PluginError(
            f"smp-unetplusplus: the finest map of the backbone has stride {encoder_.strides[0]}, the decoder needs one "
            "of stride 2; smp-unet does not"
        )

    def make(channels: list[int]) -> nn.Module:
        decoder = UnetPlusPlusDecoder(channels, widths[::-1], n_blocks=len(widths), attention_type=attention)
        decoder.blocks[f"x_0_{decoder.depth}"].attention1 = nn.Identity()  # as in smp-unet
        return decoder

    return SmpNet(
        encoder_,
        make,
        family="full",
        channels=widths[0],
        name="smp-unetplusplus",
    )


def manet(
    in_channels: int,
    *,
    backbone: Backbone | None,
    encoder: str = "resnet34",
    weights: str | None = None,
    widths: tuple[int, ...] = (16, 32, 64, 128, 256),
    attention_width: int = 64,
) -> SegmentationNet:
    """MA-Net. `widths` as in `smp-unet`; `attention_width`: channels of the position attention at the coarsest map."""
    encoder_ = smp(in_channels, encoder=encoder, weights=weights) if backbone is None else backbone
    widths = _widths("smp-manet", encoder_, widths)
    return SmpNet(
        encoder_,
        lambda channels: MAnetDecoder(channels, widths[::-1], n_blocks=len(widths), pab_channels=attention_width),
        family="full",
        channels=widths[0],
        name="smp-manet",
    )


def linknet(
    in_channels: int,
    *,
    backbone: Backbone | None,
    encoder: str = "resnet34",
    weights: str | None = None,
    width: int = 32,
) -> SegmentationNet:
    """LinkNet. `width`: channels of the last decoder stage; those before take the backbone's."""
    encoder_ = smp(in_channels, encoder=encoder, weights=weights) if backbone is None else backbone
    return SmpNet(
        encoder_,
        lambda channels: LinknetDecoder(channels, prefinal_channels=width, n_blocks=len(channels) - 1),
        family="full",
        channels=width,
        name="smp-linknet",
    )


def fpn(
    in_channels: int,
    *,
    backbone: Backbone | None,
    encoder: str = "resnet34",
    weights: str | None = None,
    pyramid_width: int = 256,
    width: int = 128,
    merge: Literal["add", "cat"] = "add",
    dropout: float = 0.2,
) -> SegmentationNet:
    """Feature pyramid over the backbone's last four maps, merged by sum or side by side.

    `width` is a multiple of 32, from 64 on: smp normalises these channels in 32 groups, and a group of one channel is
    undefined at one pixel.
    """
    if width < 64 or width % 32:
        raise PluginError(f"smp-fpn: option 'width' must be a multiple of 32 from 64 on, not {width}")
    encoder_ = smp(in_channels, encoder=encoder, weights=weights) if backbone is None else backbone
    _four_maps("smp-fpn", encoder_)
    return SmpNet(
        encoder_,
        lambda channels: FPNDecoder(
            channels,
            pyramid_channels=pyramid_width,
            segmentation_channels=width,
            dropout=dropout,
            merge_policy=merge,
        ),
        family="pyramid",
        channels=width if merge == "add" else 4 * width,
        name="smp-fpn",
    )


def upernet(
    in_channels: int,
    *,
    backbone: Backbone | None,
    encoder: str = "resnet34",
    weights: str | None = None,
    width: int = 256,
) -> SegmentationNet:
    """UPerNet over the backbone's last four maps: pyramid pooling on the coarsest, then a feature pyramid."""
    encoder_ = smp(in_channels, encoder=encoder, weights=weights) if backbone is None else backbone
    return SmpNet(
        encoder_,
        lambda channels: UPerNetDecoder(channels, encoder_depth=max(3, len(channels) - 1), decoder_channels=width),
        family="pyramid",
        channels=width,
        name="smp-upernet",
    )


def segformer(
    in_channels: int,
    *,
    backbone: Backbone | None,
    encoder: str = "mit_b0",
    weights: str | None = None,
    width: int = 256,
) -> SegmentationNet:
    """SegFormer's decoder over the backbone's last four maps: one linear layer a map, then one for all."""
    encoder_ = smp(in_channels, encoder=encoder, weights=weights) if backbone is None else backbone
    return SmpNet(
        encoder_,
        lambda channels: SegformerDecoder(channels, segmentation_channels=width),
        family="pyramid",
        channels=width,
        name="smp-segformer",
    )


def deeplabv3plus(
    in_channels: int,
    *,
    backbone: Backbone | None,
    encoder: str = "resnet34",
    weights: str | None = None,
    output_stride: Literal[8, 16] = 16,
    width: int = 256,
    rates: tuple[int, int, int] = (12, 24, 36),
    dropout: float = 0.5,
) -> SegmentationNet:
    """DeepLabV3+: dilated pooling on the coarsest map, joined with the finest of the last four.

    `output_stride` is that of smp's own encoder; a hieratk backbone keeps its own.
    """
    encoder_ = (
        smp(in_channels, encoder=encoder, weights=weights, output_stride=output_stride)
        if backbone is None
        else backbone
    )
    used = encoder_.strides[-4:]

    def make(channels: list[int]) -> nn.Module:
        decoder = DeepLabV3PlusDecoder(channels, 5, width, rates, 16, aspp_separable=True, aspp_dropout=dropout)
        # smp knows two distances between the two maps; a backbone may have any.
        decoder.up = nn.Upsample(mode="bilinear", scale_factor=used[-1] / used[0], align_corners=True)
        return decoder

    return SmpNet(encoder_, make, family="pyramid", channels=width, name="smp-deeplabv3plus")


def deeplabv3(
    in_channels: int,
    *,
    backbone: Backbone | None,
    encoder: str = "resnet34",
    weights: str | None = None,
    output_stride: Literal[8, 16] = 8,
    width: int = 256,
    rates: tuple[int, int, int] = (12, 24, 36),
    dropout: float = 0.5,
) -> SegmentationNet:
    """DeepLabV3: dilated pooling on the coarsest map alone. `output_stride` as in `smp-deeplabv3plus`."""
    encoder_ = (
        smp(in_channels, encoder=encoder, weights=weights, output_stride=output_stride)
        if backbone is None
        else backbone
    )
    return SmpNet(
        encoder_,
        lambda channels: DeepLabV3Decoder(channels[-1], width, rates, aspp_separable=False, aspp_dropout=dropout),
        family="coarsest",
        channels=width,
        name="smp-deeplabv3",
    )


def pspnet(
    in_channels: int,
    *,
    backbone: Backbone | None,
    encoder: str = "resnet34",
    weights: str | None = None,
    output_stride: Literal[8, 16, 32] = 8,
    width: int = 512,
    dropout: float = 0.2,
) -> SegmentationNet:
    """PSPNet: pyramid pooling on the coarsest map alone. `output_stride` as in `smp-deeplabv3plus`."""
    encoder_ = (
        smp(in_channels, encoder=encoder, weights=weights, output_stride=output_stride)
        if backbone is None
        else backbone
    )
    return SmpNet(
        encoder_,
        lambda channels: PSPDecoder(channels, out_channels=width, dropout=dropout),
        family="coarsest",
        channels=width,
        name="smp-pspnet",
    )


def _widths(name: str, backbone: Backbone, widths: tuple[int, ...], *, least: int = 1) -> tuple[int, ...]:
    """The widths for strides 1, 2, ... up to half the backbone's coarsest."""
    needed = max(1, round(math.log2(backbone.strides[-1])))
    if len(widths) < needed or min(widths) < least:
        raise PluginError(
            f"{name}: option 'widths' needs {needed} numbers of at least {least} for this backbone, not {widths}"
        )
    return tuple(widths[:needed])


def _four_maps(name: str, backbone: Backbone) -> None:
    last = backbone.strides[-4:]
    if len(last) < 4 or any(b != 2 * a for a, b in itertools.pairwise(last)):
        raise PluginError(
            f"{name}: the backbone has maps at strides {', '.join(map(str, backbone.strides))}; it needs four at the "
            "end that double from one to the next. smp-upernet and smp-segformer take others"
        )
