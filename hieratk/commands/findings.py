"""What `taxonomy validate` and `crosswalk check` have in common: files in, findings out, fixes on the way."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from hieratk.commands.show import print_text
from hieratk.errors import HieratkError

if TYPE_CHECKING:
    from hieratk.diagnostics import Problem, Source
    from hieratk.taxonomy.selection import Selection

_SEVERITIES = ("error", "warning", "info")
_TABLE = rb"tool(\.hieratk|\.?[^\w.])"


@dataclass(frozen=True, slots=True)
class Documents:
    """A kind of document: what checks a text, what finds a name, whose errors are raised, and the words for both."""

    check: Callable[[Source, Selection | None], list[Problem]]
    find: Callable[[str], Path]
    error: type[HieratkError]
    noun: str
    example: str


def check_files(
    files: list[str] | None,
    documents: Documents,
    *,
    format_: str,
    fail_on: str | None,
    select: list[str] | None,
    ignore: list[str] | None,
    fix: bool,
    unsafe_fixes: bool,
    diff: bool,
    verbose: bool,
    quiet: bool,
) -> None:
    """Check files, names and standard input (`-`); make fixes where they are asked for; exit 1 where something fails, 2
    where a file cannot be read."""
    from hieratk.diagnostics import FORMATS

    if not files:
        raise documents.error(
            f"nothing to check; name a file or a known {documents.noun}, such as `{documents.example}`"
        )
    for option, given, words in (("--format", format_, FORMATS), ("--fail-on", fail_on, _SEVERITIES)):
        if given is not None and given not in words:
            from hieratk.diagnostics import nearest

            close = nearest(given, words)
            way = f"did you mean `{close[0]}`?" if close else f"there are {', '.join(words)}"
            raise documents.error(f"{option} knows no `{given}`; {way}")
    wishes = _Wishes(fail_on, _codes("--select", select), _codes("--ignore", ignore))
    unreadable = 0
    checked: list[_Checked] = []
    for file in files:
        try:
            mended = fix or unsafe_fixes or diff
            checked.append(
                _mended(file, documents, wishes, unsafe=unsafe_fixes) if mended else _checked(file, documents, wishes)
            )
        except HieratkError as error:
            # The other files are still worth checking.
            typer.echo(f"error: {error}", err=True)
            unreadable += 1
    if diff:
        differences = "".join(_difference(entry) for entry in checked)
        print_text(differences)
        raise typer.Exit(2 if unreadable else int(bool(differences)))
    shown = [
        p for entry in checked for p in entry.problems if verbose or entry.threshold == "info" or p.severity != "info"
    ]
    piped = _written(checked)
    _report(shown, format_, fixed=sum(entry.fixed for entry in checked), files=0 if quiet else len(checked), err=piped)
    if unreadable:
        raise typer.Exit(2)
    if any(entry.failed for entry in checked):
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


def _checked(file: str, documents: Documents, wishes: _Wishes) -> _Checked:
    source, path, problems = _source(file, documents)
    selection, threshold = _settings(path, wishes)
    return _Checked(source, problems or documents.check(source, selection), threshold)


def _mended(file: str, documents: Documents, wishes: _Wishes, *, unsafe: bool) -> _Checked:
    """As `_checked`, with the fixes made in the text; nothing is written here."""
    from hieratk.diagnostics.edits import mend

    if file != "-" and not Path(file).exists() and Path(file).suffix == "" and os.sep not in file:
        raise documents.error(f"fixes are made in files that are given by their paths; `{file}` is a name")
    source, path, problems = _source(file, documents)
    selection, threshold = _settings(path, wishes)
    if problems:
        return _Checked(source, problems, threshold)
    done = mend(source, lambda text: documents.check(text, selection), unsafe=unsafe)
    text = done.after.text if done.changed or path is None else None
    return _Checked(source, done.problems, threshold, done.fixed, text, path)


def _written(checked: list[_Checked]) -> bool:
    """Write the new texts; whether one of them went to standard output."""
    piped = False
    for entry in checked:
        if entry.text is None:
            continue
        if entry.path is None:
            print_text(entry.text)
            piped = True
        else:
            from hieratk.documents.writing import write_text

            write_text(entry.path, entry.text)
    return piped


def _difference(entry: _Checked) -> str:
    from hieratk.diagnostics.edits import difference

    return difference(entry.source, entry.text) if entry.text is not None else ""


def _report(problems: list[Problem], format_: str, *, fixed: int, files: int, err: bool) -> None:
    """Findings, and the lines with the counts (none for 0 files); all of it on standard error with `err`."""
    from hieratk.diagnostics import render, summary

    text = render(problems, format=format_, color=not err and _colorful(format_))
    if err:
        typer.echo(text, err=True, nl=False)
    else:
        print_text(text)
    if format_ in ("full", "concise") and files:
        if fixed:
            typer.echo(f"{fixed} problem{'s' if fixed > 1 else ''} fixed", err=True)
        typer.echo(summary(problems, files=files), err=True)


def _settings(path: Path | None, wishes: _Wishes) -> tuple[Selection | None, str]:
    """The rules for a file, None for all that are not off, and the severity that fails."""
    folder = path.parent if path is not None else Path()
    if not (wishes.select or wishes.ignore) and not any(
        _may_speak(place / "pyproject.toml") for place in (folder.resolve(), *folder.resolve().parents)
    ):
        return None, wishes.fail_on or "error"
    from hieratk.taxonomy.project import Project, project_of

    project = project_of(folder)
    if project == Project() and not (wishes.select or wishes.ignore):
        return None, wishes.fail_on or "error"
    selection = project.selection(path or Path("-"), select=wishes.select, ignore=wishes.ignore)
    return selection, wishes.fail_on or project.fail_on or "error"


def _may_speak(file: Path) -> bool:
    """Whether a pyproject.toml may hold `[tool.hieratk]`: reading TOML takes longer than checking a taxonomy."""
    try:
        text = file.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    # However the table is written: `[tool.hieratk]`, `tool."hieratk"`, or below `[tool]`.
    return re.search(_TABLE, text) is not None


def _source(file: str, documents: Documents) -> tuple[Source, Path | None, list[Problem]]:
    """The text of a file or a name, the file (None for standard input), and why it is no text where it is none."""
    from hieratk.documents import read_bytes, read_source

    if file == "-":
        source, problems = read_bytes(sys.stdin.buffer, name="<stdin>")
        return source, None, problems
    path = Path(file)
    if not path.exists() and path.suffix == "" and os.sep not in file:
        path = documents.find(file)
    source, problems = read_source(path)
    return source, path, problems


def _codes(option: str, words: list[str] | None) -> tuple[str, ...]:
    codes = tuple(code.strip() for word in words or () for code in word.split(",") if code.strip())
    if not codes:
        return ()
    from hieratk.taxonomy.project import known_codes

    return known_codes(codes, option)


def _colorful(format_: str) -> bool:
    return format_ in ("full", "concise") and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
