"""Crosswalks as documents: written and read back, found by name or path, and those that come with hieratk."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from hieratk.crosswalk import VERBS, Crosswalk, Entry, check, dump, find, load, names, read, read_file, resolve, trees
from hieratk.crosswalk.mapping_rules import needed
from hieratk.diagnostics import Source, render
from hieratk.errors import CrosswalkError, TaxonomyError
from hieratk.taxonomy import catalog
from hieratk.taxonomy.formatting import format_text
from hieratk.taxonomy.tree import Special, Taxonomy

FOLDER = catalog.shipped() / "crosswalks"
SHIPPED = sorted(path.stem for path in FOLDER.glob("*.yaml"))
A = Taxonomy.from_outline({"a1": {"b1": 1, "b2": 2, "b3": 3}, "a2": 4}, id="a", special=(Special("hole", "nodata"),))
B = Taxonomy.from_outline({"k1": {"m1": 1, "m2": 2}, "k2": 3, "k3": 4, "k4": 5}, id="b")
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=150).map(
    lambda text: " ".join(text.split()) or "x"
)


@st.composite
def documents(draw: st.DrawFn) -> Crosswalk:
    """Any crosswalk between A and B that no rule refuses, with odd texts in it."""
    lines = []
    for id_ in ("a2", "b1", "b2", "b3"):
        verb = draw(st.sampled_from(VERBS))
        several = verb in ("covers", "overlaps", "outside")
        ids = ("m1", "m2", "k2", "k3", "k4")
        targets = draw(st.lists(st.sampled_from(ids), min_size=2 if several else 1, max_size=4 if several else 1,
                                unique=True))  # fmt: skip
        shares = None
        if verb in ("covers", "overlaps") and len(targets) == 4 and draw(st.booleans()):
            shares = (0.5, 0.25, 0.125, 0.125)
        sure = draw(st.none() | st.sampled_from((0.0, 0.05, 0.5, 1.0)))
        note, origin = draw(st.none() | TEXT), draw(st.none() | TEXT)
        targets = ["excluded"] if verb == "none" else targets
        lines.append(Entry(id_, verb, tuple(targets), shares, sure, note, origin))
    return Crosswalk(
        "a_to_b", "1.2.3", "a", ">=0", "b", ">=0,<1", (*lines, Entry("hole", "none", ("nodata",))),
        title=draw(st.just("") | TEXT), description=draw(st.none() | TEXT), license="CC0-1.0",
        source=({"title": draw(TEXT), "date": "2026"},), meta={"mine": "1.10"},
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(documents())
def test_written_and_read_back(crosswalk: Crosswalk) -> None:
    text = dump(crosswalk)
    again, problems = read(Source("a_to_b.yaml", text), between=(A, B))
    assert again == crosswalk, render(problems)
    assert format_text(Source("a_to_b.yaml", text)).text == text
    assert yaml.safe_load(text)["id"] == "a_to_b"


def test_what_the_notation_cannot_say() -> None:
    empty = Crosswalk("a_to_b", "1.0.0", "a", ">=0", "b", ">=0", ())
    with pytest.raises(CrosswalkError, match="has no lines"):
        dump(empty)
    with pytest.raises(CrosswalkError, match="`b1` has 1 shares for 2 targets"):
        dump(replace(empty, entries=(Entry("b1", "overlaps", ("m1", "m2"), (1.0,)),)))


def test_by_id_by_code_and_by_raster_value() -> None:
    """The key `0` of the ESA crosswalk is a raster value, `10` a code, and ids hold as well."""
    crosswalk = load("esa_cci_lc_to_lclu")
    assert crosswalk.entries[0] == Entry("no_data", "none", ("no_data",))
    assert crosswalk.entries[1] == Entry("cropland_rainfed", "within", ("agriculture",))
    assert crosswalk.from_version == ">=2,<3"


def test_neighbours_names_and_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "maps").mkdir()
    (tmp_path / "maps" / "mine.yaml").write_text("hieratk: taxonomy/1\nid: mine\ntree: {wood: 1}\n")
    text = (
        "hieratk: crosswalk/1\nid: mine_to_lclu\nversion: 1.0.0\n"
        'from: {taxonomy: mine, version: ">=0"}\nto: {taxonomy: lclu, version: ">=1"}\nmap: {wood: {is: tree_cover}}\n'
    )
    path = tmp_path / "maps" / "mine_to_lclu.yaml"
    path.write_text(text)
    crosswalk = load(path)
    assert [tree.id for tree in trees(crosswalk, beside=path)] == ["mine", "lclu"]
    assert check(path)[0].severity == "info"
    with pytest.raises(CrosswalkError, match="names `mine`: there is no taxonomy `mine`"):
        trees(crosswalk)
    (tmp_path / "crosswalks").mkdir()
    path.rename(tmp_path / "crosswalks" / "mine_to_lclu.yaml")
    (tmp_path / "taxonomies").mkdir()
    (tmp_path / "maps" / "mine.yaml").rename(tmp_path / "taxonomies" / "mine.yaml")
    assert "mine_to_lclu" in names()
    assert load("mine_to_lclu") == crosswalk
    assert find("mine_to_lclu") == Path("crosswalks/mine_to_lclu.yaml")


def test_what_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(CrosswalkError, match="no crosswalk `fbp_to_mm5`; did you mean `fbp_to_mm5b`"):
        load("fbp_to_mm5")
    (tmp_path / "mine.yaml").write_text("hieratk: crosswalk/1\n")
    with pytest.raises(CrosswalkError, match=r"there is no file .*min\.yaml; did you mean .*mine\.yaml"):
        load(tmp_path / "min.yaml")
    with pytest.raises(CrosswalkError, match="is a folder"):
        load(tmp_path)
    with pytest.raises(CrosswalkError, match=r"mine\.yaml has errors\n\nerror\[S005\]"):
        load(tmp_path / "mine.yaml")
    with pytest.raises(TaxonomyError, match="there is no file"):
        read_file(tmp_path / "none.yaml")


def test_another_version_of_a_tree() -> None:
    crosswalk = replace(load("io_lulc_v1_to_v2"), to_version=">=3")
    with pytest.raises(CrosswalkError, match="is for `io_lulc_v2` >=3, and the taxonomy found is version 2"):
        trees(crosswalk)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_crosswalks_have_no_fault(name: str) -> None:
    crosswalk, problems = read_file(FOLDER / f"{name}.yaml")
    assert crosswalk is not None
    assert [problem for problem in problems if problem.severity != "info"] == [], render(problems)
    assert crosswalk.id == name
    assert crosswalk.title
    assert crosswalk.license
    assert crosswalk.source
    text = (FOLDER / f"{name}.yaml").read_text("utf-8")
    assert format_text(Source(f"{name}.yaml", text)).text == text
    assert read(Source(f"{name}.yaml", dump(crosswalk)))[0] == crosswalk
    row = f"| `{name}` | `{crosswalk.from_id}` | `{crosswalk.to_id}` | "
    assert row in (catalog.shipped() / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_crosswalks_say_something_about_every_label(name: str) -> None:
    crosswalk = load(name)
    source, target = trees(crosswalk)
    links = resolve(crosswalk, source, target)
    if crosswalk.unmapped == "error":
        assert set(needed(source)) <= set(links)
    assert {special.id for special in source.special} <= set(links)


def test_the_official_tables() -> None:
    """A few lines of each, as the tables have them."""
    ipcc = {entry.source: entry.targets for entry in load("esa_cci_lc_to_ipcc").entries}
    assert ipcc["water_bodies"] == ipcc["permanent_snow_and_ice"] == ("other_land",)
    assert ipcc["mosaic_tree_and_shrub"] == ("forest_land",)
    lulc = load("io_lulc_v1_to_v2").entries
    assert [entry.source for entry in lulc if entry.targets == ("rangeland",)] == ["grass", "scrub"]
    bolivia = {entry.source: entry for entry in load("mapbiomas_bolivia_to_brazil").entries}
    assert sum(entry.verb == "is" for entry in bolivia.values()) == 15
    assert bolivia["not_observed"].verb == "none"
    fbp = load("fbp_to_mm5b").entries
    assert sum(entry.verb == "is" for entry in fbp) == 14
    assert sum(entry.verb == "within" for entry in fbp) == 9


@pytest.mark.parametrize("name", SHIPPED)
def test_editors_see_a_valid_document(name: str) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    file = catalog.shipped() / "schema" / "crosswalk-1.json"
    document = yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8"))
    jsonschema.Draft7Validator(json.loads(file.read_text("utf-8"))).validate(document)


def test_checking_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom hieratk.commands import app\n"
        "app(['crosswalk', 'check', 'io_lulc_v1_to_v2', '-q'], standalone_mode=False)\n"
        "loaded = {name.split('.')[0] for name in sys.modules}\n"
        "print(sorted(loaded & {'numpy', 'torch', 'rasterio', 'networkx', 'rich'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
