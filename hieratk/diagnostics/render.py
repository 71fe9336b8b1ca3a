"""Problems as text for people, after the manner of rustc and ruff; `render` also leads to the formats for machines."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from hieratk.diagnostics.problem import Problem, Source, Span

FORMATS = ("full", "concise", "json", "jsonl", "sarif", "github")

_WIDEST = 180
_INVISIBLE = frozenset("\u00ad\u061c\ufeff\u2028\u2029")
_COLORS = {"error": "1;31", "warning": "1;33", "info": "1;36", "frame": "1;34", "strong": "1"}


def render(problems: Sequence[Problem], *, format: str = "full", color: bool = False) -> str:
    """The problems in one of `FORMATS`; ends with a line break unless nothing is to be said.

    `color` concerns `full` and `concise` only and writes ANSI sequences. Raises ValueError for another format.
    """
    if format == "full":
        return "".join(_full(problem, color) + "\n" for problem in problems)
    if format == "concise":
        return "".join(_concise(problem, color) for problem in problems)
    if format in FORMATS:
        from hieratk.diagnostics import machine

        writers = {
            "json": machine.json_document,
            "jsonl": machine.json_lines,
            "sarif": machine.sarif,
            "github": machine.github,
        }
        return writers[format](problems)
    raise ValueError(f"no format `{format}`; there are {', '.join(FORMATS)}")


def summary(problems: Sequence[Problem], *, files: int) -> str:
    """One line: how many errors, warnings and remarks in how many files."""
    counts = []
    for severity, word in (("error", "error"), ("warning", "warning"), ("info", "remark")):
        count = sum(1 + problem.more for problem in problems if problem.severity == severity)
        if count:
            counts.append(f"{count} {word}{'s' if count > 1 else ''}")
    where = f"{files} file{'s' if files != 1 else ''}"
    return f"{', '.join(counts)} in {where}" if counts else f"no problems in {where}"


def _concise(problem: Problem, color: bool) -> str:
    row, column = problem.position
    code = _paint(problem.code, problem.severity, color)
    line = f"{problem.source.name}:{row}:{column}: {code} {_visible(problem.message)}\n"
    return line + (f"{problem.source.name}: … and {problem.more} more {problem.code}\n" if problem.more else "")


def _full(problem: Problem, color: bool) -> str:
    row, column = problem.position
    head = _paint(f"{problem.severity}[{problem.code}]", problem.severity, color)
    lines = [head + _paint(f": {_visible(problem.message)}", "strong", color)]
    marks = [(problem.span, problem.label, "^"), *((span, label, "-") for span, label in problem.related)]
    snippets = _snippets(problem.source, marks)
    wide = len(str(max(number for number, _, _ in snippets)))

    def gutter(text: str = "") -> str:
        return _paint(f"{text:>{wide}} |", "frame", color)

    lines.append(f"{' ' * wide}{_paint('-->', 'frame', color)} {problem.source.name}:{row}:{column}")
    lines.append(gutter())
    last = None
    for number, line, underlines in snippets:
        if last is not None and number > last + 1:
            lines.append("...")
        lines.append(f"{gutter(str(number))} {line}".rstrip())
        last = number
        for blanks, mark, label in underlines:
            painted = _paint(f"{mark} {label}".rstrip(), problem.severity if mark[0] == "^" else "frame", color)
            lines.append(f"{gutter()} {' ' * blanks}{painted}")
    lines.append(gutter())
    notes = [("note", note) for note in problem.notes] + ([("help", problem.help)] if problem.help else [])
    if problem.more:
        notes.append(("note", f"… and {problem.more} more {problem.code}"))
    for word, text in notes:
        lines.append(f"{' ' * wide} {_paint('=', 'frame', color)} {_paint(word, 'strong', color)}: {_visible(text)}")
    return "\n".join(lines) + "\n"


def _snippets(
    source: Source, marks: Sequence[tuple[Span, str, str]]
) -> list[tuple[int, str, list[tuple[int, str, str]]]]:
    """Rows to show: number, the text, and below it (blanks, underline, label), in terminal cells."""
    rows: dict[tuple[int, int], tuple[str, list[tuple[int, str, str]]]] = {}
    for order, (span, label, sign) in enumerate(marks):
        row, column = source.position(span.start)
        line = source.line(row)
        start = min(column - 1, len(line))
        end = max(start, min(start + span.end - span.start, len(line)))
        cut = 0
        if len(line) > _WIDEST:
            # A line that nobody could read is shown around the mark only, each mark by itself.
            cut = max(0, start - 60)
            line = line[cut : cut + _WIDEST]
            end = min(end, cut + _WIDEST)
        before, marked = _visible(line[: start - cut]), _visible(line[start - cut : end - cut])
        shown = _visible(line)
        if cut:
            before, shown = "…" + before, "…" + shown
        key = (row, order if cut or len(line) == _WIDEST else -1)
        underline = (_cells(before), sign * max(1, _cells(marked)), label)
        rows.setdefault(key, (shown, []))[1].append(underline)
    return [(row, line, underlines) for (row, _), (line, underlines) in sorted(rows.items(), key=lambda item: item[0])]


def _visible(text: str) -> str:
    """The text with everything written out that a terminal would act upon or hide."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_show(char) for char in text)


def _show(char: str) -> str:
    if char == "\t":
        return "    "
    if char == "\u00a0" or char.isprintable() or char == "\u3000":
        return char
    if ord(char) < 32:
        return chr(0x2400 + ord(char))
    kind = unicodedata.category(char)
    if kind in ("Cc", "Cs", "Co", "Cn", "Zl", "Zp") or char in _INVISIBLE or kind == "Cf":
        return f"<U+{ord(char):04X}>"
    return char


def _cells(text: str) -> int:
    """Width of a text on a terminal: wide East Asian characters take two cells, combining marks none."""
    if text.isascii():
        return len(text)
    cells = 0
    for char in text:
        if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me"):
            continue
        cells += 2 if unicodedata.east_asian_width(char) in "WF" else 1
    return cells


def _paint(text: str, style: str, color: bool) -> str:
    return f"\x1b[{_COLORS[style]}m{text}\x1b[0m" if color else text
