"""Random crosswalks that are true, and what they are true of.

A world is a list of atoms: places on the ground, each with its leaf in every tree. A line is true of a world when the
sets of atoms of its classes stand in the relation it says. Nothing here uses hieratk.crosswalk but its values.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from hypothesis import strategies as st

from hieratk.crosswalk.values import Crosswalk, Entry, Verb
from hieratk.taxonomy.tree import Taxonomy
from tests.oracle import Truth
from tests.strategies import taxonomies


def leaves_of(tree: Taxonomy, id_: str) -> frozenset[str]:
    """The leaves that a label of a class allows, by loops."""
    return frozenset(Truth(tree).allowed(id_))


class World:
    """Atoms and the trees that see them."""

    def __init__(self, trees: Sequence[Taxonomy], atoms: Sequence[tuple[str, ...]]) -> None:
        self.trees = trees
        self.atoms = atoms
        self.truths = [Truth(tree) for tree in trees]
        self._found: dict[tuple[int, str], frozenset[int]] = {}

    def atoms_of(self, side: int, id_: str) -> frozenset[int]:
        """The atoms that a label of a class of a tree may stand on."""
        if (side, id_) not in self._found:
            allowed = self.truths[side].allowed(id_)
            self._found[side, id_] = frozenset(i for i, atom in enumerate(self.atoms) if atom[side] in allowed)
        return self._found[side, id_]

    def holds(self, first: int, last: int, source: str, verb: Verb, targets: Sequence[str]) -> bool:
        """Whether a relation is true (of `overlaps` only that the class lies in the union of its targets)."""
        mine = self.atoms_of(first, source)
        union = frozenset().union(*(self.atoms_of(last, target) for target in targets))
        tests: dict[Verb, Callable[[], bool]] = {
            "is": lambda: mine == union,
            "covers": lambda: mine == union,
            "within": lambda: mine <= union,
            "overlaps": lambda: mine <= union,
            "outside": lambda: not mine & union,
        }
        return tests[verb]()


@st.composite
def worlds(draw: st.DrawFn, count: int, *, kinds: bool = True) -> World:
    """Some trees and up to 25 atoms; every leaf of the first tree has one at least."""
    trees = [
        replace(draw(taxonomies(max_levels=3, kinds=kinds)), id=f"tree{i}", special=(), encodings={})
        for i in range(count)
    ]
    firsts = [*trees[0].leaves, *draw(st.lists(st.sampled_from(trees[0].leaves), max_size=12))]
    atoms = [(first, *(draw(st.sampled_from(tree.leaves)) for tree in trees[1:])) for first in firsts]
    return World(trees, atoms)


@st.composite
def crosswalks(draw: st.DrawFn, world: World, first: int, last: int, *, total: bool = True) -> Crosswalk:
    """A crosswalk between two of the trees that is true of the world. With `total` every leaf has a line."""
    source, target = world.trees[first], world.trees[last]
    ids = [node.id for node in target.predicted if node.kind in ("class", "residual") and node.deprecated is None]
    entries = []
    for node in source.nodes:
        wanted = total and node.id in source.leaves
        if not wanted and draw(st.booleans()):
            continue
        entry = _true_entry(draw, world, first, last, node.id, ids)
        if entry is not None:
            entries.append(entry)
    return Crosswalk(f"{source.id}_to_{target.id}", "1.0.0", source.id, ">=0", target.id, ">=0", tuple(entries),
                     unmapped="ignore")  # fmt: skip


def _true_entry(draw: st.DrawFn, world: World, first: int, last: int, id_: str, ids: list[str]) -> Entry | None:
    target = world.trees[last]
    leaves = [leaf for leaf in target.leaves if leaf in ids]
    image = sorted({world.atoms[i][last] for i in world.atoms_of(first, id_)})
    options: list[tuple[Verb, tuple[str, ...]]] = []
    for verb in ("is", "within"):
        options += [(verb, (one,)) for one in ids if world.holds(first, last, id_, verb, (one,)) and image]
    if set(image) <= set(leaves) and len(image) > 1:
        more = draw(st.lists(st.sampled_from(leaves), max_size=2))
        union = tuple(dict.fromkeys([*image, *more]))
        options.append(("overlaps", union))
        if world.holds(first, last, id_, "covers", image):
            options.append(("covers", tuple(image)))
    apart = [one for one in leaves if one not in image]
    if apart and image:
        options.append(("outside", tuple(draw(st.lists(st.sampled_from(apart), min_size=1, max_size=3, unique=True)))))
    if not options:
        return None
    verb, targets = draw(st.sampled_from(options))
    return Entry(id_, verb, targets)
