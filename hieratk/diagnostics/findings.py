"""Where rules put what they find."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from hieratk.diagnostics.nearness import nearest
from hieratk.diagnostics.problem import Fix, Problem, Severity, Source, Span

LISTED = 50
"""Findings of one rule in one text that are listed; the rest are counted."""

LONGEST = 300
"""Characters of a message, beyond which its middle is left out: it may quote a value of any length."""

COMPARISONS = 400_000
"""Candidates that suggestions may look at for one text: a file of nothing but typos must not take minutes."""


@dataclass(frozen=True, slots=True)
class RuleHead:
    """What a finding takes over from its rule."""

    name: str
    severity: Severity


class Findings:
    """Collects the problems of one text: fills in name and severity, lists at most `LISTED` of a rule, counts the rest.

    `suppressed` is asked for each finding and may drop it (comments in the text that switch rules off).
    """

    def __init__(
        self,
        source: Source,
        rules: Mapping[str, RuleHead],
        *,
        suppressed: Callable[[str, int], bool] | None = None,
    ) -> None:
        self.source = source
        self._rules = rules
        self._suppressed = suppressed
        self._found: dict[str, list[Problem]] = {}
        self._more: dict[str, int] = {}
        self._left = COMPARISONS
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
        if self._suppressed is not None and self._suppressed(code, span.start):
            return
        severity = severity or head.severity
        if severity == "error":
            self.errors += 1
        found = self._found.setdefault(code, [])
        if len(found) >= LISTED:
            self._more[code] = self._more.get(code, 0) + 1
            return
        message, label, help = _cut(message), _cut(label), _cut(help)
        found.append(
            Problem(
                code, severity, self.source, span, message, label, tuple(related), tuple(notes), help, fix, head.name
            )
        )

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
        if len(pool) > self._left:
            return []
        self._left -= len(pool)
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
