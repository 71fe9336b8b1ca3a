"""Why a text is not YAML. The parser stops where it can go no further; the fault is often some lines above."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from hieratk.diagnostics import Edit, Findings, Fix, Source, Span
from hieratk.documents.words import quote

_ROWS = 4
_LONGEST = 2000
_QUOTED = re.compile(r"\"(?:[^\"\\]|\\.)*\"|(?<![\w])'(?:[^']|'')*'")
_COMMENT = re.compile(r"(?:^|(?<=\s))#.*")

_COLOR = re.compile(r":[ \t]+(#[0-9a-fA-F]{3,8})\b")
_WIDE_KEY = re.compile(r"(?:^\s*(?:-\s+)?|[{,，｛]\s*)[^\s:：{},#]+\s*(：)")
_WIDE_COMMA = re.compile(r"[{\[｛［][^}\]]*?(，)")
_WIDE_BRACKET = re.compile(r"(?:^|[:：,，\[{-]\s*)([｛［])|([｝］])\s*(?:$|[,，}\]｝］])")
_WIDE_QUOTE = re.compile(r"(?:[:：,，\[{]\s*|-\s+)([“‘])")
_TAB = re.compile(r"^ *(\t+)")
_GLUED = re.compile(r"^\s*(?:-\s+)?([A-Za-z_][\w-]*):(?![\s/])\S")
_FLOW_INDICATOR = re.compile(r"[\[{,]\s*(?:[^:,{}\[\]]+:\s+)?((?:[>@%*&!|?`]|[-?]\s)[^,{}\[\]]*)")
_BLOCK_INDICATOR = re.compile(r"^\s*(?:-\s+)?(?:[^\s:\[{][^:\[{]*:\s+)?((?:[>@%*&!|?`]|[-?]\s)\s*\S.*|[*&!@%`])$")
_BLOCK_TEXT = re.compile(r"^\s*(?:-\s+)?[^\s:#\[{][^:{\[]*:\s+([^\s\"'\[{|>#&*!][^#]*?:(?:\s.*|$))")
_FLOW_TEXT = re.compile(r"[{,]\s*[^:,{}\[\]]+:\s+([^,{}\[\]\"'\s][^,{}\[\]]*?:\s[^,{}\[\]]*)")
_FLOW_HASH = re.compile(r"[{,]\s*[^:,{}\[\]]+:\s+([^,{}\[\]\"'\s#][^,{}\[\]#]*?\s#[^}\]]*?)\s*[}\]]")
_INVISIBLE = re.compile("[\u00a0\u2000-\u200d\u202f\u205f\u2060\u3000]")

_BEGINS = "begins with `{}`, which means something else in YAML"
_COMMA_LEFT_OUT = re.compile(r"([\d.#\w]+)\s+([A-Za-z_]+):\s+(█?)")
_WIDE_NAMES = {"：": "colon", "，": "comma", "｛": "brace", "｝": "brace", "［": "bracket", "］": "bracket"}
_ASCII = {"：": ": ", "，": ", ", "｛": "{", "｝": "}", "［": "[", "］": "]"}


@dataclass(frozen=True, slots=True)
class _Row:
    start: int
    raw: str
    bare: str  # quoted text and comments blotted out
    open: str  # quoted text blotted out, comments left
    block: bool  # begins outside any bracket, as far as is known


def stop_of(error: Any, source: Source, *, shift: int) -> int:
    """Where the parser stopped, in characters of the text."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    return min((mark.index if mark is not None else getattr(error, "position", 0)) + shift, len(source.text))


def explain(findings: Findings, error: Any, *, shift: int) -> None:
    """Report one problem for a parser error: the most specific pattern on the last rows, else the parser's words."""
    text = findings.source.text
    stop = stop_of(error, findings.source, shift=shift)
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read")
    row, _ = findings.source.position(stop)
    rows = _rows(findings, row, error, shift, stop)
    note = f"the YAML parser stopped at line {row}: {problem}"
    # Most specific pattern first, not nearest row first: the other order blames healthy rows.
    for pattern in _PATTERNS:
        for candidate in rows:
            if pattern(findings, candidate, note):
                return
    if _unclosed(findings, error, shift, stop, note):
        return
    if _indentation(findings, row, note):
        return
    span = Span(stop, min(stop + 1, len(text)))
    context = getattr(error, "context", None)
    findings.add("Y001", span, f"not valid YAML: {problem}", notes=[str(context)] if context else [])


def _rows(findings: Findings, row: int, error: Any, shift: int, stop: int) -> list[_Row]:
    source = findings.source
    numbers = list(range(max(1, row - _ROWS + 1), row + 1))
    context = getattr(error, "context_mark", None)
    if context is not None:
        above, _ = source.position(min(context.index + shift, len(source.text)))
        # Quoted text that never ends is opened far above the end of the file.
        if above < numbers[0] and "quoted" in str(getattr(error, "context", "")):
            numbers = [above, *numbers]
    # Inside brackets that were opened above, a row is no row of its own.
    opened = row
    if context is not None and "flow" in str(getattr(error, "context", "")):
        opened, _ = source.position(min(context.index + shift, len(source.text)))
    found = []
    for number in numbers:
        block = number <= opened
        raw, start = source.line(number), source.row_start(number)
        if len(raw) > _LONGEST:
            cut = max(0, min(stop - start, len(raw)) - _LONGEST // 2) if number == row else 0
            raw, start, block = raw[cut : cut + _LONGEST], start + cut, not cut
        blotted = _QUOTED.sub(lambda match: "█" * len(match[0]), raw)
        bare = _COMMENT.sub(lambda match: " " * len(match[0]), blotted)
        found.append(_Row(start, raw, bare, blotted, block))
    return found


def _color(findings: Findings, row: _Row, note: str) -> bool:
    match = _COLOR.search(row.open)
    if match is None:
        return False
    span = _span(row, match, 1)
    findings.add(
        "Y013",
        span,
        "the colour is read as a comment, and with it the rest of the line",
        notes=[note],
        help=f"quote it: {quote(match[1])}",
        fix=Fix("safe", (Edit(span, quote(match[1])),)),
    )
    return True


def _wide(findings: Findings, row: _Row, note: str) -> bool:
    if row.bare.isascii():
        return False
    for pattern in (_WIDE_KEY, _WIDE_BRACKET, _WIDE_COMMA):
        if match := pattern.search(row.bare):
            group = 1 if match[1] else 2
            span, sign = _span(row, match, group), match[group]
            findings.add(
                "Y009",
                span,
                f"full-width {_WIDE_NAMES[sign]}; YAML needs the ASCII one",
                notes=[note],
                help=f'write "{_ASCII[sign]}"',
                fix=Fix("safe", (Edit(span, _ASCII[sign]),)),
            )
            return True
    if match := _WIDE_QUOTE.search(row.bare):
        findings.add(
            "Y009", _span(row, match, 1), "typographic quote; YAML needs the ASCII one", notes=[note], help="write '\"'"
        )
        return True
    return False


def _tab(findings: Findings, row: _Row, note: str) -> bool:
    match = _TAB.match(row.raw)
    if match is None or not row.raw.strip():
        return False
    span = _span(row, match, 1)
    findings.add(
        "Y004",
        span,
        "a tab is used for indentation",
        notes=[note],
        help="YAML needs blanks; write two for each level",
        fix=Fix("unsafe", (Edit(span, "  " * len(match[1])),)),
    )
    return True


def _open_quote(findings: Findings, row: _Row, note: str) -> bool:
    at = row.bare.find('"')
    for match in _QUOTED.finditer(row.raw):
        # A quote that closes amid text was meant to open: the one before it is the one left open.
        if row.raw[match.end() : match.end() + 1].strip(" \t,:]}"):
            at = match.start()
            break
    if at < 0:
        single = re.search(r"(?:[:,\[{]\s*|-\s+)'", row.bare)
        at = single.end() - 1 if single else -1
    if at < 0:
        return False
    start = row.start + at
    words = re.split(r"[,}\]]", row.raw[at:], maxsplit=1)[0].rstrip()
    findings.add(
        "Y001",
        Span(start, start + len(words)),
        "a quote is opened here and not closed on this line",
        notes=[note],
        help=f"close it: {words}{row.raw[at]}",
    )
    return True


def _glued(findings: Findings, row: _Row, note: str) -> bool:
    match = _GLUED.match(row.bare)
    if match is None or not row.block:
        return False
    at = row.start + match.end(1) + 1
    word = row.raw[match.start(1) :].strip()
    findings.add(
        "Y010",
        Span(row.start + match.start(1), row.start + len(row.raw.rstrip())),
        f"no blank after the colon: `{word}` is one piece of text",
        notes=[note],
        help=f"write {match[1]}: {row.raw[match.end(1) + 1 :].strip()}",
        fix=Fix("safe", (Edit(Span(at, at), " "),)),
    )
    return True


def _needs_quotes(pattern: re.Pattern[str], why: str, of: str) -> Callable[[Findings, _Row, str], bool]:
    def check(findings: Findings, row: _Row, note: str) -> bool:
        if not row.block and pattern in (_BLOCK_TEXT, _BLOCK_INDICATOR):
            return False
        match = pattern.search(row.open if of == "open" else row.bare)
        if match is None or (pattern is _BLOCK_INDICATOR and re.fullmatch(r"[|>][-+0-9]*\s*", match[1])):
            return False
        words = row.raw[match.start(1) : match.end(1)].rstrip()
        left_out = _COMMA_LEFT_OUT.match(match[1]) if pattern is _FLOW_TEXT else None
        if left_out and (left_out[3] or left_out[1].isdigit()):
            at = row.start + match.start(1) + left_out.start(2)
            message = f"a comma is missing before `{left_out[2]}`"
            findings.add("Y001", Span(at, at + len(left_out[2])), message, notes=[note])
            return True
        span = Span(row.start + match.start(1), row.start + match.start(1) + len(words))
        findings.add(
            "Y006",
            span,
            f"unquoted text {why.format(words[0])}",
            notes=[note],
            help=f"quote it: {quote(words)}",
            fix=Fix("safe", (Edit(span, quote(words)),)),
        )
        return True

    return check


def _invisible(findings: Findings, row: _Row, note: str) -> bool:
    match = _INVISIBLE.search(row.bare)
    if match is None:
        return False
    findings.add(
        "Y001",
        _span(row, match, 0),
        f"U+{ord(match[0]):04X} stands where YAML needs an ordinary blank",
        notes=[note],
        help="write an ordinary blank",
    )
    return True


_PATTERNS: tuple[Callable[[Findings, _Row, str], bool], ...] = (
    _color,
    _wide,
    _tab,
    _open_quote,
    _needs_quotes(_FLOW_HASH, "holds ` #`, which begins a comment", "open"),
    _needs_quotes(_FLOW_TEXT, "holds `: `", "bare"),
    _needs_quotes(_BLOCK_TEXT, "holds `: `", "bare"),
    _needs_quotes(_FLOW_INDICATOR, _BEGINS, "bare"),
    _needs_quotes(_BLOCK_INDICATOR, _BEGINS, "bare"),
    _glued,
    _invisible,
)


def _unclosed(findings: Findings, error: Any, shift: int, stop: int, note: str) -> bool:
    """A bracket without its partner, a comma left out, a row without a colon."""
    text = findings.source.text
    context, mark = str(getattr(error, "context", "")), getattr(error, "context_mark", None)
    if mark is not None and "flow" in context:
        start = mark.index + shift
        sign = text[start : start + 1]
        closing = {"{": "}", "[": "]"}.get(sign, "")
        between = text[start:stop]
        if closing and "\n" not in between.strip() and stop < len(text) and text[stop] not in "}]":
            findings.add(
                "Y001", Span(stop, stop + 1), "a comma or a closing bracket is missing before this", notes=[note]
            )
            return True
        if closing:
            findings.add(
                "Y001",
                Span(start, start + 1),
                f"`{sign}` is opened here and not closed",
                notes=[note],
                help=f"close it with `{closing}`",
            )
            return True
    if "simple key" in context and mark is not None:
        start = mark.index + shift
        row, _ = findings.source.position(start)
        line = findings.source.line(row)
        begin = findings.source.row_start(row)
        body = line.strip()
        first = begin + len(line) - len(line.lstrip())
        findings.add(
            "Y001",
            Span(first, first + len(body)),
            "this line has no colon",
            notes=[note],
            help="a line reads `key: value`",
        )
        return True
    return False


def _indentation(findings: Findings, row: int, note: str) -> bool:
    """A row that stands deeper than the key and value above it, or between two depths."""
    source = findings.source
    line = source.line(row)
    above = [other for number in range(row - 1, max(0, row - 200), -1) if (other := source.line(number)).strip()]
    if not line.strip() or not above:
        return False
    depth = len(line) - len(line.lstrip(" "))
    depths = [len(other) - len(other.lstrip(" ")) for other in above]
    first = source.row_start(row)
    span = Span(first, first + max(depth, 1))
    if depth > depths[0] and not above[0].rstrip().endswith(":"):
        findings.add(
            "Y001", span, "this line is indented deeper than the line above, which cannot hold it", notes=[note],
            help="give both lines the same indentation",
        )  # fmt: skip
        return True
    if depth < depths[0] and depth not in depths:
        findings.add(
            "Y001", span, f"this line is indented by {depth}, which fits no line above", notes=[note],
            help=f"indent it by {max((d for d in depths if d < depths[0]), default=depths[0])} or {depths[0]}",
        )  # fmt: skip
        return True
    return False


def _span(row: _Row, match: re.Match[str], group: int) -> Span:
    return Span(row.start + match.start(group), row.start + match.end(group))
