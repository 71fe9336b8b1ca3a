"""What else is wrong with a text that is not YAML: what has been explained is put right in memory and read again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Protocol

from hieratk.diagnostics import Edit, Fix, Problem, Source, Span

_ROUNDS = 50
_CHARACTERS = 2_000_000
"""Characters that may be read again in all: a long text is not read fifty times."""


class _Composed(Protocol):
    @property
    def problems(self) -> list[Problem]: ...
    @property
    def stopped(self) -> int | None: ...


def further(source: Source, known: Sequence[Problem], compose: Callable[[Source], _Composed]) -> list[Problem]:
    """Errors of the text stage behind the place where the parser stopped; `known` says what was found up to there.

    Nothing is guessed: only safe edits are made, which keep what the author meant; the parser must get past the rows
    that were edited; and on a row that has an error no second one is reported, since it may come from the edit.
    """
    found: list[Problem] = []
    rows = {problem.position[0] for problem in known if problem.severity == "error"}
    made: list[Edit] = []
    fresh = [problem for problem in known if problem.severity == "error"]
    for _ in range(min(_ROUNDS, _CHARACTERS // max(1, len(source.text)))):
        edits = [
            edit
            for problem in fresh
            if problem.fix and problem.fix.applicability == "safe"
            for edit in problem.fix.edits
        ]
        if not edits or len(edits) < len(fresh):
            break
        made = sorted({*made, *edits}, key=lambda edit: edit.span)
        if any(one.span.end > other.span.start for one, other in pairwise(made)):
            break
        again = compose(Source(source.name, _applied(source.text, made)))
        reached = None if again.stopped is None else _back(again.stopped, made)
        if reached is not None and source.position(reached)[0] <= source.position(made[-1].span.start)[0]:
            break
        moved = (_moved(problem, source, made) for problem in again.problems if problem.severity == "error")
        fresh = [problem for problem in moved if problem.position[0] not in rows]
        found += fresh
        rows |= {problem.position[0] for problem in fresh}
        if reached is None:
            break
    return found


def _applied(text: str, edits: Sequence[Edit]) -> str:
    for edit in reversed(edits):
        text = text[: edit.span.start] + edit.content + text[edit.span.end :]
    return text


def _back(offset: int, edits: Sequence[Edit]) -> int:
    """Where a character of the edited text stands in the text as written."""
    grown = 0
    for edit in edits:
        if offset < edit.span.start + grown:
            break
        if offset < edit.span.start + grown + len(edit.content):
            return edit.span.start
        grown += len(edit.content) - (edit.span.end - edit.span.start)
    return offset - grown


def _moved(problem: Problem, source: Source, edits: Sequence[Edit]) -> Problem:
    def back(span: Span) -> Span:
        start = _back(span.start, edits)
        return Span(start, max(start, _back(span.end, edits)))

    fix = problem.fix
    if fix is not None:
        fix = Fix(fix.applicability, tuple(Edit(back(edit.span), edit.content) for edit in fix.edits))
    related = tuple((back(span), words) for span, words in problem.related)
    return replace(problem, source=source, span=back(problem.span), related=related, fix=fix)
