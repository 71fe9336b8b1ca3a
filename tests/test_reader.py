"""Documents to taxonomies: what is read, what is said about what is wrong, and that nothing else can happen."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hieratk.diagnostics import Problem, Source, render
from hieratk.errors import TaxonomyError
from hieratk.taxonomy.color_rules import ciede2000, difference
from hieratk.taxonomy.patterns import risk
from hieratk.taxonomy.reader import read, read_file
from hieratk.taxonomy.tree import Deprecated, Taxonomy

GOOD = Path(__file__).parent / "good"
LCLU = (GOOD / "lclu.yaml").read_text(encoding="utf-8")
TINY = (GOOD / "tiny.yaml").read_text(encoding="utf-8")


def parse(text: str, name: str = "tree.yaml") -> Taxonomy:
    taxonomy, problems = read(Source(name, text))
    assert taxonomy is not None, render(problems)
    return taxonomy


def found(text: str, name: str = "tree.yaml") -> list[tuple[str, str]]:
    """Code and underlined text of everything above a remark."""
    _, problems = read(Source(name, text))
    return [(problem.code, problem.underlined) for problem in problems if problem.severity != "info"]


def codes(problems: list[Problem]) -> set[str]:
    return {problem.code for problem in problems}


def test_seven_lines_are_enough() -> None:
    tiny = parse(TINY, "tiny.yaml")
    assert found(TINY, "tiny.yaml") == []
    assert tiny.id == "tiny"
    assert tiny == Taxonomy.from_outline(
        {"vegetation": {"forest": 1, "cropland": {"rice": 2, "maize": 3}}, "water": 4},
        id="tiny",
        levels=["cover", "class", "crop"],
    )


def test_examples_are_clean() -> None:
    for path in sorted(GOOD.glob("*.yaml")):
        assert found(path.read_text(encoding="utf-8"), path.name) == []


def test_lclu() -> None:
    lclu = parse(LCLU, "lclu.yaml")
    assert found(LCLU, "lclu.yaml") == []
    assert (len(lclu), len(lclu.predicted), len(lclu.leaves)) == (31, 28, 20)
    assert [len(level) for level in lclu.levels] == [6, 16, 20]
    assert lclu["orchard"].name == "Orchard, vineyard or plantation"
    assert lclu["orchard"].also == ("tree_cover",)
    assert lclu["built"].labels == {"fr": "Surfaces bâties", "zh": "建设用地"}
    assert lclu["built"].attrs == {"sealed": True}
    assert lclu["building"].attrs == {"height": "2.."}
    assert lclu["building"].synonyms == ("house", "roof")
    assert lclu["other_built"].kind == "residual"
    assert lclu["mixed_trees"].parts == {"broadleaved": None, "needleleaved": None}
    assert lclu["reservoir"].deprecated == Deprecated(
        "1.0.0", ("lake",), "not separable from natural lakes in one image"
    )
    assert lclu["road"].code == "121"
    assert lclu.codes == {"pattern": "[1-9][0-9]{0,2}", "nesting": "prefix"}
    assert [(entry.id, entry.role) for entry in lclu.special] == [
        ("no_data", "nodata"),
        ("cloud", "excluded"),
        ("unlabelled", "unlabelled"),
    ]
    default, groups = lclu.encodings["default"], lclu.encodings["groups"]
    assert (42, 44, "rock_sand") in default.values
    assert [value for value in default.values if value[2] == "unspecified_trees"] == [
        (34, 34, "unspecified_trees"),
        (35, 35, "unspecified_trees"),
    ]
    assert list(default.values) == sorted(default.values)
    assert (groups.level, groups.values[1]) == (0, (1, 1, "built"))
    assert lclu.attributes["height"] == {"type": "range", "unit": "m", "about": lclu.attributes["height"]["about"]}


FULL = """\
hieratk: taxonomy/1
id: full
version: 2.3.4
title: |
  All: of it
description: >-
  Two lines
  folded.
lang: fr
license: CC-BY-4.0 OR MIT
source:
  - {title: A legend, url: "https://example.org/x", version: "3", date: "2020-05", checked: "2024-01-31", note: said}
codes: {pattern: "[A-Z]+"}
levels: [a, b, c]
tree:
  top:
    deep: [5, 7..9]
    low:
  other_thing: 300
  mix: 301
special:
  none: {role: nodata, pixel: -1, name: Rien, color: "#FFFFFF", labels: {en: None}, note: said, meta: {k: [1, {x: y}]}}
classes:
  top: {pixel: 20, name: " Top", code: T}
  deep:
    {level: c, regions: [Alaska], since: 1.0.0, source: s, note: said, meta: {a: 1}, attrs: {n: -2.5, e: low, t: 01}}
  other_thing: {kind: residual, definition: "what\\nis left"}
  mix: {kind: mixed, parts: {deep: 0.25, low: .75}}
attributes:
  n: {type: number, unit: m}
  e: {type: enum, values: [low, high]}
  t: {type: text, about: x}
encodings:
  default: {dtype: int16}
  fine: {dtype: uint32, nodata: 4294967295, level: c, about: z, values: {0..3: deep, 9: low, 7: none}}
meta: {mine: {deeply: [1, 2]}}
"""


def test_every_key_is_read() -> None:
    full = parse(FULL, "full.yaml")
    assert (full.id, full.version, full.title, full.lang) == ("full", "2.3.4", "All: of it", "fr")
    assert (full.description, full.license) == ("Two lines folded.", "CC-BY-4.0 OR MIT")
    assert full.source[0] == {
        "title": "A legend",
        "url": "https://example.org/x",
        "version": "3",
        "date": "2020-05",
        "checked": "2024-01-31",
        "note": "said",
    }
    assert full.level_names == ("a", "b", "c")
    assert [(node.id, node.level, node.parent, node.children) for node in full] == [
        ("top", 0, None, ("deep", "low")),
        ("deep", 2, "top", ()),
        ("low", 1, "top", ()),
        ("other_thing", 0, None, ()),
        ("mix", 0, None, ()),
    ]
    deep = full["deep"]
    assert (deep.regions, deep.since, deep.source, deep.note, deep.meta) == (
        ("Alaska",),
        "1.0.0",
        "s",
        "said",
        {"a": "1"},
    )
    assert deep.attrs == {"n": -2.5, "e": "low", "t": "01"}
    assert full["top"].name == "Top"
    assert full["other_thing"].definition == "what\nis left"
    assert full["mix"].parts == {"deep": 0.25, "low": 0.75}
    none = full.special[0]
    assert (none.role, none.name, none.color, none.note) == ("nodata", "Rien", "#ffffff", "said")
    assert (none.labels, none.meta) == ({"en": "None"}, {"k": ["1", {"x": "y"}]})
    assert full.encodings["default"].dtype == "int16"
    assert full.encodings["default"].values == (
        (-1, -1, "none"),
        (5, 5, "deep"),
        (7, 9, "deep"),
        (20, 20, "top"),
        (300, 300, "other_thing"),
        (301, 301, "mix"),
    )
    fine = full.encodings["fine"]
    assert (fine.dtype, fine.nodata, fine.level, fine.about) == ("uint32", 4294967295, 2, "z")
    assert fine.values == ((0, 3, "deep"), (7, 7, "none"), (9, 9, "low"))
    assert full.attributes["e"] == {"type": "enum", "values": ("low", "high")}
    assert full.meta == {"mine": {"deeply": ["1", "2"]}}
    assert found(FULL, "full.yaml") == [("Y016", '" Top"')]


@st.composite
def outlines(draw: st.DrawFn) -> dict[str, Any]:
    """Nested mappings with unique ids and raster values."""
    ids = iter(draw(st.permutations([f"c{number}" for number in range(40)])))
    values = iter(draw(st.permutations(range(1, 90))))

    def leaf() -> Any:
        kind = draw(st.integers(0, 3))
        return next(values) if kind else [next(values), next(values)]

    def grow(depth: int) -> dict[str, Any]:
        count = draw(st.integers(1, 3))
        return {next(ids): grow(depth + 1) if depth < 3 and draw(st.booleans()) else leaf() for _ in range(count)}

    return grow(0)


def block(outline: dict[str, Any], indent: int) -> str:
    lines = []
    for id_, content in outline.items():
        inner = "\n" + block(content, indent + 2) if isinstance(content, dict) else f" {content}\n"
        lines.append(f"{' ' * indent}{id_}:{inner}")
    return "".join(lines)


@settings(max_examples=60, deadline=None)
@given(outlines())
def test_block_and_flow_mean_the_same(outline: dict[str, Any]) -> None:
    expected = Taxonomy.from_outline(outline)
    assert parse("hieratk: taxonomy/1\ntree:\n" + block(outline, 2)) == expected
    flow = str(outline).replace("'", "")
    assert parse(f"hieratk: taxonomy/1\ntree: {flow}\n") == expected


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("road: 14", "raod: 14", [("T601", "road")]),
        ("kind: residual", "kind: residul", [("S006", "residul")]),
        ("kind: mixed", "knid: mixed", [("S003", "knid")]),
        ("also: [tree_cover]", "also: [treecover]", [("T601", "treecover")]),
        ("use: [lake]", "use: [laek]", [("T609", "laek")]),
        ("{0: no_data,", "{0: nodata,", [("T208", "nodata")]),
        ("level: group\n", "level: groups\n", [("S006", "groups")]),
        ("sealed: {type: bool", "sealde: {type: bool", [("T701", "sealed")]),
        ("dtype: uint8}", "dtype: uint}", [("S006", "uint")]),
        ("tree_cover: {broadleaved: 31", "tree_cover: {broadleaved:31", [("Y010", "broadleaved:31")]),
        ("\n    grassland: 37", "\n  grassland: 37", []),
        ('name: Road, color: "#ef6548"', "name: Road, color: #ef6548", [("Y013", "#ef6548")]),
        ('name: "Rock, gravel or sand"', "name: Rock, gravel or sand", [("Y014", "Rock, gravel or sand")]),
        ("levels: [group, class, type]", "levels: [group, class]", [("T103", "road")]),
        ("levels: [group, class, type]", "levels: group", [("S004", "group")]),
        ("railway: 15", "railway: 14", [("T201", "14")]),
        ("railway: 15", "road: 15", [("Y007", "road"), ("T601", "railway")]),
        ("role: excluded", "role: exclude", [("S006", "exclude")]),
        ("  natural:\n    tree_cover", "  natural\n    tree_cover", [("Y001", "natural")]),
        ("  building:     {code", "\tbuilding:     {code", [("Y004", "\t")]),
        ("agriculture: {cropland: 21", "agriculture: {cropland: 21a", [("S007", "21a")]),
        ("sea: 55", "lake: 55", [("T001", "lake"), ("T601", "sea")]),
        ("role: excluded", "rule: excluded", [("S003", "rule")]),
        ("\ntree:", "\ntre:", [("S003", "tre")]),
        ("\nlevels:", "\nlevel:", [("S003", "level")]),
        ("\nattributes:", "\natributes:", [("S003", "atributes")]),
        ("\nclasses:", "\nclases:", [("S003", "clases")]),
        ("version: 1.0.0\ntitle", "version: 1.0\ntitle", [("S007", "1.0")]),
    ],
)
def test_one_typo_one_message(before: str, after: str, expected: list[tuple[str, str]]) -> None:
    assert before in LCLU
    assert found(LCLU.replace(before, after, 1), "lclu.yaml") == expected


FAULTY = """\
hieratk: taxonomy/1
tree: {maize: 1, rice: 2, beets:3}
classes:
  rice: {name: Rice, color: #00ffff}
  maize: {name: Maize, color: #00ff00, synonyms: [corn]}
  beets: {name: Beet: sugar, note: fine}
  oats： {name: Oats}
  rye: {name: Rye, color: #ff0000, code: 7}
\tmillet: {code: 01}
"""


def test_faults_of_the_text_come_at_once() -> None:
    """A parser stops at each of them; what has been explained is put right in memory, and reading goes on."""
    expected = [
        ("Y010", "beets:3"),
        ("Y013", "#00ffff"),
        ("Y013", "#00ff00"),
        ("Y006", "Beet: sugar"),
        ("Y009", "："),
        ("Y013", "#ff0000"),
        ("Y004", "\t"),
    ]
    assert found(FAULTY) == expected
    _, problems = read(Source("tree.yaml", FAULTY))
    assert [problem.position[0] for problem in problems] == [2, 4, 5, 6, 7, 8, 9]
    # The places of fixes are those of the text as written, so that they can be made together.
    edits = [edit for problem in problems if problem.fix for edit in problem.fix.edits]
    better = FAULTY
    for edit in sorted(edits, key=lambda edit: -edit.span.start):
        better = better[: edit.span.start] + edit.content + better[edit.span.end :]
    assert {code for code, _ in found(better)} <= {"T601", "Y011", "T503"}, better


def test_a_repair_that_does_not_help_ends_the_search() -> None:
    """One message for a row: the rest may come from the edit."""
    assert found("hieratk: taxonomy/1\ntree: {a: 1, b: [2, c: #00ff00, d: {e: : 3}\n") == [("Y013", "#00ff00")]
    assert found("hieratk: taxonomy/1\ntree: {beets:3, b: [2}\nclasses: {a: {color: #00ff00}}\n") == [
        ("Y010", "beets:3"),
        ("Y001", "["),
    ]


def test_many_faults_of_the_text_take_no_time() -> None:
    text = "hieratk: taxonomy/1\ntree: {a: 1}\nclasses:\n" + "  a: {color: #00ff00}\n" * 20_000
    begin = time.process_time()
    _, problems = read(Source("tree.yaml", text))
    assert time.process_time() - begin < 5
    assert {problem.code for problem in problems} == {"Y013"}


def test_what_could_not_be_read_is_not_missed() -> None:
    """References to classes in a part that has been reported raise nothing more."""
    text = LCLU.replace("water:\n    inland_water: {", "water:\n    inland_water： {", 1)
    assert found(text, "lclu.yaml") == [("Y009", "：")]
    head = "hieratk: taxonomy/1\n"
    assert found(head + "tree: [a, b]\nclasses: {a: {name: A}}\n") == [("S004", "tree")]
    assert found(head + "tree:\n  a: 1\n  b: {a: 2, c: 3}\nclasses: {c: {name: C}}\n") == [("T001", "a")]
    assert found(head + "tree: {a: 1, b: x}\n") == [("S007", "x")]
    assert found(head + "tree: {a: 1, b: 2}\nattributes: 3\nclasses: {a: {attrs: {x: 1}}}\n") == [("S004", "3")]


def test_a_class_may_stand_for_itself_on_another_level() -> None:
    text = "hieratk: taxonomy/1\nlevels: [one, two]\ntree:\n  a: {b: 1, c: 2}\n  d: 3\n  e: {f: 4, g: 5}\n"
    text += "classes: {e: {level: two}}\n".replace("e: {level: two}", "d: {level: two}")
    shown = "encodings: {%s: {dtype: uint8, level: %s, values: {%s}}}\n"
    assert found(text + shown % ("fine", "two", "1: b, 2: c, 3: d, 4: f")) == []
    assert found(text + shown % ("coarse", "one", "1: a, 3: d, 4: e")) == []
    assert found(text + shown % ("wrong", "one", "1: a, 3: b")) == [("T209", "b")]
    assert found(text + shown % ("wrong", "two", "1: a")) == [("T209", "a")]


def test_nothing_may_be_explained_by_itself() -> None:
    text = (
        "hieratk: taxonomy/1\ntree:\n  a: {some_a: 1}\n  b: 2\nclasses:\n"
        "  a: {deprecated: {since: 1.0.0, use: [some_a]}}\n  some_a: {kind: unspecified}\n"
    )
    assert found(text) == [("T609", "a"), ("T610", "some_a")]


def test_suppressions() -> None:
    base = "hieratk: taxonomy/1\ntree:\n  forest: 1\n  water:%s\n  other_land: 3%s\n"
    assert found(base % ("", "")) == [("T205", "water"), ("T503", "other_land")]
    assert found(base % ("  # hieratk: ignore[T205] no raster", "")) == [("T503", "other_land")]
    assert found("# hieratk: ignore-file[T205, T503] both\n" + base % ("", "")) == []
    assert found(base % ("", "\n  # hieratk: ignore[T205]\n  sea:")) == [("T205", "water"), ("T503", "other_land")]
    assert found(base % ("  # hieratk: ignore[T503]", "")) == [
        ("T205", "water"),
        ("N001", "T503"),
        ("T503", "other_land"),
    ]
    # Text in quotes is no comment, and an error stays one.
    quoted = base % ("", '\ntitle: "# hieratk: ignore-file[T205]"')
    assert ("T205", "water") in found(quoted)
    twice = "hieratk: taxonomy/1\ntree: {a: 1, b: 1}  # hieratk: ignore[T201]\n"
    assert found(twice) == [("T201", "1"), ("N001", "T201")]
    # What a comment may switch off leaves a taxonomy that can be used.
    loose = "hieratk: taxonomy/1\n# hieratk: ignore-file[T701, T702] rough\ntree: {a: 1}\n"
    loose += "classes: {a: {attrs: {x: 1, y: much}}}\nattributes: {y: {type: number, unit: m}}\n"
    assert parse(loose)["a"].attrs == {"x": "1", "y": "much"}
    itself = "hieratk: taxonomy/1\ntree: {a: 1, b: 2}  # hieratk: ignore[T508]\nclasses:\n"
    assert ("T508", "a") in found(itself + "  a: {kind: mixed, parts: [a, b]}  # hieratk: ignore[T508]\n")
    assert read(Source("x", twice))[0] is None
    odd = "\ufeffhieratk: taxonomy/1\ntree: {a: 1}\n# hieratk: ignore-file[Y003] a habit\n"
    assert found(odd) == []


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "my_tree.yaml"
    path.write_text(TINY, encoding="utf-8")
    taxonomy, problems = read_file(path)
    assert taxonomy is not None
    assert taxonomy.id == "my_tree"
    assert codes(problems) == {"P001", "P002", "P005"}
    path.write_bytes(b"\xff\xd8\xff\xe0\x00\x10JFIF")
    taxonomy, problems = read_file(path)
    assert taxonomy is None
    assert codes(problems) == {"Y002"}
    with pytest.raises(TaxonomyError, match="is a folder"):
        read_file(tmp_path)
    with pytest.raises(TaxonomyError, match="there is no file"):
        read_file(tmp_path / "no.yaml")


def mutated(rng: random.Random, text: str) -> str:
    """One to four small faults of the kind that editors and people make."""
    parts = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ": ",
        ",",
        "#",
        '"',
        "'",
        "\n",
        "\n  ",
        "\t",
        "-",
        "&",
        "*",
        "!",
        "：",
        "\u00a0",
        "é",
        "0",
    ]
    parts += [
        "~",
        "no",
        "..",
        "kind: mixed",
        "also: [road]",
        "parts: [road, lake]",
        "level: type",
        "deprecated: ",
        "🌲",
        "1e3",
    ]
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(text) + 1)
        way = rng.randrange(5)
        if way == 0:
            text = text[:at] + text[at + rng.randint(1, 3) :]
        elif way == 1:
            text = text[:at] + rng.choice(parts) + text[at:]
        elif way == 2:
            text = text[:at] + rng.choice(parts) + text[at + 1 :]
        else:
            lines = text.splitlines(keepends=True) or [""]
            one, other = rng.randrange(len(lines)), rng.randrange(len(lines))
            if way == 3:
                lines[one], lines[other] = lines[other], lines[one]
            else:
                words = sorted({word for word in lines[one].replace(":", " ").split() if word.isidentifier()})
                if words:
                    word = rng.choice(words)
                    lines[other] = lines[other].replace(lines[other].strip().split(":")[0] or "\0", word, 1)
            text = "".join(lines)
    return text


def test_mutations_are_read_or_explained() -> None:
    """The short form of the fuzz: never an exception, a taxonomy exactly where nothing is an error, places inside."""
    rng = random.Random(20261)
    sources = [LCLU, FULL, TINY]
    reached: set[str] = set()
    valid = 0
    for _ in range(1200):
        text = mutated(rng, rng.choice(sources))
        taxonomy, problems = read(Source("x.yaml", text))
        reached |= codes(problems)
        assert (taxonomy is None) == any(problem.severity == "error" for problem in problems)
        for problem in problems:
            assert 0 <= problem.span.start <= problem.span.end <= len(text)
        for format_ in ("full", "concise", "json", "sarif", "github"):
            render(problems, format=format_)
        if taxonomy is not None:
            valid += 1
            assert {leaf for node in taxonomy for leaf in taxonomy.allowed(node.id)} <= set(taxonomy.leaves)
            assert taxonomy.fingerprint
    # The fuzz is worth its name only while it gets about.
    assert len(reached) > 45
    assert valid > 50


def flat_tree(count: int) -> str:
    return "tree:\n" + "".join(f"  c{at}: {at}\n" for at in range(count))


def further_parents(count: int, many: int) -> str:
    """Every class below the `many` next ones in steps of 37: circles all over."""
    lines = []
    for at in range(count):
        parents = ", ".join(f"c{(at + 37 * step) % count}" for step in range(1, many + 1))
        lines.append(f"  c{at}: {{also: [{parents}]}}\n")
    return "classes:\n" + "".join(lines)


HOSTILE = {
    "classes": "encodings: {default: {dtype: int32}}\n" + flat_tree(100_000),
    "unknown": "tree: {a: 1}\nclasses:\n" + "".join(f"  c{at}: {{name: x}}\n" for at in range(30_000)),
    "claims": "tree:\n" + "".join(f"  c{at}: 1\n" for at in range(30_000)),
    "encodings": "tree: {a: 1}\nencodings:\n" + "".join(f"  e{at}: {{dtype: uint8}}\n" for at in range(30_000)),
    "deep": "tree:\n" + "".join("  " * depth + f"c{depth}:\n" for depth in range(1, 80)),
    "pattern": 'codes: {pattern: "a*a*a*a*b"}\ntree: {a: 1}\nclasses: {a: {code: "' + "a" * 64 + '"}}\n',
    "circle": flat_tree(8_000) + further_parents(8_000, 1),
    "mesh": flat_tree(1_000) + further_parents(1_000, 39),
    "comments": "tree: {a: 1}\n" + "# hieratk: ignore " * 100_000,
    "rows": "tree: {a: 1}\n" + "# hieratk: ignore[T301]\n" * 100_000,
    "digits": "tree: {a: " + "9" * 10_000 + "}\n",
    "wide": "tree: {a: 0..4294967295, b: 4294967296..9999999999}\nencodings: {default: {dtype: uint32}}\n",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_large_and_hostile_documents_take_seconds_at_most(text: str) -> None:
    begin = time.process_time()
    taxonomy, problems = read(Source("tree.yaml", "hieratk: taxonomy/1\n" + text))
    render(problems)
    assert time.process_time() - begin < 15
    assert (taxonomy is None) == any(problem.severity == "error" for problem in problems)


@pytest.mark.parametrize(
    "pattern", ["[0-9]{3}", r"\d{2}(\.\d{2}){1,3}", "[A-Z][0-9]*", "(?:MC|GR)[0-9]+", "[^]x]+", r"a\(b\)+", "(ab)+"]
)
def test_usable_patterns(pattern: str) -> None:
    assert risk(pattern) == ""


@pytest.mark.parametrize(
    "pattern",
    ["(a+)+", "(a|a)*", "((a*))*", "(a?){50}", "a*a*a*a*a*", r"(a)\1", "(?=a)", "[", "(a", "x" * 300, "(a{1,5}){9}"],
)
def test_patterns_that_may_run_for_ever(pattern: str) -> None:
    assert risk(pattern)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ((50.0, 2.6772, -79.7751), (50.0, 0.0, -82.7485), 2.0425),
        ((50.0, 3.1571, -77.2803), (50.0, 0.0, -82.7485), 2.8615),
        ((50.0, -1.3802, -84.2814), (50.0, 0.0, -82.7485), 1.0000),
        ((50.0, 0.0, 0.0), (50.0, -1.0, 2.0), 2.3669),
        ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0009), 7.1792),
        ((50.0, 2.49, -0.001), (50.0, -2.49, 0.0011), 7.2195),
        ((50.0, -0.001, 2.49), (50.0, 0.0009, -2.49), 4.8045),
        ((50.0, 2.5, 0.0), (50.0, 0.0, -2.5), 4.3065),
        ((50.0, 2.5, 0.0), (73.0, 25.0, -18.0), 27.1492),
        ((50.0, 2.5, 0.0), (56.0, -27.0, -3.0), 31.9030),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_ciede2000(first: tuple[float, ...], second: tuple[float, ...], expected: float) -> None:
    """Pairs from the test data of Sharma, Wu and Dalal (2005), table 1."""
    assert ciede2000(first, second) == pytest.approx(expected, abs=6e-5)  # type: ignore[arg-type]
    assert ciede2000(second, first) == pytest.approx(expected, abs=6e-5)  # type: ignore[arg-type]


def test_close_colors_are_found_among_all_pairs() -> None:
    """The search by lightness against every pair."""
    rng = random.Random(5)
    channels = [(rng.randrange(0x40), rng.randrange(0x30), rng.randrange(0x60)) for _ in range(16)]
    colors = list(dict.fromkeys(f"#{r:02x}{g:02x}{b:02x}" for r, g, b in channels))
    expected = sum(difference(a, b) < 2.5 for at, a in enumerate(colors) for b in colors[:at])
    names = [f"c{at}" for at in range(len(colors))]
    text = (
        f"hieratk: taxonomy/1\ntree: {{{', '.join(f'{name}: {at + 1}' for at, name in enumerate(names))}}}\nclasses:\n"
    )
    text += "".join(f'  {name}: {{color: "{color}"}}\n' for name, color in zip(names, colors, strict=True))
    _, problems = read(Source("x.yaml", text))
    assert 0 < expected < 40
    assert sum(problem.code == "T304" for problem in problems) == expected
