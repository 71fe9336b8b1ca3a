"""The published sizes of each architecture, as fields of its transformers configuration.

Sources: Swin, Liu et al. 2021, section 3.3; ConvNeXt, Liu et al. 2022, section 3; BEiT, Bao et al. 2021, section 3 (as
vision transformers base and large); DINOv2, Oquab et al. 2023, table 17; MiT, Xie et al. 2021, table 6.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_STAGES = {"out_features": ["stage1", "stage2", "stage3", "stage4"]}


def _swin(width: int, depth: int, *heads: int) -> dict[str, Any]:
    return {"embed_dim": width, "depths": [2, 2, depth, 2], "num_heads": list(heads), **_STAGES}


def _convnext(depth: int, *widths: int) -> dict[str, Any]:
    return {"hidden_sizes": list(widths), "depths": [3, 3, depth, 3], **_STAGES}


def _vit(width: int, layers: int, heads: int, **more: Any) -> dict[str, Any]:
    # Four maps, evenly spaced over the layers, as both papers' segmentation heads take them.
    taken = [layers * k // 4 for k in (1, 2, 3, 4)]
    return {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "out_indices": taken,
        **more,
    }


def _beit(width: int, layers: int, heads: int) -> dict[str, Any]:
    wide = {"intermediate_size": 4 * width, "use_relative_position_bias": True, "add_fpn": True}
    return _vit(width, layers, heads, **wide)


def _mit(widths: list[int], depths: list[int], decoder: int) -> dict[str, Any]:
    return {"hidden_sizes": widths, "depths": depths, "decoder_hidden_size": decoder}


_WIDE = [64, 128, 320, 512]

SIZES: Mapping[str, Mapping[str, dict[str, Any]]] = {
    "swin": {
        "tiny": _swin(96, 6, 3, 6, 12, 24),
        "small": _swin(96, 18, 3, 6, 12, 24),
        "base": _swin(128, 18, 4, 8, 16, 32),
        "large": _swin(192, 18, 6, 12, 24, 48),
    },
    "convnext": {
        "tiny": _convnext(9, 96, 192, 384, 768),
        "small": _convnext(27, 96, 192, 384, 768),
        "base": _convnext(27, 128, 256, 512, 1024),
        "large": _convnext(27, 192, 384, 768, 1536),
    },
    "beit": {"base": _beit(768, 12, 12), "large": _beit(1024, 24, 16)},
    "dinov2": {
        "small": _vit(384, 12, 6),
        "base": _vit(768, 12, 12),
        "large": _vit(1024, 24, 16),
        "giant": _vit(1536, 40, 24, use_swiglu_ffn=True),
    },
    "segformer": {
        "b0": _mit([32, 64, 160, 256], [2, 2, 2, 2], 256),
        "b1": _mit(_WIDE, [2, 2, 2, 2], 256),
        "b2": _mit(_WIDE, [3, 4, 6, 3], 768),
        "b3": _mit(_WIDE, [3, 4, 18, 3], 768),
        "b4": _mit(_WIDE, [3, 8, 27, 3], 768),
        "b5": _mit(_WIDE, [3, 6, 40, 3], 768),
    },
}
