"""The formats by name: which are written, which are read, and how a tree that was read becomes a document."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

from hieratk.diagnostics import Problem, Source, nearest, render
from hieratk.errors import ExchangeError
from hieratk.exchange.building import build, is_id, slug
from hieratk.exchange.records import Exported, Found, Imported
from hieratk.exchange.sources import source_of
from hieratk.taxonomy.dump import dump
from hieratk.taxonomy.reader import read
from hieratk.taxonomy.tree import Taxonomy

EXPORTED: Mapping[str, str] = MappingProxyType(
    {
        "csv": "table with one row a class",
        "stac": "STAC classification 2.0: classification:classes as JSON",
        "mlm": "STAC machine learning model: one mlm:output a level as JSON",
        "skos": "SKOS and XKOS as turtle",
        "qml": "QGIS style with a palette",
        "rat": "GDAL raster attribute table and colour table, for RASTER.tif.aux.xml",
        "mmseg": "METAINFO of mmsegmentation as Python text",
        "coco": "COCO categories as JSON",
        "gee": "gee:classes of the Earth Engine catalogue as JSON",
        "mermaid": "diagram of the tree",
    }
)
"""What can be written, with a line about each."""

IMPORTED = ("csv", "stac", "skos", "qml", "rat", "mmseg", "coco", "gee")
"""What can be read."""

# mermaid is not read: a diagram is no source.
_MODULES = {
    "csv": "table",
    "stac": "stac",
    "mlm": "stac",
    "skos": "skos",
    "qml": "qml",
    "rat": "rat",
    "mmseg": "mmseg",
    "coco": "coco",
    "gee": "gee",
    "mermaid": "mermaid",
}
_ENDINGS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".ttl": "skos",
    ".qml": "qml",
    ".aux.xml": "rat",
    ".py": "mmseg",
    ".txt": "gee",
}
_READINGS = {"T503": "residual", "T504": "unspecified"}


def export(taxonomy: Taxonomy, format: str, *, level: str | None = None, encoding: str | None = None) -> Exported:
    """A tree in another format, and what the format has no room for.

    Args:
        taxonomy: the tree.
        format: a key of `EXPORTED`.
        level: write the classes of this level only, where the format is a flat list (stac, qml, rat, mmseg, coco, gee;
            mlm: this output only; mermaid: down to this level). csv and skos hold the whole tree and refuse a level.
        encoding: the encoding whose raster values are written; without it the one made for the level, else
            `default`, else the first. mlm and mermaid write none and refuse one.

    Raises ExchangeError for a format, level or encoding that is not there, and for a tree that the format cannot hold.
    """
    if format not in EXPORTED:
        raise ExchangeError(_unknown(format, tuple(EXPORTED), "written"))
    written: Exported = getattr(_module(format), f"write_{format}")(taxonomy, level=level, encoding=encoding)
    return written


def import_(
    source: str | Path | Source,
    format: str | None = None,
    *,
    id: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> Imported:
    """A tree from another format, what was lost, and what a person should look at.

    Nothing is guessed silently: names that read like "other" or "no data" are proposed as kinds, never set.

    Args:
        source: a path to read, a text, or a text with its name.
        format: one of `IMPORTED`; where None, guessed from the ending of the path or from JSON's keys.
        id: id of the tree; without one it is made from the file's own or from its name.
        columns: csv only: which column of the file holds what, such as `{"code": "CLC_CODE", "pixel": "GRID_CODE"}`.

    Raises ExchangeError with place, value and way out; what it returns always reads without errors.
    """
    text = source_of(source)
    if format is None:
        format = guess_format(text.name, text.text)
    if format not in IMPORTED:
        raise ExchangeError(_unknown(format, IMPORTED, "read"))
    if columns is not None and format != "csv":
        raise ExchangeError(f"columns are named for csv, and {format} has none; leave them out")
    options: dict[str, Any] = {} if columns is None else {"columns": columns}
    found: Found = getattr(_module(format), f"read_{format}")(text, **options)
    named = id if id is not None else _id_of(found, text.name)
    if not is_id(named):
        raise ExchangeError(f"`{named}` cannot be the id of a taxonomy; write {slug(named) or 'my_tree'}")
    head = {key: value for key, value in found.head.items() if key != "id"}
    taxonomy, decided = build(Found(found.rows, head, found.level_names), id=named)
    return _finish(taxonomy, format, text.name, found.lost, (*found.guesses, *decided))


def guess_format(name: str, text: str = "") -> str:
    """The format of a file by the ending of its name, or by the keys of its JSON.

    Raises ExchangeError where neither tells.
    """
    lowered = name.lower()
    for ending, format_ in _ENDINGS.items():
        if lowered.endswith(ending):
            return format_
    if lowered.endswith((".json", ".geojson")) or text.lstrip().startswith(("{", "[")):
        for key, format_ in (("classification:classes", "stac"), ("gee:classes", "gee"), ("supercategory", "coco"),
                             ("categories", "coco"), ("color_hint", "stac"), ("color-hint", "stac")):  # fmt: skip
            if json.dumps(key) in text:
                return format_
    raise ExchangeError(f"{name}: its ending does not say what it is; give the format, one of {', '.join(IMPORTED)}")


def _finish(taxonomy: Taxonomy, format_: str, name: str, lost: tuple[str, ...], guesses: tuple[str, ...]) -> Imported:
    body = dump(taxonomy)
    # A name of the document without a file name, so that no rule compares the two.
    again, problems = read(Source("<imported>", body))
    errors = [problem for problem in problems if problem.severity == "error"]
    if again is None or errors:
        raise ExchangeError(f"{name}: what it holds is no valid tree\n\n{render(errors)}".rstrip())
    guesses += _readings(problems)
    shown = name.replace("\\", "/").rpartition("/")[2]
    lines = [f"Imported from {shown} ({format_})."]
    lines += [f"lost: {item}" for item in lost]
    lines += [f"to decide: {item}" for item in guesses]
    comments = "".join(f"# {_one_line(line)}\n" for line in lines)
    return Imported(again, comments + body, lost, guesses)


def _readings(problems: list[Problem]) -> tuple[str, ...]:
    """Proposals of kinds: what the rules say about names that read like another kind."""
    found = []
    for problem in problems:
        if problem.code in _READINGS:
            more = f" (and {problem.more} more of the kind)" if problem.more else ""
            found.append(f"{problem.message}: {problem.help}{more}")
    return tuple(found)


def _one_line(text: str) -> str:
    """Text for a comment: no line break, no control character, and nothing that switches a rule off."""
    plain = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(plain.split()).replace("hieratk:", "hieratk :")


def _id_of(found: Found, name: str) -> str:
    own = found.head.get("id")
    if own:
        return slug(own) if not is_id(own) else own
    stem = name.replace("\\", "/").rpartition("/")[2].partition(".")[0]
    return slug(stem) if stem and not stem.startswith("<") else "tree"


def _module(format_: str) -> Any:
    return import_module(f"hieratk.exchange.{_MODULES[format_]}")


def _unknown(format_: str, known: tuple[str, ...], done: str) -> str:
    if format_ in EXPORTED and done == "read":
        return f"{format_} is written but not read; formats that are read: {', '.join(known)}"
    close = nearest(format_, known)
    way = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(known)}"
    return f"no format `{format_}` is {done}; {way}"
