"""`hieratk taxonomy validate` and `hieratk taxonomy rule`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hieratk.commands.light import LightCommand, LightGroup
from hieratk.errors import HieratkError, TaxonomyError

if TYPE_CHECKING:
    from hieratk.diagnostics import Problem

taxonomy_app = typer.Typer(
    name="taxonomy",
    help="Class trees: check, show, list, begin.",
    cls=LightGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
)

_SEVERITIES = ("error", "warning", "info")


@taxonomy_app.command(cls=LightCommand)
def validate(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE|NAME...", help="Files, names of known trees, or - for standard input."),
    ] = None,
    format_: Annotated[str, typer.Option("--format", help="full, concise, json, sarif or github.")] = "full",
    fail_on: Annotated[
        str, typer.Option("--fail-on", help="Exit with 1 from this severity on: error, warning, info.")
    ] = "error",
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show information too, not only what may be wrong.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Do not print the line with the counts.")] = False,
) -> None:
    """Check taxonomies and show what is wrong with them, each finding at its place.

    Example: hieratk taxonomy validate my_tree.yaml lclu --fail-on warning
    """
    from hieratk.diagnostics import FORMATS, at_least, render, summary

    if not files:
        raise TaxonomyError(
            "nothing to check; name a file or a known tree, such as `hieratk taxonomy validate my_tree.yaml`"
        )
    _word("--format", format_, FORMATS)
    _word("--fail-on", fail_on, _SEVERITIES)
    problems: list[Problem] = []
    unreadable = 0
    for file in files:
        try:
            problems += _problems(file)
        except HieratkError as error:
            # The other files are still worth checking.
            typer.echo(f"error: {error}", err=True)
            unreadable += 1
    threshold = fail_on if fail_on in _SEVERITIES else "error"
    shown = [p for p in problems if verbose or p.severity != "info" or threshold == "info"]
    _print(render(shown, format=format_, color=_colorful(format_)))
    if format_ in ("full", "concise") and not quiet and len(files) > unreadable:
        typer.echo(summary(shown, files=len(files) - unreadable), err=True)
    if unreadable:
        raise typer.Exit(2)
    if any(at_least(problem.severity, threshold) for problem in problems):  # type: ignore[arg-type]  # one of _SEVERITIES
        raise typer.Exit(1)


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
        _print("".join(f"{entry.code}  {entry.severity:<8} {entry.name}: {entry.what}\n" for entry in known.values()))
        return
    by_name = {entry.name: entry for entry in known.values()}
    found = known.get(code.upper()) or by_name.get(code.lower())
    if found is None:
        # A wrong code is as near to ten right ones as to the one that was meant; a name is not.
        close = nearest(code.lower(), by_name)
        way = f"did you mean `{close[0]}`?" if close else "`hieratk taxonomy rule` lists all of them"
        raise TaxonomyError(f"there is no rule `{code}`; {way}")
    _print(page(found))


def _problems(file: str) -> list[Problem]:
    from hieratk.documents import read_bytes, read_source
    from hieratk.taxonomy.checking import check

    if file == "-":
        source, problems = read_bytes(sys.stdin.buffer, name="<stdin>")
        return problems or check(source).problems
    path = Path(file)
    if not path.exists() and path.suffix == "" and os.sep not in file:
        from hieratk.taxonomy.catalog import find

        path = find(file)
    source, problems = read_source(path)
    return problems or check(source).problems


def _word(option: str, given: str, words: tuple[str, ...]) -> None:
    if given not in words:
        from hieratk.diagnostics import nearest

        close = nearest(given, words)
        way = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(words)}"
        raise TaxonomyError(f"{option} knows no `{given}`; {way}")


def _colorful(format_: str) -> bool:
    return format_ in ("full", "concise") and sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _print(text: str) -> None:
    """Write to standard output; characters that the terminal's encoding lacks are written as escapes."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()
