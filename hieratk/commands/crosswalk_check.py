"""`hieratk crosswalk check`: what is wrong with crosswalks, and the fixes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hieratk.commands.findings import Documents, check_files
from hieratk.commands.light import LightCommand
from hieratk.errors import CrosswalkError

if TYPE_CHECKING:
    from hieratk.diagnostics import Problem, Source
    from hieratk.taxonomy.selection import Selection


def add_to(app: typer.Typer) -> None:
    """Put the command of this file on the command line."""
    app.command(cls=LightCommand)(check)


def check(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE|NAME...", help="Files, names of known crosswalks, or - for standard input."),
    ] = None,
    format_: Annotated[str, typer.Option("--format", help="full, concise, json, jsonl, sarif or github.")] = "full",
    fail_on: Annotated[
        str | None, typer.Option("--fail-on", help="Exit with 1 from this severity on: error, warning, info.")
    ] = None,
    select: Annotated[
        list[str] | None,
        typer.Option("--select", metavar="CODES", help="Only these rules, by the beginnings of their codes: X,Y0."),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option("--ignore", metavar="CODES", help="Not these rules: X009,X01.")
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
    """Check crosswalks and show what is wrong with them, each finding at its place.

    Rules and severities are also taken from [tool.hieratk.validate] of the nearest pyproject.toml.

    Example: hieratk crosswalk check my_crosswalk.yaml esa_cci_lc_to_lclu
    """
    check_files(
        files, Documents(_check, _find, CrosswalkError, "crosswalk", "hieratk crosswalk check my_crosswalk.yaml"),
        format_=format_, fail_on=fail_on, select=select, ignore=ignore, fix=fix, unsafe_fixes=unsafe_fixes, diff=diff,
        verbose=verbose, quiet=quiet,
    )  # fmt: skip


def _find(name: str) -> Path:
    from hieratk.crosswalk.catalog import find

    return find(name)


def _check(source: Source, selection: Selection | None) -> list[Problem]:
    from hieratk.crosswalk.checking import check as check_text

    return check_text(source, selection=selection).problems
