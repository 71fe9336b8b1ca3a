"""Sentences about what a format has no room for, each with a count and a few examples."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from hieratk.taxonomy.tree import Encoding, Taxonomy

_NODE_FIELDS = {
    "code": "codes",
    "labels": "names in other languages",
    "synonyms": "synonyms",
    "definition": "definitions",
    "kind": "kinds other than class",
    "parts": "parts",
    "color": "colours",
    "also": "further parents",
    "regions": "regions",
    "attrs": "attribute values",
    "since": "first versions",
    "deprecated": "deprecation",
    "source": "sources",
    "note": "notes",
    "meta": "content under `meta`",
}
_SPECIAL_FIELDS = {"labels": "names in other languages", "color": "colours", "note": "notes", "meta": "`meta`"}
_HEAD_FIELDS = {
    "title": "the title",
    "description": "the description",
    "version": "the version",
    "lang": "the language of names",
    "license": "the licence",
    "source": "the sources",
    "codes": "the pattern of codes",
    "attributes": "the declared attributes",
    "meta": "the content under `meta` of the document",
}
_HEAD_DEFAULTS = {"version": "0.0.0", "lang": "en"}


def number(count: int, one: str, many: str = "") -> str:
    """`1 class`, `3 classes`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def some(names: Collection[str], *, most: int = 3) -> str:
    """The first few names in brackets, and how many more there are."""
    shown = ", ".join(list(names)[:most])
    return f"({shown}{f' and {len(names) - most} more' if len(names) > most else ''})"


def of_classes(what: str, ids: Collection[str]) -> str:
    """`codes of 3 classes (a, b, c)`."""
    return f"{what} of {number(len(ids), 'class', 'classes')} {some(ids)}"


def lost(
    taxonomy: Taxonomy,
    *,
    carried: Iterable[str],
    shown: Collection[str] | None = None,
    encoding: Encoding | None = None,
) -> list[str]:
    """What a format does not carry, in words.

    `carried` are the fields of `Node`, `Taxonomy` (with the prefix `head:`) and `Special` (`special:`) that it does
    carry, `tree` for parents, `levels` for their names, `ids` for ids. `shown` are the classes and specials that it
    shows, all where None; fields are counted among them only. `encoding` is the one whose values it writes.
    """
    kept = set(carried)
    found = _structure(taxonomy, kept, shown)
    among = [node for node in taxonomy.nodes if shown is None or node.id in shown]
    for name, words in _NODE_FIELDS.items():
        owners = [node.id for node in among if getattr(node, name) not in (None, (), {}, "class")]
        if name not in kept and owners:
            found.append(of_classes(words, owners))
    listed = [entry for entry in taxonomy.special if shown is None or entry.id in shown]
    for name, words in _SPECIAL_FIELDS.items():
        owners = [entry.id for entry in listed if getattr(entry, name)]
        if f"special:{name}" not in kept and owners:
            found.append(f"{words} of {number(len(owners), 'special value')} {some(owners)}")
    found += _encodings(taxonomy, kept, encoding)
    for name, words in _HEAD_FIELDS.items():
        stated = getattr(taxonomy, name)
        if f"head:{name}" not in kept and stated and stated != _HEAD_DEFAULTS.get(name):
            found.append(words)
    return found


def _structure(taxonomy: Taxonomy, kept: set[str], shown: Collection[str] | None) -> list[str]:
    found = []
    if shown is not None:
        missing = [node.id for node in taxonomy.nodes if node.id not in shown]
        if missing:
            found.append(f"{number(len(missing), 'class', 'classes')} {some(missing)}")
        silent = [entry.id for entry in taxonomy.special if entry.id not in shown]
        if silent:
            found.append(f"{number(len(silent), 'special value')} {some(silent)}")
    below = [node.id for node in taxonomy.nodes if node.parent is not None and (shown is None or node.id in shown)]
    if "tree" not in kept and below:
        found.append(of_classes("parents", below))
    if "ids" not in kept:
        found.append("ids: an import makes them anew from the names")
    usual = tuple(f"level{i + 1}" for i in range(len(taxonomy.level_names)))
    if "levels" not in kept and taxonomy.level_names != usual:
        found.append(f"names of {number(len(taxonomy.level_names), 'level')} {some(taxonomy.level_names)}")
    return found


def _encodings(taxonomy: Taxonomy, kept: set[str], encoding: Encoding | None) -> list[str]:
    others = [name for name in taxonomy.encodings if encoding is None or name != encoding.name]
    found = [f"{number(len(others), 'encoding')} {some(others)}"] if others else []
    if encoding is not None and encoding.nodata is not None and "nodata" not in kept:
        found.append(f"the nodata value {encoding.nodata} of encoding `{encoding.name}`")
    if encoding is not None and encoding.about is not None:
        found.append(f"what encoding `{encoding.name}` says about itself")
    return found
