"""COCO categories: id, name and `supercategory`, hence two levels."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

from hieratk.diagnostics import Source
from hieratk.errors import ExchangeError
from hieratk.exchange.building import is_id, slug
from hieratk.exchange.counting import lost, number, some
from hieratk.exchange.legend import Legend, Shown, legend, level_of, unclear_values
from hieratk.exchange.records import Exported, Found, Row
from hieratk.exchange.sources import clean, integer, parse_json
from hieratk.taxonomy.tree import Taxonomy

_NONE = ("", "none")


def write_coco(taxonomy: Taxonomy, *, level: str | None, encoding: str | None) -> Exported:
    """The classes of a level (the finest by default) with those of the level above as supercategories.

    A category's id is the first raster value of its class; where some class has none, ids count from 1.
    """
    row = level_of(taxonomy, level) or taxonomy.levels[-1]
    found = legend(taxonomy, level=row.name, encoding=encoding)
    classes = [entry for entry in found.shown if entry.role is None]
    numbers, remark = _numbers(classes, found)
    parents = _parents(taxonomy, row.index)
    categories = []
    for entry, number_ in zip(classes, numbers, strict=True):
        category: dict[str, Any] = {
            "id": number_,
            "name": entry.name,
            "supercategory": parents.get(entry.id, ""),
            "isthing": 0,
        }
        if entry.color:
            category["color"] = [int(entry.color[i : i + 2], 16) for i in (1, 3, 5)]
        categories.append(category)
    above = {parent for parent in parents.values() if parent}
    missing = lost(
        taxonomy, carried={"tree", "color"}, shown={entry.id for entry in classes} | above, encoding=found.encoding
    )
    if above:
        missing.append(f"all of {number(len(above), 'class', 'classes')} above but the id {some(sorted(above))}")
    return Exported(
        json.dumps({"categories": categories}, ensure_ascii=False, indent=2) + "\n",
        (*missing, *remark, *unclear_values(found)),
    )


def _numbers(classes: list[Shown], found: Legend) -> tuple[list[int], list[str]]:
    bare = [entry.id for entry in classes if not entry.values]
    if bare:
        why = f"raster values: {number(len(bare), 'class has', 'classes have')} none {some(bare)}, so ids count from 1"
        return list(range(1, len(classes) + 1)), [why] if found.encoding is not None else []
    several = [entry.id for entry in classes if entry.values[0][0] != entry.values[-1][1]]
    why = f"all but the first raster value of {number(len(several), 'class', 'classes')} {some(several)}"
    return [entry.values[0][0] for entry in classes], [why] if several else []


def _parents(taxonomy: Taxonomy, level: int) -> dict[str, str]:
    """Ids of the classes one level up; a class that stands there itself has none."""
    if level == 0:
        return {}
    above = set(taxonomy.levels[level - 1].classes)
    found = {}
    for id_ in taxonomy.levels[level].classes:
        holder = next((other for other in taxonomy.path(id_) if other in above), id_)
        if holder != id_:
            found[id_] = holder
    return found


def read_coco(source: Source) -> Found:
    """The categories of a COCO file, below their supercategories."""
    document = parse_json(source)
    categories = document.get("categories") if isinstance(document, dict) else document
    if not isinstance(categories, list) or not categories:
        raise ExchangeError(f"{source.name}: no list of `categories` in it")
    own: list[Row] = []
    unread: dict[str, int] = {}
    for index, category in enumerate(categories):
        where = f"{source.name}: /categories/{index}"
        if not isinstance(category, dict) or not isinstance(category.get("name"), str):
            raise ExchangeError(f"{where}: a category is an object with an id and a name")
        own.append(_category(where, category))
        for key in set(category) - {"id", "name", "supercategory", "color", "isthing"}:
            unread[key] = unread.get(key, 0) + 1
    rows, guesses = _with_supercategories(own)
    missing = [f"`{key}` of {number(count, 'category', 'categories')}" for key, count in sorted(unread.items())]
    if isinstance(document, dict):
        others = sorted(key for key in document if key != "categories")
        missing += [f"{', '.join(others)} of the file"] if others else []
    return Found(tuple(rows), {}, (), tuple(missing), tuple(guesses))


def _category(where: str, category: dict[str, Any]) -> Row:
    name = clean(category["name"])
    value = integer(category.get("id"))
    if value is None or not name:
        raise ExchangeError(f"{where}: the id {json.dumps(category.get('id'))[:60]} is no integer, or no name")
    above = category.get("supercategory")
    color = category.get("color")
    channels = color if isinstance(color, list) and len(color) == 3 else []
    numbers = [n for n in map(integer, channels) if n is not None and 0 <= n <= 255]
    if color is not None and len(numbers) < 3:
        raise ExchangeError(f"{where}: the colour {json.dumps(color)[:60]} is not [red, green, blue] from 0 to 255")
    parent = clean(above) if isinstance(above, str) else ""
    return Row(
        key=f"category {value}",
        place=where,
        name=name,
        # The usual file names a category without one above it as its own supercategory, or "none".
        parent=None if parent.lower() in _NONE or parent == name else parent,
        values=((value, value),),
        color="#{:02x}{:02x}{:02x}".format(*numbers) if numbers else None,
    )


def _with_supercategories(own: list[Row]) -> tuple[list[Row], list[str]]:
    """The rows with one for each supercategory that is no category itself, parents replaced by keys."""
    named: dict[str, str] = {}
    for row in own:
        if row.parent is None:
            for way in (row.name, slug(row.name)):
                named.setdefault(way, row.key)
    rows: list[Row] = []
    made: dict[str, str] = {}
    for row in own:
        if row.parent is None:
            rows.append(row)
            continue
        key = named.get(row.parent)
        if key is None:
            key = made.get(row.parent)
        if key is None:
            key = made[row.parent] = f"supercategory {row.parent}"
            # An id of the notation gives its words as a name; other words are the name.
            id_ = row.parent if is_id(row.parent) else None
            rows.append(Row(key, row.place, row.parent.replace("_", " ") if id_ else row.parent, id=id_))
        rows.append(replace(row, parent=key))
    both = [named[row.parent] for row in own if row.parent in named]
    guesses = [f"{number(len(set(both)), 'supercategory is', 'supercategories are')} a category too: read as one class"]
    return rows, guesses if both else []
