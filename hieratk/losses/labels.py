"""What a label says: one class a level, or a set of leaves, with shares where a mixture states them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hieratk.taxonomy.tables import Tables, compile_tables
from hieratk.taxonomy.tree import Taxonomy
from hieratk.tensors import IGNORE


@dataclass(frozen=True, slots=True, eq=False)
class SetLabels:
    """Labels of a batch, some of which are sets that no single class spells out. Made by `LabelSets`.

    Attributes:
        index: (B, L, ...) int64 class index within each level, IGNORE where a level has none.
        entry: (B, ...) int64, which of the K sets a pixel has; -1 where `index` says all.
        sets: for each level (K, C_l) bool, the classes that hold an allowed leaf.
        shares: for each level (K, C_l) float64, the share of each class; rows are zero where no share is stated.
        stated: (K,) bool, whether a set states its shares.
    """

    index: Tensor
    entry: Tensor
    sets: tuple[Tensor, ...]
    shares: tuple[Tensor, ...]
    stated: Tensor


Labels: TypeAlias = Tensor | SetLabels
"""Labels of a batch: class indices (B, L, ...) as `TaxonomyTensors.encode` makes them, or `SetLabels`."""


class LabelSets(nn.Module):
    """Label rows -> `SetLabels`: what `TaxonomyTensors.labels` says, and the sets that it cannot say.

    A mixture of rice and forest names no class at any level, yet it is neither void nor without meaning: it allows two
    leaves. So does "anything but maize", and every relation of a crosswalk.

    Args:
        taxonomy: the tree that the leaves belong to.
        allowed: (R, V) bool, the leaves that each row allows, in the order of `Tables.leaves`; a row without any is
            void. None for the tree's own label rows.
        shares: (R, V), the share of each leaf in a row, all zero or NaN for a row that states none; a row is divided by
            its sum, and counts on allowed leaves only.

    Called with rows (B, ...) of any integer dtype, 0 <= row < R. Adds nothing to a state dict. Memory is K times N for
    the K rows that are no single class.

    Raises ValueError for arrays of another shape and for negative shares.
    """

    index: Tensor
    entry: Tensor
    stated: Tensor

    def __init__(
        self,
        taxonomy: Taxonomy,
        *,
        allowed: NDArray[np.bool_] | None = None,
        shares: NDArray[np.floating] | None = None,
    ) -> None:
        super().__init__()
        tables = compile_tables(taxonomy)
        rows = _own_rows(tables) if allowed is None else _given_rows(tables, allowed, shares)
        leaf_classes = [tables.level_of_leaf(i) for i in range(len(tables.sizes))]
        index = np.array([_index(leaf_classes, leaves) for leaves, _ in rows], np.int64).reshape(-1, len(tables.sizes))
        special = [r for r, (leaves, share) in enumerate(rows) if _is_special(leaf_classes, index[r], leaves, share)]
        entry = np.full(len(rows), -1)
        entry[special] = np.arange(len(special))
        self.n_levels = len(tables.sizes)
        self.register_buffer("index", torch.from_numpy(index), persistent=False)
        self.register_buffer("entry", torch.from_numpy(entry), persistent=False)
        stated = np.array([rows[r][1] is not None for r in special], bool)
        self.register_buffer("stated", torch.from_numpy(stated), persistent=False)
        for i, (classes, size) in enumerate(zip(leaf_classes, tables.sizes, strict=True)):
            inside, share_of = np.zeros((len(special), size), bool), np.zeros((len(special), size))
            for k, r in enumerate(special):
                leaves, share = rows[r]
                inside[k, classes[leaves]] = True
                if share is not None:
                    np.add.at(share_of[k], classes[leaves], share)
            self.register_buffer(f"sets_{i}", torch.from_numpy(inside), persistent=False)
            self.register_buffer(f"shares_{i}", torch.from_numpy(share_of), persistent=False)

    def forward(self, rows: Tensor) -> SetLabels:
        """(B, ...) label rows to labels."""
        at = rows.long()
        return SetLabels(
            self.index[at].movedim(-1, 1),
            self.entry[at],
            tuple(self.get_buffer(f"sets_{i}") for i in range(self.n_levels)),
            tuple(self.get_buffer(f"shares_{i}") for i in range(self.n_levels)),
            self.stated,
        )


_Row: TypeAlias = tuple[NDArray[np.int64], NDArray[np.float64] | None]
"""The allowed leaves of a row, and their shares where it states them."""


def _own_rows(tables: Tables) -> list[_Row]:
    rows: list[_Row] = []
    for a, b in zip(tables.allowed_ptr[:-1], tables.allowed_ptr[1:], strict=True):
        share = tables.allowed_share[a:b]
        whole = len(share) > 1 and not np.isnan(share).any() and share.sum() > 0
        rows.append((tables.allowed_leaf[a:b], share / share.sum() if whole else None))
    return rows


def _given_rows(tables: Tables, allowed: NDArray[np.bool_], shares: NDArray[np.floating] | None) -> list[_Row]:
    leaves = len(tables.leaves)
    for name, array in (("allowed", allowed), ("shares", shares)):
        if array is not None and (array.ndim != 2 or array.shape != (len(allowed), leaves)):
            raise ValueError(f"{name} is {array.shape}; this tree needs (R, {leaves}), one column a leaf")
    if allowed.dtype != np.bool_:
        raise ValueError(f"allowed is {allowed.dtype}; it must be bool")
    if shares is not None and (shares < 0).any():
        raise ValueError("shares must be 0 or more")
    rows: list[_Row] = []
    for r, row in enumerate(allowed):
        found = row.nonzero()[0]
        share = None if shares is None else np.nan_to_num(shares[r, found].astype(np.float64))
        rows.append((found, share / share.sum() if share is not None and share.sum() > 0 else None))
    return rows


def _index(leaf_classes: list[NDArray[np.int64]], leaves: NDArray[np.int64]) -> list[int]:
    """The class of each level where all leaves agree, else IGNORE."""
    if not len(leaves):
        return [IGNORE] * len(leaf_classes)
    return [int(c[leaves[0]]) if (c[leaves] == c[leaves[0]]).all() else IGNORE for c in leaf_classes]


def _is_special(
    leaf_classes: list[NDArray[np.int64]],
    index: NDArray[np.int64],
    leaves: NDArray[np.int64],
    share: NDArray[np.float64] | None,
) -> bool:
    """Whether the leaves are other than all those under the deepest class that they agree on, or have shares."""
    named = int((index >= 0).sum())
    under = len(leaf_classes[0]) if not named else int((leaf_classes[named - 1] == index[named - 1]).sum())
    return len(leaves) > 0 and (len(leaves) < under or (share is not None and len(leaves) > 1))
