"""What follows from a crosswalk: a `Link` for each class of the source, allowed leaves, and the way back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from hieratk.crosswalk.values import Crosswalk, Entry, Link, Origin, Verb

if TYPE_CHECKING:
    from hieratk.taxonomy.tree import Node, Special, Taxonomy


def resolve(crosswalk: Crosswalk, source: Taxonomy, target: Taxonomy) -> dict[str, Link]:
    """The link of every class and special of the source that has one, in the order of the tree; missing is unmapped.

    A class without a line of its own takes (known: notation 3.4; the last two chosen)

    - the nearest listed ancestor's: `is` and `within` become `within`; `outside` and `none` stay; `covers` and
      `overlaps` are not passed on, since a part of a mosaic may be pure;
    - before that, where it is mixed or replaced: the union of the links of its parts, or of what stands for it;
    - else, where every class below it is mapped to leaves: the union of theirs.
    """
    return _Resolver({entry.source: entry for entry in crosswalk.entries}, source, target).links()


def allowed(link: Link, target: Taxonomy) -> dict[str, float | None]:
    """The leaves of the target that a link allows, in the tree's order, with shares where it states them.

    A share of an inner class is spread evenly over its leaves. `none` allows no leaf.
    """
    if link.verb == "none":
        return {}
    if link.verb == "outside":
        barred = {leaf for id_ in link.targets for leaf in target.allowed(id_)}
        return {leaf: None for leaf in target.leaves if leaf not in barred}
    if len(link.targets) == 1 and link.shares is None:
        # One target hands on the shares of a mixture that it is itself.
        return target.allowed(link.targets[0])
    shares: dict[str, float | None] = {}
    for position, id_ in enumerate(link.targets):
        below = target.allowed(id_)
        for leaf, part in below.items():
            if link.shares is None:
                shares[leaf] = None
                continue
            more = link.shares[position] * (1 / len(below) if part is None else part)
            shares[leaf] = (shares.get(leaf) or 0.0) + more
    return {leaf: shares[leaf] for leaf in target.leaves if leaf in shares}


def leaf_sets(taxonomy: Taxonomy) -> dict[str, frozenset[str]]:
    """The leaves in the subtree of every class: none below a leaf that no model predicts."""
    found: dict[str, set[str]] = {node.id: set() for node in taxonomy.nodes}
    for leaf in taxonomy.leaves:
        for id_ in taxonomy.path(leaf):
            found[id_].add(leaf)
    return {id_: frozenset(leaves) for id_, leaves in found.items()}


def cover(
    leaves: Iterable[str], taxonomy: Taxonomy, sets: Mapping[str, frozenset[str]] | None = None
) -> tuple[str, ...]:
    """The fewest classes in use whose leaves together are these, depth first; of equal classes the highest.

    `sets` are the `leaf_sets` of the tree, where the caller has them.
    """
    wanted = set(leaves)
    below = leaf_sets(taxonomy) if sets is None else sets
    found: list[str] = []
    # The classes of the first level are the tops of all paths.
    stack = list(reversed(taxonomy.levels[0].classes)) if taxonomy.levels else []
    while stack:
        id_ = stack.pop()
        # A replaced class does not stand for what lies below it.
        if below[id_] and below[id_] <= wanted and taxonomy[id_].deprecated is None:
            found.append(id_)
        elif below[id_] & wanted:
            stack.extend(reversed(taxonomy[id_].children))
    return tuple(found)


def contradicts(link: Link, above: Link, target: Taxonomy, *, around: frozenset[str] | None = None) -> str | None:
    """The first target of a link that cannot be, given the link of an ancestor; None where they go together.

    Each target has to lie in what the ancestor allows, or, with `within`, to share a leaf with it (known: notation 3.4,
    there for an ancestor inside one class; in terms of leaves it holds for the other relations too). `around` is what
    the ancestor's link allows, where the caller has it.
    """
    if link.verb in ("none", "outside") or above.verb == "none":
        return None
    around = frozenset(allowed(above, target)) if around is None else around
    for id_ in link.targets:
        below = frozenset(target.allowed(id_))
        if below and not (below & around if link.verb == "within" else below <= around):
            return id_
    return None


def holders(id_: str, tree: Taxonomy) -> tuple[str, ...]:
    """The ancestors of a class that hold all that a label of it allows, nearest first: all of them, unless it is mixed
    or replaced and what it stands for lies elsewhere."""
    if id_ not in tree:
        return ()
    ancestors = tree.ancestors(id_)
    if tree[id_].kind != "mixed" and all(tree[one].deprecated is None for one in (id_, *ancestors)):
        return ancestors
    means = frozenset(tree.allowed(id_))
    return tuple(above for above in ancestors if means <= frozenset(tree.allowed(above)))


def counterpart(special: Special, target: Taxonomy) -> str:
    """The special of a tree that is nearest to one of another tree: of the same role and, if possible, name; or the
    role alone."""
    same = [entry.id for entry in target.special if entry.role == special.role]
    return special.id if special.id in same else same[0] if same else special.role


class _Resolver:
    """Links of one crosswalk; remembers those it has found."""

    def __init__(self, entries: Mapping[str, Entry], source: Taxonomy, target: Taxonomy) -> None:
        self.entries = entries
        self.source = source
        self.target = target
        self.found: dict[str, Link | None] = {}
        self.below = leaf_sets(source)
        self.means = {node.id: frozenset(source.allowed(node.id)) for node in source.nodes}

    def links(self) -> dict[str, Link]:
        ids = [node.id for node in self.source.nodes] + [entry.id for entry in self.source.special]
        given = {id_: self._direct(id_) for id_ in ids}
        for id_ in [node.id for node in self.source.nodes]:
            given[id_] = given[id_] or self.from_parts(id_) or self.inherited(id_)
        self.found = given
        for node in reversed(self.source.nodes):
            given[node.id] = given[node.id] or self._from_children(node)
        for node in self.source.nodes:
            # A label of an unspecified class is a label of its parent.
            silent = given[node.id] is None and not self.below[node.id] and node.parent is not None
            if silent and (above := given[str(node.parent)]) is not None and above.origin == "children":
                given[node.id] = above
        return {id_: link for id_, link in given.items() if link is not None}

    def _direct(self, id_: str) -> Link | None:
        entry = self.entries.get(id_)
        if entry is None:
            return None
        return Link(entry.verb, entry.targets, entry.shares, None, entry.confidence, "entry")

    def inherited(self, id_: str) -> Link | None:
        """What the nearest listed ancestor hands down."""
        for above in self.source.ancestors(id_):
            # What a mixed or replaced class stands for may lie elsewhere in the tree.
            if above in self.entries and self.means[id_] <= self.means[above]:
                return hand_down(self._direct(above), above)
        return None

    def from_parts(self, id_: str) -> Link | None:
        """The union of what a mixed or replaced class stands for."""
        node = self.source[id_]
        if node.deprecated is not None and node.deprecated.use:
            parts: dict[str, float | None] = dict.fromkeys(node.deprecated.use)
        elif node.kind == "mixed":
            parts = dict(node.parts)
        else:
            return None
        links = [self._direct(part) or self.inherited(part) for part in parts]
        known = [link for link in links if link is not None and link.verb != "none"]
        if not known or len(known) < len(parts):
            return None
        return self._union(known, list(parts.values()), "parts")

    def _from_children(self, node: Node) -> Link | None:
        below = [child for child in node.children if self.below[child]]
        links = [self.found[child] for child in below]
        known = [link for link in links if link is not None]
        if not known or len(known) < len(links):
            return None
        if not self.means[node.id] <= frozenset().union(*(self.means[child] for child in below)):
            return None
        if any(link.verb == "none" for link in known):
            # What has no counterpart and what has one have no common label.
            same = all(link.verb == "none" and link.targets == known[0].targets for link in known)
            return Link("none", known[0].targets, origin="children") if same else None
        return self._union(known, [None] * len(known), "children")

    def _union(self, links: list[Link], weights: list[float | None], kind: Origin) -> Link:
        confidences = [link.confidence for link in links if link.confidence is not None]
        confidence = min(confidences) if confidences else None
        if any(link.verb == "outside" for link in links):
            leaves = {leaf for link in links for leaf in allowed(link, self.target)}
            targets = cover(leaves, self.target)
            return Link("within" if len(targets) == 1 else "overlaps", targets, None, None, confidence, kind)
        shares = _weighted(links, weights)
        targets = tuple(dict.fromkeys(id_ for link in links for id_ in link.targets))
        exact = kind == "children" and all(link.verb in ("is", "covers") for link in links)
        verb: Verb = "covers" if exact else "within" if len(targets) == 1 else "overlaps"
        found = None if shares is None or len(targets) == 1 else tuple(shares[id_] for id_ in targets)
        return Link(verb, targets, found, None, confidence, kind)


def hand_down(link: Link | None, above: str) -> Link | None:
    """What a class inherits from the link of an ancestor, or None."""
    if link is None or link.verb in ("covers", "overlaps"):
        return None
    verb: Verb = "within" if link.verb == "is" else link.verb
    return Link(verb, link.targets, None, above, link.confidence, "ancestor")


def _weighted(links: list[Link], weights: list[float | None]) -> dict[str, float] | None:
    """Shares of targets from shares of parts, where every part has one and hands it on."""
    found: dict[str, float] = {}
    for link, weight in zip(links, weights, strict=True):
        if weight is None or (len(link.targets) > 1 and link.shares is None):
            return None
        for id_, share in zip(link.targets, link.shares or (1.0,), strict=True):
            found[id_] = found.get(id_, 0.0) + weight * share
    return found


def reverse(links: Mapping[str, Link], source: Taxonomy, target: Taxonomy) -> dict[str, Link]:
    """The links read from the target: what each of its classes is in the source; missing has no usable relation.

    `within` and `covers` are each other's converse, the others their own (known: notation 3.4). A class of the target
    is linked to the source leaves that may be it, and through them never to fewer: a pixel of the class lies in one of
    them, provided the links hold and the source has a class for it. `is` is said where a line says it and no other line
    reaches the class, `within` where one class of the source is all that reaches it.
    """
    reach: dict[str, set[str]] = {leaf: set() for leaf in target.leaves}
    inside: dict[str, frozenset[str]] = {}
    for leaf in source.leaves:
        link = links.get(leaf)
        if link is not None:
            inside[leaf] = frozenset(allowed(link, target))
            for one in inside[leaf]:
                reach[one].add(leaf)
    equal, above, barred = _converses(links, target)
    sets, source_sets = leaf_sets(target), leaf_sets(source)
    found: dict[str, Link] = {}
    for node in target.predicted:
        below = sets[node.id]
        sources = set().union(*(reach[leaf] for leaf in below))
        if not sources:
            if node.id in barred:
                found[node.id] = Link("outside", tuple(barred[node.id]))
            continue
        stated = _stated(sources, source, ("is", equal.get(node.id)), ("within", above.get(node.id)))
        if stated is None:
            near = cover(sources, source, source_sets)
            contained = all(inside[leaf] <= below for leaf in sources)
            stated = Link("covers" if contained else "within" if len(near) == 1 else "overlaps", near)
        found[node.id] = stated
    for special in target.special:
        same = next((id_ for id_, link in links.items() if link.targets == (special.id,) and id_ not in source), None)
        found[special.id] = Link("none", (same or counterpart(special, source),))
    return found


def _stated(sources: set[str], source: Taxonomy, *candidates: tuple[Verb, str | None]) -> Link | None:
    """The first relation that a line states and that no other line goes beyond."""
    for verb, id_ in candidates:
        if id_ is not None and id_ in source and sources <= set(source.allowed(id_)):
            return Link(verb, (id_,))
    return None


def _converses(
    links: Mapping[str, Link], target: Taxonomy
) -> tuple[dict[str, str], dict[str, str], dict[str, list[str]]]:
    """Target class -> the source class that it is, the smallest known one that holds it, and those it is outside of."""
    equal: dict[str, str] = {}
    above: dict[str, str] = {}
    barred: dict[str, list[str]] = {}
    for id_, link in links.items():
        if link.origin != "entry":
            continue
        for one in link.targets:
            if link.verb == "is":
                equal.setdefault(one, id_)
            if link.verb in ("is", "covers"):
                for below in (one, *target.descendants(one)):
                    if below != one or link.verb == "covers":
                        # Lines stand in the order of the tree, so that the last one is the smallest.
                        above[below] = id_
            elif link.verb == "outside":
                barred.setdefault(one, []).append(id_)
    return equal, above, barred
