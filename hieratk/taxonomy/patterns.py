"""Regular expressions from documents: only those that cannot take for ever on any code."""

from __future__ import annotations

import re

_LONGEST = 200
_MOST_VARIABLE = 4
_TOKEN = re.compile(
    r"(?P<escape>\\.)|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])|(?P<open>\((?:\?:)?)|(?P<close>\))"
    r"|(?P<fixed>\{[0-9]+\})|(?P<variable>[*+?]|\{[0-9]*,[0-9]*\})|(?P<other>.)",
    re.DOTALL,
)


def risk(pattern: str) -> str:
    """Why a pattern cannot be used, in words, or an empty text.

    Python's matcher backtracks: a repeated group that holds a repetition or an alternative takes exponential time on
    some text, and every further repetition multiplies the work. So: no such group, at most four open repetitions, no
    look-around and no back references. Official codes need none of it. (chosen)
    """
    if len(pattern) > _LONGEST:
        return f"at most {_LONGEST} characters are allowed"
    try:
        re.compile(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return f"not a regular expression: {error}"
    groups: list[bool] = []
    closed_risky = False
    variable = 0
    for token in _TOKEN.finditer(pattern):
        kind = token.lastgroup
        text = token[0]
        if kind == "escape" and text[1].isdigit() and text[1] != "0":
            return "back references are not allowed"
        if kind == "open":
            if pattern.startswith("(?", token.start()) and text == "(":
                return "groups with `(?` are not allowed, but for `(?:`"
            groups.append(False)
        elif kind == "close":
            closed_risky = bool(groups) and groups.pop()
            if closed_risky and groups:
                groups[-1] = True
            continue
        elif kind == "variable":
            variable += 1
            if closed_risky:
                return "a repeated group must not hold a repetition or an alternative"
            if groups:
                groups[-1] = True
        elif kind == "fixed" and closed_risky:
            return "a repeated group must not hold a repetition or an alternative"
        elif text == "|" and groups:
            groups[-1] = True
        closed_risky = False
    return f"at most {_MOST_VARIABLE} open repetitions are allowed" if variable > _MOST_VARIABLE else ""
