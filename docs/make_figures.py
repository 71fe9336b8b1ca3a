"""Draw docs/images/losses-gradients.png: what a step down the gradient of each loss adds to the logits of one pixel.

python docs/make_figures.py
"""

from __future__ import annotations

from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont

from hieratk.losses import NAMES
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import TaxonomyTensors

OUT = Path(__file__).parent / "images" / "losses-gradients.png"
TREE = Taxonomy.from_outline(
    {"crops": {"rice": 1, "maize": 2}, "forest": {"pine": 3, "oak": 4}, "water": 5}, classes={"crops": {"pixel": 6}}
)
SURE_OF, LABELS = "pine", (("the label is rice, a leaf", 1), ("the label is crops, above rice and maize", 6))
LEFT, TOP, ROW, BAR, GAP, PANEL = 190, 96, 62, 42, 10, 500
UP, DOWN, LINE, TEXT, PALE = "#2a7f3f", "#b5332e", "#999999", "#222222", "#f3f3f3"


def steps(name: str, pixel: int) -> list[float]:
    """Minus the gradient of a loss by the node logits."""
    tree = TaxonomyTensors(TREE)
    logits = torch.zeros(1, tree.channels, 1, dtype=torch.float64)
    logits[0, int(tree.tables.offsets[-2]) + tree.tables.leaves.index(SURE_OF)] = 4.0
    logits.requires_grad_()
    (gradient,) = torch.autograd.grad(NAMES[name](TREE)(logits, tree.encode(torch.tensor([[pixel]]))), logits)
    return (-gradient).flatten().tolist()


def main() -> None:
    tree = TaxonomyTensors(TREE)
    names = [tree.tables.ids[m] for m in tree.tables.node]
    width, height = LEFT + len(LABELS) * PANEL, TOP + len(NAMES) * ROW + 20
    scale = 2
    image = Image.new("RGB", (width * scale, height * scale), "white")
    draw = ImageDraw.Draw(image)
    font, small = (ImageFont.load_default(size=points * scale) for points in (15, 12))

    def box(x0: float, y0: float, x1: float, y1: float, color: str) -> None:
        draw.rectangle([x0 * scale, min(y0, y1) * scale, x1 * scale, max(y0, y1) * scale], fill=color)

    def text(x: float, y: float, words: str, *, size: ImageFont.FreeTypeFont, anchor: str, color: str = TEXT) -> None:
        draw.text((x * scale, y * scale), words, font=size, fill=color, anchor=anchor)

    for row, loss in enumerate(NAMES):
        middle = TOP + row * ROW + ROW / 2
        if row % 2 == 0:
            box(0, middle - ROW / 2, width, middle + ROW / 2, PALE)
        text(14, middle, loss, size=font, anchor="lm")
    for panel, (title, pixel) in enumerate(LABELS):
        left = LEFT + panel * PANEL
        text(left, 20, title, size=font, anchor="lm")
        for n, name in enumerate(names):
            x = left + n * (BAR + GAP) + BAR / 2 + (GAP * 2 if n >= tree.sizes[0] else 0)
            text(x, TOP - 10, name, size=small, anchor="ms", color=DOWN if name == SURE_OF else TEXT)
        last = left + tree.sizes[0] * (BAR + GAP) + GAP
        text(left, TOP - 40, "level 1", size=small, anchor="lm", color=LINE)
        text(last, TOP - 40, f"level 2 (the model is sure of {SURE_OF})", size=small, anchor="lm", color=LINE)
        for row, loss in enumerate(NAMES):
            middle = TOP + row * ROW + ROW / 2
            found = steps(loss, pixel)
            largest = max(abs(value) for value in found)
            right = left + len(names) * (BAR + GAP) + GAP
            box(left, middle - 0.5, right, middle + 0.5, LINE)
            for n, value in enumerate(found):
                x = left + n * (BAR + GAP) + (GAP * 2 if n >= tree.sizes[0] else 0)
                if abs(value) > 1e-9:
                    box(x, middle, x + BAR, middle - value / largest * (ROW / 2 - 5), UP if value > 0 else DOWN)
    OUT.parent.mkdir(parents=True, exist_ok=True)
    image.resize((width, height), Image.Resampling.LANCZOS).save(OUT, optimize=True)


if __name__ == "__main__":
    main()
