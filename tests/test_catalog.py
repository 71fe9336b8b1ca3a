"""Names and paths to trees: where they are looked for, and what is said where nothing is found."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from hieratk.errors import TaxonomyError
from hieratk.taxonomy import catalog

TREE = "hieratk: taxonomy/1\ntree:\n  land: 1\n  sea: 2\n"
A_FOLDER = "is a directory; give the path of one taxonomy file in it, such as"
BROKEN = "hieratk: taxonomy/1\ntree:\n  land: 1\n  sea: 1\n  lake: 2\n  pond: 2\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project as the current directory, with `taxonomies/` in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HIERATK_TAXONOMIES", raising=False)
    (tmp_path / "taxonomies").mkdir()
    return tmp_path


def test_a_path_is_taken_as_it_is(project: Path) -> None:
    (project / "here.yaml").write_text(TREE)
    assert catalog.load("here.yaml").leaves == ("land", "sea")
    assert catalog.load(project / "here.yaml").id == "here"
    assert catalog.find("here.yaml") == Path("here.yaml")
    assert catalog.validate(Path("here.yaml")) == catalog.validate("here.yaml")


def test_places_are_searched_in_order(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = project / "one", project / "two"
    for folder, leaf in ((one, "one"), (two, "two")):
        folder.mkdir()
        (folder / "tiny.yaml").write_text(f"hieratk: taxonomy/1\ntree: {{{leaf}: 1}}\n")
    assert catalog.find("tiny") == catalog.shipped() / "tiny.yaml"
    # The environment is read at each call, not when the module is imported.
    monkeypatch.setenv("HIERATK_TAXONOMIES", os.pathsep.join((str(one), str(two))))
    assert catalog.load("tiny").leaves == ("one",)
    (one / "tiny.yaml").unlink()
    assert catalog.load("tiny").leaves == ("two",)
    (project / "taxonomies" / "tiny.yaml").write_text(TREE)
    assert catalog.load("tiny").leaves == ("land", "sea")


def test_names_are_those_of_all_places_once(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "taxonomies" / "mine.yaml").write_text(TREE)
    (project / "taxonomies" / "tiny.yml").write_text(TREE)
    (project / "taxonomies" / "a_to_b.yaml").write_text("# a comment\nhieratk: crosswalk/1\nid: a_to_b\n")
    (project / "taxonomies" / "notes.txt").write_text("no tree")
    monkeypatch.setenv("HIERATK_TAXONOMIES", str(project / "nowhere"))
    names = catalog.names()
    assert list(names) == sorted(set(names))
    assert {"mine", "tiny", "mm5b", "usda_cdl"} <= set(names)
    assert not {"a_to_b", "notes"} & set(names)


def test_a_name_is_no_folder(project: Path) -> None:
    (project / "tiny").mkdir()
    assert catalog.load("tiny").id == "tiny"


def test_an_unknown_name_gets_a_suggestion_and_the_places(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HIERATK_TAXONOMIES", str(project / "shared"))
    with pytest.raises(TaxonomyError) as caught:
        catalog.load("usda_cld")
    assert str(caught.value) == (
        "no taxonomy `usda_cld`; did you mean `usda_cdl`?"
        f" Searched: taxonomies, {project / 'shared'}, {catalog.shipped()}."
        " `hieratk taxonomy list` shows every name; a file is given by its path."
    )
    with pytest.raises(TaxonomyError, match=r"^no taxonomy `qqqqqqqq`\. Searched: "):
        catalog.load("qqqqqqqq")


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("trees/mine.yaml", "no file trees/mine.yaml: the folder trees does not exist"),
        ("taxonomies/mien.yaml", "no file taxonomies/mien.yaml; did you mean taxonomies/mine.yaml?"),
        ("taxonomies/zzzzzzzzzzzzz.yaml", "no file taxonomies/zzzzzzzzzzzzz.yaml"),
        ("./taxonomies", f"taxonomies {A_FOLDER} taxonomies/my_tree.yaml"),
        (Path("taxonomies"), f"taxonomies {A_FOLDER} taxonomies/my_tree.yaml"),
        (Path("tiny"), "no file tiny"),
        ("", f". {A_FOLDER} my_tree.yaml"),
        ("a\0b", "no file a\0b"),
    ],
)  # fmt: skip
def test_a_path_to_nothing_is_one_message(project: Path, given: str | Path, text: str) -> None:
    (project / "taxonomies" / "mine.yaml").write_text(TREE)
    for call in (catalog.load, catalog.find, catalog.validate):
        with pytest.raises(TaxonomyError) as caught:
            call(given)
        assert str(caught.value) == text


def test_a_broken_document_raises_with_every_error_and_its_place(project: Path) -> None:
    (project / "taxonomies" / "broken.yaml").write_text(BROKEN)
    with pytest.raises(TaxonomyError) as caught:
        catalog.load("broken")
    text = str(caught.value)
    assert text.startswith("taxonomy taxonomies/broken.yaml has errors\n\nerror[T201]")
    assert "taxonomies/broken.yaml:4:8" in text
    assert "taxonomies/broken.yaml:6:9" in text
    assert "warning" not in text
    codes = [problem.code for problem in catalog.validate("broken") if problem.severity == "error"]
    assert codes == ["T201", "T201"]


def test_a_fifo_is_refused_and_not_waited_for(project: Path) -> None:
    os.mkfifo(project / "pipe.yaml")
    with pytest.raises(TaxonomyError, match=r"pipe.yaml is not a regular file"):
        catalog.load("pipe.yaml")


def test_loading_a_tree_loads_no_torch_and_no_raster_library() -> None:
    heavy = "{'torch', 'rasterio', 'kornia', 'rich', 'typer'}"
    code = f"import sys, hieratk; hieratk.load('tiny'); print(*{heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
