"""The single differences between two versions of a tree, one function a sort, in the order in which they are read."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from hieratk.taxonomy.changes import Change, change
from hieratk.taxonomy.matching import Match
from hieratk.taxonomy.spec import DTYPE_RANGES
from hieratk.taxonomy.tree import Encoding, Node, Special, Taxonomy

Values = Sequence[tuple[int, int, str]]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two versions of a tree and which class of the one is which of the other."""

    old: Taxonomy
    new: Taxonomy
    classes: Mapping[str, Match]
    specials: Mapping[str, Match]

    def now(self, id_: str) -> str | None:
        """The new id of a class or special value, None for one that is gone."""
        match = self.classes.get(id_) or self.specials.get(id_)
        return match.id if match else None

    def both(self) -> Iterator[tuple[Node, Node]]:
        """Every class that lives on: as it was and as it is."""
        for id_, match in self.classes.items():
            yield self.old[id_], self.new[match.id]


def every(pair: Pair) -> Iterator[Change]:
    """All changes between two versions."""
    for sort in (
        *(_removed, _renamed, _recoded, _levels, _pixels, _moved, _kinds),
        *(_deprecations, _order, _added, _texts, _document),
    ):
        yield from sort(pair)


def _removed(pair: Pair) -> Iterator[Change]:
    for node in pair.old.nodes:
        if node.id in pair.classes:
            continue
        if node.deprecated is None:
            yield change("V001", "removed", "major", node.id, "", _below(node))
        else:
            use = f", use {', '.join(node.deprecated.use)}" if node.deprecated.use else ""
            detail = f"deprecated since {node.deprecated.since or 'before'}{use}"
            yield change("V001", "removed", "major", node.id, "", detail, mild=True)
    for entry in pair.old.special:
        if entry.id not in pair.specials:
            yield change("V001", "removed", "major", entry.id, "", f"special value, {entry.role}")


def _below(node: Node) -> str:
    return f"below {node.parent}" if node.parent is not None else "at the top"


def _renamed(pair: Pair) -> Iterator[Change]:
    for id_, match in (*pair.classes.items(), *pair.specials.items()):
        if match.id != id_:
            yield change("V002", "renamed", "major", id_, match.id, match.reason)


def _recoded(pair: Pair) -> Iterator[Change]:
    for was, now in pair.both():
        if was.code == now.code:
            continue
        if was.code is None:
            yield change("V007", "code given", "minor", was.id, now.id, f"code {now.code}")
        else:
            yield change("V002", "re-coded", "major", was.id, now.id, f"{was.code} -> {now.code or 'none'}")


def _levels(pair: Pair) -> Iterator[Change]:
    was, now = pair.old.level_names, pair.new.level_names
    gone, come = [name for name in was if name not in now], [name for name in now if name not in was]
    if not gone and not come:
        return
    if len(was) == len(now):
        for one, other in zip(was, now, strict=True):
            if one != other:
                yield change("V002", "level renamed", "major", "", "", f"{one} -> {other}")
        return
    for name in gone:
        yield change("V001", "level removed", "major", "", "", name)
    for name in come:
        yield change("V007", "level added", "minor", "", "", name)


def _moved(pair: Pair) -> Iterator[Change]:
    for was, now in pair.both():
        parent = pair.now(was.parent) if was.parent is not None else None
        if now.parent != parent or (was.parent is not None and parent is None):
            gone = " (removed)" if was.parent is not None and parent is None else ""
            detail = f"{was.parent or 'the top'}{gone} -> {now.parent or 'the top'}"
            yield change("V004", "moved", "major", was.id, now.id, detail)
        elif _depth(pair.old, was) != _depth(pair.new, now):
            one, other = pair.old.level_names[was.level], pair.new.level_names[now.level]
            yield change("V004", "moved", "major", was.id, now.id, f"level {one} -> {other}")


def _depth(tree: Taxonomy, node: Node) -> int:
    """Levels below the parent: whole trees may sink or rise with a level, which is one change and not hundreds."""
    return node.level - (tree[node.parent].level if node.parent is not None else -1)


def _kinds(pair: Pair) -> Iterator[Change]:
    for was, now in pair.both():
        if was.kind != now.kind:
            yield change("V006", "other kind", "major", was.id, now.id, f"{was.kind} -> {now.kind}")
        elif {pair.now(part) or part: share for part, share in was.parts.items()} != dict(now.parts):
            detail = f"parts {', '.join(was.parts)} -> {', '.join(now.parts)}"
            if set(was.parts) == set(now.parts):
                detail = "shares of its parts"
            yield change("V006", "other kind", "major", was.id, now.id, detail)
    roles = {entry.id: entry for entry in pair.new.special}
    for entry in pair.old.special:
        if entry.id in pair.specials:
            role = roles[pair.specials[entry.id].id].role
            if role != entry.role:
                yield change("V006", "other kind", "major", entry.id, entry.id, f"role {entry.role} -> {role}")


def _deprecations(pair: Pair) -> Iterator[Change]:
    for was, now in pair.both():
        before, after = was.deprecated, now.deprecated
        if after is not None and before is None:
            use = f", use {', '.join(after.use)}" if after.use else ""
            yield change("V005", "deprecated", "minor", was.id, now.id, f"no longer predicted{use}")
        elif before is not None and after is None:
            yield change("V005", "brought back", "minor", was.id, now.id, "predicted again")
        elif before is not None and after is not None and before.use != after.use:
            detail = f"use {', '.join(before.use) or 'nothing'} -> {', '.join(after.use) or 'nothing'}"
            yield change("V006", "other kind", "major", was.id, now.id, detail)


def _order(pair: Pair) -> Iterator[Change]:
    before, after = _siblings(pair.old), _siblings(pair.new)
    for parent, ids in before.items():
        new_parent = None if parent is None else pair.now(parent)
        if parent is not None and new_parent is None:
            continue
        place = {id_: at for at, id_ in enumerate(after.get(new_parent, []))}
        order = [place[new] for id_ in ids if (new := pair.now(id_)) is not None and new in place]
        if order != sorted(order):
            detail = f"{len(order)} classes {'at the top' if parent is None else f'below {parent}'}"
            yield change("V005", "order", "minor", parent or "", new_parent or "", detail)


def _siblings(tree: Taxonomy) -> dict[str | None, list[str]]:
    found: dict[str | None, list[str]] = {}
    for node in tree.nodes:
        found.setdefault(node.parent, []).append(node.id)
    return found


def _added(pair: Pair) -> Iterator[Change]:
    known = {match.id for match in pair.classes.values()}
    for node in pair.new.nodes:
        if node.id not in known:
            yield change("V007", "added", "minor", node.id, node.id, _below(node))
    known = {match.id for match in pair.specials.values()}
    for entry in pair.new.special:
        if entry.id not in known:
            yield change("V007", "added", "minor", entry.id, entry.id, f"special value, {entry.role}")


_TEXTS = ("name", "color", "labels", "synonyms", "definition", "also", "regions", "attrs")
_REMARKS = ("since", "source", "note", "meta")
_SPECIAL_TEXTS = ("name", "color", "labels", "note", "meta")


def _texts(pair: Pair) -> Iterator[Change]:
    for was, now in pair.both():
        detail = _fields(was, now, (*_TEXTS, *_REMARKS))
        if detail:
            yield change("V008", "texts", "patch", was.id, now.id, detail)
    new = {entry.id: entry for entry in pair.new.special}
    for entry in pair.old.special:
        if entry.id in pair.specials:
            detail = _fields(entry, new[pair.specials[entry.id].id], _SPECIAL_TEXTS)
            if detail:
                yield change("V008", "texts", "patch", entry.id, entry.id, detail)


def _fields(was: Node | Special, now: Node | Special, names: Sequence[str]) -> str:
    changed = [name for name in names if getattr(was, name) != getattr(now, name)]
    # A name that is only the id with blanks changes with it, which is no further news.
    if "name" in changed and was.name == was.id.replace("_", " ") and now.name == now.id.replace("_", " "):
        changed.remove("name")
    shown = []
    for name in changed:
        before, after = getattr(was, name), getattr(now, name)
        shown.append(f"{name} {before or 'none'} -> {after or 'none'}" if name in ("name", "color") else name)
    return ", ".join(shown)


def _document(pair: Pair) -> Iterator[Change]:
    names = ("id", "title", "description", "lang", "license", "source", "codes", "attributes", "meta")
    changed = [name for name in names if getattr(pair.old, name) != getattr(pair.new, name)]
    if changed:
        yield change("V008", "head", "patch", "", "", ", ".join(changed))


def _pixels(pair: Pair) -> Iterator[Change]:
    for name, was in pair.old.encodings.items():
        now = pair.new.encodings.get(name)
        if now is None:
            if was.values:
                yield change("V003", "pixel", "major", "", "", f"encoding {name} removed")
            continue
        yield from _values(pair, name, was.values, now.values)
        yield from _stored(name, was, now)
        shown, shows = _level(pair.old, was), _level(pair.new, now)
        if shown != shows and was.level != now.level:
            yield change("V003", "pixel", "major", "", "", f"{name}: level {shown} -> {shows}")
    for name in pair.new.encodings.keys() - pair.old.encodings.keys():
        yield change("V007", "encoding added", "minor", "", "", name)


def _level(tree: Taxonomy, encoding: Encoding) -> str:
    return "any" if encoding.level is None else tree.level_names[encoding.level]


def _stored(name: str, was: Encoding, now: Encoding) -> Iterator[Change]:
    if was.nodata != now.nodata:
        if was.nodata is None:
            yield change("V007", "encoding", "minor", "", "", f"{name}: nodata {now.nodata}")
        else:
            yield change("V003", "pixel", "major", "", "", f"{name}: nodata {was.nodata} -> {now.nodata}")
    if was.dtype != now.dtype:
        (low, high), (least, most) = DTYPE_RANGES[was.dtype], DTYPE_RANGES[now.dtype]
        detail = f"{name}: {was.dtype} -> {now.dtype}"
        if least <= low and high <= most:
            yield change("V007", "encoding", "minor", "", "", detail)
        else:
            yield change("V003", "pixel", "major", "", "", detail)


def _values(pair: Pair, name: str, before: Values, after: Values) -> Iterator[Change]:
    """Values that lost their meaning, class by class, and values that a class gained."""
    where = "" if name == "default" else f" ({name})"
    lost: dict[str, list[str]] = {}
    stands_for = {node.id: node.deprecated.use for node in pair.old.nodes if node.deprecated is not None}
    for low, high, owner in before:
        expected = pair.now(owner)
        for start, end, new_owner in _overlapping(after, low, high):
            if new_owner == expected is not None:
                continue
            if new_owner is None:
                if expected is not None:
                    lost.setdefault(owner, []).append(f"{_span(start, end)} unused now")
            elif new_owner not in [pair.now(use) for use in stands_for.get(owner, ())]:
                lost.setdefault(owner, []).append(f"{_span(start, end)} means {new_owner} now")
    came_from = {match.id: id_ for id_, match in (*pair.classes.items(), *pair.specials.items())}
    gained: dict[str, list[str]] = {}
    for low, high, owner in after:
        if owner in came_from:
            for start, end, old_owner in _overlapping(before, low, high):
                if old_owner is None:
                    gained.setdefault(came_from[owner], []).append(_span(start, end))
    for owner, details in lost.items():
        more = f"; has {', '.join(gained.pop(owner))} now" if owner in gained else ""
        yield change("V003", "pixel", "major", owner, pair.now(owner) or "", ", ".join(details) + more + where)
    for owner, spans in gained.items():
        yield change("V007", "value added", "minor", owner, pair.now(owner) or "", ", ".join(spans) + where)


def _overlapping(values: Values, low: int, high: int) -> Iterator[tuple[int, int, str | None]]:
    """A span cut where its owner changes among sorted values; None where nobody owns it."""
    at = max(bisect_right(values, low, key=lambda value: value[0]) - 1, 0)
    while low <= high:
        while at < len(values) and values[at][1] < low:
            at += 1
        if at == len(values) or values[at][0] > high:
            yield low, high, None
            return
        first, last, owner = values[at]
        if first > low:
            yield low, first - 1, None
            low = first
        yield low, min(last, high), owner
        low = min(last, high) + 1


def _span(low: int, high: int) -> str:
    return str(low) if low == high else f"{low}..{high}"
