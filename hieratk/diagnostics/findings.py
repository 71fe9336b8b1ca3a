"""Where rules put what they find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import NamedTuple

from hieratk.diagnostics.nearness import nearest
from hieratk.diagnostics.problem import Fix, Problem, Severity, Source, Span

LISTED = 50
"""Findings of one rule in one text that are listed; the rest are counted."""

LONGEST = 300
"""Characters of a message, beyond which its middle is left out: it may quote a value of any length."""

COMPARED = 1_500_000
"""Letters that suggestions may compare for one text: a file of nothing but typos must not take minutes."""


class RuleHead(NamedTuple):
    """What a finding takes over from its rule; a rule that is `off` reports only where it is selected."""

    name: str
    severity: Severity
    off: bool = False


class Findings:
    """Collects the problems of one text: fills in name and severity, lists at most `LISTED` of a rule, counts the rest.

    `suppressed` is asked for each finding and may drop it (comments in the text that switch rules off). `graded` says
    how grave the findings of a rule are, None where the rule is off; without it, severities are those of the rules, and
    rules that are off say nothing.

    What a text takes over from another one has its places there. Such a place is made by `elsewhere`; a finding about
    it is dropped, since the other text has findings of its own, and as a related place it becomes a note.
    """

    def __init__(
        self,
        source: Source,
        rules: Mapping[str, RuleHead],
        *,
        suppressed: Callable[[str, int], bool] | None = None,
        graded: Callable[[str], Severity | None] | None = None,
    ) -> None:
        self.source = source
        self._rules = rules
        self._suppressed = suppressed
        self._graded = graded
        self._origins: list[str] = []
        self._found: dict[str, list[Problem]] = {}
        self._more: dict[str, int] = {}
        self._left = COMPARED
        self.errors = 0

    def add(
        self,
        code: str,
        span: Span,
        message: str,
        *,
        label: str = "",
        related: Iterable[tuple[Span, str]] = (),
        notes: Iterable[str] = (),
        help: str = "",
        fix: Fix | None = None,
        severity: Severity | None = None,
    ) -> None:
        """Report a finding of a rule."""
        head = self._rules[code]
        grade = self._grade(code)
        if grade is None:
            return
        related, notes = tuple(related), tuple(notes)
        if self._origins:
            placed = self._place(span, label, related, notes)
            if placed is None:
                return
            span, label, related, notes = placed
        if self._suppressed is not None and self._suppressed(code, span.start):
            return
        # What a rule says about one finding of its own gives way to what is said about the rule.
        severity = severity if severity and grade == head.severity else grade
        if severity == "error":
            self.errors += 1
        found = self._found.setdefault(code, [])
        if len(found) >= LISTED:
            self._more[code] = self._more.get(code, 0) + 1
            return
        message, label, help = _cut(message), _cut(label), _cut(help)
        found.append(Problem(code, severity, self.source, span, message, label, related, notes, help, fix, head.name))

    def on(self, code: str) -> bool:
        """Whether a rule is asked at all: one that is off and takes long need not look."""
        return self._grade(code) is not None

    def elsewhere(self, origin: str) -> Span:
        """A place in another text, and what is said about it: "`wetland` comes from lclu.yaml"."""
        self._origins.append(origin)
        return Span(-len(self._origins), -len(self._origins))

    def _grade(self, code: str) -> Severity | None:
        if self._graded is not None:
            return self._graded(code)
        head = self._rules[code]
        return None if head.off else head.severity

    def _place(
        self, span: Span, label: str, related: tuple[tuple[Span, str], ...], notes: tuple[str, ...]
    ) -> tuple[Span, str, tuple[tuple[Span, str], ...], tuple[str, ...]] | None:
        """A finding with its places in this text only; None where it has none."""
        here = tuple((place, words) for place, words in related if place.start >= 0)
        if span.start < 0 and not here:
            return None
        away = [place.start for place in (span, *(place for place, _ in related)) if place.start < 0]
        notes = tuple(dict.fromkeys((*notes, *(self._origins[-1 - start] for start in away))))
        if span.start >= 0:
            return span, label, here, notes
        # The label was written for the place that cannot be shown.
        return here[0][0], "", here[1:], notes

    def forget(self, code: str) -> None:
        """Take back what a rule has found, where another one explains it."""
        for problem in self._found.pop(code, ()):
            self.errors -= problem.severity == "error"
        self._more.pop(code, None)

    def full(self, code: str) -> bool:
        """Whether further findings of a rule would only be counted."""
        return len(self._found.get(code, ())) >= LISTED

    def suggest(
        self, word: str, candidates: Iterable[str], *, meaning: Mapping[str, str] | None = None, limit: int = 3
    ) -> list[str]:
        """`nearest`, within the budget of one text. `meaning` leads from a candidate to the proposal."""
        pool = list(candidates)
        letters = sum(map(len, pool))
        if letters > self._left:
            return []
        self._left -= letters
        words = nearest(word, pool, limit=limit)
        return words if meaning is None else list(dict.fromkeys(meaning[found] for found in words))

    def did_you_mean(self, word: str, candidates: Iterable[str], *, meaning: Mapping[str, str] | None = None) -> str:
        """A help line with the suggestions, or an empty one."""
        words = [f"`{found}`" for found in self.suggest(word, candidates, meaning=meaning)]
        return f"did you mean {' or '.join(words)}?" if words else ""

    def problems(self) -> list[Problem]:
        """Everything found, sorted by place; the last listed finding of an overfull rule says how many more."""
        listed = []
        for code, found in self._found.items():
            more = self._more.get(code, 0)
            listed += [*found[:-1], replace(found[-1], more=more)] if more else found
        return sorted(listed, key=lambda problem: (problem.span.start, problem.span.end, problem.code))


def _cut(text: str) -> str:
    """A text that quotes something endless, without its middle."""
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 60]} … {text[-50:]}"
