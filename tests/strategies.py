"""Random trees and labels for hypothesis. Trees are drawn by hypothesis, so that failures shrink; numbers come from a
seed.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from hieratk.taxonomy.tree import Deprecated, Dtype, Encoding, Node, Special, Taxonomy

DTYPES: tuple[Dtype, ...] = ("uint8", "int16", "uint16", "int32", "uint32")


@st.composite
def taxonomies(draw: st.DrawFn, *, max_levels: int = 5, kinds: bool = True) -> Taxonomy:
    """A ragged tree of 1 to `max_levels` levels: only-child chains, leaves that stop early, classes that skip a level.

    With `kinds`, some classes are residual, unspecified, mixed or deprecated; at least one leaf stays predicted.
    """
    nodes: list[Node] = []

    def grow(parent: Node | None, level: int) -> None:
        low = 1 if parent is None else 0
        for _ in range(draw(st.integers(low, 3))):
            if len(nodes) >= 24:
                return
            skip = draw(st.integers(0, 4)) == 0 and level + 1 < max_levels
            node = Node(f"c{len(nodes)}", level + skip, parent.id if parent else None)
            at = len(nodes)
            nodes.append(node)
            if node.level + 1 < max_levels and draw(st.booleans()):
                grow(node, node.level + 1)
            nodes[at] = replace(node, children=tuple(n.id for n in nodes if n.parent == node.id))

    grow(None, 0)
    if kinds:
        _draw_kinds(draw, nodes)
    depth = max(node.level for node in nodes) + 1
    special = [Special("cloud", "excluded"), Special("outside", "nodata"), Special("blank", "unlabelled")]
    names = tuple(f"level{i + 1}" for i in range(depth))
    taxonomy = Taxonomy("random", tuple(nodes), names, tuple(special[: draw(st.integers(0, 3))]))
    dtypes = draw(st.lists(st.sampled_from(DTYPES), min_size=1, max_size=2, unique=True))
    encodings = {dtype: _encoding(draw, taxonomy, dtype) for dtype in dtypes}
    return replace(taxonomy, encodings=MappingProxyType(encodings))


def _draw_kinds(draw: st.DrawFn, nodes: list[Node]) -> None:
    """Turn some classes into other kinds, in place. The first leaf stays as it is, so that something is predicted."""
    first = next(i for i, node in enumerate(nodes) if not node.children)
    plain = [node.id for i, node in enumerate(nodes) if not node.children and (i == first or draw(st.booleans()))]
    for i, node in enumerate(nodes):
        kind = draw(st.sampled_from(("class", "residual", "unspecified", "mixed", "deprecated", "retired")))
        change: dict[str, Any] = {}
        if kind == "residual":
            change = {"kind": kind}
        elif node.id in plain:
            continue
        elif kind == "unspecified" and node.parent is not None:
            change = {"kind": kind}
        elif kind == "mixed" and not node.children:
            parts = draw(st.lists(st.sampled_from(plain), min_size=1, max_size=3, unique=True))
            shares = draw(st.booleans())
            change = {"kind": kind, "parts": {p: 1 / len(parts) if shares else None for p in parts}}
        elif kind == "deprecated":
            change = {
                "deprecated": Deprecated(
                    "1.0.0", tuple(draw(st.lists(st.sampled_from(plain), max_size=2, unique=True)))
                )
            }
        elif kind == "retired":
            change = {"deprecated": Deprecated("1.0.0")}
        nodes[i] = replace(node, **change)


def _encoding(draw: st.DrawFn, taxonomy: Taxonomy, dtype: Dtype) -> Encoding:
    """Values and ranges of values for most classes and specials, anywhere in the dtype, its two ends included."""
    info = np.iinfo(dtype)
    ids = [node.id for node in taxonomy.nodes] + [entry.id for entry in taxonomy.special]
    owners = [id_ for id_ in ids if draw(st.integers(0, 5))]
    owners += draw(st.lists(st.sampled_from(ids), max_size=3))
    ends = draw(st.sets(st.integers(info.min, info.max), min_size=2 * len(owners), max_size=2 * len(owners)))
    if draw(st.booleans()) and owners:
        ends = set(sorted(ends)[1:-1]) | {int(info.min), int(info.max)}
    bounds = sorted(ends)
    values = []
    for i, owner in enumerate(draw(st.permutations(owners))):
        low, high = bounds[2 * i : 2 * i + 2]
        # Long ranges of a wide dtype would fill the table of keys; a short one at either end says as much.
        if dtype.endswith("32") and high - low > 50:
            low, high = (low, low + 7) if draw(st.booleans()) else (high - 7, high)
        values.append((low, high, owner))
    return Encoding(dtype, dtype, tuple(values))


@st.composite
def label_rows(draw: st.DrawFn, rows: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Label rows 0 ... rows - 1 in an array of `shape`: any class, inner or leaf, any special, undeclared; at times all
    void.
    """
    if draw(st.integers(0, 9)) == 0:
        return np.zeros(shape, np.int64)
    return rng(draw).integers(0, rows, shape)


def rng(draw: st.DrawFn) -> np.random.Generator:
    """Random numbers that hypothesis can repeat."""
    return np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
