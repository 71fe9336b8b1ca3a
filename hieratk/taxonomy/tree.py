"""The class tree as a value: nodes in depth-first order, levels as partitions of the leaves.

A `Taxonomy` is what the reader makes of a valid document. It is immutable, knows names but no tensors, and answers the
questions a person asks of a tree. The questions a tensor asks are answered by `hieratk.taxonomy.tables`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from hieratk.errors import TaxonomyError

Kind = Literal["class", "residual", "unspecified", "mixed"]
Role = Literal["nodata", "unlabelled", "excluded"]
Dtype = Literal["uint8", "int16", "uint16", "int32", "uint32"]

_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Deprecated:
    """Why a class must no longer be used: `since` a version, and what to `use` instead."""

    since: str | None = None
    use: tuple[str, ...] = ()
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One declared class.

    `level` is 0-based (0 is the coarsest). `kind` says which leaves a label of this class allows
    (docs/taxonomy.md, "Kinds"); `parts` holds the parts of a mixed class with their shares, None where no share is
    given.
    """

    id: str
    level: int
    parent: str | None = None
    children: tuple[str, ...] = ()
    name: str = ""
    code: str | None = None
    kind: Kind = "class"
    color: str | None = None
    parts: Mapping[str, float | None] = field(default_factory=lambda: _EMPTY)
    labels: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    synonyms: tuple[str, ...] = ()
    definition: str | None = None
    also: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    attrs: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    since: str | None = None
    deprecated: Deprecated | None = None
    source: str | None = None
    note: str | None = None
    meta: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True, slots=True)
class Special:
    """A raster value that is no class: `nodata`, `unlabelled` or `excluded` (docs/taxonomy.md, "Not a class")."""

    id: str
    role: Role
    name: str = ""
    labels: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    color: str | None = None
    note: str | None = None
    meta: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True, slots=True)
class Encoding:
    """How a raster writes classes: (first value, last value, id) triples, in ascending order, never overlapping.

    `level` is the 0-based level that the encoding is restricted to, or None. `nodata` is the raster value outside any
    observation, or None.
    """

    name: str
    dtype: Dtype = "uint8"
    values: tuple[tuple[int, int, str], ...] = ()
    level: int | None = None
    nodata: int | None = None
    about: str | None = None

    def first_value(self, id_: str) -> int | None:
        """The smallest raster value of a class or special, or None where it has none in this encoding."""
        return next((low for low, _, owner in self.values if owner == id_), None)


class Extends(NamedTuple):
    """The taxonomy that another one grew from, and the version that was read."""

    id: str
    version: str


@dataclass(frozen=True, slots=True)
class Level:
    """One row of the tree: a partition of the leaves.

    `classes` are ids in depth-first order. A leaf above this level is carried down as itself and a class that skips
    this level stands here too; the ids of both are in `carried`.
    """

    index: int
    name: str
    classes: tuple[str, ...]
    carried: frozenset[str]

    def __len__(self) -> int:
        return len(self.classes)


@dataclass(frozen=True)
class Taxonomy:
    """A valid class tree. `nodes` holds every declared class in depth-first order, as written.

    `extends` says which tree this one grew from, if any. It takes no part in equality and fingerprint: the same tree
    written whole is the same tree.
    """

    id: str
    nodes: tuple[Node, ...]
    level_names: tuple[str, ...]
    special: tuple[Special, ...] = ()
    encodings: Mapping[str, Encoding] = field(default_factory=lambda: _EMPTY)
    version: str = "0.0.0"
    title: str = ""
    description: str | None = None
    lang: str = "en"
    license: str | None = None
    source: tuple[Mapping[str, str], ...] = ()
    codes: Mapping[str, str] = field(default_factory=lambda: _EMPTY)
    attributes: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: _EMPTY)
    meta: Mapping[str, Any] = field(default_factory=lambda: _EMPTY)
    extends: Extends | None = field(default=None, compare=False)

    @classmethod
    def from_outline(
        cls,
        outline: Mapping[str, Any],
        *,
        id: str = "tree",
        levels: Sequence[str] | None = None,
        classes: Mapping[str, Mapping[str, Any]] | None = None,
        special: Iterable[Special] = (),
        dtype: Dtype = "uint8",
    ) -> Taxonomy:
        """A taxonomy from a nested mapping, for tests and programs: `{"water": 1, "crops": {"rice": 2, "maize": 3}}`.

        Args:
            outline: children as a mapping, a raster value as an int, several as a list, none as None.
            classes: further `Node` fields by id (`kind`, `color`, `level`, `parts`, ...); `pixel` for an inner class.

        Nothing is checked here; documents of users go through `hieratk.load`, which checks everything.
        """
        nodes: list[Node] = []
        values: list[tuple[int, int, str]] = []
        details = dict(classes or {})

        def add(id_: str, content: Any, parent: Node | None) -> None:
            extra = dict(details.get(id_, {}))
            pixel = extra.pop("pixel", None) if isinstance(content, Mapping) else content
            children = tuple(content) if isinstance(content, Mapping) else ()
            level = extra.pop("level", 0 if parent is None else parent.level + 1)
            node = Node(id_, level, parent.id if parent else None, children,
                        **{"name": id_.replace("_", " "), **extra})  # fmt: skip
            nodes.append(node)
            stated = pixel if isinstance(pixel, list | tuple) else [] if pixel is None else [pixel]
            values.extend((value, value, id_) for value in stated)
            for child in children:
                add(child, content[child], node)

        for top, content in outline.items():
            add(top, content, None)
        depth = max((node.level for node in nodes), default=-1) + 1
        names = tuple(levels) if levels else tuple(f"level{i + 1}" for i in range(depth))
        return cls(
            id, tuple(nodes), names, tuple(special), {"default": Encoding("default", dtype, tuple(sorted(values)))}
        )

    def __getitem__(self, id_: str) -> Node:
        try:
            return self._by_id[id_]
        except KeyError:
            raise TaxonomyError(f"taxonomy `{self.id}` has no class `{id_}`") from None

    def __contains__(self, id_: object) -> bool:
        return id_ in self._by_id

    def __len__(self) -> int:
        return len(self.nodes)

    def __iter__(self) -> Iterator[Node]:
        return iter(self.nodes)

    def __deepcopy__(self, memo: object) -> Taxonomy:
        """Itself: it cannot change, and a deep copy of a model (an average of weights, say) needs no second tree."""
        return self

    @cached_property
    def _by_id(self) -> dict[str, Node]:
        return {node.id: node for node in self.nodes}

    @cached_property
    def predicted(self) -> tuple[Node, ...]:
        """The classes a model predicts, depth first: all but unspecified, mixed and deprecated ones.

        A class of those kinds stays when a class below it is predicted, so that every path keeps its root.
        """
        keep: set[str] = set()
        for node in reversed(self.nodes):
            ordinary = node.kind in ("class", "residual") and node.deprecated is None
            if ordinary or any(child in keep for child in node.children):
                keep.add(node.id)
        return tuple(node for node in self.nodes if node.id in keep)

    @cached_property
    def leaves(self) -> tuple[str, ...]:
        """Ids of the predicted classes without predicted children, depth first."""
        parents = {node.parent for node in self.predicted}
        return tuple(node.id for node in self.predicted if node.id not in parents)

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """The rows of the tree, coarse to fine; each partitions the leaves."""
        rows = []
        for index, name in enumerate(self.level_names):
            classes: dict[str, bool] = {}
            for leaf in self.leaves:
                path = self.path(leaf)
                # The class of a leaf at a level is the first on its path that lies at or below the level, else the
                # leaf.
                stand_in = next((id_ for id_ in path if self[id_].level >= index), leaf)
                classes[stand_in] = self[stand_in].level != index
            rows.append(
                Level(index, name, tuple(classes), frozenset(id_ for id_, carried in classes.items() if carried))
            )
        return tuple(rows)

    def level(self, name: str) -> Level:
        """The level of that name; raises TaxonomyError with the names there are."""
        for row in self.levels:
            if row.name == name:
                return row
        raise TaxonomyError(f"taxonomy `{self.id}` has no level `{name}`; it has {', '.join(self.level_names)}")

    def ancestors(self, id_: str) -> tuple[str, ...]:
        """Ids above a class, nearest first."""
        found: list[str] = []
        parent = self[id_].parent
        while parent is not None:
            found.append(parent)
            parent = self[parent].parent
        return tuple(found)

    def path(self, id_: str) -> tuple[str, ...]:
        """Ids from the root's child down to the class itself."""
        return (*reversed(self.ancestors(id_)), id_)

    def descendants(self, id_: str) -> tuple[str, ...]:
        """Ids below a class, depth first, the class itself not among them."""
        found: list[str] = []
        stack = list(reversed(self[id_].children))
        while stack:
            child = stack.pop()
            found.append(child)
            stack.extend(reversed(self[child].children))
        return tuple(found)

    def lca(self, a: str, b: str) -> str | None:
        """The deepest class above or equal to both, or None where only the root is."""
        above = set(self.path(a))
        return next((id_ for id_ in reversed(self.path(b)) if id_ in above), None)

    def allowed(self, id_: str) -> dict[str, float | None]:
        """The leaves that a label of this class or special allows, with shares where a mixture states them.

        Raises TaxonomyError for an id that is neither class nor special.
        """
        if any(entry.id == id_ for entry in self.special):
            return {}
        node = self[id_]
        if node.deprecated is not None and node.deprecated.use:
            return self._union(dict.fromkeys(node.deprecated.use))
        if node.kind == "mixed":
            return self._union(node.parts)
        if id_ not in self._predicted_ids:
            # Unspecified, or deprecated without a replacement: somewhere below the parent.
            return dict.fromkeys(self.leaves) if node.parent is None else self.allowed(node.parent)
        return dict.fromkeys(self._leaves_below[id_])

    def _union(self, parts: Mapping[str, float | None]) -> dict[str, float | None]:
        shares: dict[str, float | None] = {}
        for part, share in parts.items():
            below = self.allowed(part)
            for leaf in below:
                # A share of an inner part is spread evenly: the document says nothing finer.
                more = None if share is None else share / len(below)
                before = shares.get(leaf)
                shares[leaf] = more if before is None else before if more is None else before + more
        return {leaf: shares[leaf] for leaf in self.leaves if leaf in shares}

    @cached_property
    def _predicted_ids(self) -> frozenset[str]:
        return frozenset(node.id for node in self.predicted)

    @cached_property
    def _leaves_below(self) -> dict[str, tuple[str, ...]]:
        below: dict[str, list[str]] = {node.id: [] for node in self.nodes}
        for leaf in self.leaves:
            for id_ in self.path(leaf):
                below[id_].append(leaf)
        return {id_: tuple(found) for id_, found in below.items()}

    @cached_property
    def fingerprint(self) -> str:
        """Hex digest of ids, parents, levels and kinds in order: equal when, and only when, model outputs mean the
        same.
        """
        rows = [(n.id, n.parent, n.level, n.kind, n.deprecated is not None) for n in self.nodes]
        return _digest([list(self.level_names), rows])

    @cached_property
    def encoding_digest(self) -> str:
        """Hex digest of everything compiled tables depend on: the fingerprint, parts, replacements and encodings."""
        mixtures = [(n.id, dict(n.parts), n.deprecated.use if n.deprecated else ()) for n in self.nodes]
        special = [(s.id, s.role) for s in self.special]
        encodings = [(e.name, e.dtype, e.values, e.level, e.nodata) for e in self.encodings.values()]
        colors = [n.color for n in self.nodes] + [s.color for s in self.special]
        return _digest([self.fingerprint, mixtures, special, encodings, colors])

    def difference(self, other: Taxonomy) -> str:
        """How another tree differs in what a model would predict, in a few lines; empty where it does not."""
        mine, theirs = {n.id: n for n in self.nodes}, {n.id: n for n in other.nodes}
        gone = [id_ for id_ in mine if id_ not in theirs]
        new = [id_ for id_ in theirs if id_ not in mine]
        both = [id_ for id_ in mine if id_ in theirs]
        moved = [id_ for id_ in both if (mine[id_].parent, mine[id_].level) != (theirs[id_].parent, theirs[id_].level)]
        kinds = [id_ for id_ in both if mine[id_].kind != theirs[id_].kind]
        order = [id_ for id_ in mine if id_ in theirs] != [id_ for id_ in theirs if id_ in mine]
        lines = [
            f"{what}: {', '.join(ids[:6])}{f' and {len(ids) - 6} more' if len(ids) > 6 else ''}"
            for what, ids in (("missing", gone), ("new", new), ("moved", moved), ("other kind", kinds))
            if ids
        ]
        if order and not moved:
            lines.append("the order of the classes differs")
        if self.level_names != other.level_names:
            lines.append(f"levels: {', '.join(self.level_names)} against {', '.join(other.level_names)}")
        return "; ".join(lines)


def _digest(value: object) -> str:
    # Checking a taxonomy needs no digest, and should not wait for the libraries of one.
    import hashlib
    import json

    return hashlib.sha256(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()
