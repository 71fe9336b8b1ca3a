"""Rules about attributes (T7), and their values."""

from __future__ import annotations

import re

from hieratk.diagnostics import Findings
from hieratk.documents import Scalar
from hieratk.taxonomy.draft import Details, Draft, Entry

_NUMBER = r"[-+]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]{1,3})?"
_TRUTH = {"true": True, "false": False}


def check(draft: Draft, findings: Findings) -> None:
    """Apply the family T7."""
    for name, details in draft.attributes.items():
        if details.get("type") in ("number", "range") and "unit" not in details.raw:
            findings.add("T703", details.key.span, f"attribute `{name}` is a {details.get('type')} without a unit")
    for entry in draft:
        for name, (key, value) in (entry.get("attrs") or {}).items():
            declared = draft.attributes.get(name)
            if declared is None:
                if name not in draft.lost and "attributes" not in draft.lost:
                    way = findings.did_you_mean(name, draft.attributes)
                    findings.add(
                        "T701",
                        key.span,
                        f"attribute `{name}` is not declared",
                        help=way or "declare it under `attributes`",
                    )
                continue
            if not _fits(declared, value):
                _report(declared, name, value, findings)
            else:
                _inherited(draft, entry, name, value, findings)


def _fits(declared: Details, value: Scalar) -> bool:
    kind = declared.get("type")
    if kind == "enum":
        return "values" not in declared.raw or value.text in (declared.get("values") or (value.text,))
    return kind in (None, "text") or attribute_value(kind, value.text) is not None


def attribute_value(kind: str, text: str) -> bool | int | float | str | None:
    """What the text of an attribute means: bool, int or float, the text itself; None where it does not fit the type.

    A range stays text (`2..5`, `2..`, `..5`), since nothing else says which end is open.
    """
    if kind == "bool":
        return _TRUTH.get(text)
    if kind == "number":
        if not re.fullmatch(_NUMBER, text) or len(text) > 40:
            return None
        return float(text) if re.search(r"[.eE]", text) else int(text)
    if kind == "range":
        low, dots, high = text.partition("..")
        ends = [end for end in (low, high) if end]
        fits = dots and ends and all(re.fullmatch(_NUMBER, end) and len(end) <= 40 for end in ends)
        return text if fits and (len(ends) == 1 or float(low) <= float(high)) else None
    return text


def _report(declared: Details, name: str, value: Scalar, findings: Findings) -> None:
    kind = declared.get("type")
    if kind == "enum":
        values = declared.get("values")
        way = findings.did_you_mean(value.text, values) or f"the values are {', '.join(values)}"
        findings.add("T702", value.span, f"`{value.text}` is not a value of `{name}`", help=way)
        return
    ways = {"bool": "write true or false", "number": "write a number", "range": "write 2..5, 2.. or ..5"}
    findings.add("T702", value.span, f"`{value.text}` is not a {kind}, which `{name}` is", help=ways[kind])


def _inherited(draft: Draft, entry: Entry, name: str, value: Scalar, findings: Findings) -> None:
    for above in draft.above(entry):
        given = (above.get("attrs") or {}).get(name)
        if given is not None:
            if given[1].text == value.text:
                findings.add("T704", value.span, f"`{name}` of `{entry.id}` is inherited from `{above.id}` already")
            return
