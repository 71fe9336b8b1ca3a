"""hieratk taxonomy list, show and new: what they print, and what they refuse."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from hieratk.commands import library
from hieratk.errors import TaxonomyError
from hieratk.taxonomy import catalog

FARM = """\
hieratk: taxonomy/1
version: 1.2.0
title: Fields
license: CC0-1.0
levels: [group, crop]
tree:
  cereals: {wheat: 1, maize: [2..4, 7], mixed_grain: 5, old_wheat: 6}
  roots: {potato: 8}
  water: 9
special:
  cloud: {role: excluded, pixel: 255}
classes:
  cereals:     {code: "C", color: "#ffd400"}
  wheat:       {code: "C1", name: 小麦}
  mixed_grain: {kind: mixed, parts: [wheat, maize]}
  old_wheat:   {deprecated: {since: 1.1.0, use: [wheat]}}
encodings:
  groups: {dtype: uint8, level: group, values: {1: cereals, 2: roots, 9: water}}
"""


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    library.add_to(app)
    return app


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HIERATK_TAXONOMIES", raising=False)
    (tmp_path / "taxonomies").mkdir()
    (tmp_path / "taxonomies" / "farm.yaml").write_text(FARM, "utf-8")
    return tmp_path


def _run(app: typer.Typer, *words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


@pytest.mark.usefixtures("project")
def test_show(app: typer.Typer) -> None:
    lines = _run(app, "show", "farm").splitlines()
    assert lines == [
        "farm 1.2.0  Fields",
        "levels     group 3, crop 4",
        "classes    8, 2 of them never predicted",
        "encoding   default: uint8, 10 values",
        "encoding   groups: uint8, 3 values of level group",
        "licence    CC0-1.0",
        "",
        "class           pixel       code  name         color",
        "cereals         1 (groups)  C     cereals      #ffd400",
        "├─ wheat        1           C1    小麦",
        "├─ maize        2..4 7            maize",
        "├─ mixed_grain  5                 mixed grain           mixed: wheat + maize",
        "└─ old_wheat    6                 old wheat             deprecated, use wheat",
        "roots           2 (groups)        roots",
        "└─ potato       8                 potato",
        "water           9                 water",
        "",
        "not a class",
        "class  pixel  name",
        "cloud  255    cloud  excluded",
    ]


@pytest.mark.usefixtures("project")
def test_show_less(app: typer.Typer) -> None:
    assert _run(app, "show", "farm", "--depth", "1").splitlines()[7:11] == [
        "class    pixel       code  name     color",
        "cereals  1 (groups)  C     cereals  #ffd400  4 more below",
        "roots    2 (groups)        roots             1 more below",
        "water    9                 water",
    ]
    assert _run(app, "show", "farm", "--level", "crop").splitlines()[7:] == [
        "class   pixel   code  name",
        "wheat   1       C1    小麦",
        "maize   2..4 7        maize",
        "potato  8             potato",
        "water   9             water   stands in from level group",
    ]


@pytest.mark.usefixtures("project")
def test_show_refuses(app: typer.Typer) -> None:
    result = CliRunner().invoke(app, ["show", "farm", "--level", "crop", "--depth", "1"])
    assert result.exit_code == 2
    assert "give --level or --depth, not both" in result.output
    with pytest.raises(TaxonomyError, match="taxonomy `farm` has no level `crops`; it has group, crop"):
        _run(app, "show", "farm", "--level", "crops")
    with pytest.raises(TaxonomyError, match=r"no taxonomy `frm`; did you mean `farm`\?"):
        _run(app, "show", "frm")


@pytest.mark.parametrize("name", [path.stem for path in catalog.shipped().glob("*.yaml")])
def test_every_shipped_tree_can_be_shown(app: typer.Typer, name: str) -> None:
    tree = catalog.load(name)
    lines = _run(app, "show", name).splitlines()
    for node in tree:
        assert any(line.lstrip("│├└─ ").startswith(node.id) for line in lines), node.id


@pytest.mark.usefixtures("project")
def test_a_terminal_gets_colours(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    for name, value in (
        ("TERM", "xterm-256color"),
        ("COLORTERM", "truecolor"),
        ("COLUMNS", "40"),
        ("FORCE_COLOR", "1"),
    ):
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    library.show("farm")
    printed = capsys.readouterr().out
    assert "\x1b[38;2;255;212;0m██ " in printed
    # A narrow window wraps lines; it loses nothing.
    assert "deprecated, use wheat" in printed
    assert "…" not in printed


@pytest.mark.usefixtures("project")
def test_a_terminal_without_unicode_loses_signs_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    sink = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(sink, "ascii", write_through=True))
    library.show("farm")
    assert b"old_wheat    6" in sink.getvalue()


def test_list(app: typer.Typer, project: Path) -> None:
    (project / "taxonomies" / "broken.yaml").write_text("hieratk: taxonomy/1\ntree: {a: 1, b: 1}\n")
    lines = _run(app, "list").splitlines()
    assert lines[0].split() == ["name", "version", "classes", "by", "level", "licence", "from", "title"]
    found = {line.split()[0]: line for line in lines[1:]}
    assert sorted(found) == list(catalog.names())
    assert found["farm"].split() == ["farm", "1.2.0", "3", "/", "4", "CC0-1.0", "taxonomies", "Fields"]
    assert "4 / 9 / 18" in found["mm5b"]
    assert " shipped " in found["mm5b"]
    assert found["broken"].endswith("has errors: hieratk taxonomy validate broken")


def test_new_writes_a_start_that_is_valid(app: typer.Typer, project: Path) -> None:
    printed = _run(app, "new", "my_tree.yaml")
    assert printed == "wrote my_tree.yaml; change it, then: hieratk taxonomy validate my_tree.yaml\n"
    text = (project / "my_tree.yaml").read_text()
    schema = text.splitlines()[0].partition("$schema=")[2]
    assert (project / schema).read_bytes() == (catalog.shipped() / "schema" / "taxonomy-1.json").read_bytes()
    assert len(text.splitlines()) == 8
    tree = catalog.load("my_tree.yaml")
    assert [len(level) for level in tree.levels] == [2, 3, 4]
    assert not [p for p in catalog.validate("my_tree.yaml") if p.severity == "error"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("mine.yaml", "mine.yaml exists already and is left as it is; choose another name"),
        ("mine", "a taxonomy is a YAML file; did you mean mine.yaml?"),
        ("nowhere/mine.yaml", "the folder nowhere does not exist; make it first"),
        (
            "My Tree.yaml",
            "`My Tree` cannot be the id of a taxonomy: use small letters a-z, digits and single underscores,"
            " with a letter first",
        ),
    ],
)
def test_new_refuses(app: typer.Typer, project: Path, file: str, text: str) -> None:
    (project / "mine.yaml").write_text("mine")
    with pytest.raises(TaxonomyError) as caught:
        _run(app, "new", file)
    assert str(caught.value) == text
    assert (project / "mine.yaml").read_text() == "mine"
    assert not (project / "schema").exists()


def test_new_keeps_a_schema_that_is_there(app: typer.Typer, project: Path) -> None:
    (project / "schema").mkdir()
    (project / "schema" / "taxonomy-1.json").write_text("{}")
    _run(app, "new", "mine.yaml")
    assert (project / "schema" / "taxonomy-1.json").read_text() == "{}"
