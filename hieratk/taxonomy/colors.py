"""The colour of every class, stated or derived."""

from __future__ import annotations

import colorsys

from hieratk.taxonomy.tree import Taxonomy

RGB = tuple[int, int, int]


def color_of(taxonomy: Taxonomy, id_: str) -> RGB:
    """The colour of a class; one without its own takes its nearest coloured ancestor's, varied by its place among its
    siblings, and where nothing above is coloured either, an even step around the colour circle."""
    node = taxonomy[id_]
    if node.color is not None:
        return rgb(node.color)
    siblings = (
        taxonomy[node.parent].children if node.parent else tuple(n.id for n in taxonomy.nodes if n.parent is None)
    )
    place = (siblings.index(id_) + 0.5) / len(siblings)
    base = next((taxonomy[a].color for a in taxonomy.ancestors(id_) if taxonomy[a].color is not None), None)
    if base is None:
        return _from_hls(place, 0.5, 0.6)
    hue, lightness, saturation = colorsys.rgb_to_hls(*(channel / 255 for channel in rgb(base)))
    return _from_hls(hue + 0.08 * (place - 0.5), min(0.9, max(0.15, lightness + 0.4 * (place - 0.5))), saturation)


def _from_hls(hue: float, lightness: float, saturation: float) -> RGB:
    r, g, b = colorsys.hls_to_rgb(hue % 1.0, lightness, saturation)
    return round(r * 255), round(g * 255), round(b * 255)


def rgb(color: str) -> RGB:
    """The channels of "#rrggbb"."""
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
