"""What other YAML readers make of unquoted text. hieratk reads every scalar as text; they do not."""

from __future__ import annotations

import re

_NUMBER_START = frozenset("0123456789+-.")
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_OCTAL = r"([-+]?)0([0-7_]+)"
_UNDERSCORED = r"[-+]?[1-9][0-9_]*"
_SEXAGESIMAL = r"([-+]?)([0-9][0-9_]*(?::[0-5]?[0-9])+)(\.[0-9_]*)?"
_PREFIXED = r"[-+]?(0b[01_]+|0x[0-9a-fA-F_]+|0o[0-7]+)"
_FLOAT = r"[-+]?(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?"
_SPECIAL = r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
_DATE = r"\d{4}-\d\d?-\d\d?([Tt \t].*)?"
_WORDS = {
    **dict.fromkeys(("true", "True", "TRUE", "false", "False", "FALSE"), "a YAML reader sees a truth value"),
    **dict.fromkeys(
        ("yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF"),
        "a YAML 1.1 reader sees a truth value",
    ),
    **dict.fromkeys(("y", "Y", "n", "N"), "the YAML 1.1 standard has it as a truth value"),
    **dict.fromkeys(("null", "Null", "NULL", "~"), "a YAML reader sees no value"),
}


def as_number(text: str) -> str:
    """What a YAML reader makes of an unquoted number, in words; empty for text that no reader takes for a number."""
    if not text or text[0] not in _NUMBER_START or len(text) > 64:
        return ""
    if _INTEGER.fullmatch(text):
        return "a YAML reader sees a number"
    if match := re.fullmatch(_OCTAL, text):
        digits = match[2].replace("_", "")
        return f"a YAML 1.1 reader sees {int(match[1] + digits, 8)}" if digits else ""
    if re.fullmatch(_UNDERSCORED, text):
        return f"a YAML 1.1 reader sees {int(text.replace('_', ''))}"
    if match := re.fullmatch(_PREFIXED, text):
        return f"a YAML reader sees {int(match[0].replace('_', ''), 0)}"
    if match := re.fullmatch(_SEXAGESIMAL, text):
        total = 0
        for digits in match[2].replace("_", "").split(":"):
            total = total * 60 + int(digits)
        return f"a YAML 1.1 reader sees {match[1].replace('+', '')}{total}{match[3] or ''}"
    if re.fullmatch(_FLOAT, text) and text.strip("+-.eE_"):
        return f"a YAML reader sees {float(text.replace('_', ''))!r}"
    return "a YAML reader sees a number" if re.fullmatch(_SPECIAL, text) else ""


def as_word(text: str) -> str:
    """What a YAML reader makes of an unquoted truth value, null or date, in words; empty for other text."""
    if text in _WORDS:
        return _WORDS[text]
    if text[:1].isdigit() and re.fullmatch(_DATE, text):
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
