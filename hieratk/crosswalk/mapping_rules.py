"""Rules about a crosswalk as a whole (X003, X007, X011, X014, X015, X019)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hieratk.crosswalk.draft import Draft, Line, Target
from hieratk.crosswalk.links import allowed, contradicts, counterpart, hand_down, holders, resolve, reverse
from hieratk.crosswalk.lookup import Lookup, is_code
from hieratk.crosswalk.values import Crosswalk, Entry, Link
from hieratk.diagnostics import Edit, Findings, Fix, Span
from hieratk.taxonomy.tree import Taxonomy

_SHOWN = 6
_CANNOT = {
    "is": "cannot be",
    "within": "cannot be inside",
    "covers": "cannot cover",
    "overlaps": "cannot overlap",
}
_ABOVE = {
    "is": "is",
    "within": "is inside",
    "covers": "covers",
    "overlaps": "overlaps",
    "outside": "is outside",
}


def check(draft: Draft, source: Taxonomy, target: Taxonomy, meant: Iterable[str], findings: Findings) -> None:
    """Apply them. `meant` are classes whose lines have been reported as misspelt: they are not also missing."""
    lines = {line.source: line for line in draft.whole()}
    _contradictions(lines, source, target, findings)
    _repetitions(draft, lines, source, findings)
    crosswalk = _value(lines, source, target)
    known = {line.source for line in draft.lines if line.source} | set(meant)
    missing = _missing(crosswalk, known, source, target)
    codes = sum(is_code(line.key.text) for line in draft.lines) * 2 > len(draft.lines)
    # A misspelt word for `unmapped` may have meant `ignore`.
    unsure = "unmapped" in draft.head.raw and draft.head.get("unmapped") is None
    if draft.head.get("unmapped") != "ignore" and not draft.unreadable and not unsure:
        _unmapped(draft, missing, source, findings, by_code=codes)
    if not draft.unreadable:
        _specials(draft, known, source, target, findings)
    if not findings.errors:
        _unreached(draft, crosswalk, source, target, findings)


def needed(source: Taxonomy) -> list[str]:
    """The classes of a source that labels can name: leaves, and classes above them that have a raster value."""
    encoding = source.encodings.get("default")
    painted = {owner for _, _, owner in encoding.values} if encoding is not None else set()
    return [node.id for node in source.nodes if not node.children or node.id in painted]


def _value(lines: Mapping[str, Line], source: Taxonomy, target: Taxonomy) -> Crosswalk:
    entries = tuple(line.entry() for line in lines.values())
    return Crosswalk("draft", "0.0.0", source.id, "", target.id, "", entries)


def _contradictions(lines: Mapping[str, Line], source: Taxonomy, target: Taxonomy, findings: Findings) -> None:
    sets: dict[str, frozenset[str]] = {}
    for id_, line in lines.items():
        link = _link(line.entry())
        for above_id in holders(id_, source):
            above = lines.get(above_id)
            if above is None:
                continue
            if above_id not in sets:
                sets[above_id] = frozenset(allowed(_link(above.entry()), target))
            wrong = contradicts(link, _link(above.entry()), target, around=sets[above_id])
            if wrong is not None:
                one = next(target for target in line.targets if target.id == wrong)
                _contradiction(line, one, above, source[id_].parent == above_id, findings)
                break


def _contradiction(line: Line, one: Target, above: Line, parent: bool, findings: Findings) -> None:
    relation = "parent" if parent else "ancestor"
    words = " and ".join(f"`{target.word.text}`" for target in above.targets[:3])
    more = f" and {len(above.targets) - 3} more" if len(above.targets) > 3 else ""
    said = (
        f"`{line.key.text}` {_CANNOT[str(line.verb)]} `{one.word.text}`:"
        f" its {relation} `{above.key.text}` {_ABOVE[str(above.verb)]} {words}{more}"
    )
    place = Span(above.targets[0].word.span.start, above.targets[-1].word.span.end)
    if "\n" in findings.source.text[place.start : place.end]:
        place = above.targets[0].word.span
    related = [(place, f"the {relation} is mapped here")]
    findings.add("X007", one.word.span, said, label=f"contradicts the {relation}", related=related)


def _link(entry: Entry) -> Link:
    return Link(entry.verb, entry.targets, entry.shares)


def _repetitions(draft: Draft, lines: Mapping[str, Line], source: Taxonomy, findings: Findings) -> None:
    for id_, line in lines.items():
        if id_ not in source or source[id_].kind == "mixed" or source[id_].deprecated is not None:
            continue
        if any(key in line.details.raw for key in ("note", "confidence", "source")):
            # Whoever gives a reason means to say it again.
            continue
        above = next((lines[other] for other in source.ancestors(id_) if other in lines), None)
        given = hand_down(_link(above.entry()), above.source) if above is not None else None
        entry = line.entry()
        if above is None or given is None or (given.verb, given.targets) != (entry.verb, entry.targets):
            continue
        said = f"`{line.key.text}` repeats what it inherits from `{above.key.text}`"
        related = [(above.key.span, "mapped here")]
        help_ = "the line can go"
        fix = _removal(line, draft, findings)
        findings.add("X011", line.key.span, said, related=related, help=help_, fix=fix)


def _removal(line: Line, draft: Draft, findings: Findings) -> Fix | None:
    """The edit that takes out a line which has its row for itself."""
    source = findings.source
    row, _ = source.position(line.key.span.start)
    start = source.row_start(row)
    text = source.line(row)
    end = start + len(text)
    alone = not source.text[start : line.key.span.start].strip() and not source.text[line.end : end].strip()
    if not alone or line.end > end or len(draft.lines) < 2 or row >= source.rows:
        return None
    return Fix("safe", (Edit(Span(start, source.row_start(row + 1)), ""),))


def _missing(crosswalk: Crosswalk, known: set[str], source: Taxonomy, target: Taxonomy) -> list[str]:
    """The classes that nothing is said about, those aside whose lines could not be read, and what is below them."""
    links = resolve(crosswalk, source, target)
    return [
        id_
        for id_ in needed(source)
        if id_ not in links
        and id_ not in known
        and not any(above in known and above not in links for above in source.ancestors(id_))
    ]


def _unmapped(draft: Draft, missing: list[str], source: Taxonomy, findings: Findings, *, by_code: bool) -> None:
    if not missing:
        return
    lookup = Lookup(source)
    total = len(needed(source))
    names = _some([lookup.shown(id_, by_code=by_code) for id_ in missing])
    said = f"{len(missing)} of {total} source classes {'is' if len(missing) == 1 else 'are'} not mapped: {names}"
    findings.add("X003", draft.map_span(), said, help="map them, or set `unmapped: ignore`")


def _specials(draft: Draft, known: set[str], source: Taxonomy, target: Taxonomy, findings: Findings) -> None:
    open_ = [entry for entry in source.special if entry.id not in known]
    if not open_:
        return
    names = _some([entry.id for entry in open_])
    what = "a special value" if len(open_) == 1 else f"{len(open_)} special values"
    said = f"{what} of `{source.id}` {'has' if len(open_) == 1 else 'have'} no line: {names}"
    example = open_[0]
    findings.add("X015", draft.map_span(), said, help=f"add {example.id}: {{none: {counterpart(example, target)}}}")


def _unreached(draft: Draft, crosswalk: Crosswalk, source: Taxonomy, target: Taxonomy, findings: Findings) -> None:
    links = resolve(crosswalk, source, target)
    reached = {leaf for id_ in source.leaves if id_ in links for leaf in allowed(links[id_], target)}
    reached |= {leaf for id_, link in links.items() if link.origin == "entry" for leaf in allowed(link, target)}
    lost = [leaf for leaf in target.leaves if leaf not in reached]
    if lost:
        verb = "is" if len(lost) == 1 else "are"
        said = f"{len(lost)} of {len(target.leaves)} target leaves {verb} reached by no source class: {_some(lost)}"
        findings.add("X014", draft.map_span(), said)
    back = reverse(links, source, target)
    silent = [node.id for node in target.predicted if node.id not in back or back[node.id].verb == "outside"]
    if silent:
        verb = "has" if len(silent) == 1 else "have"
        said = f"read backwards, {len(silent)} of {len(target.predicted)} target classes {verb} no usable relation"
        findings.add("X019", draft.map_span(), f"{said}: {_some(silent)}")


def _some(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")
