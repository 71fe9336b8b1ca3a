"""Every code block of README and docs runs: Python is executed, YAML is read, commands are given.

In a console or sh block, `hieratk ...` lines are carried out in order in a folder with a scene, its labels, a tree
and a run
file under the names that the documents use. A train command is cut short to two steps of small chips; nothing else is
changed. `$ make`, `$ pip` and `$ git` lines are what `.ci/run` and the reader do. A block after an HTML comment
`<!-- not run: reason -->` is left out. docs/rules.md shows wrong and right for every rule; tests/test_rules.py runs
those.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from hieratk.commands import app
from hieratk.config import read_run
from hieratk.diagnostics import Source, render
from hieratk.documents import compose
from hieratk.errors import HieratkError
from hieratk.taxonomy.reader import read
from tests.scenes import RUN, TREE, write_scene

ROOT = Path(__file__).parent.parent
DOCS = [page for page in sorted((ROOT / "docs").glob("*.md")) if page.name != "rules.md"]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *DOCS]
BLOCK = re.compile(
    r"^(<!-- not run: (?P<reason>.+?) -->\n+)?^```(?P<kind>\w+)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL
)
ELSEWHERE = ("make", "pip", "git", "cd", "mkdir", "pre-commit", "python")


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    kind: str
    body: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(*kinds: str) -> list[Block]:
    found: list[Block] = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        found += [
            Block(page, text.count("\n", 0, match.start("body")), match["kind"], match["body"])
            for match in BLOCK.finditer(text)
            if match["kind"] in kinds and not match["reason"]
        ]
    return found


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder as a reader of the documents has it."""
    write_scene(tmp_path)
    (tmp_path / "crops.yaml").write_text(TREE.replace("id: fields", "id: crops"), encoding="utf-8")
    run = RUN.replace("fields.yaml", "crops.yaml").replace("block: 16, folds: 5, test: [0], val: [1]", "block: 16")
    (tmp_path / "run.yaml").write_text(run, encoding="utf-8")
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    _install_the_plugin_of_the_guide(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.delitem(sys.modules, "ladder", raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _install_the_plugin_of_the_guide(site: Path) -> None:
    """The files of docs/plugins.md as pip would leave them, without pip."""
    code, project = (
        block.body for block in blocks("python", "toml") if block.page.name == "plugins.md" and block.line < 70
    )
    entry = re.search(r'^\[project\.entry-points\."(.+?)"\]\n(\w+) = "(.+?)"', project, re.MULTILINE)
    assert entry is not None
    info = site / "hieratk_ladder-0.1.0.dist-info"
    info.mkdir(parents=True)
    (site / "ladder.py").write_text(code, encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: hieratk-ladder\nVersion: 0.1.0\n")
    (info / "entry_points.txt").write_text(f"[{entry[1]}]\n{entry[2]} = {entry[3]}\n")


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize("block", blocks("python"), ids=str)
def test_python(block: Block) -> None:
    exec(compile("\n" * block.line + block.body, str(block.page), "exec"), {"__name__": "__main__"})


@pytest.mark.parametrize("block", blocks("yaml"), ids=str)
def test_yaml(block: Block, desk: Path) -> None:
    source = Source(str(block), block.body)
    if "hieratk: taxonomy/1" in block.body:
        taxonomy, problems = read(source)
        errors = [problem for problem in problems if problem.severity == "error"]
        assert taxonomy is not None, render(errors)
    elif re.search(r"^(scenes|dataset):", block.body, re.MULTILINE) and re.search(
        r"^taxonomy:", block.body, re.MULTILINE
    ):
        path = desk / "block.yaml"
        path.write_text(block.body, encoding="utf-8")
        read_run(path)
    else:
        value, problems = compose(source)
        assert value is not None, render(problems)
        assert not [problem for problem in problems if problem.severity == "error"], render(problems)


@pytest.mark.usefixtures("desk")
@pytest.mark.parametrize("block", blocks("console", "sh"), ids=str)
def test_commands(block: Block) -> None:
    if block.page.name == "plugins.md":
        run = next(other.body for other in blocks("yaml") if other.page == block.page and "\nmodel:" in other.body)
        Path("run.yaml").write_text(run, encoding="utf-8")
    lines = block.body.splitlines() if block.kind == "sh" else re.findall(r"^\$ (.+)$", block.body, re.MULTILINE)
    for line in filter(None, lines):
        words = shlex.split(line, comments=True)
        if words[0] in ELSEWHERE:
            continue
        assert words[0] == "hieratk", line
        if words[1] == "train" or "--checkpoint" in words:
            for change in ("steps=2", "chip=12", "batch=2", "warmup=1"):
                words += ["--set", f"schedule.{change}"]
            shutil.rmtree(words[words.index("-o") + 1], ignore_errors=True)
        if words[1] == "demo":
            continue  # tests/test_demo.py runs it
        try:
            code = app(words[1:], standalone_mode=False)
        except HieratkError as error:
            pytest.fail(f"{line}: {error}")
        except SystemExit as stop:
            code = stop.code
        assert not code, f"{line} ends with {code}"


def test_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize(
    ("hook", "seen"),
    [
        ("hieratk-validate", {"a.taxonomy.yaml", "taxonomies/b.yaml", "x/taxonomies/c.yml"}),
        ("hieratk-crosswalk", {"d.crosswalk.yaml", "taxonomies/crosswalks/e.yaml"}),
        (
            "hieratk-fmt",
            {
                "a.taxonomy.yaml",
                "taxonomies/b.yaml",
                "x/taxonomies/c.yml",
                "d.crosswalk.yaml",
                "taxonomies/crosswalks/e.yaml",
            },
        ),
    ],
)
def test_hooks_for_pre_commit(hook: str, seen: set[str]) -> None:
    """Each looks at the documents that its command reads, the command is there, and the page names it."""
    hooks = {entry["id"]: entry for entry in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))}
    assert len(hooks) == 3
    pattern = re.compile(hooks[hook]["files"])
    files = {
        *seen,
        "d.crosswalk.yaml",
        "taxonomies/crosswalks/e.yaml",
        "a.taxonomy.yaml",
        "docs/f.yaml",
        "taxonomies/facts/g.yaml",
    }
    assert {file for file in files if pattern.search(file)} == seen
    program, *words = shlex.split(hooks[hook]["entry"])
    assert program == "hieratk"
    assert CliRunner().invoke(app, [*words, "--help"]).exit_code == 0
    assert f"- id: {hook}\n" in (ROOT / "docs" / "cli.md").read_text("utf-8")
