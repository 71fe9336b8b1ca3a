"""hieratk taxonomy export and import: trees to other people's formats and from them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from hieratk.commands.light import LightCommand
from hieratk.commands.show import print_text


def add_to(app: typer.Typer) -> None:
    """Put the commands of this file on the command line."""
    app.command("export", cls=LightCommand)(export)
    app.command("import", cls=LightCommand)(import_)


def export(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A name (see hieratk taxonomy list) or a path.")],
    to: Annotated[str, typer.Option("--to", help="csv, stac, mlm, skos, qml, rat, mmseg, coco, gee or mermaid.")],
    level: Annotated[str | None, typer.Option("--level", help="Only the classes of this level, as a list.")] = None,
    encoding: Annotated[
        str | None, typer.Option("--encoding", help="The encoding whose raster values are written.")
    ] = None,
    output: Annotated[str | None, typer.Option("-o", "--output", help="A file; standard output without.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file where it exists.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not print what the format has no room for.")] = False,
) -> None:
    """Write a tree in another format, and say what that format has no room for.

    Example: hieratk taxonomy export lclu --to qml --level class -o lclu.qml
    """
    from hieratk.exchange import export as export_tree
    from hieratk.taxonomy.catalog import load

    exported = export_tree(load(name), to, level=level, encoding=encoding)
    _deliver(exported.text, output, force=force)
    if not quiet:
        _say("not in the file", exported.lost)


def import_(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="The file to read, or - for standard input.")],
    from_: Annotated[
        str | None,
        typer.Option("--from", help="csv, stac, skos, qml, rat, mmseg, coco or gee; guessed from the file without."),
    ] = None,
    id_: Annotated[str | None, typer.Option("--id", help="Id of the tree; made from the file's name without.")] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option("--columns", metavar="WHAT=COLUMN", help="csv: which column holds what, such as code=CLC_CODE."),
    ] = None,
    output: Annotated[str | None, typer.Option("-o", "--output", help="FILE.yaml; standard output without.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file where it exists.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print neither losses nor proposals.")] = False,
) -> None:
    """Make a tree of a file in another format; what is lost and what is to be decided stands in its comments.

    Example: hieratk taxonomy import legend.csv --columns code=CLC_CODE,pixel=GRID_CODE,name=LABEL3 -o legend.yaml
    """
    from hieratk.diagnostics import Source
    from hieratk.errors import TaxonomyError
    from hieratk.exchange import import_ as import_tree

    if output is not None and Path(output).suffix not in (".yaml", ".yml"):
        raise TaxonomyError(f"a taxonomy is a YAML file; did you mean -o {output}.yaml?")
    given = Source("<stdin>", _standard_input()) if source == "-" else Path(source)
    if id_ is None and output is not None and source == "-":
        id_ = Path(output).stem
    imported = import_tree(given, from_, id=id_, columns=_columns(columns))
    _deliver(imported.text, output, force=force)
    if not quiet:
        _say("not in the tree", imported.lost)
        _say("to decide", imported.guesses)


def _columns(given: list[str] | None) -> dict[str, str] | None:
    from hieratk.errors import TaxonomyError

    if not given:
        return None
    found: dict[str, str] = {}
    for pair in (pair for words in given for pair in words.split(",")):
        what, equals, column = pair.partition("=")
        if not equals or not what.strip() or not column.strip():
            raise TaxonomyError(f"--columns takes WHAT=COLUMN, such as code=CLC_CODE, not `{pair}`")
        found[what.strip()] = column.strip()
    return found


def _standard_input() -> str:
    from hieratk.diagnostics import render
    from hieratk.documents import read_bytes
    from hieratk.errors import TaxonomyError

    source, problems = read_bytes(sys.stdin.buffer, name="<stdin>")
    if problems:
        raise TaxonomyError(f"standard input cannot be read\n\n{render(problems)}".rstrip())
    return source.text


def _deliver(text: str, output: str | None, *, force: bool) -> None:
    if output is None:
        print_text(text)
        return
    from hieratk.documents.writing import write_text
    from hieratk.errors import ExchangeError

    write_text(output, text, replace=force, error=ExchangeError)


def _say(what: str, items: tuple[str, ...]) -> None:
    for item in items:
        typer.echo(f"{what}: {item}", err=True)
