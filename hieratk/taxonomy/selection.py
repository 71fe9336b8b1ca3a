"""Which rules are asked, and how grave their findings are: what a project says about it, as a value."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import PurePath
from types import MappingProxyType
from typing import Protocol

from hieratk.diagnostics import Severity

ALL = "ALL"
"""In `select`: every rule, those included that are off unless they are asked for."""

DEFAULT = "DEFAULT"
"""In `select`: every rule that is not off unless it is asked for; the meaning of an empty `select`."""

_NONE: Mapping[str, Severity] = MappingProxyType({})
_NOWHERE: Mapping[str, tuple[str, ...]] = MappingProxyType({})


class Graded(Protocol):
    """What is asked about a rule; `hieratk.taxonomy.rulebook.Rule` has it."""

    @property
    def code(self) -> str:
        """Such as T201."""

    @property
    def severity(self) -> Severity:
        """The severity where nobody says otherwise."""

    @property
    def off(self) -> bool:
        """Whether the rule is asked only where it is selected."""

    @property
    def suppressible(self) -> bool:
        """Whether the rule may be switched off or made less grave."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rules are asked. Entries are beginnings of codes (`T`, `T3`, `T301`), `ALL` or `DEFAULT`.

    The longest entry that fits a code decides; `ignore` wins over `select` where both are as long. An empty `select` is
    `DEFAULT`. `severity` holds for whole codes or beginnings of them, the longest first. Keys of `per_file_ignores` are
    paths or patterns with `*` and `?`, as `validate` gets the path; one without a folder fits files in any folder.

    Rules without which a file has no meaning (`Rule.suppressible`) stay on and stay errors, whatever is said here.
    """

    select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    severity: Mapping[str, Severity] = field(default_factory=lambda: _NONE)
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NOWHERE)

    def severity_of(self, rule: Graded, file: str) -> Severity | None:
        """How grave a finding of the rule in a file is; None where the rule is off."""
        if not rule.suppressible:
            return rule.severity
        ignored = _longest(rule.code, self._ignored(file))
        selected = max((_reach(rule, entry) for entry in self.select or (DEFAULT,)), default=-1)
        if selected < 0 or ignored >= selected:
            return None
        length = _longest(rule.code, self.severity)
        return self.severity[rule.code[:length]] if length > 0 else rule.severity

    def unknown(self, codes: Iterable[str]) -> tuple[str, ...]:
        """Entries that none of the codes begins with, in the order written: what the writer of a file misspelt."""
        every = tuple(codes)
        said = (
            *self.select,
            *self.ignore,
            *self.severity,
            *(c for found in self.per_file_ignores.values() for c in found),
        )
        return tuple(
            dict.fromkeys(
                entry
                for entry in said
                if entry not in (ALL, DEFAULT) and not (entry and any(code.startswith(entry) for code in every))
            )
        )

    def _ignored(self, file: str) -> list[str]:
        found = list(self.ignore)
        for pattern, codes in self.per_file_ignores.items():
            if _fits(file, pattern):
                found += codes
        return found


def _longest(code: str, entries: Iterable[str]) -> int:
    """Length of the longest entry that a code begins with; -1 without one, 0 for `ALL`."""
    lengths = (0 if entry == ALL else len(entry) for entry in entries if entry == ALL or code.startswith(entry))
    return max(lengths, default=-1)


def _reach(rule: Graded, entry: str) -> int:
    if entry == DEFAULT:
        return -1 if rule.off else 0
    return _longest(rule.code, (entry,))


def _fits(file: str, pattern: str) -> bool:
    path, wanted = PurePath(file), PurePath(pattern).as_posix()
    if "/" not in wanted:
        return fnmatchcase(path.name, wanted)
    return fnmatchcase(path.as_posix(), wanted) or fnmatchcase(path.as_posix(), f"*/{wanted}")
