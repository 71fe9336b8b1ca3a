"""What stands where in a document, as far as its layout is concerned: order of keys, quotes, one line or several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from hieratk.taxonomy import spec

Quotes = Literal["text", "always", "color", "number", "free", "keep"]
"""How a scalar is written. `text`: quotes where plain text would not survive; `always`: in quotes; `color`: the same,
in lower case; `number`: a number without them; `free`: quotes as needed, but a bare number stays one; `keep`: as
written."""


@dataclass(frozen=True, slots=True)
class Place:
    """A kind of mapping or list, or of a scalar.

    `keys` are its known keys in order, each with its own place; `every` is the place of all other values and of items.
    `block` wants lines of its own always, `aligned` and `entry` mean one-line entries as under `classes`, `outline` the
    layout of the tree, `keep` the form that the author chose.
    """

    name: str = ""
    keys: Mapping[str, Place] = field(default_factory=lambda: MappingProxyType({}))
    every: Place | None = None
    quotes: Quotes = "text"
    key_quotes: Quotes = "text"
    block: bool = False
    aligned: bool = False
    entry: bool = False
    outline: bool = False
    keep: bool = False


_ALWAYS = Place(quotes="always")
_TEXT = Place()
_NUMBER = Place(quotes="number")
_FREE = Place("meta", quotes="keep", key_quotes="keep", keep=True)
_SCALARS: Mapping[str, Place] = MappingProxyType(
    {
        "code": _ALWAYS,
        "specifier": _ALWAYS,
        "url": _ALWAYS,
        "date": _ALWAYS,
        "pattern": _ALWAYS,
        "color": Place(quotes="color"),
        "integer": _NUMBER,
        "pixel": _NUMBER,
        "values": Place(key_quotes="number"),
        "parts": _NUMBER,
        "attrs": Place(quotes="free"),
        "meta": _FREE,
    }
)


def _of(table: Mapping[str, spec.Key], **more: Place) -> Mapping[str, Place]:
    return MappingProxyType({name: more.get(name) or _SCALARS.get(key.type, _TEXT) for name, key in table.items()})


def _entries(name: str, table: Mapping[str, spec.Key], **more: Place) -> Place:
    return Place(name, every=Place(name, keys=_of(table, **more), entry=True), block=True, aligned=True)


_EXTENDS = Place("extends", keys=_of(spec.EXTENDS))
_SOURCES = Place("source", every=Place("source", keys=_of(spec.SOURCE, version=_ALWAYS)), block=True)
_TREE = Place("tree", quotes="number", outline=True)
_FLAT = {
    "attributes": Place("attributes", every=Place("attributes", keys=_of(spec.ATTRIBUTE)), block=True),
    "encodings": Place("encodings", every=Place("encodings", keys=_of(spec.ENCODING)), block=True),
}

TAXONOMY = Place(
    "taxonomy",
    keys=_of(
        spec.DOCUMENT,
        source=_SOURCES,
        extends=_EXTENDS,
        codes=Place("codes", keys=_of(spec.CODES)),
        tree=_TREE,
        extend=Place("tree", quotes="number", block=True, outline=True),
        special=_entries("special", spec.SPECIAL),
        classes=_entries("classes", spec.CLASS, deprecated=Place("deprecated", keys=_of(spec.DEPRECATED))),
        **_FLAT,
    ),
    block=True,
)
"""A document that begins with `hieratk: taxonomy/1`."""

_VERBS = ("is", "within", "covers", "overlaps", "outside", "none")
_MAPPED = Place(
    "map",
    keys=MappingProxyType(
        {**dict.fromkeys(_VERBS, _NUMBER), "confidence": _NUMBER, "note": _TEXT, "source": _TEXT},
    ),
    entry=True,
)
_HEAD = ("hieratk", "id", "version", "title", "description", "license")

CROSSWALK = Place(
    "crosswalk",
    keys=MappingProxyType(
        {
            **dict.fromkeys(_HEAD, _TEXT),
            "source": _SOURCES,
            "from": _EXTENDS,
            "to": _EXTENDS,
            "unmapped": _TEXT,
            "map": Place("map", every=_MAPPED, key_quotes="always", block=True, aligned=True),
            "meta": _FREE,
        }
    ),
    block=True,
)
"""A document that begins with `hieratk: crosswalk/1`; keys in the order of the grammar."""
