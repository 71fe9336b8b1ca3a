"""What travels between a format and a tree: the rows of a legend, and what was lost or guessed on the way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from hieratk.errors import ExchangeError
from hieratk.taxonomy.tree import Deprecated, Kind, Role, Taxonomy

MOST_CLASSES = 20_000
"""Classes that are read from one file: a limit on time and memory, not on sense."""

MOST_VALUES = 100_000
"""Raster values that are written one by one."""

LONGEST_NAME = 1_000
LONGEST_TEXT = 20_000
"""Characters of a name or a code, and of any other text of a class."""

_EMPTY: Mapping[str, Any] = MappingProxyType({})


def check_count(name: str, count: int) -> None:
    """Raises ExchangeError where a file holds more classes than are read: asked while it is read, not afterwards."""
    if count > MOST_CLASSES:
        raise ExchangeError(f"{name} holds more than {MOST_CLASSES} classes; split it, or is it the right file?")


@dataclass(frozen=True, slots=True)
class Exported:
    """A tree in another format; `lost` names what it had no room for, one item with its count each."""

    text: str
    lost: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Imported:
    """A tree from another format, and the document that reads as it.

    `lost` names what the file said that the tree does not, `guesses` what a person should look at: both stand as
    comments at the head of `text`.
    """

    taxonomy: Taxonomy
    text: str
    lost: tuple[str, ...] = ()
    guesses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One class, or one raster value that is no class (`role`), as a file of another format has it.

    `key` is what the rows of the file call each other by; `parent`, `parts`, `also` and the `use` of `deprecated` hold
    keys. `place` says where the row stands, for messages. `level` is 0-based, None where the file has no levels.
    `values` are raster values, first and last. `texts` holds further fields of `Node` that refer to no other class.
    """

    key: str
    place: str
    name: str
    parent: str | None = None
    id: str | None = None
    code: str | None = None
    level: int | None = None
    values: tuple[tuple[int, int], ...] = ()
    color: str | None = None
    role: Role | None = None
    kind: Kind = "class"
    parts: Mapping[str, float | None] = field(default_factory=lambda: _EMPTY)
    also: tuple[str, ...] = ()
    deprecated: Deprecated | None = None
    texts: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True, slots=True)
class Found:
    """What a file of another format holds. `head` are fields of `Taxonomy`: title, version, lang, ..."""

    rows: tuple[Row, ...]
    head: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    level_names: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    guesses: tuple[str, ...] = ()
