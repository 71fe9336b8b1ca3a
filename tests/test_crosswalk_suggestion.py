"""Drafts: what is proposed and why, and that they are crosswalks without faults."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hieratk.crosswalk import read, suggest
from hieratk.crosswalk.suggestion import ACCEPTED, candidates, document
from hieratk.diagnostics import Source, render
from hieratk.taxonomy.catalog import load
from hieratk.taxonomy.tree import Special, Taxonomy
from tests.strategies import taxonomies


def tree(id_: str, outline: Mapping[str, object], **classes: Mapping[str, object]) -> Taxonomy:
    return Taxonomy.from_outline(outline, id=id_, classes=classes)


A = tree(
    "a",
    {"crops": {"maize": 1, "oil_seeds": 2, "field_beans": 3, "rise": 4, "others": 5}, "bare": 6, "misc": 7},
    maize={"name": "Maize", "color": "#ffd400"},
    oil_seeds={"name": "Oil seeds"},
    rise={"name": "Sunflowr"},
    others={"name": "Other crops", "kind": "residual"},
    bare={"labels": {"fr": "Sol nu"}},
    misc={"color": "#123456"},
)
B = tree(
    "b",
    {"crops": {"corn": 1, "seeds_oil": 2, "beans": 3, "sunflower": 4, "rest": 5}, "soil": 6, "road": 7, "old_maize": 8},
    corn={"synonyms": ("maize",), "color": "#ffd400"},
    seeds_oil={"name": "Seeds, oil"},
    rest={"name": "Other crops", "kind": "residual"},
    soil={"labels": {"fr": "Sol nu"}},
    road={"color": "#123456"},
    old_maize={"name": "Maize", "kind": "unspecified"},
)


@pytest.mark.parametrize(
    ("source", "target", "verb", "reason", "low", "high"),
    [
        ("crops", "crops", "is", "same name crops", 0.9, 0.9),
        ("maize", "corn", "is", "same synonym Maize; same colour #ffd400; the class above is near crops", 0.85, 0.95),
        ("oil_seeds", "seeds_oil", "is", "the same words; the class above is near crops", 0.8, 0.9),
        ("field_beans", "beans", "within", "its name holds the words bean; the class above is near crops", 0.6, 0.7),
        ("rise", "sunflower", "is", "almost the same name, sunflower; the class above is near crops", 0.7, 0.75),
        ("bare", "soil", "is", "same translation Sol nu", 0.8, 0.8),
        ("others", "rest", "overlaps",
         "same name Other crops; the class above is near crops; two rests are seldom the same", 0.4, 0.5),
        ("misc", "road", "is", "same colour #123456", 0.15, 0.15),
    ],
)  # fmt: skip
def test_reasons(source: str, target: str, verb: str, reason: str, low: float, high: float) -> None:
    best = candidates(A, B)[source][0]
    assert (best.target, best.verb) == (target, verb)
    assert "; ".join(best.reasons) == reason
    assert low <= best.confidence <= high


def test_codes_count_only_where_the_two_trees_share_them() -> None:
    def coded(id_: str, **names: str) -> Taxonomy:
        pairs = {f"c{code[1:]}" if id_ == "a" else f"k{code[1:]}": name for code, name in names.items()}
        details = {key: {"code": key[1:], "name": name} for key, name in pairs.items()}
        return tree(id_, dict.fromkeys(pairs), **details)

    old = coded("a", c111="Urban fabric", c112="Rice field", c113="Open water", c114="Peat bog")
    new = coded("b", c111="Urban area, dense fabric", c112="Rice", c113="Water", c114="Mire")
    best = candidates(old, new)["c114"][0]
    assert best.target == "k114"
    assert best.reasons == ("same code 114",)
    other = coded("b", c111="Beach", c112="Orchard", c113="Road", c114="Mire")
    assert candidates(old, other)["c114"] == ()


def test_a_draft_is_never_sure_of_itself() -> None:
    draft = suggest(A, B)
    lines = {entry.source: entry for entry in draft.entries}
    assert set(lines) == {"crops", "maize", "oil_seeds", "bare"}
    assert all(entry.confidence is not None and entry.confidence >= ACCEPTED and entry.note for entry in lines.values())
    assert draft.unmapped == "ignore"
    text = document(A, B)
    assert text.startswith("# A draft from a 0.0.0 to b 0.0.0")
    assert "nobody has looked at it yet" in text
    assert "\n  # others: {overlaps: [rest], confidence: 0." in text
    assert "\n  # misc: {is: road, confidence: 0.15, note: " in text
    assert "old_maize" not in text


def test_two_classes_are_not_one() -> None:
    pair = tree("a", {"maize": 1, "corn": 2})
    draft = suggest(pair, tree("b", {"grain_maize": 1}, grain_maize={"name": "Maize", "synonyms": ("corn",)}))
    assert [(entry.source, entry.verb) for entry in draft.entries] == [("maize", "is"), ("corn", "within")]
    assert draft.entries[1].note == "same synonym corn; `maize` is surer to be the same"


@settings(max_examples=40, deadline=None)
@given(taxonomies(max_levels=3), taxonomies(max_levels=3), st.data())
def test_every_draft_is_a_crosswalk_without_errors(a: Taxonomy, b: Taxonomy, data: st.DataObject) -> None:
    """Ids of random trees are equal by chance, so that drafts are full of false friends."""
    from dataclasses import replace

    colors = data.draw(st.lists(st.sampled_from(("#000000", "#ff0000", "#00ff00")), min_size=24, max_size=24))
    a = replace(a, id="a", nodes=tuple(replace(n, color=c) for n, c in zip(a.nodes, colors, strict=False)))
    if a.predicted and suggest(a, b).entries:
        text = document(a, b)
        again, problems = read(Source("a_to_random.yaml", text), between=(a, b))
        assert again == suggest(a, b), render([p for p in problems if p.severity == "error"])


def test_fbp_to_mm5b_beside_the_official_table() -> None:
    """Of the lines that are said, none is against the authors' table; the same class is always said to be the same."""
    from hieratk.crosswalk import load as load_crosswalk

    official = {entry.source: entry for entry in load_crosswalk("fbp_to_mm5b").entries}
    draft = suggest(load("fbp"), load("mm5b"))
    lines = [entry for entry in draft.entries if entry.verb != "none"]
    assert len(lines) == 14
    assert all(official[entry.source].targets == entry.targets for entry in lines)


def test_specials_by_role() -> None:
    from dataclasses import replace

    a = replace(A, special=(Special("cloud", "excluded"), Special("hole", "nodata")))
    b = replace(B, special=(Special("void", "nodata"),))
    ends = [(entry.source, entry.targets) for entry in suggest(a, b).entries if entry.verb == "none"]
    assert ends == [("cloud", ("excluded",)), ("hole", ("void",))]
