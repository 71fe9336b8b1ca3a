"""mmsegmentation: `METAINFO` with classes and palette as Python text, and how raster values become its class numbers.

mmsegmentation wants numbers 0 ... C-1 in the order of `classes`, and 255 where nothing is known. Rasters that count
from 1 with 0 for nothing need `reduce_zero_label`; all others need the table `label_map`. (known: BaseSegDataset
and LoadAnnotations, version 1)
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from typing import Any

from hieratk.diagnostics import Source
from hieratk.errors import ExchangeError
from hieratk.exchange.counting import lost, number, some
from hieratk.exchange.legend import Shown, legend, level_of, made_up_colors, shown_color, unclear_values
from hieratk.exchange.records import MOST_VALUES, Exported, Found, Row
from hieratk.exchange.sources import clean
from hieratk.taxonomy.tree import Taxonomy

_IGNORED = 255


def write_mmseg(taxonomy: Taxonomy, *, level: str | None, encoding: str | None) -> Exported:
    """The classes of a level (the finest by default) in the order of a model's channels.

    `classes` are names; ids where two classes of the level have the same name, since mmsegmentation looks them up.
    """
    row = level_of(taxonomy, level) or taxonomy.levels[-1]
    found = legend(taxonomy, level=row.name, encoding=encoding)
    shown = [entry for entry in found.shown if entry.role is None]
    total = sum(high - low + 1 for entry in (*found.shown, *found.unclear) for low, high in entry.values)
    if total > MOST_VALUES:
        raise ExchangeError(
            f"`{taxonomy.id}` has {total} raster values; mmseg lists each, and at most {MOST_VALUES} are written"
        )
    names = [entry.name for entry in shown]
    if len(set(names)) < len(names):
        names = [entry.id for entry in shown]
    colors = [shown_color(taxonomy, entry.id) for entry in shown]
    palette = [[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in colors]
    reduce, numbers = _numbers(shown, [*(entry for entry in found.shown if entry.role is not None), *found.unclear])
    lines = [f"# {_comment(taxonomy.id)} {taxonomy.version}, level {row.name}", "METAINFO = dict(", "    classes=("]
    lines += [f"        {name!r}," for name in names]
    lines += ["    ),", "    palette=["]
    lines += [f"        {channels}," for channels in palette]
    lines += ["    ],", ")", f"reduce_zero_label = {reduce}"]
    if numbers is not None:
        lines += [
            "# Raster value -> class; give it back from get_label_map() of the data set. 255 is ignored.",
            "label_map = {",
            *(f"    {value}: {index}," for value, index in numbers.items()),
            "}",
        ]
    missing = lost(taxonomy, carried={"color"}, shown={entry.id for entry in shown}, encoding=found.encoding)
    bare = [entry.id for entry in shown if not entry.values]
    if bare and found.encoding is not None:
        missing.append(f"nothing of {number(len(bare), 'class', 'classes')}, but no raster value means it {some(bare)}")
    if found.encoding is None:
        missing.append("raster values: the tree has none, so classes count from 0")
    return Exported("\n".join(lines) + "\n", (*missing, *made_up_colors(shown), *unclear_values(found)))


def _numbers(shown: list[Shown], void: list[Shown]) -> tuple[bool, dict[int, int] | None]:
    """Whether 0 is taken off, and the table from raster values to class numbers where that alone will not do.

    The table names what is ignored too: mmsegmentation leaves values that are not in it as they are.
    """
    table = {value: index for index, entry in enumerate(shown) for value in entry.each()}
    ignored = {value: _IGNORED for entry in void for value in entry.each()}
    plain = {index: index for index in range(len(shown))}
    if not table or (table == plain and set(ignored) <= {_IGNORED}):
        return False, None
    if table == {index + 1: index for index in plain} and set(ignored) <= {0, _IGNORED}:
        return True, None
    return False, dict(sorted((table | ignored).items()))


def _comment(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)


def read_mmseg(source: Source) -> Found:
    """The classes of a module that assigns `METAINFO` (or, before version 1, `CLASSES` and `PALETTE`).

    The text is looked at, never run: what is not written out as a list, a tuple or a number cannot be read.
    """
    said = _assigned(source)
    info = said.get("METAINFO", {})
    classes = info.get("classes", said.get("CLASSES"))
    palette = info.get("palette", said.get("PALETTE"))
    if not isinstance(classes, tuple | list) or not classes or not all(isinstance(name, str) for name in classes):
        raise ExchangeError(
            f"{source.name}: no METAINFO with a tuple of `classes` that is written out; classes that a program makes"
            " cannot be read"
        )
    values, remarks = _values(source, said, info, len(classes))
    rows = []
    for index, name in enumerate(classes):
        if not clean(name):
            raise ExchangeError(f"{source.name}: class {index} has no name")
        rows.append(
            Row(
                key=f"class {index}",
                place=f"{source.name}: class {index}",
                name=clean(name),
                values=tuple((value, value) for value in values.get(index, ())),
                color=_color(source, palette, index),
            )
        )
    unread = sorted(key for key in info if key not in ("classes", "palette", "label_map", "reduce_zero_label"))
    dropped = (f"{', '.join(map(str, unread))} of METAINFO",) if unread else ()
    return Found(tuple(rows), {}, ("class",), dropped, tuple(remarks))


_WANTED = ("METAINFO", "CLASSES", "PALETTE", "reduce_zero_label", "label_map")


def _assigned(source: Source) -> dict[str, Any]:
    """Values of the names that matter, wherever in the module they are assigned or given."""
    try:
        with warnings.catch_warnings():
            # Python remarks on odd literals of a text that nobody is going to run.
            warnings.simplefilter("ignore", SyntaxWarning)
            module = ast.parse(source.text)
    except SyntaxError as error:
        place = f":{error.lineno}:{error.offset}" if error.lineno is not None else ""
        raise ExchangeError(f"{source.name}{place}: not Python: {error.msg}") from None
    except ValueError as error:
        raise ExchangeError(f"{source.name}: not Python: {error}") from None
    except (RecursionError, MemoryError):
        raise ExchangeError(f"{source.name}: not Python that can be read: it is nested too deeply") from None
    found: dict[str, Any] = {}
    for name, node in _pairs(module):
        value = _value(node)
        if name in _WANTED and value is not None:
            if name in found and found[name] != value:
                raise ExchangeError(f"{source.name}: `{name}` has two values; cut the file down to one")
            found[name] = value
    if not isinstance(found.get("METAINFO", {}), dict):
        raise ExchangeError(f"{source.name}: METAINFO is no dict(classes=..., palette=...)")
    return found


def _pairs(module: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in ast.walk(module):
        if isinstance(node, ast.Assign):
            yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value
        elif isinstance(node, ast.FunctionDef):
            arguments = node.args.args[len(node.args.args) - len(node.args.defaults) :]
            yield from ((arg.arg, default) for arg, default in zip(arguments, node.args.defaults, strict=True))
        elif isinstance(node, ast.Call) and not isinstance(node.func, ast.Name):
            yield from ((word.arg, word.value) for word in node.keywords if word.arg is not None)


def _value(node: ast.expr) -> Any:
    """A literal, or `dict(...)` of literals; None for anything else."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict" and not node.args:
        return {word.arg: _value(word.value) for word in node.keywords if word.arg is not None}
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None


def _values(
    source: Source, said: dict[str, Any], info: dict[str, Any], count: int
) -> tuple[dict[int, list[int]], list[str]]:
    """Raster values by class number."""
    table = said.get("label_map", info.get("label_map"))
    reduce = said.get("reduce_zero_label", info.get("reduce_zero_label", False))
    if table is None:
        first = 1 if reduce is True else 0
        remark = ["reduce_zero_label: raster value 0 is nothing, and classes count from 1"] if first else []
        return {index: [index + first] for index in range(count)}, remark
    if not isinstance(table, dict) or not all(type(k) is int and type(v) is int for k, v in table.items()):
        raise ExchangeError(f"{source.name}: `label_map` is no table of integers, raster value: class")
    values: dict[int, list[int]] = {}
    void = []
    for value, index in table.items():
        if 0 <= index < count:
            values.setdefault(index, []).append(value)
        elif index in (_IGNORED, -1):
            void.append(value)
        else:
            raise ExchangeError(f"{source.name}: `label_map` leads from {value} to class {index}; there are {count}")
    shown = some([str(value) for value in void])
    remark = [f"ignored by label_map, so in no class: {number(len(void), 'raster value')} {shown}"] if void else []
    return values, remark


def _color(source: Source, palette: Any, index: int) -> str | None:
    if not isinstance(palette, list | tuple) or index >= len(palette):
        return None
    channels = palette[index]
    if (
        not isinstance(channels, list | tuple)
        or len(channels) != 3
        or not all(type(channel) is int and 0 <= channel <= 255 for channel in channels)
    ):
        raise ExchangeError(f"{source.name}: the colour {channels!r} of class {index} is not [red, green, blue]")
    return "#{:02x}{:02x}{:02x}".format(*channels)
