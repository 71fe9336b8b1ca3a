"""One piece of text as YAML: plain where every reader sees the same text, else in double quotes."""

from __future__ import annotations

import unicodedata

from hieratk.documents import as_number, as_word

COLUMNS = 120
"""No line is longer unless a single word of it is."""

_LEADING = frozenset("-?:,[]{}#&*!|>'\"%@`")
# Full-width twins of the marks that YAML needs: quoted, so that nobody takes them for the marks themselves.
_WIDE = frozenset("：，｛｝［］＃“”„‟‘’")


def scalar(text: str, *, flow: bool) -> str:
    """Text as one YAML scalar on one line: plain where every reader sees the same text, else in double quotes.

    `flow` says that it stands inside `{ }` or `[ ]`, where commas, brackets and colons end plain text.
    """
    return text if survives_plain(text, flow=flow) and not odd(text) else quoted(text)


def quoted(text: str) -> str:
    """Text in double quotes, with escapes for what cannot be seen."""
    return '"' + "".join(_escaped(char) for char in text) + '"'


def survives_plain(text: str, *, flow: bool) -> bool:
    """Whether every reader of YAML 1.1 and 1.2 sees the text where it stands without quotes."""
    if not text or text != text.strip() or text[0] in _LEADING or text in ("=", "<<"):
        return False
    # Numbers of any length: only the beginning of a long one is looked at.
    if as_word(text) or as_number(text[:64]):
        return False
    if ": " in text or " #" in text or text.endswith(":") or text.startswith(("...", "---")):
        return False
    if any(char in "\t\n\r\x85\u2028\u2029\ufeff" for char in text):
        return False
    return not (flow and any(char in ",[]{}:?" for char in text))


def odd(text: str) -> bool:
    """Whether a text holds what cannot be seen or looks like a mark of YAML: quoted where it is written anew."""
    return any(char in _WIDE or _hidden(char) for char in text)


def columns(text: str) -> int:
    """How many columns of a terminal a text takes: Chinese characters take two."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def foldable(text: str) -> bool:
    """Whether a text may be folded over lines (`>-`) and reads back as it is."""
    return text == text.strip() and "  " not in text and not any(_hidden(char) for char in text)


def _hidden(char: str) -> bool:
    return char != " " and unicodedata.category(char) in ("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs")


def _escaped(char: str) -> str:
    if char in '"\\':
        return "\\" + char
    if not _hidden(char):
        return char
    if char in "\n\t\r":
        return {"\n": "\\n", "\t": "\\t", "\r": "\\r"}[char]
    point = ord(char)
    return f"\\x{point:02x}" if point < 0x100 else f"\\u{point:04x}" if point < 0x10000 else f"\\U{point:08x}"
