"""Rules about kinds: residual, unspecified, mixed (T5)."""

from __future__ import annotations

import re
from collections import defaultdict

from hieratk.diagnostics import Findings, Span
from hieratk.taxonomy.draft import Draft, Entry, chain
from hieratk.taxonomy.references import References

_RESIDUAL = re.compile(
    r"^others?\b|\bothers?$|\(others?\)|\bn\.\s?e\.\s?c\b|\bnot elsewhere\b|\bmiscellaneous\b"
    r"|^autres?\b|^sonstige|^其[他它]",
    re.IGNORECASE,
)
_UNKNOWN = re.compile(
    r"\bunknown\b|\bunspecified\b|\bundetermined\b|\bundefined\b|\bno[ -]?data\b|\bunlabell?ed\b|\bunclassified\b"
    r"|\bnot (classified|specified|determined|known)\b|未知|未分类",
    re.IGNORECASE,
)


def check(draft: Draft, findings: Findings, references: References) -> None:
    """Apply the family T5."""
    _readings(draft, findings)
    _residual(draft, findings)
    for entry in draft:
        if entry.kind == "unspecified" and entry.parent < 0:
            findings.add(
                "T505",
                _kind_span(entry),
                f"`{entry.id}` is unspecified but has no parent: nothing says what it may be",
                help="move it below a class, or list it under `special` with role unlabelled",
            )
        if entry.kind == "mixed":
            _mixed(draft, findings, references, entry)
    _circles(draft, findings)


def _kind_span(entry: Entry) -> Span:
    return entry.details.span("kind") if entry.details is not None else entry.key.span


def _readings(draft: Draft, findings: Findings) -> None:
    if "classes" in draft.lost:
        return  # the kinds may be there
    for entry in draft:
        # Whoever wrote `kind: class` has thought about it.
        if entry.details is not None and "kind" in entry.details.raw:
            continue
        span = entry.details.span("name") if entry.details is not None else entry.key.span
        if _UNKNOWN.search(entry.name):
            findings.add(
                "T504",
                span,
                f"`{entry.id}` reads like missing knowledge",
                help="add `kind: unspecified`, move it to `special`, or say `kind: class`",
            )
        elif _RESIDUAL.search(entry.name):
            findings.add(
                "T503", span, f"`{entry.id}` reads like a residual class", help="add `kind: residual`, or rename it"
            )


def _residual(draft: Draft, findings: Findings) -> None:
    first: dict[int, Entry] = {}
    siblings: dict[int, int] = defaultdict(int)
    for entry in draft:
        siblings[entry.parent] += 1
    for entry in draft:
        if entry.kind != "residual":
            continue
        other = first.setdefault(entry.parent, entry)
        if other is not entry:
            parent = draft.parent(entry)
            where = f"`{parent.id}`" if parent is not None else "the top"
            findings.add(
                "T501",
                _kind_span(entry),
                f"`{other.id}` and `{entry.id}` are both what is left of {where}",
                related=[(_kind_span(other), f"`{other.id}`")],
            )
        if entry.children:
            child = draft.entries[entry.children[-1]]
            related = [(child.key.span, "a child")] if entry.inherited else []
            findings.add("T502", _kind_span(entry), f"residual class `{entry.id}` has children", related=related)
        if siblings[entry.parent] == 1 and entry.parent >= 0:
            findings.add(
                "T509", _kind_span(entry), f"residual class `{entry.id}` is an only child: nothing is left to it"
            )


def _mixed(draft: Draft, findings: Findings, references: References, entry: Entry) -> None:
    details = entry.details
    assert details is not None  # where the kind stands
    parts = details.get("parts")
    if parts is None:
        if "parts" not in details.raw:
            findings.add(
                "T506",
                details.span("kind"),
                f"mixed class `{entry.id}` does not say its `parts`",
                help="add parts: [a, b]",
            )
        return
    if len(parts) < 2:
        findings.add("T506", details.keys["parts"].span, f"mixed class `{entry.id}` needs two parts or more")
    shares = [share for share in parts.values() if share is not None]
    if shares and abs(sum(shares) - 1) > 1e-6:
        findings.add(
            "T507",
            details.keys["parts"].span,
            f"the shares of `{entry.id}` add up to {sum(shares):.6g}, not to 1",
        )
    for word in references.named(details, "parts"):
        part = draft.entry(word.text)
        if part is None:
            continue
        reason = ""
        if part is entry:
            reason = "the class itself"
        elif any(above is part for above in draft.above(entry)):
            reason = f"above `{entry.id}`"
        elif any(above is entry for above in draft.above(part)):
            reason = f"below `{entry.id}`"
        elif part.kind == "mixed":
            reason = "mixed itself"
        if reason:
            findings.add("T508", word.span, f"part `{part.id}` of `{entry.id}` is {reason}")


def _circles(draft: Draft, findings: Findings) -> None:
    """No class may be explained by itself. A mixed class is explained by its parts, a deprecated one by what to use, an
    unspecified one by its parent; any other stands for itself."""
    state: dict[str, int] = {}
    for start in draft:
        way: list[str] = []
        stack: list[tuple[str, bool]] = [(start.id, False)]
        while stack:
            id_, leaving = stack.pop()
            if leaving:
                state[id_] = 2
                way.pop()
                continue
            if state.get(id_) == 2:
                continue
            if state.get(id_) == 1:
                entry = draft.entries[draft.at[id_]]
                loop = chain([*way[way.index(id_) :], id_])
                code = "T508" if entry.kind == "mixed" else "T609"
                if not findings.errors:
                    findings.add(code, entry.key.span, f"`{id_}` is explained by itself: {loop}")
                continue
            explained_by = _explained_by(draft, draft.entries[draft.at[id_]])
            if explained_by:
                state[id_] = 1
                way.append(id_)
                stack.append((id_, True))
                stack.extend((other, False) for other in explained_by if other in draft.at)
            else:
                state[id_] = 2


def _explained_by(draft: Draft, entry: Entry) -> list[str]:
    old = entry.get("deprecated")
    if old is not None and old.get("use"):
        return list(old.get("use"))
    if entry.kind == "mixed":
        return list(entry.get("parts") or ())
    parent = draft.parent(entry)
    if (entry.kind == "unspecified" or old is not None) and parent is not None:
        return [parent.id]
    return []
