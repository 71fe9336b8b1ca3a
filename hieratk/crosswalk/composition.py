"""Two crosswalks, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from hieratk.crosswalk.draft import Draft
from hieratk.crosswalk.links import allowed, counterpart, cover, hand_down, holders, leaf_sets, resolve
from hieratk.crosswalk.values import Crosswalk, Entry, Link, Verb
from hieratk.diagnostics import Findings, Problem, Source
from hieratk.errors import CrosswalkError
from hieratk.taxonomy.heads import heads
from hieratk.taxonomy.tree import Taxonomy

_Leaves = frozenset[str]
_Relation = Literal["equal", "overlaps", "unknown"]

_EXACT = ("is", "covers")
# A to B, B to C: where the table of relations leaves one of these for A to C (known: notation 3.4, tried there by
# enumeration). That A lies in what C allows needs no table, and so neither `within` nor `outside` does.
_TABLE: Mapping[tuple[str, str], _Relation] = {
    ("is", "is"): "equal",
    ("is", "covers"): "equal",
    ("covers", "is"): "equal",
    ("covers", "covers"): "equal",
    ("is", "overlaps"): "overlaps",
    ("overlaps", "is"): "overlaps",
}


@dataclass(frozen=True, slots=True)
class _Step:
    """The composed relation of one class; `known` is False where only the place of the class is. `silent` are classes
    on the way that lead nowhere."""

    link: Link | None
    known: bool
    silent: tuple[str, ...] = ()


def compose(ab: Crosswalk, bc: Crosswalk, a: Taxonomy, b: Taxonomy, c: Taxonomy) -> Crosswalk:
    """The crosswalk from the first tree to the third one.

    A class of `a` allows the leaves of `c` that the classes of `b` do which it may be: the union is sound, whatever the
    relations are (known: notation 3.4). `is`, `covers` and `overlaps` are said where the table of relations leaves
    nothing else, and `within` and `outside` where they follow from what is allowed; else `overlaps` says no more than
    that the class lies there, and its note says so. A class is left out where something on the way is unmapped or has
    no counterpart, or where nothing is excluded; `unmapped` is then `ignore`.

    Raises CrosswalkError where no class is left.
    """
    entries: list[Entry] = []
    kept: dict[str, Link] = {}
    for id_, step in _steps(ab, bc, a, b, c).items():
        link = step.link
        above = next((other for other in holders(id_, a) if other in kept), None)
        given = hand_down(kept[above], above) if above is not None else None
        if link is None or (given is not None and (given.verb, given.targets) == (link.verb, link.targets)):
            continue
        kept[id_] = link
        note = None if step.known else f"through {b.id} it is not known what it covers, only where it lies"
        entries.append(Entry(id_, link.verb, link.targets, link.shares, link.confidence, note))
    if not any(entry.verb != "none" for entry in entries):
        raise CrosswalkError(
            f"`{ab.id}` and `{bc.id}` do not meet: no class of `{a.id}` leads through `{b.id}` to one of `{c.id}`"
        )
    composed = Crosswalk(
        id=f"{a.id}_to_{c.id}",
        version="1.0.0",
        from_id=ab.from_id,
        from_version=ab.from_version,
        to_id=bc.to_id,
        to_version=bc.to_version,
        entries=tuple(entries),
        title=f"{a.id} to {c.id}, through {b.id}",
        source=({"title": f"composed of {ab.id} {ab.version} and {bc.id} {bc.version}"},),
    )
    links = resolve(composed, a, c)
    return composed if all(node.id in links for node in a.nodes) else replace(composed, unmapped="ignore")


def unknown(
    source: Source, draft: Draft, bc: Crosswalk, trees: tuple[Taxonomy, Taxonomy, Taxonomy], ab: Crosswalk
) -> list[Problem]:
    """Findings X020 about the first crosswalk, in its own text: the classes whose composed relation is not known.

    `draft` is that of `hieratk.crosswalk.checking.check(source)`, `ab` the crosswalk made of it, `trees` are the three.
    """
    findings = Findings(source, heads())
    a, b, c = trees
    steps = _steps(ab, bc, a, b, c)
    for line in draft.whole():
        step = steps[line.source]
        if step.known:
            continue
        if step.link is None:
            said = f"nothing is known about `{line.key.text}` in `{c.id}`"
            names = ", ".join(f"`{id_}`" for id_ in step.silent[:6])
            way = f"`{bc.id}` says nothing about {names}" if names else "nothing is excluded"
        else:
            said = f"what `{line.key.text}` covers in `{c.id}` is not known"
            way = f"it lies in {', '.join(f'`{id_}`' for id_ in step.link.targets[:6])}"
        findings.add("X020", line.key.span, said, label=f"through `{b.id}`", help=way)
    return findings.problems()


def _steps(ab: Crosswalk, bc: Crosswalk, a: Taxonomy, b: Taxonomy, c: Taxonomy) -> dict[str, _Step]:
    """What follows for every class and special that has a line or inherits one; what parts and children bring follows
    again from the composed lines."""
    way = _Way(resolve(bc, b, c), b, c)
    found: dict[str, _Step] = {}
    lies: dict[str, _Leaves] = {}
    for id_, link in resolve(ab, a, b).items():
        if link.origin not in ("entry", "ancestor"):
            continue
        if link.verb == "none":
            found[id_] = _Step(Link("none", (way.special(link.targets[0]),)), True)
            continue
        # A class lies where its ancestor does.
        around = next((lies[above] for above in holders(id_, a) if above in lies), None)
        leaves, silent = way.leaves(link)
        if leaves is not None:
            leaves = leaves if around is None else leaves & around
            lies[id_] = leaves
        found[id_] = way.step(link, leaves, silent)
    return found


class _Way:
    """The second crosswalk, asked for what lies behind the targets of the first one."""

    def __init__(self, links: Mapping[str, Link], b: Taxonomy, c: Taxonomy) -> None:
        self.links = links
        self.b = b
        self.c = c
        self.sets = leaf_sets(c)
        self.all = frozenset(c.leaves)
        self.found: dict[str, _Leaves | None] = {}

    def special(self, word: str) -> str:
        """What a special becomes."""
        onward = self.links.get(word)
        if onward is not None and onward.verb == "none":
            return onward.targets[0]
        own = next((entry for entry in self.b.special if entry.id == word), None)
        return word if own is None else counterpart(own, self.c)

    def behind(self, id_: str) -> _Leaves | None:
        """The leaves of the third tree that a class of the second one allows; None where that is not known.

        What its own line says and what the lines of its leaves say both hold, and so does what they have in common.
        """
        if id_ not in self.found:
            own = self._of(id_)
            parts = [self._of(leaf) for leaf in self.b.allowed(id_)]
            known = [part for part in parts if part is not None]
            whole = frozenset().union(*known) if known and len(known) == len(parts) else None
            self.found[id_] = whole if own is None else own if whole is None else own & whole
        return self.found[id_]

    def _of(self, id_: str) -> _Leaves | None:
        link = self.links.get(id_)
        return None if link is None or link.verb == "none" else frozenset(allowed(link, self.c))

    def leaves(self, link: Link) -> tuple[_Leaves | None, tuple[str, ...]]:
        """Where a class with this link lies in the third tree, and what leads nowhere."""
        if link.verb != "outside":
            sets = {id_: self.behind(id_) for id_ in link.targets}
            silent = tuple(id_ for id_, leaves in sets.items() if leaves is None)
            return (None if silent else frozenset().union(*(s for s in sets.values() if s is not None))), silent
        between = list(allowed(link, self.b))
        silent = tuple(leaf for leaf in between if self.behind(leaf) is None)
        reached = self.all
        if not silent:
            reached = frozenset().union(*(self.behind(leaf) or () for leaf in between))
        exact = [onward for id_ in link.targets if (onward := self.links.get(id_)) and onward.verb in _EXACT]
        barred = frozenset().union(*(allowed(onward, self.c) for onward in exact))
        left = reached - barred
        return (None if silent and not barred else left), silent

    def step(self, link: Link, leaves: _Leaves | None, silent: tuple[str, ...]) -> _Step:
        """The composed relation of a class that lies in these leaves."""
        if leaves is None or not leaves or leaves == self.all:
            none = self._none(link)
            return _Step(none, none is not None, silent)
        targets = cover(leaves, self.c, self.sets)
        confidence = self._confidence(link)
        if link.verb == "outside" or self._all(link, "outside"):
            barred = cover(self.all - leaves, self.c, self.sets)
            return _Step(Link("outside", barred, None, None, confidence), True)
        relation = self._relation(link)
        if relation == "equal":
            verb: Verb = "is" if len(targets) == 1 else "covers"
        else:
            verb = "within" if len(targets) == 1 else "overlaps"
        shares = self._shares(link, targets)
        return _Step(Link(verb, targets, shares, None, confidence), relation != "unknown" or verb == "within")

    def _none(self, link: Link) -> Link | None:
        """`none` where everything on the way has the same lack of a counterpart."""
        onward = [self.links.get(id_) for id_ in link.targets]
        same = {one.targets for one in onward if one is not None and one.verb == "none"}
        return Link("none", same.pop()) if len(same) == 1 and self._all(link, "none") else None

    def _all(self, link: Link, verb: Verb) -> bool:
        return all((onward := self.links.get(id_)) is not None and onward.verb == verb for id_ in link.targets)

    def _relation(self, link: Link) -> _Relation:
        found: set[_Relation] = set()
        for id_ in link.targets:
            onward = self.links.get(id_)
            found.add("unknown" if onward is None else _TABLE.get((link.verb, onward.verb), "unknown"))
        return found.pop() if len(found) == 1 else "unknown"

    def _confidence(self, link: Link) -> float | None:
        """The product of what is stated: the two lines are taken for independent (chosen)."""
        onward = [self.links[id_].confidence for id_ in link.targets if id_ in self.links]
        stated = [one for one in onward if one is not None]
        if link.confidence is None and not stated:
            return None
        return round((1.0 if link.confidence is None else link.confidence) * min(stated, default=1.0), 6)

    def _shares(self, link: Link, targets: tuple[str, ...]) -> tuple[float, ...] | None:
        """Shares of the targets, where the first line states them and each part goes into one target."""
        if link.shares is None or len(targets) < 2:
            return None
        found = dict.fromkeys(targets, 0.0)
        for id_, share in zip(link.targets, link.shares, strict=True):
            leaves = self.behind(id_) or frozenset()
            into = [target for target in targets if leaves <= self.sets[target]]
            if len(into) != 1:
                return None
            found[into[0]] += share
        return tuple(round(share, 12) for share in found.values()) if all(found.values()) else None
