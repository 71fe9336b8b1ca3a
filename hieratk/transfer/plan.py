"""What a plan of moving a model from one tree to another is made of: plain values, without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Literal

from hieratk.errors import TransferError
from hieratk.taxonomy.tree import Taxonomy

Action = Literal["keep", "split", "merge", "new"]
Relation = Literal["equal", "subset", "superset", "overlap", "none"]
Reason = Literal["extension", "crosswalk", "id", "code", "name", "synonym", "translation", "parent", "children", "none"]

ACTIONS: tuple[Action, ...] = ("keep", "split", "merge", "new")
RELATIONS: tuple[Relation, ...] = ("equal", "subset", "superset", "overlap", "none")
REASONS: tuple[Reason, ...] = (
    *("extension", "crosswalk", "id", "code", "name", "synonym", "translation", "parent", "children", "none"),
)

FROZEN = ("source backbone", "source decoder", "source head")
"""Parts of the source model that training on the target leaves as they are."""

NOISE = 0.01
"""Standard deviation of the noise on a started row that siblings share, relative to the row's norm (chosen)."""


@dataclass(frozen=True, slots=True)
class TreeRef:
    """Which tree is meant: its id, version and fingerprint."""

    id: str
    version: str
    fingerprint: str

    @classmethod
    def of(cls, taxonomy: Taxonomy) -> TreeRef:
        """The reference to a tree."""
        return cls(taxonomy.id, taxonomy.version, taxonomy.fingerprint)

    def __str__(self) -> str:
        return f"{self.id} {self.version}"


@dataclass(frozen=True, slots=True)
class PlanWarning:
    """Something to look at before training: a `code` for programs, the target or source class, and the text."""

    code: str
    node: str | None
    message: str


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One class of the target tree, and where its row in the head comes from.

    `relation` says how the class stands to the union of the source classes in `aligned`: `subset` means that the target
    class lies inside. `start` names the source rows that start this one, with weights that sum to 1; empty means a
    random start. `noise` is the standard deviation, relative to the row's norm, of what is added to a row that siblings
    share (method: HieraRS' category expansion, the formula chosen). `under` is the target class that this one hangs
    below. `reason` is the kind of evidence, `evidence` the sentence, `guessed` whether nobody has said so in a
    document. `flags` are codes of the warnings about this row.
    """

    node: str
    level: int
    action: Action
    relation: Relation
    aligned: tuple[str, ...] = ()
    start: tuple[tuple[str, float], ...] = ()
    noise: float = 0.0
    under: str | None = None
    reason: Reason = "none"
    evidence: str = ""
    guessed: bool = False
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class TransferPlan:
    """How a model of the `source` tree becomes one of the `target` tree.

    `rows` has one entry for every predicted class of the target, in the order of the tree. `dropped` are source classes
    without a counterpart. `needs` gives, for every class that must be learned (split, merge, new), the labelled pixels
    found in each split, or None where nothing was counted.
    """

    source: TreeRef
    target: TreeRef
    rows: tuple[PlanRow, ...]
    dropped: tuple[str, ...] = ()
    frozen: tuple[str, ...] = FROZEN
    needs: Mapping[str, Mapping[str, int] | None] = field(default_factory=lambda: MappingProxyType({}))
    warnings: tuple[PlanWarning, ...] = ()
    notes: tuple[str, ...] = ()

    @cached_property
    def _by_node(self) -> dict[str, PlanRow]:
        return {row.node: row for row in self.rows}

    def __getitem__(self, node: str) -> PlanRow:
        try:
            return self._by_node[node]
        except KeyError:
            raise TransferError(f"the plan has no row for `{node}`; it plans {self.target}") from None

    def __contains__(self, node: object) -> bool:
        return node in self._by_node

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def guesses(self) -> tuple[PlanRow, ...]:
        """The rows that rest on a guess."""
        return tuple(row for row in self.rows if row.guessed)

    def of(self, action: Action) -> tuple[PlanRow, ...]:
        """The rows of an action, in the order of the tree."""
        return tuple(row for row in self.rows if row.action == action)

    def standing(self, level: int) -> tuple[str, ...]:
        """The classes that stand on a level (0-based): its own, and those carried there because their path skips it."""
        parents = {row.under for row in self.rows}

        def stands(row: PlanRow) -> bool:
            if row.level > level:
                return row.under is None or self[row.under].level < level
            return row.level == level or row.node not in parents

        return tuple(row.node for row in self.rows if stands(row))

    def sharing(self, node: str) -> tuple[str, ...]:
        """The classes on the level of `node` that start from the very same source rows, itself among them.

        They divide what those rows predicted: the bias of each starts lower by the logarithm of their number (method:
        HieraRS' category expansion, the formula chosen). Empty for a class with a random start.
        """
        row = self[node]
        start = set(row.start)
        return tuple(other for other in self.standing(row.level) if start and set(self[other].start) == start)

    def check(self, source: Taxonomy, target: Taxonomy) -> None:
        """Raise TransferError where the plan is not one from the first of these trees to the second."""
        for ref, tree, side in ((self.source, source, "from"), (self.target, target, "to")):
            if ref.fingerprint != tree.fingerprint:
                raise TransferError(
                    f"the plan goes {side} {ref} ({ref.fingerprint[:12]}), not {side} {tree.id} {tree.version}"
                    f" ({tree.fingerprint[:12]}); make it again with `hieratk transfer --from ... --to ...`"
                )
