"""The alignment of each target class, read off what is known of the leaves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from hieratk.taxonomy.tree import Node
from hieratk.transfer.guesses import normal
from hieratk.transfer.leaves import LeafSets
from hieratk.transfer.meeting import Meeting, Partner
from hieratk.transfer.plan import PlanWarning, Reason, Relation

Evidence = Literal["same", "extension", "crosswalk", "names"]

_WORDS: dict[Relation, str] = {
    "equal": "is",
    "subset": "lies within",
    "superset": "holds",
    "overlap": "overlaps",
    "none": "-",
}


@dataclass(frozen=True, slots=True)
class Alignment:
    """What one target class is in the source.

    `relation` is that of the class to the union of `aligned`; `weights` say how much each of these gives to a start,
    summing to 1. `reason` is the kind of evidence and `evidence` the sentence; `guessed` that no document says it.
    """

    node: str
    relation: Relation
    aligned: tuple[str, ...] = ()
    weights: tuple[tuple[str, float], ...] = ()
    reason: Reason = "none"
    evidence: str = ""
    guessed: bool = False


class Reader:
    """Reads the alignment of every target class off a meeting, from the root down."""

    def __init__(self, meeting: Meeting, by: Evidence) -> None:
        self.meeting = meeting
        self.by = by
        self.source = meeting.source
        self.target = meeting.target
        self.found: dict[str, Alignment] = {}
        self.warnings: list[PlanWarning] = []

    def entries(self) -> Iterator[Alignment]:
        for node in self.target.taxonomy.predicted:
            self._look_for_strangers(node)
            entry = self._entry(node)
            self.found[node.id] = entry
            yield entry

    def _entry(self, node: Node) -> Alignment:
        below = self.target.below[node.id]
        met = self.meeting.reached(below)
        partner = self._partner(node, met)
        if partner is not None:
            return self._made(node, (partner.source,), below, partner)
        classes = self.source.cover(met, level=node.level)
        if len(classes) > 1 and met == self.source.all and self.meeting.relation(below, met) != "equal":
            # In the whole of the other tree: that says nothing. What lies inside it may.
            classes = self.source.cover(self.meeting.inside(met, below), level=node.level)
        leftover = node.kind == "residual" and node.parent is None
        if classes and leftover and self.meeting.relation(below, self.source.union(classes)) != "equal":
            classes = ()
        if len(classes) == 1:
            classes = (self._namesake(node, classes[0]),)
        if classes:
            return self._made(node, classes, below, None)
        return self._below_its_parent(node, leftover=leftover)

    def _namesake(self, node: Node, closest: str) -> str:
        """A class on the level of this one, with its name, that holds the closest one: the trees are aligned level by
        level where they can be."""
        tree = self.source.taxonomy
        for id_ in tree.ancestors(closest):
            if tree[id_].level == node.level and normal(tree[id_].name) == normal(node.name):
                return id_
        return closest

    def _partner(self, node: Node, met: int) -> Partner | None:
        """The smallest source class that is named with this one and holds all that it may meet.

        It is taken before a closer cover of leaves where it stands on the same level or says it is the same: the two
        classes called vegetation rather than the one and the cropland in the other.
        """
        fitting = []
        for partner in self.meeting.partners.get(node.id, ()):
            ours = self.source.below.get(partner.source, 0)
            if not met or met & ~ours:
                continue
            near = self.source.taxonomy[partner.source].level == node.level
            if near or self.source.below[partner.source] == met or self.by == "names":
                fitting.append(partner)
        if not fitting:
            return None
        nearness = {p: abs(self.source.taxonomy[p.source].level - node.level) for p in fitting}
        return min(fitting, key=lambda p: (self.source.below[p.source].bit_count(), nearness[p]))

    def _made(self, node: Node, classes: tuple[str, ...], below: int, partner: Partner | None) -> Alignment:
        relation = self.meeting.relation(below, self.source.union(classes))
        if partner is None:
            partner = self._named(node, classes)
        if partner is None:
            reason, evidence = self._indirect(node, classes)
        else:
            reason, evidence = partner.reason, partner.evidence
        weights = self._weights(node, classes, below, relation)
        named = self.meeting.partners.get(node.id, ())
        if self.by == "names" and named and (relation != "equal" or partner is None):
            shown = ", ".join(classes[:3]) + (f" and {len(classes) - 3} more" if len(classes) > 3 else "")
            self._warn(
                "other-content",
                node.id,
                f"`{node.id}` and the `{named[0].source}` of {self.source.taxonomy.id} go by one name, but the classes"
                f" below them do not all match; taken as: `{node.id}` {_WORDS[relation]} {shown}",
            )
        return Alignment(node.id, relation, classes, weights, reason, evidence, self.by == "names")

    def _weights(
        self, node: Node, classes: tuple[str, ...], below: int, relation: Relation
    ) -> tuple[tuple[str, float], ...]:
        """What starts a class: source classes on its own level where there are any, since each level is a head."""
        if relation == "equal" and len(classes) == 1:
            return ((classes[0], 1.0),)
        wanted: list[str] = []
        stack = list(reversed(classes))
        while stack:
            id_ = stack.pop()
            inner = self.source.children.get(id_, [])
            if inner and self.source.taxonomy[id_].level < node.level:
                stack.extend(reversed(inner))
            else:
                wanted.append(id_)
        return self.meeting.weights(tuple(wanted), below)

    def _named(self, node: Node, classes: tuple[str, ...]) -> Partner | None:
        for partner in self.meeting.partners.get(node.id, ()):
            if partner.source in classes:
                return partner
        return None

    def _indirect(self, node: Node, classes: tuple[str, ...]) -> tuple[Reason, str]:
        """How the relation of a class follows from what is said of those around it."""
        inner = [id_ for id_ in self.target.taxonomy.descendants(node.id) if id_ in self.meeting.partners]
        if inner:
            shown = ", ".join(inner[:3]) + (f" and {len(inner) - 3} more" if len(inner) > 3 else "")
            return ("crosswalk" if self.by == "crosswalk" else "children"), f"from its classes {shown}"
        above = next((id_ for id_ in self.target.taxonomy.ancestors(node.id) if id_ in self.meeting.partners), None)
        if above is None:
            return "crosswalk", f"what the crosswalk lets reach it: {', '.join(classes[:3])}"
        return ("crosswalk" if self.by == "crosswalk" else "parent"), f"from `{above}` above it"

    def _below_its_parent(self, node: Node, *, leftover: bool) -> Alignment:
        """A class that nothing meets: the class above it gives its start, and at best its place."""
        if leftover:
            return Alignment(node.id, "none", evidence="what its tree leaves over: something else in each tree")
        for id_ in self.target.taxonomy.ancestors(node.id):
            above = self.found[id_]
            if not above.aligned:
                continue
            loose = self.target.below[node.id] & self.meeting.loose_target
            everything = len(above.aligned) > 1 and self.source.union(above.aligned) == self.source.all
            certain = above.relation in ("equal", "subset") and not loose and not everything
            relation: Relation = "subset" if certain else "none"
            text = f"nothing says what it is; `{id_}` above it is known"
            aligned = above.aligned if certain else ()
            start = mean_of_children(above.weights, self.source)
            return Alignment(node.id, relation, aligned, start, "parent", text, self.by == "names")
        return Alignment(node.id, "none", evidence="nothing in the source tree is known to meet it")

    def _look_for_strangers(self, node: Node) -> None:
        """A namesake that does not stand below the namesake of the class above."""
        if self.by != "names":
            return  # what a crosswalk says against a tree is found where it is read
        uppers = self.target.taxonomy.ancestors(node.id)
        named = next((id_ for id_ in uppers if id_ in self.meeting.partners), None)
        if named is None:
            return
        place = self.meeting.partners[named][0].source
        for partner in self.meeting.partners.get(node.id, ()):
            if self.source.below[partner.source] & ~self.source.below[place]:
                parent = self.source.taxonomy[partner.source].parent
                here = "at the top" if parent is None else f"below `{parent}`"
                self._warn(
                    "against-the-tree",
                    node.id,
                    f"`{node.id}` hangs below `{named}`, which was matched with `{place}`, but `{partner.source}`"
                    f" stands {here} in {self.source.taxonomy.id}",
                )

    def _warn(self, code: str, node: str, message: str) -> None:
        self.warnings.append(PlanWarning(code, node, message))


def mean_of_children(weights: tuple[tuple[str, float], ...], source: LeafSets) -> tuple[tuple[str, float], ...]:
    """Each source class replaced by those below it in equal parts; an only child is the class itself."""
    found: dict[str, float] = {}
    for id_, weight in weights:
        inner = source.children.get(id_, [])
        parts = inner if len(inner) > 1 else [id_]
        for part in parts:
            found[part] = found.get(part, 0.0) + weight / len(parts)
    return tuple(found.items())
