"""Rules about the classes that a crosswalk names (X001, X002, X004, X008, X013)."""

from __future__ import annotations

from hieratk.crosswalk.draft import Draft, Line, Target
from hieratk.crosswalk.lookup import Lookup
from hieratk.diagnostics import Edit, Findings, Fix
from hieratk.documents import quote
from hieratk.taxonomy.spec import ROLES
from hieratk.taxonomy.tree import Taxonomy


def check(draft: Draft, source: Taxonomy, target: Taxonomy, findings: Findings) -> set[str]:
    """Find every class that is named. Returns ids of the source that a misspelt key may have meant."""
    meant = _sources(draft, Lookup(source), findings)
    lookup = Lookup(target)
    for line in draft.lines:
        for one in line.targets:
            _target(line, one, lookup, findings)
    return meant


def _sources(draft: Draft, lookup: Lookup, findings: Findings) -> set[str]:
    first: dict[str, Line] = {}
    meant: set[str] = set()
    for line in draft.lines:
        id_ = lookup.id(line.key.text)
        if id_ is None:
            lookup.unknown("X001", line.key.text, line.key.span, findings)
            near = lookup.meant(line.key.text, findings)
            meant |= {near} if near is not None else set()
            continue
        before = first.setdefault(id_, line)
        if before is not line:
            said = f"`{line.key.text}` is `{before.key.text}`, which is mapped already"
            related = [(before.key.span, "first mapped here")]
            findings.add("X004", line.key.span, said, label="mapped again", related=related, help="remove one of them")
            continue
        line.source = id_
    return meant


def _target(line: Line, one: Target, lookup: Lookup, findings: Findings) -> None:
    word, tree = one.word, lookup.taxonomy
    id_ = lookup.id(word.text)
    if line.verb == "none":
        _special(one, id_, lookup, findings)
        return
    if id_ is None:
        lookup.unknown("X002", word.text, word.span, findings)
        return
    if id_ in lookup.special:
        said = f"`{word.text}` is a special value of `{tree.id}`, not a class"
        findings.add("X002", word.span, said, label="not a class", help=f"write none: {id_}")
        return
    node = tree[id_]
    if node.kind in ("unspecified", "mixed"):
        said = f"target `{word.text}` is {'an unspecified' if node.kind == 'unspecified' else 'a mixed'} class"
        findings.add("X013", word.span, said, label="never predicted", help=_instead(lookup, id_))
        return
    one.id = id_
    if node.deprecated is not None:
        since = f" since {node.deprecated.since}" if node.deprecated.since else ""
        use = node.deprecated.use
        fix = Fix("safe", (Edit(word.span, _as_written(word.text, use[0], lookup)),)) if len(use) == 1 else None
        way = f"use {' and '.join(f'`{other}`' for other in use)}" if use else "nothing stands for it"
        said = f"target `{word.text}` is deprecated{since}"
        findings.add("X008", word.span, said, label="deprecated", help=way, fix=fix)


def _special(one: Target, id_: str | None, lookup: Lookup, findings: Findings) -> None:
    word, tree = one.word, lookup.taxonomy
    if id_ in lookup.special:
        one.id = str(id_)
    elif id_ is not None:
        said = f"`{word.text}` is a class of `{tree.id}`; `none` takes a special value"
        findings.add("X002", word.span, said, label="not a special value", help=_specials(lookup))
    elif word.text in ROLES:
        # A tree without such a special value still knows what the pixels are instead of a class.
        one.id = word.text
    else:
        said = f"no special value `{word.text}` in `{tree.id}`"
        near = findings.did_you_mean(word.text, [*lookup.special, *ROLES])
        findings.add("X002", word.span, said, label="unknown special value", help=near or _specials(lookup))


def _specials(lookup: Lookup) -> str:
    known = [f"`{id_}`" for id_ in lookup.special]
    if not known:
        return f"it has none; write one of {', '.join(f'`{role}`' for role in ROLES)}"
    return f"its special value{'s are' if len(known) > 1 else ' is'} {', '.join(known)}"


def _instead(lookup: Lookup, id_: str) -> str:
    node = lookup.taxonomy[id_]
    if node.kind == "mixed":
        return f"write overlaps: [{', '.join(node.parts)}]"
    return f"write within: {node.parent}" if node.parent is not None else "name the classes that it may be"


def _as_written(word: str, id_: str, lookup: Lookup) -> str:
    """A replacement in the words of the author: a code where one was written."""
    code = lookup.taxonomy[id_].code if id_ in lookup.taxonomy else None
    return quote(code) if word not in lookup.taxonomy and code is not None else id_
