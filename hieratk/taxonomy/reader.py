"""A document to a taxonomy, or everything that is wrong with it."""

from __future__ import annotations

import os
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from hieratk.diagnostics import Problem, Source
from hieratk.documents import paused_collection, read_source
from hieratk.taxonomy.attribute_rules import attribute_value
from hieratk.taxonomy.checking import check
from hieratk.taxonomy.draft import Details, Draft, Entry
from hieratk.taxonomy.pixel_rules import Claims
from hieratk.taxonomy.tree import Deprecated, Encoding, Extends, Node, Special, Taxonomy

if TYPE_CHECKING:
    from hieratk.taxonomy.selection import Selection


def read(source: Source, *, selection: Selection | None = None) -> tuple[Taxonomy | None, list[Problem]]:
    """The taxonomy of a text, and what the rules say about it, in the order of the text.

    The taxonomy is there where no finding is an error. A base that the text extends is looked up as `hieratk.load`
    does, after the folder of `source.name`.
    """
    with paused_collection():
        checked = check(source, selection=selection)
        if checked.draft is None:
            return None, checked.problems
        return _build(checked.draft, checked.encodings, source), checked.problems


def read_file(
    path: str | os.PathLike[str], *, selection: Selection | None = None
) -> tuple[Taxonomy | None, list[Problem]]:
    """`read` for a file. Raises TaxonomyError for one that cannot be read at all: missing, a folder, no permission."""
    source, problems = read_source(path)
    return (None, problems) if problems else read(source, selection=selection)


def _build(draft: Draft, encodings: tuple[Claims, ...], source: Source) -> Taxonomy:
    """The taxonomy of a draft without errors."""
    head = draft.head
    depth = max(entry.level for entry in draft) + 1
    codes = head.get("codes")
    optional: dict[str, Any] = {
        key: value
        for key in ("version", "title", "description", "lang", "license")
        if (value := head.get(key)) is not None
    }
    return Taxonomy(
        id=head.get("id") or _stem(source.name),
        nodes=tuple(_node(draft, entry) for entry in draft),
        level_names=tuple(level.text for level in draft.levels) or tuple(f"level{i + 1}" for i in range(depth)),
        special=tuple(_special(entry.id, entry.details) for entry in draft.special),
        encodings={claims.name: _encoding(claims) for claims in encodings},
        source=tuple(head.get("source") or ()),
        codes=dict(codes.typed) if codes is not None else {},
        attributes={name: dict(details.typed) for name, details in draft.attributes.items()},
        meta=head.get("meta") or {},
        extends=None if draft.base is None else Extends(draft.base.id, draft.base.version),
        **optional,
    )


def _stem(name: str) -> str:
    stem = PurePath(name).name.partition(".")[0]
    return stem if stem and not stem.startswith("<") else "tree"


def _node(draft: Draft, entry: Entry) -> Node:
    parent = draft.parent(entry)
    typed = entry.details.typed if entry.details is not None else {}
    old = typed.get("deprecated")
    attrs = {name: _attribute(draft, name, value.text) for name, (_, value) in (typed.get("attrs") or {}).items()}
    return Node(
        id=entry.id,
        level=entry.level,
        parent=parent.id if parent is not None else None,
        children=tuple(draft.entries[child].id for child in entry.children),
        name=entry.name,
        code=typed.get("code"),
        kind=typed.get("kind", "class"),
        color=typed.get("color"),
        parts=typed.get("parts", {}),
        labels=typed.get("labels", {}),
        synonyms=typed.get("synonyms", ()),
        definition=typed.get("definition"),
        also=typed.get("also", ()),
        regions=typed.get("regions", ()),
        attrs=attrs,
        since=typed.get("since"),
        deprecated=None if old is None else Deprecated(old.get("since"), old.get("use") or (), old.get("note")),
        source=typed.get("source"),
        note=typed.get("note"),
        meta=typed.get("meta", {}),
    )


def _attribute(draft: Draft, name: str, text: str) -> bool | int | float | str:
    # Where a comment has switched T701 or T702 off, the text stands for itself.
    declared = draft.attributes.get(name)
    value = None if declared is None else attribute_value(declared.get("type"), text)
    return text if value is None else value


def _special(id_: str, details: Details) -> Special:
    typed = details.typed
    return Special(
        id=id_,
        role=typed["role"],
        name=typed.get("name") or id_.replace("_", " "),
        labels=typed.get("labels", {}),
        color=typed.get("color"),
        note=typed.get("note"),
        meta=typed.get("meta", {}),
    )


def _encoding(claims: Claims) -> Encoding:
    details = claims.source.details if claims.source is not None else None
    return Encoding(
        name=claims.name,
        dtype=claims.dtype,  # type: ignore[arg-type]  # one of spec.DTYPES by rule S006
        values=tuple((pixels.low, pixels.high, owner) for pixels, owner in claims.values),
        level=claims.level,
        nodata=claims.nodata,
        about=details.get("about") if details is not None else None,
    )
