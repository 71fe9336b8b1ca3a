"""CDKS, cross-domain knowledge sharing: adapters that let a frozen source branch speak to the target branch.

HieraRS names the step and no formula (unknown); the form is that of progressive networks' lateral connections (Rusu et
al. 2016, arXiv 1606.04671) with a gain that starts at zero (chosen, method notes 5.3):

    F~_t = F_t + gamma * A([LN(F_t); LN(F_s)]),   A = 1x1 conv to C/4 -> depthwise 3x3 -> GELU -> 1x1 conv to C

so the target branch begins as the source model itself, and takes what it needs.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Adapter(nn.Module):
    """Target features (B, C_t, h, w) and source features (B, C_s, h', w') -> (B, C_t, h, w), at first the target's."""

    def __init__(self, target: int, source: int) -> None:
        super().__init__()
        width = max(target // 4, 4)
        self.norm_target, self.norm_source = _ChannelNorm(target), _ChannelNorm(source)
        self.mix = nn.Sequential(
            nn.Conv2d(target + source, width, 1),
            nn.Conv2d(width, width, 3, padding=1, groups=width, padding_mode="replicate"),
            nn.GELU(),
            nn.Conv2d(width, target, 1),
        )
        self.gain = nn.Parameter(torch.zeros(target))

    def forward(self, target: Tensor, source: Tensor) -> Tensor:
        if source.shape[-2:] != target.shape[-2:]:
            source = F.interpolate(source, size=target.shape[-2:], mode="bilinear", align_corners=False)
        mixed: Tensor = self.mix(torch.cat([self.norm_target(target), self.norm_source(source)], 1))
        return target + self.gain.view(1, -1, 1, 1) * mixed


class Adapters(nn.Module):
    """One adapter a target scale, fed by the source scale of the nearest stride (the finer one where two are as near).

    Called with the two lists of feature maps; returns a list like the first.
    """

    def __init__(
        self, target: Sequence[int], target_strides: Sequence[int], source: Sequence[int], source_strides: Sequence[int]
    ) -> None:
        super().__init__()
        self.partner = tuple(
            min(range(len(source)), key=lambda k: (abs(source_strides[k] - stride), source_strides[k]))
            for stride in target_strides
        )
        self.each = nn.ModuleList(
            Adapter(channels, source[k]) for channels, k in zip(target, self.partner, strict=True)
        )

    def forward(self, target: Sequence[Tensor], source: Sequence[Tensor]) -> list[Tensor]:
        return [adapt(mine, source[k]) for adapt, mine, k in zip(self.each, target, self.partner, strict=True)]


class _ChannelNorm(nn.Module):
    """Layer norm over the channels of each pixel alone, so that windows of a map agree."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.scale, self.shift = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean(1, keepdim=True)
        normed = centred * torch.rsqrt(centred.square().mean(1, keepdim=True) + 1e-5)
        return normed * self.scale.view(1, -1, 1, 1) + self.shift.view(1, -1, 1, 1)
