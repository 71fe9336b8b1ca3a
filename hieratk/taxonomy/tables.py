"""Everything a tensor asks of a tree, compiled once: numpy arrays, read-only, cached.

Shapes use the letters of docs/design.md: `M` predicted classes, `N` node channels (levels side by side, classes
carried to a level they do not lie on included), `L` levels, `V` leaves, `R` label rows.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hieratk.errors import TaxonomyError
from hieratk.taxonomy.tree import Encoding, Taxonomy

Ints: TypeAlias = NDArray[np.int64]
Bools: TypeAlias = NDArray[np.bool_]

IGNORE = -100
"""The class index of "no label": torch's own default, so that its losses skip it too."""

UNDECLARED = 0
"""The label row of a raster value that the encoding does not declare."""

ROLES = ("undeclared", "class", "nodata", "unlabelled", "excluded")
"""Names of the codes in `Tables.row_role`."""


@dataclass(frozen=True, slots=True, eq=False)
class Lookup:
    """Raster value -> label row, total over every value of the dtype: what nobody declared is row `UNDECLARED`.

    Up to 16 bits `table` has one entry a value, beginning at `low`; wider encodings are searched in `ranges` (K, 2),
    the first and last value of each, in ascending order.
    """

    encoding: str
    dtype: str
    low: int
    table: NDArray[np.int32] | None
    ranges: NDArray[np.int64] | None
    range_rows: NDArray[np.int32] | None

    def __call__(self, pixels: NDArray[np.generic]) -> NDArray[np.int32]:
        """Label rows of raster values, in the shape of `pixels`; any integer dtype, values outside the encoding's
        dtype are undeclared too. Raises TaxonomyError for values that are not integers."""
        if pixels.dtype.kind not in "iub":
            raise TaxonomyError(
                f"labels must be integers, not {pixels.dtype}; convert the raster to {self.dtype} without scaling"
            )
        if self.table is not None:
            if pixels.dtype == np.dtype(self.dtype) and self.low == 0:
                found: NDArray[np.int32] = self.table[pixels]
                return found
            index = pixels.astype(np.int64) - self.low
            inside = (index >= 0) & (index < len(self.table))
            return np.where(inside, self.table[np.where(inside, index, 0)], np.int32(UNDECLARED))
        assert self.ranges is not None
        assert self.range_rows is not None
        values = pixels.astype(np.int64)
        if not len(self.ranges):
            return np.full(values.shape, UNDECLARED, np.int32)
        at = np.searchsorted(self.ranges[:, 0], values, side="right") - 1
        inside = (at >= 0) & (values <= self.ranges[at, 1])
        return np.where(inside, self.range_rows[at], np.int32(UNDECLARED))


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """The compiled tree.

    Classes (M predicted, depth first):
        ids: their ids. parent: (M,) index of the parent, -1 at the top. level: (M,). leaf_span: (M, 2), the leaves
        below class m are `leaf_span[m, 0] ... leaf_span[m, 1] - 1`.
    Channels (N, level by level; level l is `offsets[l] ... offsets[l + 1] - 1`):
        node: (N,) class of each channel. carried: (N,) True where the class lies on another level and only stands in.
        up: for each level but the first, (C_l,) index within level l-1 of the class that holds each class of level l.
        paths: (V, L) channels on the way to each leaf.
    Label rows (R; row 0 is the undeclared value, then every declared class, then the specials):
        row_ids: "" for row 0. row_role: (R,) index into `ROLES`. index: (R, L) class index within each level where
        exactly one class remains, else IGNORE. allowed_ptr (R+1,), allowed_leaf, allowed_share: the allowed leaves of
        each row, compressed; share is NaN where none is stated.
    """

    fingerprint: str
    level_names: tuple[str, ...]
    ids: tuple[str, ...]
    parent: Ints
    level: Ints
    leaf_span: Ints
    leaves: tuple[str, ...]
    offsets: Ints
    node: Ints
    carried: Bools
    up: tuple[Ints, ...]
    paths: Ints
    row_ids: tuple[str, ...]
    row_role: Ints
    index: Ints
    allowed_ptr: Ints
    allowed_leaf: Ints
    allowed_share: NDArray[np.float64]
    lookups: Mapping[str, Lookup]

    def __deepcopy__(self, memo: object) -> Tables:
        """Itself: its arrays are read-only."""
        return self

    @property
    def channels(self) -> int:
        """N, the number of node channels."""
        return int(self.offsets[-1])

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of classes of each level."""
        return tuple(int(n) for n in np.diff(self.offsets))

    def channel_ids(self, level: int) -> tuple[str, ...]:
        """Class ids of a level in channel order."""
        return tuple(self.ids[m] for m in self.node[self.offsets[level] : self.offsets[level + 1]])

    def lookup(self, encoding: str = "default") -> Lookup:
        """The lookup of an encoding; raises TaxonomyError with the names there are."""
        try:
            return self.lookups[encoding]
        except KeyError:
            raise TaxonomyError(f"no encoding `{encoding}`; this taxonomy has {', '.join(self.lookups)}") from None

    def row(self, id_: str) -> int:
        """The label row of a class or special."""
        return self.row_ids.index(id_)

    def allowed(self, row: int) -> Bools:
        """(V,) which leaves a label row allows."""
        mask = np.zeros(len(self.leaves), bool)
        mask[self.allowed_leaf[self.allowed_ptr[row] : self.allowed_ptr[row + 1]]] = True
        return mask

    def level_of_leaf(self, level: int) -> Ints:
        """(V,) class index within a level of each leaf: the mapping matrix as an index."""
        found: Ints = self.paths[:, level] - self.offsets[level]
        return found


_CACHE_SIZE = 64
_cache: OrderedDict[str, Tables] = OrderedDict()
_lock = Lock()


def compile_tables(taxonomy: Taxonomy) -> Tables:
    """Compile a taxonomy, or return the tables compiled before from an equal one.

    Cost is linear in classes times levels plus the allowed leaves of all label rows; no array is N x N.
    Raises TaxonomyError for a tree without any class to predict.
    """
    key = taxonomy.encoding_digest
    with _lock:
        if key in _cache:
            _cache.move_to_end(key)
            return _cache[key]
    tables = _compile(taxonomy)
    with _lock:
        _cache[key] = tables
        while len(_cache) > _CACHE_SIZE:
            _cache.popitem(last=False)
    return tables


def _compile(taxonomy: Taxonomy) -> Tables:
    predicted = taxonomy.predicted
    if not predicted:
        raise TaxonomyError(f"taxonomy `{taxonomy.id}` has no class that a model could predict")
    at = {node.id: m for m, node in enumerate(predicted)}
    leaves = taxonomy.leaves
    leaf_at = {leaf: v for v, leaf in enumerate(leaves)}

    levels = [level.classes for level in taxonomy.levels]
    offsets = np.cumsum([0, *(len(classes) for classes in levels)])
    node = np.array([at[id_] for classes in levels for id_ in classes])
    carried = np.array([id_ in row.carried for row in taxonomy.levels for id_ in row.classes])
    class_of_leaf = _classes_of_leaves(taxonomy)
    up = tuple(_first_of(class_of_leaf[:, i], class_of_leaf[:, i - 1], len(levels[i])) for i in range(1, len(levels)))
    paths = class_of_leaf + offsets[:-1]

    span = np.zeros((len(predicted), 2), np.int64)
    span[:, 0] = len(leaves)
    for v, leaf in enumerate(leaves):
        for id_ in taxonomy.path(leaf):
            m = at[id_]
            span[m] = min(span[m, 0], v), v + 1

    rows: list[tuple[str, int, dict[str, float | None]]] = [("", 0, {})]
    rows += [(n.id, ROLES.index("class"), taxonomy.allowed(n.id)) for n in taxonomy.nodes]
    rows += [(s.id, ROLES.index(s.role), {}) for s in taxonomy.special]
    ptr = np.cumsum([0, *(len(allowed) for _, _, allowed in rows)])
    allowed_leaf = np.array([leaf_at[id_] for _, _, allowed in rows for id_ in allowed], np.int64)
    share = np.array([np.nan if s is None else s for _, _, allowed in rows for s in allowed.values()], np.float64)
    index = np.full((len(rows), len(levels)), IGNORE)
    for r in range(len(rows)):
        classes = class_of_leaf[allowed_leaf[ptr[r] : ptr[r + 1]]]
        if len(classes):
            index[r] = np.where((classes == classes[0]).all(0), classes[0], IGNORE)

    row_at = {id_: r for r, (id_, _, _) in enumerate(rows) if id_}
    lookups = {name: _lookup(encoding, row_at) for name, encoding in taxonomy.encodings.items()}
    tables = Tables(
        fingerprint=taxonomy.fingerprint,
        level_names=taxonomy.level_names,
        ids=tuple(n.id for n in predicted),
        parent=np.array([at[n.parent] if n.parent is not None else -1 for n in predicted]),
        level=np.array([n.level for n in predicted]),
        leaf_span=span,
        leaves=leaves,
        offsets=offsets,
        node=node,
        carried=carried,
        up=up,
        paths=paths,
        row_ids=tuple(id_ for id_, _, _ in rows),
        row_role=np.array([role for _, role, _ in rows]),
        index=index,
        allowed_ptr=ptr,
        allowed_leaf=allowed_leaf,
        allowed_share=share,
        lookups=MappingProxyType(lookups),
    )
    for array in (
        *(tables.parent, tables.level, span, offsets, node, carried, *up, paths),
        *(tables.row_role, index, ptr, allowed_leaf, share),
    ):
        array.flags.writeable = False
    return tables


def _classes_of_leaves(taxonomy: Taxonomy) -> Ints:
    """(V, L) class index within each level of each leaf."""
    columns = []
    for level in taxonomy.levels:
        position = {id_: i for i, id_ in enumerate(level.classes)}
        # The leaves of a class are contiguous and classes stand in the order of their first leaf, so the class of a
        # leaf is the first on its path that has a position in this level.
        columns.append(
            [next(position[id_] for id_ in taxonomy.path(leaf) if id_ in position) for leaf in taxonomy.leaves]
        )
    return np.array(columns, np.int64).T.reshape(len(taxonomy.leaves), len(columns))


def _first_of(keys: Ints, values: Ints, size: int) -> Ints:
    """For each key 0..size-1 the value at its first occurrence."""
    _, first = np.unique(keys, return_index=True)
    assert len(first) == size
    return values[first].copy()


def _lookup(encoding: Encoding, row_at: Mapping[str, int]) -> Lookup:
    info = np.iinfo(encoding.dtype)
    if info.bits <= 16:
        table = np.full(2**info.bits, UNDECLARED, np.int32)
        for low, high, id_ in encoding.values:
            table[low - info.min : high - info.min + 1] = row_at[id_]
        table.flags.writeable = False
        return Lookup(encoding.name, encoding.dtype, int(info.min), table, None, None)
    ranges = np.array([(low, high) for low, high, _ in encoding.values], np.int64).reshape(-1, 2)
    rows = np.array([row_at[id_] for _, _, id_ in encoding.values], np.int32)
    ranges.flags.writeable = rows.flags.writeable = False
    return Lookup(encoding.name, encoding.dtype, int(info.min), None, ranges, rows)
