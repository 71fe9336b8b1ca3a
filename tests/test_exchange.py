"""Round trips: what a format can carry comes back equal, for every shipped tree and for random ones with hostile texts.

What each format carries is said here once more, from the tree alone, so that a writer and a reader that forget the same
thing are found out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from hieratk.diagnostics import Source
from hieratk.errors import ExchangeError
from hieratk.exchange import EXPORTED, IMPORTED, Imported, export, import_
from hieratk.exchange.building import merged
from hieratk.exchange.legend import shown_color
from hieratk.taxonomy import catalog
from hieratk.taxonomy.reader import read
from hieratk.taxonomy.tree import Deprecated, Encoding, Node, Taxonomy
from tests.test_dump import trees

FOLDER = catalog.shipped()
NAMES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
FLAT = ("stac", "qml", "rat", "gee")
relaxed = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


def shipped(name: str) -> Taxonomy:
    return catalog.load(FOLDER / f"{name}.yaml")


def there_and_back(taxonomy: Taxonomy, format_: str) -> Imported:
    exported = export(taxonomy, format_)
    imported = import_(Source(f"<{format_}>", exported.text), format_, id=taxonomy.id)
    again, problems = read(Source("<again>", imported.text))
    assert not [problem for problem in problems if problem.severity == "error"]
    assert again == imported.taxonomy
    return imported


def written_encoding(taxonomy: Taxonomy) -> Encoding | None:
    return taxonomy.encodings.get("default") or next(iter(taxonomy.encodings.values()), None)


def meaning(encoding: Encoding | None) -> dict[int, str]:
    """Raster value -> id, value by value."""
    values = encoding.values if encoding is not None else ()
    return {value: id_ for low, high, id_ in values for value in range(low, high + 1)}


def meanings(taxonomy: Taxonomy) -> dict[int, str]:
    return {value: id_ for encoding in taxonomy.encodings.values() for value, id_ in meaning(encoding).items()}


def same_but(taxonomy: Taxonomy, nodes: Iterable[Node], **fields: Any) -> Taxonomy:
    bare = Taxonomy(taxonomy.id, tuple(nodes), taxonomy.level_names)
    return replace(bare, special=tuple(replace(entry, meta={}) for entry in taxonomy.special), **fields)


def used_levels(taxonomy: Taxonomy) -> tuple[str, ...]:
    used = {node.level for node in taxonomy.nodes}
    return tuple(
        name if index in used else f"level{index + 1}"
        for index, name in enumerate(taxonomy.level_names[: max(used) + 1])
    )


def check_csv(taxonomy: Taxonomy) -> None:
    back = there_and_back(taxonomy, "csv").taxonomy
    nodes = [replace(node, attrs={}, meta={}) for node in taxonomy.nodes]
    expected = same_but(taxonomy, nodes, level_names=used_levels(taxonomy))
    assert replace(back, encodings={}) == expected
    assert meanings(back) == meaning(written_encoding(taxonomy))


def check_skos(taxonomy: Taxonomy) -> None:
    pytest.importorskip("rdflib")
    back = there_and_back(taxonomy, "skos").taxonomy
    order = [node.id for node in taxonomy.nodes]
    nodes = [
        replace(
            node,
            synonyms=tuple(sorted(set(node.synonyms) - {node.name})),
            also=tuple(sorted(node.also, key=order.index)),
            deprecated=node.deprecated
            and Deprecated(
                node.deprecated.since, tuple(sorted(node.deprecated.use, key=order.index)), node.deprecated.note
            ),
            labels={tag: text for tag, text in node.labels.items() if tag != taxonomy.lang},
            **{"attrs": {}, "meta": {}, "regions": (), "since": None, "source": None},
        )
        for node in taxonomy.nodes
    ]
    head = {key: getattr(taxonomy, key) for key in ("title", "description", "version", "lang", "license")}
    expected = same_but(taxonomy, nodes, **head)
    assert replace(back, encodings={}, special=()) == replace(expected, special=())
    assert {entry.id: entry for entry in back.special} == {entry.id: entry for entry in expected.special}
    assert meanings(back) == meaning(written_encoding(taxonomy))


def check_stac(taxonomy: Taxonomy) -> None:
    back = there_and_back(taxonomy, "stac").taxonomy
    values = meaning(written_encoding(taxonomy))
    assert meanings(back) == values
    shown = [node for node in taxonomy.nodes if node.id in values.values()]
    voids = [entry for entry in taxonomy.special if entry.id in values.values()]
    classes = [(node.id, node.name, node.color, node.definition) for node in shown]
    classes += [(entry.id, entry.name, entry.color, None) for entry in voids if entry.role != "nodata"]
    assert [(node.id, node.name, node.color, node.definition) for node in back.nodes] == classes
    assert [(s.id, s.name, s.color, s.role) for s in back.special] == [
        (s.id, s.name, s.color, s.role) for s in voids if s.role == "nodata"
    ]


def check_qml(taxonomy: Taxonomy) -> None:
    back = there_and_back(taxonomy, "qml").taxonomy

    def seen(tree: Taxonomy, values: dict[int, str]) -> dict[int, tuple[str, str | None, str]]:
        special = {entry.id: (entry.name, None, shown_color(tree, entry.id)) for entry in tree.special}
        classes = {node.id: (node.name, node.code, node.color or shown_color(tree, node.id)) for node in tree.nodes}
        return {value: (classes | special)[id_] for value, id_ in values.items()}

    assert seen(back, meanings(back)) == seen(taxonomy, meaning(written_encoding(taxonomy)))


def check_rat(taxonomy: Taxonomy) -> None:
    back = there_and_back(taxonomy, "rat").taxonomy
    values = meaning(written_encoding(taxonomy))
    assert meanings(back) == values
    above = {id_ for owner in values.values() if owner in taxonomy for id_ in taxonomy.path(owner)}
    expected = [
        (node.id, node.level, node.parent, node.name, node.code, node.color)
        if node.id in values.values()
        else (node.id, node.level, node.parent, node.id.replace("_", " "), None, None)
        for node in taxonomy.nodes
        if node.id in above
    ]
    assert [(n.id, n.level, n.parent, n.name, n.code, n.color) for n in back.nodes] == expected
    roles = {entry.id: (entry.role, entry.name, entry.color) for entry in taxonomy.special}
    assert {s.id: (s.role, s.name, s.color) for s in back.special} == {
        id_: role for id_, role in roles.items() if id_ in values.values()
    }
    assert back.level_names == taxonomy.level_names


def check_gee(taxonomy: Taxonomy) -> None:
    back = there_and_back(taxonomy, "gee").taxonomy

    def seen(tree: Taxonomy, values: dict[int, str]) -> dict[int, tuple[list[str], str | None]]:
        voids = {entry.id: ([entry.name], entry.color) for entry in tree.special}
        return {
            value: voids[id_] if id_ in voids else ([tree[above].name for above in tree.path(id_)], tree[id_].color)
            for value, id_ in values.items()
        }

    assert seen(back, meanings(back)) == seen(taxonomy, meaning(written_encoding(taxonomy)))


def check_mmseg(taxonomy: Taxonomy) -> None:
    back = there_and_back(taxonomy, "mmseg").taxonomy
    classes = [taxonomy[id_] for id_ in taxonomy.levels[-1].classes]
    names = [node.name for node in classes]
    expected = names if len(set(names)) == len(names) else [node.id for node in classes]
    assert [node.name for node in back.nodes] == expected
    assert [node.color for node in back.nodes] == [shown_color(taxonomy, node.id) for node in classes]
    at = {node.id: index for index, node in enumerate(back.nodes)}
    assert {value: at[id_] for value, id_ in meanings(back).items()} == (
        numbers(taxonomy) or {index: index for index in range(len(classes))}
    )


def finest_encoding(taxonomy: Taxonomy) -> Encoding | None:
    last = len(taxonomy.level_names) - 1
    return next((e for e in taxonomy.encodings.values() if e.level == last), written_encoding(taxonomy))


def numbers(taxonomy: Taxonomy) -> dict[int, int]:
    """Raster value -> class number at the finest level, by the leaves that a value allows."""
    finest = taxonomy.levels[-1].classes
    allowed = {value: list(taxonomy.allowed(id_)) for value, id_ in meaning(finest_encoding(taxonomy)).items()}
    return {value: finest.index(leaves[0]) for value, leaves in allowed.items() if len(leaves) == 1}


def check_coco(taxonomy: Taxonomy) -> None:
    back = there_and_back(taxonomy, "coco").taxonomy
    above = taxonomy.levels[-2].classes if len(taxonomy.levels) > 1 else ()
    by_value = meanings(back)
    seen = {by_value[value]: value for value in sorted(by_value, reverse=True)}
    categories = sorted((seen[node.id], node.name, node.parent, node.color) for node in back.nodes if node.id in seen)
    first: dict[int, int] = {}
    for value, index in sorted(numbers(taxonomy).items()):
        first.setdefault(index, value)
    finest = taxonomy.levels[-1].classes
    complete = len(first) == len(finest) and finest_encoding(taxonomy) is not None
    expected = []
    for index, id_ in enumerate(finest):
        node = taxonomy[id_]
        holder = next((other for other in taxonomy.path(id_) if other in above and other != id_), None)
        expected.append((first[index] if complete else index + 1, node.name, holder, node.color))
    assert categories == sorted(expected, key=lambda entry: entry[0])


CHECKS = {
    "csv": check_csv,
    "skos": check_skos,
    "stac": check_stac,
    "qml": check_qml,
    "rat": check_rat,
    "gee": check_gee,
    "mmseg": check_mmseg,
    "coco": check_coco,
}


def test_every_format_that_is_read_has_a_round_trip() -> None:
    assert set(CHECKS) == set(IMPORTED)
    assert set(IMPORTED) <= set(EXPORTED)


@pytest.mark.parametrize("format_", IMPORTED)
@pytest.mark.parametrize("name", NAMES)
def test_shipped_trees(name: str, format_: str) -> None:
    taxonomy = shipped(name)
    if format_ in FLAT and not taxonomy.encodings:
        with pytest.raises(ExchangeError, match="has no raster values"):
            export(taxonomy, format_)
        return
    CHECKS[format_](taxonomy)


def without_arrows(taxonomy: Taxonomy) -> Taxonomy:
    """Names that hold the sign itself, or begin with a number, are said to be torn: test_an_arrow_in_a_name_is_said."""

    def tame(entry: Any) -> Any:
        return replace(entry, name=entry.id) if re.search(r"[>(]|^\d", entry.name) else entry

    return replace(taxonomy, nodes=tuple(map(tame, taxonomy.nodes)), special=tuple(map(tame, taxonomy.special)))


@pytest.mark.parametrize("format_", IMPORTED)
def test_random_trees(format_: str) -> None:
    @relaxed
    @given(trees())
    def check(taxonomy: Taxonomy) -> None:
        encoding = written_encoding(taxonomy)
        if format_ in FLAT and not any(id_ in taxonomy for id_ in meaning(encoding).values()):
            with pytest.raises(ExchangeError, match="has no raster values"):
                export(taxonomy, format_)
            return
        CHECKS[format_](without_arrows(taxonomy) if format_ == "gee" else taxonomy)

    check()


@relaxed
@given(trees())
def test_the_other_formats_take_every_tree(taxonomy: Taxonomy) -> None:
    diagram = export(taxonomy, "mermaid").text
    assert diagram.count("-->") == sum(node.parent is not None for node in taxonomy.nodes)
    assert len(diagram.splitlines()) == 1 + len(taxonomy.nodes) + diagram.count("->") + diagram.count("  style ")
    outputs = json.loads(export(taxonomy, "mlm").text)["mlm:output"]
    assert [[entry["name"] for entry in output["classification:classes"]] for output in outputs] == [
        list(level.classes) for level in taxonomy.levels
    ]


@pytest.mark.parametrize("format_", EXPORTED)
def test_what_is_lost_is_said_with_counts(format_: str) -> None:
    """lclu has every field: the texts of each are in the file, or the field is named as lost."""
    taxonomy = shipped("lclu")
    exported = export(taxonomy, format_)
    lost = " | ".join(exported.lost)
    texts = {
        "synonyms of": [text for node in taxonomy.nodes for text in node.synonyms],
        "names in other languages of": [text for node in taxonomy.nodes for text in node.labels.values()],
        "definitions of": [node.definition for node in taxonomy.nodes if node.definition],
    }
    for words, stated in texts.items():
        kept = [text for text in stated if text in exported.text]
        assert (len(kept) < len(stated)) == (words in lost), (words, lost)
    assert re.search("attribute values of [1-3] class", lost) or format_ in ("mmseg", "coco", "mlm", "stac", "qml")
    assert "encoding" in lost


def test_values_of_a_level() -> None:
    """The classes of a level, with the raster values of everything below them."""
    taxonomy = shipped("corine")
    classes = json.loads(export(taxonomy, "stac", level=taxonomy.level_names[0], encoding="default").text)[
        "classification:classes"
    ]
    top = taxonomy.levels[0].classes
    assert {entry["name"] for entry in classes if not entry.get("nodata")} >= set(top)
    values = meaning(written_encoding(taxonomy))
    for entry in classes:
        if entry["name"] in top:
            assert taxonomy.path(values[entry["value"]])[0] == entry["name"]
    assert len(classes) == len(values)


def test_an_encoding_made_for_a_level_is_taken_for_it() -> None:
    taxonomy = shipped("lclu")
    own = taxonomy.encodings["groups"]
    by_level = json.loads(export(taxonomy, "stac", level="group").text)["classification:classes"]
    assert {entry["value"]: entry["name"] for entry in by_level} == meaning(own)
    by_name = json.loads(export(taxonomy, "stac", encoding="groups").text)["classification:classes"]
    assert by_level == by_name


def test_values_are_merged_into_ranges() -> None:
    assert merged([(5, 5), (1, 2), (3, 3), (3, 4), (7, 9), (8, 8)]) == ((1, 5), (7, 9))
