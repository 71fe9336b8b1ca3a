"""Random changes of a whole batch at once; labels move exactly with their pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import kornia.augmentation as kornia
import torch
from torch import Tensor

_EXACT_IN_FLOAT32 = 2**24


@dataclass(frozen=True, slots=True)
class Augmentation:
    """What may change. Each chip draws for itself.

    flip: left-right and up-down, each with probability 1/2. rotate: by 0, 90, 180 or 270 degrees, equally often.
    gain, brightness: standard deviations of a factor around 1 and of an addend around 0, one a band and chip; noise: of
    an addend, one a pixel. Units are those of the batch: after normalisation, the band's own standard deviation.
    """

    flip: bool = True
    rotate: bool = True
    gain: float = 0.0
    brightness: float = 0.0
    noise: float = 0.0


def augment(
    images: Tensor,
    rows: Tensor,
    *,
    seed: int,
    options: Augmentation = Augmentation(),
) -> tuple[Tensor, Tensor]:
    """Changed copies of images (B, C, h, w) float and label rows (B, h, w) integer.

    A function of its arguments alone: torch's global generators are left as they were. Turns need square chips; raises
    ValueError for others.
    """
    height, width = images.shape[-2:]
    if options.rotate and height != width:
        raise ValueError(f"chips of {height} x {width} px cannot be turned by 90 degrees; use square ones")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if options.flip or options.rotate:
            images, rows = _move(images, rows, options)
        generator = torch.Generator().manual_seed(seed)
        b, c = images.shape[:2]
        if options.gain:
            images = images * (1 + options.gain * _normal((b, c, 1, 1), images, generator))
        if options.brightness:
            images = images + options.brightness * _normal((b, c, 1, 1), images, generator)
        if options.noise:
            images = images + options.noise * _normal(tuple(images.shape), images, generator)
    return images, rows


def _move(images: Tensor, rows: Tensor, options: Augmentation) -> tuple[Tensor, Tensor]:
    steps: list[Any] = []
    if options.flip:
        steps += [kornia.RandomHorizontalFlip(p=0.5), kornia.RandomVerticalFlip(p=0.5)]
    if options.rotate:
        # Nearest, for the image too: a quarter turn then picks pixels and mixes none. One turn and two turns, each with
        # probability 1/2, make all four equally likely; `times=(0, 3)` rounds a uniform number, which favours 1 and 2.
        for times in (1, 2):
            steps.append(kornia.RandomRotation90(times=(times, times), resample="nearest", p=0.5))
    # Kornia wants floats; label rows stay far below what float32 counts exactly.
    assert int(rows.max()) < _EXACT_IN_FLOAT32
    moved, labels = kornia.AugmentationSequential(*steps, data_keys=["input", "mask"])(
        images, rows.to(images.dtype)[:, None]
    )
    return moved, labels[:, 0].round().to(rows.dtype)


def _normal(shape: tuple[int, ...], like: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(shape, generator=generator).to(like)
