"""Rules about the identity of classes: codes, names, prefixes (T002 to T011). Ids are read by the shape rules."""

from __future__ import annotations

import re
from collections import defaultdict

from hieratk.diagnostics import Findings
from hieratk.taxonomy.draft import Draft, Entry

_SHORTEST = 4
_COMPARED = 20_000
"""Ids that are compared for likeness: each is kept in two forms a letter."""


def check(draft: Draft, findings: Findings) -> None:
    """Apply the family T0."""
    codes = _codes_twice(draft, findings)
    _code_is_id(draft, findings)
    _names_twice(draft, findings)
    _pattern(draft, findings)
    if findings.on("T011"):
        _almost_equal(draft, findings)
    settings = draft.head.get("codes")
    if settings is not None and settings.get("nesting") == "prefix":
        _nesting(draft, findings)
        _missing_prefix(draft, findings, codes)


def _codes_twice(draft: Draft, findings: Findings) -> dict[str, Entry]:
    first: dict[str, Entry] = {}
    for entry in draft:
        code = entry.get("code")
        if code is None:
            continue
        other = first.setdefault(code, entry)
        if other is not entry and entry.details and other.details:
            findings.add(
                "T002",
                entry.details.span("code"),
                f"code `{code}` is used for `{other.id}` and `{entry.id}`",
                label="used again here",
                related=[(other.details.span("code"), "first used here")],
                help="a code stands for one class; a class without a code of its own needs none",
            )
    return first


def _code_is_id(draft: Draft, findings: Findings) -> None:
    for entry in draft:
        code = entry.get("code")
        if code is None or code == entry.id:
            continue
        other = draft.entry(code)
        if other is not None and entry.details:
            findings.add(
                "T007",
                entry.details.span("code"),
                f"code `{code}` of `{entry.id}` is the id of another class: a reference would be ambiguous",
                related=[(other.key.span, "the class of that id")],
                help=f"rename the class `{other.id}`",
            )


def _names_twice(draft: Draft, findings: Findings) -> None:
    first: dict[str, int] = {}
    for index, entry in enumerate(draft.entries):
        name = entry.name.casefold()
        other = draft.entries[first.setdefault(name, index)]
        if other is entry:
            continue
        span = entry.details.span("name") if entry.details else entry.key.span
        ancestor = next((above for above in draft.above(entry) if above.name.casefold() == name), None)
        if ancestor is not None:
            findings.add("T004", span, f"`{entry.id}` has the name of `{ancestor.id}` above it")
            continue
        there = other.details.span("name") if other.details else other.key.span
        findings.add(
            "T003",
            span,
            f"`{other.id}` and `{entry.id}` have the same name",
            label="the same name",
            related=[(there, "first given here")],
        )


def _almost_equal(draft: Draft, findings: Findings) -> None:
    """Ids that become the same when one letter is left out of one of them or of both at the same place, or when plurals
    are made singular."""
    kept: dict[str, list[Entry]] = defaultdict(list)
    for entry in draft.entries[:_COMPARED]:
        # Digits and short ids differ on purpose: zone_1 and zone_2, oak and oat.
        if len(entry.id) < _SHORTEST:
            continue
        forms = {f"{entry.id[:at]}{hole}{entry.id[at + 1 :]}" for at in _letters(entry.id) for hole in ("", "*")}
        forms.add(f"={_singular(entry.id)}")
        others = {other.id: other for form in (entry.id, *sorted(forms)) for other in kept[form]}
        for other in others.values():
            plural = _singular(other.id) == _singular(entry.id)
            if plural or _apart_by_a_letter(other.id, entry.id):
                findings.add(
                    "T011",
                    entry.key.span,
                    f"`{other.id}` and `{entry.id}` are one {'plural' if plural else 'letter'} apart",
                    related=[(other.key.span, f"`{other.id}`")],
                )
        for form in (entry.id, *forms):
            kept[form].append(entry)


def _letters(id_: str) -> list[int]:
    return [at for at, char in enumerate(id_) if char.isalpha()]


def _singular(id_: str) -> str:
    return re.sub(r"ies(?=_|$)", "y", re.sub(r"(?<=[sxh])es(?=_|$)|(?<=[a-rt-z])(?<!ie)s(?=_|$)", "", id_))


def _apart_by_a_letter(first: str, second: str) -> bool:
    shorter, longer = sorted((first, second), key=len)
    if len(shorter) == len(longer):
        return sum(a != b for a, b in zip(shorter, longer, strict=True)) == 1
    return any(longer[:at] + longer[at + 1 :] == shorter for at in _letters(longer))


def _pattern(draft: Draft, findings: Findings) -> None:
    settings = draft.head.get("codes")
    pattern = settings.get("pattern") if settings is not None else None
    if pattern is None:
        return
    match = re.compile(pattern).fullmatch
    for entry in draft:
        code = entry.get("code")
        if code is None or entry.details is None or findings.full("T008"):
            continue
        # The patterns that are allowed take time in powers of the length: no official code is this long.
        if len(code) > 64 or not match(code):
            findings.add("T008", entry.details.span("code"), f"code `{code}` does not match the pattern `{pattern}`")


def _nesting(draft: Draft, findings: Findings) -> None:
    for entry in draft:
        code = entry.get("code")
        parent = draft.parent(entry)
        above = parent.get("code") if parent is not None else None
        if code is None or above is None or entry.details is None or parent is None or code.startswith(above):
            continue
        related = [(parent.details.span("code"), "the code of the parent")] if parent.details else []
        findings.add(
            "T009",
            entry.details.span("code"),
            f"code `{code}` does not begin with `{above}`, the code of its parent `{parent.id}`",
            related=related,
            help="the outline is the truth: check which of the two is wrong",
        )


def _missing_prefix(draft: Draft, findings: Findings, codes: dict[str, Entry]) -> None:
    """Siblings with longer codes than others, two of which share a beginning that is as long as the others' codes."""
    families: dict[int, list[Entry]] = defaultdict(list)
    for entry in draft:
        if entry.get("code") is not None:
            families[entry.parent].append(entry)
    for family in families.values():
        shortest = min(len(entry.get("code")) for entry in family)
        groups: dict[str, list[Entry]] = defaultdict(list)
        for entry in family:
            if len(entry.get("code")) > shortest:
                groups[entry.get("code")[:shortest]].append(entry)
        for prefix, members in groups.items():
            if len(members) > 1 and prefix not in codes and members[0].details:
                findings.add(
                    "T010",
                    members[0].details.span("code"),
                    f"{len(members)} siblings have codes that begin with `{prefix}`, which is no class itself",
                    help="add the class, or give these a `level:` of their own",
                )
