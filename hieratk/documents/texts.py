"""Rules about the whole text, before any YAML is read (Y002, Y003, Y015, Y017, Y018, Y019)."""

from __future__ import annotations

import re
import unicodedata

from hieratk.diagnostics import Edit, Findings, Fix, RuleHead, Span

LARGEST = 8 * 2**20
"""Characters (in a file: bytes) a document may have."""

DEEPEST = 64
"""How deep lists and mappings may nest."""

MOST_VALUES = 500_000
"""How many values a document may hold: a limit on time, not on sense (8 MB of `[a,a,...` would take half a minute)."""

TEXT_RULES = {
    "Y001": RuleHead("not-yaml", "error"),
    "Y002": RuleHead("not-text", "error"),
    "Y003": RuleHead("byte-order-mark", "warning"),
    "Y004": RuleHead("tab-indentation", "error"),
    "Y005": RuleHead("several-documents", "error"),
    "Y006": RuleHead("text-needs-quotes", "error"),
    "Y007": RuleHead("duplicate-key", "error"),
    "Y008": RuleHead("yaml-extra", "error"),
    "Y009": RuleHead("full-width-punctuation", "error"),
    "Y010": RuleHead("no-blank-after-colon", "error"),
    "Y013": RuleHead("color-is-a-comment", "error"),
    "Y015": RuleHead("odd-characters", "warning"),
    "Y017": RuleHead("odd-line-breaks", "warning"),
    "Y018": RuleHead("too-large", "error"),
    "Y019": RuleHead("empty", "error"),
}
"""Names and severities of the rules that hold for every document; the rulebook has their pages."""

_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")
_BREAKS = re.compile("\r\n|\r|\x85|\u2028|\u2029")
_BREAK_NAMES = {"\r\n": "CRLF", "\r": "CR", "\x85": "NEL", "\u2028": "LS", "\u2029": "PS"}
_INVISIBLE = re.compile(
    "[\u00a0\u00ad\u061c\u1680\u180e\u2000-\u200f\u202a-\u202f\u205f-\u2064\u2066-\u206f\u3000\ufeff]"
)
_JOINERS = "\u200c\u200d"
_MOST_EDITS = 200_000
_WORD = r"[^\s,\[\]{}\"':#]+"


def check_text(findings: Findings) -> bool:
    """Apply the rules of this file; False where nothing further can be read."""
    text = findings.source.text
    if len(text) > LARGEST:
        findings.add("Y018", Span(0, 0), f"the text is larger than {LARGEST // 2**20} MB")
        return False
    body = text.removeprefix("\ufeff")
    shift = len(text) - len(body)
    if not body.strip():
        findings.add("Y019", Span(0, 0), "the file is empty")
        return False
    if match := _CONTROL.search(text):
        what = f"U+{ord(match[0]):04X}"
        findings.add("Y002", Span(*match.span()), f"the text holds the control character {what}", help="remove it")
        return False
    if shift:
        fix = Fix("safe", (Edit(Span(0, 1), ""),))
        findings.add("Y003", Span(0, 1), "the file begins with a byte-order mark", help="save it without", fix=fix)
    if match := _BREAKS.search(text):
        _line_breaks(findings, match)
    if not body.isascii():
        _odd_characters(findings, shift)
    return True


def _line_breaks(findings: Findings, first: re.Match[str]) -> None:
    # One finding a file: whoever has one CRLF has thousands.
    name = _BREAK_NAMES[first[0]]
    text = findings.source.text
    total = len(_BREAKS.findall(text))
    count = f" ({total} in this file)" if total > 1 else ""
    edits = (Edit(Span(*match.span()), "\n") for match in _BREAKS.finditer(text))
    fix = Fix("safe", tuple(edits)) if total <= _MOST_EDITS else None
    findings.add(
        "Y017", Span(*first.span()), f"a line ends with {name}, not with LF{count}", help="save with LF", fix=fix
    )


def _odd_characters(findings: Findings, shift: int) -> None:
    text = findings.source.text
    for match in _INVISIBLE.finditer(text, shift):
        if findings.full("Y015"):
            return
        at, char = match.start(), match[0]
        beside = text[max(0, at - 1) : at], text[at + 1 : at + 2]
        if char in _JOINERS and all(ord(letter or "a") > 0x5FF for letter in beside):
            continue  # Persian, Indic scripts and emoji are spelt with joiners
        blank = unicodedata.category(char) == "Zs"
        name = unicodedata.name(char, f"U+{ord(char):04X}").lower()
        fix = Fix("safe", (Edit(Span(at, at + 1), " " if blank else ""),))
        way = "write an ordinary blank" if blank else "remove it"
        findings.add("Y015", Span(at, at + 1), f"the text holds an invisible character: {name}", help=way, fix=fix)
    if unicodedata.is_normalized("NFC", text):
        return
    for match in re.finditer(_WORD, text):
        word = match[0]
        if not word.isascii() and not unicodedata.is_normalized("NFC", word):
            if findings.full("Y015"):
                return
            composed = unicodedata.normalize("NFC", word)
            fix = Fix("safe", (Edit(Span(*match.span()), composed),))
            findings.add(
                "Y015", Span(*match.span()), "the text is not in Unicode form NFC", help=f"write {composed}", fix=fix
            )
