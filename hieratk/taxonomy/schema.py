"""JSON Schemas (draft-07) of the documents, made from the tables of keys that the readers use.

They are for editors: completion, words on hover, and the shape of what is typed. What goes beyond shape (ids that
exist, values claimed twice, shares that add up) only `hieratk taxonomy validate` sees.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hieratk.taxonomy import spec
from hieratk.taxonomy.spec import Key

_DRAFT = "http://json-schema.org/draft-07/schema#"
_INTEGER = r"-?(0|[1-9][0-9]*)"
_Schema = dict[str, Any]


def schema_text(kind: str, tables: Mapping[str, Mapping[str, Key]] = spec.TABLES) -> str:
    """The schema of a kind of document as JSON text; see `schema`."""
    return json.dumps(schema(kind, tables), ensure_ascii=False, indent=1) + "\n"


def schema(kind: str, tables: Mapping[str, Mapping[str, Key]] = spec.TABLES) -> _Schema:
    """The schema of documents that begin with `hieratk: KIND/1`.

    `tables` are the keys by the place in a document where they hold, as `hieratk.taxonomy.spec.TABLES`. Raises KeyError
    for a type of value that nobody has described here.
    """
    writer = _Writer(tables)
    found: _Schema = {"$schema": _DRAFT, "title": f"hieratk {kind}, version 1"}
    found |= writer.mapping("document")
    found["properties"]["hieratk"] = {"const": f"{kind}/1", "description": "kind and version of the document"}
    if "extend" in tables["document"]:
        found["anyOf"] = [{"required": ["tree"]}, {"required": ["extends"]}]
        needs = [key.name for key in tables["encodings"].values() if key.required]
        # An encoding that adds to one of the base has said so there.
        found["if"] = {"not": {"required": ["extends"]}}
        found["then"] = {"properties": {"encodings": {"additionalProperties": {"required": needs}}}}
        del found["properties"]["encodings"]["additionalProperties"]["required"]
    found["definitions"] = writer.definitions
    return found


class _Writer:
    def __init__(self, tables: Mapping[str, Mapping[str, Key]]) -> None:
        self.tables = tables
        self.definitions: dict[str, _Schema] = {}

    def mapping(self, table: str) -> _Schema:
        """A mapping with the keys of a table and no others."""
        keys = self.tables[table]
        found: _Schema = {"type": "object", "additionalProperties": False}
        required = [key.name for key in keys.values() if key.required]
        if required:
            found["required"] = required
        found["properties"] = {key.name: self.key(key) for key in keys.values()}
        return found

    def key(self, key: Key) -> _Schema:
        """The schema of one key, with its description and default."""
        found = dict(self.value(key))
        if "$ref" in found:
            # Draft-07 does not look at what stands beside a reference.
            found = {"allOf": [found]}
        found["description"] = key.about
        if key.default and (key.default in key.words or key.type in ("lang", "version")):
            found["default"] = key.default
        elif key.default:
            found["description"] += f" (without it: {key.default})"
        return found

    def value(self, key: Key) -> _Schema:
        """The schema of the values of a key."""
        if key.type == "word":
            return {"enum": list(key.words)}
        if key.type in _PLAIN:
            return _PLAIN[key.type]
        return getattr(self, f"_{key.type}")()  # type: ignore[no-any-return]  # one method a type of spec.Key

    def _define(self, name: str, content: _Schema) -> _Schema:
        self.definitions[name] = content
        return {"$ref": f"#/definitions/{name}"}

    def _listing(self, table: str) -> _Schema:
        return {"type": "object", "propertyNames": _ID, "additionalProperties": self.mapping(table)}

    def _pixel(self) -> _Schema:
        items = {"anyOf": [{"type": "array", "minItems": 1, "items": {"anyOf": _PIXELS}}, *_PIXELS]}
        return self._define("pixel", {"description": "raster value, range a..b, or a list of both", **items})

    def _tree(self) -> _Schema:
        inside: list[_Schema] = [{"type": "null"}, self._pixel(), {"$ref": "#/definitions/tree"}]
        tree = {"type": "object", "propertyNames": _ID, "additionalProperties": {"anyOf": inside}}
        words = "outline: a mapping holds children, a number is a raster value, nothing is a leaf without one"
        return self._define("tree", {"description": words, **tree})

    def _extend(self) -> _Schema:
        return {"type": "object", "propertyNames": _ID, "additionalProperties": self._tree()}

    def _sources(self) -> _Schema:
        return {"type": "array", "minItems": 1, "items": self._define("source", self.mapping("source"))}

    def _deprecated(self) -> _Schema:
        return self.mapping("deprecated")

    def _extends(self) -> _Schema:
        return self.mapping("extends")

    def _codes(self) -> _Schema:
        return self.mapping("codes")

    def _classes(self) -> _Schema:
        return self._listing("classes")

    def _special(self) -> _Schema:
        return self._listing("special")

    def _attributes(self) -> _Schema:
        return self._listing("attributes")

    def _encodings(self) -> _Schema:
        return self._listing("encodings")

    def _reference(self) -> _Schema:
        return self._define("reference", self.mapping("from"))

    def _entries(self) -> _Schema:
        verbs = [key.name for key in self.tables["map"].values() if key.type in ("target", "targets", "others")]
        entry = {**self.mapping("map"), "oneOf": [{"required": [verb]} for verb in verbs]}
        return {"type": "object", "additionalProperties": self._define("entry", entry)}


_TEXT: _Schema = {"type": "string", "minLength": 1}
_ID: _Schema = {"type": "string", "pattern": f"^{spec.ID_PATTERN}$", "maxLength": spec.ID_LONGEST}
_RANGE: _Schema = {"type": "string", "pattern": rf"^{_INTEGER}\.\.{_INTEGER}$"}
_PIXELS: list[_Schema] = [{"type": "integer"}, _RANGE]
_SHARE: _Schema = {"type": "number", "exclusiveMinimum": 0, "maximum": 1}
_SHARES: _Schema = {"type": "object", "minProperties": 1, "additionalProperties": _SHARE}


def _list(item: _Schema) -> _Schema:
    return {"type": "array", "minItems": 1, "uniqueItems": True, "items": item}


def _pattern(pattern: str) -> _Schema:
    return {"type": "string", "pattern": f"^({pattern})$"}


_REFERENCE: _Schema = {"type": "string", "minLength": 1, "description": "id or code of a class"}
_PLAIN: Mapping[str, _Schema] = {
    "text": _TEXT,
    "name": _TEXT,
    "code": _TEXT,
    "level": _TEXT,
    "specifier": _TEXT,
    "url": {"type": "string", "format": "uri"},
    "pattern": {"type": "string", "format": "regex"},
    "id": _ID,
    "ids": _list(_ID),
    "levels": _list(_ID),
    "names": _list(_TEXT),
    "version": _pattern(spec.VERSION_PATTERN),
    "lang": _pattern(spec.LANGUAGE_PATTERN),
    "date": _pattern(spec.DATE_PATTERN),
    "color": _pattern(spec.COLOR_PATTERN),
    "integer": {"type": "integer"},
    "confidence": {"type": "number", "minimum": 0, "maximum": 1},
    "meta": {"type": "object"},
    "labels": {
        "type": "object",
        "patternProperties": {f"^({spec.LANGUAGE_PATTERN})$": _TEXT},
        "additionalProperties": False,
    },
    "parts": {"anyOf": [_list(_ID), _SHARES]},
    "attrs": {"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}},
    "values": {
        "type": "object",
        "patternProperties": {rf"^{_INTEGER}(\.\.{_INTEGER})?$": _ID},
        "additionalProperties": False,
    },
    "target": _REFERENCE,
    "targets": {"anyOf": [_REFERENCE, _list(_REFERENCE), _SHARES]},
    "others": {"anyOf": [_REFERENCE, _list(_REFERENCE)]},
}
