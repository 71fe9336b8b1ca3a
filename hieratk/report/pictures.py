"""A level of a map beside the truth, with its legend, as a PNG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

RGB = tuple[int, int, int]

PAPER: RGB = (255, 255, 255)
INK: RGB = (34, 34, 34)
VOID: RGB = (236, 236, 236)


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """A titled picture: classes (H, W) as indices into the shared colours, -1 where there is none."""

    title: str
    classes: NDArray[np.integer]


def picture(
    panels: Sequence[Panel], *, colors: Sequence[RGB], names: Sequence[str], title: str, longest: int = 640
) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: the panels side by side, enlarged or thinned by a whole factor to at most `longest` pixels,
    above a
    legend of the classes that occur in any of them. All panels have one shape."""
    shapes = {panel.classes.shape for panel in panels}
    if len(shapes) != 1:
        raise ValueError(f"panels of different shapes: {sorted(shapes)}")
    height, width = shapes.pop()
    enlarge, thin = max(1, longest // max(height, width)), max(1, -(-max(height, width) // longest))
    table = np.array([VOID, *colors], np.uint8)
    tiles = [np.kron(panel.classes[::thin, ::thin] + 1, np.ones((enlarge, enlarge), np.int64)) for panel in panels]
    images = [table[tile] for tile in tiles]
    tall, wide = images[0].shape[:2]

    font = ImageFont.load_default(size=15)
    margin, head, line = 12, 52, 24
    present = sorted({int(c) for panel in panels for c in np.unique(panel.classes) if c >= 0})
    total = max(margin + len(images) * (wide + margin), 360)
    cell = 44 + max((int(font.getlength(names[c])) for c in present), default=0)
    columns = max(1, (total - margin) // cell)
    rows = -(-(len(present) + 1) // columns)
    canvas = Image.new("RGB", (total, head + tall + margin + rows * line + margin), PAPER)
    draw = ImageDraw.Draw(canvas)
    draw.text((margin, 6), title, INK, font=font)
    for i, (panel, image) in enumerate(zip(panels, images, strict=True)):
        left = margin + i * (wide + margin)
        draw.text((left, 30), panel.title, INK, font=font)
        canvas.paste(Image.fromarray(image), (left, head))
        draw.rectangle((left - 1, head - 1, left + wide, head + tall), outline=(160, 160, 160))
    entries = [*((tuple(colors[c]), names[c]) for c in present), (VOID, "no label or no data")]
    for i, (color, name) in enumerate(entries):
        x, y = margin + (i % columns) * cell, head + tall + margin + (i // columns) * line
        draw.rectangle((x, y + 2, x + 22, y + 16), fill=color, outline=(120, 120, 120))
        draw.text((x + 30, y), name, INK, font=font)
    return np.asarray(canvas)


def save(path: Path, image: NDArray[np.uint8]) -> None:
    """Write a PNG under its final name only when it is complete."""
    part = path.with_name(f".{path.name}.part")
    try:
        Image.fromarray(image).save(part, format="PNG", optimize=True)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
