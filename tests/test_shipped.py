"""Every tree that comes with hieratk: faultless, laid out, writable as maps, and equal to the facts it is made from."""

from __future__ import annotations

import csv
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml

from hieratk.diagnostics import Source, render
from hieratk.taxonomy import catalog
from hieratk.taxonomy.dump import dump
from hieratk.taxonomy.reader import read, read_file
from hieratk.taxonomy.tables import compile_tables
from hieratk.taxonomy.tree import Taxonomy

FOLDER = catalog.shipped()
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
FACTS = FOLDER / "facts"


@pytest.fixture(scope="module")
def make() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make", FOLDER / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _load(name: str) -> Taxonomy:
    return catalog.load(FOLDER / f"{name}.yaml")


def _rows(name: str) -> dict[str, dict[str, str]]:
    with (FACTS / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return {row["id_or_code"]: row for row in csv.DictReader(lines)}


def test_the_trees_of_the_method_and_the_demo_are_there() -> None:
    assert {"indian_pines", "usda_cdl", "nlcd", "mm5b", "tiny", "lclu", "crops10m", "whdld", "fbp", "hcat3"} <= set(
        NAMES
    )
    assert len(NAMES) >= 45


@pytest.mark.parametrize("name", NAMES)
def test_no_rule_finds_a_fault(name: str) -> None:
    taxonomy, problems = read_file(FOLDER / f"{name}.yaml")
    # Warnings were looked at one by one: what stays is suppressed in the file, with its reason.
    found = [problem for problem in problems if problem.severity != "info"]
    assert not found, render(found)
    assert taxonomy is not None
    assert taxonomy.id == name
    assert taxonomy.title
    assert taxonomy.license
    assert taxonomy.source
    assert taxonomy.version != "0.0.0"


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_laid_out_and_reads_back(name: str) -> None:
    text = (FOLDER / f"{name}.yaml").read_text("utf-8")
    comments = [line for line in text.splitlines(keepends=True) if line.startswith("#")]
    taxonomy = _load(name)
    # The file of an extension holds its own classes only.
    assert taxonomy.extends or text == "".join(comments) + dump(taxonomy)
    again, _ = read(Source(f"{name}.yaml", dump(taxonomy)))
    assert again == taxonomy


@pytest.mark.parametrize("name", NAMES)
def test_editors_see_a_valid_document(name: str) -> None:
    """The schema reads YAML as an editor does, typed: what must be text has to be quoted."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((FOLDER / "schema" / "taxonomy-1.json").read_text("utf-8"))
    document = yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8"))
    # JSON knows no integer keys; editors see them as text.
    for encoding in document.get("encodings", {}).values():
        if "values" in encoding:
            encoding["values"] = {str(key): value for key, value in encoding["values"].items()}
    jsonschema.Draft7Validator(schema).validate(document)


@pytest.mark.parametrize("name", NAMES)
def test_every_level_can_be_written_as_a_map(name: str) -> None:
    taxonomy = _load(name)
    tables = compile_tables(taxonomy)
    assert tables.sizes == tuple(len(level) for level in taxonomy.levels)
    if not taxonomy.encodings:
        assert name in ("gbt21010", "hcat3", "hcat4", "ipcc", "lucas"), "a legend with a raster has its pixel values"
        return
    for level in taxonomy.levels:
        able = [
            encoding.name
            for encoding in taxonomy.encodings.values()
            if (encoding.name == "default" or encoding.level == level.index)
            and all(encoding.first_value(id_) is not None for id_ in level.classes)
        ]
        assert able, f"no encoding holds every class of level {level.name}"


@pytest.mark.parametrize("name", NAMES)
def test_the_readme_says_where_it_is_from(name: str) -> None:
    taxonomy = _load(name)
    classes = " / ".join(str(len(level)) for level in taxonomy.levels)
    row = f"| `{name}` | {taxonomy.title} | {classes} | {taxonomy.license} | "
    assert row in (FOLDER / "README.md").read_text("utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_every_label_of_a_class_allows_some_leaf(name: str) -> None:
    taxonomy = _load(name)
    for node in taxonomy:
        assert taxonomy.allowed(node.id), node.id


def test_generated_files_are_up_to_date(make: ModuleType) -> None:
    for name in make.made():
        text = (FOLDER / f"{name}.yaml").read_text("utf-8")
        assert text == make.document(name), f"run python taxonomies/make.py {name}"


def test_a_generated_file_that_was_edited_is_noticed(
    make: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    facts = tmp_path / "facts"
    facts.mkdir()
    for name in ("nlcd.csv", "nlcd.toml"):
        (facts / name).write_bytes((FACTS / name).read_bytes())
    monkeypatch.setattr(make, "HERE", tmp_path)
    assert make.main(["--check"]) == 1
    assert "nlcd.yaml differs from its facts; run python taxonomies/make.py nlcd" in capsys.readouterr().err
    assert not (tmp_path / "nlcd.yaml").exists()
    assert make.main([]) == 0
    assert (tmp_path / "nlcd.yaml").read_bytes() == (FOLDER / "nlcd.yaml").read_bytes()
    assert make.main(["nlcd", "--check"]) == 0
    (tmp_path / "nlcd.yaml").write_text("id: nlcd\n")
    assert make.main(["--check"]) == 1


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('[ids]\n3 = "barren"', '[ids]\n3 = "water"', r"give ids of their own under \[ids\] to water \(1, 3\)"),
        ('[ids]\n3 = "barren"', '[ids]\n33 = "barren"', r"names codes that facts/nlcd.csv lacks: 33"),
        ('levels = ["class"', 'leels = []\nlevels = ["class"', r"unknown keys: leels"),
        ("[colors]", '[parents]\n11 = "0"\n\n[colors]', r"11 has the parent '0', which is no class"),
        ('1 = "1", 2 = "2"', '1 = "1", 2 = "222"', r"encoding classes names 222, which is no class"),
    ],
)
def test_facts_that_do_not_fit_together_are_named(
    make: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, message: str
) -> None:
    facts = tmp_path / "facts"
    facts.mkdir()
    (facts / "nlcd.csv").write_bytes((FACTS / "nlcd.csv").read_bytes())
    recipe = (FACTS / "nlcd.toml").read_text("utf-8")
    assert old in recipe
    (facts / "nlcd.toml").write_text(recipe.replace(old, new))
    monkeypatch.setattr(make, "HERE", tmp_path)
    with pytest.raises(ValueError, match=message):
        make.document("nlcd")


@pytest.mark.parametrize("name", sorted(path.stem for path in FACTS.glob("*.toml")))
def test_values_names_and_colours_are_those_of_the_table(make: ModuleType, name: str) -> None:
    """Each raster value of the published table is the class with its code, name and colour."""
    taxonomy = _load(name)
    recipe = make._recipe(name)
    lost = {*recipe.get("special", {}), *recipe.get("drop", [])}
    special = {entry.id: entry for entry in taxonomy.special}
    by_code = {node.code: node for node in taxonomy if node.code is not None}
    rows = _rows(name)
    for code, row in rows.items():
        if row["source"].split(";")[0] == "editorial":
            continue
        if code in by_code:
            assert by_code[code].name.replace("_", " ") == row["name"].replace("_", " ") or code in recipe.get(
                "names", {}
            )
        if code in by_code and row["r"]:
            rgb = (int(row["r"]), int(row["g"]), int(row["b"]))
            assert by_code[code].color == "#{:02x}{:02x}{:02x}".format(*rgb), code
        if not row["pixel_value"]:
            assert (code in by_code) is (code not in lost), code
            continue
        value = int(row["pixel_value"])
        owners = [owner for low, high, owner in taxonomy.encodings["default"].values if low <= value <= high]
        assert len(owners) == 1, code
        assert owners[0] in special or taxonomy[owners[0]].code == code


def test_crop_data_layer() -> None:
    taxonomy = _load("usda_cdl")
    by_code = {node.code: node.id for node in taxonomy if node.code}
    with (FACTS / "usda_cdl.parts.csv").open(encoding="utf-8", newline="") as lines:
        doubles = {row["id_or_code"]: (row["component_1"], row["component_2"]) for row in csv.DictReader(lines)}
    assert len(doubles) == 17
    for code, parts in doubles.items():
        node = taxonomy[by_code[code]]
        assert node.kind == "mixed"
        assert list(taxonomy.allowed(node.id)) == sorted((by_code[p] for p in parts), key=taxonomy.leaves.index)
    old = {node.code: node for node in taxonomy if node.deprecated}
    assert set(old) == {"62", "63", "64", "65", "82", "83", "87"}
    assert set(taxonomy.allowed(old["63"].id)) == {by_code[c] for c in ("141", "142", "143")}
    assert set(taxonomy.allowed(by_code["88"])) == {
        leaf for leaf in taxonomy.leaves if "non_cropland" in taxonomy.path(leaf)
    }
    assert not {node.id for node in taxonomy if node.kind in ("mixed", "unspecified")} & set(taxonomy.leaves)
    roles = {entry.id: entry.role for entry in taxonomy.special}
    assert roles == {"background": "nodata", "clouds_no_data": "excluded"}


def test_land_cover_database() -> None:
    taxonomy = _load("nlcd")
    assert [len(level) for level in taxonomy.levels] == [8, 20]
    for node in taxonomy:
        if node.parent is not None:
            assert node.code is not None
            assert taxonomy[node.parent].code == node.code[0]
    assert {node.code for node in taxonomy if node.regions == ("US-AK",)} == {"51", "72", "73", "74"}


def test_trees_of_hierars() -> None:
    mm5b = compile_tables(_load("mm5b"))
    assert mm5b.sizes == (4, 9, 18)
    assert len(mm5b.ids) == 31
    assert mm5b.up[1].tolist() == [0, 0, 1, 2, 2, 3, 3, 3, 4, 5, 5, 6, 6, 7, 7, 7, 7, 8]
    assert mm5b.up[0].tolist() == [0, 0, 0, 1, 2, 2, 2, 2, 3]
    # The ids of each level are 1, 2, 3 ... in channel order, and 0 is void.
    for level, encoding in enumerate(("level1", "level2", "default")):
        lookup = mm5b.lookup(encoding)
        rows = lookup(np.arange(mm5b.sizes[level] + 1, dtype=np.uint8))
        assert mm5b.index[rows, level].tolist() == [-100, *range(mm5b.sizes[level])]
    merged = [0, 9, 1, 2, 2, 3, 3, 3, 13, 4, 5, 6, 10, 7, 8, 8, 0, 18, 11, 12, 13, 14, 15, 16, 17]
    leaf = mm5b.index[mm5b.lookup("fbp")(np.arange(25, dtype=np.uint8)), 2]
    assert leaf.tolist() == [id_ - 1 if id_ else -100 for id_ in merged]

    assert compile_tables(_load("crops10m")).sizes == (2, 2, 4)
    assert compile_tables(_load("whdld")).sizes == (4, 5, 6)
    assert compile_tables(_load("fbp")).sizes == (24,)


def test_the_tree_with_all_features() -> None:
    taxonomy = _load("lclu")
    tables = compile_tables(taxonomy)
    assert len(taxonomy) == 31
    assert len(tables.ids) == 28
    assert len(tables.leaves) == 20
    assert tables.sizes == (6, 16, 20)
    assert taxonomy["built"].attrs == {"sealed": True}
    assert taxonomy["building"].attrs == {"height": "2.."}


def test_crop_codes_roll_up_by_their_digits() -> None:
    """HCAT 3: the class above is the longest shorter run of digit pairs that is a code, for all 384 codes."""
    taxonomy = _load("hcat3")
    ids = {node.code: node.id for node in taxonomy}
    assert len(ids) == len(taxonomy) == 384
    for code, id_ in ids.items():
        assert code is not None
        above = next(
            (ids[code[:n].ljust(10, "0")] for n in (8, 6, 4, 2, 1) if code[:n].ljust(10, "0") in ids.keys() - {code}
             and code[n:].strip("0")),
            None,
        )  # fmt: skip
        assert taxonomy[id_].parent == above, code
    assert {n.kind for n in taxonomy if n.name.startswith("unspecified")} == {"unspecified"}
    assert all(n.kind in ("residual", "unspecified") for n in taxonomy if n.name.startswith("other "))
    assert "CC BY-SA 4.0" in (FOLDER / "hcat3.yaml").read_text("utf-8")


def test_indian_pines_holds_every_value_of_the_scene() -> None:
    datasets = pytest.importorskip("tensorly.datasets", reason="the demo extra is not installed")
    labels = np.asarray(datasets.load_indian_pines()["ticks"][0])
    taxonomy = _load("indian_pines")
    tables = compile_tables(taxonomy)
    assert tables.sizes == (3, 8, 16)
    rows = tables.lookup("default")(labels)
    assert (rows > 0).all()
    ids, counts = np.unique(rows[labels > 0], return_counts=True)
    found = {tables.row_ids[row]: int(count) for row, count in zip(ids, counts, strict=True)}
    assert len(found) == 16
    # The published class sizes of the ground truth.
    assert found["alfalfa"] == 46
    assert found["corn_notill"] == 1428
    assert found["soybean_mintill"] == 2455
    assert found["oats"] == 20
    assert found["woods"] == 1265
    assert sum(found.values()) == 10249
