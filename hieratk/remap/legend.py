"""How a raster writes classes: which value, name and colour each of them gets, in one type with one nodata value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from hieratk.errors import TaxonomyError
from hieratk.rasters import Entry
from hieratk.taxonomy.colors import color_of, rgb
from hieratk.taxonomy.spec import DTYPE_RANGES
from hieratk.taxonomy.tree import Encoding, Level, Taxonomy

_DTYPES = ("uint8", "uint16", "int16", "int32", "uint32")


@dataclass(frozen=True, slots=True)
class Legend:
    """What a raster can say: `values` leads from classes and special values to raster values, `derived` are the classes
    whose value no encoding of the tree states, `name` is the encoding or level that is written. `level` is the index of
    the only level shown, or None."""

    taxonomy: Taxonomy
    name: str
    values: Mapping[str, int]
    dtype: str
    nodata: int
    level: int | None = None
    derived: tuple[str, ...] = ()

    def entries(self) -> tuple[Entry, ...]:
        """Values with names and colours, as a raster's side file lists them."""
        special = {entry.id: entry for entry in self.taxonomy.special}
        found = []
        for id_, value in self.values.items():
            if id_ in special:
                name, color = special[id_].name, rgb(special[id_].color or "#000000")
            else:
                name, color = self.taxonomy[id_].name, color_of(self.taxonomy, id_)
            found.append(Entry(value, name or id_, id_, color))
        return tuple(sorted(found, key=lambda entry: entry.value))

    def tag(self) -> str:
        """The same as JSON, value to id, name and colour, for a band's metadata."""
        content = {
            str(e.value): {"id": e.id, "name": e.name, "color": "#{:02x}{:02x}{:02x}".format(*e.color)}
            for e in self.entries()
        }
        return json.dumps(content, ensure_ascii=False)


def encoding_of(taxonomy: Taxonomy, name: str | None = None) -> Encoding:
    """An encoding by its name; without one `default`, or the only one there is.

    Raises TaxonomyError with the names there are.
    """
    known = taxonomy.encodings
    if name is None:
        name = "default" if "default" in known or len(known) != 1 else next(iter(known))
    if name not in known or not known[name].values:
        with_values = [one for one, encoding in known.items() if encoding.values]
        there = f"it has {', '.join(with_values)}" if with_values else "no class of it has a pixel value"
        raise TaxonomyError(f"taxonomy `{taxonomy.id}` has no encoding `{name}` with values; {there}")
    return known[name]


def encoding_legend(taxonomy: Taxonomy, name: str | None = None) -> Legend:
    """The legend of an encoding: the smallest value of each class and special that it has.

    Raises TaxonomyError for an encoding that is not there or without values.
    """
    encoding = encoding_of(taxonomy, name)
    values: dict[str, int] = {}
    for low, _, owner in encoding.values:
        values.setdefault(owner, low)
    dtype, nodata = _stored(taxonomy, encoding, values)
    return Legend(taxonomy, encoding.name, values, dtype, nodata, encoding.level)


def level_legend(taxonomy: Taxonomy, level: str, name: str | None = None) -> Legend:
    """The legend of a level: the values of the encoding made for it, else of `default`, else of any that names all its
    classes; the values that maps of a model have.

    A class without a value gets the smallest positive one that nothing else in the encoding uses, in depth-first order:
    always the same for the same tree. An encoding that is named must have them all. Raises TaxonomyError.
    """
    row = taxonomy.level(level)
    stated = encoding_of(taxonomy, name) if name is not None else None
    encoding = stated or _fullest(taxonomy, row)
    first = {owner: low for low, _, owner in reversed(encoding.values)}
    missing = [id_ for id_ in row.classes if id_ not in first]
    if missing and stated is not None:
        raise TaxonomyError(
            f"encoding `{encoding.name}` of `{taxonomy.id}` has no value for {len(missing)} of {len(row)} classes of"
            f" level {level}, such as `{missing[0]}`; leave it out, and free values are taken"
        )
    # Values of classes on other levels and of specials stay free for them, so that one value never means two things.
    taken = {value for low, high, _ in encoding.values if high - low < 65536 for value in range(low, high + 1)}
    free = (value for value in range(1, 2**31) if value not in taken)
    values = {id_: first[id_] if id_ in first else next(free) for id_ in row.classes}
    values |= {entry.id: first[entry.id] for entry in taxonomy.special if entry.id in first}
    dtype, nodata = _stored(taxonomy, encoding, values)
    return Legend(taxonomy, level, values, dtype, nodata, row.index, tuple(missing))


def _fullest(taxonomy: Taxonomy, level: Level) -> Encoding:
    encodings = taxonomy.encodings
    own = [e for e in encodings.values() if e.level == level.index]
    default = [encodings["default"]] if "default" in encodings else []
    for encoding in (*own, *default, *encodings.values()):
        if set(level.classes) <= {owner for _, _, owner in encoding.values}:
            return encoding
    return (*default, *encodings.values(), Encoding("default"))[0]


def _stored(taxonomy: Taxonomy, encoding: Encoding, values: Mapping[str, int]) -> tuple[str, int]:
    """The smallest type that holds the values and one more for nodata, and that one."""
    nodata = {entry.id for entry in taxonomy.special if entry.role == "nodata"}
    used = {value for id_, value in values.items() if id_ not in nodata}
    low, high = min(used, default=0), max(used, default=0)
    for dtype in _DTYPES:
        least, most = DTYPE_RANGES[dtype]
        if least <= low and high <= most:
            wanted = chain(_declared_nodata(taxonomy, encoding), [0], range(most, 0, -1))
            found = next((value for value in wanted if least <= value <= most and value not in used), None)
            if found is not None:
                return dtype, found
    raise TaxonomyError(f"pixel values {low} to {high} of `{taxonomy.id}` fit no one raster type")


def _declared_nodata(taxonomy: Taxonomy, encoding: Encoding) -> Iterator[int]:
    roles = {entry.id: entry.role for entry in taxonomy.special}
    for one in (encoding, *taxonomy.encodings.values()):
        if one.nodata is not None:
            yield one.nodata
        yield from (low for low, _, owner in one.values if roles.get(owner) == "nodata")
