"""What other YAML readers make of unquoted text. hieratk reads every scalar as text; they do not."""

from __future__ import annotations

import re

_NUMBER_START = frozenset("0123456789+-.")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_OCTAL = re.compile(r"([-+]?)0([0-7_]+)")
_UNDERSCORED = re.compile(r"[-+]?[1-9][0-9_]*")
_SEXAGESIMAL = re.compile(r"([-+]?)([0-9][0-9_]*(?::[0-5]?[0-9])+)(\.[0-9_]*)?")
_PREFIXED = re.compile(r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0o[0-7]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_DATE = re.compile(r"\d{4}-\d\d?-\d\d?([Tt \t].*)?")
_WORDS = {
    **dict.fromkeys(("true", "True", "TRUE", "false", "False", "FALSE"), "a YAML reader sees a truth value"),
    **dict.fromkeys(
        ("yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF"),
        "a YAML 1.1 reader sees a truth value",
    ),
    **dict.fromkeys(("y", "Y", "n", "N"), "the YAML 1.1 standard has it as a truth value"),
    **dict.fromkeys(("null", "Null", "NULL", "~"), "a YAML reader sees no value"),
}
_PLAIN_START = frozenset("-?:,[]{}#&*!|>'\"%@` \t=<")
_UNSAFE_INSIDE = re.compile(r":\s|:$|\s#|[,\[\]{}\x00-\x1f\x7f\x85\u2028\u2029\ufeff]|\s$")


def as_number(text: str) -> str:
    """What a YAML reader makes of an unquoted number, in words; empty for text that no reader takes for a number."""
    if not text or text[0] not in _NUMBER_START or len(text) > 64:
        return ""
    if _INTEGER.fullmatch(text):
        return "a YAML reader sees a number"
    if match := _OCTAL.fullmatch(text):
        digits = match[2].replace("_", "")
        return f"a YAML 1.1 reader sees {int(match[1] + digits, 8)}" if digits else ""
    if _UNDERSCORED.fullmatch(text):
        return f"a YAML 1.1 reader sees {int(text.replace('_', ''))}"
    if match := _PREFIXED.fullmatch(text):
        return f"a YAML reader sees {int(match[0].replace('_', ''), 0)}"
    if match := _SEXAGESIMAL.fullmatch(text):
        total = 0
        for digits in match[2].replace("_", "").split(":"):
            total = total * 60 + int(digits)
        return f"a YAML 1.1 reader sees {match[1].replace('+', '')}{total}{match[3] or ''}"
    if _FLOAT.fullmatch(text) and text.strip("+-.eE_"):
        return f"a YAML reader sees {float(text.replace('_', ''))!r}"
    return "a YAML reader sees a number" if _SPECIAL.fullmatch(text) else ""


def as_word(text: str) -> str:
    """What a YAML reader makes of an unquoted truth value, null or date, in words; empty for other text."""
    if text in _WORDS:
        return _WORDS[text]
    if text[:1].isdigit() and _DATE.fullmatch(text):
        return "a YAML reader sees a date"
    return ""


def quote(text: str) -> str:
    """The text in double quotes, as YAML reads them back."""
    shown = []
    for char in text:
        if char in '"\\':
            shown.append("\\" + char)
        elif char == "\n":
            shown.append("\\n")
        elif char == "\t":
            shown.append("\\t")
        elif ord(char) < 32 or 0x7F <= ord(char) < 0xA0 or char in "\u2028\u2029\ufeff":
            shown.append(f"\\u{ord(char):04x}")
        else:
            shown.append(char)
    return f'"{"".join(shown)}"'
