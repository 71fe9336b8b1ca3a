"""Plans between trees that people know: looked at class by class."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

import hieratk as hk
from hieratk.crosswalk import Crosswalk, Entry, load
from hieratk.errors import TransferError
from hieratk.taxonomy.tree import Deprecated, Extends, Taxonomy
from hieratk.transfer import TransferPlan, align, pixels_by_node
from hieratk.transfer.guesses import normal, same_scheme
from hieratk.transfer.plan import NOISE

BELOW_CROPLAND = (
    *("cereals", "winter_wheat", "spring_wheat", "winter_barley", "spring_barley", "maize", "rice", "other_cereals"),
    *("oilseeds", "winter_rapeseed", "sunflower", "other_oilseeds"),
    *("soybean", "potato", "sugar_beet", "fallow", "other_crops"),
)
DROPPED_BY_CROP10M = {
    *("forest", "forest_l3", "meadow", "natural_meadow", "artificial_meadow", "water", "water_l2", "river", "lake"),
    *("pond", "artificial", "industry", "industry_l3", "residential", "urban_residential", "rural_residential"),
    *("public", "stadium", "park_square", "transport", "road", "overpass", "railway_station", "airport"),
    *("bare_land", "bare_land_l2", "bare_land_l3"),
}


def crosswalk(first: Taxonomy, second: Taxonomy, **lines: tuple[str, str]) -> Crosswalk:
    """`winter="is cold"` style lines: verb and targets."""
    entries = tuple(Entry(id_, verb, tuple(targets.split())) for id_, (verb, targets) in lines.items())  # type: ignore[arg-type]
    return Crosswalk("made", "1.0.0", first.id, ">=0", second.id, ">=0", entries, unmapped="ignore")


def table(plan: TransferPlan) -> dict[str, tuple[str, str, str]]:
    return {row.node: (row.action, row.relation, " ".join(row.aligned)) for row in plan.rows}


def test_every_row_from_land_cover_to_crops() -> None:
    source, target = hk.load("lclu"), hk.load("crops")
    plan = hk.plan(source, target, strict=True)
    assert [row.node for row in plan.rows] == [node.id for node in target.predicted]
    assert len(plan) == 45
    for row in plan.rows:
        assert row.under == target[row.node].parent
        assert (row.reason, row.guessed, row.flags) == ("extension", False, ())
        if row.node in BELOW_CROPLAND:
            assert (row.action, row.relation, row.aligned) == ("split", "subset", ("cropland",)), row
            assert (row.start, row.noise) == ((("cropland", 1.0),), NOISE)
        else:
            assert (row.action, row.relation, row.aligned) == ("keep", "equal", (row.node,)), row
            assert (row.start, row.noise) == (((row.node, 1.0),), 0.0)
    assert len(plan.of("split")) == len(BELOW_CROPLAND) == 17
    assert set(plan.needs) == set(BELOW_CROPLAND)
    assert not plan.dropped
    assert plan.sharing("soybean") == (
        *("cereals", "oilseeds", "soybean", "potato", "sugar_beet"),
        *("fallow", "other_crops"),
    )
    assert len(plan.sharing("maize")) == 15  # with soybean, potato, ... which stand on the level of crops as well


def test_back_from_crops_to_land_cover() -> None:
    plan = hk.plan(hk.load("crops"), hk.load("lclu"), strict=True)
    assert {row.action for row in plan.rows} == {"keep"}
    assert plan["cropland"].start == (("cropland", 1.0),)
    assert not plan.dropped


def test_every_row_from_mm5b_to_crop10m() -> None:
    """The table of the method notes: subsets all the way down, and `other` nothing at any level."""
    plan = hk.plan(hk.load("mm5b"), hk.load("crops10m"), crosswalk=load("mm5b_to_crops10m"), strict=True)
    assert table(plan) == {
        "other": ("new", "none", ""),
        "vegetation": ("split", "subset", "vegetation"),
        "cropland": ("split", "subset", "cropland"),
        "rice": ("split", "subset", "paddy_field"),
        "corn": ("split", "subset", "dry_cropland"),
        "soybean": ("split", "subset", "dry_cropland"),
    }
    starts = {row.node: (row.start, row.noise) for row in plan.rows}
    assert starts["other"] == ((), 0.0)
    assert starts["rice"] == ((("paddy_field", 1.0),), 0.0)
    assert starts["corn"] == starts["soybean"] == ((("dry_cropland", 1.0),), NOISE)
    assert starts["vegetation"] == ((("vegetation", 1.0),), 0.0)
    assert set(plan.dropped) == DROPPED_BY_CROP10M


def test_from_mm5b_to_crop10m_by_names_alone() -> None:
    plan = hk.plan(hk.load("mm5b"), hk.load("crops10m"))
    assert table(plan) == {
        "other": ("new", "none", ""),
        "vegetation": ("split", "subset", "vegetation"),
        "cropland": ("split", "subset", "cropland"),
        "rice": ("split", "subset", "cropland"),
        "corn": ("split", "subset", "cropland"),
        "soybean": ("split", "subset", "cropland"),
    }
    assert all(row.guessed for row in plan.rows if row.node != "other")
    assert plan["rice"].start == (("paddy_field", 0.5), ("dry_cropland", 0.5))
    assert "other-content" in plan["vegetation"].flags


def test_strict_lists_the_guesses() -> None:
    with pytest.raises(
        TransferError, match=r"(?s)5 of 6 classes of crops10m are aligned by a guess.*rice: subset cropland"
    ):
        hk.plan(hk.load("mm5b"), hk.load("crops10m"), strict=True)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        ("mixed_forest", ("keep", "equal", "mixed_forest")),
        ("developed_med_intensity", ("keep", "equal", "developed_medium_intensity")),
        ("water", ("keep", "equal", "open_water")),
        ("aquaculture", ("split", "subset", "open_water")),
        ("ice_and_snow", ("keep", "equal", "perennial_ice_snow")),
        ("corn", ("split", "subset", "cultivated_crops")),
        ("alfalfa", ("split", "subset", "planted_cultivated")),
        ("cropland", ("split", "subset", "planted_cultivated")),
        ("grass_pasture", ("split", "subset", "grassland_herbaceous pasture_hay")),
        ("wetlands", ("keep", "equal", "wetlands")),
    ],
)
def test_from_nlcd_to_the_cropland_data_layer(node: str, expected: tuple[str, str, str]) -> None:
    plan = hk.plan(hk.load("nlcd"), hk.load("usda_cdl"), crosswalk=load("nlcd_to_usda_cdl"))
    assert table(plan)[node] == expected
    assert plan.dropped == ("dwarf_scrub", "sedge_herbaceous", "lichens", "moss")


def test_from_corine_to_hcat_in_under_a_second() -> None:
    source, target, lines = hk.load("corine"), hk.load("hcat3"), load("corine_to_hcat3")
    start = time.process_time()
    plan = hk.plan(source, target, crosswalk=lines, strict=True)
    assert time.process_time() - start < 1
    assert table(plan)["olive_plantations"] == ("keep", "equal", "olive_groves")
    assert plan["table_olives"].start == (("olive_groves", 1.0),)
    assert "rice_fields" in dict(plan["rice"].start)
    assert max(dict(plan["rice"].start), key=dict(plan["rice"].start).__getitem__) == "rice_fields"


def test_a_class_that_the_other_tree_leaves_to_other_is_a_subset() -> None:
    source = Taxonomy.from_outline({"vegetation": {"forest": 1, "field": 2}, "water": 3}, id="cover")
    target = Taxonomy.from_outline({"vegetation": {"field": 1, "garden": 4}, "water": 2}, id="fields")
    plan = hk.plan(source, target)
    # The forest may be garden or nothing at all, as far as names go; the water is the water.
    assert table(plan) == {
        "vegetation": ("split", "subset", "vegetation"),
        "field": ("keep", "equal", "field"),
        "garden": ("split", "subset", "forest"),
        "water": ("keep", "equal", "water"),
    }
    same = Taxonomy.from_outline({"vegetation": {"field": 1, "forest": 4}, "water": 2}, id="fields")
    assert table(hk.plan(source, same))["vegetation"] == ("keep", "equal", "vegetation")
    less = Taxonomy.from_outline({"vegetation": {"field": 1, "shoot": 4, "forest": 5}, "water": 2}, id="fields")
    assert table(hk.plan(source, less))["vegetation"] == ("merge", "superset", "vegetation")
    assert table(hk.plan(source, less))["shoot"] == ("new", "none", "")
    assert plan["field"].guessed


def test_residual_classes_are_never_equal_by_name() -> None:
    kinds = {"other": {"kind": "residual"}}
    source = Taxonomy.from_outline({"rice": 1, "other": 2}, id="one", classes=kinds)
    target = Taxonomy.from_outline({"rice": 1, "maize": 3, "other": 2}, id="two", classes=kinds)
    assert table(hk.plan(source, target)) == {
        "rice": ("keep", "equal", "rice"),
        "maize": ("new", "none", ""),
        "other": ("new", "none", ""),
    }
    said = crosswalk(source, target, rice=("is", "rice"), other=("is", "other"))
    assert table(hk.plan(source, target, crosswalk=said))["other"] == ("keep", "equal", "other")


def test_codes_count_within_one_scheme_only() -> None:
    def tree(id_: str, pattern: str | None, *classes: tuple[str, str, str]) -> Taxonomy:
        details = {name: {"code": code, "name": shown} for name, code, shown in classes}
        made = Taxonomy.from_outline({name: i for i, (name, _, _) in enumerate(classes)}, id=id_, classes=details)
        return replace(made, codes={"pattern": pattern} if pattern else {})

    ours = tree("ours", "[0-9]{2}", ("wheat", "11", "Wheat"), ("rye", "12", "Rye"), ("oats", "13", "Oats"))
    theirs = tree("theirs", "[0-9]{2}", ("wheat", "11", "Wheat"), ("rye", "12", "Rye"), ("avena", "13", "Avena"))
    assert same_scheme(ours, theirs)
    row = hk.plan(ours, theirs)["avena"]
    assert (row.relation, row.aligned, row.reason, row.guessed) == ("equal", ("oats",), "code", True)
    for other in (replace(theirs, codes={}), replace(theirs, codes={"pattern": "[0-9]+"})):
        assert hk.plan(ours, other)["avena"].relation == "none"
    # The same pattern by chance: codes that agree name other things.
    chance = tree("chance", "[0-9]{2}", ("water", "11", "Water"), ("city", "12", "City"), ("oats", "99", "Oats"))
    assert not same_scheme(ours, chance)
    assert hk.plan(ours, chance)["water"].relation == "none"


def test_names_are_compared_without_case_accents_punctuation_and_plurals() -> None:
    assert normal("Developed, Open Spaces") == normal("developed/open space") == "developed open space"
    assert normal("Potatoes") == normal("potato") == "potato"
    assert normal("Berries") == normal("berry")
    assert normal("Forêts") == "foret"
    assert normal("Grass") == "grass"
    assert normal("水体") == "水体"


def test_synonyms_and_translations() -> None:
    source = Taxonomy.from_outline({"maize": 1, "wheat": 2}, id="one", classes={"maize": {"synonyms": ("corn",)}})
    details: dict[str, dict[str, object]] = {
        "corn": {"name": "Corn"},
        "weizen": {"name": "Weizen", "labels": {"en": "wheat"}},
    }
    target = replace(Taxonomy.from_outline({"corn": 1, "weizen": 2}, id="two", classes=details), lang="de")
    plan = hk.plan(source, target)
    assert [(row.aligned, row.reason) for row in plan.rows] == [(("maize",), "synonym"), (("wheat",), "translation")]


def test_a_name_with_two_places_is_not_guessed() -> None:
    source = Taxonomy.from_outline({"a": {"grass": 1, "x": 2}, "b": {"lawn": 3, "y": 4}}, id="one",
                                   classes={"lawn": {"name": "Grass"}})  # fmt: skip
    target = Taxonomy.from_outline({"grass": 1, "x": 2}, id="two")
    plan = hk.plan(source, target)
    assert plan["grass"].relation == "none"
    assert plan["grass"].flags == ("ambiguous",)
    inside = Taxonomy.from_outline({"b": {"grass": 1, "y": 2}, "x": 3}, id="two")
    assert hk.plan(source, inside)["grass"].aligned == ("lawn",)


def test_a_crosswalk_against_the_tree_is_flagged() -> None:
    source = Taxonomy.from_outline({"wet": {"marsh": 1, "paddy": 2}, "dry": {"field": 3, "wood": 4}}, id="one")
    target = Taxonomy.from_outline({"nature": {"swamp": 1, "tree": 2}, "farm": {"rice": 3, "rye": 4}}, id="two")
    said = crosswalk(target, source, nature=("is", "wet"), farm=("is", "dry"), swamp=("is", "marsh"),
                     tree=("within", "wood"), rice=("is", "paddy"), rye=("is", "field"))  # fmt: skip
    plan = hk.plan(source, target, crosswalk=said)
    assert "against-the-tree" in plan["rice"].flags
    assert "against-the-tree" in plan["tree"].flags
    assert not plan["rye"].flags
    text = next(warning.message for warning in plan.warnings if warning.node == "rice")
    assert text.startswith("the crosswalk made puts `rice` in `paddy`, but `farm` above it in `dry`")
    # The finer lines hold, and the classes above are no longer what their lines say.
    assert (plan["rice"].relation, plan["rice"].aligned) == ("equal", ("paddy",))
    assert (plan["farm"].relation, plan["farm"].aligned) == ("equal", ("paddy", "field"))


def test_namesakes_on_other_branches_are_flagged() -> None:
    source = Taxonomy.from_outline({"water": {"lake": 1, "ice": 2}, "land": {"wood": 3, "rock": 4}}, id="one")
    target = Taxonomy.from_outline({"water": {"lake": 1, "pond": 5}, "land": {"wood": 3, "ice": 4}}, id="two")
    plan = hk.plan(source, target)
    assert "against-the-tree" in plan["ice"].flags
    assert (plan["land"].relation, plan["land"].aligned) == ("equal", ("ice", "wood"))
    assert "other-content" in plan["land"].flags
    assert (plan["water"].relation, plan["water"].aligned) == ("overlap", ("water",))


def test_a_crosswalk_is_read_in_either_direction() -> None:
    source = Taxonomy.from_outline({"crop": 1, "tree": 2}, id="one")
    target = Taxonomy.from_outline({"rye": 1, "oats": 2, "orchard": 3}, id="two")
    there = crosswalk(source, target, crop=("covers", "rye oats"), tree=("is", "orchard"))
    back = crosswalk(target, source, rye=("within", "crop"), oats=("within", "crop"), orchard=("is", "tree"))
    for said in (there, back):
        assert table(hk.plan(source, target, crosswalk=said, strict=True)) == {
            "rye": ("split", "subset", "crop"),
            "oats": ("split", "subset", "crop"),
            "orchard": ("keep", "equal", "tree"),
        }
    merged = table(hk.plan(target, source, crosswalk=there))
    assert merged["crop"] == ("merge", "equal", "rye oats")


def test_within_alone_is_not_the_whole() -> None:
    source = Taxonomy.from_outline({"rice": 1, "town": 2}, id="one")
    target = Taxonomy.from_outline({"cereals": 1, "built": 2}, id="two")
    plan = hk.plan(
        source, target, crosswalk=crosswalk(source, target, rice=("within", "cereals"), town=("is", "built"))
    )
    assert plan["cereals"].relation == "superset"
    assert plan["built"].relation == "equal"


def test_shares_are_weights_of_the_start() -> None:
    source = Taxonomy.from_outline({"mosaic": 1, "wood": 2, "field": 3}, id="one")
    target = Taxonomy.from_outline({"tree": 1, "crop": 2}, id="two")
    entries = (
        Entry("mosaic", "overlaps", ("tree", "crop"), (0.25, 0.75)),
        Entry("wood", "within", ("tree",)),
        Entry("field", "within", ("crop",)),
    )
    said = Crosswalk("made", "1.0.0", "one", ">=0", "two", ">=0", entries)
    plan = hk.plan(source, target, crosswalk=said)
    assert dict(plan["tree"].start) == {"mosaic": 0.2, "wood": 0.8}
    assert dict(plan["crop"].start) == pytest.approx({"mosaic": 0.75 / 1.75, "field": 1 / 1.75}, abs=1e-4)
    assert sum(dict(plan["crop"].start).values()) == 1
    other_way = (
        Entry("tree", "overlaps", ("mosaic", "wood"), (0.1, 0.9)),
        Entry("crop", "overlaps", ("mosaic", "field")),
    )
    again = replace(said, from_id="two", to_id="one", entries=other_way)
    assert dict(hk.plan(source, target, crosswalk=again)["tree"].start) == {"mosaic": 0.1, "wood": 0.9}


def test_lines_of_low_confidence_are_flagged() -> None:
    source, target = (
        Taxonomy.from_outline({"a": 1, "b": 2}, id="one"),
        Taxonomy.from_outline({"x": 1, "y": 2}, id="two"),
    )
    entries = (Entry("a", "is", ("x",), confidence=0.5), Entry("b", "is", ("y",), confidence=0.95))
    plan = hk.plan(source, target, crosswalk=Crosswalk("made", "1.0.0", "one", "", "two", "", entries))
    assert plan["x"].flags == ("unsure",)
    assert plan["y"].flags == ()


def test_trees_that_share_nothing() -> None:
    source, target = (
        Taxonomy.from_outline({"a": 1, "b": 2}, id="one"),
        Taxonomy.from_outline({"x": 1, "y": 2}, id="two"),
    )
    with pytest.raises(TransferError, match=r"one and two share nothing.*hieratk crosswalk suggest one two"):
        hk.plan(source, target)
    with pytest.raises(TransferError, match="the crosswalk made links no class of two"):
        hk.plan(source, target, crosswalk=crosswalk(source, target, a=("outside", "x"), b=("none", "x")))


def test_a_crosswalk_of_other_trees_or_versions() -> None:
    source, target = (
        Taxonomy.from_outline({"a": 1, "b": 2}, id="one"),
        Taxonomy.from_outline({"x": 1, "y": 2}, id="two"),
    )
    said = crosswalk(source, target, a=("is", "x"), b=("is", "y"))
    with pytest.raises(TransferError, match="leads from one to three, not from one to two or back"):
        hk.plan(source, target, crosswalk=replace(said, to_id="three"))
    with pytest.raises(TransferError, match=r"is for two >=2,<3, and this is two 0\.0\.0"):
        hk.plan(source, target, crosswalk=replace(said, to_version=">=2,<3"))
    assert hk.plan(source, target, crosswalk=replace(said, from_id="../trees/one.yaml"))["x"].relation == "equal"


def test_an_extension_of_another_version() -> None:
    base = replace(Taxonomy.from_outline({"a": 1, "b": 2}, id="base"), version="1.0.0")
    grown = Taxonomy.from_outline({"a": {"c": 1, "d": 3}, "b": 2}, id="grown")
    with pytest.raises(TransferError, match=r"grown 0\.0\.0 extends base 2\.0\.0, and this is base 1\.0\.0"):
        hk.plan(base, replace(grown, extends=Extends("base", "2.0.0")))


def test_an_extension_needs_no_crosswalk_and_says_so() -> None:
    base = Taxonomy.from_outline({"a": {"p": 1, "q": 2}, "b": 3}, id="base")
    grown = Taxonomy.from_outline({"a": {"p": 1, "q": 2, "r": 4}, "b": 3}, id="grown")
    grown = replace(grown, extends=Extends("base", "0.0.0"))
    plan = hk.plan(base, grown, crosswalk=crosswalk(base, grown, a=("is", "b")))
    assert any("not needed and not used" in note for note in plan.notes)
    # Below an inner class a new one starts from the mean of its siblings-to-be.
    assert (plan["r"].relation, plan["r"].aligned, plan["r"].start) == ("subset", ("a",), (("p", 0.5), ("q", 0.5)))
    assert plan["p"].action == plan["a"].action == "keep"


def test_pixels_of_labels_become_pixels_of_classes() -> None:
    tree = Taxonomy.from_outline(
        {"a": {"p": 1, "q": 2, "r": 5}, "b": 3, "m": 4, "old": 6}, id="t",
        classes={"m": {"kind": "mixed", "parts": {"p": None, "q": None}},
                 "old": {"deprecated": Deprecated(use=("b",))}},
    )  # fmt: skip
    counted = {"train": {"p": 3, "m": 10, "a": 100, "old": 7, "(undeclared)": 9}, "test": {"b": 1}, "none": {"p": 5}}
    found = pixels_by_node(tree, counted)
    assert found == {
        "a": {"train": 113},
        "p": {"train": 3},
        "q": {},
        "r": {},
        "b": {"train": 7, "test": 1},
    }


def test_what_must_be_learned_needs_pixels() -> None:
    source, target = hk.load("mm5b"), hk.load("crops10m")
    counted = {
        "rice": {"train": 5, "val": 2},
        "cropland": {"train": 9},
        "vegetation": {"train": 9},
        "corn": {"test": 4},
    }
    plan = hk.plan(source, target, crosswalk=load("mm5b_to_crops10m"), survey=counted)
    assert dict(plan.needs["rice"] or {}) == {"train": 5, "val": 2}
    assert dict(plan.needs["soybean"] or {}) == {}
    assert {warning.node for warning in plan.warnings if warning.code == "no-pixels"} == {"other", "corn", "soybean"}
    assert "no-pixels" in plan["corn"].flags


def test_the_same_tree_keeps_everything() -> None:
    tree = hk.load("hcat3")
    plan = hk.plan(tree, tree, strict=True)
    assert {row.action for row in plan.rows} == {"keep"}
    assert all(row.start == ((row.node, 1.0),) for row in plan.rows)


def test_versions_of_one_tree_go_by_id() -> None:
    old = Taxonomy.from_outline({"a": {"p": 1, "q": 2}, "b": 3}, id="tree", classes={"q": {"name": "Old name"}})
    new = Taxonomy.from_outline({"a": {"p": 1, "q": 2}, "b": 3, "c": 4}, id="tree", classes={"q": {"name": "New"}})
    plan = hk.plan(old, new)
    assert table(plan)["q"] == ("keep", "equal", "q")
    assert (plan["q"].reason, plan["q"].guessed) == ("id", True)
    assert table(plan)["a"] == ("keep", "equal", "a")


def test_a_plan_knows_its_trees() -> None:
    source, target = hk.load("lclu"), hk.load("crops")
    plan = hk.plan(source, target)
    plan.check(source, target)
    with pytest.raises(TransferError, match="the plan goes to crops"):
        plan.check(source, source)
    with pytest.raises(TransferError, match="no row for `quinoa`"):
        plan["quinoa"]
    assert "maize" in plan
    assert "quinoa" not in plan


def test_alignments_say_how_one_knows() -> None:
    found = align(hk.load("nlcd"), hk.load("usda_cdl"), crosswalk=load("nlcd_to_usda_cdl"))
    by_node = {entry.node: entry for entry in found.entries}
    assert by_node["water"].evidence == "nlcd_to_usda_cdl: open_water is water"
    assert by_node["corn"].evidence == "from `cropland` above it"
    assert by_node["forest"].evidence.startswith("from its classes deciduous_forest")
    assert {entry.reason for entry in found.entries} == {"crosswalk"}


def test_a_line_that_says_less_than_the_one_above_loses_nothing() -> None:
    source = Taxonomy.from_outline({"crop": {"rye": 1, "oats": 2}, "wood": 3}, id="one")
    target = Taxonomy.from_outline({"land": {"field": 1, "garden": 2}, "tree": 3}, id="two")
    said = crosswalk(source, target, crop=("within", "field"), rye=("within", "land"), wood=("is", "tree"))
    plan = hk.plan(source, target, crosswalk=said)
    assert plan["garden"].relation == "none"
    assert (plan["field"].relation, plan["field"].aligned) == ("superset", ("crop",))


def test_a_class_put_where_others_are_said_to_be_all_is_flagged() -> None:
    source = Taxonomy.from_outline({"rock": 1, "moss": 2, "lake": 3}, id="one")
    target = Taxonomy.from_outline({"bare": {"stone": 1, "sand": 2}, "water": 3}, id="two")
    said = crosswalk(source, target, rock=("is", "bare"), moss=("within", "bare"), lake=("is", "water"))
    plan = hk.plan(source, target, crosswalk=said)
    assert plan["bare"].flags == ("against-the-tree",)
    assert "puts `moss` in `bare`, but says that `rock` are all of that" in plan.warnings[0].message
    assert (plan["bare"].relation, plan["bare"].aligned) == ("equal", ("rock", "moss"))
