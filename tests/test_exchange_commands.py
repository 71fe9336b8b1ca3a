"""hieratk taxonomy export and import: what is printed where, what is written, what is refused."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hieratk.commands import app
from hieratk.documents.writing import write_text
from hieratk.errors import ExchangeError, HieratkError, TaxonomyError
from hieratk.taxonomy import catalog

TABLE = "GRID,CODE,LABEL\n1,111,Other fabric\n2,112,Water\n"


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "clc.csv").write_text(TABLE, "utf-8")
    return tmp_path


def run(*words: str) -> None:
    assert not app(["taxonomy", *words], standalone_mode=False)


def test_export_prints_the_file_on_stdout_and_losses_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    run("export", "tiny", "--to", "mermaid")
    out, err = capsys.readouterr()
    assert out.startswith("flowchart LR\n")
    assert "not in the file: the licence\n" in err
    assert err.count("not in the file: ") == len(err.splitlines())
    run("export", "tiny", "--to", "mermaid", "-q")
    assert capsys.readouterr() == (out, "")


def test_there_and_back_through_files(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("export", "tiny", "--to", "csv", "-o", "tiny.csv")
    assert capsys.readouterr().out == ""
    run("import", "tiny.csv", "-o", "tiny.yaml")
    read = catalog.load(desk / "tiny.yaml")
    shipped = catalog.load(catalog.shipped() / "tiny.yaml")
    assert read.nodes == shipped.nodes
    assert read.fingerprint == shipped.fingerprint
    assert sorted(path.name for path in desk.iterdir()) == ["clc.csv", "tiny.csv", "tiny.yaml"]
    assert (desk / "tiny.yaml").stat().st_mode & 0o777 == 0o666 & ~_mask()


def _mask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.usefixtures("desk")
def test_import_proposes_on_stderr_and_in_the_file(capsys: pytest.CaptureFixture[str]) -> None:
    run("import", "clc.csv", "--columns", "pixel=GRID,code=CODE", "--columns", "name=LABEL")
    out, err = capsys.readouterr()
    assert "hieratk: taxonomy/1\nid: clc\n" in out
    assert "to decide: `other_fabric` reads like a residual class: add `kind: residual`, or rename it\n" in err
    assert "# to decide: `other_fabric` reads like a residual class" in out
    assert "kind:" not in out.split("hieratk: taxonomy/1")[1]


def test_nothing_is_overwritten_without_force(desk: Path) -> None:
    target = desk / "tiny.qml"
    target.write_text("mine", "utf-8")
    with pytest.raises(ExchangeError, match=r"tiny\.qml exists already .* give --force"):
        run("export", "tiny", "--to", "qml", "-o", "tiny.qml")
    assert target.read_text("utf-8") == "mine"
    run("export", "tiny", "--to", "qml", "-o", "tiny.qml", "--force", "-q")
    assert target.read_text("utf-8").startswith("<!DOCTYPE qgis")


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("import", "clc.csv", "-o", "clc.csv2"), "a taxonomy is a YAML file; did you mean -o clc.csv2.yaml?"),
        (("import", "clc.csv", "--columns", "GRID"), "--columns takes WHAT=COLUMN, such as code=CLC_CODE, not `GRID`"),
        (("import", "gone.csv"), "there is no file `gone.csv`"),
        (("import", "clc.csv", "--from", "cvs"), "no format `cvs` is read; did you mean `csv`?"),
        (("export", "tiny", "--to", "csv", "-o", "no/where.csv"), "the folder no does not exist; make it first"),
        (("export", "tinny", "--to", "csv"), "no taxonomy `tinny`; did you mean `tiny`?"),
    ],
)
def test_what_is_refused(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(HieratkError) as caught:
        run(*words)
    assert message in str(caught.value)


@pytest.mark.usefixtures("desk")
def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"id,pixel\nrice,1\n")))
    run("import", "-", "--from", "csv", "--id", "mine")
    assert "id: mine\n" in capsys.readouterr().out
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe")))
    with pytest.raises(TaxonomyError, match="standard input cannot be read"):
        run("import", "-", "--from", "csv")


def test_a_file_that_cannot_be_finished_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ExchangeError, match=r"cannot write .*out\.csv: No space left on device"):
        write_text(tmp_path / "out.csv", "x", replace=False, error=ExchangeError)
    assert not list(tmp_path.iterdir())


def test_the_words_of_the_shell_and_what_is_loaded() -> None:
    """One process: exit code 0, and neither numpy nor rasterio nor rdflib for a table."""
    script = (
        "import sys\nfrom hieratk.commands import app\n"
        "app(['taxonomy', 'export', 'tiny', '--to', 'csv', '-q'], standalone_mode=False)\n"
        "print(sorted({'numpy', 'rasterio', 'rdflib', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[0].startswith("level,id_or_code,pixel_value,name,parent_code,r,g,b,source")
    assert done.stdout.splitlines()[-1] == "[]"
