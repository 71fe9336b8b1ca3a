"""Which rules are asked, and how grave their findings are."""

from __future__ import annotations

from typing import Any

import pytest

from hieratk.diagnostics import Source
from hieratk.taxonomy.reader import read
from hieratk.taxonomy.rulebook import rules
from hieratk.taxonomy.selection import Selection

TEXT = """\
hieratk: taxonomy/1
tree: {forest: 1, other_land: 2, ice: , water: 3}
classes:
  forest: {color: "#000000", name: " Forest"}
  water: {color: "#000000", code: 01}
"""


def found(**said: Any) -> dict[str, str]:
    _, problems = read(Source("trees/mine.yaml", TEXT), selection=Selection(**said))
    return {problem.code: problem.severity for problem in problems}


USUAL = {
    **{"Y011": "warning", "Y016": "warning", "T205": "warning", "T301": "warning", "T503": "warning"},
    **{"T306": "info", "T308": "info", "P001": "info", "P002": "info", "P005": "info"},
}


def test_nothing_said_is_everything_but_what_is_off() -> None:
    assert found() == USUAL
    assert found(select=("DEFAULT",)) == USUAL
    _, problems = read(Source("trees/mine.yaml", TEXT))
    assert {problem.code: problem.severity for problem in problems} == USUAL


@pytest.mark.parametrize(
    ("said", "left"),
    [
        ({"select": ("T3",)}, {"T301", "T306", "T308"}),
        ({"select": ("T3", "P001"), "ignore": ("T30",)}, {"P001"}),
        ({"select": ("T",), "ignore": ("T3",)}, {"T205", "T503"}),
        ({"select": ("T308", "P"), "ignore": ("T", "P0")}, {"T308"}),
        ({"ignore": ("T", "Y", "P")}, set()),
        ({"ignore": ("ALL",), "select": ("T301",)}, {"T301"}),
        ({"select": ("ALL",), "ignore": ("ALL",)}, set()),
        ({"per_file_ignores": {"mine.yaml": ("T", "Y")}}, {"P001", "P002", "P005"}),
        ({"per_file_ignores": {"trees/*.yaml": ("T", "Y")}}, {"P001", "P002", "P005"}),
        ({"per_file_ignores": {"other/*.yaml": ("T", "Y")}}, set(USUAL)),
        ({"per_file_ignores": {"min?.yaml": ("P",)}, "ignore": ("T", "Y")}, set()),
    ],
)
def test_the_longest_entry_decides(said: dict[str, Any], left: set[str]) -> None:
    """Y016 stays: as an error it is one without which a file has no meaning, though this one is about a name."""
    assert set(found(**said)) == left | {"Y016"}


def test_rules_that_are_off_are_asked_for() -> None:
    def asked(*select: str) -> set[str]:
        selection = Selection(select=select)
        return {code for code, rule in rules().items() if rule.off and selection.severity_of(rule, "x.yaml")}

    assert asked() == asked("DEFAULT") == set()
    assert asked("DEFAULT", "T404") == asked("T4") == {"T404"}
    assert asked("ALL") >= {"T011", "T106", "T404"}


def test_severities() -> None:
    assert found(severity={"T3": "error", "T301": "info", "Y": "info", "P": "warning"}) == {
        **USUAL,
        **{"T301": "info", "T306": "error", "T308": "error", "Y011": "info"},
        **{"P001": "warning", "P002": "warning", "P005": "warning"},
    }
    taxonomy, _ = read(Source("mine.yaml", TEXT), selection=Selection(severity={"T306": "error"}))
    assert taxonomy is None


def test_a_file_without_meaning_is_never_let_through() -> None:
    nothing = Selection(ignore=("ALL",), severity={"T": "info", "Y": "info", "S": "info"}, select=("P",))
    for text in ("tree: {a: 1, b: 1}", "tree: {a: 1, a: 2}", "tre: {a: 1}", "tree: {a: 1}\nclasses: {b: {name: B}}"):
        taxonomy, problems = read(Source("mine.yaml", f"hieratk: taxonomy/1\n{text}\n"), selection=nothing)
        assert taxonomy is None
        assert [problem.severity for problem in problems if not problem.code.startswith("P")] == ["error"]
    for code, rule in rules().items():
        kept = nothing.severity_of(rule, "mine.yaml")
        assert (kept == "error") == (rule.severity == "error" and not rule.suppressible), code


def test_entries_that_are_no_rule() -> None:
    said = Selection(
        select=("ALL", "T2", "T299"),
        ignore=("Q", ""),
        severity={"P00": "error", "P9": "info"},
        per_file_ignores={"a": ("DEFAULT", "Q", "Z1")},
    )
    assert said.unknown(rules()) == ("T299", "Q", "", "P9", "Z1")


def test_a_suppression_of_what_is_not_asked_is_not_missed() -> None:
    """A rule that a project switches off may still have its comments in the files."""
    text = "hieratk: taxonomy/1\ntree: {forest: 1, water: }  # hieratk: ignore[T205] no raster\n"
    _, problems = read(Source("mine.yaml", text), selection=Selection(ignore=("T205",)))
    assert "N001" not in {problem.code for problem in problems}
