"""Comments that switch rules off: `# hieratk: ignore[T308] reason` and `# hieratk: ignore-file[T301] reason` (N)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from hieratk.diagnostics import Findings, Source, Span
from hieratk.taxonomy.heads import heads, suppressible

_COMMENT = r"#[ \t]*hieratk:[ \t]*ignore(-file)?(?![\w-])[ \t]*(\[[^\]\n]*\])?"
_MOST_A_LINE = 4
_CODE = r"[^\s,\[\]]+"
_QUOTED = r"\"(?:[^\"\\]|\\.)*\"|'(?:[^']|'')*'"


@dataclass(slots=True)
class _Comment:
    span: Span
    row: int
    whole_file: bool
    codes: dict[str, Span] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)


class Suppressions:
    """The suppression comments of a text. Calling it says whether a finding is dropped, and remembers that it was."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.comments: list[_Comment] = []
        self._by_row: dict[int, list[_Comment]] = {}
        self._by_code: dict[str, list[_Comment]] = {}
        if "ignore" not in source.text:
            return
        tried: dict[int, int] = {}
        for match in re.finditer(_COMMENT, source.text):
            row, column = source.position(match.start())
            tried[row] = tried.get(row, 0) + 1
            if tried[row] > _MOST_A_LINE:
                continue
            line = source.line(row)
            before = line[: column - 1]
            if before[-1:].strip() or any(
                quoted.end() >= column for quoted in re.finditer(_QUOTED, line) if quoted.start() < column - 1
            ):
                continue
            # A comment on a line of its own speaks of the next one.
            comment = _Comment(Span(*match.span()), row if before.strip() else row + 1, bool(match[1]))
            self.comments.append(comment)
            for code in re.finditer(_CODE, match[2] or ""):
                start = match.start(2) + code.start()
                comment.codes.setdefault(code[0], Span(start, start + len(code[0])))
            for code_text in comment.codes:
                if comment.whole_file:
                    self._by_code.setdefault(code_text, []).append(comment)
            if not comment.whole_file:
                self._by_row.setdefault(comment.row, []).append(comment)

    def __call__(self, code: str, offset: int) -> bool:
        """Whether a finding of a rule at a place is switched off."""
        if not self.comments or not suppressible(code, heads()[code].severity):
            return False
        row, _ = self.source.position(offset)
        hit = False
        for comment in (*self._by_row.get(row, ()), *self._by_code.get(code, ())):
            if code in comment.codes:
                comment.used.add(code)
                hit = True
        return hit

    def check(self, findings: Findings) -> None:
        """Apply the family N; to be asked last."""
        if not self.comments:
            return
        # Only who switches a rule off waits for the rulebook.
        from hieratk.taxonomy.rulebook import rules

        known = rules()
        for comment in self.comments:
            if not comment.codes:
                findings.add(
                    "N002",
                    comment.span,
                    "the suppression names no rule",
                    help="write # hieratk: ignore[T308] and the reason",
                )
            for code, span in comment.codes.items():
                if code not in known:
                    findings.add("N003", span, f"there is no rule `{code}`", help="`hieratk taxonomy rule` lists them")
                elif not known[code].suppressible:
                    findings.add("N001", span, f"{code} cannot be switched off", help="remove the comment")
                elif code not in comment.used and findings.on(code):
                    where = "in this file" if comment.whole_file else "on this line"
                    findings.add("N001", span, f"nothing {where} is found by {code}", help="remove the comment")
