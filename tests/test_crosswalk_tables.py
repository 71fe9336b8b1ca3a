"""The arrays of a crosswalk, against plain loops over its links."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

import hieratk
from hieratk.crosswalk import Crosswalk, Entry, allowed, compile, load, resolve, trees
from hieratk.taxonomy.tables import IGNORE, ROLES
from hieratk.taxonomy.tree import Special, Taxonomy
from tests.crosswalks import World, crosswalks, worlds
from tests.oracle import Truth


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_rows_are_what_the_links_say(data: st.DataObject) -> None:
    world: World = data.draw(worlds(2))
    crosswalk = data.draw(crosswalks(world, 0, 1, total=False))
    source, target = world.trees
    compiled, links, truth = compile(crosswalk, source, target), resolve(crosswalk, source, target), Truth(target)
    assert compiled.ids == ("", *(node.id for node in source.nodes))
    for r, id_ in enumerate(compiled.ids):
        link = links.get(id_)
        assert compiled.mapped[r] == (link is not None)
        found = [] if link is None else list(allowed(link, target))
        assert [leaf for v, leaf in enumerate(target.leaves) if compiled.allowed[r, v]] == found
        assert ROLES[compiled.role[r]] == ("undeclared" if link is None else "class")
        for level in range(truth.depth):
            classes = {truth.class_at(leaf, level) for leaf in found}
            wanted = truth.levels[level].index(classes.pop()) if len(classes) == 1 else IGNORE
            assert compiled.index[r, level] == wanted
        holding = [id_ for id_ in truth.predicted if found and set(found) <= truth.leaves_below(id_)]
        deepest = max(holding, key=lambda id_: len(truth.path(id_)), default=None)
        at = compiled.ancestor[r]
        assert (None if at < 0 else target.predicted[at].id) == deepest


def test_shares_and_specials() -> None:
    farm = Taxonomy.from_outline({"mosaic": 1, "field": 2, "lost": 3}, id="farm",
                                 special=(Special("cloud", "excluded"), Special("hole", "nodata")))  # fmt: skip
    land = Taxonomy.from_outline({"crops": {"rice": 1, "wheat": 2}, "water": 3}, id="land",
                                 special=(Special("void", "nodata"),))  # fmt: skip
    lines = (
        Entry("mosaic", "overlaps", ("crops", "water"), (0.5, 0.5)),
        Entry("field", "within", ("crops",)),
        Entry("cloud", "none", ("excluded",)),
    )
    crosswalk = Crosswalk("c", "1.0.0", "farm", ">=0", "land", ">=0", lines, unmapped="ignore")
    compiled = compile(crosswalk, farm, land)
    assert compiled.ids == ("", "mosaic", "field", "lost", "cloud", "hole")
    assert compiled.mapped.tolist() == [False, True, True, False, True, True]
    assert compiled.shares is not None
    np.testing.assert_array_equal(compiled.shares[1], [0.25, 0.25, 0.5])
    assert np.isnan(compiled.shares[[0, 2, 3, 4, 5]]).all()
    assert [ROLES[role] for role in compiled.role] == [
        "undeclared",
        "class",
        "class",
        "undeclared",
        "excluded",
        "nodata",
    ]
    assert compiled.special.tolist() == [-1, -1, -1, -1, -1, 0]
    assert compiled.index[2].tolist() == [0, IGNORE]
    assert not compiled.allowed.flags.writeable
    without = Crosswalk("c", "1.0.0", "farm", ">=0", "land", ">=0", lines[1:])
    assert compile(without, farm, land).shares is None


def test_one_gather_from_raster_values() -> None:
    """ESA CCI values as labels of lclu."""
    crosswalk = load("esa_cci_lc_to_lclu")
    source, target = trees(crosswalk)
    compiled, tables = compile(crosswalk, source, target), hieratk.compile(target)
    rows = hieratk.compile(source).lookup()(np.array([[0, 11, 61], [190, 210, 77]], np.uint8))
    names = [[tables.channel_ids(0)[i] if i >= 0 else "" for i in row] for row in compiled.index[rows][..., 0]]
    assert names == [["", "agriculture", "natural"], ["built", "water", ""]]
    assert compiled.role[rows].tolist() == [[2, 1, 1], [1, 1, 0]]
    classes = [[tables.channel_ids(2)[i] if i >= 0 else "" for i in row] for row in compiled.index[rows][..., 2]]
    assert classes == [["", "", "broadleaved"], ["", "", ""]]
    assert tables.ids[compiled.ancestor[rows[0, 1]]] == "agriculture"
