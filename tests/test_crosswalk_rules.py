"""Every rule about crosswalks: a broken file with its exact text and place, and a page whose examples are right."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hieratk.crosswalk import Entry, load, read, read_file, trees
from hieratk.crosswalk.checking import check
from hieratk.crosswalk.composition import unknown
from hieratk.crosswalk.reader import build
from hieratk.diagnostics import Problem, Source, render
from hieratk.documents import read_source
from hieratk.taxonomy.rulebook import page, rules

BAD = Path(__file__).parent / "bad" / "crosswalk"
BESIDE = {"farm", "land", "cover", "broken", "land_to_cover"}
FILES = sorted(path for path in BAD.glob("*.yaml") if path.stem not in BESIDE)
UNDERLINED = json.loads((BAD / "underlined.json").read_text(encoding="utf-8"))
OWN = [code for code in rules() if code.startswith("X")]


def code_of(path: Path) -> str:
    return path.stem.split("_")[0].upper()


def findings(name: str, code: str) -> list[Problem]:
    """What the rules say about a file of this folder, remarks of other rules aside; X020 is what composing says."""
    source, problems = read_source(name)
    checked = check(source)
    problems += checked.problems
    if code == "X020":
        bc = load("land_to_cover.yaml")
        b, c = trees(bc, beside="land_to_cover.yaml")
        assert checked.draft is not None
        assert checked.source is not None
        problems += unknown(source, checked.draft, bc, (checked.source, b, c), build(checked.draft))
    return [problem for problem in problems if problem.code == code or problem.severity != "info"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_broken_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exact text, the text underlined, and no other finding."""
    monkeypatch.chdir(BAD)
    code = code_of(path)
    found = findings(path.name, code)
    assert {problem.code for problem in found} == {code}
    assert render(found) == path.with_suffix(".txt").read_text(encoding="utf-8")
    assert [problem.underlined for problem in found] == UNDERLINED[path.stem]
    crosswalk, _ = read_file(path.name)
    assert (crosswalk is None) == any(problem.severity == "error" for problem in found)


def test_every_rule_has_a_broken_file() -> None:
    assert [f"X{number:03}" for number in range(1, 21)] == OWN
    assert set(OWN) <= {code_of(path) for path in FILES}
    assert {path.stem for path in FILES} == set(UNDERLINED) == {path.stem for path in BAD.glob("*.txt")}


@pytest.mark.parametrize("code", OWN)
def test_examples_on_the_page(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wrong one draws the rule and nothing else, the right one draws nothing and is a crosswalk."""
    monkeypatch.chdir(tmp_path)
    rule = rules()[code]
    for name, text in rule.beside:
        Path(name).write_text(text, encoding="utf-8")
    Path("example.yaml").write_text(rule.wrong, encoding="utf-8")
    assert {problem.code for problem in findings("example.yaml", code)} == {code}
    Path("example.yaml").write_text(rule.right, encoding="utf-8")
    assert findings("example.yaml", code) == []
    assert read_file("example.yaml")[0] is not None
    text = page(rule)
    assert text.startswith(f"### {code} {rule.name}\n")
    assert all(f"With `{name}`:" in text for name, _ in rule.beside)


def test_safe_fixes_cure_and_unsafe_ones_lead_to_a_crosswalk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    cured = set()
    for path in FILES:
        for problem in findings(path.name, code_of(path)):
            if problem.fix is None:
                continue
            text = problem.source.text
            for edit in sorted(problem.fix.edits, key=lambda edit: -edit.span.start):
                text = text[: edit.span.start] + edit.content + text[edit.span.end :]
            _, after = read(Source(path.name, text))
            before = findings(path.name, problem.code)
            left = [other for other in after if other.code == problem.code]
            assert len(left) == len(before) - 1, (path.stem, render(after))
            known = {other.code for other in before}
            assert {other.code for other in after if other.severity == "error"} <= known, (path.stem, render(after))
            cured.add(problem.code)
    assert cured >= {"X008", "X011", "X012", "X018", "S003", "Y011"}


def test_one_typo_gives_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    """A misspelt class, target or verb leaves its class unmapped, and that is not said again."""
    monkeypatch.chdir(BAD)
    whole = (BAD / "x014.yaml").read_text("utf-8").replace("id: x014", "id: whole").replace("ignore", "error")
    whole = whole.replace("  trees", "  other_farm: {outside: [cropland]}\n  trees")
    assert [p.code for p in read(Source("whole.yaml", whole))[1] if p.severity != "info"] == []
    for right, wrong, code in (
        ("  crops:", "  corps:", "X001"),
        ("is: cropland", "is: croplan", "X002"),
        ("crops: {is: cropland}", "crops: {si: cropland}", "S003"),
        ("crops: {is: cropland}", "crops: cropland", "S004"),
        ("crops: {is: cropland}", "crops:", "S008"),
        ("crops: {is: cropland}", "crops: {note: later}", "X005"),
    ):
        _, problems = read(Source("whole.yaml", whole.replace(right, wrong)))
        assert [p.code for p in problems if p.severity != "info"] == [code], render(problems)


def test_what_is_switched_off_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    text = (BAD / "x002_code.yaml").read_text("utf-8").replace('"115"}', '"115"} # hieratk: ignore[X002] not there yet')
    crosswalk, problems = read(Source("x002_code.yaml", text))
    assert [p.code for p in problems if p.severity != "info"] == []
    assert crosswalk is not None
    assert crosswalk.entries == (Entry("cloud", "none", ("veil",)),)


def test_hostile_texts_get_a_message() -> None:
    for text in (
        "",
        "\0",
        "map: " + "[" * 100_000,
        "hieratk: crosswalk/1\nmap: &a {x: *a}\n",
        "hieratk: [crosswalk/1]\n",
        "hieratk: crosswalk/1\nid: [a]\nversion: {}\nfrom: x\nto: []\nmap: {a: {is: {}}}\n",
        "hieratk: crosswalk/1\nfrom: {taxonomy: {}}\nto: {taxonomy: []}\nmap: []\n",
    ):
        crosswalk, problems = read(Source("<stdin>", text))
        assert crosswalk is None
        assert any(problem.severity == "error" for problem in problems)
