"""Rules about names, synonyms and translations (T4)."""

from __future__ import annotations

import re
from collections import Counter, defaultdict

from hieratk.diagnostics import Findings, Span
from hieratk.documents import Mapping, Scalar
from hieratk.taxonomy.draft import Details, Draft, Entry
from hieratk.taxonomy.references import References

_LONGEST = 60
# UTF-8 read as Latin-1 or Windows-1252: a lead byte followed by what a continuation byte looks like.
_BROKEN = re.compile(
    "[\u00c2\u00c3][\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u2013-\u203a\u20ac\u2122]|\ufffd"
)


def check(draft: Draft, findings: Findings, references: References) -> None:
    """Apply the family T4, but for language tags, which are read with the labels."""
    lang = draft.head.get("lang") or "en"
    _synonyms(draft, findings, references)
    if findings.on("T404"):
        _translations(draft, lang, findings)
    for details in (*draft.classes, *(special.details for special in draft.special)):
        name = details.get("name")
        if name and _BROKEN.search(name):
            findings.add("T406", details.span("name"), f"name `{name}` holds letters of a wrong encoding")
        if name and len(name) > _LONGEST:
            findings.add(
                "T407",
                details.span("name"),
                f"the name has {len(name)} characters, more than {_LONGEST}",
                help="give a short one, and the long one as `definition`",
            )
        _labels(details, lang, findings)


def _labels(details: Details, lang: str, findings: Findings) -> None:
    label = (details.get("labels") or {}).get(lang)
    shown = details.get("name") or details.key.text.replace("_", " ")
    raw = details.raw.get("labels")
    if label is None or label == shown or not isinstance(raw, Mapping):
        return
    span = next((value.span for tag, value in raw.entries if tag.text == lang and isinstance(value, Scalar)), raw.span)
    findings.add(
        "T405",
        span,
        f"`labels` says `{label}` in the language of the document, `name` says `{shown}`",
        help="make one of them a synonym",
    )


def _translations(draft: Draft, lang: str, findings: Findings) -> None:
    """A language counts where half of the siblings or more have it. (chosen)"""
    families: dict[int, list[Entry]] = defaultdict(list)
    for entry in draft:
        families[entry.parent].append(entry)
    for family in families.values():
        count = Counter(tag for entry in family for tag in entry.get("labels") or ())
        usual = [tag for tag, many in count.items() if 2 * many >= len(family) and tag != lang]
        for entry in family:
            missing = [tag for tag in usual if tag not in (entry.get("labels") or ())]
            if missing:
                span = entry.details.key.span if entry.details is not None else entry.key.span
                shown = ", ".join(missing)
                findings.add("T404", span, f"`{entry.id}` has no name in {shown}, which its siblings have")


def _synonyms(draft: Draft, findings: Findings, references: References) -> None:
    owners: dict[str, str] = {}
    places: dict[str, Span] = {}
    for entry in draft:
        for word in (entry.name, entry.id.replace("_", " ")):
            owners.setdefault(word.casefold(), entry.id)
            places.setdefault(word.casefold(), entry.key.span)
    for entry in draft:
        if entry.details is None or not entry.get("synonyms"):
            continue
        for synonym in references.named(entry.details, "synonyms"):
            text = synonym.text.strip().casefold()
            if text == entry.name.casefold():
                findings.add("T402", synonym.span, f"synonym `{synonym.text}` repeats the name of its class")
                continue
            owner = owners.setdefault(text, entry.id)
            if owner != entry.id:
                findings.add(
                    "T401",
                    synonym.span,
                    f"synonym `{synonym.text}` of `{entry.id}` already means `{owner}`",
                    related=[(places[text], "first used here")],
                )
            places.setdefault(text, synonym.span)
