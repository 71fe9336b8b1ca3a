"""Crosswalks as values: what a document says (`Crosswalk`, `Entry`) and what follows from it for a class (`Link`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

Verb: TypeAlias = Literal["is", "within", "covers", "overlaps", "outside", "none"]
Origin: TypeAlias = Literal["entry", "ancestor", "parts", "children"]

VERBS: tuple[Verb, ...] = ("is", "within", "covers", "overlaps", "outside", "none")
"""The five relations of RCC-5 between sets of pixels, and `none` for what has no counterpart."""

_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a crosswalk.

    `source` is the id of a class or special of the first tree, `targets` are ids of classes of the second one; of
    `none` it is one special, or a role where the second tree has no special of that role. `shares` has one share a
    target, or is None. `source_text` says where the line was taken from.
    """

    source: str
    verb: Verb
    targets: tuple[str, ...]
    shares: tuple[float, ...] | None = None
    confidence: float | None = None
    note: str | None = None
    source_text: str | None = None


@dataclass(frozen=True, slots=True)
class Crosswalk:
    """Relations from the classes of one tree to those of another, as written (docs/crosswalks.md).

    `from_id` and `to_id` are names or paths of the two trees, `from_version` and `to_version` bounds such as
    `>=1.0,<2`. `unmapped` says whether a class without a relation is an error or is ignored.
    """

    id: str
    version: str
    from_id: str
    from_version: str
    to_id: str
    to_version: str
    entries: tuple[Entry, ...]
    title: str = ""
    description: str | None = None
    license: str | None = None
    source: tuple[Mapping[str, str], ...] = ()
    unmapped: Literal["error", "ignore"] = "error"
    meta: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True, slots=True)
class Link:
    """What a crosswalk says about one class or special of the source, directly or by what follows from other lines.

    `via` is the ancestor that the link is inherited from, None for a line of its own. `origin` says how it came about:
    `entry` (written), `ancestor` (inherited), `parts` (a mixed class: the union of its parts; a deprecated one: of what
    stands for it), `children` (a class above written ones: the union of its children).
    """

    verb: Verb
    targets: tuple[str, ...]
    shares: tuple[float, ...] | None = None
    via: str | None = None
    confidence: float | None = None
    origin: Origin = "entry"
