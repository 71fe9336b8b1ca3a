"""Sets of leaves as whole numbers, one bit a leaf: unions and comparisons of any size in one step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from hieratk.taxonomy.tree import Taxonomy


class LeafSets:
    """The leaves of a tree as bits, in the order of `Taxonomy.leaves`, and the set below every predicted class."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.taxonomy = taxonomy
        self.bit = {leaf: 1 << position for position, leaf in enumerate(taxonomy.leaves)}
        self.all = (1 << len(taxonomy.leaves)) - 1
        self.below: dict[str, int] = {}
        self.children: dict[str | None, list[str]] = {}
        for node in reversed(taxonomy.predicted):
            inner = self.children.get(node.id, [])
            self.below[node.id] = self.union(inner) if inner else self.bit[node.id]
            self.children.setdefault(node.parent, []).insert(0, node.id)

    def union(self, ids: Iterable[str]) -> int:
        """The leaves below any of these predicted classes."""
        found = 0
        for id_ in ids:
            found |= self.below[id_]
        return found

    def allowed(self, leaves: Iterable[str]) -> int:
        """A set of leaves given by their ids."""
        found = 0
        for leaf in leaves:
            found |= self.bit[leaf]
        return found

    def positions(self, bits: int) -> Iterator[int]:
        """Positions of the leaves of a set, ascending."""
        while bits:
            lowest = bits & -bits
            yield lowest.bit_length() - 1
            bits ^= lowest

    def cover(self, bits: int, *, level: int) -> tuple[str, ...]:
        """The fewest classes that together hold these leaves and no others, depth first.

        Of several classes with the same leaves, the one whose level is nearest to `level`.
        """
        found: list[str] = []
        stack = list(reversed(self.children.get(None, [])))
        while stack:
            id_ = stack.pop()
            below = self.below[id_]
            if not below & bits:
                continue
            if below & ~bits:
                stack.extend(reversed(self.children[id_]))
            else:
                found.append(self.nearest(id_, level))
        return tuple(found)

    def nearest(self, id_: str, level: int) -> str:
        """Among a class and those below it that hold the same leaves, the one whose level is nearest to `level`."""
        best = id_
        while len(inner := self.children.get(id_, [])) == 1:
            id_ = inner[0]
            if abs(self.taxonomy[id_].level - level) < abs(self.taxonomy[best].level - level):
                best = id_
        return best
