"""The labels of a batch as losses ask for them: what a label allows at each level, and what its pixel counts there."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from hieratk.losses.labels import Labels, SetLabels
from hieratk.tensors import TaxonomyTensors


class Target:
    """The labels of a batch, asked level by level. Pixels are one axis here: P of each of B images.

    Attributes: labels (B, L, P) int64; entry (B, P) int64 or None, as in `SetLabels`; scored (B, P) bool, True where
    the label says anything.

    What a pixel counts depends on its label alone, so it is worked out once for each of the N + 1 + K things that a
    label can say, its `code`, and looked up. With `stratified`, a pixel stands for others (`stands_for`).
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
        self.entry: Tensor | None = None
        self.source: SetLabels | None = None
        if isinstance(labels, SetLabels) and len(labels.stated):
            self.source = labels
            self.entry = labels.entry.flatten(1) if labels.entry.ndim > 1 else labels.entry.unsqueeze(1)
        self.class_weights, self.stratified = class_weights, stratified
        self.weighted = stratified or class_weights is not None
        self._first = [int(a) for a in tree.tables.offsets]
        self._allowed: list[Tensor] = []

    @cached_property
    def code(self) -> Tensor:
        """(B, P) int64: the channel of the last class that a label names; N where it says nothing; N + 1 + k for set k.

        The last class says all, as a label names the classes of one path from the top.
        """
        found = torch.full_like(self.labels[:, 0], self.tree.channels)
        for i in range(self.tree.n_levels):
            found = torch.where(self.known(i), self.labels[:, i] + self._first[i], found)
        if self.entry is not None:
            found = torch.where(self.entry >= 0, self.entry + self.tree.channels + 1, found)
        return found

    @cached_property
    def scored(self) -> Tensor:
        return self.code != self.tree.channels

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
        return self._average(values, level)[self.code]

    def _average(self, values: Tensor, level: int) -> Tensor:
        """(N + 1 + K,): the same for every code."""
        of_level, total, count = [values], values, torch.ones_like(values)
        for i in range(level, 0, -1):
            size, up = self.tree.sizes[i - 1], self.tree.up(i)
            total, count = (x.new_zeros(size).index_add(0, up, x) for x in (total, count))
            of_level.insert(0, total / count)
        for i in range(level + 1, self.tree.n_levels):
            of_level.append(of_level[-1][self.tree.up(i)])
        parts = [*of_level, values.mean().view(1)]
        if self.source is not None:
            inside, share = (x[level].to(values.dtype) for x in (self.source.sets, self.source.shares))
            parts.append(torch.where(self.source.stated, share @ values, inside @ values / inside.sum(1)))
        return torch.cat(parts)

    @cached_property
    def stands_for(self) -> Tensor:
        """(L, N + 1 + K) float64: how many labelled pixels one with each code stands for at each level, itself
        included.

        A pixel whose label names a class of the level stands for those of the same class one level above whose label
        ends there: all of them in equal parts (post-stratification, docs/losses.md). 1 for all where labels are equally
        deep.
        """
        tree, n = self.tree, self.tree.channels
        ending, ends = self._pixels[: n + 1].clone(), self._ends_of_sets
        # That many labels say nothing; what ends above the first level is a set.
        ending[n] = 0
        ending.index_add_(0, ends, self._pixels[n + 1 :])
        of_level = list(torch.split(ending[:n], list(tree.sizes)))
        reaching = list(of_level)
        for i in range(tree.n_levels - 1, 0, -1):
            reaching[i - 1] = reaching[i - 1].index_add(0, tree.up(i), reaching[i])
        deeper = reaching[0].sum()
        factor = [torch.where(deeper > 0, (deeper + ending[n]) / deeper, 1.0).expand(tree.sizes[0])]
        for i in range(1, tree.n_levels):
            deeper = reaching[i - 1] - of_level[i - 1]
            handed_down = torch.where(deeper > 0, reaching[i - 1] / deeper, 1.0)
            factor.append((factor[-1] * handed_down)[tree.up(i)])
        rows = []
        for i in range(tree.n_levels):
            row = factor[: i + 1]
            for k in range(i + 1, tree.n_levels):
                row.append(row[-1][tree.up(k)])
            of_class = torch.cat([*row, ending.new_ones(1)])
            rows.append(torch.cat([of_class, of_class[ends]]))
        return torch.stack(rows)

    @cached_property
    def _pixels(self) -> Tensor:
        """(N + 1 + K,) float64: the number of pixels with each code."""
        codes = self.tree.channels + 1 + (0 if self.source is None else len(self.source.stated))
        return torch.bincount(self.code.flatten(), minlength=codes).double()

    @cached_property
    def _ends_of_sets(self) -> Tensor:
        """(K,) int64: the channel of the last class that all leaves of a set lie in; N where there is none."""
        if self.source is None:
            return self.code.new_zeros(0)
        found = self.source.entry.new_full((len(self.source.stated),), self.tree.channels)
        for first, inside in zip(self._first, self.source.sets, strict=False):
            # Of integers: there is no argmax of truth values.
            found = torch.where(inside.sum(1) == 1, inside.int().argmax(1) + first, found)
        return found

    @cached_property
    def counts_of(self) -> Tensor:
        """(L, N + 1 + K) float64: what a pixel with each code counts at each level: the pixels that it stands for,
        times the weight of its class.
        """
        found = self.stands_for if self.stratified else torch.ones_like(self._pixels).expand(self.tree.n_levels, -1)
        if self.class_weights is None:
            return found
        weights = torch.split(self.class_weights.double(), list(self.tree.sizes))
        return found * torch.stack([self._average(of_level, i) for i, of_level in enumerate(weights)])

    def counts(self, level: int, where: Tensor, dtype: torch.dtype) -> Tensor:
        """(B, P) what each pixel counts at a level: `counts_of` its code where `where`; 0 elsewhere."""
        return where * self.counts_of[level].to(dtype)[self.code] if self.weighted else where.to(dtype)

    def total(self, level: int, *, named: bool) -> float:
        """What all pixels together count at a level; with `named`, those whose label names a class of it."""
        n = self.tree.channels
        counts = self._pixels * self.counts_of[level]
        if not named:
            return float(counts.sum() - counts[n])
        of_sets = self._ends_of_sets
        sets_here = (of_sets >= self._first[level]) & (of_sets < n)
        return float(counts[self._first[level] : n].sum() + (counts[n + 1 :] * sets_here).sum())

    def with_sets(self) -> tuple[Target, Tensor, Tensor]:
        """The pixels whose label is a set, as one image; and their image and pixel indices (K,)."""
        assert self.entry is not None
        assert self.source is not None
        image, pixel = (self.entry >= 0).nonzero(as_tuple=True)
        index, entry = self.labels[image, :, pixel].t().unsqueeze(0), self.entry[image, pixel].unsqueeze(0)
        labels = SetLabels(index, entry, self.source.sets, self.source.shares, self.source.stated)
        few = Target(self.tree, labels, self.class_weights, stratified=self.stratified)
        # They count what they count among all.
        few.counts_of = self.counts_of
        return few, image, pixel

    def deepest(self) -> Tensor:
        """(B, P) int64: the number of levels that the label names a class of, counted from the top; 0 for none."""
        below = torch.arange(1, self.labels.shape[1] + 1, device=self.labels.device).view(1, -1, 1)
        return ((self.labels >= 0) * below).amax(1)
