"""Backbones x decoders x band counts: one training step each. Run it for the whole matrix; the tests draw a sample.

    python matrix.py                    all backbones
    python matrix.py resnet18 dla34     these only

The band count of each run is part of the matrix, so one line of the output is one failure or none.
"""

from __future__ import annotations

import itertools
import sys
import time

import torch
from torch.nn import functional as F

from hieratk.models import HierarchicalModel, build
from hieratk.taxonomy.tree import Taxonomy

TREE = Taxonomy.from_outline({"land": {"crops": {"rice": 1, "maize": 2}, "forest": 3}, "water": 4})

BACKBONES = (
    "resnet10t", "resnet18", "resnet26d", "legacy_seresnet18", "resnext26ts", "resnetv2_18",
    "regnetx_002", "regnety_002", "convnext_atto", "convnextv2_atto", "efficientnet_b0", "efficientnet_es",
    "tf_efficientnetv2_b0", "mobilenetv2_050", "mobilenetv3_small_050", "mobilenetv4_conv_small", "mnasnet_small",
    "lcnet_050", "tinynet_e", "fbnetc_100", "ghostnet_050", "hardcorenas_a", "densenet121", "dla34",
    "edgenext_xx_small",
    "mobileone_s0", "repvgg_a0", "rexnet_100", "swin_tiny_patch4_window7_224", "vit_tiny_patch16_224",
    "pvt_v2_b0", "poolformer_s12",
)  # fmt: skip
DECODERS = ("unet", "smp-unet", "smp-fpn", "smp-upernet", "smp-deeplabv3plus")
BANDS = (1, 4, 10)


def combinations() -> list[tuple[str, str, int]]:
    """Every backbone with every decoder and band count, but for plain ViT, whose one stride two decoders refuse."""
    every = itertools.product(BACKBONES, DECODERS, BANDS)
    refused = {("vit_tiny_patch16_224", decoder) for decoder in ("smp-unet", "smp-fpn")}
    return [each for each in every if each[:2] not in refused]


def one_step(backbone: str, decoder: str, bands: int) -> HierarchicalModel:
    """Build, run one step, and hold that the loss is finite and every trained parameter has a finite gradient."""
    torch.manual_seed(0)
    widths = {"smp-upernet": {"width": 32}, "smp-deeplabv3plus": {"width": 32}, "smp-fpn": {"width": 64}}
    options = widths.get(decoder, {})
    model = build(
        decoder, TREE, in_channels=bands, backbone="timm", backbone_options={"model": backbone}, options=options
    )
    image = torch.randn(2, bands, 70, 64)
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    logits = model.train()(image)
    assert logits.shape == (2, 9, 70, 64), tuple(logits.shape)
    loss = F.cross_entropy(logits[:, -4:], torch.randint(0, 4, (2, 70, 64)))
    loss.backward()
    assert bool(torch.isfinite(loss)), "the loss is not finite"
    bad = [n for n, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not bad, f"no gradient reaches {bad[:4]}"
    optimiser.step()
    assert all(bool(torch.isfinite(p).all()) for p in model.parameters()), "a parameter is not finite after one step"
    return model


def main(backbones: list[str]) -> int:
    """The whole matrix, or the part of some backbones; exit 1 if a combination fails."""
    unknown = sorted(set(backbones) - set(BACKBONES))
    if unknown:
        print(f"no backbone {', '.join(unknown)} in the matrix; there are {', '.join(BACKBONES)}", file=sys.stderr)
        return 2
    chosen = [each for each in combinations() if not backbones or each[0] in backbones]
    failed = 0
    for backbone, decoder, bands in chosen:
        start = time.perf_counter()
        try:
            one_step(backbone, decoder, bands)
        except Exception as error:  # each failure is a line, and the matrix goes on
            failed += 1
            print(f"FAILED  {backbone} {decoder} {bands}: {type(error).__name__}: {error}", flush=True)
        else:
            print(f"ok      {backbone} {decoder} {bands} ({time.perf_counter() - start:.1f} s)", flush=True)
    print(f"{len(chosen)} combinations, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
