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
from hieratk.tensors import IGNORE, TaxonomyTensors


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


class Target:
    """The labels of a batch, asked level by level. Pixels are one axis here: P of each of B images.

    Attributes: labels (B, L, P) int64; entry (B, P) int64 or None, as in `SetLabels`; scored (B, P) bool, True where
    the label says anything.

    Where labels differ in depth, and `stratified` is True, a pixel stands for others (`stands_for`).
    """

    def __init__(
        self,
        tree: TaxonomyTensors,
        labels: Labels,
        class_weights: Tensor | None = None,
        *,
        stratified: bool = False,
    ) -> None:
        self.tree = tree
        index = labels.index if isinstance(labels, SetLabels) else labels
        self.labels = index.flatten(2) if index.ndim > 2 else index.unsqueeze(2)
        self.scored = (self.labels >= 0).any(1)
        self.entry: Tensor | None = None
        self.source: SetLabels | None = None
        if isinstance(labels, SetLabels) and len(labels.stated):
            self.source = labels
            self.entry = labels.entry.flatten(1) if labels.entry.ndim > 1 else labels.entry.unsqueeze(1)
            self.scored = self.scored | (self.entry >= 0)
        self.class_weights = class_weights
        self.stratified = stratified and bool((self.scored != self.known(tree.n_levels - 1)).any())
        self._allowed: list[Tensor] = []
        self._stands_for: list[Tensor] = []

    def known(self, level: int) -> Tensor:
        """(B, P) bool: whether the label names a class of the level."""
        return self.labels[:, level] >= 0

    def informative(self, level: int) -> Tensor:
        """(B, P) bool: whether the label says more about this level than about the one above: a class, or a set."""
        return self.known(level) if self.entry is None else self.known(level) | (self.entry >= 0)

    def allowed(self, level: int) -> Tensor:
        """(B, C_l, P) bool: the classes of a level that hold an allowed leaf; all of them on a pixel without a label.

        The labelled class where there is one; else the set's; else every class under an allowed one of the level above;
        else, at the top, every class.
        """
        for i in range(len(self._allowed), level + 1):
            target = self.labels[:, i]
            classes = torch.arange(self.tree.sizes[i], device=target.device).view(1, -1, 1)
            named = classes == target.unsqueeze(1)
            unknown = (target < 0).unsqueeze(1)
            if i == 0:
                found = named | unknown
            else:
                found = torch.where(unknown, self._allowed[i - 1].index_select(1, self.tree.up(i)), named)
            self._allowed.append(self._at_sets(found, i))
        return self._allowed[level]

    def _at_sets(self, found: Tensor, level: int) -> Tensor:
        if self.entry is None or self.source is None:
            return found
        of_set = self.source.sets[level][self.entry.clamp(min=0)].movedim(-1, 1)
        return torch.where((self.entry >= 0).unsqueeze(1), of_set, found)

    def shares(self, level: int) -> tuple[Tensor, Tensor] | None:
        """(B, P) bool where shares are stated, and (B, C_l, P) float64 shares, zero elsewhere; None where nowhere."""
        if self.entry is None or self.source is None or not bool(self.source.stated.any()):
            return None
        at = self.entry.clamp(min=0)
        stated = (self.entry >= 0) & self.source.stated[at]
        return stated, self.source.shares[level][at].movedim(-1, 1) * stated.unsqueeze(1)

    def average(self, values: Tensor, level: int) -> Tensor:
        """(B, P): of values (C_l,) of the classes of a level the labelled one's; the mean over the allowed ones where
        the label names none, weighted by the shares where it states them.
        """
        target = self.labels[:, level]
        named = values[target.clamp(min=0)]
        if bool((target >= 0).all()):
            return named
        # Means over the classes below each class of each coarser level, from tables: no mask of B x C_l x P.
        means, total, count = [], values, torch.ones_like(values)
        for i in range(level, 0, -1):
            size, up = self.tree.sizes[i - 1], self.tree.up(i)
            total, count = (x.new_zeros(size).index_add(0, up, x) for x in (total, count))
            means.append(total / count)
        found = values.mean().expand(target.shape)
        for i, mean in enumerate(reversed(means)):
            found = torch.where(self.known(i), mean[self.labels[:, i].clamp(min=0)], found)
        if self.entry is not None and self.source is not None:
            inside, share = (x[level].to(values.dtype) for x in (self.source.sets, self.source.shares))
            of_set = torch.where(self.source.stated, share @ values, inside @ values / inside.sum(1))
            found = torch.where(self.entry >= 0, of_set[self.entry.clamp(min=0)], found)
        return torch.where(target >= 0, named, found)

    def stands_for(self, level: int) -> Tensor:
        """(B, P) float64: how many labelled pixels each one stands for at a level, itself included.

        A pixel whose label names a class of the level stands for those of the same class one level above whose label
        ends there: all of them in equal parts (post-stratification, docs/losses.md). 1 for all where labels are equally
        deep.
        """
        for i in range(len(self._stands_for), level + 1):
            before = self._stands_for[-1] if i else self.scored.double()
            known, inside = self.known(i), self.known(i - 1) if i else self.scored
            group = self.labels[:, i - 1].clamp(min=0) if i else torch.zeros_like(self.labels[:, 0])
            sums = before.new_zeros(2, self.tree.sizes[i - 1] if i else 1)
            sums[0].index_add_(0, group[inside], before[inside])
            sums[1].index_add_(0, group[known], before[known])
            each = (sums[0] / sums[1])[group]
            self._stands_for.append(torch.where(known, before * each, before))
        return self._stands_for[level]

    def counts(self, level: int, where: Tensor, dtype: torch.dtype) -> Tensor:
        """(B, P) what each pixel counts at a level: the pixels that it stands for where `where`, times the weight of
        its class; 0 elsewhere.
        """
        counts = (where * self.stands_for(level)).to(dtype) if self.stratified else where.to(dtype)
        if self.class_weights is None:
            return counts
        first = int(self.tree.tables.offsets[level])
        weights = self.class_weights[first : first + self.tree.sizes[level]].to(dtype)
        return counts * self.average(weights, level)

    def pixel_weights(self, dtype: torch.dtype) -> Tensor:
        """(B, L, P): what each labelled pixel counts at each level."""
        return torch.stack([self.counts(i, self.scored, dtype) for i in range(self.tree.n_levels)], 1)

    def with_sets(self) -> tuple[Target, Tensor, Tensor]:
        """The pixels whose label is a set, as one image; and their image and pixel indices (K,)."""
        assert self.entry is not None
        assert self.source is not None
        image, pixel = (self.entry >= 0).nonzero(as_tuple=True)
        index, entry = self.labels[image, :, pixel].t().unsqueeze(0), self.entry[image, pixel].unsqueeze(0)
        labels = SetLabels(index, entry, self.source.sets, self.source.shares, self.source.stated)
        few = Target(self.tree, labels, self.class_weights)
        few.stratified = self.stratified
        if self.stratified:
            levels = range(self.tree.n_levels)
            few._stands_for = [self.stands_for(i)[image, pixel].unsqueeze(0) for i in levels]
        return few, image, pixel

    def deepest(self) -> Tensor:
        """(B, P) int64: the number of levels that the label names a class of, counted from the top; 0 for none."""
        below = torch.arange(1, self.labels.shape[1] + 1, device=self.labels.device).view(1, -1, 1)
        return ((self.labels >= 0) * below).amax(1)
