"""What a crosswalk may say: tables of keys, from which reader, suggestions, schema and docs take theirs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from hieratk.taxonomy.spec import SOURCE, Key

UNMAPPED = ("error", "ignore")
"""What may be said about classes without a relation."""


def _table(*keys: Key) -> Mapping[str, Key]:
    return MappingProxyType({key.name: key for key in keys})


REFERENCE = _table(
    Key("taxonomy", "text", "name or path of a taxonomy", required=True),
    Key("version", "specifier", 'which versions of it, such as ">=1.0,<2"', required=True),
)
ENTRY = _table(
    Key("is", "target", "the same class"),
    Key("within", "target", "every pixel of the class lies in the target"),
    Key("covers", "targets", "the class is the union of the targets"),
    Key("overlaps", "targets", "the class lies in the union of the targets, with shares where they are known"),
    Key("outside", "others", "the class is anything but the targets"),
    Key("none", "target", "no counterpart: a special value of the target, or nodata, unlabelled or excluded"),
    Key("confidence", "confidence", "how sure the relation is, from 0 to 1"),
    Key("note", "text", "why"),
    Key("source", "text", "where the relation was taken from"),
)
DOCUMENT = _table(
    Key("hieratk", "text", "`crosswalk/1`", required=True),
    Key("id", "id", "name of the crosswalk", required=True),
    Key("version", "version", "MAJOR.MINOR.PATCH", required=True),
    Key("title", "name", "one line for people"),
    Key("description", "text", "a paragraph for people"),
    Key("license", "text", "SPDX identifier or LicenseRef-..."),
    Key("source", "sources", "list of what the relations were taken from"),
    Key("from", "reference", "the taxonomy whose classes are mapped", required=True),
    Key("to", "reference", "the taxonomy that they are mapped to", required=True),
    Key("unmapped", "word", "what a class without a relation is", UNMAPPED, default="error"),
    Key("map", "entries", "class of the source: its relation", required=True),
    Key("meta", "meta", "content of your own"),
)
TABLES: Mapping[str, Mapping[str, Key]] = MappingProxyType(
    {"document": DOCUMENT, "map": ENTRY, "from": REFERENCE, "to": REFERENCE, "source": SOURCE}
)
"""Every table by the place in a document where it holds."""
