"""What follows from the lines of a crosswalk, against worlds in which the lines are true."""

from __future__ import annotations

from itertools import chain, combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from hieratk.crosswalk import Crosswalk, Entry, Link, allowed, resolve, reverse
from hieratk.crosswalk.links import contradicts, cover, holders, leaf_sets
from hieratk.taxonomy.tree import Deprecated, Special, Taxonomy
from tests.crosswalks import World, crosswalks, leaves_of, worlds
from tests.oracle import Truth
from tests.strategies import taxonomies

FARM = Taxonomy.from_outline(
    {"crops": {"wheat": 1, "maize": 2, "double": 7}, "trees": {"oak": 3, "pine": 4}, "grove": 5, "old": 6},
    id="farm",
    classes={
        "double": {"kind": "mixed", "parts": {"wheat": 0.75, "maize": 0.25}},
        "grove": {"kind": "mixed", "parts": {"oak": None, "pine": None}},
        "old": {"deprecated": Deprecated("1.0.0", ("wheat",))},
    },
    special=(Special("cloud", "excluded"),),
)
LAND = Taxonomy.from_outline(
    {"cropland": {"cereals": 1, "vegetables": 2}, "forest": {"broadleaved": 3, "needleleaved": 4}, "water": 5},
    id="land",
    special=(Special("void", "nodata"), Special("veil", "excluded")),
)


def farm(*entries: Entry) -> Crosswalk:
    return Crosswalk("farm_to_land", "1.0.0", "farm", ">=0", "land", ">=0", entries)


def test_what_is_handed_down() -> None:
    links = resolve(
        farm(
            Entry("crops", "is", ("cropland",), confidence=0.9),
            Entry("trees", "overlaps", ("forest", "water")),
            Entry("oak", "outside", ("cropland",)),
            Entry("cloud", "none", ("veil",)),
        ),
        FARM,
        LAND,
    )
    assert links["crops"] == Link("is", ("cropland",), confidence=0.9)
    assert links["wheat"] == Link("within", ("cropland",), via="crops", confidence=0.9, origin="ancestor")
    assert "pine" not in links, "a part of a mosaic may be pure"
    assert links["oak"].verb == "outside"
    assert links["cloud"] == Link("none", ("veil",))
    assert links["old"] == Link("within", ("cropland",), confidence=0.9, origin="parts")
    assert "grove" not in links


def test_parts_and_children() -> None:
    links = resolve(
        farm(
            Entry("wheat", "within", ("cereals",)),
            Entry("maize", "within", ("vegetables",)),
            Entry("oak", "is", ("broadleaved",)),
            Entry("pine", "is", ("needleleaved",)),
        ),
        FARM,
        LAND,
    )
    assert links["double"] == Link("overlaps", ("cereals", "vegetables"), (0.75, 0.25), origin="parts")
    assert links["crops"] == Link("overlaps", ("cereals", "vegetables"), origin="children")
    assert links["trees"] == Link("covers", ("broadleaved", "needleleaved"), origin="children")
    assert links["grove"].origin == "parts"
    assert allowed(links["double"], LAND) == {"cereals": 0.75, "vegetables": 0.25}


def test_a_class_above_what_has_no_counterpart_is_not_guessed() -> None:
    links = resolve(farm(Entry("oak", "none", ("veil",)), Entry("pine", "is", ("needleleaved",))), FARM, LAND)
    assert "trees" not in links
    both = resolve(farm(Entry("oak", "none", ("veil",)), Entry("pine", "none", ("veil",))), FARM, LAND)
    assert both["trees"] == Link("none", ("veil",), origin="children")


def test_what_stands_for_something_elsewhere_inherits_nothing() -> None:
    """A mixed class below crops whose parts are trees is no crop; a class replaced by one of another branch neither."""
    tree = Taxonomy.from_outline(
        {"crops": {"wheat": 1, "grove": 2, "old": 3}, "trees": {"oak": 4, "pine": 5}},
        id="farm",
        classes={
            "grove": {"kind": "mixed", "parts": {"oak": None, "wheat": None}},
            "old": {"deprecated": Deprecated("1.0.0", ("pine",))},
        },
    )
    links = resolve(farm(Entry("crops", "is", ("cropland",))), tree, LAND)
    assert set(links) == {"crops", "wheat"}
    assert holders("wheat", tree) == ("crops",)
    assert holders("grove", tree) == holders("old", tree) == ()


def test_a_class_above_is_no_more_than_its_children_say() -> None:
    """A replaced child stands for something else: what is left below it is said by nobody."""
    tree = Taxonomy.from_outline(
        {"top": {"one": 1, "old": {"inner": 2}}, "two": 3},
        id="farm",
        classes={"old": {"deprecated": Deprecated("1.0.0", ("two",))}},
    )
    lines = Entry("one", "is", ("cereals",)), Entry("old", "is", ("water",)), Entry("two", "is", ("water",))
    assert "top" not in resolve(farm(*lines), tree, LAND)


def test_shares_are_spread_over_the_leaves_of_an_inner_target() -> None:
    link = Link("overlaps", ("cropland", "water"), (0.5, 0.5))
    assert allowed(link, LAND) == {"cereals": 0.25, "vegetables": 0.25, "water": 0.5}
    assert allowed(Link("outside", ("forest",)), LAND) == {"cereals": None, "vegetables": None, "water": None}
    assert allowed(Link("none", ("void",)), LAND) == {}


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_links_hold_wherever_the_lines_do(data: st.DataObject) -> None:
    """Whatever follows from true lines allows the leaf that every place of the class has."""
    world: World = data.draw(worlds(2))
    crosswalk = data.draw(crosswalks(world, 0, 1, total=data.draw(st.booleans())))
    source, target = world.trees
    links = resolve(crosswalk, source, target)
    for id_, link in links.items():
        there = {world.atoms[i][1] for i in world.atoms_of(0, id_)}
        assert there <= set(allowed(link, target)), (id_, link)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_way_back_holds_and_leads_forth_again(data: st.DataObject) -> None:
    world: World = data.draw(worlds(2))
    crosswalk = data.draw(crosswalks(world, 0, 1))
    source, target = world.trees
    links = resolve(crosswalk, source, target)
    if not set(source.leaves) <= set(links):
        return  # a class that nothing is said about may be anywhere
    back = reverse(links, source, target)
    for first, last in world.atoms:
        for id_ in Truth(target).path(last):
            assert first in allowed(back[id_], source), (id_, back[id_])
    forth = reverse(back, target, source)
    for leaf in source.leaves:
        assert set(allowed(links[leaf], target)) <= set(allowed(forth[leaf], target))


def test_way_back_of_each_relation() -> None:
    def back(*entries: Entry) -> dict[str, Link]:
        return reverse(resolve(farm(*entries), FARM, LAND), FARM, LAND)

    is_ = back(Entry("crops", "is", ("cropland",)))
    assert is_["cropland"] == Link("is", ("crops",))
    assert is_["cereals"] == Link("within", ("crops",))
    assert "water" not in is_
    assert is_["veil"] == Link("none", ("cloud",))
    within = back(Entry("oak", "within", ("forest",)), Entry("pine", "within", ("forest",)))
    assert within["forest"] == Link("covers", ("trees",))
    covers = back(Entry("trees", "covers", ("broadleaved", "water")), Entry("oak", "within", ("broadleaved",)),
                  Entry("pine", "within", ("water",)))  # fmt: skip
    assert covers["broadleaved"] == Link("within", ("trees",))
    overlaps = back(
        Entry("oak", "overlaps", ("broadleaved", "water")), Entry("wheat", "overlaps", ("water", "cereals"))
    )
    assert overlaps["water"] == Link("overlaps", ("wheat", "oak"))
    outside = back(Entry("oak", "outside", ("water",)), Entry("pine", "none", ("void",)))
    assert outside["water"] == Link("outside", ("oak",))


@settings(max_examples=40, deadline=None)
@given(taxonomies(max_levels=4), st.data())
def test_cover_is_the_smallest_set_of_classes(tree: Taxonomy, data: st.DataObject) -> None:
    wanted = frozenset(data.draw(st.lists(st.sampled_from(tree.leaves), unique=True)))
    sets = {node.id: frozenset(Truth(tree).leaves_below(node.id)) for node in tree.nodes}
    assert leaf_sets(tree) == sets
    found = cover(wanted, tree)
    assert frozenset().union(*(sets[id_] for id_ in found)) == wanted
    fitting = [id_ for id_, leaves in sets.items() if leaves and leaves <= wanted and tree[id_].deprecated is None]
    for size in range(min(len(found), 3)):
        for some in combinations(fitting, size):
            assert frozenset().union(*(sets[id_] for id_ in some)) != wanted


VERBS = st.sampled_from(("is", "within", "covers", "outside"))


SMALL = (
    Taxonomy.from_outline({"a": {"b": 1, "c": {"d": 2, "e": 3}}, "f": 4}),
    Taxonomy.from_outline({"a": {"b": {"c": 1}}, "d": {"e": 2, "f": 3}}),
    Taxonomy.from_outline({"a": {"b": 1, "c": 2}, "d": {"e": 3, "f": 4}}),
)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(SMALL), st.data())
def test_contradiction_is_what_no_sets_can_satisfy(tree: Taxonomy, data: st.DataObject) -> None:
    """A class and one below it, with a line each: reported exactly where no two sets, one inside the other, fit."""
    ids = [node.id for node in tree.nodes]
    above, below = data.draw(VERBS), data.draw(VERBS)

    def link(verb: str) -> Link:
        most = 1 if verb in ("is", "within") else 3
        targets = data.draw(st.lists(st.sampled_from(ids), min_size=1, max_size=most, unique=True))
        return Link(verb, tuple(targets))  # type: ignore[arg-type]

    parent, child = link(above), link(below)
    if child.verb == "outside" or not allowed(parent, tree):
        return
    subsets = [frozenset(some) for some in chain.from_iterable(combinations(tree.leaves, n) for n in range(1, 5))]
    fits = any(
        _fits(outer, parent, tree) and _fits(inner, child, tree) and inner <= outer
        for outer in subsets
        for inner in subsets
    )
    assert (contradicts(child, parent, tree) is None) == fits


def _fits(leaves: frozenset[str], link: Link, tree: Taxonomy) -> bool:
    union = frozenset().union(*(leaves_of(tree, id_) for id_ in link.targets))
    if link.verb == "outside":
        return not leaves & union
    return leaves <= union if link.verb == "within" else leaves == union
