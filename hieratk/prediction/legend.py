"""Which raster value, name and colour each class of a level gets in a map."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from hieratk.errors import TaxonomyError
from hieratk.rasters import Entry
from hieratk.remap.legend import level_legend
from hieratk.taxonomy.colors import RGB, color_of
from hieratk.taxonomy.tree import Level, Taxonomy

_DTYPES = ("uint8", "uint16", "int16", "int32", "uint32")


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
    stated = level_legend(taxonomy, level.name)
    return BandLegend(
        level=level.name,
        classes=level.classes,
        names=tuple(taxonomy[id_].name or id_ for id_ in level.classes),
        values=np.array([stated.values[id_] for id_ in level.classes], np.int64),
        colors=tuple(color_of(taxonomy, id_) for id_ in level.classes),
        derived=stated.derived,
    )


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
