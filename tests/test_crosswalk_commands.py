"""`hieratk crosswalk ...` as a user meets it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hieratk.commands import app
from hieratk.crosswalk import load, read_file
from hieratk.errors import CrosswalkError

BAD = Path(__file__).parent / "bad" / "crosswalk"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("farm", "land", "cover", "land_to_cover", "x007", "x009", "x014", "x020"):
        shutil.copy(BAD / f"{name}.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str, code: int = 0, stdin: str | None = None) -> tuple[str, str]:
    done = CliRunner().invoke(app, ["crosswalk", *words], input=stdin)
    assert done.exit_code == code, (done.output, done.exception)
    return done.stdout, done.stderr


@pytest.mark.usefixtures("desk")
def test_check_exits_by_severity() -> None:
    out, err = run("check", "x007.yaml", code=1)
    assert out == (BAD / "x007.txt").read_text("utf-8")
    assert "2 errors in 1 file" in err
    run("check", "x009.yaml")
    run("check", "x009.yaml", "--fail-on", "warning", code=1)
    assert run("check", "x014.yaml")[0] == ""
    assert "X014" in run("check", "x014.yaml", "-v")[0]
    run("check", "x014.yaml", "--fail-on", "info", code=1)
    assert run("check", "io_lulc_v1_to_v2", "-q") == ("", "")


@pytest.mark.usefixtures("desk")
def test_check_speaks_to_machines() -> None:
    document = json.loads(run("check", "x007.yaml", "x009.yaml", "--format", "json", code=1)[0])
    assert [found["code"] for found in document["diagnostics"]] == ["X007", "X007", "X009"]
    assert document["diagnostics"][0]["start"] == {"row": 9, "column": 19}
    sarif = json.loads(run("check", "x007.yaml", "--format", "sarif", code=1)[0])
    assert sarif["runs"][0]["results"][0]["ruleId"] == "X007"
    assert run("check", "x009.yaml", "--format", "concise")[0].startswith("x009.yaml:9:15: X009 ")
    assert run("check", "x009.yaml", "--format", "github")[0].startswith("::")


@pytest.mark.usefixtures("desk")
def test_check_of_standard_input_and_of_nothing() -> None:
    out, _ = run("check", "-", code=1, stdin=Path("x007.yaml").read_text())
    assert "--> <stdin>:4:18" in out, "a text without a folder has no neighbours"
    assert "T602" in out
    _, err = run("check", "missing.yaml", "x009.yaml", code=2)
    assert "there is no file `missing.yaml`" in err
    for words, said in (((), "nothing to check"), (("x", "--format", "jsn"), "did you mean `json`")):
        done = CliRunner().invoke(app, ["crosswalk", "check", *words])
        assert isinstance(done.exception, CrosswalkError)
        assert said in str(done.exception)


@pytest.mark.usefixtures("desk")
def test_fixes_and_choice_of_rules() -> None:
    text = (
        Path("x014.yaml")
        .read_text("utf-8")
        .replace("id: x014", "id: mine")
        .replace("forest}", "forest}\n  oak: {within: forest}")
    )
    Path("mine.yaml").write_text(text.replace("is: cropland", 'covers: ["100"]'), encoding="utf-8")
    out, _ = run("check", "mine.yaml", "--fix", "--diff", code=1)
    assert [line for line in out.splitlines() if line[:1] in "+-"][2:] == ["-  oak: {within: forest}"]
    assert "1 problem fixed" in run("check", "mine.yaml", "--fix")[1]
    assert "oak" not in Path("mine.yaml").read_text("utf-8")
    run("check", "mine.yaml", "--unsafe-fixes")
    assert 'crops: {within: "100"}' in Path("mine.yaml").read_text("utf-8")
    run("check", "x009.yaml", "--ignore", "X009", "--fail-on", "warning")
    run("check", "x009.yaml", "--select", "S,X01", "--fail-on", "warning")
    Path("pyproject.toml").write_text('[tool.hieratk.validate]\nfail-on = "warning"\n')
    run("check", "x009.yaml", code=1)


def test_list_and_show() -> None:
    out, _ = run("list")
    assert "esa_cci_lc_to_lclu           esa_cci_lc            lclu" in out
    rows = [line.split() for line in run("show", "esa_cci_lc_to_lclu")[0].splitlines()]
    assert ["cropland_rainfed", "10", "within", "agriculture"] in rows
    assert ["cropland_rainfed_herbaceous", "11", "within", "agriculture", "as", "cropland_rainfed"] in rows
    back = [line.split() for line in run("show", "io_lulc_v1_to_v2", "--reverse")[0].splitlines()]
    assert ["rangeland", "11", "covers", "grass,", "scrub"] in back


@pytest.mark.usefixtures("desk")
def test_suggest_writes_a_crosswalk_that_is_checked() -> None:
    _, err = run("suggest", "fbp", "mm5b", "-o", "fbp_to_mm5b.yaml")
    assert "14 of 24 classes have a line; look at every one of them" in err
    run("check", "fbp_to_mm5b.yaml", "--fail-on", "warning")
    done = CliRunner().invoke(app, ["crosswalk", "suggest", "fbp", "mm5b", "-o", "fbp_to_mm5b.yaml"])
    assert "exists already" in str(done.exception)
    run("suggest", "fbp", "mm5b", "-o", "fbp_to_mm5b.yaml", "--force", "--accept", "0.4")
    crosswalk, _ = read_file("fbp_to_mm5b.yaml")
    assert crosswalk is not None
    assert len(crosswalk.entries) > 18
    run("suggest", "farm.yaml", "land.yaml", "--accept", "0", "-o", "mine.yaml")
    assert 'from: {taxonomy: farm, version: "==1.4.0"}' in Path("mine.yaml").read_text("utf-8")
    run("check", "mine.yaml", "--fail-on", "error")
    done = CliRunner().invoke(app, ["crosswalk", "suggest", "fbp", "mm5b", "--accept", "2"])
    assert "--accept takes a number from 0 to 1, not `2`" in str(done.exception)


@pytest.mark.usefixtures("desk")
def test_compose_writes_a_crosswalk_and_says_what_is_not_known() -> None:
    Path("out").mkdir()
    _, err = run("compose", "x020.yaml", "land_to_cover.yaml", "-o", "farm_to_cover.yaml")
    assert "x020.yaml:8:3: X020 what `wheat` covers in `cover` is not known" in err
    assert "the relation of 2 classes is not known" in err
    crosswalk = load("farm_to_cover.yaml")
    assert {entry.source: (entry.verb, entry.targets) for entry in crosswalk.entries} == {
        "wheat": ("overlaps", ("field", "garden")),
        "trees": ("is", ("wood",)),
        "cloud": ("none", ("excluded",)),
    }
    done = CliRunner().invoke(app, ["crosswalk", "compose", "land_to_cover.yaml", "x020.yaml"])
    assert "`land_to_cover` leads to `cover`, and `x020` goes on from `farm`; they do not meet" in str(done.exception)


@pytest.mark.usefixtures("desk")
def test_composed_crosswalks_find_their_trees_from_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("out").mkdir()
    monkeypatch.setenv("HIERATK_TAXONOMIES", str(Path.cwd()))
    monkeypatch.chdir("out")
    run("compose", "../x020.yaml", "../land_to_cover.yaml", "-o", "farm_to_cover.yaml")
    assert load("farm_to_cover.yaml").to_id == "cover"
