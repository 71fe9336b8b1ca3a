"""The Earth Engine catalogue: `gee:classes` with value, colour and description; trees stand in the text, `A > B > C`.

Read as well: lists of lines, with tabs between value, colour and text, as they are copied from a page of the catalogue.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from hieratk.diagnostics import Source
from hieratk.errors import ExchangeError
from hieratk.exchange.counting import lost, number, some
from hieratk.exchange.legend import Shown, legend, lost_roles, unclear_values, valued
from hieratk.exchange.numbering import ARROW, pieces, unfold
from hieratk.exchange.records import Exported, Found, Row, check_count
from hieratk.exchange.sources import clean, color_of, integer, parse_json
from hieratk.taxonomy.tree import Taxonomy

_KEY = "gee:classes"
_LONG = 60


def write_gee(taxonomy: Taxonomy, *, level: str | None, encoding: str | None) -> Exported:
    """`gee:classes`: one entry a raster value, with the names from the top of the tree down as its description."""
    found = legend(taxonomy, level=level, encoding=encoding)
    shown = valued(taxonomy, found, "gee")
    classes = []
    for entry in shown:
        words = _words(taxonomy, entry)
        color = {"color": entry.color[1:]} if entry.color else {}
        classes += [{"value": value, **color, "description": words} for value in entry.each()]
    above = {id_ for entry in shown if entry.role is None for id_ in taxonomy.path(entry.id)}
    valued_ids = {entry.id for entry in shown}
    missing = lost(
        taxonomy, carried={"tree", "color", "special:color"}, shown=valued_ids | above, encoding=found.encoding
    )
    bare = sorted(id_ for id_ in above - valued_ids if taxonomy[id_].color)
    if bare:
        missing.append(f"colours of {number(len(bare), 'class', 'classes')} without a raster value {some(bare)}")
    torn = [entry.id for entry in shown if pieces(_words(taxonomy, entry)) != tuple(_path(taxonomy, entry))]
    if torn:
        missing.append(
            f"that `>` in the path of {number(len(torn), 'class', 'classes')} is part of a name {some(torn)}"
        )
    missing += lost_roles(shown)
    return Exported(
        json.dumps({_KEY: classes}, ensure_ascii=False, indent=2) + "\n", (*missing, *unclear_values(found))
    )


def _path(taxonomy: Taxonomy, entry: Shown) -> list[str]:
    if entry.role is not None:
        return [entry.name]
    return [taxonomy[id_].name or id_ for id_ in taxonomy.path(entry.id)]


def _words(taxonomy: Taxonomy, entry: Shown) -> str:
    return ARROW.join(_path(taxonomy, entry))


def read_gee(source: Source) -> Found:
    """The classes of a catalogue entry, of a bare list, or of lines of text; `A > B` and `1.2. B` become levels."""
    if source.text.lstrip().startswith(("{", "[")):
        rows, lost_, guesses = _from_json(source)
    else:
        rows, lost_, guesses = _from_lines(source)
    unfolded, decided = unfold(rows)
    return Found(tuple(unfolded), {}, (), tuple(lost_), (*guesses, *decided))


def _from_json(source: Source) -> tuple[list[Row], list[str], list[str]]:
    document = parse_json(source)
    bare = isinstance(document, list) and not any(isinstance(item, dict) and _KEY in item for item in document)
    lists = [document] if bare else list(_lists(document))
    different = {json.dumps(classes, sort_keys=True): classes for classes in lists}
    if len(different) != 1:
        what = "no" if not different else f"{len(different)} different lists of"
        raise ExchangeError(f"{source.name}: {what} `{_KEY}` in it; cut the file down to one list of classes")
    rows = []
    split: list[str] = []
    unread: dict[str, int] = {}
    for index, entry in enumerate(next(iter(different.values()))):
        where = f"{source.name}: {_KEY}/{index}"
        if not isinstance(entry, dict) or not isinstance(entry.get("description"), str):
            raise ExchangeError(f"{where}: a class is an object with value, color and description")
        for key in set(entry) - {"value", "color", "description"}:
            unread[key] = unread.get(key, 0) + 1
        text = clean(entry["description"])
        value = integer(entry.get("value"))
        if value is None or not text:
            raise ExchangeError(f"{where}: the value {json.dumps(entry.get('value'))[:60]} is no integer, or no text")
        color = color_of(str(entry.get("color", "")))
        if color is None and entry.get("color"):
            unread["color"] = unread.get("color", 0) + 1
        rows.append(_row(where, text, value, color, split))
    lost_ = [f"`{key}` of {number(count, 'class', 'classes')}" for key, count in sorted(unread.items())]
    return rows, lost_, _split(split)


def _lists(document: Any) -> Iterator[list[Any]]:
    stack = [document]
    while stack:
        item = stack.pop()
        if isinstance(item, dict):
            stack.extend(value for key, value in reversed(item.items()) if key != _KEY)
            if isinstance(item.get(_KEY), list) and item[_KEY]:
                yield item[_KEY]
        elif isinstance(item, list):
            stack.extend(reversed(item))


def _from_lines(source: Source) -> tuple[list[Row], list[str], list[str]]:
    rows: list[Row] = []
    split: list[str] = []
    skipped = 0
    for row, line in enumerate(source.text.splitlines(), 1):
        cells = [cell.strip() for cell in line.split("\t")]
        if not any(cells) or line.lstrip().startswith("//"):
            continue
        if {cell.lower() for cell in cells if cell} <= {"value", "color", "colour", "description", "name"}:
            skipped += 1
            continue
        value = color = None
        words: list[str] = []
        for cell in cells if len(cells) > 1 else ():
            if value is None and not words and integer(cell) is not None:
                value = integer(cell)
            elif color is None and not words and color_of(cell):
                color = color_of(cell)
            elif cell:
                words.append(cell)
        text = clean(" ".join(words) if len(cells) > 1 else line)
        if not text:
            raise ExchangeError(f"{source.name}:{row}: a line without a name; write value, tab, name")
        rows.append(_row(f"{source.name}:{row}", text, value, color, split))
        check_count(source.name, len(rows))
    return rows, [f"{number(skipped, 'line')} of headings"] if skipped else [], _split(split)


def _row(where: str, text: str, value: int | None, color: str | None, split: list[str]) -> Row:
    """`Name: a sentence about it` is a name and a definition where it is too long for a name."""
    name, colon, rest = text.partition(": ")
    texts = {}
    if len(text) > _LONG and colon and len(name) <= _LONG and ARROW not in text:
        texts, text = {"definition": clean(" ".join(rest.split()))}, clean(name)
        split.append(text)
    return Row(where, where, text, values=() if value is None else ((value, value),), color=color, texts=texts)


def _split(split: list[str]) -> list[str]:
    what = "descriptions read as name and definition, divided at the colon"
    return [f"{what}: {number(len(split), 'class', 'classes')} {some(split)}"] if split else []
