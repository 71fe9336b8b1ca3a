"""Trees that grow from another one: the same tree as written whole, and nothing read from outside."""

from __future__ import annotations

import io
import os
import tempfile
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from hieratk.diagnostics import Problem, Source, render
from hieratk.documents import read_bytes
from hieratk.taxonomy import catalog
from hieratk.taxonomy.checking import check
from hieratk.taxonomy.dump import dump
from hieratk.taxonomy.extension import LONGEST_CHAIN
from hieratk.taxonomy.reader import read, read_file
from hieratk.taxonomy.tables import compile_tables
from hieratk.taxonomy.tree import Extends, Taxonomy

LAND = (
    "hieratk: taxonomy/1\nversion: 1.2.0\nlevels: [cover, type, species]\n"
    "tree:\n  plants: {crops: 1, forest: 2}\n  water: 3\n"
)
GROWN = 'hieratk: taxonomy/1\nextends: {taxonomy: %s, version: ">=1"}\nextend:\n  forest: {oak: 4, beech: 5}\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HIERATK_TAXONOMIES", raising=False)
    (tmp_path / "land.yaml").write_text(LAND, encoding="utf-8")
    return tmp_path


def parse(text: str, name: str = "grown.yaml") -> Taxonomy:
    taxonomy, problems = read(Source(name, text))
    assert taxonomy is not None, render(problems)
    return taxonomy


def errors(text: str, name: str = "grown.yaml") -> list[tuple[str, str]]:
    return [(p.code, p.message) for p in read(Source(name, text))[1] if p.severity == "error"]


def test_crops_below_lclu() -> None:
    """The numbers of the notation."""
    taxonomy, problems = read_file(catalog.shipped() / "crops.yaml")
    assert taxonomy is not None
    assert [problem for problem in problems if problem.severity != "info"] == []
    assert (len(taxonomy), len(taxonomy.predicted), len(taxonomy.leaves)) == (50, 45, 34)
    assert compile_tables(taxonomy).sizes == (6, 16, 26, 34)
    assert taxonomy.extends == Extends("lclu", "1.0.0")
    assert (taxonomy.id, taxonomy.version, taxonomy.license, taxonomy.lang) == ("crops", "0.3.0", "CC-BY-4.0", "en")
    assert taxonomy.path("rice") == ("agriculture", "cropland", "cereals", "rice")
    assert taxonomy["cropland"].code == "21"
    assert taxonomy["cropland"].children[0] == "cereals"
    assert taxonomy.encodings["default"].first_value("cropland") == 21
    assert set(taxonomy.encodings) == {"default", "groups"}
    assert set(taxonomy.attributes) == {"sealed", "height", "season"}
    assert taxonomy.codes == {}
    lclu = catalog.load("lclu")
    for node in lclu:
        assert taxonomy[node.id] == (node if node.id != "cropland" else taxonomy["cropland"])
    assert [n.id for n in taxonomy if n.id in lclu] == [n.id for n in lclu]


def test_a_checkpoint_holds_the_whole_tree() -> None:
    """Written whole it is the same tree; what it grew from is not part of the comparison."""
    crops = catalog.load("crops")
    again = parse(dump(crops), "crops.yaml")
    assert again == crops
    assert again.fingerprint == crops.fingerprint
    assert again.extends is None


def test_own_texts_win_and_lists_grow(project: Path) -> None:
    (project / "land.yaml").write_text(
        LAND + "special:\n  cloud: {role: excluded, pixel: 9}\n"
        "classes:\n  water: {name: Water, labels: {fr: Eau, de: Wasser}, synonyms: [sea], attrs: {wet: yes_it_is}}\n"
        "attributes:\n  wet: {type: text}\n"
        "encodings:\n  default: {dtype: uint8}\n  covers: {dtype: uint8, level: cover, values: {1: plants}}\n"
    )
    grown = parse(
        GROWN % "land" + 'classes:\n  water: {name: Waters, labels: {fr: Eaux}, synonyms: [lake], color: "#0000ff",'
        " attrs: {deep: true}, definition: all of it}\n"
        "special:\n  smoke: {role: excluded, pixel: 300}\n"
        "attributes:\n  wet: {type: text}\n  deep: {type: bool}\n"
        "encodings:\n  default: {dtype: uint16}\n  covers: {values: {2: water}}\n"
        "  other: {dtype: uint8, values: {1: oak}}\n"
        "levels: [cover, type, species]\n"
    )
    water = grown["water"]
    assert (water.name, water.color, water.definition) == ("Waters", "#0000ff", "all of it")
    assert water.labels == {"fr": "Eaux", "de": "Wasser"}
    assert water.synonyms == ("sea", "lake")
    assert water.attrs == {"wet": "yes_it_is", "deep": True}
    assert [special.id for special in grown.special] == ["cloud", "smoke"]
    assert grown.encodings["default"].dtype == "uint16"
    assert grown.encodings["covers"].values == ((1, 1, "plants"), (2, 2, "water"))
    assert grown.encodings["covers"].level == 0
    assert list(grown.encodings) == ["default", "covers", "other"]


def test_an_extension_of_an_extension(project: Path) -> None:
    (project / "trees.yaml").write_text((GROWN % "land").replace("extends:", "version: 2.0.0\nextends:"))
    text = 'hieratk: taxonomy/1\nextends: {taxonomy: trees, version: "~=2.0"}\nlevels: [cover, type, species, sort]\n'
    oaks = parse(text + "extend: {oak: {red_oak: 6, cork_oak: 7}}\n")
    assert oaks.path("red_oak") == ("plants", "forest", "oak", "red_oak")
    assert oaks.extends == Extends("trees", "2.0.0")
    taxonomy, problems = read(Source("oaks.yaml", text + "extend: {oak: {red_oak: 6, cork_oak: 4}}\n"))
    assert taxonomy is None
    (claimed,) = [problem for problem in problems if problem.severity == "error"]
    assert (claimed.code, claimed.notes) == ("T201", ("`oak` comes from trees.yaml",))


def test_where_a_name_is_looked_up(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the file, then as `hieratk.load` looks; never the file itself."""
    for folder, leaf in (("sub", "beside"), ("taxonomies", "project"), ("shared", "shared")):
        (project / folder).mkdir()
        text = f"hieratk: taxonomy/1\nversion: 1.0.0\ntree: {{forest: 1, {leaf}: 2}}\n"
        (project / folder / "tiny.yaml").write_text(text)
    text = GROWN % "tiny"
    assert "beside" in parse(text, "sub/grown.yaml")
    assert "project" in parse(text, "grown.yaml")
    assert "project" in parse(text, "sub/tiny.yaml")
    assert "project" in parse(text, "<stdin>")
    monkeypatch.setenv("HIERATK_TAXONOMIES", str(project / "shared"))
    (project / "taxonomies" / "tiny.yaml").unlink()
    assert "shared" in parse(text, "grown.yaml")
    monkeypatch.delenv("HIERATK_TAXONOMIES")
    assert "maize" in parse(text.replace("oak: 4", "oak: 6"), "grown.yaml"), "the shipped one"


def test_standard_input_takes_names_only(project: Path) -> None:
    (project / "taxonomies").mkdir()
    (project / "land.yaml").rename(project / "taxonomies" / "land.yaml")
    source, problems = read_bytes(io.BytesIO((GROWN % "land").encode()), name="<stdin>")
    assert not problems
    assert not [problem for problem in check(source).problems if problem.severity == "error"]
    assert errors(GROWN % "taxonomies/land.yaml", "<stdin>") == [
        ("T602", "standard input has no folder for the path `taxonomies/land.yaml`")
    ]


@pytest.mark.parametrize(
    "path",
    ["../../../etc/passwd", "/etc/passwd", "/etc/land.yaml", "../land.yaml", "link.yaml", "deep/../../land.yaml"],
)
def test_nothing_is_read_from_outside(project: Path, path: str) -> None:
    """The folder of the file, and those of the catalogue; not through a link either."""
    inside = project / "inside"
    (inside / "deep").mkdir(parents=True)
    (inside / "link.yaml").symlink_to(project / "land.yaml")
    os.chdir(inside)
    ((code, message),) = errors(GROWN % path, "grown.yaml")
    assert code == "T602"
    assert message == f"`{path}` leads out of the folders that taxonomies are taken from"


def test_a_folder_that_is_named_may_be_read(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "inside").mkdir()
    (project / "inside" / "wood.yml").write_text(LAND)
    parse(GROWN % "inside/wood.yml", "grown.yaml")
    monkeypatch.chdir(project / "inside")
    assert errors(GROWN % "../land.yaml")[0][0] == "T602"
    monkeypatch.setenv("HIERATK_TAXONOMIES", str(project))
    parse(GROWN % "../land.yaml")


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("inside.yaml", "there is no file `inside.yaml`"),
        ("pipe.yaml", "there is no file `pipe.yaml`"),
        ("x" * 300 + ".yaml", "cannot be looked up"),
        ("x" * 300, "cannot be looked up"),
        ("n\\0ul.yaml", "cannot be looked up"),
        ("walk.yaml", "`walk.yaml` has 1 error of its own"),
        ("latin.yaml", "`latin.yaml` has 1 error of its own"),
        ("~root/x.yaml", "there is no file"),
        (" ", "is no YAML file"),
    ],
)
def test_odd_bases_are_one_error(project: Path, word: str, message: str) -> None:
    (project / "inside.yaml").mkdir()
    os.mkfifo(project / "pipe.yaml")
    (project / "walk.yaml").write_text("hieratk: crosswalk/1\nid: walk\n")
    (project / "latin.yaml").write_bytes(b"hieratk: taxonomy/1\ntree: {for\xeat: 1}\n")
    ((code, said),) = errors(GROWN % f'"{word}"')
    assert code in ("T602", "Y002")
    assert message in said


def test_circles_and_long_chains_end(project: Path) -> None:
    chain = (
        'hieratk: taxonomy/1\nversion: 1.0.0\nextends: {taxonomy: %s, version: ">=1"}\nextend: {%s: {%s_below: 9}}\n'
    )
    for a, b in ("ab", "bc", "ca", "xa"):
        (project / f"{a}.yaml").write_text(chain % (b, b, a))
    for name in "abc":
        ((code, message),) = errors((project / f"{name}.yaml").read_text(), f"{name}.yaml")
        assert code == "T604"
        order = "abcabc"["abc".index(name) :][:4]
        assert message.endswith(" - ".join(f"{letter}.yaml" for letter in order))
    assert errors((project / "x.yaml").read_text(), "x.yaml")[0][0] == "T604"
    (project / "n0.yaml").write_text("hieratk: taxonomy/1\nversion: 1.0.0\ntree: {n0: 1}\n")
    for at in range(1, 12):
        text = f'hieratk: taxonomy/1\nversion: 1.0.0\nextends: {{taxonomy: n{at - 1}, version: ">=1"}}\n'
        (project / f"n{at}.yaml").write_text(text + f"extend: {{n{at - 1}: {{n{at}: {at + 1}}}}}\n")
    assert len(parse((project / f"n{LONGEST_CHAIN - 1}.yaml").read_text(), "n7.yaml")) == LONGEST_CHAIN
    assert errors((project / "n11.yaml").read_text(), "n11.yaml")[0][0] == "T604"


@pytest.mark.usefixtures("project")
def test_a_missing_base_is_said_once() -> None:
    """Whatever refers to its classes may be right; what is wrong in itself is said all the same."""
    text = GROWN % "nowhere" + "levels: [a, b]\nclasses:\n  crops: {also: [water], attrs: {x: 1}}\n  oak: {code: 01}\n"
    text += "encodings: {e: {dtype: uint8, level: c, values: {1: lake}}}\n"
    problems = read(Source("grown.yaml", text))[1]
    assert [(p.code, p.underlined) for p in problems if p.severity != "info"] == [("T602", "nowhere"), ("Y011", "01")]
    broken = text.replace("oak: 4", "oak: x4")
    assert [code for code, _ in errors(broken)] == ["T602", "S007"]


@pytest.mark.usefixtures("project")
def test_places_are_always_inside_the_text() -> None:
    """Faults of every family in an extension: no finding points into the base."""
    text = (
        GROWN % "land" + "special:\n  water: {role: nodata, pixel: 0}\nclasses:\n"
        "  water: {color: '#000000', also: [oak], name: Forest, synonyms: [forest, oak]}\n"
        "  oak: {kind: mixed, parts: [water, crops], color: '#000000', level: cover, also: [water]}\n"
        "encodings: {default: {dtype: uint8, nodata: 1}, e: {dtype: uint8, values: {1: crops, 2: x, 3: oak}}}\n"
        "codes: {pattern: '[0-9]', nesting: prefix}\n"
    )
    problems = read(Source("grown.yaml", text))[1]
    assert len({problem.code for problem in problems}) > 8
    for problem in problems:
        for span in (problem.span, *(span for span, _ in problem.related)):
            assert 0 <= span.start <= span.end <= len(text)
        for format_ in ("full", "concise", "json", "sarif", "github"):
            assert render([problem], format=format_)


# Random trees, written whole and written as base and extension.


@dataclass
class Plan:
    """A class of a random tree: `own` says that it belongs to the extension."""

    id: str
    own: bool
    pixel: Any = None
    children: list[Plan] = field(default_factory=list)
    base_says: dict[str, Any] = field(default_factory=dict)
    grown_says: dict[str, Any] = field(default_factory=dict)


def every(plans: list[Plan]) -> list[Plan]:
    return [found for plan in plans for found in (plan, *every(plan.children))]


@st.composite
def plans(draw: st.DrawFn) -> list[Plan]:
    """Trees of up to four levels; a class of the base has its new children behind the old ones."""
    ids = (f"c{number}" for number in count())
    clashes = draw(st.integers(0, 4)) == 0
    values = iter(draw(st.permutations(range(1, 120))))

    def grow(depth: int, own: bool) -> Plan:
        plan = Plan(next(ids), own)
        if draw(st.integers(0, 5)):
            plan.pixel = draw(st.integers(1, 40)) if clashes and draw(st.booleans()) else next(values, None)
        if depth < 3 and draw(st.booleans()):
            old = 0 if own else draw(st.integers(0, 2))
            new = draw(st.integers(1 if own else 0, 2))
            plan.children = [grow(depth + 1, own) for _ in range(old)] + [grow(depth + 1, True) for _ in range(new)]
        return plan

    top = [grow(0, False) for _ in range(draw(st.integers(1, 3)))]
    for plan in every(top):
        describe(draw, plan, top)
    return top


def describe(draw: st.DrawFn, plan: Plan, top: list[Plan]) -> None:
    says = plan.grown_says if plan.own else plan.base_says
    known = [
        other.id for other in every(top) if (plan.own or not other.own) and not other.children and other is not plan
    ]
    if draw(st.booleans()):
        says["color"] = draw(st.sampled_from(["#112233", "#445566", "#778899"]))
    if draw(st.integers(0, 3)) == 0:
        says["code"] = draw(st.sampled_from(["01", "02", "X3", "c1"])) + plan.id[1:]
    if draw(st.integers(0, 3)) == 0:
        says["attrs"] = {"high": draw(st.sampled_from([1, 2.5]))}
    kind = draw(st.integers(0, 9))
    if kind == 0 and not plan.children:
        says["kind"] = "residual"
    elif kind == 1 and not plan.children and len(known) >= 2 and plan.pixel:
        says |= {"kind": "mixed", "parts": {known[0]: 0.25, known[1]: 0.75}}
    elif kind == 2 and known and not plan.children:
        says["deprecated"] = {"since": "1.0.0", "use": known[:1]}
    elif kind == 3:
        says["level"] = "l5"
    if not plan.own and draw(st.booleans()):
        more: list[dict[str, Any]] = [
            {"name": f"Grown {plan.id}"},
            {"color": "#abcdef"},
            {"labels": {"fr": plan.id}},
            {"attrs": {"new": "true"}},
        ]
        plan.grown_says = draw(st.sampled_from(more))


def flow(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return f"[{', '.join(map(flow, value))}]"
    return "" if value is None else f'"{value}"' if isinstance(value, str) else str(value)


def outline(kept: list[Plan], base_only: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for plan in kept:
        children = [child for child in plan.children if not (base_only and child.own)]
        found[plan.id] = outline(children, base_only) if children else plan.pixel
    return found


def details(top: list[Plan], which: str) -> dict[str, Any]:
    """`classes` of the base, of the extension or of the whole."""
    found: dict[str, Any] = {}
    for plan in every(top):
        if which == "base" and plan.own:
            continue
        children = [child for child in plan.children if which != "base" or not child.own]
        inner = {"pixel": plan.pixel} if children and plan.pixel is not None else {}
        if which == "grown":
            says = dict(plan.grown_says) | (inner if plan.own else {})
        else:
            says = plan.base_says | inner
            if which == "whole":
                merged = dict(plan.grown_says)
                merged["attrs"] = {**plan.base_says.get("attrs", {}), **plan.grown_says.get("attrs", {})}
                says = says | {key: value for key, value in merged.items() if value}
        if says:
            found[plan.id] = says
    return found


LEVELS = "levels: [l1, l2, l3, l4, l5, l6, l7, l8]\n"
BASE_ATTRIBUTES = "high: {type: number, unit: m}"
BASE_SPECIAL = "cloud: {role: excluded, pixel: 250}"


def documents(top: list[Plan]) -> tuple[str, str, str]:
    base = (
        f"hieratk: taxonomy/1\nversion: 1.0.0\n{LEVELS}tree: {flow(outline(top, True))}\n"
        f"attributes: {{{BASE_ATTRIBUTES}}}\nspecial: {{{BASE_SPECIAL}}}\n"
        + (f"classes: {flow(said)}\n" if (said := details(top, "base")) else "")
    )
    hung = {
        plan.id: outline([child for child in plan.children if child.own], False)
        for plan in every(top)
        if not plan.own and any(child.own for child in plan.children)
    }
    head = f"id: grown\nversion: 3.0.0\ntitle: Grown\n{LEVELS}"
    said = details(top, "grown")
    grown = (
        f'hieratk: taxonomy/1\n{head}extends: {{taxonomy: base, version: "==1.*"}}\n'
        + (f"extend: {flow(hung)}\n" if hung else "")
        + "attributes: {new: {type: bool}}\nspecial: {smoke: {role: excluded, pixel: 251}}\n"
        + (f"classes: {flow(said)}\n" if said else "")
    )
    whole = (
        f"hieratk: taxonomy/1\n{head}tree: {flow(outline(top, False))}\n"
        f"attributes: {{{BASE_ATTRIBUTES}, new: {{type: bool}}}}\n"
        f"special: {{{BASE_SPECIAL}, smoke: {{role: excluded, pixel: 251}}}}\n"
        + (f"classes: {flow(said)}\n" if (said := details(top, "whole")) else "")
    )
    return base, grown, whole


def grave(problems: list[Problem]) -> str:
    return render([problem for problem in problems if problem.severity == "error"])


@settings(max_examples=80, deadline=None)
@given(plans())
def test_grown_is_whole(top: list[Plan]) -> None:
    """Base and extension make the tree that is written whole; and where that one is in error, so is the extension."""
    base, grown, whole = documents(top)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "base.yaml").write_text(base, encoding="utf-8")
        found, problems = read(Source(str(Path(folder) / "grown.yaml"), grown))
        of_base, said_of_base = read(Source("base.yaml", base))
    expected, said = read(Source("grown.yaml", whole))
    if expected is None or of_base is None:
        event("in error")
        assert found is None, f"{grown}\n{grave(said)}{grave(said_of_base)}"
        return
    event("valid")
    assert found is not None, f"{base}\n{grown}\n{grave(problems)}"
    assert found.nodes == expected.nodes
    assert found.levels == expected.levels
    assert found == expected
    assert (found.fingerprint, found.encoding_digest) == (expected.fingerprint, expected.encoding_digest)
    assert found.extends == Extends("base", "1.0.0")
