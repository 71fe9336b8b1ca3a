"""The rules in their order: a text to a draft of its taxonomy and everything that is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass

from hieratk.diagnostics import Findings, Problem, Source
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
from hieratk.taxonomy.pixel_rules import Claims
from hieratk.taxonomy.references import References
from hieratk.taxonomy.rulebook import heads
from hieratk.taxonomy.shape_rules import check_shape
from hieratk.taxonomy.suppression import Suppressions


@dataclass(frozen=True, slots=True)
class Checked:
    """What the rules made of a text. The draft is there where a taxonomy can be made of it: no finding is an error."""

    problems: list[Problem]
    draft: Draft | None = None
    encodings: tuple[Claims, ...] = ()


def check(source: Source) -> Checked:
    """Apply every rule to a text; problems come in the order of the text.

    Rules run in stages, each on what the earlier ones left whole, so that one typing mistake gives one message: text,
    shape, tree, references, and last the suppression comments.
    """
    with paused_collection():
        return _check(source)


def _check(source: Source) -> Checked:
    value, problems = compose(source)
    suppressions = Suppressions(source)
    problems = [problem for problem in problems if not suppressions(problem.code, problem.span.start)]
    findings = Findings(source, heads(), suppressed=suppressions)
    broken = any(problem.severity == "error" for problem in problems)
    draft = check_shape(value, findings) if value is not None else None
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
