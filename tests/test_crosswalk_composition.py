"""Two crosswalks one after the other: what comes out is true wherever both are."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hieratk.crosswalk import Crosswalk, Entry, allowed, compose, dump, load, read, resolve, trees
from hieratk.diagnostics import Source, render
from hieratk.errors import CrosswalkError
from hieratk.taxonomy.tree import Special, Taxonomy
from tests.crosswalks import World, crosswalks, worlds


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_the_truth_is_never_lost(data: st.DataObject) -> None:
    """Every place of a class has a leaf that the composed relation allows, each relation said is true, and the document
    has no fault."""
    world: World = data.draw(worlds(3))
    a, b, c = world.trees
    ab, bc = data.draw(crosswalks(world, 0, 1)), data.draw(crosswalks(world, 1, 2, total=data.draw(st.booleans())))
    try:
        ac = compose(ab, bc, a, b, c)
    except CrosswalkError:
        return
    for entry in ac.entries:
        if entry.verb != "none":
            assert world.holds(0, 2, entry.source, entry.verb, entry.targets), entry
    for id_, link in resolve(ac, a, c).items():
        there = {world.atoms[i][2] for i in world.atoms_of(0, id_)}
        assert there <= set(allowed(link, c)), (id_, link)
    again, problems = read(Source("composed.yaml", dump(ac)), between=(a, c))
    assert again == ac, render([problem for problem in problems if problem.severity == "error"])


A = Taxonomy.from_outline({"x": {"x1": 1, "x2": 2}, "y": 3, "z": 4}, id="a", special=(Special("hole", "nodata"),))
B = Taxonomy.from_outline({"p": {"p1": 1, "p2": 2}, "q": 3, "r": 4}, id="b", special=(Special("gap", "nodata"),))
C = Taxonomy.from_outline({"u": {"u1": 1, "u2": 2}, "v": 3, "w": {"w1": 4, "w2": 5}}, id="c")
SECOND = {
    "is": Entry("p", "is", ("u",)),
    "within": Entry("p", "within", ("u",)),
    "covers": Entry("p", "covers", ("u1", "v")),
    "overlaps": Entry("p", "overlaps", ("u1", "v")),
    "outside": Entry("p", "outside", ("u",)),
}


def between(a: Taxonomy, b: Taxonomy, *entries: Entry) -> Crosswalk:
    return Crosswalk(f"{a.id}_to_{b.id}", "1.0.0", a.id, ">=0", b.id, ">=0", entries)


def composed(first: Entry, second: str) -> Entry | None:
    """The entry of x, where q and r are v and w."""
    rest = Entry("q", "within", ("v",)), Entry("r", "is", ("w",))
    ac = compose(between(A, B, first, Entry("y", "is", ("r",))), between(B, C, SECOND[second], *rest), A, B, C)
    return next((entry for entry in ac.entries if entry.source == "x"), None)


@pytest.mark.parametrize(
    ("first", "row"),
    [
        (Entry("x", "is", ("p",)), "is u; within u; covers u1 v; overlaps u1 v; outside u"),
        (Entry("x", "within", ("p",)), "within u; within u; overlaps? u1 v; overlaps? u1 v; outside u"),
        (
            Entry("x", "covers", ("p", "q")),
            "overlaps? u v; overlaps? u v; overlaps? u1 v; overlaps? u1 v; overlaps? v w",
        ),
        (
            Entry("x", "overlaps", ("p", "r")),
            "overlaps u w; overlaps? u w; overlaps? u1 v w; overlaps? u1 v w; overlaps? v w",
        ),
        # p, q and r hold everything, so what is outside of p is q or r, which lie in v and w.
        (Entry("x", "outside", ("p",)), "outside u; outside u; outside u v; outside u; outside u"),
    ],
)
def test_table_of_relations(first: Entry, row: str) -> None:
    """The rows of the table, with what is allowed; a question mark where the relation is not known."""
    said = []
    for second in SECOND:
        entry = composed(first, second)
        unsure = "?" if entry is not None and entry.note else ""
        said.append("-" if entry is None else f"{entry.verb}{unsure} {' '.join(entry.targets)}")
    assert "; ".join(said) == row


def test_special_values_and_confidence() -> None:
    ab = between(A, B, Entry("x", "is", ("p",), confidence=0.5), Entry("hole", "none", ("gap",)))
    ac = compose(ab, between(B, C, Entry("p", "within", ("u",), confidence=0.5)), A, B, C)
    assert ac.entries == (
        Entry("x", "within", ("u",), confidence=0.25),
        Entry("hole", "none", ("nodata",)),
    )
    assert ac.unmapped == "ignore"


def test_shares_go_along() -> None:
    ab = between(A, B, Entry("x", "overlaps", ("p", "r"), (0.25, 0.75)))
    ac = compose(ab, between(B, C, Entry("p", "is", ("u",)), Entry("r", "is", ("v",))), A, B, C)
    assert ac.entries[0] == Entry("x", "overlaps", ("u", "v"), (0.25, 0.75))


def test_what_a_class_and_its_leaves_say_holds_together() -> None:
    """p lies in u, its leaves in u1 and in u: so does x, and its leaf in u1."""
    second = between(B, C, Entry("p", "within", ("u",)), Entry("p1", "within", ("u1",)), Entry("p2", "within", ("u1",)))
    ac = compose(between(A, B, Entry("x", "within", ("p",))), second, A, B, C)
    assert ac.entries == (Entry("x", "within", ("u1",)),)


def test_a_class_that_leads_nowhere_is_left_out() -> None:
    ab = between(A, B, Entry("x", "overlaps", ("p", "q")), Entry("y", "is", ("r",)))
    ac = compose(ab, between(B, C, Entry("p", "is", ("u",)), Entry("r", "is", ("w",))), A, B, C)
    assert [entry.source for entry in ac.entries] == ["y"]


def test_nothing_in_common() -> None:
    with pytest.raises(CrosswalkError, match="`a_to_b` and `b_to_c` do not meet"):
        compose(between(A, B, Entry("x", "is", ("p",))), between(B, C, Entry("q", "is", ("v",))), A, B, C)


def test_fbp_through_mm5b_to_crops10m() -> None:
    """A chain of shipped ones, every line looked at."""
    ab, bc = load("fbp_to_mm5b"), load("mm5b_to_crops10m")
    (a, b), (_, c) = trees(ab), trees(bc)
    found = {entry.source: entry for entry in compose(ab, bc, a, b, c).entries}
    assert found["paddy_field"].targets == ("other", "rice")
    assert found["paddy_field"].verb == "overlaps"
    assert found["dry_cropland"].targets == found["irrigated_field"].targets == ("other", "corn", "soybean")
    assert {found[id_].targets for id_ in found if id_.endswith(("forest", "meadow", "pond", "road"))} == {("other",)}
    assert found["snow"].verb == "none"
