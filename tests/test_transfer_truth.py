"""Relations between the classes of two trees against sets that are known: random trees over the same ground."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st

from hieratk.crosswalk import Crosswalk, Entry
from hieratk.errors import TransferError
from hieratk.taxonomy.tree import Taxonomy
from hieratk.transfer import Alignments, align
from tests.strategies import taxonomies

Ground = frozenset[tuple[str | None, str | None]]


@dataclass(frozen=True)
class World:
    """Two trees over patches of ground; each patch has a leaf in the source, in the target, or in both."""

    source: Taxonomy
    target: Taxonomy
    patches: Ground

    def of_source(self, ids: Iterable[str]) -> Ground:
        leaves = {leaf for id_ in ids for leaf in self.source.allowed(id_)}
        return frozenset(patch for patch in self.patches if patch[0] in leaves)

    def of_target(self, ids: Iterable[str]) -> Ground:
        leaves = {leaf for id_ in ids for leaf in self.target.allowed(id_)}
        return frozenset(patch for patch in self.patches if patch[1] in leaves)


def related(first: Ground, second: Ground) -> str:
    if not first & second:
        return "none"
    if first == second:
        return "equal"
    return "subset" if first < second else "superset" if first > second else "overlap"


def renamed(tree: Taxonomy, id_: str) -> Taxonomy:
    """The same tree with ids of its own, so that no class is told by its id."""
    nodes = tuple(
        replace(
            node,
            id=f"{id_}_{node.id}",
            parent=node.parent and f"{id_}_{node.parent}",
            children=tuple(f"{id_}_{child}" for child in node.children),
        )
        for node in tree.nodes
    )
    return Taxonomy(id_, nodes, tree.level_names)


@st.composite
def worlds(draw: st.DrawFn, *, whole: bool) -> World:
    """With `whole`, both trees cover the same ground; else some leaves have no ground in the other tree at all."""
    source = renamed(draw(taxonomies(max_levels=4, kinds=False)), "ours")
    target = renamed(draw(taxonomies(max_levels=4, kinds=False)), "theirs")
    patches: set[tuple[str | None, str | None]] = set()
    for leaf in target.leaves:
        low = 1 if whole else 0
        met = draw(st.lists(st.sampled_from(source.leaves), min_size=low, max_size=3, unique=True))
        patches.update((one, leaf) for one in met)
        if not met:
            patches.add((None, leaf))
    used = {patch[0] for patch in patches}
    for leaf in source.leaves:
        if leaf not in used:
            patches.add((leaf, draw(st.sampled_from(target.leaves)) if whole else None))
    return World(source, target, frozenset(patches))


def cover(taxonomy: Taxonomy, leaves: set[str]) -> list[str]:
    """The highest classes that hold only these leaves."""
    full = [node.id for node in taxonomy.predicted if set(taxonomy.allowed(node.id)) <= leaves]
    return [id_ for id_ in full if not set(taxonomy.ancestors(id_)) & set(full)]


def line(world: World, id_: str, *, forward: bool) -> Entry | None:
    """The truth about one class of the tree that a crosswalk starts from."""
    ours, theirs = (world.of_source, world.of_target) if forward else (world.of_target, world.of_source)
    other, side = (world.target, 1) if forward else (world.source, 0)
    here = ours([id_])
    targets = cover(other, {leaf for patch in here if (leaf := patch[side]) is not None})
    if any(patch[side] is None for patch in here) or not targets:
        return None
    there = theirs(targets)
    if there == here:
        return Entry(id_, "is" if len(targets) == 1 else "covers", tuple(targets))
    return Entry(id_, "within" if len(targets) == 1 else "overlaps", tuple(targets))


def crosswalk_of(world: World, ids: Iterable[str], *, forward: bool) -> Crosswalk:
    first, second = (world.source, world.target) if forward else (world.target, world.source)
    entries = [line(world, id_, forward=forward) for id_ in ids]
    known = tuple(entry for entry in entries if entry is not None)
    return Crosswalk("truth", "1.0.0", first.id, "", second.id, "", known, unmapped="ignore")


def aligned(world: World, crosswalk: Crosswalk | None) -> Alignments | None:
    try:
        return align(world.source, world.target, crosswalk=crosswalk)
    except TransferError as error:
        assert "nothing" in str(error)  # noqa: PT017 - nothing of the two trees meets, or meets everything
        return None


@settings(max_examples=60, deadline=None)
@given(worlds(whole=False), st.booleans())
def test_a_crosswalk_that_says_everything_gives_the_true_relations(world: World, forward: bool) -> None:
    first = world.source if forward else world.target
    # Where the target has ground of its own, a line about it would say `none`; it has none then.
    found = aligned(world, crosswalk_of(world, first.leaves, forward=forward))
    if found is None:
        return
    for entry in found.entries:
        here = world.of_target([entry.node])
        if entry.relation == "none":
            # Nothing meets it, or it meets classes all over the other tree, which says as little.
            met = {patch[0] for patch in here if patch[0] is not None}
            assert not met or met == set(world.source.leaves), entry
            continue
        there = world.of_source(entry.aligned)
        assert entry.relation == related(here, there), entry
        assert all(world.of_source([id_]) & here for id_ in entry.aligned), entry
        assert abs(sum(weight for _, weight in entry.weights) - 1) < 1e-9
        for id_, weight in entry.weights:
            assert weight > 0
            assert world.of_source([id_]) <= there, entry
            assert world.of_source([id_]) & here, entry


@settings(max_examples=60, deadline=None)
@given(worlds(whole=True), st.booleans(), st.data())
def test_a_crosswalk_that_says_less_never_gives_a_wrong_relation(
    world: World, forward: bool, data: st.DataObject
) -> None:
    first = world.source if forward else world.target
    # Lines on any level, such that every leaf has one on its path; what an upper line says is true of all below it.
    chosen = {leaf: data.draw(st.sampled_from(first.path(leaf))) for leaf in first.leaves}
    ids = [node.id for node in first.predicted if node.id in chosen.values()]
    found = aligned(world, crosswalk_of(world, ids, forward=forward))
    if found is None:
        return
    for entry in found.entries:
        here, there = world.of_target([entry.node]), world.of_source(entry.aligned)
        if entry.relation == "equal":
            assert here == there, entry
        elif entry.relation == "subset":
            assert here <= there, entry
        elif entry.relation == "superset":
            assert here >= there, entry


@st.composite
def named_trees(draw: st.DrawFn) -> tuple[Taxonomy, Taxonomy]:
    """Leaves of one name are one thing; classes with several leaves have names that may lie."""
    concepts = [f"thing {chr(97 + i)}" for i in range(26)] + [f"matter {chr(97 + i)}" for i in range(26)]
    trees = []
    for name in ("one", "two"):
        tree = renamed(draw(taxonomies(max_levels=4, kinds=False)), name)
        words = iter(draw(st.permutations(concepts[: len(tree.leaves) + draw(st.integers(0, 3))])))
        nodes = []
        for node in tree.nodes:
            if node.id in tree.leaves:
                label = next(words)
            elif len(tree.allowed(node.id)) > 1:
                label = draw(st.sampled_from(["Vegetation", "Built", "Water", f"only {name} {node.id}"]))
            else:
                label = f"only {name} {node.id}"
            nodes.append(replace(node, name=label))
        trees.append(replace(tree, nodes=tuple(nodes)))
    return trees[0], trees[1]


def things(taxonomy: Taxonomy, ids: Iterable[str]) -> set[str]:
    return {taxonomy[leaf].name for id_ in ids for leaf in taxonomy.allowed(id_)}


@settings(max_examples=80, deadline=None)
@given(named_trees())
def test_names_of_inner_classes_do_not_make_them_equal(pair: tuple[Taxonomy, Taxonomy]) -> None:
    source, target = pair
    try:
        found = align(source, target)
    except TransferError:
        assert not things(source, source.leaves) & things(target, target.leaves)
        return
    shared = things(source, source.leaves) & things(target, target.leaves)
    for entry in found.entries:
        here, there = things(target, [entry.node]), things(source, entry.aligned)
        assert entry.guessed == (entry.relation != "none" or bool(entry.weights)), entry
        if entry.relation == "equal":
            assert here == there, entry
        elif entry.relation == "superset":
            assert here >= there, entry
        elif entry.relation == "subset" and here <= shared:
            assert here <= there, entry
        if here <= shared:
            # Every leaf is known by name, so the class that is the same, if there is one, must be found.
            same = [node.id for node in source.predicted if things(source, [node.id]) == here]
            assert not same or entry.relation == "equal", (entry, same)


@settings(max_examples=30, deadline=None)
@given(taxonomies(max_levels=4))
def test_a_tree_is_itself(tree: Taxonomy) -> None:
    again = replace(tree, version="1.2.3", title="the same classes")
    found = align(tree, again)
    assert [(entry.node, entry.relation, entry.aligned) for entry in found.entries] == [
        (node.id, "equal", (node.id,)) for node in tree.predicted
    ]
    assert not found.lost
    assert not any(entry.guessed for entry in found.entries)
