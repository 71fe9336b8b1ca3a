"""The rules in their order: a text to a draft of its crosswalk and everything that is wrong with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from hieratk.crosswalk import mapping_rules, reference_rules, relation_rules
from hieratk.crosswalk.draft import Draft
from hieratk.crosswalk.places import tree
from hieratk.crosswalk.shape import check_shape
from hieratk.diagnostics import Findings, Problem, Severity, Source
from hieratk.documents import compose, paused_collection
from hieratk.taxonomy.bases import Missing
from hieratk.taxonomy.draft import Details
from hieratk.taxonomy.heads import heads
from hieratk.taxonomy.suppression import Suppressions
from hieratk.taxonomy.tree import Taxonomy

if TYPE_CHECKING:
    from hieratk.taxonomy.selection import Selection


@dataclass(frozen=True, slots=True)
class Checked:
    """What the rules made of a text. The draft is there where a crosswalk can be made of it: no finding is an error.
    The two trees are there where they were found."""

    problems: list[Problem]
    draft: Draft | None = None
    source: Taxonomy | None = None
    target: Taxonomy | None = None


def check(
    source: Source, *, between: tuple[Taxonomy, Taxonomy] | None = None, selection: Selection | None = None
) -> Checked:
    """Apply every rule to a text; problems come in the order of the text.

    Rules run in stages, each on what the earlier ones left whole, so that one typing mistake gives one message: text,
    shape, the two trees, the classes that are named, the relations. `between` are the two trees; by default they are
    found by the names or paths in the document (`hieratk.crosswalk.places`). `selection` says which rules are asked and
    how grave their findings are; without it, all that are not off.
    """
    with paused_collection():
        return _check(source, between, selection)


def _check(source: Source, between: tuple[Taxonomy, Taxonomy] | None, selection: Selection | None) -> Checked:
    value, problems = compose(source)
    suppressions = Suppressions(source)
    graded = None if selection is None else _grades(selection, source.name)
    if graded is not None:
        problems = [
            replace(problem, severity=grade) for problem in problems if (grade := graded(problem.code)) is not None
        ]
    problems = [problem for problem in problems if not suppressions(problem.code, problem.span.start)]
    findings = Findings(source, heads(), suppressed=suppressions, graded=graded)
    broken = any(problem.severity == "error" for problem in problems)
    draft = check_shape(value, findings) if value is not None else None
    first = last = None
    if draft is not None:
        first, last = between if between is not None else _trees(draft, findings)
        for side, found in (("from", first), ("to", last)):
            if found is not None:
                _version(draft, side, found, findings)
        if first is not None and last is not None and draft.lines:
            meant = reference_rules.check(draft, first, last, findings)
            relation_rules.check(draft, first, last, findings)
            mapping_rules.check(draft, first, last, meant, findings)
    if value is not None:
        suppressions.check(findings)
    problems += findings.problems()
    problems.sort(key=lambda problem: (problem.span.start, problem.span.end, problem.code))
    if draft is None or broken or findings.errors or first is None or last is None:
        return Checked(problems, None, first, last)
    return Checked(problems, draft, first, last)


def _grades(selection: Selection, file: str) -> Callable[[str], Severity | None]:
    @cache
    def grade(code: str) -> Severity | None:
        from hieratk.taxonomy.rulebook import rules

        return selection.severity_of(rules()[code], file)

    return grade


def _trees(draft: Draft, findings: Findings) -> tuple[Taxonomy | None, Taxonomy | None]:
    found: list[Taxonomy | None] = []
    for side in ("from", "to"):
        reference = draft.head.get(side)
        name = reference.get("taxonomy") if isinstance(reference, Details) else None
        one = None if name is None else tree(name, file=findings.source.name)
        if isinstance(one, Missing):
            assert isinstance(reference, Details)
            span = reference.span("taxonomy")
            findings.add(one.code, span, one.message, help=one.help, notes=one.notes)
            one = None
        found.append(one)
    return found[0], found[1]


def _version(draft: Draft, side: str, found: Taxonomy, findings: Findings) -> None:
    reference = draft.head.get(side)
    bounds = reference.get("version") if isinstance(reference, Details) else None
    if bounds is None:
        return
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    assert isinstance(reference, Details)
    try:
        fits = SpecifierSet(bounds).contains(found.version)
    except InvalidSpecifier:
        way = 'such as ">=1.0,<2"'
        findings.add("S007", reference.span("version"), f"`{bounds}` is not a range of versions", help=way)
        return
    if not fits:
        said = f"`{found.id}` is version {found.version}, which `{bounds}` does not allow"
        way = "look at what has changed, then widen the bounds"
        findings.add("T603", reference.span("version"), said, help=way)
