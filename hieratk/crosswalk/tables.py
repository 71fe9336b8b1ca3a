"""What a crosswalk makes of every label row of its source: numpy arrays, read-only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hieratk.crosswalk.links import allowed, counterpart, resolve
from hieratk.crosswalk.values import Crosswalk, Link
from hieratk.taxonomy.tables import IGNORE, ROLES, Bools, Ints, Tables, compile_tables
from hieratk.taxonomy.tree import Taxonomy

UNMAPPED = -1
"""In `Compiled.ancestor` and `Compiled.special`: there is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Compiled:
    """A crosswalk as arrays. Rows are the label rows of the source (`hieratk.taxonomy.tables.Tables.row_ids`): row 0 is
    the undeclared value, then every declared class, then the specials; so `lookup(pixels)` indexes all of them.

    ids: (R) "" for row 0. mapped: (R,) bool, False for row 0 and for classes that the crosswalk says nothing about.
    allowed: (R, V) bool, the leaves of the target that a label allows. shares: (R, V) float64, NaN in rows without
    shares; None where no row has any. role: (R,) index into `hieratk.taxonomy.tables.ROLES`: what the label is in the
    target ("undeclared" where not mapped). special: (R,) index into the target's specials, or UNMAPPED. ancestor: (R,)
    index into the target's predicted classes of the deepest one that holds all allowed leaves, or UNMAPPED. index:
    (R, L) class index within each level of the target where exactly one class remains, else IGNORE.
    """

    ids: tuple[str, ...]
    mapped: Bools
    allowed: Bools
    shares: NDArray[np.float64] | None
    role: Ints
    special: Ints
    ancestor: Ints
    index: Ints


def compile_crosswalk(crosswalk: Crosswalk, source: Taxonomy, target: Taxonomy) -> Compiled:
    """The arrays of a crosswalk between two trees.

    A special of the source without a line of its own stays what it is: it takes the target's special of the same role.
    Raises TaxonomyError for a tree without any class to predict.
    """
    links = resolve(crosswalk, source, target)
    rows, columns = compile_tables(source), compile_tables(target)
    count, width = len(rows.row_ids), len(columns.leaves)
    leaf_at = {leaf: v for v, leaf in enumerate(columns.leaves)}
    may, shares = np.zeros((count, width), bool), np.full((count, width), np.nan)
    role, special = np.zeros(count, np.int64), np.full(count, UNMAPPED, np.int64)
    mapped = np.zeros(count, bool)
    for r, id_ in enumerate(rows.row_ids):
        link = links.get(id_) or _of_special(id_, source, target)
        if link is None:
            continue
        mapped[r] = True
        if link.verb == "none":
            role[r], special[r] = _role(link.targets[0], target)
            continue
        role[r] = ROLES.index("class")
        found = allowed(link, target)
        at = [leaf_at[leaf] for leaf in found]
        may[r, at] = True
        if found and None not in found.values():
            shares[r] = 0.0
            shares[r, at] = list(found.values())
    ancestor, index = _ancestors(may, columns), _indices(may, columns)
    stated = None if np.isnan(shares).all() else shares
    for array in (mapped, may, shares, role, special, ancestor, index):
        array.flags.writeable = False
    return Compiled(rows.row_ids, mapped, may, stated, role, special, ancestor, index)


def _of_special(id_: str, source: Taxonomy, target: Taxonomy) -> Link | None:
    own = next((entry for entry in source.special if entry.id == id_), None)
    return None if own is None else Link("none", (counterpart(own, target),))


def _role(word: str, target: Taxonomy) -> tuple[int, int]:
    """Role and position of a special; a role of which the tree has no special has no position."""
    for position, entry in enumerate(target.special):
        if entry.id == word:
            return ROLES.index(entry.role), position
    return ROLES.index(word), UNMAPPED


def _ancestors(may: Bools, columns: Tables) -> Ints:
    """(R,) the deepest class whose leaves, which stand side by side, begin before and end after the allowed ones."""
    found = np.full(len(may), UNMAPPED, np.int64)
    some = may.any(1)
    first = may.argmax(1)
    last = may.shape[1] - 1 - may[:, ::-1].argmax(1)
    # Classes stand depth first, so that of all that hold a run of leaves the last one is the deepest.
    for m, (start, end) in enumerate(columns.leaf_span):
        found[some & (start <= first) & (last < end)] = m
    return found


def _indices(may: Bools, columns: Tables) -> Ints:
    """(R, L) the class of each level where all allowed leaves agree."""
    found = np.full((len(may), len(columns.sizes)), IGNORE, np.int64)
    for level in range(len(columns.sizes)):
        of_leaf = columns.level_of_leaf(level)
        lowest = np.where(may, of_leaf, np.iinfo(np.int64).max).min(1)
        highest = np.where(may, of_leaf, -1).max(1)
        agree = lowest == highest
        found[agree, level] = highest[agree]
    return found
