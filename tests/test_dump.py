"""dump writes what read reads: for random trees with every field, and the same text to any YAML reader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from random import Random
from types import MappingProxyType
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hieratk.diagnostics import Source
from hieratk.errors import TaxonomyError
from hieratk.taxonomy.dump import COLUMNS, dump, scalar
from hieratk.taxonomy.reader import read
from hieratk.taxonomy.tree import Deprecated, Encoding, Node, Special, Taxonomy

HOSTILE = (
    *("no", "Yes", "on", "null", "~", "true", "=", "<<", ".inf", "y", "N"),
    *("1.10", "0101", "0801", "1e3", "0x1F", "0b1", "0o7", "12:30", "1_000", "+5", "-1", ".5", "5.", "2026-08-24"),
    *("2026-08-24 12:00:00", "1" * 70, "1.2.3"),
    *(
        "Rock, gravel or sand",
        "a: b",
        "a #b",
        "a#b",
        "a:b",
        "b:",
        "- a",
        "-a",
        "? a",
        "[x]",
        "{x}",
        "x]",
        "!tag",
        "&a",
        "*a",
    ),
    *(
        "| a",
        "> a",
        "'a'",
        '"a"',
        'say "a"',
        "it's",
        "a\\b",
        "%a",
        "@a",
        "`a`",
        "#ff0000",
        ":",
        "a\nb",
        "a\tb",
        "...",
        "---",
    ),
    *(
        "玉米",
        "name： 玉米",
        "“quoted”",
        "Surfaces bâties",
        "e\u0301",
        "a\u200bb",
        "a\u00a0b",
        "\ufeffa",
        "a\u2028b",
        "a\x85b",
        "😀",
    ),
    *("x" * 130, "word " * 40 + "end", "two  blanks " * 12 + "end", "玉米 " * 60 + "end"),
)
text = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=30).filter(lambda s: s == s.strip()),
)
IDS = (
    "no",
    "on",
    "yes",
    "null",
    "true",
    "y",
    "n",
    "a",
    "b1",
    "c_2",
    "wheat",
    "winter_wheat",
    "x" * 64,
    "other_land",
    "e3",
)

ATTRIBUTES = {
    "sealed": {"type": "bool", "about": "no water: goes through"},
    "season": {"type": "enum", "values": ("winter", "no", "a, b")},
    "height": {"type": "range", "unit": "m"},
    "albedo": {"type": "number", "unit": "1"},
    "no": {"type": "text"},
}
ATTRIBUTE_VALUES: dict[str, Sequence[Any]] = {
    "sealed": (True, False),
    "season": ("winter", "no", "a, b"),
    "height": ("2..", "..5", "2..5", "-1.5..0"),
    "albedo": (3, -2, 0.25, 1e-07, 123456789.5),
    "no": HOSTILE,
}


class _Draw(Random):
    """Fields of a tree from one seed: hypothesis draws the shape, so that failures shrink to a small tree."""

    def text(self) -> str:
        if self.random() < 0.7:
            return self.choice(HOSTILE)
        points = [*range(0x20, 0x7F), *range(0xA0, 0x180), 0x200B, 0x3042, 0xFF1A, 0x1F600, 0xE000, 0x2029]
        return "".join(chr(self.choice(points)) for _ in range(self.randint(1, 20))).strip() or "x"

    def maybe(self, value: Any) -> Any:
        return None if self.random() < 0.6 else value

    def some(self, values: Iterable[Any], chance: float = 0.5) -> list[Any]:
        return [value for value in values if self.random() < chance]

    def texts(self, most: int) -> list[str]:
        return list(dict.fromkeys(self.text() for _ in range(self.randint(0, most))))

    def labels(self) -> dict[str, str]:
        return {tag: self.text() for tag in self.some(("fr", "zh", "no", "pt-BR", "zh-Hant"), 0.2)}

    def color(self) -> str:
        return f"#{self.randrange(0x1000000):06x}"

    def version(self) -> str:
        return ".".join(str(self.randint(0, 20)) for _ in range(3))

    def meta(self, depth: int = 2) -> dict[str, Any]:
        if self.random() < 0.7:
            return {}
        return {key: self.free(depth) for key in self.texts(2)}

    def free(self, depth: int) -> Any:
        kind = self.randint(0, 3) if depth else 3
        if kind == 0:
            return [self.free(depth - 1) for _ in range(self.randint(0, 3))]
        if kind == 1:
            return {key: self.free(depth - 1) for key in self.texts(3)}
        return self.text()


@st.composite
def trees(draw: st.DrawFn) -> Taxonomy:
    """A tree that the rules allow, any field of which may be set."""
    depth = draw(st.integers(1, 4))
    size = draw(st.integers(2, len(IDS)))
    rnd = _Draw(draw(st.integers(0, 2**32 - 1)))
    levels = tuple(f"l{i}" for i in range(depth))
    nodes: list[Node] = []
    for id_ in rnd.sample(IDS, size):
        # Below the class before, or below one above it, or at the top: so the list stays depth first.
        chain = [nodes[-1]] if nodes else []
        while chain and chain[-1].parent is not None:
            chain.append(next(n for n in nodes if n.id == chain[-1].parent))
        parent = rnd.choice([None, *(n for n in chain if n.level + 1 < depth)])
        least = 0 if parent is None else parent.level + 1
        level = least + (least + 1 < depth and rnd.random() < 0.2)
        nodes.append(Node(id_, level, parent.id if parent else None, name=id_.replace("_", " ")))
    inner = {node.parent for node in nodes}
    leaves = [node.id for node in nodes if node.id not in inner]
    plain = leaves[: max(2, len(leaves) // 2)]
    codes = [code for code in rnd.texts(size) if code not in IDS]
    for i, node in enumerate(nodes):
        fields: dict[str, Any] = {
            "children": tuple(n.id for n in nodes if n.parent == node.id),
            "name": rnd.maybe(rnd.text()) or node.name,
            "code": codes[i] if i < len(codes) else None,
            "color": rnd.maybe(rnd.color()),
            "labels": rnd.labels(),
            "synonyms": tuple(rnd.texts(5)) if rnd.random() < 0.3 else (),
            "definition": rnd.maybe(rnd.text()),
            "regions": tuple(rnd.texts(2)) if rnd.random() < 0.2 else (),
            "since": rnd.maybe(rnd.version()),
            "source": rnd.maybe(rnd.text()),
            "note": rnd.maybe(rnd.text()),
            "meta": rnd.meta(),
            "also": tuple(rnd.some(leaves[: leaves.index(node.id)], 0.2)) if node.id in leaves else (),
            "attrs": {name: rnd.choice(values) for name, values in ATTRIBUTE_VALUES.items() if rnd.random() < 0.1},
        }
        if node.id not in inner and node.id not in plain:
            fields |= rnd.choice([{}, {"kind": "residual"}, *_kinds(rnd, node, plain)])
        nodes[i] = replace(node, **fields)
    special = tuple(
        Special(f"void_{i}", role, rnd.maybe(rnd.text()) or f"void {i}", rnd.labels(), rnd.maybe(rnd.color()),
                rnd.maybe(rnd.text()), rnd.meta())
        for i, role in enumerate(rnd.some(("nodata", "unlabelled", "excluded")))
    )  # fmt: skip
    return Taxonomy(
        id=rnd.choice(IDS),
        nodes=tuple(nodes),
        level_names=levels,
        special=special,
        encodings=_encodings(rnd, nodes, special, levels),
        version=rnd.version(),
        title=rnd.text(),
        description=rnd.maybe(rnd.text()),
        lang=rnd.choice(("en", "de", "pt-PT")),
        license=rnd.maybe("CC0-1.0"),
        codes=rnd.maybe({"pattern": '[0-9]{1,3}|C: #1, "x"', "nesting": rnd.choice(("none", "prefix"))}) or {},
        attributes=ATTRIBUTES,
        source=tuple(
            {"title": rnd.text(), **dict(rnd.some((("url", "https://example.org/a?b=1,2"), ("date", "2024-05"))))}
            for _ in range(rnd.randint(0, 2))
        ),
        meta=rnd.meta(),
    )


def _kinds(rnd: _Draw, node: Node, plain: list[str]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"deprecated": Deprecated(rnd.version(), tuple(plain[:2]), rnd.maybe(rnd.text()))}]
    if node.parent is not None:
        found.append({"kind": "unspecified"})
    if len(plain) >= 2:
        found += [
            {"kind": "mixed", "parts": dict.fromkeys(plain)},
            {"kind": "mixed", "parts": {plain[0]: 0.75, plain[1]: 0.25}},
            {"kind": "mixed", "parts": {plain[0]: 1e-05, plain[1]: 0.99999}},
        ]
    return found


def _encodings(
    rnd: _Draw, nodes: list[Node], special: tuple[Special, ...], levels: tuple[str, ...]
) -> dict[str, Encoding]:
    found: dict[str, Encoding] = {}
    for name in ("default", *rnd.some(("other", "no"))):
        level = rnd.maybe(rnd.randrange(len(levels)))
        dtype, low, high = rnd.choice((("uint8", 0, 255), ("int16", -32768, 32767), ("uint32", 0, 2**32 - 1)))
        owners = rnd.some([n.id for n in nodes if level is None or n.level == level] + [s.id for s in special])
        if not owners:
            continue
        owners += rnd.choices(owners, k=rnd.randint(0, 3))
        ends = sorted(rnd.sample(range(low, high + 1), 2 * len(owners)))
        rnd.shuffle(owners)
        values = []
        for i, owner in enumerate(owners):
            first, last = ends[2 * i], ends[2 * i + 1]
            values.append((first, last if last - first <= 1000 and rnd.random() < 0.5 else first, owner))
        found[name] = Encoding(name, dtype, tuple(values), level, None, rnd.maybe(rnd.text()))  # type: ignore[arg-type]
    return found


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(trees())
def test_what_is_written_is_read_back(tree: Taxonomy) -> None:
    written = dump(tree)
    again, problems = read(Source("tree.yaml", written))
    errors = [(p.code, p.message, p.underlined) for p in problems if p.severity == "error"]
    assert not errors, f"{errors}\n{written}"
    assert again is not None
    for name in ("nodes", "special", "attributes", "meta", "source"):
        assert getattr(again, name) == getattr(tree, name), written
    assert again == tree, written
    assert dump(again) == written


@settings(max_examples=120, deadline=None, suppress_health_check=list(HealthCheck))
@given(trees())
def test_every_yaml_reader_sees_the_same_text(tree: Taxonomy) -> None:
    """PyYAML with its own typing is the slow truth: what is text to us is text to it."""
    seen = yaml.safe_load(dump(tree))
    assert seen["id"] == tree.id
    assert seen["title"] == tree.title
    assert seen.get("description") == tree.description
    assert seen.get("meta", {}) == tree.meta
    for node in tree.nodes:
        line = seen.get("classes", {}).get(node.id, {})
        assert line.get("name", node.id.replace("_", " ")) == node.name
        assert line.get("code") == node.code
        assert line.get("color") == node.color
        assert line.get("labels", {}) == node.labels
        assert tuple(line.get("synonyms", ())) == node.synonyms
        assert line.get("note") == node.note
        assert line.get("meta", {}) == node.meta
        attrs = line.get("attrs", {})
        assert {name: float(value) if name == "albedo" else value for name, value in attrs.items()} == node.attrs
    for encoding in tree.encodings.values():
        if encoding.name != "default":
            assert set(seen["encodings"][encoding.name]["values"].values()) == {
                owner for _, _, owner in encoding.values
            }


@settings(max_examples=300, deadline=None)
@given(text, st.booleans())
def test_a_scalar_is_text_in_its_place(value: str, flow: bool) -> None:
    line = scalar(value, flow=flow)
    document = f"{{a: {line}, b: {line}}}" if flow else f"a: {line}\nb: {line}\n"
    assert yaml.safe_load(document) == {"a": value, "b": value}
    assert "\n" not in line


def test_layout() -> None:
    tree = Taxonomy(
        id="farm",
        version="1.2.0",
        title="Fields: what grows",
        license="CC0-1.0",
        source=({"title": "Own work", "date": "2024"},),
        codes={"pattern": "[0-9]+", "nesting": "none"},
        level_names=("group", "crop"),
        nodes=(
            Node("cereals", 0, None, ("wheat", "maize", "no"), "Cereals", color="#ffd400"),
            Node("wheat", 1, "cereals", (), "Wheat", code="0101", labels={"no": "hvete", "zh": "小麦"}),
            Node("maize", 1, "cereals", (), "maize", synonyms=("corn", "sweet corn, too")),
            Node("no", 1, "cereals", (), "No crop", kind="residual"),
            Node("both", 1, None, (), "both", kind="mixed", parts={"wheat": 0.5, "maize": 0.5}),
            Node("old", 0, None, (), "old", deprecated=Deprecated("1.1.0", ("wheat",))),
        ),
        special=(Special("void", "nodata", "void"),),
        encodings={
            "default": Encoding(
                "default", "uint8", ((0, 0, "void"), (1, 1, "wheat"), (2, 4, "maize"), (7, 7, "maize"), (9, 9, "no"))
            ),
            "groups": Encoding("groups", "int16", ((-1, -1, "void"), (1, 5, "cereals")), 0, -1),
        },
    )  # fmt: skip
    assert (
        dump(tree)
        == """\
hieratk: taxonomy/1
id: farm
version: 1.2.0
title: "Fields: what grows"
license: CC0-1.0
source:
  - {title: Own work, date: "2024"}
codes: {pattern: "[0-9]+", nesting: none}
levels: [group, crop]

tree:
  cereals: {wheat: 1, maize: [2..4, 7], "no": 9}
  both:
  old:

special:
  void: {role: nodata, pixel: 0}

classes:
  cereals: {name: Cereals, color: "#ffd400"}
  wheat:   {code: "0101", name: Wheat, labels: {"no": hvete, zh: 小麦}}
  maize:   {synonyms: [corn, "sweet corn, too"]}
  "no":    {name: No crop, kind: residual}

  both: {kind: mixed, parts: {wheat: 0.5, maize: 0.5}, level: crop}
  old:
    deprecated: {since: 1.1.0, use: [wheat]}

encodings:
  groups: {dtype: int16, nodata: -1, level: group, values: {-1: void, 1..5: cereals}}
"""
    )


def test_long_text_is_folded_and_lines_stay_short() -> None:
    words = "a class of land that takes many words to describe " * 8
    tree = replace(
        Taxonomy.from_outline({"a": 1, "b": 2}),
        description=words.strip(),
        meta=MappingProxyType({"k": [words.strip()] * 2}),
    )
    written = dump(tree)
    head = written.split("meta:")[0]
    assert "description: >-\n  a class of land" in head
    assert max(map(len, head.splitlines())) <= COLUMNS
    assert yaml.safe_load(written)["description"] == words.strip()


def test_shares_for_some_parts_only_cannot_be_written() -> None:
    tree = Taxonomy.from_outline(
        {"a": 1, "b": 2, "c": 3}, classes={"c": {"kind": "mixed", "parts": {"a": 0.5, "b": None}}}
    )
    with pytest.raises(TaxonomyError, match="class `c` states shares for some of its parts only"):
        dump(tree)
