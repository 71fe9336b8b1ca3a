"""hieratk transfer, as a user meets it."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner, Result

import hieratk as hk
from hieratk.commands import app
from hieratk.commands.transfer_tables import drawing
from hieratk.taxonomy import catalog
from hieratk.transfer import load
from tests.scenes import RUN, TREE, write_scene


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["transfer", *arguments])


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_name_that_is_no_file_is_looked_up(empty: Path) -> None:
    assert not list(empty.iterdir())
    result = run("--from", "lclu.yaml", "--to", "crops.yaml")
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("lclu 1.0.0 -> crops 0.3.0\naligned by extension: crops 0.3.0 extends lclu 1.0.0\n")
    assert "45 classes to predict: 28 keep, 17 split\n" in result.stdout
    assert "  │  │  ├─ maize            split  cropland\n" in result.stdout
    assert result.stderr == ""


def test_in_the_folder_of_the_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(catalog.shipped())
    assert "28 keep, 17 split" in run("--from", "lclu.yaml", "--to", "crops.yaml").stdout


@pytest.mark.usefixtures("empty")
def test_a_file_goes_before_a_name() -> None:
    Path("lclu.yaml").write_text("hieratk: taxonomy/1\nid: lclu\ntree: {maize: 1, rice: 2}\n", encoding="utf-8")
    Path("mine.yaml").write_text("hieratk: taxonomy/1\nid: mine\ntree: {maize: 1, wheat: 2}\n", encoding="utf-8")
    result = run("--from", "lclu.yaml", "--to", "mine.yaml")
    assert result.stdout.startswith("lclu 0.0.0 -> mine 0.0.0\n")
    assert "1 keep, 1 new, 1 drop; 1 guessed (?)" in result.stdout
    assert "1 of 2 classes are aligned by a guess" in result.stderr


@pytest.mark.usefixtures("empty")
def test_the_shipped_crosswalk_is_found_and_named() -> None:
    result = run("--from", "mm5b", "--to", "crops10m", "--strict")
    assert result.exit_code == 0, result.output
    assert "aligned by the crosswalk mm5b_to_crops10m 1.0.0\n" in result.stdout
    result = run("--from", "crops10m", "--to", "mm5b", "--strict")
    assert "mm5b_to_crops10m 1.0.0, read backwards\n" in result.stdout
    assert "aligned by the crosswalk corine_to_hcat3" in run("--from", "corine", "--to", "hcat3.yaml").stdout


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["--from", "fbp", "--to", "hcat3"], 1, "error: fbp and hcat3 share nothing"),
        (["--from", "nlcd", "--to", "lclu", "--strict"], 1, "are aligned by a guess, and --strict allows none"),
        (["--from", "lclu", "--to", "crops", "--crosswalk", "nowhere"], 2, "no crosswalk `nowhere`"),
        (["--from", "nlcd", "--to", "lclu", "--crosswalk", "mm5b_to_crops10m"], 1, "leads from mm5b to crops10m"),
        (["--from", "lclu.yml", "--to", "krops.yaml"], 2, "krops.yaml"),
        (["--from", "lclu", "--to", "crops", "--checkpoint", "x"], 2, "give both or neither"),
        (["--from", "lclu", "--to", "crops", "--plan", "p.yaml", "--strict"], 2, "--plan is a plan already"),
        (["--from", "lclu", "--to", "crops", "-o", "plan.txt"], 1, "did you mean plan.txt.yaml?"),
        (["--from", "lclu", "--to", "crops", "-o", "no/where.yaml"], 1, "cannot write no/where.yaml"),
    ],
)
def test_errors(arguments: list[str], status: int, words: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from hieratk.commands import main; main()", "transfer", *arguments],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == status, done.stderr
    assert words in " ".join(done.stderr.replace("│", " ").split()), done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_a_saved_plan_is_edited_and_given_back(empty: Path) -> None:
    first = run("--from", "lclu", "--to", "crops", "-o", "plan.yaml")
    assert (first.exit_code, first.stderr) == (0, "wrote plan.yaml\n")
    assert [path.name for path in empty.iterdir()] == ["plan.yaml"]
    trees = hk.load("lclu"), hk.load("crops")
    assert load("plan.yaml", *trees) == hk.plan(*trees)
    text = (
        Path("plan.yaml")
        .read_text(encoding="utf-8")
        .replace("start: {cropland: 1}", "start: {cropland: 0.5, orchard: 0.5}")
    )
    Path("plan.yaml").write_text(text, encoding="utf-8")
    again = run("--from", "lclu", "--to", "crops", "-o", "plan.yaml")
    assert (again.exit_code, "exists already" in again.stderr) == (1, True)
    assert Path("plan.yaml").read_text(encoding="utf-8") == text
    edited = run("--from", "lclu", "--to", "crops", "--plan", "plan.yaml")
    assert edited.exit_code == 1
    assert "error[Q006]: `cropland` is to keep a row, and starts from `cropland`, `orchard`" in edited.stderr
    Path("plan.yaml").write_text(text.replace("action: keep, relation: equal, aligned: [cropland]",
                                              "action: merge, relation: overlap, aligned: [cropland]"))  # fmt: skip
    edited = run("--from", "lclu", "--to", "crops", "--plan", "plan.yaml")
    assert edited.exit_code == 0, edited.stderr
    assert "0.5 cropland + 0.5 orchard" in edited.stdout
    assert run("--from", "lclu", "--to", "crops", "-o", "plan.yaml", "--force").exit_code == 0


@pytest.mark.usefixtures("empty")
def test_json() -> None:
    found = json.loads(run("--from", "mm5b", "--to", "crops10m", "--format", "json").stdout)
    assert found["source"]["id"] == "mm5b"
    assert [row["node"] for row in found["rows"]] == ["other", "vegetation", "cropland", "rice", "corn", "soybean"]
    assert found["rows"][3]["start"] == {"paddy_field": 1.0}
    assert found["needs"]["rice"] is None
    assert "forest" in found["dropped"]


def test_pixels_of_a_run(empty: Path) -> None:
    write_scene(empty)
    (empty / "fields.yaml").write_text(TREE, encoding="utf-8")
    (empty / "run.yaml").write_text(RUN, encoding="utf-8")
    tree = hk.load("fields.yaml")
    result = run("--from", "lclu", "--to", "fields.yaml", "--run", "run.yaml")
    assert result.exit_code == 0, result.output
    heading = next(line for line in result.stdout.splitlines() if "pixels" in line)
    assert heading.split()[-1] == "pixels"
    counts = [line for line in result.stdout.splitlines() if " / " in line]
    assert len(counts) == sum(row.action != "keep" for row in hk.plan(hk.load("lclu"), tree).rows)
    assert any(int(line.split()[-5].replace(",", "")) > 0 for line in counts)
    wrong = run("--from", "lclu", "--to", "crops", "--run", "run.yaml")
    assert wrong.exit_code == 1
    assert "is for the tree fields" in wrong.stderr


@pytest.mark.usefixtures("empty")
def test_a_terminal_is_shown_the_same_plan() -> None:
    trees = hk.load("mm5b"), hk.load("crops10m")
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(drawing(hk.plan(*trees), *trees))
    text = console.export_text()
    for words in ("split (5)", "new (1)", "drop (27)", "subset?", "forest and 1 below it",
                  "0.5 paddy_field + 0.5 dry_cropland",
                  "└── soybean"):  # fmt: skip
        assert words in text, text


def test_planning_loads_no_torch() -> None:
    code = (
        "import sys\nfrom hieratk.commands import app\n"
        "app(['transfer', '--from', 'lclu', '--to', 'crops', '--format', 'json'], standalone_mode=False)\n"
        "assert not {'torch', 'numpy', 'rasterio', 'kornia'} & set(sys.modules), sorted(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
