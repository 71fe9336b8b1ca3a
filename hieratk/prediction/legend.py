"""Which raster value, name and colour each class of a level gets in a map."""

from __future__ import annotations

import colorsys
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from hieratk.errors import TaxonomyError
from hieratk.rasters import Entry
from hieratk.taxonomy.tree import Encoding, Level, Taxonomy

_DTYPES = ("uint8", "uint16", "int16", "int32", "uint32")

RGB = tuple[int, int, int]


@dataclass(frozen=True, slots=True, eq=False)
class BandLegend:
    """One level of a map. `values` (C_l,) are the raster values in class order; `derived` are the ids among `classes`
    whose value no encoding of the tree states."""

    level: str
    classes: tuple[str, ...]
    names: tuple[str, ...]
    values: NDArray[np.int64]
    colors: tuple[RGB, ...]
    derived: tuple[str, ...]

    def entries(self) -> tuple[Entry, ...]:
        """The classes as a raster's side file lists them."""
        rows = zip(self.values.tolist(), self.names, self.classes, self.colors, strict=True)
        return tuple(Entry(*row) for row in rows)

    def tag(self) -> str:
        """The classes as JSON, value -> id, name and colour, for a band's metadata."""
        content = {
            str(e.value): {"id": e.id, "name": e.name, "color": "#{:02x}{:02x}{:02x}".format(*e.color)}
            for e in self.entries()
        }
        return json.dumps(content, ensure_ascii=False)


@dataclass(frozen=True, slots=True, eq=False)
class Legend:
    """How a map writes a taxonomy: a legend a level, and one dtype and one nodata value for all bands, as GeoTIFF
    wants.
    """

    bands: tuple[BandLegend, ...]
    dtype: str
    nodata: int


def legend(taxonomy: Taxonomy) -> Legend:
    """The legend of a map in the tree's own pixel values.

    A level uses the encoding made for it (`level:`) where there is one that names all its classes, else the default
    encoding, else any that names them all. A class without a value in the encoding of its level gets the smallest
    positive value that no class of that encoding uses, in depth-first order: always the same for the same tree.
    Raises TaxonomyError where no integer dtype of GeoTIFF holds the values.
    """
    bands = tuple(_band(taxonomy, level) for level in taxonomy.levels)
    used = {int(value) for band in bands for value in band.values}
    top = max(used)
    low = min(used)
    for dtype in _DTYPES:
        info = np.iinfo(dtype)
        if low < info.min or top > info.max:
            continue
        wanted = chain(_declared_nodata(taxonomy), [0], range(int(info.max), 0, -1))
        nodata = next((v for v in wanted if info.min <= v <= info.max and v not in used), None)
        if nodata is not None:
            return Legend(bands, dtype, nodata)
    raise TaxonomyError(f"pixel values {low} to {top} of `{taxonomy.id}` fit no one raster type")


def _band(taxonomy: Taxonomy, level: Level) -> BandLegend:
    encoding = _encoding(taxonomy, level)
    stated = [encoding.first_value(id_) for id_ in level.classes]
    # Values of classes on other levels and of specials stay free for them, so that one value never means two things.
    taken = {value for low, high, _ in encoding.values if high - low < 65536 for value in range(low, high + 1)}
    free = (value for value in range(1, 2**31) if value not in taken)
    values = [next(free) if value is None else value for value in stated]
    return BandLegend(
        level=level.name,
        classes=level.classes,
        names=tuple(taxonomy[id_].name or id_ for id_ in level.classes),
        values=np.array(values, np.int64),
        colors=tuple(color_of(taxonomy, id_) for id_ in level.classes),
        derived=tuple(id_ for id_, value in zip(level.classes, stated, strict=True) if value is None),
    )


def _encoding(taxonomy: Taxonomy, level: Level) -> Encoding:
    encodings = taxonomy.encodings
    own = [e for e in encodings.values() if e.level == level.index]
    default = [encodings["default"]] if "default" in encodings else []
    for encoding in (*own, *default, *encodings.values()):
        if all(encoding.first_value(id_) is not None for id_ in level.classes):
            return encoding
    return (*default, *encodings.values(), Encoding("default"))[0]


def _declared_nodata(taxonomy: Taxonomy) -> Iterator[int]:
    for encoding in taxonomy.encodings.values():
        if encoding.nodata is not None:
            yield encoding.nodata
    for role in ("nodata", "unlabelled", "excluded"):
        for special in taxonomy.special:
            if special.role == role:
                for encoding in taxonomy.encodings.values():
                    value = encoding.first_value(special.id)
                    if value is not None:
                        yield value


def color_of(taxonomy: Taxonomy, id_: str) -> RGB:
    """The colour of a class; one without its own takes its nearest coloured ancestor's, varied by its place among its
    siblings, and where nothing above is coloured either, an even step around the colour circle."""
    node = taxonomy[id_]
    if node.color is not None:
        return _rgb(node.color)
    siblings = (
        taxonomy[node.parent].children if node.parent else tuple(n.id for n in taxonomy.nodes if n.parent is None)
    )
    place = (siblings.index(id_) + 0.5) / len(siblings)
    base = next((taxonomy[a].color for a in taxonomy.ancestors(id_) if taxonomy[a].color is not None), None)
    if base is None:
        return _from_hls(place, 0.5, 0.6)
    hue, lightness, saturation = colorsys.rgb_to_hls(*(channel / 255 for channel in _rgb(base)))
    return _from_hls(hue + 0.08 * (place - 0.5), min(0.9, max(0.15, lightness + 0.4 * (place - 0.5))), saturation)


def _from_hls(hue: float, lightness: float, saturation: float) -> RGB:
    r, g, b = colorsys.hls_to_rgb(hue % 1.0, lightness, saturation)
    return round(r * 255), round(g * 255), round(b * 255)


def _rgb(color: str) -> RGB:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
