"""How a decoder of smp is put over any list of feature maps.

smp's decoders want maps at strides 1 (the image), 2, 4, 8, 16, 32. They come in three families, by what they use of it:

- *full*: every scale, up to the size of the image (U-Net, U-Net++, MA-Net, LinkNet);
- *pyramid*: four maps from stride 4 on, at whose finest they answer (FPN, UPerNet, SegFormer, DeepLabV3+);
- *coarsest*: the last map alone (DeepLabV3, PSPNet).

A map with no channels stands for a scale that a backbone lacks; smp does the same for its transformer encoders.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from segmentation_models_pytorch.base.initialization import initialize_decoder
from torch import Tensor, cat, nn

from hieratk.errors import PluginError
from hieratk.protocols import Backbone

Family = Literal["full", "pyramid", "coarsest"]
MakeDecoder = Callable[[list[int]], nn.Module]


class SmpNet(nn.Module):
    """A backbone and a decoder of smp; `make` gets the channels of the list that the decoder will get."""

    def __init__(self, backbone: Backbone, make: MakeDecoder, *, family: Family, channels: int, name: str) -> None:
        super().__init__()
        if not isinstance(backbone, nn.Module):
            raise PluginError(f"{name}: a backbone must be a torch.nn.Module, not a {type(backbone).__name__}")
        self.backbone = backbone
        self.family = family
        self.encoder_channels, self.encoder_strides = tuple(backbone.channels), tuple(backbone.strides)
        self.channels = channels
        if family == "full":
            widths, self.stride = self._full(name), 1
            if self.encoder_strides[0] == 1:
                self.channels += self.encoder_channels[0]
        elif family == "pyramid":
            used = self.encoder_channels[-4:]
            widths, self.stride = [0, 0, *used], self.encoder_strides[-len(used)]
        else:
            widths, self.stride = [0, self.encoder_channels[-1]], self.encoder_strides[-1]
        self.decoder = make(widths)
        initialize_decoder(self.decoder)

    def _full(self, name: str) -> list[int]:
        """Channels at strides 1, 2, 4, ...; 0 where the backbone has no map."""
        by_stride = dict(zip(self.encoder_strides, self.encoder_channels, strict=True))
        wanted = [1]
        while wanted[-1] < self.encoder_strides[-1]:
            wanted.append(2 * wanted[-1])
        finest = self.encoder_strides[0]
        holes = [stride for stride in wanted if stride > finest and stride not in by_stride]
        if (
            holes
            or len(by_stride) < len(self.encoder_strides)
            or len(wanted) < 2
            or wanted[-1] != self.encoder_strides[-1]
        ):
            raise PluginError(
                f"{name}: the backbone has maps at strides {', '.join(map(str, self.encoder_strides))}; it takes "
                "strides that double from one map to the next, up to 2 at least. smp-upernet takes any"
            )
        return [by_stride.get(stride, 0) for stride in wanted]

    def encode(self, image: Tensor) -> list[Tensor]:
        return list(self.backbone(image))

    def decode(self, features: list[Tensor]) -> Tensor:
        if self.family == "coarsest":
            coarsest: Tensor = self.decoder([features[-1]])
            return coarsest
        if self.family == "pyramid":
            used = list(features[-4:])
            pyramid: Tensor = self.decoder([_empty(used[0], 4), _empty(used[0], 2), *used])
            return pyramid
        finest = self.encoder_strides[0]
        missing = [_empty(features[0], finest // 2**k) for k in range(finest.bit_length() - 1)]
        full: Tensor = self.decoder([*missing, *features])
        # smp leaves out what a backbone has at the size of the image; the head shall see it.
        return cat([full, features[0]], dim=1) if finest == 1 else full

    def forward(self, image: Tensor) -> Tensor:
        return self.decode(self.encode(image))


def _empty(like: Tensor, times: int) -> Tensor:
    """A map without channels, `times` as tall and wide."""
    return like.new_empty(like.shape[0], 0, like.shape[2] * times, like.shape[3] * times)
