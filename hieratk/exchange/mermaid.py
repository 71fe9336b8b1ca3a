"""Mermaid: the tree as a diagram that GitHub, GitLab and many documentation tools draw."""

from __future__ import annotations

from hieratk.errors import ExchangeError
from hieratk.exchange.counting import lost
from hieratk.exchange.legend import level_of
from hieratk.exchange.records import Exported
from hieratk.taxonomy.tree import Node, Taxonomy

_DARK = 0.45
"""Below this lightness (of 1) letters are white. (chosen)"""


def write_mermaid(taxonomy: Taxonomy, *, level: str | None, encoding: str | None) -> Exported:
    """A flow chart from left to right: one box a class in its colour, solid lines to children, dotted ones to classes
    that have it as a further parent. With a level, the tree down to that level.
    """
    if encoding is not None:
        raise ExchangeError("a mermaid diagram shows no raster values; leave the encoding out")
    row = level_of(taxonomy, level)
    shown = [node for node in taxonomy.nodes if row is None or node.level <= row.index]
    # Ids of the diagram are numbers: some words (end, graph) are not allowed there.
    at = {node.id: f"n{index}" for index, node in enumerate(shown)}
    lines = ["flowchart LR"]
    lines += [f'  {at[node.id]}["{_escaped(node.name)}"]' for node in shown]
    lines += [f"  {at[node.parent]} --> {at[node.id]}" for node in shown if node.parent is not None]
    lines += [f"  {at[other]} -.-> {at[node.id]}" for node in shown for other in node.also if other in at]
    lines += [f"  style {at[node.id]} {_style(node)}" for node in shown if node.color is not None]
    missing = lost(taxonomy, carried={"tree", "color", "also"}, shown=set(at) if row is not None else None)
    return Exported("\n".join(lines) + "\n", tuple(item for item in missing if not item.startswith("ids:")))


def _style(node: Node) -> str:
    assert node.color is not None
    red, green, blue = (int(node.color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    # Rec. 709 weights of the channels (known), on the stored values: enough to tell dark from light.
    light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return f"fill:{node.color},color:{'#fff' if light < _DARK else '#000'}"


def _escaped(text: str) -> str:
    """Text inside quotes: all but letters, digits and harmless marks as character codes, so that nothing is markup."""
    return "".join(char if char.isalnum() or char in " ,.-/()" else f"#{ord(char)};" for char in text)
