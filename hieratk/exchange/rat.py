"""GDAL: raster attribute table and colour table in a side file, `RASTER.tif.aux.xml`.

The table is that of `hieratk.rasters.sidecar`, with further columns: the colour as stated, code, role, and for each
level the id of the class that stands there, which makes it a tree. (known: GDALRATFieldUsage of gdal.h)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from xml.etree import ElementTree as xml

from hieratk.diagnostics import Source
from hieratk.errors import ExchangeError
from hieratk.exchange.building import is_id
from hieratk.exchange.counting import lost, number, some
from hieratk.exchange.legend import Shown, legend, made_up_colors, shown_color, unclear_values, valued
from hieratk.exchange.records import Exported, Found, Row
from hieratk.exchange.sources import clean, color_of, integer, parse_xml, xml_text
from hieratk.taxonomy.spec import ROLES
from hieratk.taxonomy.tree import Taxonomy

_CARRIED = {"ids", "tree", "levels", "code", "color", "special:color"}
_LEVEL = re.compile(r"Level ([1-9][0-9]?) (\S+)")
_USAGES = {"2": "name", "3": "min", "4": "max", "5": "value", "6": "red", "7": "green", "8": "blue"}
# Tables of other programs leave the usage at "generic".
_NAMES = {
    "value": "value", "class": "name", "class_name": "name", "classname": "name", "name": "name", "label": "name",
    "red": "red", "green": "green", "blue": "blue", "id": "id", "color": "color", "code": "code", "role": "role",
    "order": "order",
}  # fmt: skip


def write_rat(taxonomy: Taxonomy, *, level: str | None, encoding: str | None) -> Exported:
    """The side file of a raster with one band: a row a raster value, and a colour table for uint8 and uint16."""
    from hieratk.rasters.sidecar import Entry, side_file

    found = legend(taxonomy, level=level, encoding=encoding)
    shown = valued(taxonomy, found, "rat")
    # The rows stand in the order of their values; the classes of a tree do not.
    order = {entry.id: index for index, entry in enumerate(shown, 1)}
    owner: dict[int, Shown] = {value: entry for entry in shown for value in entry.each()}
    entries = [
        Entry(value, xml_text(entry.name), entry.id, _channels(shown_color(taxonomy, entry.id)))
        for value, entry in owner.items()
    ]
    dtype = found.encoding.dtype if found.encoding is not None else "uint8"
    root = xml.fromstring(side_file([entries], dtype=dtype))
    table = root.find(".//GDALRasterAttributeTable")
    assert table is not None
    columns: dict[str, Callable[[Shown], str]] = {
        "Color": lambda entry: entry.color or "",
        "Code": lambda entry: xml_text(entry.code or ""),
        "Role": lambda entry: entry.role or "",
        "Order": lambda entry: str(order[entry.id]),
    }
    titles = [*columns, *(f"Level {i + 1} {name}" for i, name in enumerate(taxonomy.level_names))]
    first = len(table.findall("FieldDefn"))
    for index, title in enumerate(titles, first):
        definition = xml.Element("FieldDefn", index=str(index))
        for tag, text in (("Name", title), ("Type", "0" if title == "Order" else "2"), ("Usage", "0")):
            xml.SubElement(definition, tag).text = text
        table.insert(index, definition)
    for row in table.findall("Row"):
        entry = owner[int(row[0].text or "")]
        cells = [column(entry) for column in columns.values()] + _standing(taxonomy, entry)
        for text in cells:
            xml.SubElement(row, "F").text = text
    xml.indent(root)
    above = {id_ for entry in shown if entry.role is None for id_ in taxonomy.path(entry.id)}
    own = {entry.id for entry in shown}
    missing = lost(taxonomy, carried=_CARRIED, shown=own | above, encoding=found.encoding)
    if above - own:
        bare = sorted(above - own)
        missing.append(f"all but the id of {number(len(bare), 'class', 'classes')} without a raster value {some(bare)}")
    text = xml.tostring(root, encoding="unicode") + "\n"
    return Exported(text, (*missing, *made_up_colors(shown), *unclear_values(found)))


def _channels(color: str) -> tuple[int, int, int]:
    return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)


def _standing(taxonomy: Taxonomy, entry: Shown) -> list[str]:
    """The ids on the way to a class, each at its level."""
    path = taxonomy.path(entry.id) if entry.role is None else ()
    at = {taxonomy[id_].level: id_ for id_ in path}
    return [at.get(level, "") for level in range(len(taxonomy.level_names))]


@dataclass(frozen=True, slots=True)
class _Table:
    """Titles of the columns, what each is, and the cells of each row."""

    titles: tuple[str, ...]
    meaning: tuple[str, ...]
    types: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def read_rat(source: Source) -> Found:
    """The classes of an attribute table, or of a list of category names with a colour table."""
    root = parse_xml(source)
    bands = [band for band in root.iter("PAMRasterBand") if band.find("GDALRasterAttributeTable") is not None]
    tables = [_table(source, table) for table in root.iter("GDALRasterAttributeTable")]
    if not tables:
        return _categories(source, root)
    if any(table != tables[0] for table in tables):
        numbers = ", ".join(band.get("band", "?") for band in bands)
        raise ExchangeError(
            f"{source.name}: bands {numbers} have attribute tables of their own, and nothing says how their classes"
            " hang together; cut the file down to one of them"
        )
    return _from_table(source, tables[0])


def _table(source: Source, table: xml.Element) -> _Table:
    titles, meaning, types = [], [], []
    for column in table.findall("FieldDefn"):
        title = (column.findtext("Name") or "").strip()
        usage = (column.findtext("Usage") or "").strip()
        level = _LEVEL.fullmatch(title)
        said = f"level {level[1]}" if level else _USAGES.get(usage) or _NAMES.get(title.lower(), "")
        titles.append(title)
        meaning.append("" if said in meaning else said)
        types.append((column.findtext("Type") or "").strip())
    rows = []
    for number_, row in enumerate(table.findall("Row"), 1):
        cells = tuple(clean(cell.text or "") for cell in row.findall("F"))
        if len(cells) != len(titles):
            raise ExchangeError(
                f"{source.name}: row {number_} of the attribute table has {len(cells)} cells for {len(titles)} columns"
            )
        rows.append(cells)
    return _Table(tuple(titles), tuple(meaning), tuple(types), tuple(rows))


def _from_table(source: Source, table: _Table) -> Found:
    if "name" not in table.meaning or not {"value", "min"} & set(table.meaning):
        raise ExchangeError(
            f"{source.name}: the attribute table has no column of values or none of names (columns:"
            f" {', '.join(table.titles)})"
        )
    scale = _scale(table)
    merged: dict[tuple[str, ...], Row] = {}
    order: dict[str, int] = {}
    above: dict[str, Row] = {}
    for index, cells in enumerate(table.rows, 1):
        record = {what: cell for what, cell in zip(table.meaning, cells, strict=True) if what}
        row = _row(f"{source.name}: row {index}", record, scale, above)
        same = (row.id or "", row.name, row.color or "", row.code or "", row.role or "")
        before = merged.get(same)
        merged[same] = row if before is None else replace(before, values=before.values + row.values)
        order.setdefault(merged[same].key, _order(record, index))
    rows = list(merged.values())
    named = {row.id for row in rows}
    made = [row for row in above.values() if row.key not in named]
    keys = {row.id: row.key for row in rows if row.id} | {row.key: row.key for row in made}
    rows = [_below(row, keys) for row in (*made, *rows)]
    levels = tuple(match[2] for title in table.titles if (match := _LEVEL.fullmatch(title)))
    unread = [title for title, what in zip(table.titles, table.meaning, strict=True) if not what]
    dropped = (f"{number(len(unread), 'column')} {some(unread, most=6)}",) if unread else ()
    return Found(tuple(_in_order(rows, order)), {}, levels, dropped)


def _scale(table: _Table) -> float:
    """1 for colours from 0 to 255; 255 for columns of real numbers from 0 to 1."""
    channels = [i for i, what in enumerate(table.meaning) if what in ("red", "green", "blue")]
    if not channels or not all(table.types[i] == "1" for i in channels):
        return 1.0
    values = [_real(cells[i]) for cells in table.rows for i in channels]
    return 255.0 if values and max(values) <= 1.0 else 1.0


def _real(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _row(where: str, record: Mapping[str, str], scale: float, above: dict[str, Row]) -> Row:
    low = integer(record.get("value", record.get("min", "")))
    high = integer(record.get("value", record.get("max", record.get("min", ""))))
    if low is None or high is None or high < low:
        raise ExchangeError(f"{where}: the raster value `{record.get('value', record.get('min'))}` is no integer")
    id_ = record.get("id", "")
    role = record.get("role", "")
    path = [(int(what[6:]) - 1, cell) for what, cell in record.items() if what.startswith("level ") and cell]
    level = None
    parent = None
    if path and path[-1][1] == id_ and all(is_id(cell) for _, cell in path):
        level = path[-1][0]
        for (at, cell), before in zip(path, [None, *(cell for _, cell in path)], strict=False):
            parent = before
            if cell != id_:
                above.setdefault(cell, Row(cell, where, cell.replace("_", " "), before, id=cell, level=at))
    if "color" in record:
        color = color_of(record["color"])
    else:
        color = _mixed(where, record, scale)
    return Row(
        key=f"value {low}",
        place=where,
        name=record["name"] or id_.replace("_", " ") or f"value {low}",
        parent=parent,
        id=id_ if is_id(id_) else None,
        code=record.get("code") or None,
        level=level,
        values=((low, high),),
        color=color,
        role=role if role in ROLES else None,  # type: ignore[arg-type]  # one of ROLES
    )


def _mixed(where: str, record: Mapping[str, str], scale: float) -> str | None:
    if not {"red", "green", "blue"} <= set(record):
        return None
    channels = [round(_real(record[channel]) * scale) for channel in ("red", "green", "blue")]
    if not all(0 <= channel <= 255 for channel in channels):
        raise ExchangeError(f"{where}: the colour {channels} is not from 0 to 255")
    return "#{:02x}{:02x}{:02x}".format(*channels)


def _below(row: Row, keys: Mapping[str, str]) -> Row:
    return row if row.parent is None else replace(row, parent=keys[row.parent])


def _order(record: Mapping[str, str], index: int) -> int:
    stated = integer(record.get("order", ""))
    return index if stated is None else stated


def _in_order(rows: Sequence[Row], order: Mapping[str, int]) -> list[Row]:
    """Rows by the column `Order`, else as they stand; a class without a row of its own before the first below it."""
    first: dict[str, int] = {}
    by_key = {row.key: row for row in rows}
    for row in rows:
        own = order.get(row.key)
        key: str | None = row.key
        while own is not None and key is not None and first.get(key, own + 1) > own:
            first[key] = own
            key = by_key[key].parent
    return sorted(rows, key=lambda row: first.get(row.key, 0))


def _categories(source: Source, root: xml.Element) -> Found:
    names = [clean(category.text or "") for category in root.iter("Category")]
    if not any(names):
        raise ExchangeError(
            f"{source.name}: neither an attribute table nor category names; a colour table alone has no classes"
        )
    colors = [
        [integer(entry.get(f"c{channel}", "")) for channel in (1, 2, 3)] for entry in root.iter("Entry")
    ]  # fmt: skip
    rows = []
    for value, name in enumerate(names):
        if name:
            channels = colors[value] if value < len(colors) else []
            known = [channel for channel in channels if channel is not None and 0 <= channel <= 255]
            color = "#{:02x}{:02x}{:02x}".format(*known) if len(known) == 3 else None
            where = f"{source.name}: category {value}"
            rows.append(Row(where, where, name, values=((value, value),), color=color))
    return Found(tuple(rows))
