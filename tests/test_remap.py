"""Rasters from one legend to another, rasters against their legend, and compiled tables in a file."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest
import rasterio
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

from hieratk.commands import app
from hieratk.crosswalk import Link
from hieratk.diagnostics import Source
from hieratk.errors import CrosswalkError, HieratkError, RasterError, TaxonomyError
from hieratk.rasters import Entry, Grid, create, inspect
from hieratk.rasters import read as read_raster
from hieratk.remap import (
    DroppedPixels,
    RemapTable,
    check_raster,
    connect,
    encoding_legend,
    level_legend,
    remap,
    table,
)
from hieratk.remap.gather import Gather, count, values_of
from hieratk.remap.legend import color_of
from hieratk.remap.survey import windows
from hieratk.taxonomy.catalog import load, names
from hieratk.taxonomy.data_rules import check_tables
from hieratk.taxonomy.packing import read_tables, write_tables
from hieratk.taxonomy.reader import read
from hieratk.taxonomy.rulebook.data import RULES
from hieratk.taxonomy.rulebook.page import document
from hieratk.taxonomy.tables import compile_tables
from hieratk.taxonomy.tree import Encoding, Taxonomy
from tests.oracle import Truth
from tests.strategies import taxonomies

SMALL = [np.dtype(name) for name in ("uint8", "int8", "uint16", "int16")]


def tree(text: str) -> Taxonomy:
    taxonomy, problems = read(Source("tree.yaml", document(text)))
    assert taxonomy is not None, [problem.message for problem in problems]
    return taxonomy


def write(path: Path, pixels: NDArray[Any], **options: Any) -> Path:
    with create(path, Grid(*pixels.shape), count=1, dtype=str(pixels.dtype), **options) as sink:
        sink.write(pixels[None])
    return path


# --- the gather ---


@pytest.mark.parametrize("dtype", SMALL, ids=str)
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (17, 31), (400, 701)])
@pytest.mark.parametrize("out", ["uint8", "uint16", "int32"])
def test_gather_and_count(dtype: np.dtype[Any], shape: tuple[int, int], out: str) -> None:
    rng = np.random.default_rng(3)
    every = values_of(dtype)
    assert sorted(every.tolist()) == list(range(np.iinfo(dtype).min, np.iinfo(dtype).max + 1))
    pixels = rng.choice(every, shape).astype(dtype)
    new = rng.integers(0, 200, len(every)).astype(out)
    plain = dict(zip(every.tolist(), new.tolist(), strict=True))
    result = Gather.of(new)(pixels)
    assert result.dtype == out
    some = list(np.ndindex(shape))[:: max(1, pixels.size // 500)]
    assert all(result[at] == plain[int(pixels[at])] for at in some)
    assert np.array_equal(result, new[np.argsort(every, kind="stable")][pixels.astype(np.int64) - np.iinfo(dtype).min])
    assert np.array_equal(Gather.of(new)(pixels[::2, ::3]), result[::2, ::3])
    values, counts = np.unique(pixels, return_counts=True)
    found = count(pixels)
    assert {v: c for v, c in zip(every.tolist(), found.tolist(), strict=True) if c} == dict(
        zip(values.tolist(), counts.tolist(), strict=True)
    )


@given(st.integers(1, 3000), st.integers(1, 9000), st.sampled_from([1, 7, 16, 256, 512, 5000]), st.booleans())
@settings(max_examples=60, deadline=None)
def test_windows_cover_once_and_stay_small(height: int, width: int, block: int, strips: bool) -> None:
    seen = np.zeros((height, width), np.uint8)
    for window in windows(Grid(height, width), (min(block, height), width if strips else min(block, width))):
        assert window.height * window.width <= 4096 * 4096
        seen[window.row : window.row + window.height, window.col : window.col + window.width] += 1
    assert (seen == 1).all()


# --- the table ---


def check_against_truth(made: RemapTable, source: Taxonomy, target: Taxonomy) -> None:
    """Every class by plain sets: what is written holds all that is allowed, nothing deeper with a value does."""
    truth = Truth(target)
    for fate in made.fates:
        if fate.id not in {node.id for node in source.nodes}:
            continue
        may = truth.allowed(fate.id)
        above = [n.id for n in target.nodes if may and all(n.id in truth.path(leaf) for leaf in may)]
        able = [id_ for id_ in {*above, fate.id} if id_ in made.legend.values and may <= truth.allowed(id_)]
        if fate.outcome == "dropped":
            assert not [id_ for id_ in able if fate.id == id_ or id_ in truth.predicted], fate
            assert fate.value == made.legend.nodata
            continue
        assert fate.value == made.legend.values[fate.to]
        if fate.to != fate.id:
            assert may <= truth.allowed(fate.to)
            smaller = [id_ for id_ in able if id_ in truth.predicted and truth.allowed(id_) < truth.allowed(fate.to)]
            assert not smaller, (fate, smaller)
        assert (fate.outcome == "exact") == (may == truth.allowed(fate.to) or fate.to == fate.id)


@settings(max_examples=80, deadline=None)
@given(taxonomies(), st.data())
def test_to_another_encoding(taxonomy: Taxonomy, data: st.DataObject) -> None:
    ids = [node.id for node in taxonomy.nodes]
    some = data.draw(st.lists(st.sampled_from(ids), unique=True))
    values = tuple((number, number, id_) for number, id_ in enumerate(some, 1))
    both = {**taxonomy.encodings, "other": Encoding("other", "uint8", values or ((9, 9, ids[0]),))}
    both["first"] = Encoding("first", "uint8", tuple((n, n, id_) for n, id_ in enumerate(ids)))
    taxonomy = replace(taxonomy, encodings=MappingProxyType(both))
    made = table(taxonomy, encoding_legend(taxonomy, "other"), encoding="first", way="")
    check_against_truth(made, taxonomy, taxonomy)
    new = made.values()[made.lookup(np.arange(len(ids), dtype=np.uint8))]
    assert {id_: int(v) for id_, v in zip(ids, new, strict=True)} == {f.id: f.value for f in made.fates if f.id in ids}


@settings(max_examples=80, deadline=None)
@given(taxonomies(), st.data())
def test_to_a_level(taxonomy: Taxonomy, data: st.DataObject) -> None:
    ids = [node.id for node in taxonomy.nodes]
    values = tuple((n, n, id_) for n, id_ in enumerate(ids, 1))
    taxonomy = replace(taxonomy, encodings=MappingProxyType({"default": Encoding("default", "uint8", values)}))
    level = data.draw(st.sampled_from(taxonomy.levels))
    made = table(taxonomy, level_legend(taxonomy, level.name), way="")
    truth = Truth(taxonomy)
    for fate in made.fates:
        if fate.id in ids:
            classes = {truth.class_at(leaf, level.index) for leaf in truth.allowed(fate.id)}
            assert (fate.outcome, fate.to) == (("exact", classes.pop()) if len(classes) == 1 else ("dropped", ""))


def test_maps_of_a_model_and_remapped_ones_have_the_same_legend() -> None:
    from hieratk.prediction.legend import legend

    compared = 0
    for name in names():
        taxonomy = load(name)
        for band, level in zip(legend(taxonomy).bands, taxonomy.levels, strict=True):
            mine = level_legend(taxonomy, level.name)
            values = {id_: mine.values[id_] for id_ in level.classes}
            assert values == dict(zip(band.classes, band.values.tolist(), strict=True)), name
            assert mine.derived == band.derived
            assert [color_of(taxonomy, id_) for id_ in level.classes] == list(band.colors)
            assert mine.nodata not in values.values()
            compared += 1
    assert compared > 60


FROM = (
    "tree: {a: 1, b: 2, c: 3, d: 4, e: 5, f: 6}\n"
    "special: {void: {role: nodata, pixel: 0}, fog: {role: excluded, pixel: 9}}"
)
TO = (
    "tree: {x: {x1: 11, x2: 12}, y: {y1: 21, y2: 22}, z: 30}\nclasses: {x: {pixel: 10}}\n"
    "special: {out: {role: nodata, pixel: 255}, haze: {role: excluded, pixel: 254}}"
)


def test_crosswalk() -> None:
    links = {
        "a": Link("is", ("x1",)),
        "b": Link("overlaps", ("x1", "x2")),
        "c": Link("overlaps", ("y1", "y2")),
        "d": Link("overlaps", ("x1", "z")),
        "e": Link("none", ("haze",)),
    }
    made = table(tree(FROM), encoding_legend(tree(TO)), links=links, way="")
    assert {f.id: (f.to, f.value, f.outcome) for f in made.fates} == {
        "": ("", 255, "undeclared"),
        "a": ("x1", 11, "exact"),
        "b": ("x", 10, "exact"),
        "c": ("", 255, "dropped"),
        "d": ("", 255, "dropped"),
        "e": ("haze", 254, "void"),
        "f": ("", 255, "dropped"),
        "void": ("", 255, "void"),
        "fog": ("haze", 254, "void"),
    }
    assert made.legend.dtype == "uint8"
    assert [f.why for f in made.losing()] == [
        "default has no value for `y` or a class above it",
        "it may be several classes that have nothing above them",
        "the crosswalk has no relation for it",
    ]


def test_the_type_follows_the_values() -> None:
    assert encoding_legend(tree("tree: {a: 1, b: 300}\nencodings: {default: {dtype: int32}}")).dtype == "uint16"
    full = tree("tree: {" + ", ".join(f"c{n}: {n}" for n in range(256)) + "}")
    legend = encoding_legend(full)
    assert (legend.dtype, legend.nodata) == ("uint16", 65535)
    below = encoding_legend(tree("tree: {a: -1, b: 5}\nencodings: {default: {dtype: int16}}"))
    assert (below.dtype, below.nodata) == ("int16", 0)
    with pytest.raises(TaxonomyError, match="no encoding `other` with values; it has default"):
        encoding_legend(full, "other")


# --- rasters ---


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "uint32", "int64"])
@pytest.mark.parametrize(("height", "width", "block"), [(37, 53, 16), (300, 530, 256)])
def test_pixel_by_pixel(tmp_path: Path, dtype: str, height: int, width: int, block: int) -> None:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 10, (height, width)).astype(dtype)
    path = write(tmp_path / "in.tif", pixels, block=block)
    links = {"a": Link("is", ("x1",)), "b": Link("is", ("x",)), "c": Link("within", ("y2",)), "d": Link("is", ("z",))}
    made = table(tree(FROM), encoding_legend(tree(TO)), links=links, way="")
    plain = {0: 255, 1: 11, 2: 10, 3: 22, 4: 30, 5: 255, 6: 255, 7: 255, 8: 255, 9: 254}
    with pytest.raises(DroppedPixels, match="nothing was written") as refused:
        remap(path, tmp_path / "out.tif", made)
    assert [file.name for file in tmp_path.iterdir()] == ["in.tif"]
    counts = remap(path, tmp_path / "out.tif", made, allow_dropped=True)
    assert np.array_equal(read_raster(tmp_path / "out.tif")[0], np.vectorize(plain.get)(pixels))
    values, numbers = np.unique(pixels, return_counts=True)
    for found in (counts, refused.value.counts):
        assert {c.seen.low: c.seen.pixels for c in found.values} == dict(
            zip(values.tolist(), numbers.tolist(), strict=True)
        )
    assert counts.pixels("dropped") == int(np.isin(pixels, [5, 6]).sum())
    assert counts.pixels("undeclared") == int(np.isin(pixels, [7, 8]).sum())
    assert counts.pixels("void") == int(np.isin(pixels, [0, 9]).sum())
    first = {c.seen.low: c.seen.first for c in counts.values if c.fate.outcome == "undeclared"}
    for value, place in first.items():
        assert place is not None
        assert pixels[place] == value
    if height < 256:
        assert first == {v: tuple(np.argwhere(pixels == v)[0].tolist()) for v in (7, 8)}


def test_what_is_written_says_what_it_is(tmp_path: Path) -> None:
    taxonomy = load("nlcd")
    path = write(tmp_path / "in.tif", np.array([[11, 41, 42, 0]], np.uint8), nodata=0)
    remap(path, tmp_path / "out.tif", connect("nlcd", level="class"))
    info = inspect(tmp_path / "out.tif")
    assert info.tags["HIERATK_FINGERPRINT"] == taxonomy.fingerprint
    assert (info.dtype, info.nodata, info.names) == ("uint8", 0.0, ("class",))
    classes = json.loads(info.band_tags[0]["HIERATK_CLASSES"])
    assert classes["4"]["id"] == "forest"
    assert read_raster(tmp_path / "out.tif").tolist() == [[[1, 4, 4, 0]]]
    assert info.colormaps[0] is not None
    assert "#{:02x}{:02x}{:02x}".format(*info.colormaps[0][4][:3]) == classes["4"]["color"]
    assert (tmp_path / "out.tif.aux.xml").exists()


def test_masked_pixels_and_nodata_tags_are_no_undeclared_values(tmp_path: Path) -> None:
    made = table(tree(FROM), encoding_legend(tree(FROM)), way="")
    tagged = write(tmp_path / "tagged.tif", np.array([[1, 77, 77]], np.uint8), nodata=77)
    counts = remap(tagged, tmp_path / "out.tif", made)
    assert read_raster(tmp_path / "out.tif").tolist() == [[[1, 0, 0]]]
    assert (counts.pixels("void"), counts.lost) == (2, 0)
    masked = tmp_path / "masked.tif"
    with rasterio.open(
        masked,
        "w",
        driver="GTiff",
        height=1,
        width=3,
        count=1,
        dtype="uint8",
        transform=rasterio.Affine(1, 0, 5, 0, -1, 5),
    ) as file:
        file.write(np.array([[[1, 77, 2]]], np.uint8))
        file.write_mask(np.array([[True, False, True]]))
    counts = remap(masked, tmp_path / "out2.tif", made)
    assert read_raster(tmp_path / "out2.tif").tolist() == [[[1, 0, 2]]]
    assert (counts.masked, counts.lost) == (1, 0)
    declared = write(tmp_path / "declared.tif", np.array([[1, 2, 2]], np.uint8), nodata=2)
    remap(declared, tmp_path / "out3.tif", made)
    assert read_raster(tmp_path / "out3.tif").tolist() == [[[1, 2, 2]]]


def test_many_undeclared_wide_values_are_counted_together(tmp_path: Path) -> None:
    pixels = np.arange(1, 3001, dtype=np.int32).reshape(50, 60)
    path = write(tmp_path / "in.tif", pixels)
    counts = remap(
        path, tmp_path / "out.tif", table(tree(FROM), encoding_legend(tree(FROM)), way=""), allow_dropped=True
    )
    assert counts.pixels("undeclared") == 3000 - 7
    assert counts.unlisted == 3000 - 7 - 1000
    assert counts.lost == 3000 - 7


def test_unreadable_and_unwritable(tmp_path: Path) -> None:
    made = table(tree(FROM), encoding_legend(tree(FROM)), way="")
    floats = write(tmp_path / "floats.tif", np.zeros((4, 4), np.float32))
    path = write(tmp_path / "in.tif", np.ones((4, 4), np.uint8))
    for bad, output, words in (
        (floats, tmp_path / "o.tif", "holds integers"),
        (path, path, "is the source itself"),
        (tmp_path / "no.tif", tmp_path / "o.tif", "there is no file"),
        (path, tmp_path / "none" / "o.tif", "does not exist"),
    ):
        with pytest.raises(RasterError, match=words):
            remap(bad, output, made)
    with pytest.raises(RasterError, match="no band 2"):
        remap(path, tmp_path / "o.tif", made, band=2)
    old = write(tmp_path / "old.tif", np.full((4, 4), 3, np.uint8))
    lost = write(tmp_path / "lost.tif", np.full((4, 4), 200, np.uint8))
    with pytest.raises(DroppedPixels, match=r"16 pixels would lose their class: value 200, 16 pixels"):
        remap(lost, old, made)
    assert read_raster(old).tolist() == np.full((1, 4, 4), 3).tolist()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["floats.tif", "in.tif", "lost.tif", "old.tif"]


# --- what connects two trees ---


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "taxonomies"
    folder.mkdir()
    head = "hieratk: taxonomy/1\nid: {}\nversion: 1.0.0\n"
    (folder / "one.yaml").write_text(head.format("one") + "tree: {a: 1, b: 2}\n", encoding="utf-8")
    (folder / "two.yaml").write_text(head.format("two") + "tree: {c: 3, d: 4}\n", encoding="utf-8")
    grown = 'extends: {taxonomy: one, version: ">=1,<2"}\nextend: {a: {a1: 11, a2: 12}}\n'
    (folder / "grown.yaml").write_text(head.format("grown") + grown, encoding="utf-8")
    return tmp_path


CROSSWALK = """\
hieratk: crosswalk/1
id: {id}
version: 1.0.0
from: {{taxonomy: one, version: ">=1,<2"}}
to: {{taxonomy: two, version: ">=1,<2"}}
map:
  a: {{is: c}}
  b: {{is: d}}
"""


def test_to_a_tree(project: Path) -> None:
    assert connect("one", to="one").way == "the same tree"
    down = connect("one", to="grown")
    assert down.way == "grown extends one"
    assert {f.id: (f.to, f.outcome) for f in down.fates[1:]} == {"a": ("a", "exact"), "b": ("b", "exact")}
    up = connect("grown", to="one")
    assert {f.id: (f.to, f.outcome) for f in up.fates[1:]} == {
        "a": ("a", "exact"),
        "a1": ("a", "coarser"),
        "a2": ("a", "coarser"),
        "b": ("b", "exact"),
    }
    with pytest.raises(CrosswalkError, match="nothing connects `one` and `two`"):
        connect("one", to="two")
    folder = project / "taxonomies" / "crosswalks"
    folder.mkdir()
    (folder / "one_to_two.yaml").write_text(CROSSWALK.format(id="one_to_two"), encoding="utf-8")
    made = connect("one", to="two")
    assert made.way == "crosswalk one_to_two"
    assert [f.value for f in made.fates[1:]] == [3, 4]
    with pytest.raises(CrosswalkError, match="one_to_two leads the other way"):
        connect("two", to="one")
    with pytest.raises(CrosswalkError, match="is not from `two`"):
        connect("two", crosswalk=folder / "one_to_two.yaml")
    (folder / "again.yaml").write_text(CROSSWALK.format(id="again"), encoding="utf-8")
    with pytest.raises(CrosswalkError, match="2 crosswalks lead from `one` to `two`: again, one_to_two"):
        connect("one", to="two")
    for choices in ({}, {"to": "two", "level": "level1"}):
        with pytest.raises(TaxonomyError, match="exactly one of"):
            connect("one", **choices)


# --- rasters against their legend ---


def described(text: str, path: Path) -> Path:
    """The raster that an example of a rule describes."""
    content = yaml.safe_load(text)["raster"]
    values = [value for value, times in content["values"].items() for _ in range(times)]
    colors = [
        Entry(value, "", "", tuple(int(color[i : i + 2], 16) for i in (1, 3, 5)))
        for value, color in content.get("colors", {}).items()
    ]
    pixels = np.array([values], content["dtype"])
    return write(path, pixels, nodata=content["nodata"], legends=[colors] if colors else ())


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_examples_on_the_page(rule: Any, tmp_path: Path) -> None:
    if rule.beside:
        taxonomy = tree(rule.beside[0][1])
        wrong = check_raster(described(rule.wrong, tmp_path / "wrong.tif"), taxonomy).findings
        right = check_raster(described(rule.right, tmp_path / "right.tif"), taxonomy).findings
    else:
        wrong, right = (
            check_tables(tree(text), index="uint8", encoding="default") for text in (rule.wrong, rule.right)
        )
    assert {(one.code, one.severity) for one in wrong if one.severity != "info" or one.code == rule.code} == {
        (rule.code, rule.severity)
    }
    assert rule.code not in {one.code for one in right}


def test_undeclared_values_are_named_with_counts_and_first_pixel(tmp_path: Path) -> None:
    pixels = np.ones((600, 700), np.uint8)
    pixels[300, 400:410] = 50
    pixels[20, 30] = 40
    found = check_raster(write(tmp_path / "x.tif", pixels), tree(FROM)).findings
    assert [one.message for one in found if one.code == "C005"] == [
        "11 pixels hold values that encoding `default` does not declare: 50 (10 pixels), 40 (1 pixel)"
    ]
    assert [one.place for one in found if one.code == "C005"] == [(20, 30)]


# --- tables in a file ---


@settings(max_examples=40, deadline=None)
@given(taxonomies(), st.sampled_from(["uint8", "int16", "int64"]))
def test_tables_come_back(tmp_path_factory: pytest.TempPathFactory, taxonomy: Taxonomy, index: str) -> None:
    folder = tmp_path_factory.mktemp("tables")
    tables = compile_tables(taxonomy)
    write_tables(folder / "a.npz", tables, index=index)
    write_tables(folder / "b.npz", tables, index=index)
    assert (folder / "a.npz").read_bytes() == (folder / "b.npz").read_bytes()
    back = read_tables(folder / "a.npz")
    for name in tables.__slots__:
        mine, theirs = getattr(tables, name), getattr(back, name)
        if name == "lookups":
            assert list(mine) == list(theirs)
            probe = np.concatenate(
                [[low, high] for e in taxonomy.encodings.values() for low, high, _ in e.values] or [[0]]
            )
            for one in mine:
                assert np.array_equal(mine[one](probe), theirs[one](probe))
        elif name == "up":
            assert all(np.array_equal(a, b) for a, b in zip(mine, theirs, strict=True))
        elif isinstance(mine, np.ndarray):
            assert np.array_equal(mine, theirs, equal_nan=mine.dtype.kind == "f"), name
            assert not theirs.flags.writeable
        else:
            assert mine == theirs, name
    assert sorted(file.name for file in folder.iterdir()) == ["a.npz", "b.npz"]


def test_damaged_tables(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    with pytest.raises(TaxonomyError, match="there is no file"):
        read_tables(path)
    write_tables(path, compile_tables(tree(FROM)))
    whole = path.read_bytes()
    for content in (b"", b"nonsense", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(TaxonomyError, match="holds no compiled tables"):
            read_tables(path)


# --- commands ---


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "in.tif", np.array([[11, 41, 42, 42, 0]], np.uint8))
    write(tmp_path / "bad.tif", np.array([[11, 41, 99, 42, 0]], np.uint8))
    done = run("remap", "in.tif", "out.tif", "--from", "nlcd", "--level", "class", "-q")
    assert done.exit_code == 0, done.output
    assert done.stdout == (
        "value  class             pixels  ->  class    outcome\n"
        "    0  no_data                1   0  no data  void\n"
        "   11  open_water             1   1  water    exact\n"
        "   41  deciduous_forest       1   4  forest   exact\n"
        "   42  evergreen_forest       2   4  forest   exact\n\n"
        "exact 4, coarser 0, void 1, dropped 0, undeclared 0\n"
    )
    refused = run("remap", "bad.tif", "no.tif", "--from", "nlcd", "--level", "class", "-q", "--format", "json")
    assert refused.exit_code == 1
    assert not Path("no.tif").exists()
    assert json.loads(refused.stdout)["pixels"] == {"exact": 3, "coarser": 0, "void": 1, "dropped": 0, "undeclared": 1}
    assert "1 pixels would lose their class: value 99" in refused.stderr
    allowed = run("remap", "bad.tif", "yes.tif", "--from", "nlcd", "--level", "class", "-q", "--allow-dropped")
    assert allowed.exit_code == 0
    assert run("check-raster", "in.tif", "--from", "nlcd").exit_code == 0
    checked = run("check-raster", "bad.tif", "--from", "nlcd", "--format", "json")
    assert checked.exit_code == 1
    first, *_ = json.loads(checked.stdout)["diagnostics"]
    assert (first["code"], first["pixel"]) == ("C005", {"row": 0, "column": 2})
    assert run("taxonomy", "compile", "nlcd", "-o", "nlcd.npz").exit_code == 0
    assert read_tables(Path("nlcd.npz")).fingerprint == load("nlcd").fingerprint
    assert run("taxonomy", "compile", "hcat3", "-o", "h.npz", "--index", "uint8").exit_code == 1
    assert not Path("h.npz").exists()
    for words in (
        ["remap", "in.tif", "out.tif", "--from", "nlcd"],
        ["remap", "in.tif", "out.tif", "--from", "nlcd", "--to", "corine", "-q"],
        ["remap", "in.tif", "out.tif", "--from", "nlcd", "--level", "none"],
        ["remap", "in.tif", "out.tif", "--from", "hcat3", "--level", "level1"],
        ["check-raster", "in.tif", "--from", "hcat3"],
        ["check-raster", "in.tif", "--from", "nlcd", "--format", "xml"],
        ["taxonomy", "compile", "nlcd", "-o", "x.safetensors"],
        ["taxonomy", "compile", "nlcd", "-o", "x.npz", "--index", "uint4"],
    ):
        assert isinstance(run(*words).exception, HieratkError), words
