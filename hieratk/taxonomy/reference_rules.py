"""Rules about references between classes (T6)."""

from __future__ import annotations

from hieratk.diagnostics import Findings
from hieratk.taxonomy.draft import Draft
from hieratk.taxonomy.references import References


def check(draft: Draft, findings: Findings, references: References) -> None:
    """Apply the family T6, but for further parents (tree rules) and raster values (pixel rules)."""
    _described(draft, references)
    _parts(draft, references)
    _deprecated(draft, findings, references)


def _described(draft: Draft, references: References) -> None:
    for details in draft.classes:
        if details.key.text not in draft.at and not references.lost(details.key.text):
            references.unknown(details.key.text, details.key.span, code="T601", where="in the tree")


def _parts(draft: Draft, references: References) -> None:
    for entry in draft:
        if entry.details is not None and entry.get("parts") is not None:
            for word in references.named(entry.details, "parts"):
                references.known(word)


def _deprecated(draft: Draft, findings: Findings, references: References) -> None:
    for entry in draft:
        old = entry.get("deprecated")
        if old is None or entry.details is None:
            continue
        key = entry.details.keys["deprecated"].span
        if "use" not in old.raw:
            findings.add(
                "T608",
                key,
                f"`{entry.id}` is deprecated, but nothing says what to use instead",
                help="add `use: [...]`",
            )
        for word in references.named(old, "use"):
            other = references.known(word, code="T609")
            if other is not None and other.get("deprecated") is not None:
                what = "the class itself" if other is entry else "deprecated itself"
                findings.add("T609", word.span, f"replacement `{other.id}` of `{entry.id}` is {what}")
        for index in entry.children:
            child = draft.entries[index]
            if child.get("deprecated") is None:
                findings.add(
                    "T610",
                    child.key.span,
                    f"`{child.id}` is in use below the deprecated class `{entry.id}`",
                    related=[(key, "deprecated here")],
                )
