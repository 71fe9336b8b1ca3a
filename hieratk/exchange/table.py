"""CSV: one row a class. The first nine columns are those of published legends; the others hold the rest of a class.

`level,id_or_code,pixel_value,name,parent_code,r,g,b,source` (level from 1, parent by `id_or_code`), then `id`, `code`
and whatever of kind, role, parts, labels, ... some class states. Lists and mappings stand in a cell as JSON.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from hieratk.diagnostics import Source
from hieratk.errors import ExchangeError
from hieratk.exchange.counting import lost
from hieratk.exchange.legend import choose
from hieratk.exchange.records import Exported, Found
from hieratk.taxonomy.tree import Deprecated, Encoding, Node, Special, Taxonomy

_STANDARD = ("level", "id_or_code", "pixel_value", "name", "parent_code", "r", "g", "b", "source")
EXTRA = (
    *("level_name", "role", "kind", "parts", "labels", "synonyms", "definition", "also", "regions", "since"),
    *("deprecated", "note"),
)
"""Columns that are written only where some class says something there."""

_CARRIED = {
    *("tree", "ids", "levels", "code", "labels", "synonyms", "definition", "kind", "parts", "color", "also", "regions"),
    *("since", "deprecated", "source", "note", "special:labels", "special:color", "special:note"),
}


def write_csv(taxonomy: Taxonomy, *, level: str | None, encoding: str | None) -> Exported:
    """The whole tree as a table, with the raster values of one encoding."""
    if level is not None:
        raise ExchangeError("csv holds the whole tree; leave the level out, or export a flat list such as stac")
    chosen = choose(taxonomy, None, encoding)
    keys = _keys(taxonomy)
    rows = [_class_cells(taxonomy, node, keys, chosen) for node in taxonomy.nodes]
    rows += [_special_cells(entry, keys, chosen) for entry in taxonomy.special]
    used = [column for column in EXTRA if any(row.get(column) for row in rows)]
    columns = (*_STANDARD, "id", "code", *used)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([row.get(column, "") for column in columns] for row in rows)
    return Exported(text.getvalue(), tuple(lost(taxonomy, carried=_CARRIED, encoding=chosen)))


def _keys(taxonomy: Taxonomy) -> dict[str, str]:
    """What stands under `id_or_code`: the code where there is one; ids where codes are not unique among all of them."""
    keys = {node.id: node.code or node.id for node in taxonomy.nodes} | {
        entry.id: entry.id for entry in taxonomy.special
    }
    return keys if len(set(keys.values())) == len(keys) else {id_: id_ for id_ in keys}


def _class_cells(taxonomy: Taxonomy, node: Node, keys: Mapping[str, str], encoding: Encoding | None) -> dict[str, str]:
    name = taxonomy.level_names[node.level]
    return {
        "level": str(node.level + 1),
        "id_or_code": keys[node.id],
        "pixel_value": _spans(encoding, node.id),
        "name": node.name,
        "parent_code": keys[node.parent] if node.parent is not None else "",
        **_channels(node.color),
        "source": node.source or "",
        "id": node.id,
        "code": node.code or "",
        "level_name": "" if name == f"level{node.level + 1}" else name,
        "kind": "" if node.kind == "class" else node.kind,
        "parts": _json({keys[part]: share for part, share in node.parts.items()}),
        "labels": _json(dict(node.labels)),
        "synonyms": _json(list(node.synonyms)),
        "definition": node.definition or "",
        "also": _json([keys[id_] for id_ in node.also]),
        "regions": _json(list(node.regions)),
        "since": node.since or "",
        "deprecated": _deprecated(node.deprecated, keys),
        "note": node.note or "",
    }


def _special_cells(entry: Special, keys: Mapping[str, str], encoding: Encoding | None) -> dict[str, str]:
    return {
        "id_or_code": keys[entry.id],
        "pixel_value": _spans(encoding, entry.id),
        "name": entry.name,
        **_channels(entry.color),
        "id": entry.id,
        "role": entry.role,
        "labels": _json(dict(entry.labels)),
        "note": entry.note or "",
    }


def _spans(encoding: Encoding | None, id_: str) -> str:
    spans = [(low, high) for low, high, owner in encoding.values if owner == id_] if encoding is not None else []
    return " ".join(str(low) if low == high else f"{low}..{high}" for low, high in spans)


def _channels(color: str | None) -> dict[str, str]:
    return {} if color is None else {c: str(int(color[i : i + 2], 16)) for c, i in (("r", 1), ("g", 3), ("b", 5))}


def _json(value: dict[str, Any] | list[str]) -> str:
    return json.dumps(value, ensure_ascii=False) if value else ""


def _deprecated(old: Deprecated | None, keys: Mapping[str, str]) -> str:
    if old is None:
        return ""
    stated = {"since": old.since, "use": [keys[id_] for id_ in old.use], "note": old.note}
    return json.dumps({key: value for key, value in stated.items() if value}, ensure_ascii=False)


def read_csv(source: Source, *, columns: Mapping[str, str] | None = None) -> Found:
    """The classes of a table; `columns` says which column holds what where its header does not."""
    from hieratk.exchange.table_reading import read

    return read(source, columns=columns or {})
