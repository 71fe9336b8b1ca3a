"""Which class of a new tree is which class of an old one: by id, and where the id is new by what else is the same."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass

from hieratk.taxonomy.tree import Taxonomy

Key = Callable[[str], Hashable | None]


@dataclass(frozen=True, slots=True)
class Match:
    """A class of the new tree and why it is the same one: empty where the id is."""

    id: str
    reason: str = ""


def match_classes(old: Taxonomy, new: Taxonomy) -> dict[str, Match]:
    """For each class of the old tree that lives on, its class in the new one.

    A class whose id is gone is the same as one whose id is new where both, and no others, have the same code, the
    same pixel values, the same name or (under the same parent) the same colour. Each of these counts only where it
    is stable: of the classes that keep their id, at least half keep it too. So a nomenclature that was numbered anew
    draws no conclusions from its numbers. Evidence against outweighs: classes with different codes are not one
    because of a pixel value, a name or a colour, nor those with different colours because of a pixel value. A class
    that was deprecated is gone when its id is. (Chosen.)
    """
    found = {node.id: Match(node.id) for node in old.nodes if node.id in new}
    old_keys, new_keys = _keys(old), _keys(new)
    trusted = {name: _stable(old_keys[name], new_keys[name], found) for name in old_keys}

    def differ(key: str, mine: str, theirs: str) -> bool:
        a, b = old_keys[key](mine), new_keys[key](theirs)
        return trusted[key] and a is not None and b is not None and a != b

    def same_parent(mine: str, theirs: str) -> bool:
        a, b = old[mine].parent, new[theirs].parent
        return (found[a].id if a is not None and a in found else a) == b

    def contradicted(key: str, mine: str, theirs: str) -> bool:
        others = {"pixel value": ("code", "colour"), "name": ("code",), "colour": ("code", "pixel value")}
        if any(differ(other, mine, theirs) for other in others.get(key, ())):
            return True
        return key == "colour" and not same_parent(mine, theirs)

    for key in old_keys:
        if not trusted[key]:
            continue
        left, right = _unique(old, old_keys[key]), _unique(new, new_keys[key])
        taken = {match.id for match in found.values()}
        for value, mine in left.items():
            theirs = right.get(value)
            if theirs is None or mine in found or theirs in taken or old[mine].deprecated is not None:
                continue
            if contradicted(key, mine, theirs):
                continue
            found[mine] = Match(theirs, f"same {key} {_shown(value)}")
            taken.add(theirs)
    return {node.id: found[node.id] for node in old.nodes if node.id in found}


def match_specials(old: Taxonomy, new: Taxonomy) -> dict[str, Match]:
    """For each special value of the old tree that lives on, its counterpart: by id, else by role and pixel values."""
    there = {entry.id for entry in new.special}
    found = {entry.id: Match(entry.id) for entry in old.special if entry.id in there}
    before, after = pixels_of(old), pixels_of(new)
    free = {(s.role, after.get(s.id)): s.id for s in new.special if s.id not in found}
    for entry in old.special:
        pixels = before.get(entry.id)
        twin = free.get((entry.role, pixels)) if pixels is not None else None
        if entry.id not in found and twin is not None:
            found[entry.id] = Match(twin, f"same role and pixel value {_shown(pixels)}")
    return found


def pixels_of(tree: Taxonomy) -> dict[str, tuple[tuple[str, int, int], ...]]:
    """(encoding, first value, last value) triples of each class and special value that has any."""
    spans: dict[str, list[tuple[str, int, int]]] = {}
    for name, encoding in tree.encodings.items():
        for low, high, owner in encoding.values:
            spans.setdefault(owner, []).append((name, low, high))
    return {owner: tuple(found) for owner, found in spans.items()}


def _keys(tree: Taxonomy) -> Mapping[str, Key]:
    pixels = pixels_of(tree)
    return {
        "code": lambda id_: tree[id_].code,
        "pixel value": pixels.get,
        "name": lambda id_: tree[id_].name.casefold() or None,
        "colour": lambda id_: tree[id_].color,
    }


def _shown(value: Hashable) -> str:
    if isinstance(value, tuple):
        return ", ".join(str(low) if low == high else f"{low}..{high}" for _, low, high in value)
    return str(value)


def _stable(old: Key, new: Key, same: Mapping[str, Match]) -> bool:
    stated = [(old(mine), new(match.id)) for mine, match in same.items()]
    both = [(a, b) for a, b in stated if a is not None and b is not None]
    return 2 * sum(a == b for a, b in both) >= len(both)


def _unique(tree: Taxonomy, key: Key) -> dict[Hashable, str]:
    """Value to class, for the values that exactly one class of the tree has."""
    owners: dict[Hashable, list[str]] = {}
    for node in tree.nodes:
        value = key(node.id)
        if value is not None:
            owners.setdefault(value, []).append(node.id)
    return {value: ids[0] for value, ids in owners.items() if len(ids) == 1}
