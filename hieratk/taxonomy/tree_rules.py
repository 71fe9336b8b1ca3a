"""Rules about the tree and its levels (T1)."""

from __future__ import annotations

from hieratk.diagnostics import Findings
from hieratk.documents import Scalar
from hieratk.taxonomy.draft import Draft, Entry, chain
from hieratk.taxonomy.references import References


def check(draft: Draft, findings: Findings, references: References) -> None:
    """Apply the family T1; sets the level of every class."""
    if not draft.entries:
        if not draft.lost and "tree" in draft.head.keys:
            span = draft.head.keys["tree"].span
            findings.add("T101", span, "the tree has no classes", help="write one class a line: `forest: 1`")
        return
    if all(entry.kind in ("unspecified", "mixed") or entry.get("deprecated") is not None for entry in draft):
        findings.add(
            "T101",
            draft.entries[0].key.span,
            "the tree has no class that a model could predict",
            help="unspecified, mixed and deprecated classes are never predicted",
        )
    _levels(draft, findings)
    _only_children(draft, findings)
    if findings.on("T106"):
        _early_leaves(draft, findings)
    _empty_levels(draft, findings)
    _extra_parents(draft, findings, references)


def _levels(draft: Draft, findings: Findings) -> None:
    at = {level.text: index for index, level in enumerate(draft.levels)}
    known = bool(draft.levels) and "levels" not in draft.lost
    too_deep: list[Entry] = []
    for entry in draft:
        parent = draft.parent(entry)
        above = parent.level if parent is not None else -1
        entry.level = above + 1
        named = entry.get("level")
        if named is not None and entry.details is not None:
            _named_level(draft, findings, entry, at, above, named)
        if known and entry.level >= len(at):
            too_deep.append(entry)
    if too_deep:
        # One level that was forgotten makes all classes on it too deep.
        first = too_deep[0]
        more = f" (and {len(too_deep) - 1} more)" if len(too_deep) > 1 else ""
        there = f"are only {len(at)} levels" if len(at) > 1 else "is only one level"
        findings.add(
            "T103",
            first.key.span,
            f"`{first.id}`{more} is at depth {first.level + 1}, but there {there}",
            related=[(draft.head.keys["levels"].span, "declared here")],
            help="name a further level, or move the class up",
        )


def _named_level(draft: Draft, findings: Findings, entry: Entry, at: dict[str, int], above: int, named: str) -> None:
    assert entry.details is not None
    span = entry.details.span("level")
    if named not in at:
        if "levels" in draft.lost:
            return
        way = findings.did_you_mean(named, at) or (
            f"the levels are {', '.join(at)}" if at else "name them: `levels: [...]`"
        )
        findings.add("S006", span, f"no level `{named}` is declared", help=way)
    elif at[named] <= above:
        parent = draft.parent(entry)
        assert parent is not None
        findings.add(
            "T104",
            span,
            f"level `{named}` of `{entry.id}` is not below the level of its parent `{parent.id}`",
            related=[(parent.key.span, f"on level `{draft.levels[min(above, len(draft.levels) - 1)].text}`")],
            help=f"write {' or '.join(f'`{level}`' for level in list(at)[above + 1 :])}, or leave it out"
            if above + 1 < len(at)
            else "name a further level, or move the class up",
        )
    else:
        entry.level = at[named]


def _only_children(draft: Draft, findings: Findings) -> None:
    for entry in draft:
        if len(entry.children) == 1 and not entry.unreadable:
            child = draft.entries[entry.children[0]]
            findings.add(
                "T105", child.key.span, f"`{child.id}` is the only child of `{entry.id}`: the level adds nothing here"
            )


def _early_leaves(draft: Draft, findings: Findings) -> None:
    last = max(len(draft.levels), 1 + max(entry.level for entry in draft)) - 1
    for entry in draft:
        if not entry.children and not entry.unreadable and entry.level < last:
            name = draft.levels[entry.level].text if entry.level < len(draft.levels) else f"level{entry.level + 1}"
            findings.add(
                "T106", entry.key.span, f"`{entry.id}` is a leaf on level `{name}` and stands for itself below it"
            )


def _empty_levels(draft: Draft, findings: Findings) -> None:
    used = {entry.level for entry in draft}
    if draft.lost:
        return
    for index, level in enumerate(draft.levels):
        if index not in used:
            findings.add("T109", level.span, f"no class is on level `{level.text}`", help="remove the level")


def _extra_parents(draft: Draft, findings: Findings, references: References) -> None:
    edges: dict[int, list[tuple[int, Scalar]]] = {}
    for entry in draft:
        if entry.details is None or entry.get("also") is None:
            continue
        index = draft.at[entry.id]
        for word in references.named(entry.details, "also"):
            other = references.known(word)
            if other is None:
                continue
            relation = _relation(draft, entry, other)
            if relation:
                findings.add("T107", word.span, f"`{other.id}` is {relation} and cannot be a further parent")
                continue
            if other.level > entry.level:
                findings.add(
                    "T108",
                    word.span,
                    f"`{other.id}` lies deeper than `{entry.id}`",
                    related=[
                        (other.key.span, f"level {other.level + 1}"),
                        (entry.key.span, f"level {entry.level + 1}"),
                    ],
                )
            edges.setdefault(index, []).append((draft.at[other.id], word))
    if edges:
        _cycles(draft, findings, edges)


def _relation(draft: Draft, entry: Entry, other: Entry) -> str:
    if other is entry:
        return "the class itself"
    if any(above is other for above in draft.above(entry)):
        return f"above `{entry.id}` already"
    if any(above is entry for above in draft.above(other)):
        return f"below `{entry.id}`"
    return ""


def _cycles(draft: Draft, findings: Findings, edges: dict[int, list[tuple[int, Scalar]]]) -> None:
    """Walk upwards over parents and further parents; a class met twice on one way stands above itself."""
    done: set[int] = set()
    for start in edges:
        way: dict[int, None] = {}
        stack: list[tuple[int, Scalar | None, bool]] = [(start, None, False)]
        while stack:
            node, by, leaving = stack.pop()
            if leaving:
                del way[node]
                done.add(node)
                continue
            if findings.full("T102"):
                return
            if node in way:
                names = [draft.entries[index].id for index in way]
                loop = chain([*names[list(way).index(node) :], draft.entries[node].id])
                span = by.span if by is not None else draft.entries[node].key.span
                findings.add("T102", span, f"a class stands above itself: {loop}")
                continue
            if node in done:
                continue
            way[node] = None
            stack.append((node, by, True))
            parent = draft.entries[node].parent
            if parent >= 0:
                stack.append((parent, by, False))
            stack.extend((other, word, False) for other, word in edges.get(node, ()))
