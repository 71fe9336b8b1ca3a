"""`hieratk taxonomy fmt` and `hieratk taxonomy schema`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hieratk.commands.light import LightCommand
from hieratk.commands.show import print_text
from hieratk.errors import HieratkError, TaxonomyError

if TYPE_CHECKING:
    from hieratk.taxonomy.formatting import Formatted


def add_to(app: typer.Typer) -> None:
    """Put the commands of this file on the command line."""
    app.command("fmt", cls=LightCommand)(fmt)
    app.command("schema", cls=LightCommand)(schema)


def fmt(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE...", help="Taxonomies and crosswalks, or - for standard input."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Say what would change (rules F), and write nothing.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what would change, and write nothing.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not print the line with the counts.")] = False,
) -> None:
    """Lay documents out in the one form of the language. What they say does not change, and comments stay.

    Example: hieratk taxonomy fmt my_tree.yaml --diff
    """
    if not files:
        raise TaxonomyError("nothing to lay out; name a file, such as `hieratk taxonomy fmt my_tree.yaml`")
    unreadable = False
    changed, broken, done = 0, 0, 0
    for file in files:
        try:
            found = _formatted(file)
            if found.text is None:
                _broken(file, found)
                broken += 1
                continue
            done += 1
            differs = _deliver(file, found, check=check, diff=diff)
            changed += differs
        except HieratkError as error:
            # The other files are still worth laying out.
            typer.echo(f"error: {error}", err=True)
            unreadable = True
    if done and not quiet and "-" not in files:
        word = "would be changed" if check or diff else "changed"
        typer.echo(f"{changed} of {done} file{'s' if done != 1 else ''} {word}", err=True)
    if unreadable:
        raise typer.Exit(2)
    if broken or ((check or diff) and changed):
        raise typer.Exit(1)


def schema(
    kind: Annotated[
        str, typer.Argument(metavar="taxonomy|crosswalk", help="The kind of document that the schema is about.")
    ] = "taxonomy",
) -> None:
    """Print the JSON Schema (draft-07) of a kind of document, for editors.

    Example: hieratk taxonomy schema crosswalk > schema/crosswalk-1.json
    """
    from hieratk.taxonomy.schema import schema_text

    if kind == "crosswalk":
        from hieratk.crosswalk.spec import TABLES

        sys.stdout.write(schema_text("crosswalk", TABLES))
        return
    if kind != "taxonomy":
        from hieratk.diagnostics import nearest

        meant = nearest(kind, ("taxonomy", "crosswalk"))
        way = f"did you mean `{meant[0]}`?" if meant else "there are taxonomy and crosswalk"
        raise TaxonomyError(f"there is no schema of `{kind}`; {way}")
    sys.stdout.write(schema_text("taxonomy"))


def _formatted(file: str) -> Formatted:
    from hieratk.documents import read_bytes, read_source
    from hieratk.taxonomy.formatting import Formatted, format_text

    if file == "-":
        source, problems = read_bytes(sys.stdin.buffer, name="<stdin>")
    else:
        if not Path(file).exists() and Path(file).suffix == "" and os.sep not in file:
            raise TaxonomyError(f"there is no file `{file}`; fmt takes files, not names of trees")
        source, problems = read_source(file)
    return Formatted(source, source, None, problems) if problems else format_text(source)


def _broken(file: str, found: Formatted) -> None:
    from hieratk.diagnostics import render

    typer.echo(render(found.problems), err=True, nl=False)
    name = "the text" if file == "-" else f"`{file}`"
    typer.echo(f"error: {name} is left as it is, since it cannot be read; mend what is shown above first", err=True)


def _deliver(file: str, found: Formatted, *, check: bool, diff: bool) -> bool:
    """Write, print or compare; whether the text differs."""
    from hieratk.diagnostics import render
    from hieratk.diagnostics.edits import difference
    from hieratk.documents.writing import write_text

    assert found.text is not None
    differs = found.text != found.given.text
    if check:
        print_text(render(found.problems, format="concise"))
    if diff:
        print_text(difference(found.given, found.text))
    if check or diff:
        return differs
    if file == "-":
        print_text(found.text)
    elif differs:
        write_text(file, found.text)
    return differs
