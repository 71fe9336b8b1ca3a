"""hieratk taxonomy list, show and new: the trees there are, one of them in the terminal, and the start of one's own."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from hieratk.errors import TaxonomyError

if TYPE_CHECKING:
    from hieratk.taxonomy.tree import Encoding, Level, Node, Taxonomy

_START = """\
# yaml-language-server: $schema=./schema/taxonomy-1.json
hieratk: taxonomy/1
levels: [cover, class, crop]
tree:
  vegetation:
    forest: 1
    cropland: {rice: 2, maize: 3}
  water: 4
"""


def add_to(app: typer.Typer) -> None:
    """Put the commands of this file on the command line."""
    app.command("list")(list_)
    app.command()(show)
    app.command()(new)


def list_() -> None:
    """List the trees that a name stands for: shipped ones, and those of this folder.  Example: hieratk taxonomy list"""
    from hieratk.taxonomy import catalog

    rows = []
    for name in catalog.names():
        path = catalog.find(name)
        place = "shipped" if path.parent.resolve() == catalog.shipped().resolve() else str(path.parent)
        try:
            tree = catalog.load(path)
        except TaxonomyError:
            rows.append((name, "", "", "", place, f"has errors: hieratk taxonomy validate {name}"))
            continue
        classes = " / ".join(str(len(level)) for level in tree.levels)
        rows.append((name, tree.version, classes, tree.license or "", place, tree.title))
    _print(_aligned(("name", "version", "classes by level", "licence", "from", "title"), rows))


def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name (see hieratk taxonomy list) or a path.")],
    level: Annotated[str | None, typer.Option(help="Only the classes of this level, in the order of a model.")] = None,
    depth: Annotated[int | None, typer.Option(min=1, help="Only so many levels of the tree.")] = None,
) -> None:
    """Show a tree: pixel values, codes, colours.  Example: hieratk taxonomy show indian_pines --depth 2"""
    if level is not None and depth is not None:
        raise typer.BadParameter("give --level or --depth, not both")
    from hieratk.taxonomy.catalog import load

    tree = load(name)
    rows = _tree_rows(tree, depth) if level is None else _level_rows(tree, tree.level(level))
    _print(_head(tree))
    _paint(rows)
    if tree.special and level is None:
        _print(["", "not a class"])
        _paint([_Row("", s.id, _pixels(tree, s.id, None), "", s.name, s.role, s.color) for s in tree.special])


def new(
    file: Annotated[Path, typer.Argument(metavar="FILE.yaml", help="The file to write; an existing one is kept.")],
) -> None:
    """Write the start of a tree, and beside it the schema for editors.  Example: hieratk taxonomy new my_tree.yaml"""
    if file.suffix not in (".yaml", ".yml"):
        raise TaxonomyError(f"a taxonomy is a YAML file; did you mean {file}.yaml?")
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", file.stem):
        raise TaxonomyError(
            f"`{file.stem}` cannot be the id of a taxonomy: use small letters a-z, digits and single underscores,"
            " with a letter first"
        )
    if not file.parent.is_dir():
        raise TaxonomyError(f"the folder {file.parent} does not exist; make it first")
    from hieratk.taxonomy.catalog import shipped

    schema = file.parent / "schema" / "taxonomy-1.json"
    try:
        with file.open("x", encoding="utf-8", newline="\n") as stream:
            stream.write(_START)
        if not schema.exists():
            schema.parent.mkdir(exist_ok=True)
            shutil.copyfile(shipped() / "schema" / "taxonomy-1.json", schema)
    except FileExistsError as error:
        raise TaxonomyError(f"{error.filename} exists already and is left as it is; choose another name") from None
    except OSError as error:
        raise TaxonomyError(f"cannot write {error.filename or file}: {error.strerror or error}") from None
    _print([f"wrote {file}; change it, then: hieratk taxonomy validate {file}"])


class _Row(NamedTuple):
    """One class as it is shown."""

    branch: str
    id: str
    pixels: str
    code: str
    name: str
    remark: str
    color: str | None

    @property
    def cells(self) -> tuple[str, ...]:
        return (self.branch + self.id, self.pixels, self.code, self.name, self.remark)


def _head(tree: Taxonomy) -> list[str]:
    lines = [f"{tree.id} {tree.version}" + (f"  {tree.title}" if tree.title else "")]
    lines.append("levels     " + ", ".join(f"{level.name} {len(level)}" for level in tree.levels))
    silent = len(tree.nodes) - len(tree.predicted)
    lines.append(f"classes    {len(tree.nodes)}" + (f", {silent} of them never predicted" if silent else ""))
    lines += [f"encoding   {_described(tree, encoding)}" for encoding in tree.encodings.values()]
    if tree.license:
        lines.append(f"licence    {tree.license}")
    return [*lines, ""]


def _described(tree: Taxonomy, encoding: Encoding) -> str:
    values = sum(high - low + 1 for low, high, _ in encoding.values)
    level = "" if encoding.level is None else f" of level {tree.level_names[encoding.level]}"
    about = "" if encoding.about is None else f" ({encoding.about})"
    return f"{encoding.name}: {encoding.dtype}, {values} values{level}{about}"


def _tree_rows(tree: Taxonomy, depth: int | None) -> list[_Row]:
    rows: list[_Row] = []

    def add(node: Node, branch: str, below: str) -> None:
        children = [child for child in node.children if depth is None or tree[child].level < depth]
        hidden = sum(1 + len(tree.descendants(child)) for child in node.children if child not in children)
        remark = "; ".join(filter(None, (_remark(tree, node), f"{hidden} more below" if hidden else "")))
        row = _Row(branch, node.id, _pixels(tree, node.id, node.level), node.code or "", node.name, remark, node.color)
        rows.append(row)
        for child in children:
            last = child == children[-1]
            add(tree[child], below + ("└─ " if last else "├─ "), below + ("   " if last else "│  "))

    for node in tree.nodes:
        if node.parent is None and (depth is None or node.level < depth):
            add(node, "", "")
    return rows


def _level_rows(tree: Taxonomy, level: Level) -> list[_Row]:
    rows = []
    for id_ in level.classes:
        node = tree[id_]
        stands_in = f"stands in from level {tree.level_names[node.level]}" if id_ in level.carried else ""
        remark = "; ".join(filter(None, (_remark(tree, node), stands_in)))
        rows.append(_Row("", id_, _pixels(tree, id_, level.index), node.code or "", node.name, remark, node.color))
    return rows


def _pixels(tree: Taxonomy, id_: str, level: int | None) -> str:
    """Raster values in the default encoding, else in the first one of the level, which is then named."""
    encodings = [e for e in tree.encodings.values() if e.name == "default"]
    encodings += [e for e in tree.encodings.values() if e.name != "default" and e.level == level]
    for encoding in encodings:
        spans = [str(low) if low == high else f"{low}..{high}" for low, high, owner in encoding.values if owner == id_]
        if spans:
            return " ".join(spans) + ("" if encoding.name == "default" else f" ({encoding.name})")
    return ""


def _remark(tree: Taxonomy, node: Node) -> str:
    words: list[str] = []
    if node.kind == "mixed":
        words.append("mixed: " + " + ".join(node.parts))
    elif node.kind != "class":
        words.append(node.kind)
    if node.deprecated is not None:
        words.append("deprecated" + (f", use {', '.join(node.deprecated.use)}" if node.deprecated.use else ""))
    usual = 0 if node.parent is None else tree[node.parent].level + 1
    if node.level != usual:
        words.append(f"on level {tree.level_names[node.level]}")
    if node.also:
        words.append("also " + ", ".join(node.also))
    if node.regions:
        words.append("only in " + ", ".join(node.regions))
    return "; ".join(words)


_HEADINGS = ("class", "pixel", "code", "name", "")


def _paint(rows: Sequence[_Row]) -> None:
    """A table of classes: swatches on a terminal, colours in words elsewhere."""
    if not sys.stdout.isatty():
        colors = any(row.color for row in rows)
        headings = (*_HEADINGS[:4], "color", "") if colors else _HEADINGS
        cells = [(*row.cells[:4], row.color or "", row.remark) if colors else row.cells for row in rows]
        _print(_aligned(headings, cells))
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(highlight=False)
    lines = _aligned(_HEADINGS, [row.cells for row in rows])
    console.print(Text("   " + lines[0], style="dim"), soft_wrap=True)
    for row, line in zip(rows, lines[1:], strict=True):
        start = len(row.branch)
        text = Text.assemble(("██ ", row.color) if row.color else "   ", line)
        text.stylize("dim", 3, 3 + start)
        text.stylize("" if start else "bold", 3 + start, 3 + start + len(row.id))
        console.print(text, soft_wrap=True)


def _aligned(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Columns side by side; a column without any text is left out."""
    table = [headings, *rows]
    shown = [i for i in range(len(headings)) if any(row[i] for row in table[1:])]
    from hieratk.taxonomy.dump import columns

    width = {i: max(columns(row[i]) for row in table) for i in shown}
    return ["  ".join(row[i] + " " * (width[i] - columns(row[i])) for i in shown).rstrip() for row in table]


def _print(lines: Iterable[str]) -> None:
    # A terminal that cannot show a name (LANG=C) shows question marks rather than nothing.
    encoding = sys.stdout.encoding or "utf-8"
    for line in lines:
        print(line.encode(encoding, "replace").decode(encoding))
