"""A taxonomy as a document in the notation: the inverse of `hieratk.taxonomy.reader.read`.

Own code rather than a YAML writer, because the layout is part of the notation (docs/taxonomy.md, "Layout"): quotes
where a reader of YAML 1.1 or 1.2 would see something else than text, one line a class where it fits, and neighbours
aligned.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from hieratk.documents import as_number, as_word
from hieratk.errors import TaxonomyError
from hieratk.taxonomy.tree import Deprecated, Encoding, Node, Special, Taxonomy

COLUMNS = 120
"""No line is longer unless a single word of it is."""

_FLOW_LEAVES = 4
_FLOW_ITEMS = 3


@dataclass(frozen=True, slots=True)
class _Raw:
    """Text that stands as it is: already quoted, or a number."""

    text: str


_Value: TypeAlias = "_Raw | str | Mapping[Any, _Value] | Sequence[_Value]"


def dump(taxonomy: Taxonomy) -> str:
    """The document that reads as this taxonomy: `read(dump(t)) == t` for every taxonomy that a reader can make.

    Keys stand in the order of the notation, classes in the order of the tree. Values under `meta` are text in the
    notation: numbers there come back as text.

    Raises TaxonomyError for what the notation cannot say (shares for some parts of a mixture only).
    """
    pixels = _pixels(taxonomy.encodings.get("default"))
    lines = _head(taxonomy)
    lines += ["", "tree:", *_tree(taxonomy, [n for n in taxonomy.nodes if n.parent is None], pixels, 2)]
    if taxonomy.special:
        entries = [(entry.id, _special(entry, pixels)) for entry in taxonomy.special]
        lines += ["", "special:", *_lines_of_entries(entries)]
    classes = _classes(taxonomy, pixels)
    if classes:
        lines += ["", "classes:", *classes]
    if taxonomy.attributes:
        lines += ["", "attributes:"]
        for name, attribute in taxonomy.attributes.items():
            lines += _entry(name, {key: _plain(value) for key, value in attribute.items()}, 2)
    encodings = _encodings(taxonomy)
    if encodings:
        lines += ["", "encodings:", *encodings]
    if taxonomy.meta:
        lines += ["", *_entry("meta", _plain(taxonomy.meta), 0)]
    return "\n".join(lines) + "\n"


def scalar(text: str, *, flow: bool) -> str:
    """Text as one YAML scalar on one line: plain where every reader sees the same text, else in double quotes.

    `flow` says that it stands inside `{ }` or `[ ]`, where commas, brackets and colons end plain text.
    """
    return text if _survives_plain(text, flow=flow) else quoted(text)


def quoted(text: str) -> str:
    """Text in double quotes, with escapes for what cannot be seen."""
    return '"' + "".join(_escaped(char) for char in text) + '"'


_LEADING = frozenset("-?:,[]{}#&*!|>'\"%@`")
# Full-width twins of the marks that YAML needs: quoted, so that nobody takes them for the marks themselves.
_WIDE = frozenset("：，｛｝［］＃“”„‟‘’")


def _survives_plain(text: str, *, flow: bool) -> bool:
    if not text or text != text.strip() or text[0] in _LEADING or text in ("=", "<<"):
        return False
    # Numbers of any length: only the beginning of a long one is looked at.
    if as_word(text) or as_number(text[:64]):
        return False
    if ": " in text or " #" in text or text.endswith(":") or text.startswith(("...", "---")):
        return False
    if flow and any(char in ",[]{}:?" for char in text):
        return False
    return not any(char in _WIDE or _hidden(char) for char in text)


def _hidden(char: str) -> bool:
    return char != " " and unicodedata.category(char) in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs")


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if not _hidden(char):
        return char
    if char in "\n\t\r":
        return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}[char]
    point = ord(char)
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"


def columns(text: str) -> int:
    """How many columns of a terminal a text takes: Chinese characters take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _flow(value: _Value) -> str:
    match value:
        case _Raw():
            return value.text
        case str():
            return scalar(value, flow=True)
        case Mapping():
            return "{" + ", ".join(f"{_key(key, flow=True)}: {_flow(item)}" for key, item in value.items()) + "}"
        case _:
            return "[" + ", ".join(_flow(item) for item in value) + "]"


def _key(key: _Raw | str, *, flow: bool) -> str:
    return key.text if isinstance(key, _Raw) else scalar(key, flow=flow)


def _entry(key: _Raw | str, value: _Value, indent: int, *, block: bool = False) -> list[str]:
    """The lines of `key: value`; `block` refuses one line for a mapping or list that has items."""
    start = " " * indent + _key(key, flow=False) + ":"
    if isinstance(value, _Raw | str):
        line = f"{start} {value.text if isinstance(value, _Raw) else scalar(value, flow=False)}"
        folded = isinstance(value, str) and columns(line) > COLUMNS and _foldable(value)
        return [f"{start} >-", *_folded(str(value), indent + 2)] if folded else [line]
    line = f"{start} {_flow(value)}"
    if not value or (not block and columns(line) <= COLUMNS):
        return [line]
    lines = [start]
    if isinstance(value, Mapping):
        for inner, item in value.items():
            lines += _entry(inner, item, indent + 2)
        return lines
    for item in value:
        lines += _item(item, indent + 2)
    return lines


def _item(value: _Value, indent: int) -> list[str]:
    pad = " " * indent
    if isinstance(value, str):
        return [f"{pad}- {scalar(value, flow=False)}"]
    line = f"{pad}- {_flow(value)}"
    if isinstance(value, _Raw) or not value or columns(line) <= COLUMNS:
        return [line]
    inner: list[str] = []
    if isinstance(value, Mapping):
        for key, item in value.items():
            inner += _entry(key, item, indent + 2)
    else:
        for item in value:
            inner += _item(item, indent + 2)
    return [f"{pad}- {inner[0].lstrip(' ')}", *inner[1:]]


def _foldable(text: str) -> bool:
    return text == " ".join(text.split(" ")).strip() and "  " not in text and not any(_hidden(char) for char in text)


def _folded(text: str, indent: int) -> list[str]:
    lines = textwrap.wrap(text, COLUMNS - indent, break_long_words=False, break_on_hyphens=False)
    return [" " * indent + line for line in lines]


def _plain(value: Any) -> _Value:
    """A value of `meta`, `attributes` or `attrs` as the notation writes it."""
    match value:
        case bool():
            return _Raw("true" if value else "false")
        case int() | float():
            return _Raw(_number(value))
        case None:
            return ""
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return str(value)


def _number(value: float) -> str:
    # The notation knows no exponents: they are a trap of YAML (1e3 is text to YAML 1.1).
    return format(Decimal(repr(value)), "f")


def _head(taxonomy: Taxonomy) -> list[str]:
    lines = ["hieratk: taxonomy/1", *_entry("id", taxonomy.id, 0)]
    for key, text, default in (
        ("version", taxonomy.version, "0.0.0"),
        ("title", taxonomy.title, ""),
        ("description", taxonomy.description, None),
        ("lang", taxonomy.lang, "en"),
        ("license", taxonomy.license, None),
    ):
        if text is not None and text != default:
            lines += _entry(key, text, 0)
    if taxonomy.source:
        lines += _entry("source", [_source(entry) for entry in taxonomy.source], 0, block=True)
    if taxonomy.codes:
        codes = {k: _Raw(quoted(v)) if k == "pattern" else v for k, v in taxonomy.codes.items()}
        lines += _entry("codes", codes, 0)
    if taxonomy.level_names:
        lines += _entry("levels", list(taxonomy.level_names), 0)
    return lines


def _source(entry: Mapping[str, str]) -> _Value:
    always = ("url", "version", "date", "checked")
    return {key: _Raw(quoted(text)) if key in always else text for key, text in entry.items()}


def _pixels(encoding: Encoding | None) -> dict[str, _Value]:
    """Raster values of the default encoding by id: `1`, `2..4` or a list of both."""
    found: dict[str, list[_Value]] = {}
    for low, high, id_ in encoding.values if encoding else ():
        found.setdefault(id_, []).append(_Raw(_span(low, high)))
    return {id_: values[0] if len(values) == 1 else values for id_, values in found.items()}


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}..{high}"


def _tree(taxonomy: Taxonomy, nodes: Iterable[Node], pixels: Mapping[str, _Value], indent: int) -> list[str]:
    lines: list[str] = []
    for node in nodes:
        start = " " * indent + scalar(node.id, flow=False) + ":"
        if not node.children:
            lines.append(f"{start} {_flow(pixels[node.id])}" if node.id in pixels else start)
            continue
        children = [taxonomy[child] for child in node.children]
        # An empty leaf has no flow form that every reader takes for a key, so one of them makes the entry a block.
        if len(children) <= _FLOW_LEAVES and all(not child.children and child.id in pixels for child in children):
            line = f"{start} {_flow({child.id: pixels[child.id] for child in children})}"
            if columns(line) <= COLUMNS:
                lines.append(line)
                continue
        lines += [start, *_tree(taxonomy, children, pixels, indent + 2)]
    return lines


def _special(entry: Special, pixels: Mapping[str, _Value]) -> dict[str, _Value]:
    found: dict[str, _Value] = {"role": entry.role}
    if entry.id in pixels:
        found["pixel"] = pixels[entry.id]
    if entry.name and entry.name != entry.id.replace("_", " "):
        found["name"] = entry.name
    if entry.labels:
        found["labels"] = dict(entry.labels)
    if entry.color:
        found["color"] = _Raw(quoted(entry.color))
    if entry.note is not None:
        found["note"] = entry.note
    if entry.meta:
        found["meta"] = _plain(entry.meta)
    return found


def _classes(taxonomy: Taxonomy, pixels: Mapping[str, _Value]) -> list[str]:
    lines: list[str] = []
    group: list[tuple[str, dict[str, _Value]]] = []
    apart = False
    for node in taxonomy.nodes:
        # A blank line stands around the classes of every tree that is more than one leaf.
        if node.parent is None:
            if group and (node.children or apart):
                lines += [*_lines_of_entries(group), ""]
                group = []
            apart = bool(node.children)
        found = _class(taxonomy, node, pixels)
        if found:
            group.append((node.id, found))
    lines += _lines_of_entries(group)
    return lines[:-1] if lines and not lines[-1] else lines


def _lines_of_entries(entries: Iterable[tuple[str, dict[str, _Value]]]) -> list[str]:
    """One line an entry where it fits; runs of one-line entries are aligned at the brace."""
    lines: list[str] = []
    run: list[tuple[str, str]] = []

    def close() -> None:
        width = max((len(start) for start, _ in run), default=0)
        # A line that would grow too long is moved to the right only as far as it may be.
        lines.extend(f"{start:<{min(width, COLUMNS - 1 - columns(rest))}} {rest}" for start, rest in run)
        run.clear()

    for id_, content in entries:
        start, rest = f"  {scalar(id_, flow=False)}:", _flow(content)
        long = any(isinstance(value, list) and len(value) > _FLOW_ITEMS for value in content.values())
        long = long or bool({"definition", "deprecated"} & set(content))
        if not long and len(start) + 1 + columns(rest) <= COLUMNS:
            run.append((start, rest))
            continue
        close()
        lines += _entry(id_, content, 2, block=True)
    close()
    return lines


def _class(taxonomy: Taxonomy, node: Node, pixels: Mapping[str, _Value]) -> dict[str, _Value]:
    usual = 0 if node.parent is None else taxonomy[node.parent].level + 1
    given: tuple[tuple[str, _Value | None], ...] = (
        ("code", None if node.code is None else _Raw(quoted(node.code))),
        ("name", None if node.name == node.id.replace("_", " ") else node.name),
        ("labels", dict(node.labels) or None),
        ("synonyms", list(node.synonyms) or None),
        ("definition", node.definition),
        ("kind", None if node.kind == "class" else node.kind),
        ("parts", _parts(node) or None),
        ("pixel", pixels.get(node.id) if node.children else None),
        ("color", None if node.color is None else _Raw(quoted(node.color))),
        ("level", None if node.level == usual else taxonomy.level_names[node.level]),
        ("also", list(node.also) or None),
        ("regions", list(node.regions) or None),
        ("attrs", _plain(node.attrs) or None),
        ("since", node.since),
        ("deprecated", None if node.deprecated is None else _deprecated(node.deprecated)),
        ("source", node.source),
        ("note", node.note),
        ("meta", _plain(node.meta) or None),
    )
    return {key: value for key, value in given if value is not None}


def _parts(node: Node) -> _Value:
    shares = list(node.parts.values())
    if all(share is None for share in shares):
        return list(node.parts)
    if any(share is None for share in shares):
        raise TaxonomyError(f"class `{node.id}` states shares for some of its parts only; state all of them or none")
    return {part: _Raw(_number(share)) for part, share in node.parts.items() if share is not None}


def _deprecated(entry: Deprecated) -> _Value:
    found: dict[str, _Value] = {}
    if entry.since is not None:
        found["since"] = entry.since
    if entry.use:
        found["use"] = list(entry.use)
    if entry.note is not None:
        found["note"] = entry.note
    return found


def _encodings(taxonomy: Taxonomy) -> list[str]:
    lines: list[str] = []
    for name, encoding in taxonomy.encodings.items():
        found: dict[Any, _Value] = {"dtype": encoding.dtype}
        if encoding.nodata is not None:
            found["nodata"] = _Raw(str(encoding.nodata))
        if encoding.level is not None:
            found["level"] = taxonomy.level_names[encoding.level]
        if encoding.about is not None:
            found["about"] = encoding.about
        if name != "default":
            # Values of `default` stand at the classes themselves.
            found["values"] = {_Raw(_span(low, high)): id_ for low, high, id_ in encoding.values}
        elif found == {"dtype": "uint8"} and encoding.values:
            continue
        lines += _entry(name, found, 2)
    return lines
