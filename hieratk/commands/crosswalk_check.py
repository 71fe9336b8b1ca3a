"""`hieratk crosswalk check`: what is wrong with crosswalks, and the fixes."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hieratk.commands.light import LightCommand
from hieratk.errors import CrosswalkError, HieratkError

if TYPE_CHECKING:
    from hieratk.diagnostics import Problem, Source
    from hieratk.taxonomy.selection import Selection

_SEVERITIES = ("error", "warning", "info")


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
    from hieratk.diagnostics import FORMATS, render, summary

    if not files:
        raise CrosswalkError(
            "nothing to check; name a file or a known crosswalk, such as `hieratk crosswalk check my_crosswalk.yaml`"
        )
    _word("--format", format_, FORMATS)
    if fail_on is not None:
        _word("--fail-on", fail_on, _SEVERITIES)
    wishes = _Wishes(fail_on, _codes("--select", select), _codes("--ignore", ignore))
    checked: list[_Checked] = []
    unreadable = 0
    for file in files:
        try:
            checked.append(_checked(file, wishes, mended=fix or unsafe_fixes or diff, unsafe=unsafe_fixes))
        except HieratkError as error:
            # The other files are still worth checking.
            typer.echo(f"error: {error}", err=True)
            unreadable += 1
    if diff:
        from hieratk.diagnostics.edits import difference

        differences = "".join(difference(one.source, one.text) for one in checked if one.text is not None)
        _print(differences)
        raise typer.Exit(2 if unreadable else int(bool(differences)))
    for one in checked:
        one.write()
    shown = [p for one in checked for p in one.problems if verbose or one.threshold == "info" or p.severity != "info"]
    _print(render(shown, format=format_, color=_colorful(format_)))
    if format_ in ("full", "concise") and not quiet and checked:
        fixed = sum(one.fixed for one in checked)
        if fixed:
            typer.echo(f"{fixed} problem{'s' if fixed > 1 else ''} fixed", err=True)
        typer.echo(summary(shown, files=len(checked)), err=True)
    if unreadable:
        raise typer.Exit(2)
    if any(one.failed for one in checked):
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _Wishes:
    """What the words of the command say about rules."""

    fail_on: str | None
    select: tuple[str, ...]
    ignore: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Checked:
    """One file: its findings, and its new text where fixes changed it."""

    source: Source
    problems: list[Problem]
    threshold: str
    fixed: int = 0
    text: str | None = None
    path: Path | None = None

    @property
    def failed(self) -> bool:
        """Whether a finding reaches the severity that fails."""
        from hieratk.diagnostics import at_least

        return any(at_least(problem.severity, self.threshold) for problem in self.problems)  # type: ignore[arg-type]  # one of _SEVERITIES

    def write(self) -> None:
        """Write the new text, if there is one."""
        if self.text is not None and self.path is not None:
            from hieratk.documents.writing import write_text

            write_text(self.path, self.text)


def _checked(file: str, wishes: _Wishes, *, mended: bool, unsafe: bool) -> _Checked:
    from hieratk.crosswalk.checking import check as check_text
    from hieratk.diagnostics.edits import mend

    named = file != "-" and not Path(file).exists() and Path(file).suffix == "" and os.sep not in file
    if mended and (named or file == "-"):
        raise CrosswalkError(f"fixes are made in files that are given by their paths; `{file}` is none")
    source, path, problems = _source(file, named=named)
    selection, threshold = _settings(path, wishes)
    if problems or not mended:
        return _Checked(source, problems or check_text(source, selection=selection).problems, threshold)
    done = mend(source, lambda text: check_text(text, selection=selection).problems, unsafe=unsafe)
    text = done.after.text if done.changed else None
    return _Checked(source, done.problems, threshold, done.fixed, text, path)


def _source(file: str, *, named: bool) -> tuple[Source, Path | None, list[Problem]]:
    """The text of a file or a name, the file (None for standard input), and why it is no text where it is none."""
    from hieratk.documents import read_bytes, read_source

    if file == "-":
        source, problems = read_bytes(sys.stdin.buffer, name="<stdin>")
        return source, None, problems
    path = Path(file)
    if named:
        from hieratk.crosswalk.catalog import find

        path = find(file)
    source, problems = read_source(path)
    return source, path, problems


def _settings(path: Path | None, wishes: _Wishes) -> tuple[Selection | None, str]:
    """The rules for a file, None for all that are not off, and the severity that fails."""
    folder = path.parent if path is not None else Path()
    configured = any((place / "pyproject.toml").is_file() for place in (folder.resolve(), *folder.resolve().parents))
    if not (wishes.select or wishes.ignore or configured):
        return None, wishes.fail_on or "error"
    from hieratk.taxonomy.project import Project, project_of

    project = project_of(folder)
    if project == Project() and not (wishes.select or wishes.ignore):
        return None, wishes.fail_on or "error"
    selection = project.selection(path or Path("-"), select=wishes.select, ignore=wishes.ignore)
    return selection, wishes.fail_on or project.fail_on or "error"


def _codes(option: str, words: list[str] | None) -> tuple[str, ...]:
    if not words:
        return ()
    from hieratk.taxonomy.project import known_codes

    return known_codes([code for word in words for code in word.replace(",", " ").split()], option)


def _word(option: str, given: str, words: tuple[str, ...]) -> None:
    if given not in words:
        from hieratk.diagnostics import nearest

        close = nearest(given, words)
        way = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(words)}"
        raise CrosswalkError(f"{option} knows no `{given}`; {way}")


def _colorful(format_: str) -> bool:
    return format_ in ("full", "concise") and sys.stdout.isatty() and not os.environ.get("NO_COLOR")


def _print(text: str) -> None:
    """Write to standard output; characters that the terminal's encoding lacks are written as escapes."""
    encoding = sys.stdout.encoding or "utf-8"
    sys.stdout.write(text.encode(encoding, "backslashreplace").decode(encoding))
    sys.stdout.flush()
