"""The rules in their order: a text to a draft of its taxonomy and everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from hieratk.diagnostics import Findings, Problem, Severity, Source
from hieratk.documents import compose, paused_collection
from hieratk.taxonomy import (
    attribute_rules,
    color_rules,
    identity_rules,
    kind_rules,
    name_rules,
    pixel_rules,
    provenance_rules,
    reference_rules,
    tree_rules,
)
from hieratk.taxonomy.draft import Draft
from hieratk.taxonomy.heads import heads
from hieratk.taxonomy.pixel_rules import Claims
from hieratk.taxonomy.references import References
from hieratk.taxonomy.shape_rules import check_shape
from hieratk.taxonomy.suppression import Suppressions

if TYPE_CHECKING:
    from hieratk.taxonomy.selection import Selection


class Checked(NamedTuple):
    """What the rules made of a text. The draft is there where a taxonomy can be made of it: no finding is an error."""

    problems: list[Problem]
    draft: Draft | None = None
    encodings: tuple[Claims, ...] = ()


def check(source: Source, *, selection: Selection | None = None, above: tuple[Path, ...] = ()) -> Checked:
    """Apply every rule to a text; problems come in the order of the text.

    Rules run in stages, each on what the earlier ones left whole, so that one typing mistake gives one message: text,
    shape with the base that is extended, tree, references, and last the suppression comments.

    Args:
        source: the text. A base is looked up from the folder of its name.
        selection: which rules are asked and how grave their findings are; without it, all that are not off.
        above: the files that led to this one by extension, itself the last, so that a circle is seen.
    """
    with paused_collection():
        return _check(source, selection, above)


def _check(source: Source, selection: Selection | None, above: tuple[Path, ...]) -> Checked:
    value, problems = compose(source)
    suppressions = Suppressions(source)
    graded = None if selection is None else _grades(selection, source.name)
    if graded is not None:
        problems = [
            problem if grade == problem.severity else replace(problem, severity=grade)
            for problem in problems
            if (grade := graded(problem.code)) is not None
        ]
    problems = [problem for problem in problems if not suppressions(problem.code, problem.span.start)]
    findings = Findings(source, heads(), suppressed=suppressions, graded=graded)
    broken = any(problem.severity == "error" for problem in problems)
    draft = check_shape(value, findings, above=above) if value is not None else None
    encodings: list[Claims] = []
    if draft is not None:
        references = References(draft, findings)
        tree_rules.check(draft, findings, references)
        if draft.entries:
            encodings = pixel_rules.check(draft, findings, references)
            reference_rules.check(draft, findings, references)
            identity_rules.check(draft, findings)
            color_rules.check(draft, findings)
            name_rules.check(draft, findings, references)
            attribute_rules.check(draft, findings)
            kind_rules.check(draft, findings, references)
        provenance_rules.check(draft, findings)
    if value is not None:
        suppressions.check(findings)
    problems += findings.problems()
    problems.sort(key=lambda problem: (problem.span.start, problem.span.end, problem.code))
    if draft is None or broken or findings.errors:
        return Checked(problems)
    return Checked(problems, draft, tuple(encodings))


def _grades(selection: Selection, file: str) -> Callable[[str], Severity | None]:
    @cache
    def grade(code: str) -> Severity | None:
        from hieratk.taxonomy.rulebook import rules

        return selection.severity_of(rules()[code], file)

    return grade
