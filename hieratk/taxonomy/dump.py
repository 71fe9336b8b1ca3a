"""A taxonomy as a document in the notation: the inverse of `hieratk.taxonomy.reader.read`.

What is said is decided here, how it stands on lines in `hieratk.taxonomy.formatting`: `fmt` leaves it as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from hieratk.errors import TaxonomyError
from hieratk.taxonomy.formatting.arranging import one_line_branch, one_line_class
from hieratk.taxonomy.formatting.layout import Entry, Group, Text, Value, in_quotes, print_document, raw, text
from hieratk.taxonomy.formatting.scalars import COLUMNS, columns, quoted, scalar
from hieratk.taxonomy.tree import Deprecated, Encoding, Node, Special, Taxonomy

__all__ = ["COLUMNS", "columns", "dump", "quoted", "scalar"]


def dump(taxonomy: Taxonomy) -> str:
    """The document that reads as this taxonomy: `read(dump(t)) == t` for every taxonomy that a reader can make.

    Keys stand in the order of the notation, classes in the order of the tree. Values under `meta` are text in the
    notation: numbers there come back as text.

    Raises TaxonomyError for what the notation cannot say (shares for some parts of a mixture only).
    """
    pixels = _pixels(taxonomy.encodings.get("default"))
    root = _head(taxonomy)
    _section(root, "tree", _tree(taxonomy, [node for node in taxonomy.nodes if node.parent is None], pixels))
    _section(root, "special", _listing((entry.id, _special(entry, pixels), False) for entry in taxonomy.special))
    _section(root, "classes", _listing(_classes(taxonomy, pixels)))
    attributes = {name: _mapping(_plain(dict(attribute))) for name, attribute in taxonomy.attributes.items()}
    _section(root, "attributes", _group(attributes, block=True))
    _section(root, "encodings", _group(_encodings(taxonomy), block=True))
    if taxonomy.meta:
        _section(root, "meta", _mapping(_plain(taxonomy.meta)))
    return print_document(root)


def _section(root: Group, key: str, value: Group) -> None:
    if value.entries:
        root.entries.append(Entry(value, text(key), above=[""]))


def _group(entries: Mapping[str, Value], *, block: bool = False) -> Group:
    return Group([Entry(value, text(key)) for key, value in entries.items()], block=block)


def _items(values: Iterable[Value], *, block: bool = False) -> Group:
    return Group([Entry(value) for value in values], mapping=False, block=block)


def _texts(values: Iterable[str]) -> Group:
    return _items(text(value) for value in values)


def _mapping(value: Value) -> Group:
    assert isinstance(value, Group)
    return value


def _plain(value: Any) -> Value:
    """A value of `meta`, `attributes` or `attrs` as the notation writes it."""
    match value:
        case bool():
            return raw("true" if value else "false")
        case int() | float():
            return raw(_number(value))
        case None:
            return text("")
        case Mapping():
            return _group({str(key): _plain(item) for key, item in value.items()})
        case list() | tuple():
            return _items(_plain(item) for item in value)
        case _:
            return text(str(value), fold=True)


def _number(value: float) -> str:
    # The notation knows no exponents: they are a trap of YAML (1e3 is text to YAML 1.1).
    return format(Decimal(repr(value)), "f")


def _head(taxonomy: Taxonomy) -> Group:
    found: dict[str, Value] = {"hieratk": text("taxonomy/1"), "id": text(taxonomy.id)}
    for key, said, default in (
        ("version", taxonomy.version, "0.0.0"),
        ("title", taxonomy.title, ""),
        ("description", taxonomy.description, None),
        ("lang", taxonomy.lang, "en"),
        ("license", taxonomy.license, None),
    ):
        if said is not None and said != default:
            found[key] = text(said, fold=True)
    if taxonomy.source:
        found["source"] = _items((_source(entry) for entry in taxonomy.source), block=True)
    if taxonomy.codes:
        codes = taxonomy.codes.items()
        found["codes"] = _group({key: in_quotes(v) if key == "pattern" else text(v) for key, v in codes})
    if taxonomy.level_names:
        found["levels"] = _texts(taxonomy.level_names)
    return _group(found, block=True)


def _source(entry: Mapping[str, str]) -> Group:
    always = ("url", "version", "date", "checked")
    return _group({key: in_quotes(said) if key in always else text(said, fold=True) for key, said in entry.items()})


def _pixels(encoding: Encoding | None) -> dict[str, Value]:
    """Raster values of the default encoding by id: `1`, `2..4` or a list of both."""
    found: dict[str, list[Value]] = {}
    for low, high, id_ in encoding.values if encoding else ():
        found.setdefault(id_, []).append(raw(_span(low, high)))
    return {id_: values[0] if len(values) == 1 else _items(values) for id_, values in found.items()}


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}..{high}"


def _tree(taxonomy: Taxonomy, nodes: Iterable[Node], pixels: Mapping[str, Value]) -> Group:
    group = Group([])
    for node in nodes:
        below: Value = pixels.get(node.id, Text("", "", ""))
        if node.children:
            below = _tree(taxonomy, [taxonomy[child] for child in node.children], pixels)
        group.entries.append(Entry(below, text(node.id)))
    group.block = not one_line_branch(group)
    return group


def _special(entry: Special, pixels: Mapping[str, Value]) -> dict[str, Value]:
    given: tuple[tuple[str, Value | None], ...] = (
        ("role", text(entry.role)),
        ("pixel", pixels.get(entry.id)),
        ("name", text(entry.name, fold=True) if entry.name and entry.name != entry.id.replace("_", " ") else None),
        ("labels", _labels(entry.labels)),
        ("color", None if entry.color is None else in_quotes(entry.color)),
        ("note", None if entry.note is None else text(entry.note, fold=True)),
        ("meta", _plain(entry.meta) if entry.meta else None),
    )
    return {key: value for key, value in given if value is not None}


def _labels(labels: Mapping[str, str]) -> Group | None:
    return _group({tag: text(name, fold=True) for tag, name in labels.items()}) if labels else None


def _listing(entries: Iterable[tuple[str, dict[str, Value], bool]]) -> Group:
    """Entries as under `classes`: id, content, and whether a blank line stands above."""
    group = Group([], block=True, aligned=True)
    for id_, content, apart in entries:
        value = _group(content)
        value.block = not one_line_class(value)
        group.entries.append(Entry(value, text(id_), above=[""] if apart else []))
    return group


def _classes(taxonomy: Taxonomy, pixels: Mapping[str, Value]) -> Iterable[tuple[str, dict[str, Value], bool]]:
    first, wide, apart = True, False, False
    for node in taxonomy.nodes:
        # A blank line stands around the classes of every tree that is more than one leaf.
        if node.parent is None:
            apart = apart or bool(node.children) or wide
            wide = bool(node.children)
        found = _class(taxonomy, node, pixels)
        if found:
            yield node.id, found, apart and not first
            first = apart = False


def _class(taxonomy: Taxonomy, node: Node, pixels: Mapping[str, Value]) -> dict[str, Value]:
    usual = 0 if node.parent is None else taxonomy[node.parent].level + 1
    given: tuple[tuple[str, Value | None], ...] = (
        ("code", None if node.code is None else in_quotes(node.code)),
        ("name", None if node.name == node.id.replace("_", " ") else text(node.name, fold=True)),
        ("labels", _labels(node.labels)),
        ("synonyms", _texts(node.synonyms) if node.synonyms else None),
        ("definition", None if node.definition is None else text(node.definition, fold=True)),
        ("kind", None if node.kind == "class" else text(node.kind)),
        ("parts", _parts(node) if node.parts else None),
        ("pixel", pixels.get(node.id) if node.children else None),
        ("color", None if node.color is None else in_quotes(node.color)),
        ("level", None if node.level == usual else text(taxonomy.level_names[node.level])),
        ("also", _texts(node.also) if node.also else None),
        ("regions", _texts(node.regions) if node.regions else None),
        ("attrs", _plain(node.attrs) if node.attrs else None),
        ("since", None if node.since is None else text(node.since)),
        ("deprecated", None if node.deprecated is None else _deprecated(node.deprecated)),
        ("source", None if node.source is None else text(node.source, fold=True)),
        ("note", None if node.note is None else text(node.note, fold=True)),
        ("meta", _plain(node.meta) if node.meta else None),
    )
    return {key: value for key, value in given if value is not None}


def _parts(node: Node) -> Value:
    shares = list(node.parts.values())
    if all(share is None for share in shares):
        return _texts(node.parts)
    if any(share is None for share in shares):
        raise TaxonomyError(f"class `{node.id}` states shares for some of its parts only; state all of them or none")
    return _group({part: raw(_number(share)) for part, share in node.parts.items() if share is not None})


def _deprecated(entry: Deprecated) -> Value:
    found: dict[str, Value] = {}
    if entry.since is not None:
        found["since"] = text(entry.since)
    if entry.use:
        found["use"] = _texts(entry.use)
    if entry.note is not None:
        found["note"] = text(entry.note, fold=True)
    return _group(found)


def _encodings(taxonomy: Taxonomy) -> dict[str, Value]:
    lines: dict[str, Value] = {}
    for name, encoding in taxonomy.encodings.items():
        found: dict[str, Value] = {"dtype": text(encoding.dtype)}
        if encoding.nodata is not None:
            found["nodata"] = raw(str(encoding.nodata))
        if encoding.level is not None:
            found["level"] = text(taxonomy.level_names[encoding.level])
        if encoding.about is not None:
            found["about"] = text(encoding.about, fold=True)
        if name != "default":
            # Values of `default` stand at the classes themselves.
            values = [Entry(text(id_), raw(_span(low, high))) for low, high, id_ in encoding.values]
            found["values"] = Group(values)
        elif encoding.values and encoding.dtype == "uint8" and len(found) == 1:
            continue
        lines[name] = _group(found)
    return lines
