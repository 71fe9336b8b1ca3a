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


BROKEN = (
    'hieratk: taxonomy/1\ntree: {a: 1, b: 2}\nclasses:\n  a: {color: #ff0000, code: 0101}\n  b: {colour: "#00ff00"}\n'
)
MENDED = BROKEN.replace("#ff0000", '"#ff0000"').replace("0101", '"0101"')


def test_safe_fixes_are_written(folder: Path) -> None:
    file = folder / "broken.yaml"
    file.write_text(BROKEN, encoding="utf-8")
    file.chmod(0o640)
    result = run("validate", "broken.yaml", "--fix")
    assert file.read_text(encoding="utf-8") == MENDED
    assert file.stat().st_mode & 0o777 == 0o640
    assert result.exit_code == 1
    assert "error[S003]: unknown key `colour`" in result.stdout
    assert result.stderr == "2 problems fixed\n1 error in 1 file\n"
    result = run("validate", "broken.yaml", "--unsafe-fixes")
    assert file.read_text(encoding="utf-8") == MENDED.replace("colour", "color")
    assert (result.exit_code, result.stderr) == (0, "1 problem fixed\nno problems in 1 file\n")
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_the_difference_is_shown_and_nothing_written(folder: Path) -> None:
    (folder / "broken.yaml").write_text(BROKEN, encoding="utf-8")
    result = run("validate", "broken.yaml", "good.yaml", "--fix", "--diff")
    assert result.exit_code == 1
    assert result.stdout.startswith("--- a/broken.yaml\n+++ b/broken.yaml\n@@ -1,5 +1,5 @@\n")
    assert '\n-  a: {color: #ff0000, code: 0101}\n+  a: {color: "#ff0000", code: "0101"}\n' in result.stdout
    assert (folder / "broken.yaml").read_text(encoding="utf-8") == BROKEN
    assert run("validate", "good.yaml", "--diff").exit_code == 0
    assert run("validate", "-", "--diff", input=GOOD).exit_code == 0


def test_standard_input_prints_the_fixed_text() -> None:
    result = run("validate", "-", "--fix", input=BROKEN)
    assert result.stdout == MENDED
    assert "S003" in result.stderr
    assert run("validate", "-", "--fix", input=GOOD).stdout == GOOD


def test_fixes_need_a_file(folder: Path) -> None:
    assert folder.is_dir()
    result = run("validate", "lclu", "--fix")
    assert result.exit_code == 2
    assert "fixes are made in files that are given by their paths; `lclu` is a name" in result.stderr


def test_line_breaks_stay_but_where_a_fix_changes_them(folder: Path) -> None:
    file = folder / "dos.yaml"
    file.write_bytes(GOOD.replace("\n", "\r\n").encode())
    assert run("validate", "dos.yaml").exit_code == 0
    assert b"\r\n" in file.read_bytes()
    run("validate", "dos.yaml", "--fix")
    assert file.read_bytes() == GOOD.encode()


@pytest.mark.skipif(
    not hasattr(__import__("os"), "geteuid") or __import__("os").geteuid() == 0, reason="root may write"
)
def test_a_file_that_cannot_be_written(folder: Path) -> None:
    (folder / "broken.yaml").write_text(BROKEN, encoding="utf-8")
    (folder / "broken.yaml").chmod(0o400)
    assert "cannot write broken.yaml: the file is read-only" in str(run("validate", "broken.yaml", "--fix").exception)


def test_select_and_ignore(folder: Path) -> None:
    assert folder.is_dir()
    codes = lambda *words: {  # noqa: E731
        json.loads(line)["code"]
        for line in run("validate", "warns.yaml", "--format", "jsonl", "-v", *words).stdout.splitlines()
    }
    assert codes() == {"P001", "P002", "P005", "T205"}
    assert codes("--select", "T2") == {"T205"}
    assert codes("--ignore", "P,T205") == set()
    assert codes("--ignore", "P", "--select", "P002,T") == {"P002", "T205"}
    assert run("validate", "wrong.yaml", "--ignore", "T2").exit_code == 1, "a locked rule stays"
    assert "no rule begins with `Q1`" in str(run("validate", "good.yaml", "--select", "Q1").exception)


SETTINGS = """\
[tool.hieratk.validate]
ignore = ["P"]
severity = { T205 = "error" }
fail-on = "warning"
per-file-ignores = { "trees/quiet.yaml" = ["T2"], "still_*.yaml" = ["T205"] }
"""


def test_settings_of_the_project(folder: Path) -> None:
    (folder / "pyproject.toml").write_text(SETTINGS, encoding="utf-8")
    trees = folder / "trees"
    trees.mkdir()
    (trees / "pyproject.toml").write_text("[project]\nname = 'x'\n", encoding="utf-8")
    for name in ("loud", "quiet", "still_too"):
        (trees / f"{name}.yaml").write_text(WARNS, encoding="utf-8")
    assert "error[T205]" in run("validate", "trees/loud.yaml", "-v").stdout
    assert "P001" not in run("validate", "trees/loud.yaml", "-v").stdout
    assert run("validate", "trees/loud.yaml").exit_code == 1
    assert run("validate", "trees/quiet.yaml", "trees/still_too.yaml").exit_code == 0
    # A word of the command goes before that of the project.
    assert run("validate", "trees/loud.yaml", "--select", "Y").exit_code == 0
    (folder / "pyproject.toml").write_text('[tool.hieratk.validate]\nfail-on = "warning"\n', encoding="utf-8")
    assert run("validate", "warns.yaml").exit_code == 1
    assert run("validate", "warns.yaml", "--fail-on", "error").exit_code == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.hieratk.validate]\nselct = ['Y']\n", "unknown key `selct`; did you mean `select`?"),
        ("[tool.hieratk.validat]\n", "unknown key `validat`; did you mean `validate`?"),
        ("[tool.hieratk.validate]\nselect = 'Y'\n", '`select` takes a list of codes, such as ["T301", "T4"]'),
        ("[tool.hieratk.validate]\nignore = ['T999']\n", "no rule begins with `T999`; `hieratk taxonomy rule` lists"),
        ("[tool.hieratk.validate]\nfail-on = 'warnings'\n", "`warnings` is no severity; did you mean `warning`?"),
        ("[tool.hieratk.validate.severity]\nT301 = 3\n", "`3` is no severity; the words are error, warning, info"),
        ("[tool.hieratk.validate.per-file-ignores]\n'a.yaml' = ['Q']\n", "no rule begins with `Q`"),
        ("[tool]\nhieratk = 1\n", "[tool.hieratk] is not a table"),
        ("[tool.hieratk\n", "is not TOML"),
    ],
)
def test_settings_that_say_something_else(folder: Path, text: str, message: str) -> None:
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    result = run("validate", "good.yaml")
    assert result.exit_code == 2
    assert message in result.stderr
    assert "pyproject.toml" in result.stderr


def test_sarif_has_the_structure_of_its_standard(folder: Path) -> None:
    """The parts of SARIF 2.1.0 that we write (sections 3.13 to 3.57), by hand: no package carries its schema."""
    from urllib.parse import unquote, urlsplit

    (folder / "a tree.yaml").write_text(BROKEN, encoding="utf-8")
    log = json.loads(run("validate", "a tree.yaml", "wrong.yaml", "--format", "sarif", "-v").stdout)
    assert set(log) == {"$schema", "version", "runs"}
    (report,) = log["runs"]
    assert report["columnKind"] == "unicodeCodePoints"
    known = {entry["id"] for entry in report["tool"]["driver"]["rules"]}
    assert len(known) == len(report["tool"]["driver"]["rules"])
    texts = {"a tree.yaml": BROKEN, "wrong.yaml": WRONG}

    def place(physical: dict[str, object], region: str = "region") -> str:
        artifact = physical["artifactLocation"]
        assert isinstance(artifact, dict)
        assert set(artifact) == {"uri"}
        assert " " not in artifact["uri"]
        assert urlsplit(artifact["uri"]).scheme == ""
        span = physical[region]
        assert isinstance(span, dict)
        assert set(span) == {"startLine", "startColumn", "endLine", "endColumn"}
        assert all(isinstance(number, int) and number >= 1 for number in span.values())
        assert (span["startLine"], span["startColumn"]) <= (span["endLine"], span["endColumn"])
        return unquote(artifact["uri"])

    assert report["results"]
    fixes = 0
    for result in report["results"]:
        assert {"ruleId", "level", "message", "locations", "partialFingerprints"} <= set(result)
        assert set(result) <= {
            "ruleId",
            "level",
            "message",
            "locations",
            "partialFingerprints",
            "fixes",
            "relatedLocations",
        }
        assert result["ruleId"] in known
        assert result["level"] in ("error", "warning", "note")
        assert set(result["message"]) == {"text"}
        (location,) = result["locations"]
        name = place(location["physicalLocation"])
        for related in result.get("relatedLocations", ()):
            assert place(related["physicalLocation"]) == name
            assert set(related["message"]) == {"text"}
        for fix in result.get("fixes", ()):
            fixes += 1
            assert fix["description"]["text"]
            (change,) = fix["artifactChanges"]
            for replacement in change["replacements"]:
                assert place({**replacement, **change}, "deletedRegion") == name
                assert isinstance(replacement["insertedContent"]["text"], str)
                region = replacement["deletedRegion"]
                line = texts[name].splitlines()[region["startLine"] - 1]
                assert region["endColumn"] - 1 <= len(line)
    assert fixes >= 1


def test_fmt(folder: Path) -> None:
    messy = "hieratk: taxonomy/1\ntree:\n    a: 1   # first\n    b: 2\n"
    tidy = "hieratk: taxonomy/1\ntree:\n  a: 1     # first\n  b: 2\n"
    (folder / "messy.yaml").write_bytes(("\ufeff" + messy.replace("\n", "\r\n")).encode())
    before = (folder / "messy.yaml").read_bytes()
    result = run("fmt", "messy.yaml", "good.yaml", "--check")
    assert (result.exit_code, result.stderr) == (1, "1 of 2 files would be changed\n")
    assert result.stdout.splitlines()[0] == "messy.yaml:3:1: F005 the line is indented by 4, not by 2"
    result = run("fmt", "messy.yaml", "--diff")
    assert result.exit_code == 1
    assert result.stdout.startswith("--- a/messy.yaml\n+++ b/messy.yaml\n")
    assert (folder / "messy.yaml").read_bytes() == before
    result = run("fmt", "messy.yaml", "good.yaml")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "1 of 2 files changed\n")
    assert (folder / "messy.yaml").read_bytes() == tidy.encode()
    assert run("fmt", "messy.yaml", "good.yaml", "--check").exit_code == 0
    assert run("fmt", "-", input=messy).stdout == tidy


def test_fmt_leaves_broken_files_alone(folder: Path) -> None:
    (folder / "broken.yaml").write_text(BROKEN, encoding="utf-8")
    result = run("fmt", "broken.yaml", "good.yaml")
    assert result.exit_code == 1
    assert "Y013" in result.stderr
    assert "error: `broken.yaml` is left as it is" in result.stderr
    assert (folder / "broken.yaml").read_text(encoding="utf-8") == BROKEN
    assert run("fmt", "nowhere.yaml").exit_code == 2
    assert "fmt takes files, not names of trees" in run("fmt", "lclu").stderr
    assert "nothing to lay out" in str(run("fmt").exception)


def test_schema() -> None:
    for kind in ("taxonomy", "crosswalk"):
        assert json.loads(run("schema", kind).stdout)["title"] == f"hieratk {kind}, version 1"
    assert run("schema").stdout == run("schema", "taxonomy").stdout
    assert "did you mean `crosswalk`?" in str(run("schema", "croswalk").exception)
