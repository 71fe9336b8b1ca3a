"""A text, a place in it, and what is wrong there."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Severity = Literal["error", "warning", "info"]

_ORDER: dict[str, int] = {"info": 0, "warning": 1, "error": 2}
# Rows are what editors call rows. NEL, LS and PS break lines for some YAML readers only (rule Y017).
_ROW_END = re.compile(r"\r\n|\n|\r")
_BOM = "\ufeff"


class Span(NamedTuple):
    """A stretch of a text in character offsets, `end` exclusive. A tuple, since documents hold one for each scalar."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Source:
    """A text and the name it is known by: a path as the user wrote it, or something like `<stdin>`."""

    name: str
    text: str
    _starts: list[int] = field(default_factory=list, init=False, repr=False, compare=False)

    def position(self, offset: int) -> tuple[int, int]:
        """Row and column of a character, both counted from 1; a byte-order mark has no column."""
        starts = self._rows()
        row = bisect_right(starts, offset) - 1
        mark = 1 if row == 0 and offset and self.text.startswith(_BOM) else 0
        return row + 1, offset - starts[row] + 1 - mark

    def line(self, row: int) -> str:
        """The text of a row (counted from 1) without its line break and without a byte-order mark."""
        starts = self._rows()
        if not 1 <= row <= len(starts):
            return ""
        end = starts[row] if row < len(starts) else len(self.text)
        line = self.text[starts[row - 1] : end].rstrip("\r\n")
        return line.removeprefix(_BOM) if row == 1 else line

    def row_start(self, row: int) -> int:
        """Offset of the first character of a row (counted from 1), behind a byte-order mark."""
        mark = 1 if row == 1 and self.text.startswith(_BOM) else 0
        return self._rows()[row - 1] + mark

    @property
    def rows(self) -> int:
        """Number of rows; an empty text has one."""
        return len(self._rows())

    def _rows(self) -> list[int]:
        if not self._starts:
            # Filled once and in one step, so that two threads at worst do the same work twice.
            self._starts[:] = [0, *(match.end() for match in _ROW_END.finditer(self.text))]
        return self._starts


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the characters of `span` by `content`."""

    span: Span
    content: str


@dataclass(frozen=True, slots=True)
class Fix:
    """Edits that put one problem right; `safe` keeps what the author meant as it stands."""

    applicability: Literal["safe", "unsafe"]
    edits: tuple[Edit, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding of one rule at one place.

    `label` stands under the underlined text, `related` are further places with labels of their own, `more` counts
    findings of the same rule in the same text that are not listed any more.
    """

    code: str
    severity: Severity
    source: Source
    span: Span
    message: str
    label: str = ""
    related: tuple[tuple[Span, str], ...] = ()
    notes: tuple[str, ...] = ()
    help: str = ""
    fix: Fix | None = None
    name: str = ""
    more: int = 0

    @property
    def position(self) -> tuple[int, int]:
        """Row and column of the first character, counted from 1."""
        return self.source.position(self.span.start)

    @property
    def underlined(self) -> str:
        """The text that the message is about."""
        return self.source.text[self.span.start : self.span.end]


def at_least(severity: Severity, threshold: Severity) -> bool:
    """Whether a severity reaches another: info < warning < error."""
    return _ORDER[severity] >= _ORDER[threshold]
