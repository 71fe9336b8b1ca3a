"""Tables of classes to the rows of a tree: every fault with its row and column."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from hieratk.diagnostics import Source, nearest
from hieratk.errors import ExchangeError
from hieratk.exchange.building import is_id
from hieratk.exchange.counting import number, some
from hieratk.exchange.records import Found, Row, check_count
from hieratk.exchange.sources import clean, color_of, integer
from hieratk.exchange.table import EXTRA
from hieratk.taxonomy.spec import KINDS, LANGUAGE_PATTERN, ROLES, VERSION_PATTERN
from hieratk.taxonomy.tree import Deprecated

# The first word is the one that `columns` takes; the others are ways in which files call the column.
_COLUMNS = {
    "id": ("id", "class_id"),
    "key": ("id_or_code",),
    "code": ("code", "class_code"),
    "pixel": ("pixel_value", "pixel", "value", "pixelvalue", "gridcode", "grid_code", "dn"),
    "name": ("name", "class", "class_name", "label", "title", "description"),
    "parent": ("parent_code", "parent", "parent_id"),
    "level": ("level",),
    "r": ("r", "red"),
    "g": ("g", "green"),
    "b": ("b", "blue"),
    "color": ("color", "colour", "hex", "color_hex"),
    "source": ("source",),
    **{name: (name,) for name in EXTRA},
    "definition": ("definition", "description"),
    "note": ("note", "notes", "remark", "remarks", "comment"),
}
_MOST_COLUMNS = 200
_SPAN = re.compile(r"(-?[0-9]{1,12})(?:\.\.(-?[0-9]{1,12}))?", re.ASCII)


def read(source: Source, *, columns: Mapping[str, str]) -> Found:
    """The classes of a table; commas, semicolons or tabs stand between the cells."""
    lines = _lines(source)
    header_row, header = next(lines, (1, []))
    at, ignored = _columns(source, header, columns)
    rows = []
    names: dict[int, str] = {}
    for number_, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        where = f"{source.name}:{number_}"
        if len(cells) != len(header):
            raise ExchangeError(
                f"{where}: {number(len(cells), 'cell')}, and the header in row {header_row} has {len(header)}; quote"
                " cells that hold the separator"
            )
        record = _Record(where, {name: clean(cells[index]) for name, index in at.items()}, header, at)
        row = _row(record)
        rows.append(row)
        check_count(source.name, len(rows))
        if row.level is not None and record.text("level_name"):
            names.setdefault(row.level, record.text("level_name"))
    depth = 1 + max((row.level for row in rows if row.level is not None), default=-1)
    levels = tuple(names.get(i, f"level{i + 1}") for i in range(depth)) if names else ()
    dropped = (f"{number(len(ignored), 'column')} {some(ignored, most=6)}",) if ignored else ()
    return Found(tuple(_with_parents(rows)), {}, levels, dropped)


def _with_parents(rows: list[Row]) -> list[Row]:
    """Parents as keys: a table with a column of ids may name parents by their codes."""
    keys = {row.key for row in rows}
    by_code = {row.code: row.key for row in rows if row.code is not None}
    return [
        replace(row, parent=by_code.get(row.parent, row.parent))
        if row.parent is not None and row.parent not in keys
        else row
        for row in rows
    ]


def _lines(source: Source) -> Iterator[tuple[int, list[str]]]:
    """Row number in the file and cells of each record."""
    first = source.text.lstrip("\r\n").partition("\n")[0]
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(source.text, newline=""), delimiter=separator, strict=True)
    before = 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise ExchangeError(f"{source.name}:{reader.line_num}: not a CSV table: {error}") from None
        # A record with quoted line breaks is known by its first row.
        start, before = before + 1, reader.line_num
        if cells:
            yield start, cells


def _columns(source: Source, header: list[str], wanted: Mapping[str, str]) -> tuple[dict[str, int], list[str]]:
    names = [name.strip() for name in header]
    if len(names) > _MOST_COLUMNS:
        raise ExchangeError(f"{source.name}:1: {len(names)} columns; at most {_MOST_COLUMNS} are read")
    if len({name for name in names if name}) < len([name for name in names if name]):
        twice = next(name for name in names if name and names.count(name) > 1)
        raise ExchangeError(f"{source.name}:1: the column `{twice}` is there twice; rename one of them")
    at: dict[str, int] = {}
    for what, name in wanted.items():
        if what not in _COLUMNS:
            close = nearest(what, _COLUMNS)
            way = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(_COLUMNS)}"
            raise ExchangeError(f"a class has no `{what}`; {way}")
        if name not in names:
            close = nearest(name, names)
            way = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(names)}"
            raise ExchangeError(f"{source.name} has no column `{name}`; {way}")
        at[what] = names.index(name)
    lowered = [name.lower() for name in names]
    for what, ways in _COLUMNS.items():
        index = next((lowered.index(way) for way in ways if way in lowered), None)
        if what not in at and index is not None and index not in at.values():
            at[what] = index
    ignored = [name for index, name in enumerate(names) if index not in at.values() and name]
    _misspelt(source, ignored, at)
    if not {"id", "key", "code", "name"} & set(at):
        raise ExchangeError(
            f"{source.name}:1: no column of names, ids or codes among {', '.join(names)}; say which one it is, such as"
            " --columns name=LABEL"
        )
    return at, ignored


def _misspelt(source: Source, ignored: list[str], at: Mapping[str, int]) -> None:
    """An unknown column that looks like a known one which is missing is a typing mistake, not a remark."""
    missing = [way for what, ways in _COLUMNS.items() if what not in at for way in ways if len(way) > 3]
    for name in ignored:
        close = nearest(name, missing, limit=1)
        if close and abs(len(close[0]) - len(name)) <= 2 and len(name) > 3:
            raise ExchangeError(
                f"{source.name}:1: unknown column `{name}`; did you mean `{close[0]}`? If not, rename the column, or"
                f" remove it"
            )


class _Record:
    """The cells of one row by what they mean, and errors that name row and column."""

    def __init__(self, where: str, cells: Mapping[str, str], header: list[str], at: Mapping[str, int]) -> None:
        self.where = where
        self.cells = cells
        self._header = header
        self._at = at

    def text(self, what: str) -> str:
        return self.cells.get(what, "")

    def fail(self, what: str, expected: str) -> ExchangeError:
        column = self._header[self._at[what]].strip()
        return ExchangeError(f"{self.where}: column `{column}` holds `{self.text(what)[:80]}`, not {expected}")

    def integer(self, what: str, low: int, high: int) -> int | None:
        text = self.text(what)
        if not text:
            return None
        value = integer(text)
        if value is None or not low <= value <= high:
            raise self.fail(what, f"an integer from {low} to {high}")
        return value

    def word(self, what: str, words: tuple[str, ...]) -> str | None:
        text = self.text(what)
        if text and text not in words:
            raise self.fail(what, f"one of {', '.join(words)}")
        return text or None

    def json(self, what: str, expected: str, fits: Any) -> Any:
        text = self.text(what)
        if not text:
            return None
        try:
            value = json.loads(text)
        except (ValueError, RecursionError):
            value = None
        if value is None or not fits(value):
            raise self.fail(what, expected)
        return value

    def spans(self, what: str) -> tuple[tuple[int, int], ...]:
        found = []
        for word in re.split(r"[\s,;|]+", self.text(what)):
            match = _SPAN.fullmatch(word.removesuffix(".0"))
            if not word:
                continue
            if match is None or int(match[2] or match[1]) < int(match[1]):
                raise self.fail(what, "raster values such as `7`, `42..44` or `7 42..44`")
            found.append((int(match[1]), int(match[2] or match[1])))
        return tuple(found)


def _row(record: _Record) -> Row:
    id_, key, code = record.text("id") or None, record.text("key"), record.text("code") or None
    name = record.text("name")
    level = record.integer("level", 1, 60)
    role = record.word("role", ROLES)
    if not id_ and key and "code" not in record.cells:
        # One column for both: what can be an id is one.
        id_, code = (key, code) if is_id(key) else (None, key)
    key = key or id_ or code or name
    if not key:
        raise ExchangeError(f"{record.where}: neither id nor code nor name; remove the row, or complete it")
    return Row(
        key=key,
        place=record.where,
        name=name or (id_ or code or key).replace("_", " "),
        parent=record.text("parent") or None,
        id=id_,
        code=None if role else code,
        level=None if level is None or role else level - 1,
        values=record.spans("pixel"),
        color=_color(record),
        role=role,  # type: ignore[arg-type]  # one of ROLES
        kind=record.word("kind", KINDS) or "class",  # type: ignore[arg-type]  # one of KINDS
        parts=_shares(record),
        also=tuple(record.json("also", 'a list such as ["a", "b"]', _is_texts) or ()),
        deprecated=_gone(record),
        texts=_texts(record, role is not None),
    )


def _texts(record: _Record, special: bool) -> dict[str, Any]:
    labels = record.json(
        "labels",
        'names by language tag, such as {"fr": "Forêt"}',
        lambda value: (
            isinstance(value, dict)
            and all(re.fullmatch(LANGUAGE_PATTERN, tag) and isinstance(text, str) for tag, text in value.items())
        ),
    )
    found: dict[str, Any] = {"labels": labels, "note": record.text("note") or None}
    if not special:
        if record.text("since") and not re.fullmatch(VERSION_PATTERN, record.text("since")):
            raise record.fail("since", "a version such as 1.0.0")
        found |= {
            "synonyms": tuple(record.json("synonyms", 'a list such as ["a", "b"]', _is_texts) or ()),
            "regions": tuple(record.json("regions", 'a list such as ["a", "b"]', _is_texts) or ()),
            **{key: record.text(key) or None for key in ("definition", "since", "source")},
        }
    return {key: value for key, value in found.items() if value}


def _shares(record: _Record) -> dict[str, float | None]:
    def fits(value: Any) -> bool:
        if _is_texts(value):
            return True
        return isinstance(value, dict) and (
            all(share is None for share in value.values())
            or all(isinstance(share, int | float) and 0 <= share <= 1 for share in value.values())
        )

    value = record.json("parts", 'classes such as ["a", "b"] or with shares {"a": 0.5, "b": 0.5}', fits) or {}
    return dict.fromkeys(value) if isinstance(value, list) else value


def _gone(record: _Record) -> Deprecated | None:
    def fits(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and set(value) <= {"since", "use", "note"}
            and re.fullmatch(VERSION_PATTERN, str(value.get("since"))) is not None
            and _is_texts(value.get("use", []))
            and isinstance(value.get("note", ""), str)
        )

    value = record.json("deprecated", 'such as {"since": "1.0.0", "use": ["a"]}', fits)
    return None if value is None else Deprecated(value["since"], tuple(value.get("use", ())), value.get("note"))


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) and item for item in value)


def _color(record: _Record) -> str | None:
    if record.text("color"):
        color = color_of(record.text("color"))
        if color is None:
            raise record.fail("color", "a colour such as #ffd400")
        return color
    channels = [record.integer(channel, 0, 255) for channel in "rgb"]
    stated = [channel for channel in channels if channel is not None]
    if not stated:
        return None
    if len(stated) < 3:
        missing = next(channel for channel, value in zip("rgb", channels, strict=True) if value is None)
        raise ExchangeError(f"{record.where}: `{missing}` is missing; give all of r, g and b, or none of them")
    return "#{:02x}{:02x}{:02x}".format(*stated)
