"""What a document may say: one table of keys, from which the reader, its suggestions and the docs take theirs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

KINDS = ("class", "residual", "unspecified", "mixed")
ROLES = ("nodata", "unlabelled", "excluded")
DTYPES = ("uint8", "int16", "uint16", "int32", "uint32")
NESTING = ("none", "prefix")
ATTRIBUTE_TYPES = ("bool", "enum", "number", "range", "text")

DTYPE_RANGES: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "uint8": (0, 255),
        "int16": (-(2**15), 2**15 - 1),
        "uint16": (0, 2**16 - 1),
        "int32": (-(2**31), 2**31 - 1),
        "uint32": (0, 2**32 - 1),
    }
)
"""Smallest and largest raster value of each dtype."""

ID_PATTERN = r"[a-z][a-z0-9]*(_[a-z0-9]+)*"
ID_LONGEST = 64
LANGUAGE_PATTERN = r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?"
VERSION_PATTERN = r"(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})\.(0|[1-9][0-9]{0,8})"
COLOR_PATTERN = r"#[0-9a-fA-F]{6}"
DATE_PATTERN = r"[0-9]{4}(-(0[1-9]|1[0-2])(-(0[1-9]|[12][0-9]|3[01]))?)?"


class Key(NamedTuple):
    """A key of a mapping: its `type` names a reader in `hieratk.taxonomy.fields`, `words` the values of type `word`."""

    name: str
    type: str
    about: str
    words: tuple[str, ...] = ()
    required: bool = False
    default: str = ""


def _table(*keys: Key) -> Mapping[str, Key]:
    return MappingProxyType({key.name: key for key in keys})


SOURCE = _table(
    Key("title", "text", "what the legend was taken from", required=True),
    Key("url", "url", "where it lies"),
    Key("version", "text", "which edition"),
    Key("date", "date", "when it was published: YYYY, YYYY-MM or YYYY-MM-DD"),
    Key("checked", "date", "when somebody last compared"),
    Key("note", "text", "anything worth saying about it"),
)
DEPRECATED = _table(
    Key("since", "version", "the version of this taxonomy from which on the class is not used", required=True),
    Key("use", "ids", "the classes that stand for it"),
    Key("note", "text", "why"),
)
CODES = _table(
    Key("pattern", "pattern", "regular expression that every code matches as a whole"),
    Key("nesting", "word", "prefix: a code begins with the code of the parent", NESTING, default="none"),
)
EXTENDS = _table(
    Key("taxonomy", "text", "id or path of the taxonomy that is extended", required=True),
    Key("version", "specifier", 'which versions of it, such as ">=1.0,<2"', required=True),
)
SPECIAL = _table(
    Key("role", "word", "what the pixels are instead of a class", ROLES, required=True),
    Key("pixel", "pixel", "raster value in the encoding `default`"),
    Key("name", "name", "shown name", default="id with blanks"),
    Key("labels", "labels", "names in other languages"),
    Key("color", "color", "colour on maps"),
    Key("note", "text", "anything worth saying about it"),
    Key("meta", "meta", "content of your own"),
)
CLASS = _table(
    Key("code", "code", "official code, always quoted"),
    Key("name", "name", "shown name in `lang`", default="id with blanks"),
    Key("labels", "labels", "names in other languages"),
    Key("synonyms", "names", "other words for the same"),
    Key("definition", "text", "what belongs to the class"),
    Key("kind", "word", "class, residual, unspecified or mixed", KINDS, default="class"),
    Key("parts", "parts", "classes that a mixed class is made of, with or without shares"),
    Key("pixel", "pixel", "raster value of a class that has children"),
    Key("color", "color", 'colour on maps, quoted: "#rrggbb"'),
    Key("level", "level", "level of a class that skips one", default="the level below the parent"),
    Key("also", "ids", "further parents"),
    Key("regions", "names", "where the class exists, if not everywhere"),
    Key("attrs", "attrs", "values of declared attributes"),
    Key("since", "version", "the version of this taxonomy that brought the class"),
    Key("deprecated", "deprecated", "since when it is not used, and what stands for it"),
    Key("source", "text", "where the class was taken from"),
    Key("note", "text", "anything worth saying about it"),
    Key("meta", "meta", "content of your own"),
)
ATTRIBUTE = _table(
    Key("type", "word", "what values are", ATTRIBUTE_TYPES, required=True),
    Key("values", "names", "the values of an enum"),
    Key("unit", "text", "unit of a number or range"),
    Key("about", "text", "what it means"),
)
ENCODING = _table(
    Key("dtype", "word", "integer type of the raster", DTYPES, required=True),
    Key("nodata", "integer", "raster value outside any observation"),
    Key("level", "level", "the level that this raster shows"),
    Key("about", "text", "which raster this is"),
    Key("values", "values", "raster value or range: class"),
)
FURTHER_ENCODING = _table(*(key._replace(required=False) for key in ENCODING.values()))
"""An encoding of the base that an extension adds to."""
DOCUMENT = _table(
    Key("hieratk", "text", "`taxonomy/1`", required=True),
    Key("id", "id", "name in files, metrics and references", default="file name"),
    Key("version", "version", "MAJOR.MINOR.PATCH", default="0.0.0"),
    Key("title", "name", "one line for people"),
    Key("description", "text", "a paragraph for people"),
    Key("lang", "lang", "language of names", default="en"),
    Key("license", "text", "SPDX identifier or LicenseRef-..."),
    Key("source", "sources", "list of what the legend was taken from"),
    Key("extends", "extends", "the taxonomy that this one grows from"),
    Key("codes", "codes", "what official codes look like"),
    Key("levels", "levels", "names of the depths, coarse to fine", default="level1, level2, ..."),
    Key("tree", "tree", "the classes as an outline"),
    Key("extend", "extend", "outlines below classes of the extended taxonomy"),
    Key("special", "special", "raster values that are no class"),
    Key("classes", "classes", "properties of classes by id"),
    Key("attributes", "attributes", "properties that classes may state under `attrs`"),
    Key("encodings", "encodings", "how rasters write the classes"),
    Key("meta", "meta", "content of your own"),
)
TABLES: Mapping[str, Mapping[str, Key]] = MappingProxyType(
    {
        "document": DOCUMENT,
        "classes": CLASS,
        "special": SPECIAL,
        "encodings": ENCODING,
        "attributes": ATTRIBUTE,
        "codes": CODES,
        "source": SOURCE,
        "deprecated": DEPRECATED,
        "extends": EXTENDS,
    }
)
"""Every table by the place in a document where it holds."""
