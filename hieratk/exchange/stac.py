"""STAC: lists of classes of the classification extension 2.0, and model outputs of the machine learning extension.

Written in the spelling of version 2.0 (`value`, `name`, `title`, `description`, `color_hint`, `nodata`); read as well
in older ones (`color-hint`, `no_data`, `values`, classes without a `name`). (known: schemas of the two extensions)
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hieratk.diagnostics import Source
from hieratk.errors import ExchangeError
from hieratk.exchange.building import is_id
from hieratk.exchange.counting import lost, number
from hieratk.exchange.legend import Shown, legend, level_of, lost_roles, unclear_values, valued
from hieratk.exchange.records import Exported, Found, Row
from hieratk.exchange.sources import clean, color_of, integer, parse_json
from hieratk.taxonomy.tree import Taxonomy

CLASSIFICATION = "https://stac-extensions.github.io/classification/v2.0.0/schema.json"
_KEY = "classification:classes"
_CARRIED = {"ids", "definition", "color", "special:color"}


def write_stac(taxonomy: Taxonomy, *, level: str | None, encoding: str | None) -> Exported:
    """`classification:classes` of a raster: one entry a raster value."""
    found = legend(taxonomy, level=level, encoding=encoding)
    shown = valued(taxonomy, found, "stac")
    classes = [_class(entry, value) for entry in shown for value in entry.each()]
    document = {"stac_extensions": [CLASSIFICATION], _KEY: classes}
    missing = lost(taxonomy, carried=_CARRIED, shown={entry.id for entry in shown}, encoding=found.encoding)
    missing += lost_roles(shown, but="nodata")
    return Exported(_text(document), (*missing, *unclear_values(found)))


def write_mlm(taxonomy: Taxonomy, *, level: str | None, encoding: str | None) -> Exported:
    """`mlm:output` of a model: one output a level, whose class values are channel numbers within the level."""
    if encoding is not None:
        raise ExchangeError("mlm describes the channels of a model, not the values of a raster; leave the encoding out")
    one = level_of(taxonomy, level)
    rows = taxonomy.levels if one is None else (one,)
    outputs = []
    for row in rows:
        shown = [Shown(id_, taxonomy[id_].name, None, taxonomy[id_].color) for id_ in row.classes]
        outputs.append(
            {
                "name": row.name,
                "description": f"Scores of the {len(row)} classes of level {row.name} of {taxonomy.id}"
                f" {taxonomy.version}; a class's value is its channel.",
                "tasks": ["semantic-segmentation"],
                "result": {
                    "shape": [-1, len(row), -1, -1],
                    "dim_order": ["batch", "class", "height", "width"],
                    "data_type": "float32",
                },
                _KEY: [_class(entry, channel) for channel, entry in enumerate(shown)],
            }
        )
    ids = {id_ for row in rows for id_ in row.classes}
    missing = lost(taxonomy, carried={"ids", "color", "levels"}, shown=ids)
    if len(rows) > 1:
        missing.append(f"how the classes of {number(len(rows), 'output')} hang together")
    return Exported(_text({"stac_extensions": [CLASSIFICATION], "mlm:output": outputs}), tuple(missing))


def _class(entry: Shown, value: int) -> dict[str, Any]:
    found: dict[str, Any] = {"value": value, "name": entry.id, "title": entry.name}
    if entry.definition:
        found["description"] = entry.definition
    if entry.color:
        found["color_hint"] = entry.color[1:].upper()
    if entry.role == "nodata":
        found["nodata"] = True
    return found


def _text(document: dict[str, Any]) -> str:
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


_SPELLINGS = {
    "value": ("value", "values"),
    "color": ("color_hint", "color-hint", "colour_hint", "colour-hint"),
    "nodata": ("nodata", "no_data", "no-data"),
    "name": ("name",),
    "title": ("title",),
    "description": ("description",),
}


def read_stac(source: Source) -> Found:
    """The classes of a list, of an item, of a collection, or of anything else that holds one such list."""
    document = parse_json(source)
    lists = [("", document)] if _is_list(document) else list(_lists(document))
    different = {json.dumps(classes, sort_keys=True): (at, classes) for at, classes in lists}
    if not different:
        raise ExchangeError(f"{source.name}: no `{_KEY}` in it; give a STAC document, or a bare list of classes")
    if len(different) > 1:
        places = ", ".join(at for at, _ in different.values())
        raise ExchangeError(
            f"{source.name}: {len(different)} different lists of classes, at {places}; STAC does not say how they hang"
            " together: cut the file down to one of them"
        )
    at, classes = next(iter(different.values()))
    return _found(source, at, classes)


def _is_list(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) and _get(item, "value") is not None
                                                           for item in value)  # fmt: skip


def _lists(value: Any, at: str = "") -> Iterator[tuple[str, list[Any]]]:
    stack = [(at, value)]
    while stack:
        here, item = stack.pop()
        if isinstance(item, dict):
            stack.extend((f"{here}/{key}", inner) for key, inner in reversed(item.items()) if key != _KEY)
            if isinstance(item.get(_KEY), list) and item[_KEY]:
                yield f"{here}/{_KEY}", item[_KEY]
        elif isinstance(item, list):
            stack.extend((f"{here}/{index}", inner) for index, inner in reversed(list(enumerate(item))))


def _get(entry: dict[str, Any], what: str) -> Any:
    return next((entry[way] for way in _SPELLINGS[what] if entry.get(way) is not None), None)


def _found(source: Source, at: str, classes: list[Any]) -> Found:
    rows: dict[tuple[str, ...], Row] = {}
    unread: dict[str, int] = {}
    known = {way for ways in _SPELLINGS.values() for way in ways}
    old: set[str] = set()
    for index, entry in enumerate(classes):
        where = f"{source.name}: {at}/{index}"
        if not isinstance(entry, dict):
            raise ExchangeError(f"{where}: a class is an object with a value and a name, not {json.dumps(entry)[:60]}")
        for key in entry:
            if key not in known:
                unread[key] = unread.get(key, 0) + 1
        old.update(key for key in entry if key in ("color-hint", "no_data", "values"))
        row = _row(where, entry)
        # Several values of one class are several entries that differ in nothing else.
        key = (row.id or "", row.name, row.color or "", row.role or "")
        before = rows.get(key)
        rows[key] = row if before is None else replace(before, values=before.values + row.values)
    missing = [f"`{key}` of {number(count, 'class', 'classes')}" for key, count in unread.items()]
    guesses = [f"older spellings read as those of version 2.0: {', '.join(sorted(old))}"] if old else []
    return Found(tuple(rows.values()), {}, ("class",), tuple(missing), tuple(guesses))


def _row(where: str, entry: dict[str, Any]) -> Row:
    stated = _get(entry, "value")
    values = [integer(value) for value in (stated if isinstance(stated, list) else [stated])]
    if not values or None in values:
        raise ExchangeError(f"{where}: the value {json.dumps(stated)[:60]} is no integer; write one, such as 7")
    texts = {what: clean(str(_get(entry, what) or "")) for what in ("name", "title", "description")}
    machine, title, description = texts["name"], texts["title"], texts["description"]
    if not (machine or title or description):
        raise ExchangeError(f"{where}: a class without name, title and description; add a `name`")
    # Before version 2.0 the description was the name for people.
    if not title and description and len(description) <= 60 and not description.endswith("."):
        title, description = description, ""
    color = color_of(str(_get(entry, "color") or ""))
    if color is None and _get(entry, "color"):
        raise ExchangeError(f"{where}: the colour `{_get(entry, 'color')}` is not six hexadecimal digits")
    spans = tuple((value, value) for value in values if value is not None)
    return Row(
        key=machine or title or str(spans[0][0]),
        place=where,
        name=title or machine.replace("_", " "),
        id=machine if is_id(machine) else None,
        values=spans,
        color=color,
        role="nodata" if _get(entry, "nodata") is True else None,
        texts={"definition": description} if description and _get(entry, "nodata") is not True else {},
    )
