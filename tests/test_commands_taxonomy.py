"""hieratk taxonomy validate and rule, as a user meets them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from hieratk.commands.taxonomy import taxonomy_app
from hieratk.errors import TaxonomyError
from hieratk.taxonomy.rulebook import page, rules

GOOD = "hieratk: taxonomy/1\ntree: {forest: 1, water: 2}\n"
WARNS = "hieratk: taxonomy/1\ntree: {forest: 1, water: }\n"
WRONG = "hieratk: taxonomy/1\ntree: {forest: 1, water: 1}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in (("good", GOOD), ("warns", WARNS), ("wrong", WRONG)):
        (tmp_path / f"{name}.yaml").write_text(text, encoding="utf-8")
    return tmp_path


def run(*arguments: str, input: str | None = None) -> Result:
    return CliRunner().invoke(taxonomy_app, list(arguments), input=input)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["good.yaml"], 0),
        (["warns.yaml"], 0),
        (["warns.yaml", "--fail-on", "warning"], 1),
        (["good.yaml", "--fail-on", "warning"], 0),
        (["good.yaml", "--fail-on", "info"], 1),
        (["wrong.yaml"], 1),
        (["good.yaml", "wrong.yaml"], 1),
        (["wrong.yaml", "nowhere.yaml"], 2),
        (["."], 2),
    ],
)
def test_exit_codes(folder: Path, arguments: list[str], status: int) -> None:
    assert folder.is_dir()
    assert run("validate", *arguments).exit_code == status


def test_full_output(folder: Path) -> None:
    assert folder.is_dir()
    result = run("validate", "wrong.yaml")
    assert result.stdout == (
        "error[T201]: pixel value 1 is claimed by `forest` and `water`\n --> wrong.yaml:2:26\n  |\n"
        "2 | tree: {forest: 1, water: 1}\n  |                          ^ claimed again here\n"
        "  |                - `forest` claims it here\n  |\n\n"
    )
    assert result.stderr == "1 error in 1 file\n"
    assert run("validate", "wrong.yaml", "--quiet").stderr == ""


def test_remarks_are_shown_when_asked_for(folder: Path) -> None:
    assert folder.is_dir()
    assert run("validate", "good.yaml").stdout == ""
    assert "info[P001]" in run("validate", "good.yaml", "--verbose").stdout
    assert "info[P001]" in run("validate", "good.yaml", "--fail-on", "info").stdout


def test_machine_output_stands_alone(folder: Path) -> None:
    assert folder.is_dir()
    result = run("validate", "good.yaml", "wrong.yaml", "--format", "json")
    assert json.loads(result.stdout)["summary"] == {"error": 1}
    assert result.stderr == ""
    assert json.loads(run("validate", "wrong.yaml", "--format", "sarif").stdout)["version"] == "2.1.0"
    assert run("validate", "wrong.yaml", "--format", "github").stdout.startswith("::error title=hieratk::1 error\n")
    concise = run("validate", "wrong.yaml", "--format", "concise").stdout
    assert concise == "wrong.yaml:2:26: T201 pixel value 1 is claimed by `forest` and `water`\n"


def test_unreadable_files_do_not_hide_the_others(folder: Path) -> None:
    (folder / "binary.yaml").write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    result = run("validate", "nowhere.yaml", "binary.yaml", "wrong.yaml")
    assert "error: there is no file `nowhere.yaml`" in result.stderr
    assert "2 errors in 2 files" in result.stderr
    assert "Y002" in result.stdout
    assert "T201" in result.stdout


def test_standard_input() -> None:
    result = run("validate", "-", input=WRONG)
    assert " --> <stdin>:2:26" in result.stdout
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to check"),
        (["x.yaml", "--format", "jsn"], "--format knows no `jsn`; did you mean `json`?"),
        (["x.yaml", "--fail-on", "never"], "--fail-on knows no `never`; there are error, warning, info"),
    ],
)
def test_usage_errors(arguments: list[str], message: str) -> None:
    result = run("validate", *arguments)
    assert isinstance(result.exception, TaxonomyError)
    assert message in str(result.exception)


def test_known_names(folder: Path) -> None:
    trees = folder / "taxonomies"
    trees.mkdir()
    (trees / "mine.yaml").write_text(WRONG, encoding="utf-8")
    assert "T201" in run("validate", "mine").stdout
    result = run("validate", "mien")
    assert result.exit_code == 2
    assert "mine" in result.stderr


def test_rule_pages() -> None:
    assert run("rule", "T201").stdout == page(rules()["T201"])
    assert run("rule", "t201").stdout == page(rules()["T201"])
    assert run("rule", "pixel-claimed-twice").stdout == page(rules()["T201"])
    listed = run("rule").stdout.splitlines()
    assert [line.split()[0] for line in listed] == list(rules())
    result = run("rule", "pixel-claimed-twise")
    assert "did you mean `pixel-claimed-twice`?" in str(result.exception)
    # A wrong code is not guessed at.
    assert "did you mean" not in str(run("rule", "T999").exception)


def test_no_heavy_imports(folder: Path) -> None:
    """Validation loads neither torch nor rasterio nor kornia, nor networkx, pydantic or rich."""
    code = (
        "import sys, hieratk.commands.taxonomy as t\n"
        "from typer.testing import CliRunner\n"
        "assert CliRunner().invoke(t.taxonomy_app, ['validate', 'wrong.yaml']).exit_code == 1\n"
        "heavy = {'torch', 'rasterio', 'kornia', 'networkx', 'pydantic'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False, env=_environment()
    )
    assert done.returncode == 0, done.stderr


def test_terminal_without_utf8(folder: Path) -> None:
    (folder / "wide.yaml").write_text("hieratk: taxonomy/1\ntree: {玉米: 1}\n", encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", "from hieratk.commands.taxonomy import taxonomy_app as t; t(['validate', 'wide.yaml'])"],
        cwd=folder,
        capture_output=True,
        check=False,
        env={**_environment(), "PYTHONIOENCODING": "ascii"},
    )
    assert done.returncode == 1
    assert b"\\u7389\\u7c73" in done.stdout
    assert b"Traceback" not in done.stderr


def _environment() -> dict[str, str]:
    import os

    return {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
