"""Fixes carried out: edits of a text, and the rounds in which one fix makes room for the next."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import unified_diff

from hieratk.diagnostics.problem import Fix, Problem, Source

ROUNDS = 10
"""How often a text is checked again after edits; two fixes that undo one another must come to an end."""


@dataclass(frozen=True, slots=True)
class Mended:
    """A text after its fixes: what it was, what it is, how many fixes were made, and what is still wrong with it."""

    before: Source
    after: Source
    fixed: int
    problems: list[Problem]

    @property
    def changed(self) -> bool:
        """Whether the text is another one."""
        return self.before.text != self.after.text


def apply(text: str, fixes: Iterable[Fix]) -> tuple[str, int]:
    """The text with its fixes, and how many of them were made.

    A fix is made as a whole or not at all. One that overlaps with an earlier one is left out, and so is one
    that inserts where an earlier one begins or ends: the next round sees what is left to do.
    """
    ordered = sorted((fix for fix in fixes if fix.edits), key=lambda fix: min(edit.span for edit in fix.edits))
    taken: list[tuple[int, int, str]] = []
    made = 0
    for fix in ordered:
        edits = [(edit.span.start, edit.span.end, edit.content) for edit in fix.edits]
        if any(_meet(one, other) for one in edits for other in _beside(taken, one)):
            continue
        for one in edits:
            insort(taken, one)
        made += 1
    for start, end, content in reversed(taken):
        text = text[:start] + content + text[end:]
    return text, made


def mend(source: Source, check: Callable[[Source], Sequence[Problem]], *, unsafe: bool = False) -> Mended:
    """Check a text, make its fixes, and check again, at most `ROUNDS` times.

    Args:
        source: the text.
        check: what is wrong with a text; asked once more than rounds are made.
        unsafe: make fixes too that need a look: renaming to what may be meant, adding a kind.
    """
    now, problems, fixed = source, list(check(source)), 0
    for _ in range(ROUNDS):
        fixes = [p.fix for p in problems if p.fix is not None and (unsafe or p.fix.applicability == "safe")]
        text, made = apply(now.text, fixes)
        if not made or text == now.text:
            break
        now, fixed = Source(source.name, text), fixed + made
        problems = list(check(now))
    return Mended(source, now, fixed, problems)


def difference(before: Source, text: str) -> str:
    """A unified diff, as `git diff` and `patch` read it; empty for equal texts."""
    old, new = before.text.splitlines(keepends=True), text.splitlines(keepends=True)
    name = before.name.lstrip("/")
    lines = unified_diff(old, new, f"a/{name}", f"b/{name}")
    return "".join(line if line.endswith("\n") else line + "\n\\ No newline at end of file\n" for line in lines)


def _beside(taken: list[tuple[int, int, str]], edit: tuple[int, int, str]) -> list[tuple[int, int, str]]:
    """The edits next to the place of another one; those further away cannot meet it, since none of them meet."""
    place = bisect_left(taken, edit)
    return taken[max(0, place - 2) : place + 2]


def _meet(one: tuple[int, int, str], other: tuple[int, int, str]) -> bool:
    if one[0] == one[1] or other[0] == other[1]:
        return one[0] <= other[1] and other[0] <= one[1]
    return one[0] < other[1] and other[0] < one[1]
