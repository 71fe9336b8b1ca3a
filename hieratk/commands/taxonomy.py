"""`hieratk taxonomy validate` and `hieratk taxonomy rule`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hieratk.commands.findings import Documents, check_files
from hieratk.commands.light import LightCommand, LightGroup
from hieratk.commands.show import print_text
from hieratk.errors import TaxonomyError

if TYPE_CHECKING:
    from hieratk.diagnostics import Problem, Source
    from hieratk.taxonomy.selection import Selection

taxonomy_app = typer.Typer(
    name="taxonomy",
    help="Class trees: check, show, list, begin.",
    cls=LightGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
)


@taxonomy_app.command(cls=LightCommand)
def validate(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE|NAME...", help="Files, names of known trees, or - for standard input."),
    ] = None,
    format_: Annotated[str, typer.Option("--format", help="full, concise, json, jsonl, sarif or github.")] = "full",
    fail_on: Annotated[
        str | None, typer.Option("--fail-on", help="Exit with 1 from this severity on: error, warning, info.")
    ] = None,
    select: Annotated[
        list[str] | None,
        typer.Option("--select", metavar="CODES", help="Only these rules, by the beginnings of their codes: Y,T3."),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="CODES", help="Not these rules: T301,T4.")
    ] = None,
    fix: Annotated[bool, typer.Option("--fix", help="Make the safe fixes: what is meant stays as it is.")] = False,
    unsafe_fixes: Annotated[
        bool, typer.Option("--unsafe-fixes", help="Make all fixes, also those that need a look.")
    ] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Show what the fixes would change, and write nothing.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show information too, not only what may be wrong.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not print the line with the counts.")] = False,
) -> None:
    """Check taxonomies and show what is wrong with them, each finding at its place.

    Rules and severities are also taken from [tool.hieratk.validate] of the nearest pyproject.toml.

    Example: hieratk taxonomy validate my_tree.yaml lclu --fail-on warning
    """
    check_files(
        files, Documents(_check, _find, TaxonomyError, "tree", "hieratk taxonomy validate my_tree.yaml"),
        format_=format_, fail_on=fail_on, select=select, ignore=ignore, fix=fix, unsafe_fixes=unsafe_fixes, diff=diff,
        verbose=verbose, quiet=quiet,
    )  # fmt: skip


@taxonomy_app.command(cls=LightCommand)
def rule(
    code: Annotated[
        str | None, typer.Argument(metavar="CODE", help="Code or name of a rule; all of them without one.")
    ] = None,
) -> None:
    """Print the page of a rule: what it says, why, an example of wrong and of right.

    Example: hieratk taxonomy rule T201
    """
    from hieratk.diagnostics import nearest
    from hieratk.taxonomy.rulebook import page, rules

    known = rules()
    if code is None:
        print_text(
            "".join(f"{entry.code}  {entry.severity:<8} {entry.name}: {entry.what}\n" for entry in known.values())
        )
        return
    by_name = {entry.name: entry for entry in known.values()}
    found = known.get(code.upper()) or by_name.get(code.lower())
    if found is None:
        # A wrong code is as near to ten right ones as to the one that was meant; a name is not.
        close = nearest(code.lower(), by_name)
        way = f"did you mean `{close[0]}`?" if close else "`hieratk taxonomy rule` lists all of them"
        raise TaxonomyError(f"there is no rule `{code}`; {way}")
    print_text(page(found))


def _find(name: str) -> Path:
    from hieratk.taxonomy.catalog import find

    return find(name)


def _check(source: Source, selection: Selection | None) -> list[Problem]:
    from hieratk.taxonomy.checking import check

    return check(source, selection=selection).problems
