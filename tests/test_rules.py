"""Every rule: a broken file with its exact text and place, a page, and examples that do what they say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from hieratk.diagnostics import Problem, RuleHead, Source, render
from hieratk.documents import TEXT_RULES
from hieratk.taxonomy.heads import HEADS, OFF
from hieratk.taxonomy.reader import read, read_file
from hieratk.taxonomy.rulebook import FAMILIES, heads, markdown, page, rules
from hieratk.taxonomy.rulebook.page import document
from hieratk.taxonomy.selection import Selection

ELSEWHERE = ("X", "V", "C", "F")
"""Families of other documents and commands: their broken files and examples stand with the tests of those."""

HERE = [code for code, rule in rules().items() if rule.family not in ELSEWHERE]
BAD = Path(__file__).parent / "bad"
FILES = sorted(BAD.glob("*.yaml"))
UNDERLINED = json.loads((BAD / "underlined.json").read_text(encoding="utf-8"))
DOCS = Path(__file__).parent.parent / "docs"
SEVEN_LINES = {"P001", "P002", "P005"}
"""What every short file lacks, at severity info."""


@pytest.fixture(autouse=True)
def nothing_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HIERATK_TAXONOMIES", raising=False)


def asked(code: str) -> Selection | None:
    """A selection that switches a rule on where it is off."""
    return Selection(select=("DEFAULT", code)) if rules()[code].off else None


def own(problems: list[Problem], code: str) -> list[Problem]:
    """All findings but remarks of other rules, which small examples draw without being wrong."""
    return [problem for problem in problems if problem.code == code or problem.severity != "info"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_broken_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exact text, the text underlined, and no other finding."""
    code = path.stem.split("_")[0]
    monkeypatch.chdir(BAD)
    taxonomy, problems = read_file(path.name, selection=asked(code))
    found = own(problems, code)
    assert {problem.code for problem in found} == {code}
    assert render(found) == path.with_suffix(".txt").read_text(encoding="utf-8")
    assert [problem.underlined for problem in found] == UNDERLINED[path.stem]
    assert (taxonomy is None) == any(problem.severity == "error" for problem in problems)


def test_every_rule_has_a_broken_file_and_every_file_a_rule() -> None:
    codes = {path.stem.split("_")[0] for path in FILES}
    assert codes == set(HERE)
    assert set(UNDERLINED) == {path.stem for path in FILES}
    assert {path.stem for path in BAD.glob("*.txt")} == set(UNDERLINED)


@pytest.mark.parametrize("code", HERE)
def test_examples_on_the_page(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wrong one draws the rule and nothing else, the right one draws nothing and is a taxonomy."""
    rule = rules()[code]
    monkeypatch.chdir(tmp_path)
    for name, text in rule.beside:
        (tmp_path / name).write_text(text, encoding="utf-8")
    # Also as a file, since a base may extend it in turn.
    (tmp_path / "example.yaml").write_text(document(rule.wrong), encoding="utf-8", newline="")
    _, problems = read(Source("example.yaml", document(rule.wrong)), selection=asked(code))
    assert {problem.code for problem in own(problems, code)} == {code}
    taxonomy, problems = read(Source("example.yaml", document(rule.right)), selection=asked(code))
    assert [problem.code for problem in own(problems, code)] == []
    assert taxonomy is not None


@pytest.mark.parametrize("code", rules())
def test_page(code: str) -> None:
    rule = rules()[code]
    text = page(rule)
    assert text.startswith(f"### {code} {rule.name}\n")
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name)
    assert rule.what in text or rule.what[1:] in text
    assert not rule.what.endswith(".")
    assert rule.why.endswith(".")
    assert not [char for char in text if not char.isprintable() and char != "\n"]


def test_names_are_unique_and_families_known() -> None:
    assert len({rule.name for rule in rules().values()}) == len(rules())
    assert all(rule.family in FAMILIES for rule in rules().values())
    assert {rules()[code].family for code in ("Y001", "T003", "T109", "P005", "N001")} == {"Y", "T0", "T1", "P", "N"}
    assert list(rules()) == [rule.code for family in FAMILIES for rule in rules().values() if rule.family == family]


def test_heads_say_the_same_in_all_places() -> None:
    for code, head in TEXT_RULES.items():
        assert heads()[code] == head
    assert set(HEADS) == set(HERE)
    for code, rule in rules().items():
        assert heads()[code] == RuleHead(rule.name, rule.severity, rule.off)
    assert {code for code, rule in rules().items() if rule.off} == OFF
    with pytest.raises(KeyError):
        heads()["T999"]


def test_a_rule_that_is_off_is_asked_where_it_is_selected_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(BAD)
    for code in OFF:
        _, problems = read_file(f"{code}.yaml")
        assert code not in {problem.code for problem in problems}
        _, problems = read_file(f"{code}.yaml", selection=Selection(select=("ALL",)))
        assert code in {problem.code for problem in problems}


def test_docs_are_made_from_the_rulebook() -> None:
    assert (DOCS / "rules.md").read_text(encoding="utf-8") == markdown(rules().values()), "run docs/make_rules.py"


def test_fixes_of_broken_files_cure_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """A safe edit takes its own finding away and brings no error."""
    monkeypatch.chdir(BAD)
    cured = 0
    for path in FILES:
        if path.stem in ("Y002_latin1", "Y002_binary", "Y002_utf16"):
            continue
        text = path.read_bytes().decode()
        _, problems = read(Source(path.name, text))
        for problem in problems:
            if problem.fix is None or problem.fix.applicability != "safe":
                continue
            better = text
            for edit in sorted(problem.fix.edits, key=lambda edit: -edit.span.start):
                better = better[: edit.span.start] + edit.content + better[edit.span.end :]
            before = sum(other.code == problem.code for other in problems)
            _, after = read(Source(path.name, better))
            assert sum(other.code == problem.code for other in after) == before - 1, (path.stem, render(after))
            known = {other.code for other in problems} | SEVEN_LINES
            assert not {other.code for other in after if other.severity == "error"} - known, (path.stem, render(after))
            cured += 1
    assert cured > 25


def _yaml_blocks() -> list[str]:
    return re.findall(r"```yaml\n(.*?)```", (DOCS / "taxonomy.md").read_text(encoding="utf-8"), re.DOTALL)


def test_docs_hold_valid_yaml() -> None:
    """The first example is a tree, and no other example breaks a rule of text or shape."""
    first, *others = _yaml_blocks()
    taxonomy, _ = read(Source("example.yaml", first))
    assert taxonomy is not None
    assert len(others) > 5
    for block in others[:-1]:
        _, problems = read(Source("example.yaml", document(block)))
        found = {problem.code for problem in problems if problem.code[0] in "YS"}
        assert found <= {"S005", "S006", "S011"}, (block, render(problems))


def test_docs_name_every_key_of_a_class_and_a_document() -> None:
    from hieratk.taxonomy import spec

    text = (DOCS / "taxonomy.md").read_text(encoding="utf-8")
    for key in (*spec.CLASS, *spec.DOCUMENT, *spec.SPECIAL, *spec.ENCODING, *spec.ATTRIBUTE):
        assert re.search(rf"\b{key}\b", text), key
