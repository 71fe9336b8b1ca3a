"""A document laid out anew, and what it says unchanged."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from hieratk.diagnostics import Findings, Problem, Source
from hieratk.documents import Mapping, Scalar, Value, compose
from hieratk.errors import TaxonomyError
from hieratk.taxonomy.formatting.arranging import arrange
from hieratk.taxonomy.formatting.comments import Comments
from hieratk.taxonomy.formatting.findings import find
from hieratk.taxonomy.formatting.layout import Group, meaning, print_document
from hieratk.taxonomy.formatting.places import CROSSWALK, TAXONOMY, Place
from hieratk.taxonomy.heads import heads
from hieratk.taxonomy.shape_rules import check_shape

_BREAKS = re.compile("\r\n?|\x85")


@dataclass(frozen=True, slots=True)
class Formatted:
    """A text in the layout of the notation; `given` is the text as it came.

    `text` is None where the document has errors of text or shape; `problems` are then those errors, else the
    findings of the rules F, whose places are those of `source`: the text with LF line breaks and without a
    byte-order mark.
    """

    given: Source
    source: Source
    text: str | None
    problems: list[Problem]


def format_text(source: Source) -> Formatted:
    """Lay a document out (taxonomy or crosswalk); formatting its text again changes nothing.

    Raises TaxonomyError where the text would say something else when laid out: a fault of this function, which costs
    nobody his file.
    """
    plain = Source(source.name, _BREAKS.sub("\n", source.text.removeprefix("\ufeff")))
    value, problems = compose(plain)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors or not isinstance(value, Mapping):
        return Formatted(source, plain, None, errors or _shape_errors(plain, value))
    place = _place(value)
    if place is not CROSSWALK:
        errors = _shape_errors(plain, value)
        if errors:
            return Formatted(source, plain, None, errors)
    root, comments = arrange(plain, value, place)
    written = print_document(root)
    _check_same(plain, root, comments, written)
    return Formatted(source, plain, written, find(plain, source, root, written, place))


def _place(document: Mapping) -> Place:
    key, value = document.entries[0] if document.entries else (None, None)
    is_crosswalk = (
        key is not None and key.text == "hieratk" and isinstance(value, Scalar) and value.text == "crosswalk/1"
    )
    return CROSSWALK if is_crosswalk else TAXONOMY


def _shape_errors(source: Source, value: Value | None) -> list[Problem]:
    if value is None:
        return []
    findings = Findings(source, heads())
    check_shape(value, findings)
    return [p for p in findings.problems() if p.severity == "error" and p.code[0] in "YS"]


def _check_same(source: Source, root: Group, comments: list[str], written: str) -> None:
    again = Source(source.name, written)
    value, problems = compose(again)
    same = value is not None and _said(value) == meaning(root)
    if same and isinstance(value, Mapping):
        reader = Comments(again, value, [], [])
        same = sorted(reader.every()) == sorted(comments)
    if not same or any(problem.severity == "error" for problem in problems):
        raise TaxonomyError(
            f"`{source.name}` is left as it is: laid out it would not say the same; please report the file"
        )


def _said(value: Value) -> Any:
    if isinstance(value, Scalar):
        return value.text
    if isinstance(value, Mapping):
        return tuple((key.text, _said(item)) for key, item in value.entries)
    return [_said(item) for item in value.items]
