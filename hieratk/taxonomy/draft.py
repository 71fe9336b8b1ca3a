"""What the shape rules leave of a document for the rules about meaning: typed values that still know their places."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from hieratk.diagnostics import Span
from hieratk.documents import Scalar, Value


class Pixels(NamedTuple):
    """A closed range of raster values and its place; a single value is a range of one."""

    low: int
    high: int
    span: Span


@dataclass(slots=True)
class Details:
    """Keys that were written about one thing: `typed` what was meant, `raw` how and where it was written."""

    key: Scalar
    typed: dict[str, Any] = field(default_factory=dict)
    raw: dict[str, Value] = field(default_factory=dict)
    keys: dict[str, Scalar] = field(default_factory=dict)

    def get(self, name: str) -> Any:
        """What was meant, or None."""
        return self.typed.get(name)

    def span(self, name: str) -> Span:
        """Where a value stands, or its key where the value is empty or spread over lines."""
        value = self.raw.get(name)
        if value is None:
            return self.key.span
        return value.span if isinstance(value, Scalar) and not value.empty else self.keys[name].span


@dataclass(slots=True)
class Entry:
    """A class in the outline. `parent` and `children` are positions in `Draft.entries`; -1 is above the top."""

    id: str
    key: Scalar
    parent: int
    depth: int
    children: list[int] = field(default_factory=list)
    pixels: list[Pixels] = field(default_factory=list)
    details: Details | None = None
    level: int = 0
    unreadable: bool = False

    def get(self, name: str) -> Any:
        """What `classes` says about it, or None."""
        details = self.details
        return None if details is None else details.typed.get(name)

    @property
    def name(self) -> str:
        """The shown name."""
        return self.get("name") or self.id.replace("_", " ")

    @property
    def inherited(self) -> bool:
        """Whether the class comes from the base, so that its places are in another text."""
        return self.key.span.start < 0

    @property
    def kind(self) -> str:
        """The kind, `class` where none is given."""
        return self.get("kind") or "class"


@dataclass(slots=True)
class SpecialDraft:
    """A value that is no class."""

    id: str
    key: Scalar
    details: Details
    pixels: list[Pixels] = field(default_factory=list)


@dataclass(slots=True)
class EncodingDraft:
    """An encoding as written; the values of `default` stand at the classes."""

    name: str
    key: Scalar
    details: Details
    values: list[tuple[Pixels, Scalar]] = field(default_factory=list)


class Base(NamedTuple):
    """What an extension must know of the taxonomy it grows from, beyond its classes."""

    id: str
    version: str
    license: str | None
    lang: str
    shown: str
    """Its name or file, as a command finds it."""


@dataclass(slots=True)
class Draft:
    """A taxonomy as written; with a base, its own classes and those of the base in one tree."""

    head: Details
    entries: list[Entry] = field(default_factory=list)
    levels: list[Scalar] = field(default_factory=list)
    special: list[SpecialDraft] = field(default_factory=list)
    classes: list[Details] = field(default_factory=list)
    encodings: list[EncodingDraft] = field(default_factory=list)
    attributes: dict[str, Details] = field(default_factory=dict)
    at: dict[str, int] = field(default_factory=dict)
    base: Base | None = None
    lost: set[str] = field(default_factory=set)
    """Ids that were written but could not be read; nothing is said about references to them."""

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def entry(self, id_: str) -> Entry | None:
        """The class of an id."""
        position = self.at.get(id_)
        return None if position is None else self.entries[position]

    def above(self, entry: Entry) -> Iterator[Entry]:
        """Its ancestors, nearest first."""
        parent = entry.parent
        while parent >= 0:
            yield self.entries[parent]
            parent = self.entries[parent].parent

    def parent(self, entry: Entry) -> Entry | None:
        """The class above, or None at the top."""
        return self.entries[entry.parent] if entry.parent >= 0 else None

    def words(self) -> dict[str, str]:
        """Everything a class may be called by, and its id: ids first, then names, synonyms and translations."""
        found = {entry.id: entry.id for entry in self.entries}
        for entry in self.entries:
            if entry.details is not None:
                typed = entry.details.typed
                for word in (typed.get("name"), *typed.get("synonyms", ()), *typed.get("labels", {}).values()):
                    if word:
                        found.setdefault(word, entry.id)
        return found


def chain(ids: list[str]) -> str:
    """A way through the tree in words, shortened in the middle."""
    return " - ".join(ids if len(ids) <= 8 else [*ids[:4], "…", *ids[-3:]])
