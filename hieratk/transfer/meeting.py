"""Which leaves of two trees may share ground, and what follows from that for any pair of classes.

Every statement of a crosswalk and every guess by name ends up here as two things: which source leaf may meet which
target leaf, and which leaves have content that the other tree has no class for. The relation of two classes is then
read off their sets of leaves, so that it always agrees with both trees. (Chosen; the relations are those of RCC-5.)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from hieratk.taxonomy.tree import Taxonomy
from hieratk.transfer.leaves import LeafSets
from hieratk.transfer.plan import PlanWarning, Reason, Relation


@dataclass(frozen=True, slots=True)
class Partner:
    """A source class that evidence names together with a target class; `evidence` is the sentence."""

    source: str
    reason: Reason
    evidence: str
    confidence: float | None = None


@dataclass(slots=True)
class Meeting:
    """What is known of two trees.

    Attributes:
        columns: for each target leaf, the source leaves that it may meet, as bits. rows: the same seen from the source.
        loose_source, loose_target: leaves with content outside the other tree, as far as one knows.
        shares: (source leaf, target leaf) positions -> share of the source leaf (`of_source`) or of the target leaf.
        partners: target class -> the source classes named with it.
    """

    source: LeafSets
    target: LeafSets
    columns: list[int]
    rows: list[int]
    loose_source: int = 0
    loose_target: int = 0
    shares: dict[tuple[int, int], float] = field(default_factory=dict)
    of_source: bool = True
    partners: dict[str, list[Partner]] = field(default_factory=dict)
    warnings: list[PlanWarning] = field(default_factory=list)

    @classmethod
    def of(cls, source: Taxonomy, target: Taxonomy) -> Meeting:
        """Two trees of which nothing is known yet: no leaf meets another."""
        ours, theirs = LeafSets(source), LeafSets(target)
        return cls(ours, theirs, [0] * len(theirs.bit), [0] * len(ours.bit))

    def join(self, source: int, target: int) -> None:
        """Say that each leaf of one set may meet each of the other."""
        for position in self.source.positions(source):
            self.rows[position] |= target
        for position in self.target.positions(target):
            self.columns[position] |= source

    def reached(self, target: int) -> int:
        """The source leaves that a set of target leaves may meet."""
        found = 0
        for position in self.target.positions(target):
            found |= self.columns[position]
        return found

    def inside(self, source: int, target: int) -> int:
        """Those of the source leaves that lie in the target set and nowhere else."""
        found = 0
        for position in self.source.positions(source & ~self.loose_source):
            if self.rows[position] and not self.rows[position] & ~target:
                found |= 1 << position
        return found

    def relation(self, target: int, source: int) -> Relation:
        """How a set of target leaves stands to a set of source leaves.

        `equal`, `subset` and `superset` are said only where everything that is known says so: what may be otherwise is
        an `overlap`.
        """
        met = self.reached(target)
        if not met & source:
            return "none"
        within = not met & ~source and not target & self.loose_target
        around = self.inside(source, target) == source
        if within and around:
            return "equal"
        return "subset" if within else "superset" if around else "overlap"

    def weights(self, classes: tuple[str, ...], target: int) -> tuple[tuple[str, float], ...]:
        """How much of a start each source class gives: its expected share in the target set, summing to 1.

        Shares that a crosswalk states are taken; else a leaf is spread evenly over the target leaves that it may meet
        (chosen: so a class that is mostly something else counts less).
        """
        raw = [self._weight(id_, target) for id_ in classes]
        total = sum(raw)
        if not total:
            return tuple((id_, 1 / len(classes)) for id_ in classes)
        return tuple((id_, weight / total) for id_, weight in zip(classes, raw, strict=True) if weight)

    def _weight(self, id_: str, target: int) -> float:
        below = self.source.below[id_]
        total = 0.0
        for s in self.source.positions(below):
            met = self.rows[s]
            hit = met & target
            if not hit:
                continue
            stated = [self.shares.get((s, t)) for t in self.target.positions(hit)] if self.shares else [None]
            if all(share is None for share in stated):
                total += hit.bit_count() / met.bit_count() if self.of_source else hit.bit_count() / target.bit_count()
            else:
                known = sum(share for share in stated if share is not None)
                total += known if self.of_source else known / target.bit_count()
        return total / (below.bit_count() if self.of_source else 1)

    def partners_by_source(self) -> Mapping[str, list[str]]:
        """Source class -> the target classes named with it."""
        found: dict[str, list[str]] = {}
        for target, partners in self.partners.items():
            for partner in partners:
                found.setdefault(partner.source, []).append(target)
        return found
