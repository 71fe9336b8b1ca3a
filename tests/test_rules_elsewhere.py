"""Rules about two versions and about data (V, C): what the commands print of the broken example of each page."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from hieratk.commands import app
from hieratk.taxonomy.rulebook import data, rules, versions
from hieratk.taxonomy.rulebook.page import Rule, document
from tests.test_remap import described

BAD = Path(__file__).parent / "bad"


def printed(*words: str) -> str:
    result = CliRunner().invoke(app, [*words])
    return result.stdout + result.stderr


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def says(rule: Rule) -> str:
    """What the command of a family prints about the wrong example."""
    for name, text in rule.beside:
        Path(name).write_text(text, encoding="utf-8")
    if rule.family == "V":
        Path("new.yaml").write_text(document(rule.wrong), encoding="utf-8")
        return printed("taxonomy", "diff", "old.yaml", "new.yaml")
    if rule.beside:
        described(rule.wrong, Path("raster.tif"))
        return printed("check-raster", "raster.tif", "--from", "tree.yaml")
    Path("tree.yaml").write_text(document(rule.wrong), encoding="utf-8")
    return printed(
        "taxonomy", "compile", "tree.yaml", "-o", "tables.npz", "--index", "uint8", "--encoding", "default", "-v"
    )


@pytest.mark.parametrize("rule", [*versions.RULES, *data.RULES], ids=lambda rule: rule.code)
def test_exact_text(rule: Rule) -> None:
    text = says(rule)
    assert f"{rule.severity}[{rule.code}]" in text
    assert text == (BAD / ("versions" if rule.family == "V" else "data") / f"{rule.code}.txt").read_text(
        encoding="utf-8"
    )


def test_every_rule_has_its_text() -> None:
    for family, name in (("V", "versions"), ("C", "data")):
        texts = {path.stem for path in (BAD / name).iterdir()}
        assert texts == {code for code, rule in rules().items() if rule.family == family}
